//go:build unix

package engine

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// web answers with what it was asked.
var web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %v %v", r.Method, r.URL, body, err, r.RemoteAddr != "")
})

func (p *peer) wantBody(status int, body string) {
	p.t.Helper()
	res := p.response()
	got, _ := io.ReadAll(res.Body)
	if res.StatusCode != status || string(got) != body {
		p.t.Fatalf("%s %q, want %d %q", res.Status, got, status, body)
	}
}

func TestPlainRequests(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		s := serve(t, ServerOptions{Config: cfg, HTTP: web})
		const post = "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
		p := connect(t, s)
		p.write([]byte(post + "hello")) // the body with the head
		p.wantBody(200, "POST /a?b hello <nil> true")
		p.write([]byte("GET /again HTTP/1.1\r\nHost: x\r\n\r\n")) // the same connection
		p.wantBody(200, "GET /again  <nil> true")

		p = connect(t, s)
		p.write([]byte(post + "hel"))
		p.write([]byte("lo"))
		p.wantBody(200, "POST /a?b hello <nil> true")
		// Two requests in one segment.
		p = connect(t, s)
		p.write([]byte(post + "12345GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
		p.wantBody(200, "POST /a?b 12345 <nil> true")
		p.wantBody(200, "GET /second  <nil> true")
		p.end()
	})
}

// A request that offers another upgrade is plain HTTP (RFC 9110 section 7.8), on a
// fresh connection and on one that net/http has already.
func TestOffersOfOtherUpgradesAreIgnored(t *testing.T) {
	t.Parallel()
	const h2c = "Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
	hs := httptest.NewUnstartedServer(web)
	defer hs.Close()
	start(t, ServerOptions{Server: hs.Config})
	hs.Start()
	for name, addr := range map[string]string{
		"own listener": serve(t, ServerOptions{HTTP: web}).Addr().String(),
		"http.Server":  hs.Listener.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			p := connectTo(t, addr)
			p.write([]byte("POST /a HTTP/1.1\r\n" + h2c + "Content-Length: 5\r\n\r\nhello"))
			p.wantBody(200, "POST /a hello <nil> true")
			p.write([]byte("GET /b HTTP/1.1\r\n" + h2c + "\r\n"))
			p.wantBody(200, "GET /b  <nil> true")
		})
	}
	p := connect(t, serve(t, ServerOptions{})) // nobody else to answer
	p.write([]byte("GET / HTTP/1.1\r\n" + h2c + "\r\n"))
	p.wantBody(400, "Invalid Upgrade header")
}

func TestPlainLargeBody(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})})
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).
		Post("http://"+s.Addr().String(), "text/plain", strings.NewReader(strings.Repeat("x", 3<<20)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != "3145728 <nil>" {
		t.Fatalf("%s", body)
	}
}

// A connection that was plain HTTP at first may ask for an upgrade later.
func TestPlainThenUpgrade(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, HTTP: web, Handler: j.echo()})
		plainThenUpgrade(t, j, func() *peer { return connect(t, s) })
	})
}

func TestPlainThenUpgradeUnderTLS(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		sc, cc := testCert(t)
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, HTTP: web, Handler: j.echo(), TLS: sc})
		plainThenUpgrade(t, j, func() *peer { return connectTLS(t, s, cc) })
	})
}

func plainThenUpgrade(t *testing.T, j *journal, connect func() *peer) {
	t.Helper()
	p := connect()
	p.write([]byte("GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"))
	p.wantBody(200, "GET /plain  <nil> true")
	p.write([]byte(upgradeHead), frameOf(Text, "pipelined"))
	p.switched()
	p.want("text pipelined")
	p.write(closeOf(1000, ""))
	p.want("close 1000")
	p.end()
	p.fin()
	j.want(t, "open", "text pipelined", "close 1000")

	// All in one segment, and more of it than net/http's reader holds.
	p = connect()
	big := strings.Repeat("z", 10_000)
	p.write([]byte("GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"), []byte(upgradeHead), frameOf(Text, big), closeOf(1000, ""))
	p.wantBody(200, "GET /plain  <nil> true")
	p.switched()
	p.want("text "+big, "close 1000")
	p.end()
	p.fin()
	j.want(t, "open", "text "+big, "close 1000")
}

func TestPlainConnectionsLeaveTheEngine(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{HTTP: web})
	p := connect(t, s)
	p.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	p.wantBody(200, "GET /  <nil> true")
	eventually(t, "the engine to let go", func() bool { return s.e.Stats().Conns == 0 })
	p.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	p.wantBody(200, "GET /  <nil> true")
}

// A connection that net/http keeps alive counts against MaxConns until it ends, also
// when it is upgraded after all.
func TestPlainConnectionsCountAgainstMaxConns(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{HTTP: web, Handler: j.handler(), Config: Config{MaxConns: 2}})
	var peers []*peer
	for range 2 {
		p := connect(t, s)
		p.write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		p.wantBody(200, "GET /  <nil> true")
		peers = append(peers, p)
		eventually(t, "the engine to give it up", func() bool { return s.e.conns.Load() == 0 })
	}
	if res := connect(t, s).response(); res.StatusCode != http.StatusServiceUnavailable {
		t.Fatal(res.Status)
	}
	peers[0].write([]byte(upgradeHead))
	peers[0].switched()
	j.want(t, "open")
	eventually(t, "the upgraded one to count once", func() bool { return s.e.conns.Load() == 1 && s.e.plain.Load() == 1 })
	if res := connect(t, s).response(); res.StatusCode != http.StatusServiceUnavailable {
		t.Fatal(res.Status)
	}
	peers[1].fin()
	eventually(t, "the other one to end", func() bool { return s.e.plain.Load() == 0 })
	join(t, s)
	j.want(t, "open")
}
