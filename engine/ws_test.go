//go:build unix

package engine

import (
	"context"
	"io"
	"net/http"
	"testing"
)

// The files ws_*_test.go hold what is known of the behaviour of Node's ws; docs/node-ws.md says
// which test covers what.

// dialled is a connection from both ends that the engine's own Dialer made: the
// server's, and the client's with its journal.
func (j *journal) dialled(t testing.TB, s *Server, d Dialer) (server, client *Conn, calls *journal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	calls = newJournal()
	d.Engine = s.Engine()
	d.Handler = calls.handler()
	scheme := "ws"
	if d.TLS != nil {
		scheme = "wss"
	}
	client, err := d.Dial(ctx, scheme+"://"+s.Addr().String()+"/")
	if err != nil {
		t.Fatal(err)
	}
	server = j.conn(t)
	j.want(t, "open")
	return server, client, calls
}

// bodyOf is what response read already.
func bodyOf(t testing.TB, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
