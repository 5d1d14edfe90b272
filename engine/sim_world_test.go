//go:build unix

package engine

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
)

// world is one run of the engine under the simulated kernel. All that happens, and in
// which order, comes from its seed. It has one goroutine: loops, workers, peers and
// callers are stepped, at times one within another's callback or system call, as if
// they ran side by side.
type world struct {
	seed uint64
	rng  *rand.Rand
	k    *simKernel
	e    *Engine
	s    *Server

	listener *endpoint
	peers    []*simPeer
	topics   [2]*Topic
	counts   [2]int // published
	got      [2]int // of those, by peers
	verdicts []func()

	flate  *codec.Flate
	clock  time.Duration
	faults bool // the kernel and peers misbehave
	kqueue bool
	pool   bool // handlers run on workers
	loud   bool // much is published

	sleep   []time.Duration // by loop: until when, 0 is for ever
	asleep  []bool
	active  []bool // loops that are stepped now
	queues  []*simQueue
	runner  *loop // whose turn it is
	depth   int   // of things that go on within others
	panics  uint64
	failure string
	trace   func(format string, args ...any)
}

// simQueue is the run queue of a loop with DispatchPool.
type simQueue struct {
	waiting []*Conn
	idle    []*scratch
}

func (q *simQueue) Submit(batch []*Conn) { q.waiting = append(q.waiting, batch...) }
func (q *simQueue) Push(c *Conn)         { q.waiting = append(q.waiting, c) }
func (q *simQueue) Len() int             { return len(q.waiting) }

const simWorkers = 2 // of a loop

func newWorld(seed uint64) *world {
	w := &world{seed: seed, rng: rand.New(rand.NewPCG(seed, 0x726f6f7374)), faults: true, flate: codec.NewFlate(1, 1)}
	w.k = &simKernel{w: w}
	w.kqueue, w.pool, w.loud = w.chance(3), w.chance(2), w.chance(4)
	cfg := Config{Loops: 1 + w.rng.IntN(2), Dispatch: DispatchLoop, Batch: 1 + w.rng.IntN(8), ReadBuffer: minReadBuffer}
	cfg.MaxConns = pick(w, []int{0, 0, 0, 3})
	cfg.MemoryBudget = pick(w, []int64{0, 0, 100 << 10, 160 << 10, 400 << 10})
	cfg.Logger = slog.New(simLog{w})
	e, err := newEngine(cfg, w.k)
	if err != nil {
		panic(err)
	}
	w.e = e
	e.turn = pick(w, []int{1, 3, turnMessages})
	for _, l := range e.loops {
		q := &simQueue{}
		if w.pool {
			l.queue = q
			for range simWorkers {
				q.idle = append(q.idle, l.newScratch())
			}
		}
		w.queues = append(w.queues, q)
	}
	n := len(e.loops)
	w.sleep, w.asleep, w.active = make([]time.Duration, n), make([]bool, n), make([]bool, n)
	w.serve()
	return w
}

// serve makes the Server, as NewServer would with an Addr.
func (w *world) serve() {
	o := ServerOptions{
		Engine: w.e, NoServer: true, Handler: w.handler(),
		HandshakeTimeout: 2 * time.Second, CloseTimeout: 3 * time.Second,
		IdleTimeout:        pick(w, []time.Duration{0, 0, 7 * time.Second, 20 * time.Second}),
		PingInterval:       pick(w, []time.Duration{0, 0, 5 * time.Second}),
		WriteTimeout:       pick(w, []time.Duration{0, 0, 4 * time.Second}),
		MaxOutbox:          pick(w, []int{2 << 10, 16 << 10, 64 << 10, 512 << 10}),
		SlowPolicy:         pick(w, []SlowPolicy{SlowClose, SlowDrop}),
		SlowCode:           pick(w, []CloseCode{0, simSlowCode}),
		MaxConnsPerIP:      pick(w, []int{0, 0, 0, 5}),
		MaxPayload:         100 << 10,
		DeflateConcurrency: 1,
	}
	if w.chance(2) {
		o.PerMessageDeflate = w.offers()
	}
	if w.chance(3) {
		o.VerifyClientAsync = w.verify
	}
	s, err := NewServer(o)
	if err != nil {
		panic(err)
	}
	w.s = s
	fd, _ := w.k.Listen(zeroAddr, sock.Options{})
	in := &listener{srv: s, loop: w.e.loops[0], fd: fd, spread: true, gate: newGate(pick(w, []int{0, 0, 0, 0, 2, 40}), 1)}
	s.listeners = append(s.listeners, in)
	in.loop.post(order{kind: orderListen, in: in})
	for i := range w.topics {
		w.topics[i] = w.newTopic()
	}
}

