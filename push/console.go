package push

import (
	"bytes"
	"embed"
	"encoding/json"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

//go:embed web
var web embed.FS

// policy lets the page load its own two files and talk to its own server, and
// nothing else; no other page may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page serves an embedded file. They hold no secret, so anyone may read them.
func page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := web.ReadFile("web/" + name)
		if err != nil {
			writeError(w, httpErrorf(http.StatusNotFound, "no file %s", name))
			return
		}
		serveText(name, text)(w, r)
	}
}

func serveText(name string, text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
	}
}

// module serves a script that pages of other sites may import.
func module(name string) http.HandlerFunc {
	serve := page(name)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		serve(w, r)
	}
}

// console lets through what comes from the page with the token. The Host check
// keeps out a foreign page whose name was rebound to this address, the Origin
// check any other; and the token is in a header, which no form can set.
func (s *Server) console(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.checkConsole(r); err != nil {
			s.counts.apiErrors.Add(1)
			s.refused("console request", nil, r.RemoteAddr, err.msg)
			writeError(w, err)
			return
		}
		next(w, r)
	}
}

func (s *Server) checkConsole(r *http.Request) *httpError {
	if !s.servesHost(r.Host) {
		return httpErrorf(http.StatusForbidden, "host %q is not one of this console: open it by localhost or an IP address, or add the name to the hosts", clip(r.Host))
	}
	if origin := r.Header.Get("Origin"); origin != "" && !ofHost(origin, r.Host) {
		return httpErrorf(http.StatusForbidden, "origin %q is another site: open the console of this server", clip(origin))
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !protocol.Equal(token, s.opts.Token) {
		return httpErrorf(http.StatusUnauthorized, "token is missing or wrong: open the address that the server printed when it started")
	}
	return nil
}

func (s *Server) servesHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == "localhost" || net.ParseIP(host) != nil || slices.ContainsFunc(s.opts.Hosts, func(h string) bool {
		return strings.EqualFold(h, host)
	})
}

func ofHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// getState is what the page needs to connect. Keys are public.
func (s *Server) getState(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	}
	list := s.tenants().list
	apps := make([]entry, len(list))
	for i, a := range list {
		apps[i] = entry{a.ID, a.Key}
	}
	a := list[0]
	writeJSON(w, http.StatusOK, map[string]any{
		"app_id": a.ID, "key": a.Key, "apps": apps,
		"connections": s.conns.size(), "channels": s.channels(), "subscriptions": s.subscriptions(),
		"published": s.counts.published.Load(), "uptime": int(time.Since(s.start).Seconds()),
		"max_data": a.now().Limits.MaxData, "draining": s.draining.Load(),
	})
}

func (s *Server) postConsole(w http.ResponseWriter, r *http.Request) {
	err := s.consolePublish(w, r)
	if err != nil {
		s.counts.apiErrors.Add(1)
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

func (s *Server) consolePublish(w http.ResponseWriter, r *http.Request) *httpError {
	t := s.tenants()
	a := t.list[0]
	if id := r.URL.Query().Get("app"); id != "" {
		a = t.byID[id]
	}
	if a == nil {
		return httpErrorf(http.StatusNotFound, "no app %q here: choose one of the apps", clip(r.URL.Query().Get("app")))
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return httpErrorf(http.StatusUnsupportedMediaType, "content type must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.maxBody("")))
	if err != nil {
		return httpErrorf(http.StatusRequestEntityTooLarge, "body is larger than %d bytes or was cut off: send less", a.maxBody(""))
	}
	var p publication
	if err := json.Unmarshal(body, &p); err != nil {
		return httpErrorf(http.StatusBadRequest, "body is no event: %v", err)
	}
	e, bad := a.event(&p)
	if bad != nil {
		return bad
	}
	return s.publishAll(r.Context(), a, []*Event{e})
}
