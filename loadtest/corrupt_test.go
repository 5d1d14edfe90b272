//go:build unix

package loadtest

import (
	"testing"

	"github.com/gorilla/websocket"
)

func TestCorruptRepliesAreFound(t *testing.T) {
	for name, corrupt := range map[string]func(p []byte, n int) []byte{
		"a bit":              func(p []byte, n int) []byte { p[(n*7)%len(p)] ^= 1 << (n % 8); return p },
		"cut":                func(p []byte, _ int) []byte { return p[:len(p)-1] },
		"shifted":            func(p []byte, _ int) []byte { return append(p[1:], p[0]) },
		"last byte":          func(p []byte, _ int) []byte { p[len(p)-1]++; return p },
		"another connection": func(p []byte, _ int) []byte { p[0]++; return p },
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(c *websocket.Conn) {
				for n := 0; ; n++ {
					kind, p, err := c.ReadMessage()
					if err != nil {
						return
					}
					if n >= 2 { // few come in time beside other tests
						p = corrupt(p, n)
					}
					if c.WriteMessage(kind, p) != nil {
						return
					}
				}
			})
			r := runEcho(t, Echo{Options: Options{URL: url, Conns: 3}, Duration: measured})
			if len(r.Failures) != 1 || r.Failures[0].Cause != "corrupt" || r.Failures[0].Count != 3 {
				t.Errorf("failures %+v, want 3 × corrupt", r.Failures)
			}
		})
	}
}

func TestReorderedAndRepeatedRepliesAreFound(t *testing.T) {
	for name, order := range map[string][]int{"reordered": {1, 0}, "repeated": {0, 0, 1}, "lost": {1}} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(c *websocket.Conn) {
				for {
					var pair [2][]byte
					for i := range pair {
						_, p, err := c.ReadMessage()
						if err != nil {
							return
						}
						pair[i] = p
					}
					for _, i := range order {
						if c.WriteMessage(websocket.BinaryMessage, pair[i]) != nil {
							return
						}
					}
				}
			})
			r := runEcho(t, Echo{Options: Options{URL: url, Conns: 2}, InFlight: 2, Duration: measured})
			if len(r.Failures) != 1 || r.Failures[0].Cause != "corrupt" {
				t.Errorf("failures %+v, want corrupt", r.Failures)
			}
		})
	}
}
