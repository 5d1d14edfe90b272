//go:build unix

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// serial is what the certificate that addr shows has.
func serial(addr string) (string, error) {
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return "", err
	}
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String(), c.Close()
}

func TestEchoSpeaksTLSAndTakesARenewedCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writePair(t, dir, 1)
	p := startRoost(t, nil, "echo", "--addr", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	_, addr, ok := strings.Cut(strings.Trim(p.line(t), "/\n"), "wss://")
	if !ok {
		t.Fatalf("first line names no wss:// address\n%s", p.stderr)
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(cert)
	must(t, err)
	pool.AppendCertsFromPEM(text)
	c := dialGorillaWith(t, "wss://"+addr+"/", websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: pool}})
	for name, want := range payloads() {
		must(t, c.WriteMessage(websocket.BinaryMessage, want))
		_, got, err := c.ReadMessage()
		must(t, err)
		if string(got) != string(want) {
			t.Errorf("%s: got %d bytes", name, len(got))
		}
	}
	must(t, os.WriteFile(cert, []byte("half a certificate"), 0o600))
	eventually(t, "a warning of the broken file", func() error {
		if s, err := serial(addr); s != "1" {
			t.Fatalf("beside a broken file: certificate %q, %v", s, err)
		}
		if strings.Contains(p.stderr.String(), "certificate in use stays") {
			return nil
		}
		return errors.New("none yet")
	})
	writePair(t, dir, 2)
	eventually(t, "the renewed certificate", func() error {
		s, err := serial(addr)
		if s == "2" {
			return nil
		}
		return errors.Join(err, fmt.Errorf("certificate %s", s))
	})
}

func TestServeSpeaksTLS(t *testing.T) {
	t.Parallel()
	cert, key := writePair(t, t.TempDir(), 1)
	_, url, _ := startServe(t, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(url, "https://") {
		t.Fatalf("address %s", url)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	res, err := client.Get(url + "/healthz")
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusOK {
		t.Errorf("healthz: %s", res.Status)
	}
}

func TestTLSFilesThatCannotServeAreUsageErrors(t *testing.T) {
	t.Parallel()
	cert, key := writePair(t, t.TempDir(), 1)
	_, otherKey := writePair(t, t.TempDir(), 1)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--tls-cert", cert}, "--tls-key"},
		{[]string{"--tls-key", key}, "--tls-cert"},
		{[]string{"--tls-cert", cert, "--tls-key", "/nowhere"}, "--tls-key: stat /nowhere"},
		{[]string{"--tls-cert", key, "--tls-key", key}, "--tls-cert " + key},
		{[]string{"--tls-cert", cert, "--tls-key", otherKey}, "does not match"},
	} {
		code, _, stderr := runRoost(t, nil, append([]string{"echo", "--addr", "127.0.0.1:0"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.says) {
			t.Errorf("%q: exit code %d: %s", c.args, code, stderr)
		}
	}
}

func TestPubAndSubTrustTheAuthorityTheyAreGiven(t *testing.T) {
	t.Parallel()
	cert, key := writePair(t, t.TempDir(), 1)
	_, url, env := startServe(t, "--tls-cert", cert, "--tls-key", key, "--bus", "memory")
	if code, _, _ := runRoost(t, env, "pub", "news", "x", "--addr", url); code != exitFailure {
		t.Errorf("pub to a certificate of nobody known: exit code %d, want %d", code, exitFailure)
	}
	sub := startRoost(t, env, "sub", "news", "--addr", url, "--ca", cert)
	sub.stderr.waitFor(t, "channel=news")
	if code, _, stderr := runRoost(t, env, "pub", "news", "hello", "--addr", url, "--ca", cert); code != 0 {
		t.Fatalf("pub: exit code %d: %s", code, stderr)
	}
	if line := sub.line(t); !strings.Contains(line, "hello") {
		t.Errorf("sub printed %q", line)
	}
	if code, _, stderr := runRoost(t, env, "pub", "news", "x", "--addr", url, "--ca", key); code != exitUsage || !strings.Contains(stderr, "--ca") {
		t.Errorf("a file without a certificate: exit code %d: %s", code, stderr)
	}
}
