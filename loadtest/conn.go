package loadtest

import (
	"io"
	"math"
	"syscall"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
)

// connState is where a connection stands. It only moves forward, but for a
// dial, which takes a closed one back to the start.
type connState uint8

const (
	connClosed     connState = iota // no descriptor
	connConnecting                  // connect(2) is under way
	connSecuring                    // the TLS handshake is
	connShaking                     // the request is written, the answer not whole
	connOpen
	connClosing // our close frame is sent; we wait for the server to go
)

// dialling reports whether the handshake is not over.
func (s connState) dialling() bool { return connClosed < s && s < connOpen }

// conn is one connection, owned by its loop. There are a million of them: what
// only some need, some of the time, is in held.
type conn struct {
	held     *held
	since    int64 // when it was dialled, on the run's clock
	fd       int32
	slot     uint32 // its index in the loop
	state    connState
	again    bool // it stands in the loop's again
	listed   bool // it stands in the loop's dials
	answered bool // the server answered our close frame
}

// readsPerTurn bounds what one connection is read in a turn: a peer that answers
// as fast as we read would keep the others, and the end of the run, waiting.
const readsPerTurn = 16

// read reads until the kernel has no more, or goes on in the next turn. A short
// read means that there is no more, except after a hang-up, whose end comes with
// the read behind it, and of TLS, which keeps what it met.
func (l *loop) read(c *conn, hangup bool) {
	for range readsPerTurn {
		if c.state < connSecuring {
			return
		}
		if c.state == connSecuring {
			if l.carryOn(c); c.state == connSecuring {
				return
			}
			continue
		}
		n, err := l.receive(c, l.in)
		switch {
		case err == syscall.EAGAIN:
			return
		case err != nil:
			l.end(c, err)
			return
		case n == 0:
			l.end(c, io.EOF)
			return
		}
		l.now = l.clock()
		if l.cameAt != nil {
			l.cameAt[c.slot] = l.now
		}
		in := l.in[:n]
		if c.state == connShaking {
			in = l.answer(c, in)
		}
		l.feed(c, in)
		l.flush(c)
		if n < len(l.in) && !hangup && !l.plan.usesTLS() {
			return
		}
	}
	if !c.again {
		c.again = true
		l.again = append(l.again, c)
	}
}

// readAgain reads on where a turn's bound was met: no edge tells of what was there.
// A connection that was dialled anew meanwhile has nothing to read, which does no harm.
func (l *loop) readAgain() {
	waiting := l.again
	l.again = l.later[:0]
	for _, c := range waiting {
		c.again = false
		l.read(c, true)
	}
	l.later = waiting
}

// feed decodes in. While a connection holds nothing, the loop's own decoder
// serves it.
func (l *loop) feed(c *conn, in []byte) {
	dec := &l.dec
	if c.held != nil {
		dec = &c.held.dec
	}
	for len(in) > 0 && c.state >= connOpen {
		m, n, ok, err := dec.Next(in, &l.limits, &l.bytes)
		if err != nil {
			l.end(c, badFrame(err))
			break
		}
		in = in[n:]
		if ok {
			l.handle(c, m)
		}
	}
	if dec != &l.dec {
		if c.held != nil {
			l.settle(c)
		}
		return
	}
	dec.Release(&l.bytes)
	switch {
	case c.state < connOpen:
		dec.Reset(&l.bytes)
	case !dec.Idle():
		l.hold(c).dec = *dec
		*dec = codec.Decoder{}
	}
}

func (l *loop) handle(c *conn, m codec.Message) {
	switch m.Opcode {
	case codec.Text, codec.Binary:
		if c.state != connOpen {
			return
		}
		if err := l.heard(c, m); err != nil {
			l.end(c, err)
		}
	case codec.Ping:
		l.out = codec.AppendFrame(l.out, l.header(codec.Pong), m.Payload)
		l.pings++
	case codec.Close:
		if c.state == connClosing {
			c.answered = true // the server closes now
			return
		}
		code, reason, err := codec.ParseClose(m.Payload, false)
		if err != nil {
			l.end(c, &failure{cause: causeProtocol, err: err})
			return
		}
		l.out = codec.AppendFrame(l.out, l.header(codec.Close), m.Payload)
		l.flush(c)
		l.end(c, closedByServer(code, reason))
	}
}

// end closes c because of err: io.EOF and system errors, or a *failure that
// says more. What it means depends on how far the connection was.
func (l *loop) end(c *conn, err error) {
	if c.state == connClosed {
		return
	}
	was := c.state
	l.drop(c)
	switch {
	case was.dialling():
		l.dialling--
		l.failed++
		l.countsOf(c).failed++
		l.failures.add(was, err)
	case was == connOpen:
		l.open--
		l.countsOf(c).lost++
		l.failures.add(was, err)
		l.script.closed(c)
	default:
		l.open--
		l.left++
	}
	if l.lives != nil {
		l.lives.ended(c, was, err)
	}
}

// drop gives the descriptor back. Closing takes it out of the poller too; an
// event for it that the present batch still holds finds no connection, because
// dials come after the batch.
func (l *loop) drop(c *conn) {
	l.table[c.fd] = nil
	// The descriptor is gone whatever close says, and its number is free.
	_ = sock.Close(int(c.fd))
	c.fd, c.state, l.fullUntil = -1, connClosed, 0
	if c.held != nil {
		l.unhold(c)
	}
	l.unlayer(c)
}

// never is a time that does not come.
const never = math.MaxInt64
