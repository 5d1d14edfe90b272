package loadtest

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency is a distribution of durations, to three significant digits. All are
// nanoseconds in JSON.
type Latency struct {
	Count int64         `json:"count"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
	// Curve is the whole distribution, for charts: rising quantiles.
	Curve []Quantile `json:"curve,omitempty"`
	// Histogram is the distribution itself, for [Merge], when [Options].Histograms asked for it: in
	// HdrHistogram's V2 format, compressed, in base64.
	Histogram string `json:"histogram,omitempty"`

	of *latency // what this sums up; nil when it was read from JSON
}

// Quantile says that a share of all, in percent, took at most so long.
type Quantile struct {
	Percent float64       `json:"percent"`
	At      time.Duration `json:"at_ns"`
}

// curvePercents are denser towards the tail, which charts stretch.
var curvePercents = [...]float64{0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.25, 99.5, 99.75, 99.9, 99.95, 99.99, 99.999, 100}

// maxLatency is where histograms end; longer ones count as this.
const maxLatency = int64(time.Hour)

// latency is one loop's histogram. It is not for several goroutines.
type latency struct{ h *hdrhistogram.Histogram }

func newLatency() *latency {
	return &latency{hdrhistogram.New(1, maxLatency, 3)}
}

// newCoarse is a small one, to two digits, that is merged often.
func newCoarse() *latency { return &latency{hdrhistogram.New(1, maxLatency, 2)} }

func (l *latency) record(ns int64) {
	// In range it cannot fail.
	_ = l.h.RecordValue(min(max(ns, 0), maxLatency))
}

// times records the same n times.
func (l *latency) times(ns int64, n uint32) {
	_ = l.h.RecordValues(min(max(ns, 0), maxLatency), int64(n))
}

// merge adds o, which has the same range, so that nothing is dropped.
func (l *latency) merge(o *latency) { l.h.Merge(o.h) }

// summary sums l up, which must not be recorded to afterwards.
func (l *latency) summary() Latency {
	at := func(q float64) time.Duration { return time.Duration(l.h.ValueAtQuantile(q)) }
	return Latency{
		of:    l,
		Count: l.h.TotalCount(),
		Mean:  time.Duration(l.h.Mean()),
		P50:   at(50), P90: at(90), P99: at(99), P999: at(99.9),
		Max: time.Duration(l.h.Max()),
	}
}

// whole is the summary with its curve.
func (l *latency) whole() Latency {
	s := l.summary()
	if s.Count > 0 {
		for _, p := range curvePercents {
			s.Curve = append(s.Curve, Quantile{p, time.Duration(l.h.ValueAtQuantile(p))})
		}
	}
	return s
}
