//go:build unix

package loadtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// sent is r as it comes out of JSON, as from another process.
func sent(t *testing.T, r *Report) *Report {
	t.Helper()
	text, err := json.Marshal(r)
	must(t, err)
	back, err := ReadReport(bytes.NewReader(text))
	must(t, err)
	return back
}

// recorded is a report with latencies from first to last, in steps of a millisecond.
func recorded(t *testing.T, started time.Time, first, last int) *Report {
	t.Helper()
	l := newLatency()
	for ms := first; ms <= last; ms++ {
		l.record(int64(ms) * int64(time.Millisecond))
	}
	r := &Report{Version: ReportVersion, Scenario: "echo", Started: started, Took: 10 * time.Second}
	n := uint64(last - first + 1)
	r.Echo = &EchoReport{Rate: 100, Measured: time.Second, Messages: n, PerSecond: float64(n), Latency: l.whole(), ClientCPU: newCPU(time.Second, 0, time.Second, n)}
	r.Connections = Connections{Wanted: 10, Opened: 9, Failed: 1, Took: time.Second, PerSecond: 9, Handshake: l.summary()}
	must(t, r.keepHistograms())
	return r
}

func TestMergedPercentilesAreThoseOfAllMeasurements(t *testing.T) {
	now := time.Now()
	a, b := sent(t, recorded(t, now, 1, 900)), sent(t, recorded(t, now, 901, 1000))
	m, err := Merge([]*Report{a, b})
	must(t, err)
	e := m.Echo
	near := func(got time.Duration, ms int) bool {
		want := time.Duration(ms) * time.Millisecond
		return (got - want).Abs() <= want/500
	}
	if e.Latency.Count != 1000 || !near(e.Latency.P50, 500) || !near(e.Latency.P99, 990) || !near(e.Latency.Max, 1000) || len(e.Latency.Curve) == 0 {
		t.Errorf("merged latency %+v; want that of 1 to 1000 ms", e.Latency)
	}
	if e.Messages != 1000 || e.PerSecond != 1000 || e.Rate != 200 || e.ClientCPU.Cores != 2 || e.ClientCPU.PerMessage != 2*time.Millisecond {
		t.Errorf("merged echo %+v", e)
	}
	if c := m.Connections; c.Wanted != 20 || c.Opened != 18 || c.Failed != 2 || c.PerSecond != 18 || c.Handshake.Count != 1000 {
		t.Errorf("merged connections %+v", c)
	}
	// What was merged may be merged again.
	again, err := Merge([]*Report{sent(t, m), sent(t, recorded(t, now, 1, 1))})
	must(t, err)
	if again.Echo.Latency.Count != 1001 {
		t.Errorf("%d latencies, want 1001", again.Echo.Latency.Count)
	}
}

