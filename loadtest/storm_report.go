package loadtest

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// StormReport is what [Storm] measured. Times of coming back count from the cut.
type StormReport struct {
	By         string        `json:"by"` // who cut: "client" or "server"
	Herd       bool          `json:"herd"`
	MinBackoff time.Duration `json:"min_backoff_ns"`
	MaxBackoff time.Duration `json:"max_backoff_ns"`
	Measured   time.Duration `json:"measured_ns"` // from the cut to the end

	Cut        int `json:"cut"`        // connections
	Returned   int `json:"returned"`   // of these, stood again with all subscriptions
	Unreturned int `json:"unreturned"` // did not within the limit
	GaveUp     int `json:"gave_up"`    // of these, told by the server not to come back (close codes 4000 to 4099)
	Attempts   int `json:"attempts"`   // to come back; why they failed is in the report's failures
	PeakRate   int `json:"peak_rate"`  // attempts in the worst second
	// When that share of those cut was back; 0 when it never was.
	Back50  time.Duration `json:"back50_ns"`
	Back90  time.Duration `json:"back90_ns"`
	Back99  time.Duration `json:"back99_ns"`
	Back100 time.Duration `json:"back100_ns"`
	Back    Latency       `json:"back"` // of those that came back

	Events          *StormEvents `json:"events,omitempty"`
	PublishFailures []Failure    `json:"publish_failures"`

	ServerCPU *CPU `json:"server_cpu,omitempty"` // by attempt; absent when it was ended
	ClientCPU CPU  `json:"client_cpu"`
}

// StormEvents is what became of the events that were published throughout. An event whose request failed is not
// among those expected.
type StormEvents struct {
	Rate        float64 `json:"rate"`
	Refused     int     `json:"refused"` // subscriptions, before the cut and after
	Published   uint64  `json:"published"`
	Deliveries  uint64  `json:"deliveries"`
	Expected    uint64  `json:"expected"` // deliveries to connections that stand at the end
	Lost        uint64  `json:"lost"`
	Duplicates  uint64  `json:"duplicates"`
	Reordered   uint64  `json:"reordered"`
	Resume      bool    `json:"resume"`      // subscriptions asked for what they had missed
	Recovered   uint64  `json:"recovered"`   // those that the server said it made whole
	Unrecovered uint64  `json:"unrecovered"` // those that it said it could not
	Latency     Latency `json:"latency"`     // of deliveries, from when an event was to leave; the time away is in it
}

func (m *stormRun) gather(r *StormReport) {
	back := newLatency()
	var dials []uint32
	m.d.each(func(l *loop) {
		s := m.scripts[l.index]
		back.merge(s.times)
		r.Cut += s.cut
		r.GaveUp += s.gaveUp
		r.Unreturned += s.away
		r.Attempts += s.attempts
		for i, n := range s.dials {
			if i == len(dials) {
				dials = append(dials, 0)
			}
			dials[i] += n
		}
	})
	r.Unreturned += r.GaveUp
	r.Returned = r.Cut - r.Unreturned
	r.PeakRate = worst(dials, int(time.Second/dialTick))
	r.Back = back.whole()
	r.milestones(back)
}

// worst is the largest sum of so many neighbours.
func worst(n []uint32, width int) (most int) {
	sum := 0
	for i := range n {
		sum += int(n[i])
		if i >= width {
			sum -= int(n[i-width])
		}
		most = max(most, sum)
	}
	return most
}

// milestones tells when shares of those cut were back.
func (r *StormReport) milestones(back *latency) {
	at := func(share float64) time.Duration {
		need := int64(math.Ceil(share * float64(r.Cut)))
		if n := back.h.TotalCount(); need == 0 || need > n {
			return 0
		} else {
			return time.Duration(back.h.ValueAtQuantile(100 * float64(need) / float64(n)))
		}
	}
	r.Back50, r.Back90, r.Back99, r.Back100 = at(0.5), at(0.9), at(0.99), at(1)
}

// published tells what became of the events.
func (r *StormReport) published(m *stormRun, sum *published) {
	e := &StormEvents{Rate: m.Pusher.Rate, Published: sum.events, Resume: m.Pusher.Resume}
	all := newLatency()
	m.d.each(func(l *loop) {
		h := m.pushers[l.index]
		e.Refused += h.refused
		e.Deliveries += h.measured
		e.Duplicates += h.duplicates
		e.Reordered += h.reordered
		e.Recovered += h.recovered
		e.Unrecovered += h.unrecovered
		all.merge(h.corrected)
	})
	e.Lost, e.Expected = missing(m.d, m.pushers, m.s, sum)
	e.Latency = all.whole()
	r.Events, r.PublishFailures = e, sum.failures.list()
}

