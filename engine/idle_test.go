//go:build unix

package engine

import (
	"runtime"
	"testing"
	"unsafe"
)

// Without context takeover a connection with permessage-deflate holds no window:
// its Conn, its slot in the table, and these two.
func TestR1SizeWithDeflate(t *testing.T) {
	t.Parallel()
	const most = 300
	slot := unsafe.Sizeof(uintptr(0))
	if n := unsafe.Sizeof(Conn{}) + slot + unsafe.Sizeof(extra{}) + unsafe.Sizeof(deflate{}); n > most {
		t.Errorf("an idle connection with deflate has %d bytes, at most %d", n, most)
	}
}

func TestR1SizeOfConn(t *testing.T) {
	t.Parallel()
	const most = 128
	if n := unsafe.Sizeof(Conn{}); n > most {
		t.Errorf("a Conn has %d bytes, at most %d: they are paid a million times", n, most)
	}
}

// herd opens n connections that have all said something, and are idle.
func herd(t *testing.T, s *Server, n int) []*peer {
	t.Helper()
	ps := make([]*peer, n)
	for i := range ps {
		ps[i] = &peer{t: t, conn: dialBare(t, s)}
		ps[i].write([]byte(upgradeHead), frameOf(Text, "hello"))
	}
	answer := make([]byte, 256)
	for _, p := range ps {
		for got := 0; got < bareAnswer; {
			n, err := p.conn.Read(answer)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	return ps
}

// bareAnswer is the 101 and the echo of "hello".
const bareAnswer = 129 + 2 + 5

// After traffic an idle connection holds its Conn and nothing else.
func TestR1IdleIsFree(t *testing.T) {
	inTurn(t, func(t *testing.T, cfg Config) {
		if raceEnabled {
			t.Skip("the race detector's own memory is counted too")
		}
		cfg.Workers = 8
		s := serve(t, ServerOptions{Config: cfg, Handler: Handler{Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }}})
		herd(t, s, 10) // what is made once
		goroutines := runtime.NumGoroutine()
		const n = 2000
		herd(t, s, n)
		eventually(t, "the turns to end", func() bool {
			idle := true
			s.e.table.each(func(c *Conn) { idle = idle && c.work.Load() == 0 })
			return idle
		})
		s.e.table.each(func(c *Conn) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if t.Failed() {
				return
			}
			if c.in != nil || c.out != nil || c.ext != nil || c.seats != nil {
				t.Errorf("an idle connection holds %+v %+v %+v %+v", c.in, c.out, c.ext, c.seats)
			}
		})
		if more := runtime.NumGoroutine() - goroutines; more > 8 {
			t.Errorf("%d goroutines more for %d connections", more, n)
		}
		lent := 0
		for _, l := range s.e.loops {
			lent += l.bytes.Outstanding()
		}
		if lent > 8 { // the workers' corks
			t.Errorf("%d slices are lent while all are idle", lent)
		}
	})
}

// The engine's own memory for an idle connection, of which the peer here pays for
// itself: it is measured by a process of its own, the clients are outside.
func TestR1BytesOfAnIdleConnection(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's own memory is counted too")
	}
	inTurn(t, func(t *testing.T, cfg Config) {
		s := serve(t, ServerOptions{Config: cfg, Handler: Handler{Message: func(c *Conn, m Message) { _ = c.Send(m.Opcode(), m.Data) }}})
		herd(t, s, 10)
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		const n = 5000
		before := heap()
		fds := openBare(t, s, n)
		eventually(t, "all to be open", func() bool { return s.e.Stats().Opened == n+10 && s.e.Stats().MessagesIn == n+10 })
		after := heap()
		per := (int64(after) - int64(before)) / n
		t.Logf("%d bytes of heap a connection", per)
		if per > 300 {
			t.Errorf("%d bytes of heap an idle connection, want at most 300", per)
		}
		runtime.KeepAlive(fds)
	})
}
