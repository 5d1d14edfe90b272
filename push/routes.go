package push

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/roost-ws/roost/internal/uplot"
)

// httpError is an answer other than 200. Its text is for the caller: what was
// wrong, which limit holds, what to do.
type httpError struct {
	status int
	msg    string
}

func (e *httpError) Error() string { return e.msg }

func httpErrorf(status int, format string, args ...any) *httpError {
	return &httpError{status, fmt.Sprintf(format, args...)}
}

// routes lays out everything on the port that is no WebSocket.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(method, path string, h http.HandlerFunc) {
		mux.HandleFunc(method+" "+path, h)
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", method)
			writeError(w, httpErrorf(http.StatusMethodNotAllowed, "method %s is not allowed here: use %s", r.Method, method))
		})
	}
	handle("POST", "/apps/{id}/events", s.signed(s.postEvents))
	handle("POST", "/apps/{id}/batch_events", s.signed(s.postBatch))
	handle("GET", "/apps/{id}/channels", s.signed(s.getChannels))
	handle("GET", "/apps/{id}/channels/{name}", s.signed(s.getChannel))
	handle("GET", "/apps/{id}/channels/{name}/users", s.signed(s.getUsers))
	handle("POST", "/apps/{id}/users/{user}/terminate_connections", s.signed(s.postTerminate))
	handle("GET", "/healthz", s.getHealth)
	handle("GET", "/readyz", s.getReady)
	handle("GET", "/metrics", s.metrics())
	handle("GET", "/nodes", s.console(s.getNodes))
	mux.HandleFunc("/drain", s.console(s.serveDrain))
	handle("GET", "/console/state", s.console(s.getState))
	handle("GET", "/console/stats", s.console(s.getStats))
	handle("GET", "/console/stream", s.console(s.getStream))
	handle("POST", "/console/publish", s.console(s.postConsole))
	handle("GET", "/{$}", page("index.html"))
	handle("GET", "/roost.css", page("roost.css"))
	for _, name := range []string{"board.js", "charts.js", "console.js", "session.js", "tables.js"} {
		handle("GET", "/"+name, page(name))
	}
	handle("GET", "/uplot.js", serveText("uplot.js", []byte("/*\n"+uplot.Licence+"*/\n"+uplot.Script)))
	handle("GET", "/uplot.css", serveText("uplot.css", []byte(uplot.Style)))
	handle("GET", "/roost.js", module("roost.js"))
	mux.HandleFunc("/app/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		writeError(w, httpErrorf(http.StatusUpgradeRequired, "this is a WebSocket: connect to it as ws:// or wss://"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, httpErrorf(http.StatusNotFound, "nothing at %s: the API is below /apps/, the console at /", clip(r.URL.Path)))
	})
	return bounded(mux)
}

// requestTime is the most that one request may take, its body included, so that
// a caller who sends or reads a byte at a time holds nothing for long.
const requestTime = 30 * time.Second

func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end := time.Now().Add(requestTime)
		rc := http.NewResponseController(w)
		// Writers without deadlines, as in tests, have no connection to hold.
		_ = rc.SetReadDeadline(end)
		_ = rc.SetWriteDeadline(end)
		next.ServeHTTP(w, r)
	})
}

// getHealth: the process answers, so it need not be restarted.
func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "ok\n")
}

// getReady: new connections are welcome and can be held, and events be published.
func (s *Server) getReady(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		writeText(w, http.StatusServiceUnavailable, "draining\n")
		return
	}
	if err := s.opts.Bus.Ready(); err != nil {
		writeText(w, http.StatusServiceUnavailable, "bus: "+err.Error()+"\n")
		return
	}
	if e := s.engine.Load(); e != nil {
		if m := e.Stats().Memory; m.Full {
			writeText(w, http.StatusServiceUnavailable, fmt.Sprintf("memory: connections hold %d bytes of a budget of %d: wait, or give the process more\n", m.Used, m.Budget))
			return
		}
	}
	writeText(w, http.StatusOK, "ready\n")
}

// The writes below fail when the caller has gone, who then needs no answer.

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func writeError(w http.ResponseWriter, e *httpError) {
	writeJSON(w, e.status, map[string]string{"error": e.msg})
}

// clip keeps what a caller sent from filling the answer.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
