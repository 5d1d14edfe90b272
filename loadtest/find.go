package loadtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Find looks for the highest load that keeps an objective: messages a second of an
// open model on Conns connections, or a number of connections. It doubles the
// load until a step fails twice and halves the interval then; all steps use the same
// connections, as far as these last.
type Find struct {
	Options // Conns does not count where connections are looked for

	// Scenario is "echo" or "broadcast", whose rate is looked for, or "idle", whose
	// number of connections is.
	Scenario  string
	Objective []Expectation // of each step; all have to hold, at least one
	From, To  float64       // the first load, and the highest to try; 0 = 1,000 and 1,000,000
	Precision float64       // share of the result by which it may be too low; 0 = 0.05

	InFlight int // of an echo; 0 = 16
	Size     int // bytes of a message; 0 = 64
	Text     bool

	Warmup   time.Duration // of each step, not measured
	Duration time.Duration // of each step; how long connections are held; 0 = 5 s
}

func (f *Find) normalize() error {
	f.whole = true
	f.From, f.To = cmp.Or(f.From, 1e3), cmp.Or(f.To, 1e6)
	f.Precision, f.InFlight, f.Size = cmp.Or(f.Precision, 0.05), cmp.Or(f.InFlight, 16), cmp.Or(f.Size, 64)
	f.Duration = cmp.Or(f.Duration, 5*time.Second)
	switch {
	case !slices.Contains([]string{"echo", "broadcast", "idle"}, f.Scenario):
		return invalid("cannot look for the load of %q: there are echo, broadcast and idle", f.Scenario)
	case len(f.Objective) == 0:
		return invalid("no objective: what has to hold, as 'p99<10ms'?")
	case !(f.From >= 1) || !(f.To >= f.From):
		return invalid("from %g to %g: want 1 or more, and rising", f.From, f.To)
	case !(f.Precision >= 0.001 && f.Precision <= 0.5):
		return invalid("a precision of %g: want 0.1%% to 50%%", f.Precision)
	case f.Warmup < 0 || f.Duration < 0:
		return invalid("warm-up and duration must not be negative")
	case f.Part.parts() > 1:
		return invalid("steps are decided by one process: run find in one")
	case f.Scenario == "idle":
		f.Conns = int(f.To)
	}
	return nil
}

// Run runs the search; see [Echo.Run] for ctx, the report and the errors.
func (f Find) Run(ctx context.Context) (*Report, error) {
	if err := f.normalize(); err != nil {
		return nil, err
	}
	step, size, err := f.stepper()
	if err != nil {
		return nil, err
	}
	s := &search{f: &f, shakes: newLatency()}
	d, err := newDriver(ctx, "find", f.Options, size, func(l *loop) script {
		p := &player{loop: l}
		s.players = append(s.players, p)
		return p
	})
	if err != nil {
		return nil, err
	}
	s.d, s.before = d, d.memory()
	r := &FindReport{Of: f.Scenario, From: f.From, To: f.To, Precision: f.Precision, Steps: []FindStep{}}
	for _, e := range f.Objective {
		r.Objective = append(r.Objective, e.text)
	}
	if f.Scenario != "idle" {
		d.connect()
	}
	if f.Scenario == "idle" || d.report.Connections.Opened > 0 {
		d.report.Find = r
		s.run(r, step)
	}
	all, err := d.finish()
	if c := &all.Connections; f.Scenario == "idle" {
		c.Wanted, c.Redialled, c.Took = c.Redialled, 0, s.opening
		c.PerSecond = float64(c.Opened) / max(s.opening.Seconds(), 1e-9)
		c.Handshake = s.shakes.summary()
	}
	return all, err
}

// stepper is how one step is measured, and the largest message there is.
func (f *Find) stepper() (measureStep, int, error) {
	switch f.Scenario {
	case "echo":
		e := Echo{Options: f.Options, Rate: f.From, InFlight: f.InFlight, Size: f.Size, Text: f.Text, Warmup: f.Warmup, Duration: f.Duration}
		if err := e.normalize(); err != nil {
			return nil, 0, err
		}
		stamp, err := newStamp(f.Size, f.Text)
		return e.step(stamp), f.Size, err
	case "broadcast":
		b := Broadcast{Options: f.Options, Rate: f.From, Size: f.Size, Text: f.Text, Warmup: f.Warmup, Duration: f.Duration}
		if err := b.normalize(); err != nil {
			return nil, 0, err
		}
		stamp, err := newStamp(f.Size, f.Text)
		return b.step(stamp), f.Size, err
	}
	return f.idleStep, maxIdlePayload, nil
}

