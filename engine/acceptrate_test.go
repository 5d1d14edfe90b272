//go:build unix

package engine

import (
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestConnectionsAboveTheRateAreToldToComeBack(t *testing.T) {
	t.Parallel()
	const rate, conns = 20, 40
	s := serve(t, ServerOptions{AcceptRate: rate})
	start := time.Now()
	var peers []*peer
	for range conns {
		peers = append(peers, connect(t, s))
	}
	eventually(t, "all are let in or refused", func() bool { return s.e.Stats().Accepted == conns })
	most := uint64(rate/4 + 1 + int(time.Since(start).Seconds()*rate))
	rejected := s.e.Stats().Rejected
	if in := conns - rejected; in > most || in < rate/4 {
		t.Errorf("%d of %d were let in within %v, and %d may be", in, conns, time.Since(start), most)
	}
	seen, silent := map[string]bool{}, peers[conns-int(rejected):]
	eventually(t, "that not all are told to come back at once", func() bool {
		silent = slices.DeleteFunc(silent, func(p *peer) bool {
			heard := p.hears(t)
			if heard {
				seen[p.retryAfter(t)] = true
			}
			return heard
		})
		return len(seen) >= later/2
	})
	eventually(t, "the rate lets one in again", func() bool { return !connect(t, s).hears(t) })
}

// hears reports whether the server has said anything shortly after.
func (p *peer) hears(t *testing.T) bool {
	t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := p.r.Peek(1)
	return err == nil
}

func (p *peer) retryAfter(t *testing.T) string {
	t.Helper()
	res := p.response()
	after := res.Header.Get("Retry-After")
	if n, err := strconv.Atoi(after); err != nil || n < 1 || n > later || res.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("%s, Retry-After %q", res.Status, after)
	}
	return after
}

func TestConnectionsAboveTheRateWaitUnderTLS(t *testing.T) {
	t.Parallel()
	sc, cc := testCert(t)
	const rate, conns = 40, 30
	s := serve(t, ServerOptions{AcceptRate: rate, TLS: sc})
	start := time.Now()
	done := make(chan error, conns)
	for range conns {
		go func() {
			c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", s.Addr().String(), cc)
			if err == nil {
				defer c.Close()
			}
			done <- err
		}()
	}
	for range conns {
		if err := receive(t, done, "a handshake"); err != nil {
			t.Error(err)
		}
	}
	if took, least := time.Since(start), time.Second*(conns-rate/4-2)/rate; took < least {
		t.Errorf("%d were let in within %v, which takes %v", conns, took, least)
	}
}
