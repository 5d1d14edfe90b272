//go:build linux

package floods

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/roost-ws/roost/engine"
)

// victimSettings make the test binary run as the server of a test.
const victimSettings = "ROOST_FLOODS_VICTIM"

func TestMain(m *testing.M) {
	var err error
	if text := os.Getenv(victimSettings); text != "" {
		err = beVictim(text)
	} else if addr := os.Getenv(goodAddress); addr != "" {
		err = beGood(addr)
	} else if os.Getenv(alone) == "" {
		fmt.Println("floods take all of a machine: skipped, run them with " + alone + "=1")
	} else {
		goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // importing ants began a pool of its own
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settings are what a test wants of its server; zero values are the defaults.
type settings struct {
	MaxConns, MaxConnsPerIP int
	MaxPayload              int64
	MaxOutbox               int
	MaxFragments            int
	Handshake, Closing      time.Duration
	Deflate                 bool
	Descriptors             uint64 // RLIMIT_NOFILE; 0 leaves it
	MemoryBudget            int64
	Buffers                 int // of each socket, in the kernel
}

// beVictim serves echoes until standard input ends.
func beVictim(text string) error {
	var o settings
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	if o.Descriptors > 0 {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: o.Descriptors, Max: o.Descriptors}); err != nil {
			return err
		}
	}
	var s *engine.Server
	opts := engine.ServerOptions{
		Addr: "127.0.0.1:0", MaxConnsPerIP: o.MaxConnsPerIP, MaxPayload: o.MaxPayload, MaxOutbox: o.MaxOutbox,
		MaxFragments: o.MaxFragments, HandshakeTimeout: o.Handshake, CloseTimeout: o.Closing,
		Handler: engine.Handler{Message: func(c *engine.Conn, m engine.Message) { _ = c.Send(m.Opcode(), m.Data) }},
	}
	opts.SendBuffer, opts.RecvBuffer = o.Buffers, o.Buffers
	opts.Config.MaxConns, opts.Config.MemoryBudget = o.MaxConns, o.MemoryBudget
	opts.Config.Logger = slog.New(slog.DiscardHandler)
	if o.Deflate {
		opts.PerMessageDeflate = &engine.DeflateOptions{}
	}
	s, err := engine.NewServer(opts)
	if err != nil {
		return err
	}
	fmt.Println(s.Addr())
	var p pressure
	if o.MemoryBudget > 0 {
		go p.watch(s)
	}
	return tell(s, &p)
}

// pressure is when the memory budget first paused, refused and closed somebody, counted
// in looks at it; 0 is never.
type pressure struct {
	mu    sync.Mutex
	looks pressed
}

type pressed struct{ Paused, Refused, Shed int }

// watch looks until the process ends.
func (p *pressure) watch(s *engine.Server) {
	for look := 1; ; look++ {
		m := s.Engine().Stats().Memory
		p.mu.Lock()
		for _, first := range []struct {
			at *int
			is bool
		}{{&p.looks.Paused, m.Paused > 0}, {&p.looks.Refused, m.Refused > 0}, {&p.looks.Shed, m.Shed > 0}} {
			if first.is && *first.at == 0 {
				*first.at = look
			}
		}
		p.mu.Unlock()
		time.Sleep(time.Millisecond) // between looks
	}
}

func (p *pressure) seen() pressed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.looks
}

// state is what the server says of itself, after a collection.
type state struct {
	Conns      int64
	Accepted   uint64
	Rejected   uint64
	Panics     uint64
	Goroutines int
	Heap       uint64 // bytes of live objects
	Memory     engine.MemoryStats
	pressed
}

// tell answers each line of standard input with the server's state, and ends the
// server with the last.
func tell(s *engine.Server, p *pressure) error {
	for {
		if _, err := fmt.Scanln(new(string)); err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			return s.Shutdown(ctx)
		}
		runtime.GC() // what lies in a sync.Pool goes with the second
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		st := s.Engine().Stats()
		line, err := json.Marshal(state{st.Conns, st.Accepted, st.Rejected, st.Panics, runtime.NumGoroutine(), m.HeapAlloc, st.Memory, p.seen()})
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
}
