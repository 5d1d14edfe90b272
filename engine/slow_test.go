//go:build unix

package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// A peer that asks for echoes and does not read them stops being read: what is
// queued for it stays bounded, and all of it arrives when it reads at last.
func TestR9HighWaterPausesReading(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.echo()
		h.Message = func(c *Conn, m Message) {
			if err := c.Send(m.Opcode(), m.Data); err != nil {
				j.note("send failed: %v", err)
			}
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h, SendBuffer: 64 << 10, RecvBuffer: 64 << 10})
		p, c := j.opened(t, s)
		const n, size = 400, 64 << 10 // 25 MiB, well above MaxOutbox
		msg := strings.Repeat("m", size)
		sent := make(chan error, 1)
		go func() {
			f := frameOf(Text, msg)
			for range n {
				if _, err := p.conn.Write(f); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		eventually(t, "the outbox to fill", func() bool { return c.BufferedAmount() > defaultHighWater })
		for range 50 {
			if b := c.BufferedAmount(); b > defaultHighWater+size+corkMax {
				t.Fatalf("%d bytes are queued", b)
			}
			time.Sleep(time.Millisecond)
		}
		select {
		case err := <-sent:
			t.Fatalf("the peer was not stopped: %v", err)
		default:
		}
		for range n {
			p.want("text " + msg)
		}
		if err := receive(t, sent, "the peer"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "an empty outbox", func() bool { return c.BufferedAmount() == 0 })
		j.want(t, "drain")
		if c.IsPaused() {
			t.Error("IsPaused though nobody called Pause")
		}
	})
}

// Drain is called once for each time that the mark was passed.
func TestDrainOnce(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), SendBuffer: 64 << 10})
		p, c := j.opened(t, s)
		// A receive buffer that grew could take all of it between two sends, which would be a drain too.
		p.takesAtOnce(64 << 10)
		if err := c.SendText("little"); err != nil {
			t.Fatal(err)
		}
		p.want("text little")
		for range 3 {
			fill(t, c)
			p.write(frameOf(codec.Ping, "p")) // not read until the outbox is empty
			for {
				op, payload, err := p.next()
				if err != nil {
					t.Fatal(err)
				}
				if op == codec.Pong {
					break
				} else if op != Binary {
					t.Fatal(describe(op, payload))
				}
			}
			j.want(t, "drain", "ping p")
		}
	})
}

func TestR9SlowClose(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), MaxOutbox: 4 << 20})
		_, c := j.opened(t, s)
		var err error
		for err == nil {
			if err = c.Send(Binary, make([]byte, 1<<20)); c.BufferedAmount() > 4<<20 {
				t.Fatalf("%d bytes are queued, MaxOutbox is 4 MiB", c.BufferedAmount())
			}
		}
		var oe *OutboxError
		if !errors.Is(err, ErrOutboxFull) || !errors.As(err, &oe) || oe.Limit != 4<<20 || oe.Size != 1<<20 || oe.Queued == 0 {
			t.Fatal(err)
		}
		if err := c.SendText("x"); !errors.Is(err, ErrNotOpen) {
			t.Fatalf("a send after the limit: %v", err)
		}
		j.want(t, "error "+err.Error(), "close 1006")
	})
}

func TestR9SlowDrop(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), MaxOutbox: 4 << 20, SlowPolicy: SlowDrop})
		p, c := j.opened(t, s)
		big := strings.Repeat("b", 1<<20)
		taken, dropped := 0, 0
		for dropped < 10 {
			switch err := c.SendText(big); {
			case err == nil:
				taken++
			case errors.Is(err, ErrOutboxFull):
				dropped++
			default:
				t.Fatal(err)
			}
		}
		for range taken {
			p.want("text " + big)
		}
		j.want(t, "drain")
		if err := c.SendText("fits again"); err != nil {
			t.Fatal(err)
		}
		p.want("text fits again")
		if n := s.e.Stats().Dropped; n != 10 {
			t.Errorf("Stats.Dropped %d, want 10", n)
		}
	})
}

// One message larger than the whole outbox may be is refused as such.
func TestR9MessageLargerThanTheOutbox(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), MaxOutbox: 1 << 20, SlowPolicy: SlowDrop})
	p, c := j.opened(t, s)
	if err := c.Send(Binary, make([]byte, 1<<20+1)); !errors.Is(err, ErrOutboxFull) {
		t.Fatal(err)
	}
	if err := c.SendText(strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	p.want("text " + strings.Repeat("x", 1<<20))
}

// Pings from a peer that reads nothing are not answered without limit.
func TestR9PingFlood(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Ping = nil
		s := serve(t, ServerOptions{Config: cfg, Handler: h, SendBuffer: 16 << 10, RecvBuffer: 16 << 10})
		p, c := j.opened(t, s)
		p.takesAtOnce(4 << 10)
		flood := []byte(strings.Repeat(string(frameOf(codec.Ping, strings.Repeat("p", 125))), 500))
		if err := p.conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		for range 1000 { // up to 65 MB
			if _, err := p.conn.Write(flood); err != nil {
				break
			}
		}
		if b := c.BufferedAmount(); b > defaultHighWater+2*corkMax {
			t.Fatalf("%d bytes of pongs are queued", b)
		}
	})
}

// Both ends may have more to send than the kernel takes: they must not both wait
// until the other reads.
func TestBothEndsFullDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		h.Drain = nil
		h.Message = func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }
		s := serve(t, ServerOptions{Config: cfg, Handler: h, SendBuffer: 64 << 10, RecvBuffer: 64 << 10})
		_, client, calls := j.dialled(t, s, Dialer{})
		calls.want(t, "open")
		msg := strings.Repeat("m", 64<<10)
		const n = 12 << 20 / (64 << 10)
		for range n {
			if err := client.SendText(msg); err != nil {
				t.Fatal(err)
			}
		}
		for got := 0; got < n; {
			if call := receive(t, calls.calls, "the echo"); call == "text "+msg {
				got++
			} else if call != "drain" {
				t.Fatalf("call %.100q", call)
			}
		}
	})
}
