package loadtest

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"
)

// Sample is what one interval of a run saw.
type Sample struct {
	At       time.Duration `json:"at_ns"` // its end, since the run began
	Length   time.Duration `json:"length_ns"`
	Stage    string        `json:"stage"`
	Open     int           `json:"open"`     // connections that stand at its end
	Opened   int           `json:"opened"`   // handshakes done in it
	Failed   int           `json:"failed"`   // handshakes failed in it
	Lost     int           `json:"lost"`     // connections ended in it, not by us
	Messages uint64        `json:"messages"` // came in it
	// Latencies of the messages that came in it; 0 without any.
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`

	ServerCores float64 `json:"server_cores"` // processor time over Length; 0 when unknown
	ServerRSS   int64   `json:"server_rss"`   // bytes at its end; -1 = unknown
	ClientCores float64 `json:"client_cores"`
	// Lag is the most that a loop of the harness woke later than it had asked.
	Lag    time.Duration `json:"lag_ns"`
	Server *ServerSample `json:"server,omitempty"` // nil when nothing is known of it
	// Scraped are the server's own metrics at its end: gauges, and counters' growth a second under
	// the name and "/s".
	Scraped map[string]float64 `json:"scraped,omitempty"`
}

// sampler makes a run's samples. It belongs to Run's goroutine.
type sampler struct {
	at             time.Duration // when the interval began
	server, client time.Duration // processor time until then
	opened, failed int           // counted until then
	lost           int
	messages       uint64
	samples        []Sample
	every          time.Duration
	recent         *latency // of the interval, all loops together
}

const (
	sampleEvery = time.Second
	// maxSamples bounds a long run's series: above it neighbours become one.
	maxSamples = 3600
)

func newSampler(d *driver) *sampler {
	return &sampler{server: d.server.cpu(), client: ownCPU().total, every: sampleEvery, samples: []Sample{}, recent: newCoarse()}
}

// sample ends the interval, if it is long enough or has to.
func (d *driver) sample(stage string, must bool) {
	s := d.sampler
	if length := time.Since(d.plan.base) - s.at; length < s.every && (!must || length < s.every/10) {
		return
	}
	s.samples = append(s.samples, s.take(d, stage))
	if len(s.samples) > maxSamples {
		s.thin()
	}
}

// finish takes what came since the last sample, however short that is.
func (s *sampler) finish(d *driver) {
	n := len(s.samples)
	if n == 0 {
		return
	}
	if rest := s.take(d, s.samples[n-1].Stage); rest.Length > 0 {
		s.samples[n-1] = join(s.samples[n-1], rest)
	}
}

// take is the interval since the last one.
func (s *sampler) take(d *driver, stage string) Sample {
	now := time.Since(d.plan.base)
	length := now - s.at
	p := Sample{At: now, Length: length, Stage: stage}
	opened, failed, left, messages := 0, 0, 0, uint64(0)
	s.recent.h.Reset()
	d.each(func(l *loop) {
		opened += l.opened
		failed += l.failed
		left += l.left
		messages += l.messages
		p.Open += l.open
		s.recent.merge(l.recent)
		l.recent.h.Reset()
		p.Lag = max(p.Lag, time.Duration(l.lagMax))
		l.lagMax = 0
	})
	lost := opened - p.Open - left
	p.Opened, p.Failed, p.Messages, p.Lost = opened-s.opened, failed-s.failed, messages-s.messages, lost-s.lost
	if s.recent.h.TotalCount() > 0 {
		sum := s.recent.summary()
		p.P50, p.P99, p.Max = sum.P50, sum.P99, sum.Max
	}
	server, client := d.server.cpu(), ownCPU().total
	p.ServerCores = max(0, (server-s.server).Seconds()/length.Seconds())
	p.ClientCores = (client - s.client).Seconds() / length.Seconds()
	rss, pss := d.server.resident()
	p.ServerRSS, p.Server = rss, d.watch(pss)
	p.Scraped = d.scraper.latest()
	s.at, s.server, s.client = now, server, client
	s.opened, s.failed, s.messages, s.lost = opened, failed, messages, lost
	return p
}

// thin joins neighbours, and makes the intervals to come twice as long.
func (s *sampler) thin() {
	joined := s.samples[:0]
	for i := 0; i+1 < len(s.samples); i += 2 {
		joined = append(joined, join(s.samples[i], s.samples[i+1]))
	}
	if n := len(s.samples); n%2 == 1 {
		joined = append(joined, s.samples[n-1])
	}
	s.samples = joined
	s.every *= 2
}

// join is two intervals as one. Its percentiles are the higher of the two.
func join(a, b Sample) Sample {
	whole := a.Length + b.Length
	weigh := func(x, y float64) float64 {
		return (x*a.Length.Seconds() + y*b.Length.Seconds()) / whole.Seconds()
	}
	b.ServerCores, b.ClientCores = weigh(a.ServerCores, b.ServerCores), weigh(a.ClientCores, b.ClientCores)
	b.Length = whole
	b.Opened += a.Opened
	b.Failed += a.Failed
	b.Lost += a.Lost
	b.Messages += a.Messages
	b.P50, b.P99, b.Max = max(a.P50, b.P50), max(a.P99, b.P99), max(a.Max, b.Max)
	b.Lag = max(a.Lag, b.Lag)
	return b
}

// WriteCSV writes the report's samples, one a line, under a line of names.
func (r *Report) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	// The writer keeps its first error, which Error returns.
	_ = c.Write([]string{"seconds", "length_s", "stage", "open", "opened", "failed", "lost", "messages", "per_second",
		"p50_ms", "p99_ms", "max_ms", "server_cores", "server_rss", "client_cores",
		"lag_ms", "server_pss", "server_descriptors"})
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	ms := func(d time.Duration) string { return number(d.Seconds() * 1e3) }
	for _, s := range r.Samples {
		latency := []string{"", "", ""} // none was measured, as in a warm-up
		if s.Max > 0 {
			latency = []string{ms(s.P50), ms(s.P99), ms(s.Max)}
		}
		server := ServerSample{PSS: -1, Descriptors: -1}
		if s.Server != nil {
			server = *s.Server
		}
		_ = c.Write([]string{number(s.At.Seconds()), number(s.Length.Seconds()), s.Stage, strconv.Itoa(s.Open), strconv.Itoa(s.Opened),
			strconv.Itoa(s.Failed), strconv.Itoa(s.Lost), strconv.FormatUint(s.Messages, 10), number(float64(s.Messages) / s.Length.Seconds()),
			latency[0], latency[1], latency[2], number(s.ServerCores), strconv.FormatInt(s.ServerRSS, 10), number(s.ClientCores),
			ms(s.Lag), strconv.FormatInt(server.PSS, 10), strconv.Itoa(server.Descriptors)})
	}
	c.Flush()
	return c.Error()
}
