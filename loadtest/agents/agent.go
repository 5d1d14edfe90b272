package agents

import (
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-ws/roost/loadtest/team"
)

// agent is one that joined, as its leader sees it.
type agent struct {
	id     string
	name   string
	clock  team.Clock
	host   *Host
	out    sender
	sub    *nats.Subscription
	events chan team.Event
	err    error // valid when events is closed
	over   chan struct{}
	once   sync.Once
	done   sync.WaitGroup
}

// take subscribes to what the agent says, and shows it that its leader is there. Whether it is ours, and when it
// ends, goes to h.here and h.gone.
func (h *Host) take(said hello) error {
	name := said.Name
	if len(name) > maxName {
		name = name[:maxName]
	}
	a := &agent{id: said.ID, name: "agent " + name, host: h, out: sender{h.nc, orderSubject + h.id + "." + said.ID}, events: make(chan team.Event), over: make(chan struct{})}
	heard := make(chan *nats.Msg, 256)
	sub, err := h.nc.ChanSubscribe(eventSubject+h.id+"."+said.ID, heard)
	if err != nil {
		return fmt.Errorf("agents: %w", err)
	}
	a.sub = sub
	// The agent may speak as soon as it has the answer, so the server must know of this first.
	if err := h.nc.FlushTimeout(silence); err != nil {
		return fmt.Errorf("agents: %w", err)
	}
	a.done.Go(func() {
		a.hear(heard)
		select {
		case h.gone <- a:
		case <-a.over:
		}
	})
	a.done.Go(a.beat)
	h.agents = append(h.agents, a)
	return nil
}

// hear hands events on until the agent says goodbye, or says nothing for too long.
func (a *agent) hear(heard <-chan *nats.Msg) {
	defer close(a.events)
	var parts receiver
	quiet := time.NewTimer(confirmWait)
	defer quiet.Stop()
	for confirmed := false; ; {
		select {
		case <-a.over:
			return
		case <-quiet.C:
			a.err = errLost
			return
		case m := <-heard:
			if !confirmed {
				confirmed = true
				select {
				case a.host.here <- a:
				case <-a.over:
					return
				}
			}
			quiet.Reset(silence)
			var e eventMessage
			whole, err := parts.take(m, &e)
			if err != nil {
				a.err = err
				return
			}
			if whole && e.Value != nil {
				select {
				case a.events <- *e.Value:
				case <-a.over:
					return
				}
			}
			if e.Bye {
				return
			}
		}
	}
}

func (a *agent) beat() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = a.out.send(orderMessage{}) // a link that is down mends itself, or the agent is lost
		case <-a.over:
			return
		}
	}
}

// end lets the agent go.
func (a *agent) end() {
	a.once.Do(func() { close(a.over) })
	a.done.Wait()
	_ = a.out.send(orderMessage{Bye: true})
	_ = a.sub.Unsubscribe()
}

func (a *agent) Name() string              { return a.name }
func (a *agent) Clock() team.Clock         { return a.clock }
func (a *agent) Send(o team.Order)         { _ = a.out.send(orderMessage{Value: &o}) } // as beat
func (a *agent) Events() <-chan team.Event { return a.events }
func (a *agent) Err() error                { return a.err }
