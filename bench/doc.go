// Package bench compares Roost with other WebSocket servers, from outside:
// cload and climit are C, peers holds one echo server a library, and
// compare runs them in turn and draws the results. Run it from this folder:
//
//	go run ./compare
//	go run ./clients   # what load generators cost
//
// It is a module of its own, so that the peers are no one else's dependencies.
package bench
