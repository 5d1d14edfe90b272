//go:build unix

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// What was sent before Shutdown arrives whole at clients that take their time, and
// the close frame after it.
func TestShutdownDeliversWhatWasQueued(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		const clients, messages, size = 8, 64, 64 << 10 // 4 MiB for each client
		queued := make(chan struct{}, clients)
		s := serve(t, ServerOptions{
			Config: cfg, SendBuffer: 32 << 10, RecvBuffer: 32 << 10,
			Handler: Handler{Open: func(c *Conn, _ *Request) {
				for i := range messages {
					if err := c.Send(Binary, bytes.Repeat([]byte{byte(i)}, size)); err != nil {
						t.Error(err)
					}
				}
				queued <- struct{}{}
			}},
		})
		var conns []*gorilla.Conn
		for range clients {
			c, _, err := gorilla.DefaultDialer.DialContext(soon(t), "ws://"+s.Addr().String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() }) // most are closed by then
			conns = append(conns, c)
			receive(t, queued, "the messages to be queued")
		}
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(soon(t)) }()
		results := make(chan error, clients)
		for _, c := range conns {
			go func() { results <- readSlowly(c, messages, size) }()
		}
		for range conns {
			if err := receive(t, results, "a client"); err != nil {
				t.Error(err)
			}
		}
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Error(err)
		}
	})
}

// readSlowly wants the messages in order and whole, and then 1001.
func readSlowly(c *gorilla.Conn, messages, size int) error {
	for i := range messages {
		_, p, err := c.ReadMessage()
		if err != nil || !bytes.Equal(p, bytes.Repeat([]byte{byte(i)}, size)) {
			return fmt.Errorf("message %d: %d bytes, %w", i, len(p), err)
		}
		time.Sleep(2 * time.Millisecond) // what makes it slow
	}
	if _, _, err := c.ReadMessage(); !gorilla.IsCloseError(err, gorilla.CloseGoingAway) {
		return fmt.Errorf("after the last message: %w", err)
	}
	return c.Close()
}

func TestShutdownCountsWhatItCouldNotDeliver(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		const size = 8 << 20
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), SendBuffer: 16 << 10, RecvBuffer: 16 << 10})
		_, c := j.opened(t, s)
		if err := c.Send(Binary, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		err := s.Shutdown(ctx)
		var conns, lost int
		if err != nil {
			_, _ = fmt.Sscanf(err.Error(), "engine: %d connections terminated with %d bytes not delivered", &conns, &lost)
		}
		if !errors.Is(err, context.DeadlineExceeded) || conns != 1 || lost < size/2 || lost > size+100 {
			t.Errorf("%v: %d connections and %d bytes, want 1 and most of %d", err, conns, lost, size)
		}
	})
}

// A request of plain HTTP that takes long must not keep the WebSockets from their
// close frames, and is finished itself.
func TestShutdownFinishesPlainRequestsMeanwhile(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "finished")
	})})
	p, _ := j.opened(t, s)
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + s.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		answer <- fmt.Sprint(string(text), err)
	}()
	receive(t, begun, "the request")
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(soon(t)) }()
	p.want("close 1001")
	p.write(closeOf(1001, ""))
	p.end()
	p.fin()
	close(goOn)
	if got := receive(t, answer, "the answer"); got != "finished<nil>" {
		t.Error(got)
	}
	if err := receive(t, done, "Shutdown"); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
