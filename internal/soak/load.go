package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// load is all that the servers get to do.
type load struct {
	*fleet
	conns  int
	report *report
}

// A round is one scenario from its first connection to its last. Short ones, each with another
// mixture, have the servers go from nobody to a crowd and back many times.
const (
	roundLeast = 3 * time.Second
	roundMost  = 20 * time.Second
	// ending is what a scenario takes beyond its duration.
	ending = time.Second
)

// scenario makes a round of about that length; n is the connections it may have.
type scenario struct {
	name  string
	share int // of all connections, in percent
	round func(l *load, n int, length time.Duration) run
}

// run is what every scenario of package loadtest has.
type run interface {
	Run(context.Context) (*loadtest.Report, error)
}

var scenarios = []scenario{
	{"echo", 20, (*load).echo},
	{"echo, TLS", 15, (*load).echoTLS},
	{"churn", 20, (*load).churn},
	{"churn, TLS", 10, (*load).churnTLS},
	{"pauses", 10, (*load).pauses},
	{"broadcast", 10, (*load).broadcast},
	{"push", 15, (*load).channels},
}

// run keeps all scenarios and the rude clients going until then, or until ctx ends.
func (l *load) run(ctx context.Context, until time.Time) {
	var all sync.WaitGroup
	for _, s := range scenarios {
		all.Go(func() {
			for left := time.Until(until) - ending; left > roundLeast/2 && ctx.Err() == nil; left = time.Until(until) - ending {
				d := min(left, roundLeast+rand.N(roundMost-roundLeast))
				got, err := s.round(l, max(2, l.conns*s.share/100), d).Run(ctx)
				l.report.round(s.name, got, err)
			}
		})
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for range max(2, l.conns/50) {
		all.Go(func() { l.rude(ctx) })
	}
	all.Wait()
}

// size is of a message: mostly small, seldom of 64 KiB.
func size() int { return 64 << rand.N(1+rand.N(11)) }

func deflate() *loadtest.Deflate {
	if rand.N(2) == 0 {
		return nil
	}
	return &loadtest.Deflate{NoContextTakeover: rand.N(2) == 0, Level: 1 + rand.N(9)}
}

// to are options for connections to s; more patient than a machine with other work is slow.
func (l *load) to(s *server, n int) loadtest.Options {
	return loadtest.Options{URL: s.url, Conns: n, TLS: l.trust, Timeout: 20 * time.Second, Dialing: 32, ServerPIDs: []int{s.cmd.Process.Pid}}
}

func (l *load) echo(n int, length time.Duration) run {
	o := l.to(l.plain, n)
	o.Deflate = deflate()
	bytes := size()
	return loadtest.Echo{Options: o, Size: bytes, InFlight: 1 + rand.N(16), Text: rand.N(2) == 0, Rate: rate(bytes), Duration: length}
}

func (l *load) echoTLS(n int, length time.Duration) run {
	o := l.to(l.secure, n)
	o.Deflate = deflate()
	bytes := size()
	return loadtest.Echo{Options: o, Size: bytes, InFlight: 1 + rand.N(16), Rate: rate(bytes), Duration: length}
}

// rate of messages is bounded, so that two cores have time for the other scenarios.
func rate(size int) float64 { return min(2000, 8<<20/float64(size)) }

func (l *load) churn(n int, length time.Duration) run {
	o := l.to(l.plain, n)
	o.Deflate = deflate()
	return loadtest.Churn{Options: o, Lifetime: time.Second, Abort: 0.3, Echo: true, Size: size(), Duration: length}
}

func (l *load) churnTLS(n int, length time.Duration) run {
	return loadtest.Churn{Options: l.to(l.secure, n), Lifetime: time.Second, Abort: 0.3, Echo: true, Duration: length}
}

// pauses has a third of the clients stop reading for a while, and then catch up.
func (l *load) pauses(n int, length time.Duration) run {
	s := loadtest.Slow{Share: 0.34, Echo: rand.N(2) == 0, Size: 16 << 10, Rate: 50, Duration: length / 2}
	if s.Echo {
		s.Rate *= float64(n)
		s.Options = l.to(l.secure, n)
		if rand.N(2) == 0 {
			s.Options = l.to(l.plain, n)
		}
		return s
	}
	s.Options = l.to(l.paused, n)
	return s
}

func (l *load) broadcast(n int, length time.Duration) run {
	return loadtest.Broadcast{Options: l.to(l.cast, n), Size: size(), Rate: 50, Text: rand.N(2) == 0, Duration: length}
}

func (l *load) channels(n int, length time.Duration) run {
	return loadtest.Push{Options: l.to(l.push, n), Duration: length, Pusher: loadtest.Pusher{
		Key: appKey, AppID: appID, Secret: appSecret,
		Channels: max(1, n/4), Subscriptions: 1 + rand.N(max(1, n/4)), Private: 0.3, Presence: 0.2, Rate: 50, Publishers: 2,
	}}
}

// met are what clients met in one round, beside what they should.
func met(r *loadtest.Report) (wrong []string) {
	count := func(n uint64, what string) {
		if n > 0 {
			wrong = append(wrong, fmt.Sprintf("%d %s", n, what))
		}
	}
	count(uint64(r.Connections.Failed), "handshakes failed")
	count(uint64(r.Connections.Lost), "connections lost")
	for _, f := range r.Failures {
		wrong = append(wrong, fmt.Sprintf("%d times %s (%s)", f.Count, f.Cause, f.Example))
	}
	if e := r.Echo; e != nil && !r.Interrupted {
		// What was due in the last moment may be under way; a message lost would stop its connection for good.
		if late := e.Unanswered; late > e.Messages/2 {
			count(late, "echoes never came")
		}
	}
	if c := r.Churn; c != nil {
		count(c.Failed, "dials of a churn failed")
		count(c.Lost, "lives were ended by the server")
		count(c.Unanswered, "closes had no answer")
		count(c.Lingering, "closed connections stayed open")
		if c.Echo != nil {
			count(c.Echo.Silent, "lives had no echo")
		}
	}
	if b := r.Broadcast; b != nil && !r.Interrupted {
		count(b.Lost, "deliveries lost")
		count(b.Duplicates+b.Reordered, "deliveries twice or out of order")
	}
	if p := r.Push; p != nil && !r.Interrupted {
		count(p.Lost, "events lost")
		count(p.Duplicates+p.Reordered, "events twice or out of order")
		count(uint64(p.Refused), "subscriptions refused")
		for _, f := range p.PublishFailures {
			wrong = append(wrong, fmt.Sprintf("%d times %s (%s)", f.Count, f.Cause, f.Example))
		}
	}
	if s := r.Slow; s != nil && !r.Interrupted {
		count(s.Baseline.Lost, "messages lost")
		count(s.Missed, "messages missed by those who paused")
		count(uint64(s.Disconnected), "who paused were disconnected")
	}
	return wrong
}
