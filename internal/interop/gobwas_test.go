package interop

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

type gobwas struct{ net.Conn }

func dialGobwas(t *testing.T, to target) peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{TLSConfig: to.tls}
	conn, early, _, err := d.Dial(ctx, to.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // closed already, if all went well
	if early != nil {
		t.Fatal("the server spoke first")
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &gobwas{conn}
}

func (g *gobwas) echo(text bool, data []byte) (bool, []byte, error) {
	op := ws.OpBinary
	if text {
		op = ws.OpText
	}
	if err := wsutil.WriteClientMessage(g.Conn, op, data); err != nil {
		return false, nil, err
	}
	got, op, err := wsutil.ReadServerData(g.Conn)
	return op == ws.OpText, got, err
}

func (g *gobwas) end() error {
	bye := ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "bye")))
	if err := ws.WriteFrame(g.Conn, bye); err != nil {
		return err
	}
	h, err := ws.ReadHeader(g.Conn)
	if err != nil {
		return err
	}
	answer := make([]byte, min(h.Length, ws.MaxControlFramePayloadSize))
	if _, err := io.ReadFull(g.Conn, answer); err != nil {
		return err
	}
	if code, reason := ws.ParseCloseFrameData(answer); h.OpCode != ws.OpClose || code != 1000 || reason != "bye" {
		return fmt.Errorf("answered with opcode %d, code %d, reason %q", h.OpCode, code, reason)
	}
	_, err = io.Copy(io.Discard, g.Conn) // up to the server's FIN
	return err
}

func TestGobwasClient(t *testing.T) {
	bothSchemes(t, roost(compressing(), nil), func(t *testing.T, to target) {
		converse(t, dialGobwas(t, to), plainSizes...)
	})
}
