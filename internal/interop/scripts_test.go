package interop

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/roost-ws/roost/engine"
)

// job is what a client's script is to do: a conversation for each of the parameters.
type job struct {
	URL    string    `json:"url"`
	CA     string    `json:"ca"`     // of the server's certificate; "" for ws
	Params []*params `json:"params"` // null is no compression
	Sizes  []int     `json:"sizes"`
}

// finished wants the line that a script ends with when all went well.
func finished(t *testing.T, p *program) {
	t.Helper()
	if got := p.line(t); got != "all good" {
		t.Errorf("the script ends with %q", got)
	}
}

// caFile writes the certificates that to trusts into a file.
func caFile(t *testing.T, to target) string {
	t.Helper()
	if to.tls == nil {
		return ""
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, certificatePEM(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func certificatePEM(t *testing.T) []byte {
	t.Helper()
	c, _ := wssConfigs()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificates[0].Certificate[0]})
}

func keyPEM(t *testing.T) []byte {
	t.Helper()
	c, _ := wssConfigs()
	der, err := x509.MarshalPKCS8PrivateKey(c.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// The clients that run as scripts. Both compress with zlib, which wants 9 window bits.
var scripts = []struct {
	name    string
	command func(t *testing.T) []string
}{
	{"npm ws", func(t *testing.T) []string { return []string{"node", "testdata/client.mjs", nodeWS(t)} }},
	{"Python websockets", func(t *testing.T) []string { return []string{python(t), "testdata/client.py"} }},
}

// python is the system's own, which Debian's packages are for.
func python(t *testing.T) string {
	t.Helper()
	const path = "/usr/bin/python3"
	need(t, path)
	if err := exec.Command(path, "-c", "import websockets").Run(); err != nil {
		missing(t, "Python's websockets (Debian's python3-websockets)")
	}
	return path
}

func TestScripts(t *testing.T) {
	t.Parallel()
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			command := s.command(t)
			bothSchemes(t, roost(compressing(), nil), func(t *testing.T, to target) {
				all := []*params{nil, {ServerBits: 15, ClientBits: 15}}
				finished(t, start(t, job{to.url, caFile(t, to), all, plainSizes}, command...))
			})
			t.Run("every parameter", func(t *testing.T) {
				to := target{url: "ws://" + roost(compressing(), nil)(t, nil) + "/"}
				var all []*params
				for _, p := range everyParams(8, 9) {
					all = append(all, &p)
				}
				finished(t, start(t, job{to.url, "", all, shortSizes}, command...))
			})
		})
	}
}

// TestDialerToNodeWS: the npm package as a server, which grants what the client asks.
func TestDialerToNodeWS(t *testing.T) {
	t.Parallel()
	dir := nodeWS(t)
	e := newEngine(t)
	bothSchemes(t, func(t *testing.T, c *tls.Config) string {
		var pair struct {
			Cert string `json:"cert"`
			Key  string `json:"key"`
		}
		if c != nil {
			pair.Cert, pair.Key = string(certificatePEM(t)), string(keyPEM(t))
		}
		return start(t, pair, "node", "testdata/server.mjs", dir).line(t)
	}, func(t *testing.T, to target) {
		for _, deflate := range []*engine.DeflateOptions{nil, compressing()} {
			converse(t, dialEngine(t, e, to, deflate), plainSizes...)
		}
		if to.tls != nil {
			return
		}
		for _, p := range everyParams(9, 8) {
			t.Run(p.String(), func(t *testing.T) {
				d := dialEngine(t, e, to, p.deflate())
				if d.c.Extensions() == "" {
					t.Fatal("compression was not agreed")
				}
				converse(t, d, shortSizes...)
			})
		}
	})
}

// TestChromium: a page of the engine's own port echoes over ws and wss.
func TestChromium(t *testing.T) {
	t.Parallel()
	need(t, "chromium")
	dir := npm(t, "playwright-core", "1.65.1")
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>echo</title>")) // the browser notices
	})
	serverTLS, _ := wssConfigs()
	var jobs []map[string]any
	for name, deflate := range map[string]*engine.DeflateOptions{
		"plain": nil, "compressed": compressing(),
		"compressed by small windows": params{ServerBits: 9, ClientBits: 10, ServerForgets: true, ClientForgets: true}.deflate(),
	} {
		for scheme, c := range map[string]*tls.Config{"ws": nil, "wss": serverTLS} {
			jobs = append(jobs, map[string]any{
				"name": scheme + " " + name, "url": scheme + "://" + roost(deflate, page)(t, c) + "/", "compressed": deflate != nil,
			})
		}
	}
	finished(t, start(t, jobs, "node", "testdata/chromium.mjs", dir))
}
