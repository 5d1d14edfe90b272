package push_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	before := goleak.IgnoreCurrent() // importing ants began a pool of its own
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(before); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// The app of Pusher's own examples.
var app = push.App{ID: "3", Key: "278d425bdf160c739803", Secret: "7ad3773142a6692b25b8"}

const token = "a token for tests only"

const patience = 10 * time.Second

// rig is a push server on a port of its own.
type rig struct {
	t    testing.TB
	push *push.Server
	addr string
}

func start(t testing.TB, o push.Options) *rig {
	t.Helper()
	return startOn(t, engine.Config{}, o)
}

// startOn is start with an engine of one's own.
func startOn(t testing.TB, cfg engine.Config, o push.Options) *rig {
	t.Helper()
	return startAt(t, engine.ServerOptions{Config: cfg}, o)
}

// startAt is start with a listener of one's own.
func startAt(t testing.TB, base engine.ServerOptions, o push.Options) *rig {
	t.Helper()
	if o.App.ID == "" && len(o.Apps) == 0 {
		o.App = app
	}
	if o.Token == "" {
		o.Token = token
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.WebhookDelay == 0 {
		o.WebhookDelay = -1
	}
	p, err := push.New(o)
	if err != nil {
		t.Fatal(err)
	}
	base.Config.Logger = o.Logger
	e, err := engine.New(base.Config)
	if err != nil {
		t.Fatal(err)
	}
	base.Engine, base.Addr = e, "127.0.0.1:0"
	srv, err := engine.NewServer(p.Options(base))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		for _, end := range []func() error{p.Close, srv.Close, e.Close} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	})
	return &rig{t: t, push: p, addr: srv.Addr().String()}
}

// as is the rig in another test's hands.
func (r *rig) as(t testing.TB) *rig { return &rig{t: t, push: r.push, addr: r.addr} }

// peer is a client that sends and expects frames one by one.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
	id   string // socket id
}

// dial connects without a greeting.
func (r *rig) dial(pathAndQuery string) *peer {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+r.addr+pathAndQuery, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.CloseNow() })
	return &peer{t: r.t, conn: conn}
}

// connect connects as a client of protocol 7 and takes the greeting.
func (r *rig) connect() *peer {
	r.t.Helper()
	p := r.dial("/app/" + app.Key + "?protocol=7&client=test&version=1.0")
	f := p.expect(protocol.EventConnected)
	var hello struct {
		SocketID string `json:"socket_id"`
	}
	if err := protocol.DecodeData(f.Data, &hello); err != nil {
		r.t.Fatal(err)
	}
	p.id = hello.SocketID
	return p
}

// subscriber is a client that has been told that it is in the channels.
func (r *rig) subscriber(channels ...string) *peer {
	r.t.Helper()
	p := r.connect()
	for _, name := range channels {
		p.send(protocol.EventSubscribe, map[string]string{"channel": name})
		p.expect(protocol.EventSubscribed)
	}
	return p
}

func (p *peer) sendText(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) send(event string, data any) {
	p.t.Helper()
	text, err := json.Marshal(map[string]any{"event": event, "data": data})
	if err != nil {
		p.t.Fatal(err)
	}
	p.sendText(string(text))
}

func (p *peer) read() (f protocol.Frame, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, text, err := p.conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	return f, err
}

// expect returns the next frame, which must be of that event.
func (p *peer) expect(event string) protocol.Frame {
	p.t.Helper()
	f, err := p.read()
	if err != nil {
		p.t.Fatalf("waiting for %s: %v", event, err)
	}
	if f.Event != event {
		p.t.Fatalf("got %s %s, want %s", f.Event, f.Data, event)
	}
	return f
}

// fence returns once everything that the server had for us has been read, and
// fails when that was anything.
func (p *peer) fence() {
	p.t.Helper()
	p.send(protocol.EventPing, struct{}{})
	p.expect(protocol.EventPong)
}

// expectClose wants the connection closed with code, and nothing before.
func (p *peer) expectClose(code int) {
	p.t.Helper()
	if f, err := p.read(); int(websocket.CloseStatus(err)) != code {
		p.t.Errorf("got %s %s and %v, want close code %d", f.Event, f.Data, err, code)
	}
}

// expectError wants pusher:error with code.
func (p *peer) expectError(code int) {
	p.t.Helper()
	f := p.expect(protocol.EventError)
	var d struct{ Code int }
	if err := json.Unmarshal(f.Data, &d); err != nil || d.Code != code {
		p.t.Errorf("pusher:error says %s, want code %d", f.Data, code)
	}
}

// eventually waits for what has no message of its own.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
