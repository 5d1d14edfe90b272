//go:build linux

package floods

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Three thousand peers that open a connection and say nothing, half a request, or a
// byte at a time get HandshakeTimeout and no more. Good clients don't notice.
func TestHandshakesThatNeverEnd(t *testing.T) {
	const n, limit = 3000, 2 * time.Second
	v := attack(t, settings{Handshake: limit})
	g := goodOnes(t, v)
	stop := v.watch()
	slow := make([]*net.TCPConn, n)
	each(t, n, 64, func(i int) (err error) {
		if slow[i], err = dial(v.addr, byte(2+i%3)); err != nil {
			return err
		}
		_, err = io.WriteString(slow[i], upgradeHead[:len(upgradeHead)*(i%3)/3])
		return err
	})
	trickle := time.NewTicker(limit / 8)
	defer trickle.Stop()
	for k := range 8 {
		<-trickle.C
		for i := 1; i < n; i += 3 { // who is told 408 already is gone, and that is no error
			_, _ = slow[i].Write([]byte{upgradeHead[len(upgradeHead)/3+k]})
		}
	}
	each(t, n, 64, func(i int) error {
		defer slow[i].Close()
		text, err := io.ReadAll(slow[i])
		if err == nil && !strings.HasPrefix(string(text), fmt.Sprintf("HTTP/1.1 %d ", http.StatusRequestTimeout)) {
			err = fmt.Errorf("answered %q", text)
		}
		return ignoreReset(err)
	})
	stop()
	p99 := g.served(goodLimit)
	each1 := (v.worst - v.before.resident) / n
	if each1 > bound(2048) {
		t.Errorf("a half-open handshake costs %d bytes", each1)
	}
	v.recovered(fmt.Sprintf("%d handshakes ended by HandshakeTimeout %v, %d bytes each; good clients' p99 %v", n, limit, each1, p99))
}

// Above MaxConns there is 503, above MaxConnsPerIP 429, and those inside stay.
func TestConnectionFlood(t *testing.T) {
	const n, most, one = 4000, 1000, 150
	v := attack(t, settings{MaxConns: most, MaxConnsPerIP: one})
	inside := make(chan *peer, most)
	status := make(chan int, n)
	stop := v.watch()
	each(t, n, 64, func(i int) error {
		last := byte(2) // one address wants half of all, a hundred the rest
		if i%2 == 0 {
			last = byte(3 + i/2%100)
		}
		c, err := dial(v.addr, last)
		if err != nil {
			return err
		}
		p, code, err := upgrade(c, "")
		if err = ignoreReset(err); err != nil || p == nil {
			c.Close()
			return err
		}
		status <- code
		if code == http.StatusSwitchingProtocols {
			inside <- p
		} else {
			c.Close()
		}
		return nil
	})
	stop()
	close(status)
	got := map[int]int{}
	for code := range status {
		got[code]++
	}
	if got[101] != most || got[503] == 0 || got[429] == 0 || len(got) != 3 {
		t.Errorf("answers: %v", got)
	}
	f := v.now()
	if f.Conns != most || f.Rejected < n-most {
		t.Errorf("%d stand, %d were rejected", f.Conns, f.Rejected)
	}
	close(inside)
	for p := range inside {
		p.Close()
	}
	v.recovered(fmt.Sprintf("%d dials: %d in (MaxConns), %d answered 503, %d answered 429 (MaxConnsPerIP %d)", n, got[101], got[503], got[429], one))
}
