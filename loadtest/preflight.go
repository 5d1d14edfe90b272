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
func preflight(o *Options, t target, s *server) (all []Notice) {
	warn := func(remedy, problem string, args ...any) {
		all = append(all, Notice{Problem: fmt.Sprintf(problem, args...), Remedy: remedy})
	}
	need := uint64(o.Conns + spareDescriptors)
	if limit := maxDescriptors(); limit > 0 && limit < need {
		warn(fmt.Sprintf("as root: prlimit --nofile=%d --pid $$ (and sysctl fs.nr_open above it), or several processes", need),
			"%d connections need %d descriptors, this process may open %d: about %d connections will fail", o.Conns, need, limit, need-limit)
	}
	for _, pid := range s.pids {
		limit := descriptorLimit(pid)
		if share := uint64(o.Conns/len(s.pids) + spareDescriptors); limit > 0 && limit < share {
			warn(fmt.Sprintf("prlimit --nofile=%d --pid %d", share, pid),
				"the server (pid %d) may open %d descriptors, its share of the connections needs %d", pid, limit, share)
		}
	}
	if low, high := portRange(); high > 0 {
		sources, ports := max(1, len(o.Sources)), high-low+1
		switch most := ports * sources; {
		case most < o.Conns:
			warn(moreSources(o, t, ports),
				"%d local ports (%d to %d) times %d source addresses are %d connections to one destination, fewer than %d",
				ports, low, high, sources, most, o.Conns)
		case most < 2*o.Conns:
			// It goes through the even half of the range before it takes an odd port
			// (__inet_hash_connect).
			warn(moreSources(o, t, ports/2),
				"%d connections need more than half of %d local ports: connect searches long for a free one, and the connection rate is of that",
				o.Conns, most)
		}
	}
	if n := sysctl("net/core/somaxconn"); n > 0 && n < o.Dialing && s.local {
		warn(fmt.Sprintf("sysctl -w net.core.somaxconn=%d", o.Dialing),
			"%d handshakes at a time may overflow the server's accept queue of at most %d", o.Dialing, n)
	}
	if n := sysctl("net/netfilter/nf_conntrack_max"); n > 0 && n < o.Conns {
		warn(fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", 2*o.Conns),
			"connection tracking holds %d connections", n)
	}
	return all
}

func moreSources(o *Options, t target, ports int) string {
	sources := (o.Conns + ports - 1) / ports
	if t.addr.Addr().IsLoopback() && t.addr.Addr().Is4() && sources < 250 {
		return fmt.Sprintf("--source-ip 127.0.0.2-127.0.0.%d", 1+sources)
	}
	return fmt.Sprintf("--source-ip with %d addresses of this machine, or: sysctl -w net.ipv4.ip_local_port_range='1024 65535'", sources)
}
