package engine

import (
	"fmt"
	"log/slog"
	"runtime"
)

// Dispatch is where handlers run.
type Dispatch uint8

const (
	// DispatchPool runs handlers on worker goroutines: they may block.
	DispatchPool Dispatch = iota
	// DispatchLoop runs handlers on the loop itself. It saves the hand-off, and
	// a handler that blocks stops every connection of its loop.
	DispatchLoop
)

// Config is what an Engine is made of. The zero value is ready to use.
type Config struct {
	// Loops is the number of event loops; 0 is one a usable core (GOMAXPROCS).
	Loops int
	// Workers is the most worker goroutines at once, for all loops; 0 is 4096.
	// It is a bound on handlers that block at the same time.
	Workers  int
	Dispatch Dispatch
	// Batch is the most events taken from the kernel at once; 0 is 512.
	Batch int
	// ReadBuffer is the size in bytes of each worker's read buffer, and so the
	// most that a connection's turn reads; 0 is 64 KiB.
	ReadBuffer int
	// MaxConns is the most connections at once, with those that net/http took over
	// from a Server's port; those above are answered 503.
	// 0 is no limit but the descriptors.
	MaxConns int
	// MemoryBudget is the most bytes that connections may hold in all: outboxes, messages
	// that have come in part, TLS records on their way, windows of permessage-deflate.
	// Towards it the engine does more and more: from 7/8 on it does not read from those
	// that hold some; from 15/16 on it answers upgrades with 503, and sends that would
	// have to wait with a *BudgetError; at all of it, it closes those that hold the most,
	// with 1013. Each ends 1/8 below where it began. 0 is no limit. What the garbage
	// collector has not taken back comes on top: see docs/tuning.md.
	MemoryBudget int64
	// Logger is told of what no caller hears of: contained panics, descriptors
	// exhausted; some of it under locks, so that it must not call back. nil discards.
	Logger *slog.Logger
}

const (
	defaultBatch      = 512
	defaultReadBuffer = 64 << 10
	minReadBuffer     = 4 << 10
	minBudget         = 4 << 20
	maxReadBuffer     = 16 << 20
)

func (c *Config) fill() error {
	if c.Loops == 0 {
		c.Loops = runtime.GOMAXPROCS(0)
	}
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if c.ReadBuffer == 0 {
		c.ReadBuffer = defaultReadBuffer
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Loops < 0 || c.Loops > 1024:
		return fmt.Errorf("engine: Loops %d: want 1 to 1024, or 0 for one a core", c.Loops)
	case c.Batch < 0 || c.Batch > 1<<16:
		return fmt.Errorf("engine: Batch %d: want 1 to %d events, or 0 for %d", c.Batch, 1<<16, defaultBatch)
	case c.ReadBuffer < minReadBuffer || c.ReadBuffer > maxReadBuffer:
		return fmt.Errorf("engine: ReadBuffer %d: want %d to %d bytes, or 0 for %d",
			c.ReadBuffer, minReadBuffer, maxReadBuffer, defaultReadBuffer)
	case c.Workers < 0:
		return fmt.Errorf("engine: Workers %d: want at least 1, or 0 for the default", c.Workers)
	case c.MemoryBudget < 0 || c.MemoryBudget > 0 && c.MemoryBudget < minBudget:
		return fmt.Errorf("engine: MemoryBudget %d: want at least %d bytes, or 0 for no limit", c.MemoryBudget, minBudget)
	case c.MaxConns < 0:
		return fmt.Errorf("engine: MaxConns %d: want at least 1, or 0 for no limit", c.MaxConns)
	case c.Dispatch > DispatchLoop:
		return fmt.Errorf("engine: Dispatch %d: want DispatchPool or DispatchLoop", c.Dispatch)
	}
	return nil
}
