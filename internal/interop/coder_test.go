package interop

import (
	"context"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

type coder struct {
	ctx context.Context
	c   *websocket.Conn
}

func dialCoder(t *testing.T, to target, mode websocket.CompressionMode) peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	transport := &http.Transport{TLSClientConfig: to.tls}
	c, res, err := websocket.Dial(ctx, to.url, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, CompressionMode: mode, CompressionThreshold: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() }) // closed already, if all went well
	if agreed := res.Header.Get("Sec-WebSocket-Extensions") != ""; agreed != (mode != websocket.CompressionDisabled) {
		t.Fatalf("mode %v: compression agreed: %t", mode, agreed)
	}
	c.SetReadLimit(-1)
	return &coder{ctx, c}
}

func (c *coder) echo(text bool, data []byte) (bool, []byte, error) {
	kind := websocket.MessageBinary
	if text {
		kind = websocket.MessageText
	}
	if err := c.c.Write(c.ctx, kind, data); err != nil {
		return false, nil, err
	}
	kind, got, err := c.c.Read(c.ctx)
	return kind == websocket.MessageText, got, err
}

func (c *coder) end() error { return c.c.Close(1000, "bye") }

var coderModes = []websocket.CompressionMode{
	websocket.CompressionDisabled, websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover,
}

func TestCoderClient(t *testing.T) {
	bothSchemes(t, roost(compressing(), nil), func(t *testing.T, to target) {
		for _, mode := range coderModes {
			converse(t, dialCoder(t, to, mode), plainSizes...)
		}
	})
}

func coderServer(mode websocket.CompressionMode) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 1, InsecureSkipVerify: true})
		if err != nil {
			return // the client has been told
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	})
}
