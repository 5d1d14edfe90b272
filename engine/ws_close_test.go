//go:build unix

package engine

import (
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// Scenario 98: both ends break the protocol at the same time.
func TestBothBreakTheProtocol(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		for _, closing := range []bool{false, true} {
			j := newJournal()
			s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
			server, client, d := j.dialled(t, s, Dialer{})
			d.want(t, "open")
			both := []*Conn{server, client}
			for _, c := range both {
				c.Pause() // neither hears of the other's before its own is out
			}
			for _, c := range both {
				c.mu.Lock()
				c.push(codec.Header{Opcode: 3, Fin: true}, nil, nil)
				c.mu.Unlock()
				if closing {
					_ = c.Close(1000, "")
				}
			}
			for _, c := range both {
				c.Resume()
			}
			j.want(t, "error WS_ERR_INVALID_OPCODE", "close 1006")
			d.want(t, "error WS_ERR_INVALID_OPCODE", "close 1006")
		}
	})
}

// Scenario 99: the teardown also completes when reading had stopped.
func TestTeardownBehindBackpressure(t *testing.T) {
	t.Parallel()
	dispatches(t, func(t *testing.T, cfg Config) {
		for _, tc := range []struct {
			last  []byte
			frame string
			calls []string
		}{
			{frameOf(3, ""), "close 1002", []string{"error WS_ERR_INVALID_OPCODE", "close 1006"}},
			{closeOf(1000, ""), "close 1000", []string{"close 1000"}},
		} {
			j := newJournal()
			h := j.echo()
			h.Drain = nil
			s := serve(t, ServerOptions{Config: cfg, Handler: h, MaxOutbox: 128 << 10, SlowPolicy: SlowDrop})
			p, _ := j.opened(t, s)
			message := strings.Repeat("m", 16<<10)
			wrote := make(chan error, 1)
			const many = 500 // 8 MB: more than the kernel holds
			go func() {
				for range many {
					if _, err := p.conn.Write(frameOf(Text, message)); err != nil {
						wrote <- err
						return
					}
				}
				_, err := p.conn.Write(tc.last)
				wrote <- err
			}()
			for range many {
				p.want("text " + message)
			}
			p.want(tc.frame)
			p.end()
			p.fin()
			for range many {
				j.want(t, "text "+message)
			}
			j.want(t, tc.calls...)
			if err := receive(t, wrote, "the writer"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Scenario 101, but for what the tests of R6 have.
func TestPauseFlag(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler()})
	p, c := j.opened(t, s)
	if c.IsPaused() {
		t.Fatal("paused from the start")
	}
	c.Pause()
	if !c.IsPaused() {
		t.Fatal("not paused")
	}
	c.Terminate()
	j.want(t, "close 1006")
	if !c.IsPaused() {
		t.Error("the flag is not as it was")
	}
	p.gone()
	p, c = j.opened(t, s)
	p.conn.Close()
	j.want(t, "close 1006")
	c.Pause()
	if c.IsPaused() {
		t.Error("Pause did something to a connection that is closed")
	}
}

// Scenario 92 with the constants and names of the states.
func TestStatesHaveTheNamesOfTheWebSocketAPI(t *testing.T) {
	t.Parallel()
	for i, want := range []string{"CONNECTING", "OPEN", "CLOSING", "CLOSED"} {
		if got := State(i).String(); got != want || []State{Connecting, Open, Closing, Closed}[i] != State(i) {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
}
