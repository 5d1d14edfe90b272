//go:build unix

package engine

import (
	"errors"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// rss is the memory of this process that is in use, in bytes; 0 where it is not told.
func rss(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// Clients that do not read what they are sent, by the hundred, cost no more than the
// budget: the heaviest are closed with 1013. Who reads is echoed all the while, and all
// memory is back at the end. ROOST_SLOW_CONNS sets their number: both ends are in this
// process, so 9000 is the most with 20,000 descriptors.
func TestR9MemoryBudgetHolds(t *testing.T) {
	conns := 1000
	if raceEnabled {
		conns = 200
	}
	if text := os.Getenv("ROOST_SLOW_CONNS"); text != "" {
		var err error
		if conns, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	const budget, size = 16 << 20, 32 << 10
	j := newJournal()
	h := j.handler()
	h.Message = func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }
	h.Error, h.Close = nil, nil
	s := serve(t, ServerOptions{Handler: h, SendBuffer: 8 << 10, RecvBuffer: 8 << 10, Config: Config{MemoryBudget: budget}})
	good, _ := j.opened(t, s)
	var members []*Conn
	for range conns {
		_, c := j.opened(t, s)
		members = append(members, c)
	}
	before, most, held := rss(t), int64(0), int64(0)
	refused := 0
	message := make([]byte, size)
	for round := range 32 { // 1 MiB each: a gigabyte, if it were kept
		for _, c := range members {
			if err := c.Send(Binary, message); errors.Is(err, ErrMemory) {
				refused++
			}
			held = max(held, s.e.Stats().Memory.Used)
		}
		text := "round " + strconv.Itoa(round)
		good.text(text)
		good.want("text " + text)
		most = max(most, rss(t))
	}
	st := s.e.Stats().Memory
	t.Logf("%d clients: %d KiB held at most, RSS from %d to %d KiB, %+v, %d sends refused", conns, held>>10, before>>10, most>>10, st, refused)
	if held > budget+budget/8 { // over 17/16 of it a sender closes its connection, with what it just added
		t.Errorf("%d bytes were held, the budget is %d", held, budget)
	}
	if most-before > 4*budget && !raceEnabled {
		t.Errorf("RSS grew by %d KiB", (most-before)>>10)
	}
	if st.Refused == 0 || refused == 0 { // who is closed: TestR9MemoryBudgetShedsTheHeaviest
		t.Error("nothing was refused")
	}
	for _, c := range members {
		c.Terminate()
	}
	eventually(t, "an idle engine", func() bool { return s.e.Stats().Conns == 1 && s.e.Stats().Memory.Used <= 70*corkSize })
	good.text("all is well")
	good.want("text all is well")
}

// What is published to those who do not read is charged too: their lists of what waits
// are, for small messages, more than the messages. The heaviest are told to come back.
func TestR9MemoryBudgetShedsTheHeaviest(t *testing.T) {
	t.Parallel()
	const budget = 4 << 20
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), SendBuffer: 8 << 10, MaxOutbox: 64 << 20, Config: Config{MemoryBudget: budget, Loops: 2}})
	topic := NewTopic(s.e)
	type sleeper struct {
		p *peer
		c *Conn
	}
	var sleepers []sleeper
	for range 20 {
		p, c := j.opened(t, s)
		topic.Subscribe(c)
		sleepers = append(sleepers, sleeper{p, c})
	}
	text := []byte(strings.Repeat("x", 50))
	n := 0
	for ; s.e.Stats().Memory.Shed < 5 && n < 1_000_000; n++ {
		topic.Publish(Text, text)
		if n%1000 == 0 {
			eventually(t, "the pass", func() bool { return idleTopic(topic) })
		}
	}
	t.Logf("%d published, %+v", n, s.e.Stats().Memory)
	if st := s.e.Stats().Memory; st.Shed == 0 {
		t.Fatalf("%+v", st)
	}
	told := 0
	for _, l := range sleepers {
		if l.c.ReadyState() == Open {
			continue
		}
		for {
			op, payload, err := l.p.next()
			if err == nil && op == codec.Close && describe(op, payload) == "close 1013 out of memory" {
				told++
			}
			if err != nil || op == codec.Close {
				break
			}
		}
	}
	if told == 0 {
		t.Error("nobody was told by 1013")
	}
}

func idleTopic(t *Topic) bool {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		casting := p.casting
		p.mu.Unlock()
		if casting {
			return false
		}
	}
	return true
}

// Nobody is let in while the budget is used up, and everybody after.
func TestR9MemoryBudgetRefusesUpgrades(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), Config: Config{MemoryBudget: minBudget, Loops: 1}})
	s.e.loops[0].bytes.Hold(minBudget / 16 * 15)
	p := connect(t, s)
	eventually(t, "the loop to look", func() bool { return s.e.budget.level.Load() >= refusing })
	p.write([]byte(upgradeHead))
	if res := p.response(); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Fatal(res.Status, res.Header)
	}
	s.e.loops[0].bytes.Hold(-minBudget / 16 * 15)
	eventually(t, "the loop to look", func() bool { return s.e.budget.level.Load() == calm })
	j.opened(t, s)
}

