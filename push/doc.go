// Package push is the server that a fleet of clients subscribes to: channels,
// Pusher Channels protocol 7 over WebSockets, the signed HTTP API to publish,
// webhooks, the console, metrics and health, for one or more apps. roost serve
// and programs that embed it call it. It runs on package engine and never touches
// descriptors or the wire form of frames; it never logs a secret or puts one into
// a metric.
//
// Delivery is at most once and in the order of one publisher. A channel whose
// pattern keeps a history adds to that: all subscribers get its events in one
// order, each with a position, and whoever comes back with the last position it
// had gets what it missed, or is told that this can't be had any more.
//
// Locks, outermost first: fleet.in, the bus's of a channel's history, members.mu
// or users.mu, occupancy.mu, a hub shard's mu, the leaves (presences.mu, fleet.mu,
// fleet.out, those of webhooks), the engine's. Under none of them is anything
// waited for.
package push
