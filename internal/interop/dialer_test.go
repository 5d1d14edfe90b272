package interop

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/engine"
)

// dialled is a connection of the engine's own Dialer.
type dialled struct {
	c     *engine.Conn
	heard chan gwsMessage
	ended chan engine.CloseCode
}

func dialEngine(t *testing.T, e *engine.Engine, to target, deflate *engine.DeflateOptions) *dialled {
	t.Helper()
	d := &dialled{heard: make(chan gwsMessage, 1), ended: make(chan engine.CloseCode, 1)}
	dialer := engine.Dialer{
		Engine: e, TLS: to.tls, Options: engine.ConnOptions{PerMessageDeflate: deflate, MaxOutbox: 64 << 20},
		Handler: engine.Handler{
			Message: func(_ *engine.Conn, m engine.Message) {
				d.heard <- gwsMessage{!m.Binary, append([]byte(nil), m.Data...)}
			},
			Close: func(_ *engine.Conn, code engine.CloseCode, _ string) { d.ended <- code },
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if d.c, err = dialer.Dial(ctx, to.url); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *dialled) echo(text bool, data []byte) (bool, []byte, error) {
	kind := engine.Binary
	if text {
		kind = engine.Text
	}
	if err := d.c.Send(kind, data); err != nil {
		return false, nil, err
	}
	select {
	case m := <-d.heard:
		return m.text, m.data, nil
	case code := <-d.ended:
		return false, nil, fmt.Errorf("closed with %v", code)
	case <-time.After(patience):
		return false, nil, errors.New("no message")
	}
}

func (d *dialled) end() error {
	if err := d.c.Close(engine.CodeNormal, "bye"); err != nil {
		return err
	}
	select {
	case code := <-d.ended:
		if code != engine.CodeNormal {
			return fmt.Errorf("closed with %v", code)
		}
		return nil
	case <-time.After(patience):
		return errors.New("no end")
	}
}

func newEngine(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// deflate is p as the Dialer is told it.
func (p params) deflate() *engine.DeflateOptions {
	o := compressing()
	if p.ServerForgets {
		o.ServerNoContextTakeover = codec.True
	}
	if p.ClientForgets {
		o.ClientNoContextTakeover = codec.True
	}
	o.ServerMaxWindowBits, o.ClientMaxWindowBits = codec.WindowBits(p.ServerBits), codec.WindowBits(p.ClientBits)
	return o
}

func TestDialerToOthersServers(t *testing.T) {
	e := newEngine(t)
	servers := map[string]http.Handler{
		"gorilla": gorillaServer(), "gws": gwsServer(&params{ServerBits: 12, ClientBits: 13}), "gws without": gwsServer(nil),
	}
	for _, mode := range coderModes {
		servers[fmt.Sprint("coder mode ", mode)] = coderServer(mode)
	}
	compresses := map[string]bool{"gorilla": true, "gws": true, "coder mode 1": true, "coder mode 2": true}
	for name, h := range servers {
		t.Run(name, func(t *testing.T) {
			bothSchemes(t, serveHTTP(h), func(t *testing.T, to target) {
				converse(t, dialEngine(t, e, to, nil), plainSizes...)
				d := dialEngine(t, e, to, compressing())
				if agreed := d.c.Extensions() != ""; agreed != compresses[name] {
					t.Errorf("compression agreed: %t", agreed)
				}
				converse(t, d, plainSizes...)
			})
		})
	}
}

// TestDialerToGWSWithEveryParameter: gws answers with its own parameters, so each set
// needs a server of its own.
func TestDialerToGWSWithEveryParameter(t *testing.T) {
	e := newEngine(t)
	for _, p := range everyParams(8, 8) {
		t.Run(p.String(), func(t *testing.T) {
			to := target{url: "ws://" + serveHTTP(gwsServer(&p))(t, nil) + "/"}
			for _, deflate := range []*engine.DeflateOptions{compressing(), p.deflate()} {
				d := dialEngine(t, e, to, deflate)
				if d.c.Extensions() == "" {
					t.Fatal("compression was not agreed")
				}
				converse(t, d, shortSizes...)
			}
		})
	}
}
