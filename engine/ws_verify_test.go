//go:build unix

package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// through runs f against the engine's own listener and behind an http.Server: a rule
// of the handshake holds for both.
func through(t *testing.T, f func(t *testing.T, start func(ServerOptions) (*Server, string))) {
	t.Run("listener", func(t *testing.T) {
		f(t, func(o ServerOptions) (*Server, string) { s := serve(t, o); return s, s.Addr().String() })
	})
	t.Run("loop", func(t *testing.T) {
		f(t, func(o ServerOptions) (*Server, string) {
			o.Config.Dispatch = DispatchLoop
			s := serve(t, o)
			return s, s.Addr().String()
		})
	})
	t.Run("http.Server", func(t *testing.T) {
		f(t, func(o ServerOptions) (*Server, string) {
			o.NoServer = true
			s := start(t, o)
			return s, behind(t, s)
		})
	})
}

// Scenarios 37 and 41.
func TestVerifyClient(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
		j := newJournal()
		_, addr := start(ServerOptions{Handler: j.handler(), VerifyClient: func(info *VerifyInfo) bool {
			j.note("%q %v %s", info.Origin, info.Secure, info.Req.Header("X-Key"))
			return info.Req.Header("X-Key") == "good"
		}})
		p := connectTo(t, addr)
		p.write(request(get, "X-Key: good", "Origin: http://a", "Sec-WebSocket-Origin: http://b"))
		p.switched()
		j.want(t, `"http://a" false good`, "open")
		p = connectTo(t, addr)
		p.write(request(get, "X-Key: bad", "Sec-WebSocket-Version: 8", "Origin: http://a", "Sec-WebSocket-Origin: http://b"))
		p.wantBody(401, "Unauthorized")
		p.end()
		j.want(t, `"http://b" false bad`)
	})
}

// Scenarios 38 to 40.
func TestVerifyClientAsync(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
		type question struct {
			ctx  context.Context
			info *VerifyInfo
			done VerifyCallback
		}
		questions := make(chan question, 1)
		j := newJournal()
		_, addr := start(ServerOptions{Handler: j.echo(), VerifyClientAsync: func(ctx context.Context, info *VerifyInfo, done VerifyCallback) {
			questions <- question{ctx, info, done}
		}})
		ask := func(behind ...[]byte) (*peer, question) {
			p := connectTo(t, addr)
			p.write(append([][]byte{request("GET /a?b HTTP/1.1", "Origin: o", "Sec-WebSocket-Protocol: p")}, behind...)...)
			return p, receive(t, questions, "the question")
		}
		p, q := ask(frameOf(Text, "with the request"))
		p.text("while it waits")
		if q.info.Origin != "o" || q.info.Req.Target() != "/a?b" || q.ctx.Err() != nil {
			t.Fatal(q.info, q.ctx.Err())
		}
		q.done(true, 404, "stands for nothing", nil)
		q.done(false, 0, "", nil) // too late
		if res := p.switched(); res.Header.Get("Sec-WebSocket-Protocol") != "p" {
			t.Fatal(res.Header)
		}
		p.want("text with the request", "text while it waits")
		j.want(t, "open", "text with the request", "text while it waits")
		receive(t, q.ctx.Done(), "the end of ctx")
		for _, tc := range []struct {
			code       int
			name, body string
			status     int
			header     http.Header
		}{
			{0, "", "Unauthorized", 401, nil},
			{404, "", "Not Found", 404, nil},
			{403, "Nope", "Nope", 403, nil},
			{503, "", "Service Unavailable", 503, http.Header{"Retry-After": {"120"}}},
			{499, "gone", "gone", 499, nil},
		} {
			p, q := ask()
			q.done(false, tc.code, tc.name, tc.header)
			q.done(true, 0, "", nil)
			res := p.response()
			if body := bodyOf(t, res); res.StatusCode != tc.status || body != tc.body || res.Header.Get("Retry-After") != tc.header.Get("Retry-After") {
				t.Errorf("%+v: %s %q %v", tc, res.Status, body, res.Header)
			}
			p.end()
		}
		j.none(t, 5*time.Millisecond)
	})
}

