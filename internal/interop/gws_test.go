package interop

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/lxzan/gws"
)

// gwsEvents hands on what a connection hears.
type gwsEvents struct {
	gws.BuiltinEventHandler
	heard chan gwsMessage
	ended chan error
}

type gwsMessage struct {
	text bool
	data []byte
}

func (e *gwsEvents) OnMessage(_ *gws.Conn, m *gws.Message) {
	e.heard <- gwsMessage{m.Opcode == gws.OpcodeText, bytes.Clone(m.Bytes())}
	_ = m.Close() // only gives its buffer back
}

func (e *gwsEvents) OnClose(_ *gws.Conn, err error) { e.ended <- err }

type gwsPeer struct {
	c *gws.Conn
	*gwsEvents
}

// gwsDeflate is what gws calls p; nil is no compression.
func gwsDeflate(p *params) gws.PermessageDeflate {
	if p == nil {
		return gws.PermessageDeflate{}
	}
	return gws.PermessageDeflate{
		Enabled: true, Threshold: 1, PoolSize: 1,
		ServerContextTakeover: !p.ServerForgets, ClientContextTakeover: !p.ClientForgets,
		ServerMaxWindowBits: p.ServerBits, ClientMaxWindowBits: p.ClientBits,
	}
}

func dialGWS(t *testing.T, to target, p *params) peer {
	t.Helper()
	e := &gwsEvents{heard: make(chan gwsMessage, 1), ended: make(chan error, 1)}
	c, res, err := gws.NewClient(e, &gws.ClientOption{Addr: to.url, TlsConfig: to.tls, PermessageDeflate: gwsDeflate(p), CheckUtf8Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if agreed := res.Header.Get("Sec-WebSocket-Extensions") != ""; agreed != (p != nil) {
		t.Fatalf("%v: compression agreed: %t", p, agreed)
	}
	go c.ReadLoop()
	return &gwsPeer{c, e}
}

func (g *gwsPeer) echo(text bool, data []byte) (bool, []byte, error) {
	kind := gws.OpcodeBinary
	if text {
		kind = gws.OpcodeText
	}
	if err := g.c.WriteMessage(kind, data); err != nil {
		return false, nil, err
	}
	select {
	case m := <-g.heard:
		return m.text, m.data, nil
	case err := <-g.ended:
		return false, nil, err
	case <-time.After(patience):
		return false, nil, errors.New("no message")
	}
}

func (g *gwsPeer) end() error {
	if err := g.c.WriteClose(1000, []byte("bye")); err != nil {
		return err
	}
	select {
	case <-g.ended: // it does not wait for the peer's close
		return nil
	case <-time.After(patience):
		return errors.New("no end")
	}
}

func TestGWSClient(t *testing.T) {
	bothSchemes(t, roost(compressing(), nil), func(t *testing.T, to target) {
		converse(t, dialGWS(t, to, nil), plainSizes...)
		converse(t, dialGWS(t, to, &params{ServerBits: 15, ClientBits: 15}), plainSizes...)
	})
}

func TestGWSClientWithEveryParameter(t *testing.T) {
	to := target{url: "ws://" + roost(compressing(), nil)(t, nil) + "/"}
	for _, p := range everyParams(8, 8) {
		t.Run(p.String(), func(t *testing.T) { converse(t, dialGWS(t, to, &p), shortSizes...) })
	}
}

// gwsEcho is the handler of an echo server.
type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // the client notices
	_ = m.Close()                           // only gives its buffer back
}

func gwsServer(p *params) http.Handler {
	u := gws.NewUpgrader(gwsEcho{}, &gws.ServerOption{PermessageDeflate: gwsDeflate(p), CheckUtf8Enabled: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := u.Upgrade(w, r); err == nil { // else the client has been told
			go c.ReadLoop()
		}
	})
}
