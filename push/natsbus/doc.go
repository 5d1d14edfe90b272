// Package natsbus joins push servers by NATS: a server in this process, or a
// cluster elsewhere. roost serve calls it, and programs that embed package push
// may. It never terminates clients, and makes no consumer, subject or key a
// connection or a channel.
//
// Events without history travel by core NATS, at most once, on one subject for
// each of 256 slots that channels are hashed to; a server listens to the slots that
// it has subscribers in. Events with history are stored in one JetStream stream
// before the publisher gets its answer, and sent on by its leader. A position is a
// sequence of that stream, so all servers agree on it and any of them can resume a
// client that was on another: from the little that it has at hand, or else from the
// stream.
package natsbus
