//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// writePair puts a new self-signed certificate for 127.0.0.1 and its key into dir,
// and returns their names.
func writePair(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	signed, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	must(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600))
	return cert, key
}

// serial is what the certificate that addr shows has.
func serial(addr string) (string, error) {
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return "", err
	}
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String(), c.Close()
}

func TestEchoSpeaksTLSAndTakesARenewedCertificate(t *testing.T) {
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
