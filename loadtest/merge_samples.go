package loadtest

import (
	"cmp"
	"math"
	"sort"
	"time"
)

// maxAxis is longer than any run. Times beyond it were not written by one, and would
// make an axis without an end.
const maxAxis = 10 * 365 * 24 * time.Hour

// checkTimes refuses parts whose samples have no place on a common axis. They may come
// from other machines.
func checkTimes(parts []*Report) error {
	for _, p := range parts {
		if apart := p.Started.Sub(parts[0].Started).Abs(); apart > maxAxis {
			return invalid("parts that began %v apart are not of one run", apart)
		}
		for _, s := range p.Samples {
			if s.At < 0 || s.At > maxAxis || s.Length < 0 || s.Length > maxAxis {
				return invalid("a sample of %v that ended after %v: no run has it", s.Length, s.At)
			}
		}
	}
	return nil
}

// mergeSamples lays the parts' samples on one time axis, which begins with the
// first part, in intervals as long as the longest. What a sample counted is spread
// evenly over its length; percentiles are the highest of the parts', as in
// samples that were joined.
func mergeSamples(parts []*Report) []Sample {
	begin := parts[0].Started
	for _, p := range parts {
		if p.Started.Before(begin) {
			begin = p.Started
		}
	}
	every, end := sampleEvery, time.Duration(0)
	var tracks []track
	for _, p := range parts {
		t := newTrack(p.Samples, p.Started.Sub(begin))
		if len(t.samples) == 0 {
			continue
		}
		tracks = append(tracks, t)
		end = max(end, t.samples[len(t.samples)-1].At)
		for _, s := range t.samples {
			every = max(every, s.Length)
		}
	}
	every = max(every, end/maxSamples)
	merged := []Sample{}
	for at := time.Duration(0); at < end; at += every {
		merged = append(merged, mergeAt(tracks, at, min(at+every, end)))
	}
	return merged
}

// track is one part's samples on the common axis.
type track struct {
	samples []Sample
	sums    []counts // before each sample, and at the end
}

// counts are what samples count up.
type counts struct{ opened, failed, lost, messages float64 }

func newTrack(samples []Sample, offset time.Duration) track {
	t := track{samples: make([]Sample, len(samples)), sums: make([]counts, len(samples)+1)}
	for i, s := range samples {
		s.At += offset
		t.samples[i] = s
		c := t.sums[i]
		t.sums[i+1] = counts{c.opened + float64(s.Opened), c.failed + float64(s.Failed), c.lost + float64(s.Lost), c.messages + float64(s.Messages)}
	}
	return t
}

// covering is the index of the sample that a moment lies in, or else the next; the
// number of samples after the last.
func (t *track) covering(at time.Duration) int {
	return sort.Search(len(t.samples), func(i int) bool { return t.samples[i].At >= at })
}

// until is what had been counted at a moment. It is whole numbers, so that
// the differences over intervals sum up to the whole.
func (t *track) until(at time.Duration) counts {
	i := t.covering(at)
	if i == len(t.samples) {
		return t.sums[i]
	}
	s := t.samples[i]
	share := 0.0
	if s.Length > 0 {
		share = max(0, 1-(s.At-at).Seconds()/s.Length.Seconds())
	}
	between := func(a, b float64) float64 { return math.Floor(a + (b-a)*share) }
	a, b := t.sums[i], t.sums[i+1]
	return counts{between(a.opened, b.opened), between(a.failed, b.failed), between(a.lost, b.lost), between(a.messages, b.messages)}
}

// mergeAt is all tracks between two moments.
func mergeAt(tracks []track, from, to time.Duration) Sample {
	m := Sample{At: to, Length: to - from, ServerRSS: -1}
	for i := range tracks {
		t := &tracks[i]
		before, after := t.until(from), t.until(to)
		m.Opened += int(after.opened - before.opened)
		m.Failed += int(after.failed - before.failed)
		m.Lost += int(after.lost - before.lost)
		m.Messages += uint64(after.messages - before.messages)
		last := t.samples[min(t.covering(to), len(t.samples)-1)]
		if m.Stage == "" {
			m.Stage = last.Stage
		}
		if to > last.At-last.Length { // it has begun
			m.Open += last.Open
			m.ServerRSS = max(m.ServerRSS, last.ServerRSS)
			m.Server = cmp.Or(m.Server, last.Server)
			if m.Scraped == nil {
				m.Scraped = last.Scraped
			}
		}
		m.overlay(t, from, to)
	}
	return m
}

// overlay adds what is no count: percentiles, and cores by the time they were used.
func (m *Sample) overlay(t *track, from, to time.Duration) {
	server := 0.0
	for i := t.covering(from); i < len(t.samples) && t.samples[i].At-t.samples[i].Length < to; i++ {
		s := &t.samples[i]
		share := (min(to, s.At) - max(from, s.At-s.Length)).Seconds() / m.Length.Seconds()
		if share <= 0 {
			continue
		}
		m.P50, m.P99, m.Max = max(m.P50, s.P50), max(m.P99, s.P99), max(m.Max, s.Max)
		m.Lag = max(m.Lag, s.Lag)
		m.ClientCores += s.ClientCores * share
		server += s.ServerCores * share
	}
	m.ServerCores = max(m.ServerCores, server)
}
