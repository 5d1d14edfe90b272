package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type healthcheckCommand struct {
	addr    string
	cert    string
	ready   bool
	timeout time.Duration
}

func newHealthcheckCommand() *cobra.Command {
	var h healthcheckCommand
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a server on this machine whether it lives, for containers without curl",
		Long: `Ask roost serve on this machine whether it lives (/healthz), or with --ready
whether it takes connections and events (/readyz). The exit code is 0 or 1. Reads
ROOST_ADDR and ROOST_TLS_CERT as serve does. The certificate is not checked: only
this machine is asked.`,
		Example: `  roost healthcheck
  roost healthcheck --ready --addr 0.0.0.0:8080`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return h.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&h.addr, "addr", "127.0.0.1:8080", "`host:port` that the server listens on")
	f.StringVar(&h.cert, "tls-cert", "", "speak TLS, as the server does that was given this `file`")
	f.BoolVar(&h.ready, "ready", false, "ask whether it is ready, not only whether it lives")
	positive(f, &h.timeout, "timeout", 3*time.Second, time.Minute, "how long the answer may take")
	return cmd
}

func (h *healthcheckCommand) run(cmd *cobra.Command) error {
	if err := checkAddr(h.addr); err != nil {
		return err
	}
	base := url.URL{Scheme: "http", Host: local(h.addr), Path: "/healthz"}
	if h.cert != "" {
		base.Scheme = "https"
	}
	if h.ready {
		base.Path = "/readyz"
	}
	client := http.Client{Timeout: h.timeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the name is not that of this machine
	}}
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, base.String(), nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", base.String(), res.Status)
	}
	return nil
}

// local is where this machine reaches what listens on addr.
func local(addr string) string {
	host, port, _ := net.SplitHostPort(addr) // was checked
	if ip := net.ParseIP(host); strings.TrimSpace(host) == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
