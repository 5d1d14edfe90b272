package main

import "strconv"

// A work is one thing that servers are asked to do. Its unit is what the load
// counts, and what CPU is divided by.
type work struct {
	Name      string // on the command line, in results.json and in file names
	Title     string // in tables and plots
	Unit      string // message, delivery, connection
	Broadcast bool   // the server runs with its broadcast flag
	Idle      bool   // bytes are the result, not CPU
	mode      string
	counts    []int // the load's arguments between the port and the seconds
}

func (w work) name() string { return w.Name }

func works() []work {
	return []work{
		{Name: "echo-64x1", Title: "echo 64 B, 1,000 conns, 1 in flight", Unit: "message", mode: "echo", counts: []int{1000, 1, 64}},
		{Name: "echo-64x16", Title: "echo 64 B, 1,000 conns, 16 in flight", Unit: "message", mode: "echo", counts: []int{1000, 16, 64}},
		{Name: "echo-16k", Title: "echo 16 KiB, 64 conns", Unit: "message", mode: "echo", counts: []int{64, 1, 16 << 10}},
		{Name: "broadcast", Title: "broadcast 64 B to 10,000", Unit: "delivery", Broadcast: true, mode: "broadcast", counts: []int{10000, 1, 64}},
		{Name: "connect", Title: "connect + upgrade", Unit: "connection", mode: "connect", counts: []int{64}},
		{Name: "idle", Title: "10,000 idle conns", Unit: "connection", Idle: true, mode: "idle", counts: []int{10000}},
	}
}

// args are the load's, for a server on 127.0.0.1:port.
func (w work) args(port int, seconds float64) []string {
	list := []string{w.mode, "127.0.0.1", strconv.Itoa(port)}
	for _, n := range w.counts {
		list = append(list, strconv.Itoa(n))
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
