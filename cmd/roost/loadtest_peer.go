package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/roost-ws/roost/loadtest"
)

// peerFlags say how to talk to the server: TLS, compression, fields of the handshake.
type peerFlags struct {
	insecure            bool
	ca                  string
	deflate, noTakeover bool
	headers, protocols  []string
	basic, bearer       string
}

func (p *peerFlags) register(f *pflag.FlagSet) {
	f.BoolVar(&p.insecure, "insecure", false, "with wss, take any certificate")
	f.StringVar(&p.ca, "ca", "", "with wss, trust the certificates in this PEM `file` instead of the system's")
	f.BoolVar(&p.deflate, "deflate", false, "offer permessage-deflate")
	f.BoolVar(&p.noTakeover, "no-context-takeover", false, "with --deflate, ask that both sides forget between messages")
	f.StringArrayVarP(&p.headers, "header", "H", nil, "add this `Name: value` to the handshake (repeatable)")
	f.StringSliceVar(&p.protocols, "subprotocol", nil, "offer the subprotocol of this `name` (repeatable)")
	f.StringVar(&p.basic, "basic", "", "authenticate as this `user:password`, better given as ROOST_BASIC, which other users can't see")
	f.StringVar(&p.bearer, "bearer", "", "authenticate with this `token`, better given as ROOST_BEARER")
}

func (p *peerFlags) apply(o *loadtest.Options) error {
	for flag, values := range map[string][]string{"header": p.headers, "subprotocol": p.protocols, "bearer": {p.bearer}} {
		if err := checkField(flag, values); err != nil {
			return err
		}
	}
	o.Protocols, o.Header = p.protocols, make(http.Header)
	for _, h := range p.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return usagef("--header %q: write it like \"X-Tenant: 7\"", h)
		}
		o.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	switch {
	case p.basic != "" && p.bearer != "":
		return usagef("--basic and --bearer: a handshake has one Authorization field, give one of them")
	case p.basic != "" && !strings.Contains(p.basic, ":"):
		return usagef("--basic: no colon in it; write it like user:password")
	case p.basic != "":
		o.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.basic)))
	case p.bearer != "":
		o.Header.Set("Authorization", "Bearer "+p.bearer)
	}
	if p.deflate {
		o.Deflate = &loadtest.Deflate{NoContextTakeover: p.noTakeover}
	}
	return p.applyTLS(o)
}

// checkField refuses what would end a field of the handshake, which else went out with blanks for it. It
// does not repeat the value, which may be a secret.
func checkField(flag string, values []string) error {
	for _, v := range values {
		for _, r := range v {
			if r != '\t' && (r < ' ' || r == 0x7f) {
				return usagef("--%s: a control character (%q) in it, which no field of a handshake may hold: take it out", flag, r)
			}
		}
	}
	return nil
}

func (p *peerFlags) applyTLS(o *loadtest.Options) error {
	o.TLS = &tls.Config{InsecureSkipVerify: p.insecure}
	if p.ca == "" {
		return nil
	}
	text, err := os.ReadFile(p.ca)
	if err != nil {
		return usageError{err}
	}
	o.TLS.RootCAs = x509.NewCertPool()
	if !o.TLS.RootCAs.AppendCertsFromPEM(text) {
		return usagef("--ca %s: no certificate in it; want PEM, as in -----BEGIN CERTIFICATE-----", p.ca)
	}
	return nil
}
