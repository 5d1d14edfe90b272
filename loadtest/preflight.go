package loadtest

import "fmt"

// Notice is something about this machine that will make connections fail, and
// what mends it.
type Notice struct {
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"` // a command where there is one
}

// spareDescriptors are those that a run needs besides its connections.
const spareDescriptors = 32

// preflight compares what a run needs with what the machine gives.
func preflight(o *Options, targets []target, s *server) (all []Notice) {
	warn := func(remedy, problem string, args ...any) { // a warner
		all = append(all, Notice{Problem: fmt.Sprintf(problem, args...), Remedy: remedy})
	}
	preflightOwn(o, warn)
	if !o.Part.watches() {
		return all
	}
	conns, parts := o.Conns, 1
	if o.Part.SameMachine {
		conns, parts = o.allConns, o.Part.parts()
	}
	for _, pid := range s.pids {
		limit := descriptorLimit(pid)
		if share := uint64(conns/len(s.pids) + spareDescriptors); limit > 0 && limit < share {
			warn(fmt.Sprintf("prlimit --nofile=%d --pid %d", share, pid),
				"the server (pid %d) may open %d descriptors, its share of the connections needs %d", pid, limit, share)
		}
	}
	preflightPorts(o, targets[0], (conns+len(targets)-1)/len(targets), warn)
	if n := sysctl("net/core/somaxconn"); n > 0 && n < o.Dialing*parts && s.local {
		warn(fmt.Sprintf("sysctl -w net.core.somaxconn=%d", o.Dialing*parts),
			"%d handshakes at a time may overflow the server's accept queue of at most %d", o.Dialing*parts, n)
	}
	if n := sysctl("net/netfilter/nf_conntrack_max"); n > 0 && n < conns {
		warn(fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", 2*conns),
			"connection tracking holds %d connections", n)
	}
	return all
}

// warner adds a notice.
type warner func(remedy, problem string, args ...any)

// preflightOwn checks this process's own limit, which each part of a run has.
func preflightOwn(o *Options, warn warner) {
	need := uint64(o.Conns + spareDescriptors)
	limit := maxDescriptors()
	if limit == 0 || limit >= need {
		return
	}
	remedy := fmt.Sprintf("as root: prlimit --nofile=%d --pid $$ (and sysctl fs.nr_open above it)", need)
	switch each := max(1, int(limit)-spareDescriptors); {
	case o.whole:
	case o.Part.parts() > 1 && !o.Part.SameMachine:
		remedy = "more agents, or " + remedy
	default:
		remedy = fmt.Sprintf("--procs %d, or %s", (o.allConns+each-1)/each, remedy)
	}
	warn(remedy,
		"%d connections need %d descriptors, this process may open %d: about %d connections will fail", o.Conns, need, limit, need-limit)
}

// preflightPorts checks whether source addresses have as many ports as the connections to one
// destination need.
func preflightPorts(o *Options, t target, conns int, warn warner) {
	low, high := portRange()
	if high == 0 {
		return
	}
	sources, ports := max(1, o.sourcesHere), high-low+1
	switch most := ports * sources; {
	case most < conns:
		warn(moreSources(conns, t, ports),
			"%d local ports (%d to %d) times %d source addresses are %d connections to one destination, fewer than %d",
			ports, low, high, sources, most, conns)
	case most < 2*conns:
		// It goes through the even half of the range before it takes an odd port
		// (__inet_hash_connect).
		warn(moreSources(conns, t, ports/2),
			"%d connections need more than half of %d local ports: connect searches long for a free one, and the connection rate is of that",
			conns, most)
	}
}

func moreSources(conns int, t target, ports int) string {
	sources := (conns + ports - 1) / ports
	if t.addr.Addr().IsLoopback() && t.addr.Addr().Is4() && sources < 250 {
		return fmt.Sprintf("--source-ip 127.0.0.2-127.0.0.%d", 1+sources)
	}
	return fmt.Sprintf("--source-ip with %d addresses of this machine, or: sysctl -w net.ipv4.ip_local_port_range='1024 65535'", sources)
}
