//go:build unix

package engine

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Whoever fills the outbox and waits for Drain is always woken, whatever others do to the
// connection meanwhile, and nothing of what was sent is lost or overtaken.
func TestR9EveryDrainComes(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		drained := make(chan bool, 1)
		h.Drain = func(*Conn) {
			select {
			case drained <- true:
			default:
			}
		}
		const most, size, fills = 256 << 10, 16 << 10, 8
		s := serve(t, ServerOptions{Config: cfg, Handler: h, SendBuffer: 32 << 10, MaxOutbox: 2 * most})
		p, c := j.opened(t, s)
		quit := make(chan bool)
		var all sync.WaitGroup
		for _, disturb := range []func(){
			func() { c.Pause(); c.Resume() },
			func() { c.Flush(); c.BufferedAmount() },
			func() { c.kick(markTimer | markRead) },
		} {
			all.Go(func() {
				for {
					select {
					case <-quit:
						return
					default:
						disturb()
						runtime.Gosched()
					}
				}
			})
		}
		defer all.Wait()
		defer close(quit)
		pad := strings.Repeat("x", size)
		read := make(chan error, 1)
		go func() { read <- p.numbered(pad) }()
		n := 0
		for range fills {
			for c.BufferedAmount() <= most {
				if err := c.SendText(fmt.Sprintf("%d %s", n, pad)); err != nil {
					t.Fatal(err)
				}
				n++
			}
			receive(t, drained, "Drain")
		}
		if err := c.SendText("end"); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, read, "the end"); err != nil {
			t.Error(err)
		}
	})
}

// numbered reads messages of a number and pad, from 0 on, until one says end.
func (p *peer) numbered(pad string) error {
	for n := 0; ; n++ {
		_, payload, err := p.next()
		if err != nil || string(payload) == "end" {
			return err
		}
		if want := fmt.Sprintf("%d %s", n, pad); string(payload) != want {
			return fmt.Errorf("message %d is %.20q, %d bytes", n, payload, len(payload))
		}
	}
}

// deaf is a kernel that has room for nothing.
type deaf struct{ *still }

func (deaf) Write(int, []byte) (int, error) { return 0, syscall.EAGAIN }

// A member of which all that waited was dropped waits for nothing: no WriteTimeout runs,
// and what was told to wait for Drain gets it.
func TestNobodyIsBlockedByWhatWasDropped(t *testing.T) {
	drained := 0
	w := newBench(t, Handler{Drain: func(*Conn) { drained++ }})
	w.s.policy.maxOutbox, w.s.policy.highWater, w.s.policy.slow = 2000, 500, SlowDrop
	c := w.upgraded(5)
	topic, err := NewTopicWith(w.l.e, TopicOptions{Slow: Conflate})
	if err != nil {
		t.Fatal(err)
	}
	topic.Subscribe(c)
	w.l.sys = deaf{w.k}
	for _, size := range []int{1000, 3000} { // the second drops the first, and has no room itself
		topic.Publish(Binary, make([]byte, size))
		w.l.deliver()
		for w.l.busy() {
			w.l.cast()
			w.l.dispatch()
		}
		if blocked := size == 1000; c.is(flagBlocked) != blocked || (c.BufferedAmount() > 0) != blocked {
			t.Fatalf("after %d bytes: blocked %v, %d bytes wait", size, c.is(flagBlocked), c.BufferedAmount())
		}
	}
	w.l.deliver()
	w.l.dispatch()
	if drained != 1 || c.is(flagFull|flagHeld) {
		t.Error(drained, c.is(flagFull), c.is(flagHeld))
	}
}
