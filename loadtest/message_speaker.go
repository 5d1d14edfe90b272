package loadtest

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/roost-ws/roost/codec"
)

// awaited is what is kept of a message under way: templates need not say when they
// left or who they are.
type awaited struct {
	sent int64
	sum  uint64 // of all its bytes
}

// maxAwaited bounds the memory for them, 16 bytes each.
const maxAwaited = 1 << 26

// templated speaks in a user's messages.
type templated struct {
	*loop
	m       *Messages
	seed    maphash.Seed
	awaited []awaited // of each slot, as many as may be under way
	depth   uint32
}

// stampFor makes the stamp of messages of a size, or none when there are messages, whose
// largest is the size then.
func stampFor(size *int, text bool, m *Messages) (*stamp, error) {
	if m != nil {
		*size = m.most()
		return nil, nil
	}
	return newStamp(*size, text)
}

// newSpeaker speaks in messages, or in stamps when there are none.
func newSpeaker(l *loop, s *stamp, m *Messages, inFlight int) speaker {
	if m == nil {
		return stamps{l, s}
	}
	return &templated{loop: l, m: m, seed: maphash.MakeSeed(), depth: uint32(inFlight), awaited: make([]awaited, len(l.conns)*inFlight)}
}

// render appends message seq of id to the loop's plain. An error ends the run.
func (l *loop) render(m *Messages, id, seq uint32) bool {
	p, err := m.append(l.plain[:0], id, seq, l.base.UnixNano()+l.now)
	l.plain = p
	if err != nil {
		l.err = err
	}
	return err == nil
}

func (t *templated) at(c *conn, seq uint32) *awaited {
	return &t.awaited[c.slot*t.depth+seq%t.depth]
}

func (t *templated) say(c *conn, seq uint32) {
	if !t.render(t.m, t.id(c), seq) {
		return
	}
	*t.at(c, seq) = awaited{t.now, maphash.Bytes(t.seed, t.plain)}
	t.loop.say(c, t.m.op, t.plain)
}

func (t *templated) check(c *conn, m codec.Message, seq uint32) (int64, error) {
	a := t.at(c, seq)
	if m.Opcode != t.m.op || maphash.Bytes(t.seed, m.Payload) != a.sum {
		return 0, fmt.Errorf("%d bytes of opcode %#x came on connection %d that are not its message %d: %q",
			len(m.Payload), m.Opcode, t.id(c), seq, shortened(string(m.Payload)))
	}
	return a.sent, nil
}

// stale is for scenarios of several phases, which use stamps.
func (t *templated) stale(*conn, codec.Message, uint32) bool { return false }

// caster makes a broadcast's messages, and knows them on all loops.
type caster interface {
	// say appends message seq to the loop's out.
	say(c *conn, seq uint32)
	// parse tells which one m is, every byte compared.
	parse(m codec.Message) (seq uint32, err error)
}

func (s stamps) parse(m codec.Message) (uint32, error) {
	_, seq, _, err := s.stamp.parse(m)
	return seq, err
}

// castBook has the check sums of the messages that were broadcast. It may be used by
// several goroutines.
type castBook struct {
	m    *Messages
	seed maphash.Seed
	mu   sync.RWMutex
	seqs map[uint64]uint32
}

// newCasters makes what the loops of a broadcast speak with.
func newCasters(s *stamp, m *Messages) (func(*loop) caster, error) {
	if m == nil {
		return func(l *loop) caster { return stamps{l, s} }, nil
	}
	book, err := newCastBook(m)
	return func(l *loop) caster { return castTemplated{l, book} }, err
}

// newCastBook refuses messages that could not be told apart.
func newCastBook(m *Messages) (*castBook, error) {
	b := &castBook{m: m, seed: maphash.MakeSeed(), seqs: map[uint64]uint32{}}
	before := map[string]bool{}
	for seq := range uint32(2 * len(m.lines)) {
		text, err := m.append(nil, 0, seq, int64(seq))
		if err != nil {
			return nil, err
		}
		if before[string(text)] {
			return nil, invalid("message %q comes again: a broadcast tells messages apart by what they say, so put {{.Seq}} in", shortened(string(text)))
		}
		before[string(text)] = true
	}
	return b, nil
}

// castTemplated speaks out of a book on one loop.
type castTemplated struct {
	*loop
	book *castBook
}

func (t castTemplated) say(c *conn, seq uint32) {
	b := t.book
	if !t.render(b.m, t.id(c), seq) {
		return
	}
	b.mu.Lock()
	b.seqs[maphash.Bytes(b.seed, t.plain)] = seq
	b.mu.Unlock()
	t.loop.say(c, b.m.op, t.plain)
}

var errNotSent = errors.New("a message came that was not sent")

func (t castTemplated) parse(m codec.Message) (uint32, error) {
	b := t.book
	b.mu.RLock()
	seq, ok := b.seqs[maphash.Bytes(b.seed, m.Payload)]
	b.mu.RUnlock()
	if !ok || m.Opcode != b.m.op {
		return 0, fmt.Errorf("%w: %q", errNotSent, shortened(string(m.Payload)))
	}
	return seq, nil
}