func TestMergeRefusesWhatIsNotOfOneRun(t *testing.T) {
	now := time.Now()
	bare := recorded(t, now, 1, 2)
	bare.Echo.Latency.Histogram = ""
	damaged := recorded(t, now, 1, 2)
	damaged.Echo.Latency.Histogram = "HISTFAAA"
	other := recorded(t, now, 1, 2)
	other.Scenario = "idle"
	// One of these would have made an axis of 292 years, a sample a second.
	late, long := recorded(t, now, 1, 2), recorded(t, now.AddDate(-20, 0, 0), 1, 2)
	late.Samples = append(late.Samples, Sample{At: math.MaxInt64, Length: 1})
	for says, b := range map[string]*Report{"no run has it": late, "apart": long, "no histogram": sent(t, bare), "histogram:": sent(t, damaged), "not of one run": other} {
		_, err := Merge([]*Report{recorded(t, now, 1, 2), b})
		if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
	if _, err := Merge(nil); !errors.Is(err, ErrOptions) {
		t.Errorf("no parts: error %v", err)
	}
}

func TestMergedSamplesLieOnOneAxisAndLoseNothing(t *testing.T) {
	now := time.Now()
	part := func(after time.Duration, rss int64) *Report {
		r := &Report{Version: ReportVersion, Scenario: "echo", Started: now.Add(after)}
		for i := range 5 {
			r.Samples = append(r.Samples, Sample{
				At: time.Duration(i+1) * time.Second, Length: time.Second, Stage: "measure", Open: 10, Messages: 101, Failed: 1,
				P99: time.Duration(i+1) * time.Millisecond, ClientCores: 0.5, ServerCores: 0.25, ServerRSS: rss,
			})
		}
		return r
	}
	m, err := Merge([]*Report{part(0, 7), part(300*time.Millisecond, -1)})
	must(t, err)
	var messages uint64
	failed := 0
	for i, s := range m.Samples {
		messages += s.Messages
		failed += s.Failed
		if want := min(time.Duration(i+1)*time.Second, 5300*time.Millisecond); s.At != want {
			t.Errorf("sample %d ends at %v, want %v", i, s.At, want)
		}
	}
	if messages != 1010 || failed != 10 {
		t.Errorf("%d messages and %d failures, want 1010 and 10", messages, failed)
	}
	mid := m.Samples[2]
	if mid.Open != 20 || mid.ClientCores < 0.99 || mid.ClientCores > 1.01 || mid.ServerCores < 0.24 || mid.ServerCores > 0.26 || mid.ServerRSS != 7 || mid.P99 != 3*time.Millisecond {
		t.Errorf("in the middle %+v", mid)
	}
}

// Agents see their own kernels each, and one on the server's machine the server's end of all connections too.
func TestMergedKernelMemoryIsByConnectionOfWhatItsMachineHolds(t *testing.T) {
	part := func(standing int, bytes float64, both bool) *Report {
		r := recorded(t, time.Now(), 1, 2)
		r.Idle = &IdleReport{Standing: standing, Memory: &Memory{Kernel: &Kernel{PerConnection: bytes, BothEnds: both, Caches: []Cache{{Name: "TCP", PerConnection: bytes / 100}}}}}
		return r
	}
	for _, c := range []struct {
		parts []*Report
		want  float64
		both  bool
	}{
		{[]*Report{part(10, 800, false), part(30, 400, false)}, 500, false},
		{[]*Report{part(10, 9000, true), part(10, 800, false), part(30, 400, false)}, 500, false},
		{[]*Report{part(10, 800, true), part(30, 400, true)}, 500, true},
		{[]*Report{part(10, 800, true)}, 800, true},
	} {
		m, err := Merge(c.parts)
		must(t, err)
		if k := m.Idle.Memory.Kernel; k.PerConnection != c.want || k.BothEnds != c.both || len(k.Caches) != 1 || k.Caches[0].PerConnection != c.want/100 {
			t.Errorf("%+v, want %g B a connection, both ends %t", k, c.want, c.both)
		}
	}
}

func TestMergeCountsTheServerOnceAndFailuresByCause(t *testing.T) {
	part := func(standing int, memory *Memory, server *CPU) *Report {
		r := recorded(t, time.Now(), 1, 100)
		r.Idle = &IdleReport{Standing: standing, Memory: memory}
		r.Echo.ServerCPU = server
		r.Connections.Opened = standing
		r.Failures = []Failure{{Cause: "refused", Count: 2}, {Cause: "reset", Count: 1}}
		return r
	}
	saw := &Memory{User: growth(1000, 3000, 10), UserOpened: growth(1000, 2000, 10), Kernel: &Kernel{PerConnection: 800, Caches: []Cache{{Name: "TCP", PerConnection: 4}}}}
	m, err := Merge([]*Report{part(10, nil, nil), part(10, saw, &CPU{Time: time.Second}), part(20, nil, &CPU{Time: time.Second})})
	must(t, err)
	if got := m.Idle.Memory; got.User.PerConnection != 50 || got.UserOpened.PerConnection != 25 || got.Kernel.PerConnection != 200 || got.Kernel.Caches[0].PerConnection != 1 {
		t.Errorf("memory %+v user %+v kernel %+v", got, got.User, got.Kernel)
	}
	if s := m.Echo.ServerCPU; s.Time != time.Second || s.PerMessage != time.Second/300 {
		t.Errorf("server CPU %+v, want one second over 300 messages", s)
	}
	if len(m.Failures) != 2 || m.Failures[0].Cause != "refused" || m.Failures[0].Count != 6 || m.Failures[1].Count != 3 {
		t.Errorf("failures %+v", m.Failures)
	}
}

func TestMergedReadRateIsByConnection(t *testing.T) {
	all := &PushSlow{Slow: 1, ReadPerSecond: 100}
	for _, o := range []*PushSlow{{Slow: 2, ReadPerSecond: 400}, {}, {Slow: 1, ReadPerSecond: 300}} {
		must(t, all.merge(o))
	}
	if all.Slow != 4 || all.ReadPerSecond != 300 {
		t.Errorf("%d that read %g B a second, want 4 that read 300", all.Slow, all.ReadPerSecond)
	}
}
