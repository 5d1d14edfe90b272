package loadtest

// ServerSample is what the server under test and its kernel hold at one moment. Each
// figure is -1 when it is not known.
type ServerSample struct {
	PSS         int64 `json:"pss"`         // bytes: RSS, but pages that processes share counted once
	Descriptors int   `json:"descriptors"` // open
	// The kernel of this machine: of both ends when the server runs here.
	Slab          int64 `json:"slab"`           // bytes of all slab caches
	SocketBuffers int64 `json:"socket_buffers"` // bytes of TCP's buffers
	// Cgroup is what the kernel holds for the server's control group, where it is in one.
	Cgroup *CgroupMemory `json:"cgroup,omitempty"`
}

// CgroupMemory is the kernel's part of a control group's memory.stat, in bytes; -1 when not told.
type CgroupMemory struct {
	Kernel int64 `json:"kernel"`
	Sock   int64 `json:"sock"` // of sockets' buffers
}

// watch reads the server's figures; nil when nothing is known of it.
func (d *driver) watch(pss int64) *ServerSample {
	if len(d.server.pids) == 0 {
		return nil
	}
	s := ServerSample{PSS: pss, Descriptors: d.server.descriptors(), Cgroup: d.kernel.cgroup(d.server.cgroup)}
	s.Slab, s.SocketBuffers = d.kernel.totals()
	return &s
}

// ServerPeak is the most that the server held at a sample. 0 = not known.
type ServerPeak struct {
	RSS           int64   `json:"rss"`
	PSS           int64   `json:"pss"`
	Descriptors   int     `json:"descriptors"`
	SocketBuffers int64   `json:"socket_buffers"`
	Cores         float64 `json:"cores"` // over a sample's interval
}

// peakOf is nil when the samples know nothing of a server.
func peakOf(samples []Sample) *ServerPeak {
	var p ServerPeak
	for i := range samples {
		s := &samples[i]
		p.RSS, p.Cores = max(p.RSS, s.ServerRSS), max(p.Cores, s.ServerCores)
		if w := s.Server; w != nil {
			p.PSS, p.Descriptors, p.SocketBuffers = max(p.PSS, w.PSS), max(p.Descriptors, w.Descriptors), max(p.SocketBuffers, w.SocketBuffers)
		}
	}
	if p == (ServerPeak{}) {
		return nil
	}
	return &p
}
