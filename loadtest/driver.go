package loadtest

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/roost-ws/roost/codec"
)

// plan is what all loops of a run share. It does not change.
type plan struct {
	endpoints   []endpoint
	sources     []netip.Addr
	protocols   []string
	offer       *codec.DeflateConfig // nil without deflate
	flate       *codec.Flate
	timeout     time.Duration
	connectRate float64 // one loop's share; 0 = no limit
	maxDialling int     // one loop's share
	maxPayload  int64
	first       uint32 // the number of this process's first connection in the whole run
	loops       int
	slow        slowShare // of the connections have a small receive buffer
	seed        uint64
	base        time.Time // when the run's clock began
}

// driver runs a scenario's loops. Its methods are called from Run's goroutine.
type driver struct {
	o       Options
	plan    *plan
	ctx     context.Context // ends when the caller wants it, or a loop fails
	cancel  context.CancelCauseFunc
	loops   []*loop
	done    sync.WaitGroup
	report  *Report
	server  *server
	kernel  *kernelProbe
	sampler *sampler
	scraper *scraper // nil without one
	before  cpuTimes // this process's, before the run
	gone    func()   // looks at the server when connections have been closed; may be nil
	apart   error    // why the parts of the run could not meet
}

// newDriver resolves, checks the machine and starts the loops, each with a script
// of its own. Nothing is dialled yet.
func newDriver(ctx context.Context, scenario string, o Options, maxPayload int, scripted func(*loop) script) (*driver, error) {
	if err := o.normalize(); err != nil {
		return nil, err
	}
	all, err := o.targets(ctx)
	if err != nil {
		return nil, err
	}
	d := &driver{o: o, server: o.server(all), kernel: openKernelProbe(), before: ownCPU()}
	d.report = &Report{Version: ReportVersion, Scenario: scenario, URL: strings.Join(append([]string{o.URL}, o.More...), ","), Started: time.Now(), Notices: []Notice{}, Server: d.server.describe()}
	d.report.Connections.DeflateOffered = o.Deflate != nil
	for _, n := range preflight(&o, all, d.server) {
		d.report.Notices = append(d.report.Notices, n)
		o.Notice(n)
	}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	d.scraper = startScraper(&o)
	d.sampler = newSampler(d)
	d.plan = newPlan(&o, all, int64(maxPayload))
	for i := range o.Loops {
		share := o.Conns / o.Loops
		if i < o.Conns%o.Loops {
			share++
		}
		l, err := newLoop(d.plan, i, share)
		if err != nil {
			d.stop()
			return nil, err
		}
		l.script = scripted(l)
		l.lives, _ = l.script.(lives)
		d.loops = append(d.loops, l)
		d.done.Go(func() {
			if l.run(); l.err != nil {
				d.cancel(l.err)
			}
		})
	}
	return d, nil
}

func newPlan(o *Options, all []target, maxPayload int64) *plan {
	now := time.Now()
	p := &plan{
		sources: o.Sources, protocols: o.Protocols, timeout: o.Timeout,
		connectRate: o.ConnectRate / float64(o.Loops),
		maxDialling: max(1, o.Dialing/o.Loops),
		maxPayload:  maxPayload, loops: o.Loops, slow: o.slow, first: uint32(o.firstConn),
		seed: mix(uint64(now.UnixNano())), base: now,
		offer: o.Deflate.offer(),
	}
	for _, t := range all {
		p.endpoints = append(p.endpoints, newEndpoint(o, t))
	}
	if p.offer != nil {
		p.flate = codec.NewFlate(max(1, p.offer.Level), o.Loops)
	}
	return p
}

// each has f run on every loop, one after the other.
func (d *driver) each(f func(*loop)) {
	for _, l := range d.loops {
		l.do(f)
	}
}

// connect dials all connections, and returns when none is under way any more.
func (d *driver) connect() {
	d.meet(MeetReady)
	begun := d.plan.clock()
	d.each((*loop).start)
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		for _, l := range d.loops {
			select {
			case <-l.settled:
			case <-d.ctx.Done():
				return
			}
		}
	}()
	d.wait("connect", 0, settled)
	c := &d.report.Connections
	end, failed, all := begun, failures{}, newLatency()
	d.each(func(l *loop) {
		if l.settledAt == 0 { // interrupted
			l.settledAt = l.clock()
		}
		end = max(end, l.settledAt)
		c.Opened += l.opened
		c.Failed += l.failed
		c.Deflated += l.deflated
		all.merge(l.handshakes)
		failed.merge(&l.failures)
	})
	c.Wanted = d.o.Conns
	c.Took = time.Duration(end - begun)
	if c.Took > 0 {
		c.PerSecond = float64(c.Opened) / c.Took.Seconds()
	}
	c.Handshake = all.summary()
	d.meet(MeetOpen)
}

// closeWait is how long the server has to answer close frames.
const closeWait = 2 * time.Second

// finish closes the connections, ends the loops and completes the report. The
// error is a loop's; that the caller wanted the end is none.
func (d *driver) finish() (*Report, error) {
	d.meet(MeetMeasure)
	var all failures
	c := &d.report.Connections
	opened, failed := 0, 0
	d.each(func(l *loop) {
		all.merge(&l.failures)
		c.Lost += l.opened - l.open - l.left
		c.Redialled += l.redialled
		opened += l.opened
		failed += l.failed
	})
	c.Opened, c.Failed = opened, failed
	d.report.Failures = all.list()
	d.sampler.finish(d)
	d.report.Samples = d.sampler.samples
	if d.report.Server != nil {
		d.report.Server.Peak = peakOf(d.report.Samples)
	}
	d.report.Harness = d.harness()
	d.report.Targets = d.byTarget()
	d.report.Interrupted = d.ctx.Err() != nil
	d.report.Took = time.Since(d.plan.base)
	d.leave()
	if d.gone != nil {
		d.gone()
	}
	d.stop()
	if d.o.Histograms {
		if err := d.report.keepHistograms(); err != nil {
			return d.report, err
		}
	}
	for _, l := range d.loops {
		if l.err != nil {
			return d.report, l.err
		}
	}
	return d.report, d.apart
}

// stop ends the loops and gives back what the driver holds.
func (d *driver) stop() {
	d.each(func(l *loop) { l.stop = true })
	d.done.Wait()
	d.cancel(nil)
	d.report.Scrape = d.scraper.stop()
	d.server.close()
	d.kernel.close()
}
