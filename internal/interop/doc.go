// Package interop holds nothing but tests: WebSocket libraries that others wrote,
// and a browser, speak to the engine, as its clients and as servers of its Dialer.
//
// What needs a program that is not there is skipped, but not where CI is set: there
// it fails.
package interop
