package interop

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// serveHTTP starts an http.Server with h, which ends with the test.
func serveHTTP(h http.Handler) func(*testing.T, *tls.Config) string {
	return func(t *testing.T, c *tls.Config) string {
		s := httptest.NewUnstartedServer(h)
		t.Cleanup(s.Close)
		if c == nil {
			s.Start()
		} else {
			s.TLS = c.Clone()
			s.StartTLS()
		}
		return s.Listener.Addr().String()
	}
}

type gorilla struct{ c *websocket.Conn }

func dialGorilla(t *testing.T, to target, compress bool) peer {
	t.Helper()
	d := websocket.Dialer{TLSClientConfig: to.tls, EnableCompression: compress}
	c, res, err := d.Dial(to.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // closed already, if all went well
	if agreed := res.Header.Get("Sec-WebSocket-Extensions") != ""; agreed != compress {
		t.Fatalf("compression agreed: %t", agreed)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &gorilla{c}
}

func (g *gorilla) echo(text bool, data []byte) (bool, []byte, error) {
	kind := websocket.BinaryMessage
	if text {
		kind = websocket.TextMessage
	}
	if err := g.c.WriteMessage(kind, data); err != nil {
		return false, nil, err
	}
	kind, got, err := g.c.ReadMessage()
	return kind == websocket.TextMessage, got, err
}

func (g *gorilla) end() error {
	bye := websocket.FormatCloseMessage(1000, "bye")
	if err := g.c.WriteControl(websocket.CloseMessage, bye, time.Now().Add(patience)); err != nil {
		return err
	}
	_, _, err := g.c.ReadMessage()
	if websocket.IsCloseError(err, 1000) {
		err = nil
	}
	return err
}

func TestGorillaClient(t *testing.T) {
	bothSchemes(t, roost(compressing(), nil), func(t *testing.T, to target) {
		for _, compress := range []bool{false, true} {
			converse(t, dialGorilla(t, to, compress), plainSizes...)
		}
	})
}

// gorillaServer echoes; it agrees only to both sides forgetting.
func gorillaServer() http.Handler {
	u := websocket.Upgrader{EnableCompression: true, CheckOrigin: func(*http.Request) bool { return true }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return // the client has been told
		}
		defer c.Close()
		for {
			kind, data, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, data) != nil {
				return
			}
		}
	})
}