// chance is true once in n.
func (w *world) chance(n int) bool { return w.rng.IntN(n) == 0 }

func pick[T any](w *world, list []T) T { return list[w.rng.IntN(len(list))] }

func (w *world) log(format string, args ...any) {
	if w.trace != nil {
		w.trace("%8v %*s"+format, append([]any{w.clock, 2 * w.depth, ""}, args...)...)
	}
}

// fail notes the first rule broken. It cannot panic: the engine contains panics.
func (w *world) fail(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
		w.log("FAILURE: %s", w.failure)
	}
}

// run is the whole life: trouble, then calm, then the end.
func (w *world) run() string {
	for range 150 + w.rng.IntN(350) {
		w.act()
		if w.check(); w.failure != "" {
			return w.failure
		}
		if w.chance(60) {
			w.quiesce()
			w.checkQuiet()
		}
	}
	w.calm()
	if w.failure == "" {
		w.end()
	}
	return w.failure
}

// act lets one thing happen.
func (w *world) act() {
	if w.loud && w.chance(5) {
		w.publish()
	}
	switch n := w.rng.IntN(100); {
	case n < 22:
		w.network()
	case n < 36:
		w.peerActs()
	case n < 48:
		w.peerReads()
	case n < 70:
		w.stepLoop(w.rng.IntN(len(w.e.loops)))
	case n < 82:
		w.runWorker(w.rng.IntN(len(w.e.loops)))
	case n < 89:
		w.call(w.anyPeer(), true)
	case n < 92:
		w.connect()
	case n < 94:
		w.publish()
	case n < 96:
		w.giveVerdict()
	default:
		w.passTime()
	}
}

// meddle lets other things happen within one: what other threads do meanwhile.
func (w *world) meddle(where string) {
	if !w.faults || w.depth >= 3 || !w.chance(5) {
		return
	}
	runner := w.runner
	defer func() { w.runner = runner }()
	w.depth++
	w.log("meanwhile, in %s:", where)
	for range 1 + w.rng.IntN(6) {
		switch n := w.rng.IntN(100); {
		case n < 25:
			w.network()
		case n < 35:
			w.peerReads()
		case n < 55:
			w.stepLoop(w.rng.IntN(len(w.e.loops)))
		case n < 75:
			w.runWorker(w.rng.IntN(len(w.e.loops)))
		case n < 92:
			w.call(w.anyPeer(), true)
		case n < 96:
			w.publish()
		default:
			w.giveVerdict()
		}
	}
	w.depth--
}

// passTime moves the clock: mostly a little, at times by a share of the time limits, or
// so far as if the machine had been suspended. What is ready is done before.
func (w *world) passTime() {
	if !w.chance(4) {
		w.clock += time.Duration(w.rng.IntN(150)) * time.Millisecond
		return
	}
	w.quiesce()
	w.clock += time.Duration(w.rng.IntN(pick(w, []int{3_000, 3_000, 30_000}))) * time.Millisecond
	w.log("the clock jumps")
	w.quiesce()
	w.checkQuiet()
}
