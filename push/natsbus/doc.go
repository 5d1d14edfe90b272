// Package natsbus joins push servers by NATS: a server in this process, or a
// cluster elsewhere. roost serve calls it, and programs that embed package push
// may. It never terminates clients, and makes no consumer, subject or key a
// connection.
//
// Events without history travel by core NATS, at most once. Events with history
// are stored in one JetStream stream before the publisher gets its answer. Each
// server reads that stream, whole and in order, and keeps in memory what it
// retains; so all of them agree on positions, which are the stream's sequences,
// and any of them can resume a client that was on another.
package natsbus
