package push

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// clockSkew is how far a request's timestamp may be off (Pusher's figure). Within
// it a captured request can be sent again; TLS is what keeps it from capture.
const clockSkew = 600 * time.Second

// signedHandler answers what a's backend has signed.
type signedHandler func(a *app, r *http.Request, body []byte) (any, *httpError)

// signed lets through what the app's backend has signed, body read and checked.
// The signature covers the body's digest, so who can't sign has no body read.
func (s *Server) signed(next signedHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := s.serveSigned(w, r, next)
		if err != nil {
			s.counts.apiErrors.Add(1)
			if err.status == http.StatusUnauthorized {
				s.refused("API request", s.tenants().byID[r.PathValue("id")], r.RemoteAddr, err.msg)
			}
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

func (s *Server) serveSigned(w http.ResponseWriter, r *http.Request, next signedHandler) (any, *httpError) {
	a := s.tenants().byID[r.PathValue("id")]
	if a == nil {
		return nil, httpErrorf(http.StatusNotFound, "no app %q here: check the app id", clip(r.PathValue("id")))
	}
	query, err := a.checkSignature(r, time.Now())
	if err != nil {
		return nil, err
	}
	if a.now().Disabled {
		return nil, httpErrorf(http.StatusForbidden, "app %s is disabled: enable it", a.ID)
	}
	limit := a.maxBody(r.URL.Path)
	body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if readErr != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](readErr); ok {
			return nil, httpErrorf(http.StatusRequestEntityTooLarge, "body is larger than %d bytes: send less, or in several requests", limit)
		}
		return nil, httpErrorf(http.StatusBadRequest, "body could not be read: send it whole")
	}
	if digest := query.Get("body_md5"); (digest != "" || len(body) > 0) && !protocol.Equal(digest, protocol.BodyMD5(body)) {
		return nil, httpErrorf(http.StatusUnauthorized, "body_md5 is not the MD5 of the %d bytes of the body: sign the bytes that are sent", len(body))
	}
	return next(a, r, body)
}

// checkSignature returns the query when its signature is the app's.
func (a *app) checkSignature(r *http.Request, now time.Time) (url.Values, *httpError) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, httpErrorf(http.StatusBadRequest, "query can't be read: escape it as RFC 3986 says")
	}
	if err := checkQuery(query); err != nil {
		return nil, err
	}
	if query.Get("auth_version") != "1.0" {
		return nil, httpErrorf(http.StatusUnauthorized, "auth_version must be 1.0: sign as the Pusher HTTP API has it")
	}
	if !protocol.Equal(query.Get("auth_key"), a.Key) { // not repeated: it may be the secret in the wrong place
		return nil, httpErrorf(http.StatusUnauthorized, "auth_key is not the key of app %s: check the key", a.ID)
	}
	if err := checkTimestamp(query.Get("auth_timestamp"), now); err != nil {
		return nil, err
	}
	// Clients differ in whether they sign the path escaped.
	got := query.Get("auth_signature")
	for _, path := range []string{r.URL.EscapedPath(), r.URL.Path} {
		if a.now().signed(got, func(secret string) string { return protocol.SignRequest(secret, r.Method, path, query) }) {
			return query, nil
		}
	}
	return nil, httpErrorf(http.StatusUnauthorized, "auth_signature is wrong: sign %s, %s and the sorted query with the app's secret", r.Method, clip(r.URL.Path))
}

// checkQuery refuses what could be split into parameters in a second way: the
// signed text doesn't escape values.
func checkQuery(query url.Values) *httpError {
	for key, values := range query {
		if len(values) != 1 || strings.ContainsAny(key+values[0], "&\n") || strings.Contains(key, "=") {
			return httpErrorf(http.StatusBadRequest, "query parameter %q comes twice or holds & or a line break: send it once and without", clip(key))
		}
	}
	return nil
}

func checkTimestamp(text string, now time.Time) *httpError {
	sec, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return httpErrorf(http.StatusUnauthorized, "auth_timestamp %q is no number of seconds since 1970", clip(text))
	}
	// Compared in seconds, because a Duration can't hold every int64 of them.
	if off := now.Unix() - sec; off > int64(clockSkew/time.Second) || off < -int64(clockSkew/time.Second) {
		return httpErrorf(http.StatusUnauthorized, "auth_timestamp %d is %d s off the server's %d and may be %d: set the clock", sec, off, now.Unix(), int64(clockSkew/time.Second))
	}
	return nil
}
