package main

import (
	"math"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/spf13/pflag"
)

// registerTuning gives f the tuning flags of every server command. They are
// stored in o, where the engine reads them; docs/tuning.md says what each costs
// and brings. maxPayload is the one default that differs between commands.
func registerTuning(f *pflag.FlagSet, o *engine.ServerOptions, maxPayload int64) {
	registerEngineFlags(f, &o.Config)
	registerSocketFlags(f, o)
	registerLimitFlags(f, o, maxPayload)
}

func registerEngineFlags(f *pflag.FlagSet, c *engine.Config) {
	count(f, &c.Loops, "loops", 0, 0, 1024, "event loops, 0 for one a core")
	count(f, &c.Workers, "workers", 4096, 1, 1<<20, "most worker goroutines that handlers may keep busy at once")
	c.Dispatch = engine.DispatchPool
	f.Var(&choice[engine.Dispatch]{
		at:     &c.Dispatch,
		words:  []string{"pool", "loop"},
		values: []engine.Dispatch{engine.DispatchPool, engine.DispatchLoop},
	}, "dispatch", "where handlers run: on workers, or on the event loop, where they must not block")
	count(f, &c.Batch, "batch", 512, 1, 1<<16, "most events a loop takes from the kernel in one wait")
	size(f, &c.ReadBuffer, "read-buffer", 64<<10, 4<<10, 16<<20, "bytes read from a socket at once")
	size(f, &c.MemoryBudget, "memory-budget", 0, 0, 1<<50, "most bytes that all connections may hold: output, unfinished messages, windows; 0 for no limit")
	count(f, &c.MaxConns, "max-conns", 0, 0, math.MaxInt32, "most connections at once, 0 for no limit")
}

func registerSocketFlags(f *pflag.FlagSet, o *engine.ServerOptions) {
	f.BoolVar(&o.ReusePort, "reuseport", false, "share the port with other processes by SO_REUSEPORT")
	count(f, &o.Backlog, "backlog", 0, 0, 1<<20, "connections waiting to be accepted, 0 for the system's limit")
	size(f, &o.RecvBuffer, "rcvbuf", 0, 0, 1<<30, "SO_RCVBUF of every connection, 0 for the system's own tuning")
	size(f, &o.SendBuffer, "sndbuf", 0, 0, 1<<30, "SO_SNDBUF of every connection, 0 for the system's own tuning")
	duration(f, &o.DeferAccept, "defer-accept", 0, time.Minute, "accept a connection once it has spoken or after this time, 0 for at once")
	duration(f, &o.BusyPoll, "busy-poll", 0, time.Second, "SO_BUSY_POLL: spin this long on an empty socket, 0 for never")
}

func registerLimitFlags(f *pflag.FlagSet, o *engine.ServerOptions, maxPayload int64) {
	size(f, &o.MaxPayload, "max-payload", maxPayload, 1, 1<<40, "largest message taken from a client; larger ones close it with 1009")
	size(f, &o.MaxOutbox, "max-outbox", 16<<20, 1<<10, 1<<40, "most bytes queued for one slow client")
	count(f, &o.AcceptRate, "accept-rate", 0, 0, 1<<20, "connections a second that are let in, the others are told to come back by 503; 0 for no limit")
	count(f, &o.MaxConnsPerIP, "max-conns-per-ip", 0, 0, math.MaxInt32, "most connections from one address, 0 for no limit")
	duration(f, &o.HandshakeTimeout, "handshake-timeout", 10*time.Second, time.Hour, "how long a client may take over the opening handshake")
	duration(f, &o.IdleTimeout, "idle-timeout", 0, 30*24*time.Hour, "close a connection that stays silent this long, 0 for never")
	duration(f, &o.PingInterval, "ping-interval", 0, 30*24*time.Hour, "ping connections this often and end those that do not answer, 0 for never")
}
