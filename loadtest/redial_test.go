//go:build unix

package loadtest

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/roost-ws/roost/codec"
)

// persistent dials again whatever ended, so many times.
type persistent struct {
	*loop
	left int
	most int // handshakes seen under way
	wait chan struct{}
}

func (p *persistent) message(*conn, codec.Message) error { return nil }
func (p *persistent) closed(*conn)                       {}
func (p *persistent) tick() int64                        { return never }
func (p *persistent) opened(*conn)                       { p.most = max(p.most, p.dialling) }

func (p *persistent) ended(c *conn, _ connState, _ error) {
	if p.left == 0 {
		return
	}
	if p.left--; p.left == 0 {
		close(p.wait)
		return
	}
	p.redial(c)
}

func TestRedialKeepsToRateAndHandshakesAtATime(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1) // before the answer, behind which the harness may be first
		var u websocket.Upgrader
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1012, ""), time.Now().Add(soon))
		_, _, _ = c.ReadMessage()
	})
	const conns, redials, rate = 20, 400, 1000
	var p *persistent
	o := Options{URL: url, Conns: conns, Dialing: 4, ConnectRate: rate}
	begun := time.Now()
	d, err := newDriver(context.Background(), "test", o, 1000, func(l *loop) script {
		p = &persistent{loop: l, left: redials + 1, wait: make(chan struct{})}
		return p
	})
	must(t, err)
	d.connect()
	if !d.wait("redial", soon, p.wait) {
		t.Fatal("the run ended")
	}
	// At most a tenth of a second's dials come at once.
	if least := time.Duration(redials-rate/10) * time.Second / rate; time.Since(begun) < least {
		t.Errorf("%d dials took %v at %d a second, want at least %v", redials, time.Since(begun), rate, least)
	}
	r, err := d.finish()
	must(t, err)
	c := r.Connections
	if p.most > 4 || p.most == 0 {
		t.Errorf("%d handshakes under way, want at most 4", p.most)
	}
	// Some are still queued, or under way, when the last one that counts has ended.
	if n := int(served.Load()); c.Redialled < redials-conns || c.Redialled > redials || c.Opened < n-c.Failed-conns || c.Opened > n ||
		c.Lost+c.Failed < redials || c.Lost > c.Opened || c.Failed > conns {
		t.Errorf("%+v, %d served, failures %+v; want about %d redials, opened and lost", c, n, r.Failures, redials)
	}
}
