package natsbus

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/roost-ws/roost/push"
)

// plain carries events without history by core NATS: an event goes to the subject
// of each slot that its channels are in, and a server listens to the slots that
// it has channels in, or to all of them when these are many.
//
// While it changes from the one to the other, an event may come by both. So each
// has a number, that of its publisher's and its slot's, and one that is not above
// the last is dropped. All subscriptions end in one queue, which keeps the order
// in which NATS sent, so what comes twice is all that this drops.
type plain struct {
	nc      *nats.Conn
	prefix  string
	log     *slog.Logger
	deliver func(*push.Event)
	queue   chan *nats.Msg
	quit    chan struct{}
	overlap time.Duration // the constant; shorter in tests
	wg      sync.WaitGroup

	id  uint64 // of this publisher
	out [slots]struct {
		mu   sync.Mutex // around the number and the publication that bears it
		last uint64
	}
	had map[uint64]*[slots]uint64 // last numbers by publisher; the receiver's own

	interest
}

// queued is how many messages may wait; NATS drops more and says so. It is what
// comes while the collector or the kernel holds this process up for a moment.
const queued = 1 << 16

func startPlain(nc *nats.Conn, prefix string, log *slog.Logger, deliver func(*push.Event)) (*plain, error) {
	p := &plain{
		nc: nc, prefix: prefix, log: log, deliver: deliver, queue: make(chan *nats.Msg, queued), quit: make(chan struct{}),
		overlap: overlap, id: rand.Uint64(), had: make(map[uint64]*[slots]uint64),
	}
	if _, err := nc.ChanSubscribe(prefix+".every", p.queue); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	p.wg.Go(p.receive)
	return p, nil
}

// stop returns when nothing is delivered any more. The connection must be closed.
func (p *plain) stop() {
	close(p.quit)
	p.wg.Wait()
}

func (p *plain) subject(slot int) string { return p.prefix + ".p." + strconv.Itoa(slot) }

// numbered is the length of what precedes an event: its publisher and its number.
const numbered = 16

// publish returns when the event is on its way.
func (p *plain) publish(e *push.Event) error {
	if len(e.Channels) == 0 { // for every server
		return p.send(-1, e, nil)
	}
	if len(e.Channels) == 1 {
		return p.send(slotOf(e.App, e.Channels[0]), e, e.Channels)
	}
	parts := make(map[int][]string)
	for _, name := range e.Channels {
		slot := slotOf(e.App, name)
		parts[slot] = append(parts[slot], name)
	}
	for slot, channels := range parts {
		if err := p.send(slot, e, channels); err != nil {
			return err
		}
	}
	return nil
}

func (p *plain) send(slot int, e *push.Event, channels []string) error {
	text, err := encode(e, channels)
	if err != nil {
		return err
	}
	message := append(make([]byte, numbered, numbered+len(text)), text...)
	binary.LittleEndian.PutUint64(message, p.id)
	if slot < 0 {
		return p.put(p.prefix+".every", message)
	}
	out := &p.out[slot]
	out.mu.Lock()
	defer out.mu.Unlock()
	out.last++
	binary.LittleEndian.PutUint64(message[8:], out.last)
	return p.put(p.subject(slot), message)
}

func (p *plain) put(subject string, message []byte) error {
	return tooLarge(p.nc.Publish(subject, message), p.nc, len(message))
}

func (p *plain) receive() {
	for {
		select {
		case <-p.quit:
			return
		case m := <-p.queue:
			p.take(m)
		}
	}
}

func (p *plain) take(m *nats.Msg) {
	if len(m.Data) < numbered {
		p.log.Error("a message is no event", "subject", m.Subject)
		return
	}
	slot, err := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
	if err == nil && slot >= 0 && slot < slots {
		if p.repeated(binary.LittleEndian.Uint64(m.Data), slot, binary.LittleEndian.Uint64(m.Data[8:])) || p.slots[slot].channels.Load() == 0 {
			return
		}
	}
	e, err := decode(m.Data[numbered:])
	if err != nil {
		p.log.Error("an event could not be read", "subject", m.Subject, "err", err)
		return
	}
	p.deliver(e)
}

// publishers is how many are remembered. A server has one for its life.
const publishers = 1024

func (p *plain) repeated(publisher uint64, slot int, number uint64) bool {
	last := p.had[publisher]
	if last == nil {
		if len(p.had) >= publishers {
			clear(p.had) // most have long ended; the others are back with their next event
		}
		last = new([slots]uint64)
		p.had[publisher] = last
	}
	if number <= last[slot] {
		return true
	}
	last[slot] = number
	return false
}
