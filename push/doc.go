// Package push is the server that a fleet of clients subscribes to: channels,
// Pusher Channels protocol 7 over WebSockets, the signed HTTP API to publish,
// the console, metrics and health. roost serve and programs that embed it call
// it. It runs on package engine and never touches descriptors or the wire form
// of frames; it never logs a secret or puts one into a metric.
//
// Delivery is at most once and in the order of one publisher: what is published
// while a client is away is not kept for it.
package push
