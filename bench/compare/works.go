package main

import "strconv"

// A work is one thing that servers are asked to do. Its unit is what the load
// counts, and what CPU is divided by.
type work struct {
	Name      string // on the command line, in results.json and in file names
	Title     string // in tables and plots
	Unit      string // message, delivery, connection
	Broadcast bool   // the server runs with its broadcast flag
	TLS       bool   // the server has a certificate
	Deflate   bool   // the server has permessage-deflate, and clients offer it
	Idle      bool   // bytes are the result, not CPU; one round is enough
	mode      string // the C load's, or harness or idle-tls
	counts    []int  // the load's arguments between the port and the seconds
}

const (
	byHarness = "harness"  // roost loadtest echo is the load: the one in C has no TLS and no compressor
	byTLS     = "idle-tls" // this process opens the connections
)

func (w work) name() string { return w.Name }

func works() []work {
	return []work{
		{Name: "echo-64x1", Title: "echo 64 B, 1,000 conns, 1 in flight", Unit: "message", mode: "echo", counts: []int{1000, 1, 64}},
		{Name: "echo-64x16", Title: "echo 64 B, 1,000 conns, 16 in flight", Unit: "message", mode: "echo", counts: []int{1000, 16, 64}},
		{Name: "echo-16k", Title: "echo 16 KiB, 64 conns", Unit: "message", mode: "echo", counts: []int{64, 1, 16 << 10}},
		{Name: "broadcast", Title: "broadcast 64 B to 10,000", Unit: "delivery", Broadcast: true, mode: "broadcast", counts: []int{10000, 1, 64}},
		{Name: "connect", Title: "connect + upgrade", Unit: "connection", mode: "connect", counts: []int{64}},
		{Name: "echo-plain", Title: "echo 64 B of text, by roost loadtest", Unit: "message", mode: byHarness, counts: []int{500}},
		{Name: "echo-deflate", Title: "the same, deflated", Unit: "message", Deflate: true, mode: byHarness, counts: []int{500}},
		{Name: "echo-tls", Title: "the same, over TLS", Unit: "message", TLS: true, mode: byHarness, counts: []int{500}},
		{Name: "idle", Title: "10,000 idle conns", Unit: "connection", Idle: true, mode: "idle", counts: []int{10000}},
		{Name: "idle-deflate", Title: "10,000 idle, deflate agreed", Unit: "connection", Deflate: true, Idle: true, mode: "idle", counts: []int{10000}},
		{Name: "idle-tls", Title: "5,000 idle, TLS", Unit: "connection", TLS: true, Idle: true, mode: byTLS, counts: []int{5000}},
	}
}

// args are the C load's, for a server on 127.0.0.1:port.
func (w work) args(port int, seconds float64) []string {
	list := []string{w.mode, "127.0.0.1", strconv.Itoa(port)}
	if w.Deflate {
		list = append([]string{"-d"}, list...)
	}
	for _, n := range w.counts {
		list = append(list, strconv.Itoa(n))
	}
	if w.Idle {
		seconds = 1 // to settle in
	}
	return append(list, strconv.FormatFloat(seconds, 'f', -1, 64))
}

func workNames() []string {
	var list []string
	for _, w := range works() {
		list = append(list, w.Name)
	}
	return list
}
