//go:build unix

package engine

import (
	"testing"
	"time"
)

// outsleeps waits until l has slept for limit and longer, while the other loop's clock
// went on.
func (l *loop) outsleeps(t *testing.T, limit time.Duration) {
	t.Helper()
	other := l.e.loops[1-l.index]
	eventually(t, "a loop's clock to stand still", func() bool {
		other.wake()
		return other.now.Load() > l.now.Load()+ticks(limit)+1
	})
}

// A loop that slept for long gives what comes to it all of its time.
func TestSpansBeginNowOnALoopThatSlept(t *testing.T) {
	t.Parallel()
	const limit = 500 * time.Millisecond
	conns := make(chan *Conn, 2)
	s := serve(t, ServerOptions{
		Config: Config{Loops: 2}, HandshakeTimeout: limit, CloseTimeout: limit,
		Handler: Handler{Open: func(c *Conn, _ *Request) { conns <- c }},
	})
	for range 2 { // the loops take turns, and the first one accepts
		s.e.loops[1].outsleeps(t, limit)
		p := join(t, s)
		c := receive(t, conns, "a connection")
		c.loop.outsleeps(t, limit)
		if err := c.Close(CodeNormal, ""); err != nil {
			t.Fatal(err)
		}
		p.want("close 1000")
		p.write(closeOf(CodeNormal, ""))
		p.end()
	}
}
