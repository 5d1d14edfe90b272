// Package agents lets machines do one load test together, over NATS: agents join and
// wait for work ([Join]), a leader takes as many as it wants ([Listen],
// [Host.Accept]) and leads them by package team.
//
// The command roost loadtest calls it. The leader runs a NATS server in its own
// process unless one is named; it keeps nothing on disk. Whoever may connect to that
// server may be told to open connections, so a token is required where others than
// this machine reach it. Nothing is encrypted unless the named server does it.
package agents

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/team"
)

// Subjects. Those of one agent end in its id; orders and events have the leader's before it, as
// several leaders may use one server.
const (
	helloSubject = "roost.loadtest.hello"
	orderSubject = "roost.loadtest.order."
	eventSubject = "roost.loadtest.event."
	clockSubject = "roost.loadtest.clock."
)

const (
	// beatEvery is how often each side shows that it is there, and silence how long it may not.
	beatEvery = 500 * time.Millisecond
	silence   = 5 * time.Second
	// confirmWait is how long an agent that was taken may say nothing: another leader may have been faster.
	confirmWait = 2 * time.Second

	connectTime = 5 * time.Second // for TCP, to one server

	maxChunk   = 256 << 10 // of an event, in one NATS message
	maxEvent   = 64 << 20  // a report with its histograms is some 100 KiB
	maxHello   = 4 << 10
	maxName    = 100
	moreHeader = "Roost-More" // a message that is not its event's last
)

// hello is what an agent says until it is taken.
type hello struct {
	ID      string `json:"id"` // of its connection: letters and digits
	Name    string `json:"name"`
	Version int    `json:"version"` // of reports
}

// welcome is the answer to it. The first of several leaders has the agent, which confirms by its first event.
type welcome struct {
	Leader  string `json:"leader,omitempty"`  // takes it: letters and digits
	Refused string `json:"refused,omitempty"` // why never
}

// sender publishes JSON values of any size on one subject, in order.
type sender struct {
	nc      *nats.Conn
	subject string
}

func (s sender) send(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(text) > maxEvent {
		return fmt.Errorf("agents: a message of %d bytes: want at most %d", len(text), maxEvent)
	}
	for {
		m := &nats.Msg{Subject: s.subject, Data: text}
		if len(text) > maxChunk {
			m.Data, m.Header = text[:maxChunk], nats.Header{moreHeader: {"1"}}
		}
		text = text[len(m.Data):]
		if err := s.nc.PublishMsg(m); err != nil {
			return fmt.Errorf("agents: %w", err)
		}
		if len(text) == 0 {
			return nil
		}
	}
}

var errTooLong = fmt.Errorf("agents: a message of more than %d bytes", maxEvent)

// receiver puts together what a sender cut.
type receiver struct{ buf []byte }

// take reads a whole value into v, or says that more is to come.
func (r *receiver) take(m *nats.Msg, v any) (whole bool, err error) {
	if len(r.buf)+len(m.Data) > maxEvent {
		r.buf = nil
		return false, errTooLong
	}
	if m.Header.Get(moreHeader) != "" {
		r.buf = append(r.buf, m.Data...)
		return false, nil
	}
	text := m.Data
	if len(r.buf) > 0 {
		text = append(r.buf, text...)
		r.buf = nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return false, fmt.Errorf("agents: %w", err)
	}
	return true, nil
}

// beaten is an order or an event, or only a sign of life.
type beaten[T any] struct {
	Value *T   `json:"value,omitempty"`
	Bye   bool `json:"bye,omitempty"` // nothing more comes
}

type (
	orderMessage = beaten[team.Order]
	eventMessage = beaten[team.Event]
)

// ErrToken is the error of an address that others can reach, without a token.
var ErrToken = fmt.Errorf("%w: agents from other machines need a token: choose one, and give it to the leader and to each agent", loadtest.ErrOptions)

// checkToken wants a token unless addr is of this machine only.
func checkToken(addr, token string) error {
	if token != "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w: agents' address %q: want host:port", loadtest.ErrOptions, addr)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s: %w", addr, ErrToken)
}

// connect is nats.Connect, whose error says why no server could be reached: the library's own only
// says that none could.
func connect(servers, token string, options ...nats.Option) (*nats.Conn, error) {
	d := &dialer{Dialer: net.Dialer{Timeout: connectTime}}
	nc, err := nats.Connect(servers, append(options, tokenOption(token), nats.MaxReconnects(-1), nats.SetCustomDialer(d))...)
	if errors.Is(err, nats.ErrNoServers) && d.err != nil {
		return nil, fmt.Errorf("no NATS server there: %w", d.err)
	}
	return nc, err
}

// dialer keeps the last error. The client dials from one goroutine at a time.
type dialer struct {
	net.Dialer
	err error
}

func (d *dialer) Dial(network, addr string) (c net.Conn, err error) {
	c, d.err = d.Dialer.Dial(network, addr)
	return c, d.err
}

// redacted is a NATS URL, or several with commas between, without passwords.
func redacted(servers string) string {
	all := strings.Split(servers, ",")
	for i, s := range all {
		if s = strings.TrimSpace(s); !strings.Contains(s, "://") {
			s = "nats://" + s // as the client takes it
		}
		u, err := url.Parse(s)
		if err != nil {
			all[i] = "(no URL)"
			continue
		}
		if u.User != nil && u.User.Username() != "" {
			if _, has := u.User.Password(); !has {
				u.User = url.User("xxxxx") // it is a token
			}
		}
		all[i] = u.Redacted()
	}
	return strings.Join(all, ",")
}

// withoutURL is err without the URL, which may hold a password, that could not be parsed.
func withoutURL(err error) error {
	if bad := (*url.Error)(nil); errors.As(err, &bad) {
		return bad.Err
	}
	return err
}

var errLost = errors.New("lost: nothing was heard of it for " + silence.String())
