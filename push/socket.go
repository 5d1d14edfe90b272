package push

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// verifyOrigin keeps pages of other sites out, when origins are given. Clients
// that are no browser send none and may come.
func (s *Server) verifyOrigin(r *engine.Request) error {
	origin := r.Header("Origin")
	if len(s.opts.AllowedOrigins) == 0 || origin == "" || slices.Contains(s.opts.AllowedOrigins, origin) {
		return nil
	}
	s.counts.refused.Add(1)
	s.refused("origin", nil, addressOf(r.RemoteAddr()), clip(origin)+" is not one of the allowed origins")
	return &engine.RejectError{Status: http.StatusForbidden, Msg: "origin is not allowed here: add it to the allowed origins"}
}

const goesDown = "server is shutting down: try again"

// open greets a connection, or refuses it by a close code: a browser could not
// read the status of a failed upgrade.
func (s *Server) open(c *engine.Conn, r *engine.Request) {
	if s.draining.Load() {
		// By a close code and not by 503: after that pusher-js waits 15 s. Nothing of
		// the request is looked at.
		s.counts.refused.Add(1)
		s.disconnect(c, false, protocol.CodeOverCapacity, goesDown)
		return
	}
	query := r.Query()
	version, _ := strconv.Atoi(query.Get("protocol")) // 0 is refused with the rest
	a, code, msg := s.admit(r.Path(), query, version)
	if code != 0 {
		s.counts.refused.Add(1)
		s.disconnect(c, version < readsCodes, code, msg)
		return
	}
	ss := &session{app: a, id: s.conns.add(c), legacy: version < readsCodes}
	c.SetData(ss)
	if code, msg := s.verdict(a); code != 0 { // UpdateApps may have looked before c was there to be found
		s.disconnect(c, ss.legacy, code, msg)
		return
	}
	if s.draining.Load() { // likewise a drain that has begun meanwhile
		s.disconnect(c, ss.legacy, protocol.CodeOverCapacity, goesDown)
		return
	}
	hello := fmt.Sprintf(`{"socket_id":"%s","activity_timeout":%d}`, ss.id, int(s.opts.ActivityTimeout/time.Second))
	s.send(c, protocol.EventConnected, "", protocol.AppendString(nil, hello))
	if wait := a.now().AuthTimeout; wait > 0 {
		ss.auth = time.AfterFunc(wait, func() {
			s.disconnect(c, ss.legacy, protocol.CodeUnauthorized, "connection was not authorized in time: sign in or subscribe with a signature")
		})
	}
}