// Who does not read is not replied to while memory is short: a small reply that would
// have to wait is refused, also where there is room for it in what waits already.
func TestR9MemoryBudgetRefusesReplies(t *testing.T) {
	var last error
	w := newBench(t, Handler{Message: func(c *Conn, m Message) { last = c.Send(m.Opcode(), m.Data) }})
	w.l.e.budget = newBudget(minBudget, 1)
	c := w.upgraded(5)
	w.k.input, w.k.limit = frames(1, 100, Binary), 10
	for range 2 { // the second waits behind the first, as it may
		if w.turn(c); last != nil || !c.is(flagBlocked) {
			t.Fatal(last)
		}
	}
	w.l.bytes.Hold(minBudget / 16 * 15)
	before := c.BufferedAmount()
	w.turn(c)
	var refused *BudgetError
	if !errors.As(last, &refused) || !errors.Is(last, ErrMemory) || refused.Limit != minBudget {
		t.Error(last)
	}
	if c.ReadyState() != Open || c.BufferedAmount() != before {
		t.Error(c.ReadyState(), c.BufferedAmount(), before)
	}
}

// What would have to wait is not sent while the budget is used up, and the connection
// stays; what the kernel takes at once is sent.
func TestR9MemoryBudgetRefusesSends(t *testing.T) {
	t.Parallel()
	const budget = 64 << 20
	j := newJournal()
	h := j.handler()
	h.Drain = nil
	s := serve(t, ServerOptions{Handler: h, SendBuffer: 8 << 10, Config: Config{MemoryBudget: budget, Loops: 1}})
	p, blocked := j.opened(t, s)
	reads, free := j.opened(t, s)
	n, message := 0, make([]byte, 16<<10)
	for ; !blocked.is(flagBlocked); n++ {
		if err := blocked.Send(Binary, message); err != nil {
			t.Fatal(err)
		}
	}
	s.e.loops[0].bytes.Hold(budget / 16 * 15)
	var full *BudgetError
	if err := blocked.Send(Binary, message); !errors.As(err, &full) || !errors.Is(err, ErrMemory) || full.Limit != budget || full.Used < budget/16*15 {
		t.Errorf("Send to who doesn't read: %v", err)
	}
	if st := s.e.Stats().Memory; st.Refused != 1 || !st.Full {
		t.Errorf("%+v", st)
	}
	if err := free.SendText("taken at once"); err != nil {
		t.Errorf("Send to who reads: %v", err)
	}
	reads.want("text taken at once")
	s.e.loops[0].bytes.Hold(-budget / 16 * 15)
	if err := blocked.SendText("room again"); err != nil {
		t.Error(err)
	}
	for range n {
		if op, got, err := p.next(); err != nil || op != Binary || len(got) != len(message) {
			t.Fatal(op, len(got), err)
		}
	}
	p.want("text room again")
}

// Two loops that get memory back at the same moment leave the level where the sum is: each
// of them wants another one, and the first to say so must not have the last word.
func TestR9MemoryBudgetEndsCalm(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{Config: Config{MemoryBudget: minBudget, Loops: 2}})
	held := []int{minBudget / 16 * 13, minBudget / 16 * 3}
	for range 20_000 {
		var wg sync.WaitGroup
		var ready atomic.Int32
		for i, l := range s.e.loops {
			l.bytes.Hold(held[i])
			l.weigh()
		}
		for i, l := range s.e.loops {
			wg.Go(func() {
				l.bytes.Hold(-held[i])
				for ready.Add(1); ready.Load() < 2; {
					runtime.Gosched()
				}
				l.weigh()
			})
		}
		wg.Wait()
		if s.e.budget.level.Load() != calm { // a loop may be about to judge
			eventually(t, "calm", func() bool { return s.e.budget.level.Load() == calm })
		}
	}
}

// Workers by the dozen have handlers that block; most of them leave when those return.
func TestR9MemoryBudgetGetsBackWhatWorkersHeld(t *testing.T) {
	t.Parallel()
	const blocked = 4 * keptScratches
	var inside atomic.Int32
	wake := make(chan bool)
	s := serve(t, ServerOptions{
		Handler: Handler{Message: func(*Conn, Message) { inside.Add(1); <-wake }},
		Config:  Config{MemoryBudget: minBudget, Loops: 1},
	})
	for range blocked {
		join(t, s).text("")
	}
	eventually(t, "all handlers to block", func() bool { return inside.Load() == blocked })
	if used := s.e.Stats().Memory.Used; used < blocked*corkSize {
		t.Errorf("%d bytes in use by %d workers", used, blocked)
	}
	close(wake)
	eventually(t, "workers to leave", func() bool { return s.e.Stats().Memory.Used <= (keptScratches+1)*corkSize })
}

// A message that comes in part is held up while memory is short, and goes on after.
func TestR9MemoryBudgetPausesWhoHoldsSome(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		cfg.MemoryBudget = minBudget
		j := newJournal()
		s := serve(t, ServerOptions{Handler: j.handler(), Config: cfg})
		p, _ := j.opened(t, s)
		other, _ := j.opened(t, s)
		s.e.loops[0].bytes.Hold(minBudget / 16 * 14)
		for _, q := range []*peer{p, other} { // an event for each loop to see it by
			q.write(frameOf(codec.Ping, "a"))
			j.want(t, "ping a")
		}
		eventually(t, "the loop to look", func() bool { return s.e.budget.level.Load() == pausing })
		// What is behind the beginning must fit the kernel's buffers: the pause may come before it.
		text := strings.Repeat("x", 90_000)
		f := frameOf(Text, text)
		p.write(f[:70_000])
		eventually(t, "some of the beginning", func() bool { return s.e.Stats().BytesIn >= 10_000 })
		p.write(f[70_000:])
		eventually(t, "a pause", func() bool { return s.e.Stats().Memory.Paused == 1 })
		other.text("not held up")
		j.want(t, "text not held up")
		s.e.loops[0].bytes.Hold(-minBudget / 16 * 14)
		j.want(t, "text "+text)
		if n := s.e.Stats().Memory.Paused; n != 0 {
			t.Error(n)
		}
	})
}
