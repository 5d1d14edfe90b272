package agents

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/team"
)

// Agent waits for leaders and does their plans, one after the other.
type Agent struct {
	URL   string // of the NATS server, nats://host:port
	Token string
	Name  string // shown to people
	Once  bool   // end after one plan
	// Run does a plan, as for [team.Follow].
	Run func(context.Context, team.Plan, *team.Seat) (*loadtest.Report, error)
	// Say is told what happens, for people.
	Say func(format string, args ...any)
}

// Join waits for work, and for the server when that is not there yet, until ctx ends or, with Once,
// a plan was done. The error wraps [loadtest.ErrOptions] when the server refuses the token or the
// leader refuses the agent.
func (a *Agent) Join(ctx context.Context) error {
	for said := ""; ; {
		err := withoutURL(a.once(ctx))
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, nats.ErrAuthorization):
			return fmt.Errorf("%w: %s refuses the token: give the leader's", loadtest.ErrOptions, redacted(a.URL))
		case errors.Is(err, loadtest.ErrOptions):
			return err
		case err == nil && a.Once:
			return nil
		case err == nil:
			said = ""
		case err.Error() != said: // of what lasts it is enough to hear once
			said = err.Error()
			a.Say("%s: %v; trying again", redacted(a.URL), err)
		}
		select {
		case <-time.After(beatEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// once connects, waits for a leader and does its plan.
func (a *Agent) once(ctx context.Context) error {
	nc, err := connect(a.URL, a.Token, nats.Name("roost loadtest agent"), nats.Timeout(connectTime))
	if err != nil {
		return err
	}
	defer nc.Close()
	id := rand.Text()
	// The answer is made where the question comes in, with nothing before it.
	if _, err = nc.Subscribe(clockSubject+id, func(m *nats.Msg) {
		_ = m.Respond(strconv.AppendInt(nil, time.Now().UnixNano(), 10)) // it is asked again
	}); err != nil {
		return fmt.Errorf("agents: %w", err)
	}
	a.Say("waiting for work from %s", redacted(nc.ConnectedUrl()))
	leader, err := a.offer(ctx, nc, id)
	if err != nil {
		return err
	}
	l := &link{out: sender{nc, eventSubject + leader + "." + id}, orders: make(chan team.Order, 64), over: make(chan struct{})}
	heard := make(chan *nats.Msg, 256)
	_, err = nc.ChanSubscribe(orderSubject+leader+"."+id, heard)
	if err := errors.Join(err, nc.FlushTimeout(5*time.Second)); err != nil { // orders come when the leader has heard of us
		return fmt.Errorf("agents: %w", err)
	}
	a.Say("taken by a leader")
	var running sync.WaitGroup
	running.Go(func() { l.hear(heard) })
	running.Go(l.beat)
	err = team.Follow(ctx, l, a.Run)
	err = errors.Join(err, l.send(eventMessage{Bye: true}), nc.FlushTimeout(5*time.Second))
	close(l.over)
	running.Wait()
	if err == nil {
		a.Say("done")
	}
	return err
}

// offer says hello until a leader takes the agent, and returns the leader's id.
func (a *Agent) offer(ctx context.Context, nc *nats.Conn, id string) (leader string, err error) {
	text, err := json.Marshal(hello{ID: id, Name: a.Name, Version: loadtest.ReportVersion})
	if err != nil {
		return "", err
	}
	for {
		one, cancel := context.WithTimeout(ctx, 2*beatEvery)
		m, err := nc.RequestWithContext(one, helloSubject, text)
		cancel()
		var w welcome
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err != nil || len(m.Data) > maxHello || json.Unmarshal(m.Data, &w) != nil:
			if !nc.IsConnected() {
				return "", nats.ErrConnectionClosed // the server may come back with other settings
			}
		case w.Refused != "":
			return "", fmt.Errorf("%w: %s", loadtest.ErrOptions, w.Refused)
		case validID(w.Leader):
			return w.Leader, nil
		}
		select {
		case <-time.After(beatEvery):
		case <-ctx.Done():
		}
	}
}

// link is an agent's way to its leader.
type link struct {
	mu     sync.Mutex
	out    sender
	orders chan team.Order
	over   chan struct{}
}

// hear hands orders on. A leader that says goodbye, or nothing for too long, is gone.
func (l *link) hear(heard <-chan *nats.Msg) {
	defer close(l.orders)
	var parts receiver
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case <-l.over:
			return
		case <-quiet.C:
			return
		case m := <-heard:
			quiet.Reset(silence)
			var o orderMessage
			whole, err := parts.take(m, &o)
			if err != nil || o.Bye {
				return
			}
			if whole && o.Value != nil {
				select {
				case l.orders <- *o.Value:
				case <-l.over:
					return
				}
			}
		}
	}
}

// beat begins at once: the leader counts on the agent from the first on.
func (l *link) beat() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		_ = l.send(eventMessage{}) // as the leader's
		select {
		case <-tick.C:
		case <-l.over:
			return
		}
	}
}

// send is for several goroutines: an event's pieces must not mix with another's.
func (l *link) send(m eventMessage) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.send(m)
}

func (l *link) Send(e team.Event) error   { return l.send(eventMessage{Value: &e}) }
func (l *link) Orders() <-chan team.Order { return l.orders }
