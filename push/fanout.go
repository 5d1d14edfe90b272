package push

import (
	"math/rand/v2"
	"slices"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// deliver fans an event out to the subscribers here. Data is encoded once, the
// frame once a channel.
func (s *Server) deliver(e *Event) {
	if e.Lost {
		s.sendBack()
		return
	}
	a := s.tenants().byID[e.App]
	if a == nil {
		return
	}
	if e.Terminate != "" {
		s.terminate(a, e.Terminate)
		return
	}
	defer s.tracer.fanOut(e)()
	var data, frame []byte
	var except *engine.Conn
	for _, name := range e.Channels {
		ch := a.hub.find(name)
		if ch == nil {
			continue
		}
		if data == nil {
			data = protocol.AppendString(make([]byte, 0, len(e.Data)+len(e.Data)/8+2), e.Data)
			except = s.conns.find(e.Except)
		}
		frame = appendEvent(frame[:0], e, name, data, ch.traced)
		ch.topic.PublishExcept(except, engine.Text, frame) // copies frame
		s.counts.fannedOut.Add(1)
		a.traffic.count(ch)
	}
}

// sendBack closes the connections that may have missed events of a channel with
// history. They come back with the positions that they know, and get what they
// missed or are told. All are closed before the next event is delivered, whose
// position would cover the gap; their returns are spread.
func (s *Server) sendBack() {
	conns := slices.DeleteFunc(s.conns.all(), func(c *engine.Conn) bool {
		ss := sessionOf(c)
		return ss == nil || !ss.resumes.Load()
	})
	spread := returning(len(conns), s.opts.DrainWindow)
	for _, c := range conns {
		s.sendElsewhere(c, "events may be missing: reconnect and resume", rand.N(spread))
	}
}

// appendEvent appends the frame that subscribers of channel get; data is e's, as
// JSON, and traced says whether they learn of the event's trace.
func appendEvent(dst []byte, e *Event, channel string, data []byte, traced bool) []byte {
	dst = protocol.AppendFrame(dst, e.Name, channel, data)
	if e.UserID != "" {
		dst = protocol.AppendUserID(dst, e.UserID)
	}
	if e.Position.Epoch != "" {
		dst = protocol.AppendPosition(dst, e.Position)
	}
	if traced && e.Trace.Parent != "" {
		dst = protocol.AppendTrace(dst, e.Trace.Parent)
	}
	return dst
}
