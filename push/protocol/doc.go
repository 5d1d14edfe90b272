// Package protocol holds what both ends of Pusher Channels protocol 7 must
// agree on: names, signatures, close codes and the JSON of the frames.
// Package push (the server) and package client call it. It never opens a
// socket, starts a goroutine or keeps state.
//
// Source: https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
// and, beside it, the HTTP API reference and the page on auth signatures.
package protocol
