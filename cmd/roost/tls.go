package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/spf13/pflag"
)

// tlsFiles are the flags by which a server command speaks TLS.
type tlsFiles struct{ cert, key string }

func (t *tlsFiles) register(f *pflag.FlagSet) {
	f.StringVar(&t.cert, "tls-cert", "", "speak TLS with the certificates in this PEM `file`; a changed file counts at once")
	f.StringVar(&t.key, "tls-key", "", "PEM `file` with the private key of --tls-cert")
}

// scheme is plain, or with TLS its secure sister: ws or wss, http or https.
func (t *tlsFiles) scheme(plain string) string {
	if t.cert == "" {
		return plain
	}
	return plain + "s"
}

// check is config's error.
func (t *tlsFiles) check() error {
	_, err := t.config(slog.New(slog.DiscardHandler))
	return err
}

// config is nil without the flags.
func (t *tlsFiles) config(log *slog.Logger) (*tls.Config, error) {
	switch {
	case t.cert == "" && t.key == "":
		return nil, nil
	case t.key == "":
		return nil, usagef("--tls-cert %s: give its private key with --tls-key", t.cert)
	case t.cert == "":
		return nil, usagef("--tls-key %s: give its certificate with --tls-cert", t.key)
	}
	c := &certificate{files: *t, log: log}
	var err error
	if c.read, err = t.stamp(); err == nil {
		err = c.load()
	}
	if err != nil {
		return nil, usageError{err}
	}
	return &tls.Config{GetCertificate: c.get}, nil
}

// certificate is what the files held when they were last found changed. Handshakes
// of several loops ask for it.
type certificate struct {
	files tlsFiles
	log   *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	read    stamp     // of the files when they were last read
	looked  time.Time // when that was last compared with theirs
}

// stamp tells one state of the two files from the next.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

// lookInterval keeps a storm of handshakes from being one of stat(2).
const lookInterval = time.Second

// get is GetCertificate of a tls.Config.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookInterval {
		c.looked = now
		c.refresh()
	}
	return c.current, nil
}

// refresh reads the files again if they changed. While they do not fit together,
// as between the two steps of a renewal, the certificate before stays in use.
func (c *certificate) refresh() {
	now, err := c.files.stamp()
	if now == c.read {
		return
	}
	c.read = now // also when the files are no good, so that it is said once
	if err == nil {
		err = c.load()
	}
	if err != nil {
		c.log.Warn("the TLS certificate in use stays: the changed files can't be used", "err", err)
		return
	}
	c.log.Info("TLS certificate read again", "file", c.files.cert)
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.files.cert, c.files.key)
	if err != nil {
		return fmt.Errorf("--tls-cert %s with --tls-key %s: %w", c.files.cert, c.files.key, err)
	}
	c.current = &pair
	return nil
}

// stamp has zeros for what can't be found.
func (t *tlsFiles) stamp() (s stamp, err error) {
	for _, f := range []struct {
		flag, path string
		at         *time.Time
		size       *int64
	}{{"--tls-cert", t.cert, &s.cert, &s.certSize}, {"--tls-key", t.key, &s.key, &s.keySize}} {
		info, err := os.Stat(f.path)
		if err != nil {
			return s, fmt.Errorf("%s: %w", f.flag, err)
		}
		*f.at, *f.size = info.ModTime(), info.Size()
	}
	return s, nil
}
