package agents

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/team"
)

// Host is where agents join a leader. Its methods are called from one goroutine.
type Host struct {
	id     string // tells its agents from those of other leaders
	nc     *nats.Conn
	server *server.Server // nil when it is another's
	addr   string
	agents []*agent
	here   chan *agent // those that confirmed
	gone   chan *agent // those that ended
}

// startTime is how long the embedded server may take to begin.
const startTime = 10 * time.Second

// Listen starts a NATS server on addr (host:port, port 0 for a free one), which has agents
// show the token. The error wraps [loadtest.ErrOptions] when addr can't be used.
func Listen(addr, token string) (*Host, error) {
	if err := checkToken(addr, token); err != nil {
		return nil, err
	}
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%w: agents' address %q: want host:port", loadtest.ErrOptions, addr)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%w: agents' address %q: want host:port", loadtest.ErrOptions, addr)
	}
	if port == 0 {
		port = 1<<64 - 1 // server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "roost-loadtest", Host: host, Port: int(port), Authorization: token,
		NoSigs: true, NoLog: true, MaxPayload: 2 * maxChunk, MaxConn: 4096,
	})
	if err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	go s.Start()
	if !s.ReadyForConnections(startTime) {
		s.Shutdown()
		return nil, fmt.Errorf("agents: the NATS server for them could not listen on %s within %v: is the address in use?", addr, startTime)
	}
	h, err := Connect(s.ClientURL(), token)
	if err != nil {
		s.Shutdown()
		return nil, err
	}
	h.server, h.addr = s, s.Addr().String()
	return h, nil
}

// Connect uses a NATS server that runs already.
func Connect(url, token string) (*Host, error) {
	nc, err := connect(url, token, nats.Name("roost loadtest"))
	if err != nil {
		return nil, fmt.Errorf("agents at %s: %w", redacted(url), withoutURL(err))
	}
	return &Host{id: rand.Text(), nc: nc, here: make(chan *agent), gone: make(chan *agent), addr: strings.TrimPrefix(redacted(nc.ConnectedUrl()), "nats://")}, nil
}

func tokenOption(token string) nats.Option {
	if token == "" {
		return func(*nats.Options) error { return nil }
	}
	return nats.Token(token)
}

// Addr is what agents join, host:port.
func (h *Host) Addr() string { return h.addr }

// Accept waits for n agents, and tells joined of each, and left of one that went before all had come. Its error
// is ctx's, or that of an agent that could not be talked to.
func (h *Host) Accept(ctx context.Context, n int, joined func(name string, c team.Clock), left func(name string)) ([]team.Member, error) {
	hellos := make(chan *nats.Msg, 64)
	sub, err := h.nc.ChanSubscribe(helloSubject, hellos)
	if err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection goes soon after
	taken := make(map[string]bool)
	var members []team.Member
	for len(members) < n {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case a := <-h.here:
			a.clock = h.measure(ctx, a.id)
			members = append(members, a)
			joined(a.name, a.clock)
		case a := <-h.gone:
			a.end()
			delete(taken, a.id)
			if i := slices.Index(members, team.Member(a)); i >= 0 {
				members = slices.Delete(members, i, i+1)
				left(a.name)
			}
		case m := <-hellos:
			if err := h.greet(m, taken, n); err != nil {
				return nil, err
			}
		}
	}
	return members, nil
}

// greet answers an agent that offers itself. No more than n are taken at a time: others stay free for other leaders.
func (h *Host) greet(m *nats.Msg, taken map[string]bool, n int) error {
	var said hello
	if len(m.Data) > maxHello || json.Unmarshal(m.Data, &said) != nil || !validID(said.ID) {
		return nil // it is no agent
	}
	if said.Version != loadtest.ReportVersion {
		answer(m, welcome{Refused: fmt.Sprintf("the leader's reports are of version %d, the agent's of %d: use one release of roost", loadtest.ReportVersion, said.Version)})
		return nil
	}
	if !taken[said.ID] { // else it said so again before it heard the answer
		if len(taken) == n {
			return nil
		}
		if err := h.take(said); err != nil {
			return err
		}
		taken[said.ID] = true
	}
	answer(m, welcome{Leader: h.id})
	return nil
}

func answer(m *nats.Msg, w welcome) {
	text, err := json.Marshal(w)
	if err == nil {
		_ = m.Respond(text) // an agent that does not hear it asks again
	}
}

// validID keeps an id from being another subject.
func validID(id string) bool {
	return id != "" && len(id) <= maxName && strings.IndexFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}

// Close tells the agents that it is over, and ends the server.
func (h *Host) Close() {
	for _, a := range h.agents {
		a.end()
	}
	_ = h.nc.FlushTimeout(time.Second) // agents notice the end by silence too
	h.nc.Close()
	if h.server != nil {
		h.server.Shutdown()
		h.server.WaitForShutdown()
	}
}

// Clocks are compared by asking so often; the fastest answer bounds the error best.
const clockTries = 24

// measure asks an agent for its time, as NTP does (RFC 5905 section 8): an answer that took d to
// come was given within d/2 of the middle.
func (h *Host) measure(ctx context.Context, id string) (best team.Clock) {
	for try := range clockTries {
		one, cancel := context.WithTimeout(ctx, time.Second)
		asked := time.Now()
		m, err := h.nc.RequestWithContext(one, clockSubject+id, nil)
		took := time.Since(asked)
		cancel()
		if err != nil {
			continue
		}
		ns, err := strconv.ParseInt(string(m.Data), 10, 64)
		if err != nil {
			continue
		}
		c := team.Clock{Offset: time.Unix(0, ns).Sub(asked.Add(took / 2).Round(0)), Bound: took/2 + 1}
		if try == 0 || best.Bound == 0 || c.Bound < best.Bound {
			best = c
		}
	}
	return best
}
