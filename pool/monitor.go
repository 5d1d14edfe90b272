package pool

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// lagTicks in a row with an idle core, and a task that waited through all of
// them although its queue moves, bring the queue one more worker.
const lagTicks = 4

// sight is what the monitor remembers of a crew from tick to tick.
type sight struct {
	backlog  bool   // tasks were queued at the last tick
	head     uint64 // then
	started  int    // workers added then
	standing bool   // no progress was seen then
	mark     uint64 // a tail seen earlier: the tasks below it wait since
	idle     int    // ticks with an idle core since, in a row
}

// load is what one tick knows of the process.
type load struct {
	gap       time.Duration // since the last tick
	idle      bool          // a core has nothing to run
	computing bool          // the workers hold the cores: more would only queue behind them
	room      int           // workers that may be added to the queues' first ones
}

// monitor ticks once per Stall while a queue has tasks and sleeps otherwise.
// It alone gives a queue more than one worker.
func (w *Workers) monitor() {
	defer close(w.gone)
	sched := schedSamples()
	timer := time.NewTimer(w.opts.Stall)
	defer timer.Stop()
	last := time.Now()
	for {
		w.ticking.Store(false)
		s, closing := w.remains()
		if closing && s.Queued == 0 && s.Running == 0 {
			break
		}
		// Only who swaps ticking from false sends a token, so one comes if this
		// swap is not tried, or lost.
		if s.Queued == 0 && !closing || !w.ticking.CompareAndSwap(false, true) {
			w.forget()
			<-w.wake
			last = time.Now()
		}
		now := time.Now()
		w.tick(now.Sub(last), sched)
		last = now
		timer.Reset(w.opts.Stall)
		<-timer.C
	}
	// No worker is left: ants has only idle goroutines to end. ReleaseContext would wait
	// for them in a loop that never blocks: on one core, under a real-time scheduler
	// (sched(7)), for ever.
	w.ants.Release()
}

func schedSamples() []metrics.Sample {
	return []metrics.Sample{
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/runnable:goroutines"},
	}
}

func (w *Workers) tick(gap time.Duration, sched []metrics.Sample) {
	crews := w.list()
	busy, extra := 0, 0
	for _, c := range crews {
		c.mu.Lock()
		busy += c.busy()
		extra += max(0, c.workers-1)
		c.mu.Unlock()
	}
	metrics.Read(sched)
	active := int(sched[0].Value.Uint64()+sched[1].Value.Uint64()) - 1 // but for this goroutine
	cores := runtime.GOMAXPROCS(0)
	l := load{
		gap:  gap,
		idle: active < cores,
		// A stall of handlers that compute is not mended by more of them. It is
		// told from blocked ones when everything says so: this tick came late,
		// so nobody yields; there are as many goroutines to run as busy
		// workers; and there are enough workers to fill the cores if a few block.
		computing: gap > 2*w.opts.Stall && active >= busy && busy >= 2*cores,
		room:      w.opts.Max - len(crews) - extra,
	}
	for _, c := range crews {
		l.room -= w.relieve(c, l)
	}
}

// relieve starts the workers that c needs and returns how many of them are not
// its first.
func (w *Workers) relieve(c *crew, l load) int {
	c.mu.Lock()
	more := c.need(l)
	extra := more
	if c.workers == 0 && more > 0 {
		extra--
	}
	c.workers += more
	c.mu.Unlock()
	for range more {
		w.start(c)
	}
	return extra
}

// need says, under the lock, how many workers to add.
//
// A queue that stands still has its workers blocked: it gets as many again, so
// that n blocked handlers are overcome in log2(n) ticks. Tasks taken by the
// workers just added are no progress: those may have blocked as well.
//
// A queue that moves, but slower than it fills, gets one more worker if a core
// was idle all the while, whether its handlers compute or block briefly. At
// GOMAXPROCS=1 that is never so while they compute.
func (c *crew) need(l load) (more int) {
	queued, s := c.queued(), c.seen
	if queued == 0 {
		c.seen = sight{}
		c.trim()
		return 0
	}
	c.seen = sight{backlog: true, head: c.head, mark: s.mark}
	if c.workers == 0 { // ants had none when it was asked
		c.seen.started = 1
		return 1
	}
	if s.backlog && c.head-s.head <= uint64(s.started) {
		c.seen.standing = true
		if !s.standing {
			c.w.waited.Add(1)
		}
		c.w.waitTime.Add(int64(l.gap))
		if !l.computing {
			more = c.w.grant(min(c.workers, queued), l.room)
		}
	} else if l.idle && s.backlog && c.head < s.mark {
		if c.seen.idle = s.idle + 1; c.seen.idle >= lagTicks {
			c.seen.idle = 0
			more = c.w.grant(1, l.room)
		}
	}
	if !s.backlog || c.head >= s.mark {
		c.seen.mark = c.tail
	}
	c.seen.started = more
	return more
}

// grant cuts a wish for more workers down to the room there is.
func (w *Workers) grant(wish, room int) int {
	if room < wish {
		w.overloads.Add(1)
	}
	return max(0, min(wish, room))
}

// alert wakes the monitor if it sleeps.
func (w *Workers) alert() {
	if w.ticking.CompareAndSwap(false, true) {
		w.wake <- struct{}{}
	}
}

// forget ends the watch on queues that ran empty.
func (w *Workers) forget() {
	for _, c := range w.list() {
		c.mu.Lock()
		c.seen = sight{}
		if c.queued() == 0 {
			c.trim()
		}
		c.mu.Unlock()
	}
}

func (w *Workers) remains() (s Stats, closing bool) {
	w.mu.Lock()
	closing = w.closing
	w.mu.Unlock()
	return w.Stats(), closing
}
