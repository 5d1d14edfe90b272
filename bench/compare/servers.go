package main

import "strings"

// A server is one of those compared. Floors are C and Go without a library:
// they show what the kernel and the language cost.
type server struct {
	Name    string // on the command line and in results.json
	Label   string // in tables and plots
	Kind    string // c, go, node or roost: how it is built and started
	Version string // a Go module or an npm package to state the version of
}

func (s server) name() string { return s.Name }

// floor is the server that ratios are relative to.
const floor = "limit"

func servers() []server {
	return []server{
		{Name: "roost", Label: "Roost", Kind: "roost"},
		{Name: floor, Label: "limit (C)", Kind: "c"},
		{Name: "golimit", Label: "limit (Go)", Kind: "go"},
		{Name: "uws", Label: "uWebSockets.js", Kind: "node", Version: "uwebsockets"},
		{Name: "gws", Label: "gws", Kind: "go", Version: "github.com/lxzan/gws"},
		{Name: "gorilla", Label: "gorilla/websocket", Kind: "go", Version: "github.com/gorilla/websocket"},
		{Name: "nbio", Label: "nbio", Kind: "go", Version: "github.com/lesismal/nbio"},
		{Name: "coder", Label: "coder/websocket", Kind: "go", Version: "github.com/coder/websocket"},
		{Name: "gobwas", Label: "gobwas/ws", Kind: "go", Version: "github.com/gobwas/ws"},
		{Name: "ws", Label: "ws (Node)", Kind: "node", Version: "ws"},
	}
}

// command is what starts s; cache is where builder put it.
func (s server) command(cache, addr string, broadcast bool, roostArgs string) []string {
	switch s.Kind {
	case "roost":
		args := append([]string{cache + "/bin/roost", "echo", "--addr", addr}, strings.Fields(roostArgs)...)
		if broadcast {
			args = append(args, "--broadcast")
		}
		return args
	case "node":
		return withBroadcast([]string{"node", cache + "/node/" + s.Name + ".js", "-addr", addr}, broadcast)
	default:
		return withBroadcast([]string{cache + "/bin/" + s.Name, "-addr", addr}, broadcast)
	}
}

func withBroadcast(args []string, broadcast bool) []string {
	if broadcast {
		return append(args, "-broadcast")
	}
	return args
}

func names(all []server) []string {
	var list []string
	for _, s := range all {
		list = append(list, s.Name)
	}
	return list
}
