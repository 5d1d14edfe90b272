package engine

import (
	"net/http"

	"github.com/roost-ws/roost/codec"
)

// upgrade is what the answer to a good request says.
type upgrade struct {
	offered    []string // subprotocols
	protocol   string
	extensions string
	deflate    *deflate // nil when not agreed
	header     http.Header
}

// examine runs the handshake's checks that come before the hooks which verify, in
// the order that Node's ws has them.
func (s *Server) examine(r *Request) (up upgrade, err error) {
	defer s.contain(&err)
	if r.raw != nil {
		err = r.raw.CheckUpgrade()
	} else {
		err = codec.CheckHTTP(r.http)
	}
	if err != nil {
		return up, err
	}
	if !s.shouldHandle(r) {
		return up, &RejectError{Status: http.StatusBadRequest}
	}
	if list, ok := r.lookup("Sec-WebSocket-Protocol"); ok {
		if up.offered, err = codec.ParseProtocols(list); err != nil {
			return up, err
		}
	}
	if list, ok := r.lookup("Sec-WebSocket-Extensions"); ok && s.policy.deflate != nil {
		err = up.negotiate(s.policy.deflate, list)
	}
	return up, err
}

// settle is what comes after the verdict.
func (s *Server) settle(up *upgrade, r *Request) (err error) {
	defer s.contain(&err)
	if s.closing.Load() || s.e.closing.Load() {
		return &RejectError{Status: http.StatusServiceUnavailable}
	}
	if s.e.budget.limit != 0 && s.e.budget.refuses() {
		return &RejectError{Status: http.StatusServiceUnavailable, Msg: "Out of memory", Header: http.Header{"Retry-After": {"5"}}}
	}
	if len(up.offered) > 0 {
		up.protocol = up.offered[0]
		if s.opts.HandleProtocols != nil {
			up.protocol = s.opts.HandleProtocols(up.offered, r)
		}
	}
	if s.opts.Headers != nil {
		up.header = make(http.Header)
		s.opts.Headers(up.header, r)
	}
	return nil
}

func (up *upgrade) negotiate(d *DeflateOptions, offers string) error {
	params, answer, ok, err := d.Negotiate(offers)
	if err == nil && ok {
		up.extensions, up.deflate = answer, newDeflate(params, false)
	}
	return err
}

// ShouldHandle reports whether r's path is one of ours. It is for who routes
// requests to several servers.
func (s *Server) ShouldHandle(r *http.Request) bool { return s.shouldHandle(&Request{http: r}) }

func (s *Server) shouldHandle(r *Request) bool {
	switch {
	case s.opts.ShouldHandle != nil:
		return s.opts.ShouldHandle(r)
	case s.opts.Path != "":
		return r.Path() == s.opts.Path
	}
	return true
}
