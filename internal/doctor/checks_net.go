package doctor

import "fmt"

// burst is how many connections may arrive before the server comes to accept:
// what a fleet that connects again brings within some 100 ms.
const burst = 4096

func (x *examination) queues() {
	if x.o.Client {
		return
	}
	need := int64(min(x.o.Conns, burst))
	x.atLeast("net.core.somaxconn", x.m.SoMaxConn, need, Advice, "a burst of connections is dropped, and tries again after a second",
		sysctl("net.core.somaxconn", need))
	x.atLeast("net.ipv4.tcp_max_syn_backlog", x.m.SynBacklog, need, Advice, "in a burst, SYN cookies take the place of TCP options",
		sysctl("net.ipv4.tcp_max_syn_backlog", need))
}

// buffers checks what TCP may take when clients stall. An idle socket takes
// none of it.
func (x *examination) buffers() {
	conns := int64(x.o.Conns)
	// A socket with as little as one byte under way counts for a page.
	x.atLeast("net.ipv4.tcp_mem", x.m.TCPMem[2], conns, Advice,
		"pages; a broadcast has one of each connection under way, and above the limit TCP drops",
		sysctl("net.ipv4.tcp_mem", fmt.Sprintf("'%d %d %d'", conns/2, conns, 2*conns)))
	x.buffer("net.ipv4.tcp_rmem", x.m.RMem, "handlers that stall")
	x.buffer("net.ipv4.tcp_wmem", x.m.WMem, "clients that stall")
}

// buffer checks that all connections at their default size stay below half of
// the memory.
func (x *examination) buffer(name string, sizes [3]int64, who string) {
	c := Check{Name: name, Status: OK, Have: fmt.Sprintf("%d %d %d", sizes[0], sizes[1], sizes[2]), Need: "none while idle"}
	room := x.m.Memory / 2 / int64(x.o.Conns)
	switch {
	case sizes[1] < 0 || x.m.Memory < 0:
		c.Status, c.Have = Unknown, ""
	case sizes[1] > max(room, sizes[0]):
		c.Status = Advice
		c.Why = fmt.Sprintf("%s may hold %s of each connection in the kernel, %s in all", who, size(sizes[1]), size(sizes[1]*int64(x.o.Conns)))
		c.Mend = []string{sysctl(name, fmt.Sprintf("'%d %d %d'", sizes[0], max(sizes[0], room>>10<<10), sizes[2]))}
	}
	x.checks = append(x.checks, c)
}

// tracking checks conntrack, which holds nothing while no rule asks for it.
func (x *examination) tracking() {
	const name = "net.netfilter.nf_conntrack_max"
	need := int64(x.o.Conns) + max(0, x.m.Tracked)
	switch {
	case x.m.TrackedMax < 0:
		x.checks = append(x.checks, Check{Name: name, Status: OK, Have: "not loaded"})
	case x.m.Tracked <= 0:
		x.checks = append(x.checks, Check{Name: name, Status: OK, Have: count(x.m.TrackedMax) + ", tracks nothing"})
	default:
		in, out := "dport", "sport" // the server's port
		if x.o.Client {
			in, out = out, in
		}
		x.atLeast(name, x.m.TrackedMax, need, Fail, "packets of new connections are dropped when the table is full", sysctl(name, need+need/4),
			fmt.Sprintf("or: iptables -t raw -A PREROUTING -p tcp --%s 8080 -j NOTRACK && iptables -t raw -A OUTPUT -p tcp --%s 8080 -j NOTRACK", in, out))
	}
}

// ports checks what a client connects from: an address has one connection a
// port to the same destination.
func (x *examination) ports() {
	const name = "net.ipv4.ip_local_port_range"
	if x.m.PortHigh == 0 {
		x.checks = append(x.checks, Check{Name: name, Status: Unknown})
		return
	}
	have := fmt.Sprintf("%d to %d", x.m.PortLow, x.m.PortHigh)
	if !x.o.Client {
		x.checks = append(x.checks, Check{Name: name, Status: OK, Have: have, Need: "none: a server has one port"})
		return
	}
	most := x.needs.Ports * x.m.Sources
	c := Check{Name: name, Status: OK, Have: fmt.Sprintf("%s, times %d addresses: %s", have, x.m.Sources, count(int64(most))), Need: count(int64(x.o.Conns))}
	wide := (x.o.Conns + widestRange - 1) / widestRange
	mend := []string{
		sysctl("net.ipv4.ip_local_port_range", fmt.Sprintf("'%d %d'", firstPort, lastPort)),
		fmt.Sprintf("for i in $(seq 1 %d); do ip address add 10.0.$((i/250)).$((i%%250+1))/16 dev eth0; done # with your network and device", 2*wide),
		"or, to a server on this machine: roost loadtest idle … --source-ip " + loopbacks(2*wide),
	}
	switch {
	case most < x.o.Conns:
		c.Status, c.Why, c.Mend = Fail, "connect fails with EADDRNOTAVAIL when an address has no port left", mend
	case most < 2*x.o.Conns:
		c.Status, c.Why, c.Mend = Advice, "with more than half of the ports in use, connect searches long for a free one", mend
	}
	x.checks = append(x.checks, c)
}

// The widest range that leaves the well-known ports alone.
const (
	firstPort   = 1024
	lastPort    = 65535
	widestRange = lastPort - firstPort + 1
)

// loopbacks names n addresses of 127.0.0.0/8 from 127.0.0.2 on.
func loopbacks(n int) string {
	last := n + 1
	return fmt.Sprintf("127.0.0.2-127.%d.%d.%d", last>>16&255, last>>8&255, last&255)
}
