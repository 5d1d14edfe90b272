package push

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// getStats answers with the latest sample. The busiest and the largest channels
// are in it from the second after the first question.
func (s *Server) getStats(w http.ResponseWriter, _ *http.Request) {
	text := s.board.latest()
	if text == nil {
		w.Header().Set("Retry-After", "1")
		writeError(w, httpErrorf(http.StatusServiceUnavailable, "the first second is not over: ask again"))
		return
	}
	writeJSON(w, http.StatusOK, json.RawMessage(text))
}

// streamWrite is how long a viewer may take to accept one sample.
const streamWrite = 10 * time.Second

// getStream sends server-sent events: one "past" with what has been, then a sample
// a second until the viewer leaves or the server drains.
func (s *Server) getStream(w http.ResponseWriter, r *http.Request) {
	past, viewer, ok := s.board.watch()
	if !ok {
		writeError(w, httpErrorf(http.StatusServiceUnavailable, "%d dashboards are open, or the server is leaving: close one", boardViewers))
		return
	}
	defer s.board.leave(viewer)
	text, err := json.Marshal(past)
	if err != nil {
		return // numbers can be written
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	rc := http.NewResponseController(w)
	// The request has been read; its time limit would end the stream.
	if rc.SetReadDeadline(time.Time{}) != nil || sendEvent(w, rc, "event: past\n", text) != nil {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.board.quit:
			return
		case text := <-viewer:
			if sendEvent(w, rc, "", text) != nil {
				return // the viewer has gone, or doesn't read
			}
		}
	}
}

func sendEvent(w http.ResponseWriter, rc *http.ResponseController, head string, text []byte) error {
	if err := rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%sdata: %s\n\n", head, text); err != nil {
		return err
	}
	return rc.Flush()
}
