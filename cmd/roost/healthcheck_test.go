//go:build unix

package main

import (
	"net"
	"strings"
	"testing"
)

func TestHealthcheckSaysWhetherAServerLivesAndIsReady(t *testing.T) {
	t.Parallel()
	cert, key := writePair(t, t.TempDir(), 1)
	for name, args := range map[string][]string{"plain": nil, "TLS": {"--tls-cert", cert, "--tls-key", key}} {
		_, base, _ := startServe(t, append(args, "--bus", "memory")...)
		_, addr, _ := strings.Cut(base, "://")
		_, port, err := net.SplitHostPort(addr)
		must(t, err)
		env := []string{"ROOST_ADDR=0.0.0.0:" + port}
		if args != nil {
			env = append(env, "ROOST_TLS_CERT="+cert)
		}
		for _, more := range [][]string{nil, {"--ready"}} {
			if code, _, stderr := runRoost(t, env, append([]string{"healthcheck"}, more...)...); code != 0 {
				t.Errorf("%s %v: exit code %d: %s", name, more, code, stderr)
			}
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := l.Addr().String()
	must(t, l.Close())
	if code, _, _ := runRoost(t, nil, "healthcheck", "--addr", nobody); code != exitFailure {
		t.Errorf("of nobody: exit code %d, want %d", code, exitFailure)
	}
}
