package loadtest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Merge makes one report of those that the parts of one run gave ([Part]): counts
// and rates are summed, distributions are merged by their histograms
// ([Options].Histograms) and summarised again, failures are counted by
// cause, samples are laid on one time axis, and the server's CPU and memory are
// taken once, from the first part that saw them. A part's clock is taken
// as it is: who knows that it is off corrects its Started before.
//
// Errors wrap [ErrOptions]: no parts, parts of different runs, times that no run has, or latencies without a histogram. The
// parts must not be used afterwards.
//
// A scenario takes part in it by a method merge on its report, called with the
// parts' reports one after the other, and a line in mergeScenario. It sums counts and
// rates, takes the longest of what ran at the same time, merges each Latency by
// Latency.merge and each CPU by mergeCPU, and does not touch Connections.
func Merge(parts []*Report) (*Report, error) {
	if len(parts) == 0 {
		return nil, invalid("no reports to merge")
	}
	if err := checkTimes(parts); err != nil {
		return nil, err
	}
	memory, samples := memoryOf(parts), mergeSamples(parts)
	all := *parts[0]
	for _, p := range parts[1:] {
		if err := all.merge(p); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOptions, err)
		}
	}
	slices.SortFunc(all.Failures, func(a, b Failure) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Cause, b.Cause))
	})
	if all.Idle != nil {
		all.Idle.Memory = memory.of(all.Connections.Opened, all.Idle.Standing)
	}
	if all.Broadcast != nil {
		all.Broadcast.resolve()
	}
	all.Samples = samples
	if all.Server != nil {
		all.Server.Peak = peakOf(samples)
	}
	if all.Harness != nil {
		all.Harness.judge(samples)
	}
	return &all, nil
}

// merge adds the report of another part.
func (r *Report) merge(o *Report) error {
	if r.Scenario != o.Scenario || r.Version != o.Version {
		return fmt.Errorf("reports of %s (version %d) and %s (version %d) are not of one run", r.Scenario, r.Version, o.Scenario, o.Version)
	}
	end := r.Started.Add(r.Took)
	if e := o.Started.Add(o.Took); e.After(end) {
		end = e
	}
	if o.Started.Before(r.Started) {
		r.Started = o.Started
	}
	r.Took = end.Sub(r.Started)
	r.Interrupted = r.Interrupted || o.Interrupted
	if r.Server == nil {
		r.Server = o.Server
	}
	r.mergeFailures(o)
	r.mergeTargets(o)
	if r.Scrape == nil {
		r.Scrape = o.Scrape
	}
	return errors.Join(r.Connections.merge(&o.Connections), mergeInto(&r.Harness, o.Harness), r.mergeScenario(o))
}

// mergeScenario merges what the scenario measured.
func (r *Report) mergeScenario(o *Report) error {
	return errors.Join(
		mergeInto(&r.Idle, o.Idle),
		mergeInto(&r.Echo, o.Echo),
		mergeInto(&r.Broadcast, o.Broadcast),
		mergeInto(&r.Churn, o.Churn),
		mergeInto(&r.Push, o.Push),
		mergeInto(&r.Slow, o.Slow),
		mergeInto(&r.Find, o.Find),
		mergeInto(&r.Storm, o.Storm),
	)
}

// mergeable is a scenario's report.
type mergeable[T any] interface {
	*T
	merge(o *T) error
}

// mergeInto merges from into at. A part that measured nothing has none.
func mergeInto[T any, P mergeable[T]](at *P, from P) error {
	switch {
	case from == nil:
	case *at == nil:
		*at = from
	default:
		return (*at).merge(from)
	}
	return nil
}

func (c *Connections) merge(o *Connections) error {
	c.Wanted += o.Wanted
	c.Opened += o.Opened
	c.Failed += o.Failed
	c.Lost += o.Lost
	c.Deflated += o.Deflated
	c.Redialled += o.Redialled
	first := c.Opened
	if c.Redialled > 0 {
		first = int(c.Handshake.Count + o.Handshake.Count)
	}
	if c.Took = max(c.Took, o.Took); c.Took > 0 {
		c.PerSecond = float64(first) / c.Took.Seconds()
	}
	return c.Handshake.merge(&o.Handshake)
}

func (r *Report) mergeFailures(o *Report) {
	r.Failures = joinFailures(r.Failures, o.Failures)
	for _, n := range o.Notices {
		if !slices.Contains(r.Notices, n) {
			r.Notices = append(r.Notices, n)
		}
	}
}

// joinFailures adds others by their causes.
func joinFailures(mine, others []Failure) []Failure {
	for _, f := range others {
		if i := slices.IndexFunc(mine, func(m Failure) bool { return m.Cause == f.Cause }); i >= 0 {
			mine[i].Count += f.Count
			continue
		}
		mine = append(mine, f)
	}
	return mine
}

func (e *EchoReport) merge(o *EchoReport) error {
	e.Rate += o.Rate
	e.Measured = max(e.Measured, o.Measured)
	e.Messages += o.Messages
	e.PerSecond += o.PerSecond
	e.Late += o.Late
	e.Unanswered += o.Unanswered
	e.ClientBound = e.ClientBound || o.ClientBound
	mergeCPU(&e.ClientCPU, &o.ClientCPU, &e.ServerCPU, o.ServerCPU, e.Messages)
	if e.Uncorrected == nil || o.Uncorrected == nil {
		return e.Latency.merge(&o.Latency)
	}
	return errors.Join(e.Latency.merge(&o.Latency), e.Uncorrected.merge(o.Uncorrected))
}

func (i *IdleReport) merge(o *IdleReport) error {
	i.Held = max(i.Held, o.Held)
	i.Standing += o.Standing
	i.Pings += o.Pings
	if v := o.Verified; v != nil {
		if i.Verified == nil {
			i.Verified = new(Verified)
		}
		i.Verified.Echoed += v.Echoed
		i.Verified.Silent += v.Silent
		i.Verified.Took = max(i.Verified.Took, v.Took)
	}
	return nil
}
