package loadtest

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"syscall"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
	"github.com/roost-ws/roost/poller"
)

// ramp dials connections by a token bucket: at any moment no more than
// rate × time have been begun, and no more than a number are under way.
type ramp struct {
	begun int64 // when the ramp began
	next  int64 // when it may go on; never when it waits for a handshake to end, or is done
	at    int   // the slot to dial next
	end   int   // the slot not to dial
}

// dialsPerTurn keeps a ramp from starving the connections that are there.
const dialsPerTurn = 64

// start begins the ramp over all of the loop's connections.
func (l *loop) start() { l.ramp = ramp{begun: l.clock(), end: len(l.conns)} }

// climb dials what the ramp allows now, and says when nothing is left to settle.
func (l *loop) climb() {
	r := &l.ramp
	for range l.allowed() {
		l.dial(&l.conns[r.at])
		r.at++
	}
	switch {
	case r.at == r.end || l.dialling >= l.maxDialling:
		r.next = never
	case l.connectRate > 0:
		r.next = r.begun + int64(float64(r.at)*1e9/l.connectRate)
	default:
		r.next = l.now
	}
	l.dialAgain()
	if l.settledAt == 0 && r.end > 0 && r.at == r.end && l.dialling == 0 {
		l.settledAt = l.now
		close(l.settled)
	}
}

func (l *loop) allowed() int {
	r := &l.ramp
	room := min(dialsPerTurn, l.maxDialling-l.dialling, r.end-r.at)
	if l.connectRate > 0 {
		room = min(room, 1+int(float64(l.now-r.begun)*l.connectRate/1e9)-r.at)
	}
	return max(room, 0)
}

// dial begins a connection.
func (l *loop) dial(c *conn) {
	c.since, c.answered = l.clock(), false
	if err := l.connect(c); err != nil {
		l.failed++
		l.countsOf(c).failed++
		l.failures.add(connConnecting, err)
		if l.lives != nil {
			l.lives.ended(c, connConnecting, err)
		}
		return
	}
	c.state = connConnecting
	l.dialling++
	if !c.listed {
		c.listed = true
		l.dials = append(l.dials, c.slot)
	}
	l.sweep = min(l.sweep, c.since+int64(sweepTick))
}

// connect begins to connect c. When descriptors are out it fails without trying, until the loop gave one
// back; another loop may have, so it looks again now and then.
func (l *loop) connect(c *conn) error {
	if c.since < l.fullUntil {
		return syscall.EMFILE
	}
	buffer := 0
	if l.slow.has(l.id(c)) {
		buffer = slowBuffer
	}
	fd, err := sock.ConnectBuffered(l.endpoint(c).addr, l.source(c), buffer)
	if err == nil {
		return l.adopt(c, fd)
	}
	if errors.Is(err, syscall.EMFILE) {
		l.fullUntil = c.since + int64(sweepTick)
	}
	return err
}

func (l *loop) source(c *conn) netip.AddrPort {
	if len(l.sources) == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(l.sources[int(l.id(c))/len(l.endpoints)%len(l.sources)], 0)
}

// adopt puts fd into the poller, for good and for both directions: edges cost
// nothing when nothing happens.
func (l *loop) adopt(c *conn, fd int) error {
	if err := l.poll.Update(fd, 0, poller.Readable|poller.Writable); err != nil {
		_ = sock.Close(fd)
		return err
	}
	// A frame must leave when it is written, whatever waits for an ACK.
	if err := sock.NoDelay(fd); err != nil {
		_ = sock.Close(fd)
		return err
	}
	for fd >= len(l.table) {
		l.table = append(l.table, make([]*conn, max(256, min(len(l.table), 1<<16)))...)
	}
	c.fd = int32(fd)
	l.table[fd] = c
	return nil
}

// connected finds out whether the connect succeeded, and goes on with the handshake.
func (l *loop) connected(c *conn) {
	if err := sock.Error(int(c.fd)); err != nil {
		l.end(c, err)
		return
	}
	if l.plan.usesTLS() {
		l.secure(c)
		return
	}
	l.upgrade(c)
}

// upgrade writes the request for it.
func (l *loop) upgrade(c *conn) {
	c.state = connShaking
	at, e := len(l.out), l.endpoint(c)
	l.out = append(l.out, e.request...)
	var key [keySize]byte
	l.key(c, &key)
	copy(l.out[at+e.keyAt:], key[:])
	l.flush(c)
}

const keySize = 24

// key makes c's Sec-WebSocket-Key from its number, so that it has not to be kept
// until the answer comes.
func (l *loop) key(c *conn, key *[keySize]byte) {
	var nonce [16]byte
	binary.LittleEndian.PutUint64(nonce[:], mix(l.seed^uint64(l.id(c))))
	binary.LittleEndian.PutUint64(nonce[8:], mix(l.seed+uint64(c.since)))
	base64.StdEncoding.Encode(key[:], nonce[:])
}

// mix is the finalizer of MurmurHash3: every bit of x moves half of the result's.
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// maxHead is more than any server answers an upgrade with.
const maxHead = 16 << 10

// answer reads the server's answer out of in and returns what came behind it.
func (l *loop) answer(c *conn, in []byte) (rest []byte) {
	head := in
	scanned := 0
	if c.held != nil && len(c.held.head) > 0 {
		h := c.held
		scanned = len(h.head)
		h.head = append(l.bytes.Grow(h.head, scanned+len(in)), in...)
		head = h.head
	}
	n, err := codec.ScanHead(head, scanned, maxHead)
	if err != nil {
		l.end(c, &failure{cause: causeNotHTTP, err: err})
		return nil
	}
	if n == 0 {
		if scanned == 0 {
			h := l.hold(c)
			h.head = append(l.bytes.Get(len(in))[:0], in...)
		}
		return nil
	}
	if err := l.checkAnswer(c, head[:n]); err != nil {
		l.end(c, err)
		return nil
	}
	rest = in[n-scanned:]
	if scanned > 0 {
		h := c.held
		l.bytes.Put(h.head)
		h.head = nil
	}
	l.shaken(c)
	return rest
}

func (l *loop) checkAnswer(c *conn, head []byte) error {
	r := &l.head
	if err := r.Parse(head); err != nil {
		return &failure{cause: causeNotHTTP, err: err}
	}
	if r.Status != http.StatusSwitchingProtocols {
		return &failure{cause: causeStatus, status: r.Status, err: fmt.Errorf("%d %s", r.Status, r.Phrase)}
	}
	var key [keySize]byte
	l.key(c, &key)
	if _, err := r.CheckAccept(string(key[:]), l.protocols); err != nil {
		return &failure{cause: causeAccept, err: err}
	}
	return l.agree(c, r)
}

// shaken counts a handshake that is done.
func (l *loop) shaken(c *conn) {
	c.state = connOpen
	l.dialling--
	l.opened++
	l.countsOf(c).opened++
	l.open++
	l.handshakes.record(l.now - c.since)
	if l.lives != nil {
		l.lives.opened(c)
	}
}

// expire fails the handshakes that took too long.
func (l *loop) expire() {
	left := l.dials[:0]
	for _, slot := range l.dials {
		c := &l.conns[slot]
		switch {
		case !c.state.dialling():
			c.listed = false
			continue
		case l.now-c.since >= int64(l.timeout):
			c.listed = false
			l.end(c, syscall.ETIMEDOUT)
			continue
		}
		left = append(left, slot)
	}
	l.dials = left
	l.sweep = never
	if len(left) > 0 {
		l.sweep = l.now + int64(sweepTick)
	}
}