// clientVersion is what a client may call its version, as "8.6.0" or "1.0-rc2".
var clientVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.+_-]{0,31}$`)

// readsCodes is the version of the protocol since which clients read close codes
// and are sent no error besides.
const readsCodes = 6

// admit returns the app, with the connection counted, or a close code and its
// reason.
func (s *Server) admit(path string, query url.Values, version int) (a *app, code int, msg string) {
	key, ok := strings.CutPrefix(path, "/app/")
	if !ok {
		return nil, protocol.CodeUnknownPath, "path not found: connect to /app/KEY"
	}
	a = s.tenants().byKey[key] // keys are public: how long the search takes may be known
	switch {
	case a == nil:
		return nil, protocol.CodeUnknownApp, "no app has this key: check the app key"
	case a.now().Disabled:
		return nil, protocol.CodeAppDisabled, "the app is disabled: enable it"
	case query.Get("protocol") == "":
		return nil, protocol.CodeNoProtocol, "no protocol version: add ?protocol=7"
	case version < protocol.MinVersion || version > protocol.MaxVersion:
		return nil, protocol.CodeUnsupportedProtocol, "unsupported protocol version: 5, 6 and 7 are spoken"
	}
	if v := query.Get("version"); v != "" && !clientVersion.MatchString(v) {
		return nil, protocol.CodeInvalidVersion, "client version must look like 1.9.3"
	}
	if n, most := a.conns.Add(1), a.now().Limits.MaxConns; most > 0 && n > int64(most) {
		a.conns.Add(-1)
		return nil, protocol.CodeOverQuota, fmt.Sprintf("the app has %d connections and may have no more", most)
	}
	return a, 0, ""
}

// disconnect closes, and tells a legacy client why in a frame before. reason is
// at most 123 bytes (RFC 6455 5.5).
func (s *Server) disconnect(c *engine.Conn, legacy bool, code int, reason string) {
	if legacy {
		s.fail(c, code, reason)
	}
	// A connection that is closing already needs nothing more.
	_ = c.Close(engine.CloseCode(code), reason)
}

// fail sends pusher:error. Code 0 means none.
func (s *Server) fail(c *engine.Conn, code int, msg string) {
	number := []byte("null")
	if code != 0 {
		number = strconv.AppendInt(nil, int64(code), 10)
	}
	data := append(append([]byte(`{"code":`), number...), `,"message":`...)
	s.send(c, protocol.EventError, "", append(protocol.AppendString(data, msg), '}'))
}

// send reports whether the client will get the frame, or else the end of its
// connection.
func (s *Server) send(c *engine.Conn, event, channel string, data []byte) bool {
	return sendFrame(c, protocol.AppendFrame(nil, event, channel, data))
}

// sendFrame closes a connection that a frame was refused for, as when the memory
// budget is used up: a client that goes on without it would miss it for ever.
func sendFrame(c *engine.Conn, frame []byte) bool {
	if c.Send(engine.Text, frame) == nil {
		return true
	}
	// A connection that is closing already needs nothing more.
	_ = c.Close(protocol.CodeOverCapacity, "the server has no memory for what is to be sent: try again later")
	return false
}

func (s *Server) message(c *engine.Conn, m engine.Message) {
	ss := sessionOf(c)
	if ss == nil {
		return
	}
	s.counts.clientMessages.Add(1)
	if m.Binary {
		_ = c.Close(1003, "binary messages are not part of the protocol: send text")
		return
	}
	rate := ss.app.now().Limits.MessageRate
	if !ss.messages.allow(time.Since(s.start), time.Second/time.Duration(rate), ss.app.now().Limits.MessageBurst, 1) {
		s.counts.rateLimited.Add(1)
		s.disconnect(c, ss.legacy, protocol.CodeOverCapacity, fmt.Sprintf("more than %d messages a second: send fewer", rate))
		return
	}
	var f protocol.Frame
	if err := json.Unmarshal(m.Data, &f); err != nil {
		s.fail(c, 0, `message is no JSON object {"event":…,"data":…}`)
		return
	}
	switch f.Event {
	case protocol.EventPing:
		s.send(c, protocol.EventPong, "", []byte(`"{}"`))
	case protocol.EventPong:
	case protocol.EventSubscribe:
		s.subscribe(c, ss, f)
	case protocol.EventUnsubscribe:
		s.unsubscribe(c, ss, f)
	case protocol.EventSignin:
		s.signin(c, ss, f)
	default:
		if strings.HasPrefix(f.Event, clientPrefix) {
			s.clientEvent(c, ss, f)
			return
		}
		s.unknown(c, f.Event)
	}
}

func (s *Server) unknown(c *engine.Conn, event string) {
	if len(event) > protocol.MaxEventName {
		event = event[:protocol.MaxEventName]
	}
	s.fail(c, 0, fmt.Sprintf("event %q is not understood: send pusher:subscribe, pusher:unsubscribe, pusher:signin or pusher:ping", event))
}

// closed: the engine has taken the connection out of its topics already.
func (s *Server) closed(c *engine.Conn, _ engine.CloseCode, _ string) {
	ss := sessionOf(c)
	if ss == nil {
		return
	}
	ss.authorized()
	for _, m := range ss.subs {
		ss.app.leave(m)
	}
	ss.subs = nil
	if ss.user != nil {
		if ss.app.users.leave(c, ss.user) {
			s.fleet.userChanged(ss.app, ss.user.id)
		}
	}
	ss.app.conns.Add(-1)
	s.conns.remove(ss.id)
}
