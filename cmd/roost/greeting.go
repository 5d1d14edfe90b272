package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/roost-ws/roost/push"
)

// greeting is what serve prints when it listens.
type greeting struct {
	app     push.App
	scheme  string // http, or https with TLS
	addr    net.Addr
	token   string
	history string // where it is kept
	left    string // the credentials file; empty when there is none
	console func(base string) string
}

// base is where this machine reaches the server, also when it listens on every
// address.
func (g *greeting) base() string {
	host, port, err := net.SplitHostPort(g.addr.String())
	if err != nil {
		return g.scheme + "://" + g.addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return g.scheme + "://" + net.JoinHostPort(host, port)
}

func (g *greeting) local() push.Local {
	return push.Local{URL: g.base(), AppID: g.app.ID, Key: g.app.Key, Secret: g.app.Secret, Token: g.token}
}

// print writes the secret and the console's token only to a terminal: elsewhere
// they would stay in a log.
func (g *greeting) print(w io.Writer) error {
	base := g.base()
	console, secret := base+"/", "(shown on a terminal only)"
	if g.left != "" {
		secret = "(in " + g.left + ")"
	}
	if isTerminal(w) {
		console, secret = g.console(base), g.app.Secret
	}
	_, err := fmt.Fprintf(w, `push server on %s

  console    %s
  websocket  ws%s/app/%s?protocol=7
  app        id %s, key %s, secret %s
  history    %s

Try it from another terminal, as this user:
  roost sub news --addr %s
  roost pub news hello --addr %s
`, base, console, base[len("http"):], g.app.Key, g.app.ID, g.app.Key, secret, g.history, base, base)
	return err
}

func (p *pushServer) greeting() greeting {
	return greeting{
		app: p.command.push.App, scheme: p.command.tls.scheme("http"), addr: p.sockets.Addr(),
		token: p.push.Token(), history: p.command.bus.history(), left: p.left, console: p.push.ConsoleURL,
	}
}

// leaveCredentials lets the commands of this user find the server.
func (p *pushServer) leaveCredentials(log *slog.Logger) {
	hello := p.greeting()
	local := hello.local()
	forget, err := push.WriteLocal(local)
	if err != nil {
		p.forget, p.left = nil, ""
		log.Warn("roost pub and roost sub won't find this server by themselves", "err", err)
		return
	}
	p.forget = forget
	p.left, _ = local.Path() // WriteLocal has just written there
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
