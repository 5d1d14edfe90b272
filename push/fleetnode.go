package push

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

// rates are what counters had at the last beat.
type rates struct {
	at              time.Time
	published, sent float64
}

// self is what this server tells of itself. Only the teller calls it.
func (f *fleet) self(now time.Time) Node {
	s := f.s
	n := Node{
		ID: f.id, Addr: f.listensAt(), Version: clipTo(s.opts.Version, maxNodeText), Start: f.start,
		Connections: s.conns.size(), Channels: int(s.channels()), Subscriptions: int(s.subscriptions()),
		Draining: s.draining.Load(), Owner: f.owner.Load(),
	}
	last := f.rates
	f.rates = rates{now, float64(s.counts.published.Load()), float64(s.counts.fannedOut.Load())}
	if e := s.engine.Load(); e != nil {
		f.rates.sent = float64(e.Stats().MessagesOut)
	}
	if past := now.Sub(last.at).Seconds(); !last.at.IsZero() && past > 0 {
		n.Published, n.Sent = (f.rates.published-last.published)/past, (f.rates.sent-last.sent)/past
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.selfSeen = n
	return n
}

func (f *fleet) listensAt() string {
	if addr := f.addr.Load(); addr != nil {
		return clipTo(*addr, maxNodeText)
	}
	return ""
}

// Nodes returns the servers of the fleet, this one first, as of their last beat a
// second ago or less.
func (s *Server) Nodes() []Node {
	f := s.fleet
	f.mu.RLock()
	defer f.mu.RUnlock()
	self := f.selfSeen
	self.Self = true
	nodes := []Node{self}
	for _, p := range f.peers {
		nodes = append(nodes, p.node)
	}
	slices.SortFunc(nodes[1:], func(a, b Node) int { return cmp.Or(cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.ID, b.ID)) })
	return nodes
}

// getNodes shows operators the fleet.
func (s *Server) getNodes(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"nodes": s.Nodes()})
}

func clipTo(s string, most int) string { return s[:min(len(s), most)] }
