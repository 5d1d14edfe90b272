package loadtest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/poller"
)

const (
	batch     = 512      // events a turn
	readSize  = 64 << 10 // the loop's read buffer
	maxOut    = 1 << 20  // above it the write buffer is not kept
	sweepTick = 100 * time.Millisecond
)

// script is a scenario's part on one loop. All calls come from the loop's goroutine.
// What it appends to the loop's out in message is flushed by the loop; elsewhere
// it calls flush itself.
type script interface {
	// message takes a data message of an open connection, at l.now. The payload is
	// valid until it returns. An error ends the connection.
	message(c *conn, m codec.Message) error
	// closed is told that an open connection has ended.
	closed(c *conn)
	// tick does what is due at l.now and returns when to be called again.
	tick() (next int64)
}

// loop drives a share of the connections. Everything in it belongs to its
// goroutine, but for the mailbox.
type loop struct {
	*plan
	index  int
	poll   *poller.Poller
	timer  timer
	script script
	lives  lives // the script, when it follows connections from dial to dial; else nil

	conns []conn
	table []*conn // by descriptor
	where []uint8 // by slot, the endpoint it goes to; nil where there is one
	ramp  ramp
	anew  redials
	dials []uint32 // slots that were dialled and may not have settled
	sweep int64    // when they are looked through for the late

	fullUntil int64 // till when not to ask for a descriptor, as none was left

	now    int64 // on the run's clock, as of the last read or turn
	due    int64 // when the script is to be called
	beat   int64 // when the loop wakes to see how late it is
	asked  int64 // when the script is to be called, until that was seen; else never
	in     []byte
	out    []byte // frames for the connection at hand
	plain  []byte // a message that is to be compressed
	sealed []byte // TLS records for the connection at hand
	layers []layer
	again  []*conn // those that may have more to read than their turn allowed
	later  []*conn // again's other memory
	dec    codec.Decoder
	bytes  codec.Bytes
	limits codec.Limits
	spare  []*held
	cameAt []int64 // by slot, when anything came last; nil when nobody asks
	events []poller.Event
	random uint64
	head   codec.Response

	opened, open, failed, dialling int
	deflated                       int // of those opened
	redialled                      int // dials that redial began
	left                           int // of those opened, ended because we wanted it
	byTarget                       []targetCounts
	pings, messages                uint64
	handshakes                     *latency
	recent                         *latency      // what the scenario measures, since the last sample
	lag                            *latency      // how much later than asked it woke
	lagMax                         int64         // of that, since the last sample
	settled                        chan struct{} // closed when the last handshake has ended
	settledAt                      int64
	failures                       failures

	mu   sync.Mutex
	mail []func(*loop)
	gone bool // the goroutine will not look again
	stop bool
	err  error
}

func newLoop(p *plan, index, conns int) (*loop, error) {
	poll, err := poller.Open()
	if err != nil {
		return nil, fmt.Errorf("loadtest: %w", err)
	}
	l := &loop{
		plan: p, index: index, poll: poll,
		conns:      make([]conn, conns),
		in:         make([]byte, readSize),
		events:     make([]poller.Event, batch),
		limits:     codec.Limits{Client: true, SkipUTF8: true, MaxPayload: p.maxPayload},
		random:     p.seed + uint64(index)*0x9e3779b97f4a7c15 | 1,
		ramp:       ramp{next: never},
		anew:       redials{next: never},
		due:        never,
		sweep:      never,
		handshakes: newLatency(),
		recent:     newCoarse(),
		lag:        newLatency(),
		asked:      never,
		beat:       p.clock(),
		settled:    make(chan struct{}),
	}
	if p.usesTLS() || p.offer != nil {
		l.layers = make([]layer, conns)
	}
	if p.offer != nil {
		l.limits.Deflate = true
		l.limits.MaxPayload = int64(codec.CompressBound(int(p.maxPayload)))
	}
	for i := range l.conns {
		l.conns[i] = conn{fd: -1, slot: uint32(i)}
	}
	l.spread()
	if err := l.timer.open(l); err != nil {
		return nil, errors.Join(fmt.Errorf("loadtest: %w", err), poll.Close())
	}
	return l, nil
}

// id is c's number in the whole run.
func (l *loop) id(c *conn) uint32 { return l.first + c.slot*uint32(l.loops) + uint32(l.index) }

// clock is the run's: nanoseconds since it began.
func (p *plan) clock() int64 { return int64(time.Since(p.base)) }

// mask draws a masking key. RFC 6455 5.3 asks for keys that scripts in a browser
// cannot foresee; between a harness and its server they only have to vary.
func (l *loop) mask() [4]byte {
	l.random ^= l.random << 13
	l.random ^= l.random >> 7
	l.random ^= l.random << 17
	r := uint32(l.random)
	return [4]byte{byte(r), byte(r >> 8), byte(r >> 16), byte(r >> 24)}
}

// run turns until it is stopped or the poller fails.
func (l *loop) run() {
	for !l.stop && l.err == nil {
		if err := l.turn(); err != nil {
			l.err = err
		}
	}
	for i := range l.conns {
		if c := &l.conns[i]; c.state != connClosed {
			l.reset(c)
		}
	}
	l.mu.Lock()
	l.gone = true
	mail := l.mail
	l.mail = nil
	l.mu.Unlock()
	for _, f := range mail {
		f(l)
	}
	l.timer.close()
	if err := l.poll.Close(); l.err == nil {
		l.err = err
	}
}

func (l *loop) turn() error {
	n, err := l.poll.Wait(l.events, l.deadline())
	if err != nil {
		return err
	}
	l.now = l.clock()
	l.lagged()
	for _, e := range l.events[:n] {
		if c := l.table[e.FD]; c != nil {
			l.event(c, e.Ready)
		}
	}
	l.readAgain()
	l.now = l.clock()
	l.lagged()
	l.readMail()
	if l.now >= l.due {
		l.due = max(l.script.tick(), l.now+1)
	}
	if l.now >= l.sweep {
		l.expire()
	}
	l.climb()
	return nil
}

func (l *loop) event(c *conn, r poller.Ready) {
	if c.state == connConnecting {
		l.connected(c)
	}
	if r&poller.Writable != 0 {
		l.unblock(c)
	}
	if r&poller.Readable != 0 {
		l.read(c, r&poller.Hangup != 0)
	}
}

// deadline is when the loop has to turn though nothing happens.
func (l *loop) deadline() time.Time {
	next := min(l.ramp.next, l.anew.next, l.sweep)
	if at := l.ask(); !l.timer.arm(l, at) {
		next = min(next, at)
	}
	if len(l.again) > 0 {
		next = l.now
	}
	if next == never {
		return time.Time{}
	}
	return l.base.Add(time.Duration(next))
}
