package natsbus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/roost-ws/roost/push/natsbus"
)

// startSecure runs a server that asks who comes.
func startSecure(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog, o.JetStream, o.StoreDir = "127.0.0.1", -1, true, true, true, t.TempDir()
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS is not ready")
	}
	t.Cleanup(func() { stopNATS(s) })
	return s
}

func refused(t *testing.T, o natsbus.Options) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o.Logger = slog.New(slog.DiscardHandler)
	b, err := natsbus.Connect(ctx, o)
	if err == nil {
		b.Close()
		t.Fatal("connected")
	}
	return err
}

func works(t *testing.T, o natsbus.Options) {
	t.Helper()
	b := connect(t, o)
	r := listen(t, b, "c")
	publish(t, b, "c", "x", keep)
	r.await(t, 1)
}

func TestPasswordsAreInTheURLAndInNoError(t *testing.T) {
	s := startSecure(t, server.Options{Username: "roost", Password: "s3cret"})
	host := strings.TrimPrefix(s.ClientURL(), "nats://")
	works(t, natsbus.Options{URL: "nats://roost:s3cret@" + host})
	for _, url := range []string{"nats://roost:wrong-s3cret@" + host, "nats://roost:s3cret%@" + host, "nats://roost:s3cret@127.0.0.1:1"} {
		if err := refused(t, natsbus.Options{URL: url}); strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestCredentialsFilesAreShownToNATS(t *testing.T) {
	operator, account, system, user := key(t, nkeys.CreateOperator), key(t, nkeys.CreateAccount), key(t, nkeys.CreateAccount), key(t, nkeys.CreateUser)
	resolver := &server.MemAccResolver{}
	for pair, limit := range map[nkeys.KeyPair]int64{account: jwt.NoLimit, system: 0} {
		claims := jwt.NewAccountClaims(public(t, pair))
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: limit, DiskStorage: limit, Streams: limit, Consumer: limit}
		if err := resolver.Store(claims.Subject, encode(t, claims, operator)); err != nil {
			t.Fatal(err)
		}
	}
	s := startSecure(t, server.Options{TrustedKeys: []string{public(t, operator)}, AccountResolver: resolver, SystemAccount: public(t, system)})
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(encode(t, jwt.NewUserClaims(public(t, user)), account), seed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "roost.creds")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	works(t, natsbus.Options{URL: s.ClientURL(), Credentials: path})
	refused(t, natsbus.Options{URL: s.ClientURL()})
	if err := refused(t, natsbus.Options{URL: s.ClientURL(), Credentials: path + ".none"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func key(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	k, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func public(t *testing.T, k nkeys.KeyPair) string {
	t.Helper()
	text, err := k.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encode(t *testing.T, c jwt.Claims, by nkeys.KeyPair) string {
	t.Helper()
	text, err := c.Encode(by)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestServersAndClientsShowEachOtherCertificates(t *testing.T) {
	certFile, keyFile := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	s := startSecure(t, server.Options{TLS: true, TLSVerify: true, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}})
	url := strings.Replace(s.ClientURL(), "nats://", "tls://", 1)
	works(t, natsbus.Options{URL: url, CA: certFile, TLSCert: certFile, TLSKey: keyFile})
	refused(t, natsbus.Options{URL: url, CA: certFile})
	refused(t, natsbus.Options{URL: url, TLSCert: certFile, TLSKey: keyFile})
}

// certificate makes one for both sides, which is its own CA.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", signed), write("key.pem", "PRIVATE KEY", der)
}
