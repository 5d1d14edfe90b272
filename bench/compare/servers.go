package main

import "strings"

// A server is one of those compared. Floors are C and Go without a library:
// they show what the kernel and the language cost.
type server struct {
	Name    string // on the command line and in results.json
	Label   string // in tables and plots
	Kind    string // c, go, node or roost: how it is built and started
	Version string // a Go module or an npm package to state the version of
	args    string // more flags, of a variant of Roost
	lacks   string // tls, deflate: what it is not asked for
}

func (s server) name() string { return s.Name }

// floor is the server that ratios are relative to, unless variants are measured.
const floor = "limit"

func servers() []server {
	return []server{
		{Name: "roost", Label: "Roost", Kind: "roost"},
		{Name: floor, Label: "limit (C)", Kind: "c", lacks: "tls deflate"},
		{Name: "golimit", Label: "limit (Go)", Kind: "go", lacks: "tls deflate"},
		{Name: "uws", Label: "uWebSockets.js", Kind: "node", Version: "uwebsockets"},
		{Name: "gws", Label: "gws", Kind: "go", Version: "github.com/lxzan/gws"},
		{Name: "gorilla", Label: "gorilla/websocket", Kind: "go", Version: "github.com/gorilla/websocket"},
		{Name: "nbio", Label: "nbio", Kind: "go", Version: "github.com/lesismal/nbio"},
		{Name: "coder", Label: "coder/websocket", Kind: "go", Version: "github.com/coder/websocket"},
		{Name: "gobwas", Label: "gobwas/ws", Kind: "go", Version: "github.com/gobwas/ws", lacks: "deflate"},
		{Name: "ws", Label: "ws (Node)", Kind: "node", Version: "ws"},
	}
}

// does tells whether the work is one for s.
func (s server) does(w work) bool {
	return !(w.TLS && strings.Contains(s.lacks, "tls") || w.Deflate && strings.Contains(s.lacks, "deflate"))
}

// command is what starts s on addr, ready for the work.
func (s server) command(o options, addr string, w work) []string {
	argv, dash := []string{o.cache + "/bin/" + s.Name, "-addr", addr}, "-"
	switch s.Kind {
	case "roost":
		argv, dash = append([]string{o.cache + "/bin/roost", "echo", "--addr", addr}, strings.Fields(o.roostArgs+" "+s.args)...), "--"
	case "node":
		argv = []string{"node", o.cache + "/node/" + s.Name + ".js", "-addr", addr}
	}
	if w.Broadcast {
		argv = append(argv, dash+"broadcast")
	}
	if w.Deflate {
		argv = append(argv, dash+"deflate")
	}
	if w.TLS {
		argv = append(argv, dash+"tls-cert", o.cache+"/cert.pem", dash+"tls-key", o.cache+"/key.pem")
	}
	return argv
}

func names(all []server) []string {
	var list []string
	for _, s := range all {
		list = append(list, s.Name)
	}
	return list
}
