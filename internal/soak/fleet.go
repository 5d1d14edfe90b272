package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// fleet is the servers under load.
type fleet struct {
	plain, secure, cast, paused, push *server
	trust                             *tls.Config // of secure's clients
}

const appID, appKey, appSecret = "soak", "soak-key", "soak-secret"

// launch builds roost and starts each server.
func launch(dir string) (_ *fleet, err error) {
	roost, err := buildRoost(dir)
	if err != nil {
		return nil, err
	}
	f := &fleet{}
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if f.trust, err = certify(cert, key); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		at   **server
		name string
		args []string
	}{
		{&f.plain, "echo", []string{"echo", "--deflate"}},
		{&f.secure, "echo, TLS", []string{"echo", "--deflate", "--tls-cert", cert, "--tls-key", key}},
		{&f.cast, "broadcast", []string{"echo", "--broadcast", "--max-payload", "64KiB", "--max-outbox", "64MiB"}},
		{&f.paused, "broadcast, pauses", []string{"echo", "--broadcast", "--max-payload", "64KiB", "--max-outbox", "64MiB"}},
		{&f.push, "serve", []string{"serve", "--app-id", appID, "--key", appKey, "--secret", appSecret}},
	} {
		if *s.at, err = start(roost, dir, s.name, s.args...); err != nil {
			f.stop()
			return nil, err
		}
	}
	return f, nil
}

func (f *fleet) all() (all []*server) {
	for _, s := range []*server{f.plain, f.secure, f.cast, f.paused, f.push} {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

func (f *fleet) stop() (wrong []string) {
	for _, s := range f.all() {
		wrong = append(wrong, s.stop()...)
	}
	return wrong
}

// holdings are those of all servers, in the order of all.
func (f *fleet) holdings(collect bool) ([]holding, error) {
	var list []holding
	for _, s := range f.all() {
		h, err := s.holding(collect)
		if err != nil {
			return list, err
		}
		list = append(list, h)
	}
	return list, nil
}

const (
	// quiet is how long servers have, at most, to give back what the last clients had:
	// closes are waited for, workers leave after some idle seconds, and the Go runtime returns
	// memory to the system bit by bit.
	quiet = 15 * time.Second
	pause = 500 * time.Millisecond
)

// settled waits for the servers to return to what they held before, or, when that is not known, until
// they hold no less than a while ago. It returns what they hold then.
func (f *fleet) settled(before []holding) (now []holding, err error) {
	least, since := -1, time.Now()
	for begun := time.Now(); ; time.Sleep(pause) {
		if now, err = f.holdings(true); err != nil {
			return now, err
		}
		sum := 0
		for _, h := range now {
			sum += h.Goroutines + h.Descriptors
		}
		if least < 0 || sum < least {
			least, since = sum, time.Now()
		}
		done := before != nil && len(excess(f.names(), before, now)) == 0 || before == nil && time.Since(since) > quiet/3
		if done || time.Since(begun) > quiet {
			return now, nil
		}
	}
}

func (f *fleet) names() (names []string) {
	for _, s := range f.all() {
		names = append(names, s.name)
	}
	return names
}

// watch takes samples into r until the function that it returns is called.
func (f *fleet) watch(r *report) (stop func()) {
	r.Servers = f.names()
	every := max(2*time.Second, r.Length/120)
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			now, err := f.holdings(false)
			if err != nil {
				r.wrong("sample", err.Error())
				return
			}
			r.sample(now)
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}

// certify makes a certificate for 127.0.0.1 that signs itself, and returns what trusts it.
func certify(cert, key string) (*tls.Config, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	trust := &tls.Config{RootCAs: x509.NewCertPool()}
	trust.RootCAs.AppendCertsFromPEM(public)
	return trust, errors.Join(os.WriteFile(cert, public, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}