func (r *StormReport) figures(add func(string, float64)) {
	add("cut", float64(r.Cut))
	add("unreturned", float64(r.Unreturned))
	add("attempts", float64(r.Attempts))
	add("attempt-rate", float64(r.PeakRate))
	for _, f := range []struct {
		name string
		at   time.Duration
	}{{"back-p50", r.Back50}, {"back-p90", r.Back90}, {"back-p99", r.Back99}, {"back-all", r.Back100}} {
		if f.at > 0 {
			add(f.name, float64(f.at))
		}
	}
	if r.ServerCPU != nil && r.Attempts > 0 {
		add("server-cpu", float64(r.ServerCPU.PerMessage))
	}
	e := r.Events
	if e == nil {
		return
	}
	add("refused", float64(e.Refused))
	add("messages", float64(e.Deliveries))
	if e.Expected > 0 {
		add("loss", float64(e.Lost)/float64(e.Expected))
	}
	add("lost", float64(e.Lost))
	add("duplicates", float64(e.Duplicates))
	add("reordered", float64(e.Reordered))
	add("published", float64(e.Published))
	add("publish-errors", float64(failed(r.PublishFailures)))
	if e.Resume {
		add("recovered", float64(e.Recovered))
		add("unrecovered", float64(e.Unrecovered))
	}
	e.Latency.figures(add)
}

func (r *StormReport) writeText(line liner) {
	by, how := "reset by us", fmt.Sprintf("with backoff from %s to %s and full jitter", span(r.MinBackoff), span(r.MaxBackoff))
	if r.By == "server" {
		by = "ended with their server"
	}
	if r.Herd {
		how = "at once, and " + span(r.MinBackoff) + " after a failure"
	}
	line("cut", "%s connections %s; they come back %s", count(r.Cut), by, how)
	after := func(d time.Duration) string {
		if d == 0 {
			return "never"
		}
		return span(d)
	}
	line("back", "50 %% %s  90 %% %s  99 %% %s  all %s", after(r.Back50), after(r.Back90), after(r.Back99), after(r.Back100))
	line("", "%s of %s are back; %s attempts, at most %s in a second", count(r.Returned), count(r.Cut), count(r.Attempts), count(r.PeakRate))
	if r.GaveUp > 0 {
		line("", "%s were told not to come back", count(r.GaveUp))
	}
	if e := r.Events; e != nil {
		e.writeText(line)
	}
	for _, f := range r.PublishFailures {
		line("", "%s × %s: %s", count(f.Count), f.Cause, f.Meaning)
		line("", "  first: %s", f.Example)
	}
	if c := r.ServerCPU; c != nil {
		line("server CPU", "%s an attempt, all else included, %.2f cores", span(c.PerMessage), c.Cores)
	}
}

func (e *StormEvents) writeText(line liner) {
	line("published", "%s events, %s a second asked for", count(e.Published), rate(e.Rate))
	if e.Refused > 0 {
		line("", "%s subscriptions were refused, before the cut or after", count(e.Refused))
	}
	line("latency", "%s", e.Latency.text())
	line("", "of %s deliveries, from when an event was to leave; the time away is in it", count(e.Deliveries))
	line("order", "%s lost of %s, %s duplicates, %s reordered", count(e.Lost), count(e.Expected), count(e.Duplicates), count(e.Reordered))
	if e.Resume {
		line("resumed", "%s subscriptions made whole, %s not recoverable", count(e.Recovered), count(e.Unrecovered))
		if e.Recovered+e.Unrecovered == 0 && e.Deliveries > 0 {
			line("", "none had a position to resume from: these channels keep no history; have a channel pattern match --channel-prefix")
		}
	}
}

// merge adds the report of another part.
func (r *StormReport) merge(o *StormReport) error {
	r.Measured = max(r.Measured, o.Measured)
	r.Cut += o.Cut
	r.Returned += o.Returned
	r.Unreturned += o.Unreturned
	r.GaveUp += o.GaveUp
	r.Attempts += o.Attempts
	r.PeakRate += o.PeakRate // at the same time, at worst
	r.PublishFailures = joinFailures(r.PublishFailures, o.PublishFailures)
	mergeCPU(&r.ClientCPU, &o.ClientCPU, &r.ServerCPU, o.ServerCPU, uint64(r.Attempts))
	if err := errors.Join(r.Back.merge(&o.Back), mergeInto(&r.Events, o.Events)); err != nil {
		return err
	}
	back, err := r.Back.distribution()
	if err == nil && back != nil {
		r.milestones(back)
	}
	return err
}

func (e *StormEvents) merge(o *StormEvents) error {
	e.Rate += o.Rate
	e.Refused += o.Refused
	e.Published += o.Published
	e.Deliveries += o.Deliveries
	e.Expected += o.Expected
	e.Lost += o.Lost
	e.Duplicates += o.Duplicates
	e.Reordered += o.Reordered
	e.Recovered += o.Recovered
	e.Unrecovered += o.Unrecovered
	return e.Latency.merge(&o.Latency)
}
