package loadtest

import (
	"time"

	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
)

// leave closes all connections as RFC 6455 section 7 asks: the server closes the
// TCP connection, and so it is the server's ports that stay in TIME_WAIT and not
// ours, of which the next run has need. Those that the server has not closed
// after closeWait are reset.
func (d *driver) leave() {
	d.each((*loop).farewell)
	for begun := time.Now(); time.Since(begun) < closeWait; time.Sleep(closePoll) {
		open := 0
		d.each(func(l *loop) { open += l.open })
		if open == 0 {
			return
		}
		d.o.Progress(d.progress("close", time.Since(begun), closeWait))
	}
}

// closePoll is how often leave looks whether all have gone.
const closePoll = 20 * time.Millisecond

// farewell sends close frames and stops dialling.
func (l *loop) farewell() {
	l.ramp.end = l.ramp.at
	l.anew = redials{next: never}
	l.lives = nil
	l.due = never
	for i := range l.conns {
		if c := &l.conns[i]; c.state == connOpen {
			l.part(c)
		}
	}
}

// part sends an open connection's close frame. The server ends it then, or reset does.
func (l *loop) part(c *conn) {
	var payload [2]byte
	c.state = connClosing
	l.out = codec.AppendFrame(l.out, l.header(codec.Close), codec.AppendClose(payload[:0], codec.CodeNormal, ""))
	l.flush(c)
}

// reset ends a connection at once, with an RST and without a TIME_WAIT.
func (l *loop) reset(c *conn) {
	_ = sock.Reset(int(c.fd)) // else it ends with a FIN, which is as good
	l.drop(c)
}
