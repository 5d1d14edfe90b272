//go:build unix

package loadtest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// meeting lets parts go on when all of them are there.
type meeting struct {
	of    int
	ready chan chan time.Time
}

func (m *meeting) run(ctx context.Context) {
	for {
		var all []chan time.Time
		for range m.of {
			select {
			case there := <-m.ready:
				all = append(all, there)
			case <-ctx.Done():
				return
			}
		}
		now := time.Now()
		for _, c := range all {
			c <- now
		}
	}
}

func (m *meeting) meet(ctx context.Context, _ string) (time.Time, error) {
	there := make(chan time.Time, 1)
	select {
	case m.ready <- there:
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	select {
	case at := <-there:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

// inParts has three processes' parts of a run done here, and merges what they sent.
func inParts(t *testing.T, o Options, run func(context.Context, Options) (*Report, error)) *Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	m := &meeting{3, make(chan chan time.Time)}
	met := make(chan struct{})
	go func() {
		defer close(met)
		m.run(ctx)
	}()
	reports, errs := make([]*Report, 3), make([]error, 3)
	done := make(chan int)
	for i := range 3 {
		go func() {
			o := o
			o.Part, o.Meet, o.Histograms = Part{Index: i, Of: 3, SameMachine: true}, m.meet, true
			reports[i], errs[i] = run(ctx, o)
			done <- i
		}()
	}
	for range 3 {
		<-done
	}
	cancel()
	<-met
	must(t, errors.Join(errs...))
	wanted := 0
	for i, r := range reports {
		if n := r.Connections.Wanted; n != o.Conns/3 && n != o.Conns/3+1 {
			t.Errorf("part %d wanted %d connections of %d", i, n, o.Conns)
		}
		wanted += r.Connections.Wanted
		reports[i] = sent(t, r)
	}
	whole, err := Merge(reports)
	must(t, err)
	if c := whole.Connections; wanted != o.Conns || c.Opened != o.Conns {
		t.Errorf("%d wanted, %+v; want %d", wanted, c, o.Conns)
	}
	return whole
}

func TestPartsTogetherAreTheWholeRun(t *testing.T) {
	t.Parallel()
	whole := inParts(t, Options{URL: echoProcess(t), Conns: 20}, func(ctx context.Context, o Options) (*Report, error) {
		return Echo{Options: o, Rate: 900, Duration: 500 * time.Millisecond}.Run(ctx)
	})
	noFailures(t, whole)
	// Each part's own half a second may be longer.
	want := 900 * whole.Echo.Measured.Seconds()
	if e := whole.Echo; e.Rate != 900 || math.Abs(float64(e.Latency.Count)-want) > 60 {
		t.Errorf("echo %+v; want about %.0f messages", whole.Echo, want)
	}
}

// One server, whose receivers wait one after the other, whichever part is theirs.
func TestBroadcastInPartsTellsFirstMedianAndLastOfAll(t *testing.T) {
	t.Parallel()
	const pause = 30 * time.Millisecond
	dropped := 0
	url := hub(t, func(receiver, message int, send func()) {
		switch {
		case receiver == 4 && message == 2:
			dropped++
		case receiver > 0:
			time.Sleep(pause)
			send()
		default:
			send()
		}
	})
	whole := inParts(t, Options{URL: url, Conns: 7}, func(ctx context.Context, o Options) (*Report, error) {
		return Broadcast{Options: o, Rate: 3, Duration: time.Second}.Run(ctx)
	})
	noFailures(t, whole)
	r := whole.Broadcast
	if dropped != 1 || r.Messages != 3 || r.Receivers != 7 || r.Deliveries != 20 || r.Lost != 1 || r.Incomplete != 1 || r.Duplicates+r.Reordered != 0 {
		t.Errorf("%+v, want 3 messages to 7, one of them lost once", r)
	}
	// The third message may wait for the pauses of its receivers only: each has its own third of a second.
	if r.First.P50 >= 2*pause || r.Median.P50 < 3*pause || r.Last.P50 < 6*pause || r.Last.Count != 2 || r.Latency.Count != 20 || r.Casts != nil {
		t.Errorf("first %v, median %v, last %v of %d; they should be about 0, %v and %v", r.First.P50, r.Median.P50, r.Last.P50, r.Last.Count, 3*pause, 6*pause)
	}
}

func TestSlowReadersOfAllPartsAreTold(t *testing.T) {
	t.Parallel()
	const conns, rate, seconds = 21, 100, 2
	whole := inParts(t, Options{URL: queues(t, 120), Conns: conns}, func(ctx context.Context, o Options) (*Report, error) {
		return Slow{Options: o, Share: 0.2, Rate: rate, Size: 8 << 10, Warmup: 300 * time.Millisecond, Duration: seconds * time.Second}.Run(ctx)
	})
	r := whole.Slow
	if r.Slow != 4 || r.Disconnected != 4 || len(r.Cuts) != 1 || r.Cuts[0] != (SlowCut{"closed-by-server-1008", 4}) {
		t.Errorf("%d slow, %d disconnected, %+v; want 4 with 1008", r.Slow, r.Disconnected, r.Cuts)
	}
	if r.Baseline.Fast != conns || r.Loaded.Fast != conns-4 || r.Baseline.Lost+r.Loaded.Lost != 0 || r.Baseline.Messages != conns*rate*seconds || r.Loaded.Messages != (conns-4)*rate*seconds {
		t.Errorf("baseline %+v, loaded %+v; want %d and %d that miss nothing", r.Baseline, r.Loaded, conns, conns-4)
	}
}

// What one part does for all nobody does when it has no connection, so there is no run.
func TestPartThatSendsOrKillsForAllNeedsAConnection(t *testing.T) {
	t.Parallel()
	here := func(context.Context, string) (time.Time, error) { return time.Now(), nil }
	o := Options{URL: "ws://127.0.0.1:1/", Conns: 200, Part: Part{Index: 0, Of: 2, SameMachine: true}, Meet: here}
	for says, run := range map[string]func(context.Context) (*Report, error){
		"sends for all":   Broadcast{Options: o, Duration: time.Second}.Run,
		"this process se": Slow{Options: o, Rate: 10, Duration: time.Second}.Run,
		"ends the server": Storm{Options: o, Server: true, Kill: func() error { return errors.New("it was killed") }}.Run,
	} {
		if r, err := run(t.Context()); err == nil || !strings.Contains(err.Error(), says) || r == nil || r.Connections.Failed != 100 {
			t.Errorf("error %v and report %+v, want one that says %q", err, r, says)
		}
	}
}

// The median of receivers that are spread over parts is that of them all, though a part
// tells 33 of its times only.
func TestMedianOverPartsIsOfAllReceivers(t *testing.T) {
	r := &BroadcastReport{Messages: 1, parts: [][]Cast{}}
	var all []time.Duration
	for part, n := range []int{1000, 10, 400} {
		var times []time.Duration
		for i := range n {
			times = append(times, time.Duration(part)*time.Second+time.Duration(i)*time.Millisecond)
		}
		all = append(all, times...)
		r.parts = append(r.parts, []Cast{newCast(times, 0)})
	}
	r.resolve()
	want := all[(len(all)-1)/2]
	if r.First.Max != 0 || (r.Last.Max-all[len(all)-1]).Abs() > r.Last.Max/1000 || (r.Median.P50-want).Abs() > time.Duration(len(all)/60)*time.Millisecond {
		t.Errorf("first %v, median %v, last %v; want 0, %v, %v", r.First.Max, r.Median.P50, r.Last.Max, want, all[len(all)-1])
	}
}