// search is a run of Find. It belongs to Run's goroutine.
type search struct {
	f       *Find
	d       *driver
	players []*player // by loop
	first   uint32    // the number of the next step's first message
	before  snapshot
	found   float64       // the highest load that held
	failed  bool          // the last step did
	opening time.Duration // spent in opening connections, of idle
	shakes  *latency      // of all steps of idle
	cores   float64       // that the harness used for the last of it
}

// measureStep measures one load. It fills report with what the scenario's own
// report would have, and returns why the load was not even reached, if so.
type measureStep func(s *search, load float64, r *Report) (short string)

// run doubles, then halves.
func (s *search) run(r *FindReport, measure measureStep) {
	failed := 0.0
	for load := s.f.From; ; {
		var step FindStep
		// One hiccup of the machine is not the server's limit: only a second one ends it.
		for range 2 {
			step = s.step(load, measure)
			if s.d.ctx.Err() != nil {
				r.Ended, r.Why = "interrupted", "the caller ended it"
				return
			}
			r.Steps = append(r.Steps, step)
			if s.failed = !step.Held; step.Held {
				break
			}
		}
		if step.Held {
			r.Found, s.found = load, load
		} else {
			failed, r.Ended, r.Why = load, step.Ended, step.Why
		}
		switch {
		case failed == 0 && load >= s.f.To:
			r.Ended, r.Why = "limit", "the highest load to try held"
			return
		case failed > 0 && (r.Found == 0 || failed-r.Found <= s.f.Precision*failed):
			return
		case failed == 0:
			load = min(2*load, s.f.To)
		default:
			load = (r.Found + failed) / 2
		}
		if s.f.Scenario == "idle" {
			load = float64(int(load))
			if load == r.Found || load == failed {
				return
			}
		}
	}
}

// step measures one load and judges it.
func (s *search) step(load float64, measure measureStep) FindStep {
	s.refill()
	r := &Report{Scenario: s.f.Scenario}
	failedBefore, lostBefore, causes := s.failures()
	short := measure(s, load, r)
	failed, lost, after := s.failures()
	step := FindStep{Load: load}
	c := &r.Connections
	step.Failed, step.Lost = failed-failedBefore, lost-lostBefore
	c.Failed, c.Lost = step.Failed, step.Lost
	step.take(r)
	if s.f.Scenario == "idle" {
		step.ClientCores, step.clientBound = s.cores, s.cores >= busy*float64(len(s.d.loops))
	}
	s.judge(&step, r, short, after.since(causes))
	return step
}

// judge says whether the step held, and if not what ended it.
func (s *search) judge(step *FindStep, r *Report, short string, new []Failure) {
	tolerant := false
	why := short
	for _, e := range s.f.Objective {
		tolerant = tolerant || slices.Contains([]string{"errors", "failed", "lost", "opened"}, e.figure)
		if err := e.Check(r); err != nil && why == "" {
			step.Ended, why = "objective", fmt.Sprintf("%s: %s", e.text, e.is(r))
		}
	}
	if len(new) > 0 && (why != "" || !tolerant) {
		f := new[0]
		step.Ended, why = "failures", fmt.Sprintf("%d × %s: %s", f.Count, f.Cause, f.Meaning)
		if slices.Contains([]string{"descriptors", "system-descriptors", "ports", "memory"}, f.Cause) {
			step.Ended = "client-bound"
			why += "; " + f.Remedy
		}
	} else if why != "" && step.clientBound {
		step.Ended, why = "client-bound", why+"; the harness used up its loops (--loops)"
	} else if why != "" && step.Ended == "" {
		step.Ended = "load"
	}
	step.Why, step.Held = why, why == ""
}

// failures are counted from the beginning of the run.
func (s *search) failures() (failed, lost int, all failures) {
	s.d.each(func(l *loop) {
		failed += l.failed
		lost += l.opened - l.open - l.left
		all.merge(&l.failures)
	})
	return failed, lost, all
}

// noticed is how long a server gets to see that connections have ended.
const noticed = 200 * time.Millisecond

// refill dials anew what earlier steps lost. Where connections are looked for it goes
// back to as many as held, so that each step opens some.
func (s *search) refill() {
	if s.f.Scenario == "idle" {
		if s.failed {
			s.d.each(func(l *loop) { s.players[l.index].standAt(int(s.found)) })
			s.d.wait("back", noticed, nil)
		}
		return
	}
	s.d.each(func(l *loop) { s.players[l.index].standAt(s.d.o.Conns) })
	s.d.settle(func(l *loop) int { return l.underWay() })
}