// A verdict that is there when the hook returns needs no other goroutine.
func TestVerifyClientAsyncAtOnce(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
		j := newJournal()
		_, addr := start(ServerOptions{Handler: j.handler(), VerifyClientAsync: func(_ context.Context, info *VerifyInfo, done VerifyCallback) {
			done(info.Req.Path() == "/in", 0, "", nil)
		}})
		p := connectTo(t, addr)
		p.write(request("GET /in HTTP/1.1"))
		p.switched()
		j.want(t, "open")
		p = connectTo(t, addr)
		p.write(request("GET /out HTTP/1.1"))
		p.wantBody(401, "Unauthorized")
	})
}

// Scenarios 14 and 33, and the deadline.
func TestVerifyClientAsyncIsNotWaitedForInVain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func(p *peer, s *Server)
		want func(p *peer)
	}{
		{"peer half-closes", func(p *peer, _ *Server) { p.fin() }, func(p *peer) { p.end() }},
		{"peer resets", func(p *peer, _ *Server) { p.reset() }, func(*peer) {}},
		{"server closes", func(_ *peer, s *Server) { _ = s.Close() }, func(p *peer) { p.wantBody(503, "Service Unavailable"); p.end() }},
		{"nobody answers", func(*peer, *Server) {}, func(p *peer) { p.wantBody(408, "Request Timeout"); p.end() }},
		{"engine ends", func(_ *peer, s *Server) { _ = s.Engine().Close() }, func(p *peer) { p.gone() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
				verdicts := make(chan VerifyCallback, 1)
				ended := make(chan context.Context, 1)
				j := newJournal()
				s, addr := start(ServerOptions{Handler: j.handler(), HandshakeTimeout: 400 * time.Millisecond,
					VerifyClientAsync: func(ctx context.Context, _ *VerifyInfo, done VerifyCallback) {
						verdicts <- done
						ended <- ctx
					}})
				p := connectTo(t, addr)
				p.write([]byte(upgradeHead), frameOf(Text, "never delivered"))
				done, ctx := receive(t, verdicts, "the question"), receive(t, ended, "ctx")
				tc.end(p, s)
				receive(t, ctx.Done(), "the end of ctx")
				done(true, 0, "", nil)
				tc.want(p)
				p.conn.Close()
				eventually(t, "the connection to be gone", func() bool { return s.e.Stats().Conns == 0 })
				j.none(t, 5*time.Millisecond)
			})
		})
	}
}

// A connection that waits has no goroutine: not one more for a hundred of them.
func TestVerifyClientAsyncNeedsNoGoroutine(t *testing.T) {
	t.Parallel()
	const many = 100
	verdicts := make(chan VerifyCallback, many)
	j := newJournal()
	s := serve(t, ServerOptions{Config: Config{Loops: 1, Workers: 2}, Handler: j.handler(),
		VerifyClientAsync: func(_ context.Context, _ *VerifyInfo, done VerifyCallback) { verdicts <- done }})
	var peers []*peer
	for range many {
		p := connect(t, s)
		p.write([]byte(upgradeHead))
		peers = append(peers, p)
	}
	var dones []VerifyCallback
	for range many { // two workers could hold two of them
		dones = append(dones, receive(t, verdicts, "a question"))
	}
	for _, done := range dones {
		done(true, 0, "", nil)
	}
	for _, p := range peers {
		p.switched()
	}
}

func TestPanicInVerifyIs500(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ServerOptions{
		"Verify":            {Verify: func(*Request) error { panic("v") }},
		"VerifyClient":      {VerifyClient: func(*VerifyInfo) bool { panic("v") }},
		"VerifyClientAsync": {VerifyClientAsync: func(context.Context, *VerifyInfo, VerifyCallback) { panic("v") }},
		"ShouldHandle":      {ShouldHandle: func(*Request) bool { panic("v") }},
		"Headers":           {Headers: func(http.Header, *Request) { panic("v") }},
	} {
		t.Run(name, func(t *testing.T) {
			through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
				j := newJournal()
				o.Handler = j.handler()
				s, addr := start(o)
				p := connectTo(t, addr)
				p.write([]byte(upgradeHead))
				p.wantBody(500, "Internal Server Error")
				p.end()
				if s.e.Stats().Panics != 1 {
					t.Error(s.e.Stats().Panics)
				}
				j.none(t, time.Millisecond)
			})
		})
	}
}

