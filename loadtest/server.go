package loadtest

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"time"
)

// server is the server under test, as this machine shows it.
type server struct {
	local  bool // it is on this machine
	found  bool
	pids   []int
	memory []*procFile // opened at the start: at the descriptor limit it would be too late
	cgroup *os.File    // memory.stat of the first process's control group; nil without one
}

// findServer looks for the processes that listen on the targets, unless they are named.
func findServer(all []target, named []int) *server {
	s := &server{local: isLocal(all[0].addr.Addr()), pids: named}
	if len(named) == 0 {
		for _, e := range all {
			if isLocal(e.addr.Addr()) {
				s.pids = append(s.pids, listeners(e.addr)...)
			}
		}
		slices.Sort(s.pids)
		s.pids = slices.Compact(s.pids)
		s.found = len(s.pids) > 0
	}
	for _, pid := range s.pids {
		if f := openMemory(pid); f != nil {
			s.memory = append(s.memory, f)
		}
	}
	if len(s.pids) > 0 {
		s.cgroup = openCgroup(s.pids[0])
	}
	return s
}

// server is the one under test, or nothing known when another part of the run watches it.
func (o *Options) server(all []target) *server {
	if !o.Part.watches() {
		return &server{local: isLocal(all[0].addr.Addr())}
	}
	return findServer(all, o.ServerPIDs)
}

// isLocal reports whether a is one of this machine's addresses.
func isLocal(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, i := range all {
		if p, err := netip.ParsePrefix(i.String()); err == nil && p.Addr().Unmap() == a {
			return true
		}
	}
	return false
}

func (s *server) describe() *Server {
	if len(s.pids) == 0 {
		return nil
	}
	return &Server{PIDs: s.pids, Found: s.found}
}

// cpu is processor time that all processes have used together, 0 when unknown.
func (s *server) cpu() (sum time.Duration) {
	for _, pid := range s.pids {
		t, ok := processCPU(pid)
		if !ok {
			return 0
		}
		sum += t
	}
	return sum
}

// known reports whether cpu knows.
func (s *server) known() bool { return s.cpu() > 0 }

// resident is the memory of all processes together, RSS and PSS, each -1 when unknown.
func (s *server) resident() (rss, pss int64) {
	if len(s.memory) == 0 || len(s.memory) < len(s.pids) {
		return -1, -1
	}
	for _, f := range s.memory {
		r, p := f.resident()
		if r < 0 {
			return -1, -1
		}
		if rss += r; p < 0 || pss < 0 {
			pss = -1
			continue
		}
		pss += p
	}
	return rss, pss
}

func (s *server) rss() int64 {
	rss, _ := s.resident()
	return rss
}

// descriptors are those of all processes together, -1 when unknown.
func (s *server) descriptors() (sum int) {
	if len(s.pids) == 0 {
		return -1
	}
	for _, pid := range s.pids {
		n := descriptorsOf(pid)
		if n < 0 {
			return -1
		}
		sum += n
	}
	return sum
}

func (s *server) close() {
	for _, f := range s.memory {
		f.close()
	}
	if s.cgroup != nil {
		_ = s.cgroup.Close()
	}
}

// cpuTimes is this process's own.
type cpuTimes struct{ total, system time.Duration }
