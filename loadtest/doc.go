// Package loadtest is the client side of WebSockets for measuring servers: it
// opens connections by the ten thousand, drives them, and says what it saw and
// what limited it.
//
// A scenario ([Idle], [Echo], [Broadcast], [Push], [Storm], [Churn], [Slow], [Find]) is run against one
// server, or several that do the same, and gives one [Report].
// The command roost loadtest calls it; so may a test of any server. It measures any
// server that speaks RFC 6455, and therefore imports nothing of Roost's own
// engine: it must be able to find that engine's faults.
//
// # How it is built
//
// A driver runs N loops. A loop is one goroutine with one poller, one read
// buffer and one write buffer; it owns a share of the connections and the
// scenario's script for them. A connection is 32 bytes: no goroutine, no
// buffer, no timer of its own. What the kernel cuts in two, a frame or a write, is held aside
// while it lasts.
//
// # What the figures mean
//
// In the closed model a connection sends when a reply comes, so a server that
// stalls is not asked while it stalls, and its percentiles flatter it. In the open model
// (a rate is given) messages have a time at which they were to leave, whatever the server does;
// latency counts from there, and the figure without that correction stands
// beside it. CPU is read from the kernel's clock of the process, in
// nanoseconds, not from ticks. Memory is growth between two moments, divided by the
// connections that stand; what the kernel took is reported apart, for
// both ends where the server is on this machine.
//
// The package never writes to a terminal, never installs a signal handler, and
// never leaves a goroutine or a descriptor behind when Run has returned.
package loadtest
