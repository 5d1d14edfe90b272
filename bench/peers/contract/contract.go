// Package contract is what the echo servers under peers agree on, so that one
// load fits them all: a few flags, a message back as it came, TLS and compression
// only when asked for. Each peer's main calls it; it never touches a connection.
package contract

import (
	"flag"
	"log"
	"net/http"
	"sync"
)

// MaxMessage is the longest message, in bytes, that every peer must accept.
const MaxMessage = 16 << 20

// Options are a peer's flags.
type Options struct {
	Addr      string // -addr: host:port to listen on
	Broadcast bool   // -broadcast: every message to every connection
	Deflate   bool   // -deflate: permessage-deflate, for messages of any length
	Cert, Key string // -tls-cert and -tls-key: PEM files; TLS when given
}

// TLS tells whether the connections are encrypted.
func (o Options) TLS() bool { return o.Cert != "" }

// Serve runs h on net/http, and returns only when that fails.
func (o Options) Serve(h http.HandlerFunc) error {
	if o.TLS() {
		return http.ListenAndServeTLS(o.Addr, o.Cert, o.Key, h)
	}
	return http.ListenAndServe(o.Addr, h)
}

// Parse reads the command line. It ends the process if that is wrong.
func Parse() Options {
	var o Options
	flag.StringVar(&o.Addr, "addr", "127.0.0.1:9001", "listen on this `host:port`")
	flag.BoolVar(&o.Broadcast, "broadcast", false, "send every message to every connection")
	flag.BoolVar(&o.Deflate, "deflate", false, "agree on permessage-deflate")
	flag.StringVar(&o.Cert, "tls-cert", "", "speak TLS with the certificate in this PEM `file`")
	flag.StringVar(&o.Key, "tls-key", "", "PEM `file` with its key")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}
	return o
}

// Room holds the connections of a broadcasting peer. The zero value is empty.
// Its methods may be called from several goroutines.
type Room[C comparable] struct {
	mu    sync.Mutex
	seats map[C]int
	conns []C
}

// Join adds c.
func (r *Room[C]) Join(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seats == nil {
		r.seats = make(map[C]int)
	}
	r.seats[c] = len(r.conns)
	r.conns = append(r.conns, c)
}

// Leave removes c, if it is there.
func (r *Room[C]) Leave(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.seats[c]
	if !ok {
		return
	}
	last := r.conns[len(r.conns)-1]
	r.conns[i], r.seats[last] = last, i
	r.conns = r.conns[:len(r.conns)-1]
	delete(r.seats, c)
}

// Each calls send for every connection, under the room's lock: one broadcast at
// a time, so send needs no lock of its own. An error is that connection's alone;
// its reader will see the same and call Leave.
func (r *Room[C]) Each(send func(C) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = send(c)
	}
}
