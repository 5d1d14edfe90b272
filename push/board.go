package push

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/roost-ws/roost/engine"
)

// board makes the figures that the dashboard shows: once a second, however many
// look at it. The last minutes are kept, so that whoever opens it because
// something went wrong sees how it began.
type board struct {
	s    *Server
	quit chan struct{} // closed by stop
	done chan struct{}

	mu      sync.Mutex
	ended   bool
	past    []point
	last    []byte               // the latest sample, as JSON
	asked   time.Time            // when somebody last asked for one sample
	viewers map[chan []byte]bool // each gets the latest sample

	// Owned by the goroutine.
	before  totals
	process process
}

const (
	boardPast    = 300 // seconds that are kept
	boardViewers = 64
	boardNodes   = 100
	boardAsked   = 10 * time.Second // that a single question counts as watching
)

// point is the part of a sample that is drawn over time. What is not known is
// left out.
type point struct {
	At        int64    `json:"at"` // ms since 1970
	Conns     int      `json:"conns"`
	In        float64  `json:"in"`            // messages a second, control frames included
	Out       float64  `json:"out"`           //
	Published float64  `json:"published"`     // events a second
	Memory    uint64   `json:"memory"`        // bytes that the process has from the system, for Go
	P99       *float64 `json:"p99,omitempty"` // s from publication until written, of this second; none when nothing was
	CPU       *float64 `json:"cpu,omitempty"` // cores
}

// sample is the state of one second.
type sample struct {
	point
	Uptime     int64       `json:"uptime"` // s
	Draining   bool        `json:"draining"`
	Bus        string      `json:"bus"` // what keeps events from being published; "": nothing
	Channels   int64       `json:"channels"`
	Subs       int64       `json:"subscriptions"`
	Goroutines uint64      `json:"goroutines"`
	GCPause    float64     `json:"gc_pause"` // s, the longest of this second
	Dropped    uint64      `json:"dropped"`  // messages not sent to slow consumers, since the start
	Slow       []slowCount `json:"slow"`     // clients disconnected and events dropped, by policy, since the start
	Nodes      []Node      `json:"nodes"`    // this one first, and 99 others at most
	Apps       []appSample `json:"apps"`
}

type appSample struct {
	ID        string       `json:"id"`
	Conns     int64        `json:"conns"`
	Channels  int64        `json:"channels"`
	Subs      int64        `json:"subscriptions"`
	Published int64        `json:"published"` // events since the start
	Largest   []ranked     `json:"largest,omitempty"`
	Busiest   []ranked     `json:"busiest,omitempty"`
	Webhooks  []hookSample `json:"webhooks,omitempty"`
}

type hookSample struct {
	Host    string `json:"host"` // the rest of an address may be a secret
	Waiting int    `json:"waiting"`
	Most    int    `json:"most"`
}

// totals are what rates are made of.
type totals struct {
	at        time.Time
	engine    engine.Stats
	published int64
	cpu       time.Duration
}

func newBoard(s *Server) *board {
	return &board{s: s, quit: make(chan struct{}), done: make(chan struct{}), viewers: make(map[chan []byte]bool)}
}

func (b *board) run() {
	defer close(b.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	b.before = b.totals(time.Now())
	for {
		select {
		case <-b.quit:
			return
		case now := <-tick.C:
			b.step(now)
		}
	}
}

// step makes one sample and hands it out. A viewer who has not taken the last one
// misses it.
func (b *board) step(now time.Time) {
	b.mu.Lock()
	watched := len(b.viewers) > 0 || now.Sub(b.asked) < boardAsked
	b.mu.Unlock()
	v := b.sample(now, watched)
	text, err := json.Marshal(v)
	if err != nil {
		b.s.opts.Logger.Error("dashboard", "err", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = text
	if len(b.past) == boardPast {
		b.past = b.past[:copy(b.past, b.past[1:])]
	}
	b.past = append(b.past, v.point)
	for viewer := range b.viewers {
		select {
		case <-viewer:
		default: // it has taken it
		}
		viewer <- text
	}
}

func (b *board) totals(now time.Time) totals {
	t := totals{at: now, published: b.s.counts.published.Load(), cpu: cpuTime()}
	if e := b.s.engine.Load(); e != nil {
		t.engine = e.Stats()
	}
	return t
}

func (b *board) sample(now time.Time, watched bool) *sample {
	s, t := b.s, b.totals(now)
	span := t.at.Sub(b.before.at).Seconds()
	rate := func(now, before uint64) float64 { return float64(now-before) / span }
	b.process.read()
	v := &sample{
		point: point{
			At: now.UnixMilli(), Conns: s.conns.size(), Memory: b.process.memory,
			In: rate(t.engine.MessagesIn, b.before.engine.MessagesIn), Out: rate(t.engine.MessagesOut, b.before.engine.MessagesOut),
			Published: rate(uint64(t.published), uint64(b.before.published)),
		},
		Uptime: int64(now.Sub(s.start).Seconds()), Draining: s.draining.Load(), Channels: s.channels(), Subs: s.subscriptions(),
		Goroutines: b.process.goroutines, GCPause: b.process.pause, Dropped: t.engine.Dropped,
	}
	v.Slow = append([]slowCount{{"disconnect", uint64(s.slow.count.Load())}}, s.droppedBySlow()...)
	v.Nodes = s.Nodes()
	v.Nodes = v.Nodes[:min(len(v.Nodes), boardNodes)]
	v.P99 = delivered(t.engine.Delivery, b.before.engine.Delivery)
	if t.cpu > 0 {
		cores := (t.cpu - b.before.cpu).Seconds() / span
		v.CPU = &cores
	}
	if err := s.opts.Bus.Ready(); err != nil {
		v.Bus = err.Error()
	}
	for _, a := range s.tenants().list {
		v.Apps = append(v.Apps, a.sample(watched))
	}
	b.before = t
	return v
}

// delivered returns the 99th percentile of what was counted since before.
func delivered(now, before engine.Histogram) *float64 {
	for i := range now {
		now[i] -= before[i]
	}
	if now.Count() == 0 {
		return nil
	}
	p99 := now.Below(0.99).Seconds()
	return &p99
}

func (a *app) sample(watched bool) appSample {
	v := appSample{
		ID: a.ID, Conns: a.conns.Load(), Channels: a.hub.channels.Load(), Subs: a.hub.subscriptions.Load(),
		Published: a.published.Load(), Busiest: a.traffic.turn(watched),
	}
	if watched {
		v.Largest = a.traffic.look(a.hub)
	}
	for _, p := range a.hooks.list() {
		v.Webhooks = append(v.Webhooks, hookSample{Host: p.host(), Waiting: p.waiting(), Most: hookQueue})
	}
	return v
}

// latest returns the last sample, nil before the first.
func (b *board) latest() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = time.Now()
	return b.last
}

// watch returns what has been, and where each further sample comes from until
// leave. It reports false when there are too many viewers or the board has ended.
func (b *board) watch() (past []point, viewer chan []byte, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || len(b.viewers) >= boardViewers {
		return nil, nil, false
	}
	viewer = make(chan []byte, 1)
	if b.last != nil {
		viewer <- b.last
	}
	b.viewers[viewer] = true
	past = b.past[:max(0, len(b.past)-1)] // the last one comes by itself
	return append([]point{}, past...), viewer, true
}

func (b *board) leave(viewer chan []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.viewers, viewer)
}

// stop ends the board and its streams. It may be called again.
func (b *board) stop() {
	b.mu.Lock()
	if !b.ended {
		b.ended = true
		close(b.quit)
	}
	b.mu.Unlock()
	<-b.done
}
