package loadtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"
)

// api is where a server's HTTP API is.
type api struct {
	addr string // host:port
	host string // as in the Host field
	path string // before /apps
	tls  *tls.Config
}

// newAPI finds the API beside a URL of WebSockets.
func newAPI(raw string, given *tls.Config) (api, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return api{}, invalid("%w", err)
	}
	a := api{addr: u.Host, host: u.Host, path: strings.TrimSuffix(u.Path, "/")}
	if at := strings.Index(u.Path, "/app/"); at >= 0 {
		a.path = u.Path[:at]
	}
	secure := u.Scheme == "wss" || u.Scheme == "https"
	t := target{name: u.Hostname(), secure: secure}
	a.tls = t.tlsConfig(given)
	if u.Port() == "" {
		a.addr += ":80"
		if secure {
			a.addr = u.Host + ":443"
		}
	}
	return a, nil
}

// publishers publish a schedule over HTTP, each the events of its own channels: so
// that the order in a channel is that of one connection.
type publishers struct {
	p     *Pusher
	plan  *plan
	s     *schedule
	stamp *eventStamp
	apis  []api // in the order in which they are tried
	all   []*publisher
	done  sync.WaitGroup
	ended chan struct{}   // closed when all have published what they had to
	run   context.Context // requests end with the run
	ctx   context.Context // waits end with the publishing, whose last requests are answered
	stop  context.CancelFunc
}

// publish starts them. The schedule's counts of events sent are theirs until wait returns.
func publish(d *driver, p *Pusher, s *schedule, stamp *eventStamp, urls []string) (*publishers, error) {
	all := &publishers{p: p, plan: d.plan, s: s, stamp: stamp, ended: make(chan struct{})}
	for _, u := range urls {
		a, err := newAPI(u, d.o.TLS)
		if err != nil {
			return nil, err
		}
		all.apis = append(all.apis, a)
	}
	for i := range p.Publishers {
		sleeper, err := newSleeper()
		if err != nil {
			all.close()
			return nil, err
		}
		all.all = append(all.all, &publisher{publishers: all, published: newPublished(), index: uint32(i), sleeper: sleeper, at: i % len(all.apis)})
	}
	all.run = d.ctx
	all.ctx, all.stop = context.WithCancel(d.ctx)
	for _, one := range all.all {
		all.done.Go(one.work)
	}
	go func() {
		all.done.Wait()
		close(all.ended)
	}()
	return all, nil
}

func (a *publishers) close() {
	for _, p := range a.all {
		p.sleeper.close()
	}
}

// wait ends them, and tells what they did.
func (a *publishers) wait() published {
	a.stop()
	<-a.ended
	sum := newPublished()
	for _, p := range a.all {
		sum.add(&p.published)
	}
	a.close()
	return sum
}

// waiting records the age of each event measured that was due by now and never left, once for each
// of its receivers. It may be called when wait has returned.
func (a *publishers) waiting(now int64, ages *latency) {
	for _, p := range a.all {
		for ; p.seek() && a.s.dueAt(p.next) <= now; p.next++ {
			if p.next >= a.s.from {
				ages.times(now-a.s.dueAt(p.next), a.s.receivers[a.s.channelOf(p.next)])
			}
		}
	}
}

// published is what was published of a schedule. Counts are of the events measured.
type published struct {
	tried    uint64   // events that left
	ages     *latency // of those that were due and did not, over HTTP
	events   uint64   // of these, that the server took
	requests uint64   // that brought them
	late     uint64   // events that left more than a millisecond after their time
	calls    *latency
	failures failures // requests
	// excused are events, by channel, that the server may not have got: nobody
	// can say that they were lost.
	excused map[uint32][]uint32
}

func newPublished() published {
	return published{ages: newLatency(), calls: newLatency(), excused: make(map[uint32][]uint32)}
}

// add adds what another published, whose channels are others.
func (p *published) add(o *published) {
	p.tried += o.tried
	p.events += o.events
	p.requests += o.requests
	p.late += o.late
	p.calls.merge(o.calls)
	p.failures.merge(&o.failures)
	maps.Copy(p.excused, o.excused)
}

// publisher publishes its share over one HTTP connection.
type publisher struct {
	*publishers
	published
	index   uint32
	next    uint32 // the first event not looked at
	sleeper *sleeper
	http    httpConn
	at      int // of apis
	batch   []eventHead
	counts  uint64 // of batch, the events measured
	body    []byte
}

// work publishes until the schedule or the run ends.
func (p *publisher) work() {
	defer p.http.close()
	for p.seek() {
		wait := p.s.dueAt(p.next) - p.plan.clock()
		if !p.sleeper.sleep(p.ctx, time.Duration(wait)) {
			return
		}
		p.collect()
		p.post()
	}
}

// seek moves on to the next event of our channels.
func (p *publisher) seek() bool {
	for ; p.next < p.s.end; p.next++ {
		if p.s.channelOf(p.next)%uint32(p.p.Publishers) == p.index {
			return true
		}
	}
	return false
}

// collect takes the next event, and those that are due as well.
func (p *publisher) collect() {
	now := p.plan.clock()
	p.batch, p.counts = p.batch[:0], 0
	for len(p.batch) < p.p.Batch && p.seek() {
		due := p.s.dueAt(p.next)
		if len(p.batch) > 0 && due > now {
			return
		}
		c := p.s.channelOf(p.next)
		p.batch = append(p.batch, eventHead{channel: c, seq: p.s.sent[c], number: p.next, left: now})
		p.s.sent[c]++
		p.next++
		if p.next <= p.s.from {
			continue
		}
		p.counts++
		p.tried++
		if now-due > lateAfter {
			p.late++
		}
	}
}

// post sends the batch and takes the answer.
func (p *publisher) post() {
	method := "events"
	p.body = p.body[:0]
	if p.p.Batch > 1 {
		method = "batch_events"
		p.body = append(p.body, `{"batch":[`...)
	}
	for i, e := range p.batch {
		if i > 0 {
			p.body = append(p.body, ',')
		}
		p.body = append(p.body, `{"name":"`+eventName+`","channel":"`...)
		p.body = append(append(p.body, p.p.names[e.channel]...), `","data":"`...)
		p.body = append(p.stamp.append(p.body, e), `"}`...)
	}
	if p.p.Batch > 1 {
		p.body = append(p.body, `]}`...)
	}
	begun := p.plan.clock()
	err := p.http.post(p.run, &p.apis[p.at], p.p, method, p.body, p.plan.timeout)
	if err != nil {
		if p.run.Err() == nil {
			p.failures.add(connOpen, err)
			p.at = (p.at + 1) % len(p.apis)
		}
		for _, e := range p.batch {
			p.excused[e.channel] = append(p.excused[e.channel], e.seq)
		}
		return
	}
	if p.counts == 0 {
		return
	}
	p.requests++
	p.events += p.counts
	p.calls.record(p.plan.clock() - begun)
}

func publishStatus(status int, body []byte) error {
	return &failure{cause: causePublishStatus, status: status, err: fmt.Errorf("%d: %.200q", status, body)}
}