// The rest of scenario 37: TLS, and the client's certificate.
func TestVerifyClientSeesTheClientsCertificate(t *testing.T) {
	t.Parallel()
	server, client := testCert(t)
	server.ClientAuth = tls.RequireAnyClientCert // httptest's is for servers only
	client.Certificates = server.Certificates
	j := newJournal()
	verify := func(info *VerifyInfo) bool {
		state := info.Req.TLS()
		if state == nil || len(state.PeerCertificates) != 1 {
			j.note("no certificate")
			return false
		}
		j.note("%v %s", info.Secure, state.PeerCertificates[0].Subject.Organization[0])
		return true
	}
	dial := func(s *Server, addr string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c, err := (&Dialer{Engine: s.Engine(), TLS: client}).Dial(ctx, "wss://"+addr+"/")
		if err != nil {
			t.Fatal(err)
		}
		j.want(t, "true Acme Co")
		c.Terminate()
	}
	own := serve(t, ServerOptions{TLS: server, VerifyClient: verify})
	dial(own, own.Addr().String())
	async := serve(t, ServerOptions{TLS: server, VerifyClientAsync: func(_ context.Context, info *VerifyInfo, done VerifyCallback) {
		go func() { done(verify(info), 0, "", nil) }()
	}})
	dial(async, async.Addr().String())
	hs := httptest.NewUnstartedServer(nil)
	defer hs.Close()
	external := start(t, ServerOptions{Server: hs.Config, VerifyClient: verify})
	hs.TLS = server.Clone()
	hs.StartTLS()
	dial(external, hs.Listener.Addr().String())
}

// Scenarios 29 and 30.
func TestClientErrorDecidesWhatIsAnswered(t *testing.T) {
	t.Parallel()
	through(t, func(t *testing.T, start func(ServerOptions) (*Server, string)) {
		heard := make(chan string, 10)
		_, addr := start(ServerOptions{Path: "/", PerMessageDeflate: &DeflateOptions{},
			Verify: func(r *Request) error {
				if r.Header("X-Key") != "" {
					return errors.New("no")
				}
				return nil
			},
			ClientError: func(err error, w io.Writer, r *Request) {
				var he *codec.HandshakeError
				if !errors.As(err, &he) {
					t.Errorf("%T", err)
				}
				heard <- r.Method() + " " + err.Error()
				_, _ = w.Write([]byte("HTTP/1.1 418 \r\nConnection: close\r\nContent-Length: 3\r\n\r\n"))
				_, _ = w.Write([]byte("tea"))
			}})
		for _, tc := range []struct {
			req  []byte
			want string // "" for the default answer, and no call
		}{
			{request("POST / HTTP/1.1"), "POST Invalid HTTP method"},
			{request(get, "Upgrade: foo"), "GET Invalid Upgrade header"},
			{request(get, "Sec-WebSocket-Key: x"), "GET Missing or invalid Sec-WebSocket-Key header"},
			{request(get, "Sec-WebSocket-Version: 12"), "GET Missing or invalid Sec-WebSocket-Version header"},
			{request(get, "Sec-WebSocket-Protocol: a,,b"), "GET Invalid Sec-WebSocket-Protocol header"},
			{request(get, "Sec-WebSocket-Extensions: permessage-deflate; x"), "GET Invalid or unacceptable Sec-WebSocket-Extensions header"},
			{request("GET /other HTTP/1.1"), ""},
			{request(get, "X-Key: 1"), ""},
		} {
			p := connectTo(t, addr)
			p.write(tc.req)
			res := p.response()
			body := bodyOf(t, res)
			if tc.want == "" {
				if res.StatusCode == 418 || body == "tea" {
					t.Errorf("%q reached ClientError", tc.req)
				}
			} else if got := receive(t, heard, "ClientError"); got != tc.want || res.StatusCode != 418 || body != "tea" {
				t.Errorf("%q: %q, %s %q", tc.req, got, res.Status, body)
			}
			p.end()
		}
		if len(heard) != 0 {
			t.Error("called too often")
		}
	})
}
