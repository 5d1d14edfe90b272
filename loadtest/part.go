package loadtest

import (
	"context"
	"fmt"
	"time"
)

// Part is one process's part of a run that several do together. The zero value
// is a run that is done alone. Options and scenarios state the whole run;
// each process takes its share of connections and rates.
type Part struct {
	Index int `json:"index"` // this process's number, from 0
	Of    int `json:"of"`    // how many take part
	// SameMachine says that the parts run on one machine: the first looks at the server and at the
	// machine's limits for all, and source addresses are divided.
	SameMachine bool `json:"same_machine"`
}

// watches reports whether this part looks at the server and the machine.
func (p Part) watches() bool { return p.Index == 0 || !p.SameMachine }

// parts is how many take part, at least one.
func (p Part) parts() int { return max(1, p.Of) }

// count is the share of n things; shares differ by one at most.
func (p Part) count(n int) int {
	share := n / p.parts()
	if p.Index < n%p.parts() {
		share++
	}
	return share
}

// first is the number of the first thing in the share: those of lower shares come before.
func (p Part) first(n int) int {
	return p.Index*(n/p.parts()) + min(p.Index, n%p.parts())
}

// rate is the share of a rate. Scenarios pass their own rates through it;
// [Options].ConnectRate is divided already.
func (p Part) rate(x float64) float64 { return x / float64(p.parts()) }

func (p Part) check(conns int) error {
	switch {
	case p.Of < 0 || p.Index < 0 || p.Index >= p.parts():
		return invalid("part %d of %d: want 0 to %d", p.Index, p.Of, p.parts()-1)
	case p.parts() > conns:
		return invalid("%d connections for %d processes: each needs one", conns, p.parts())
	}
	return nil
}

// The moments at which the parts of a run wait for each other.
const (
	MeetReady      = "ready"      // all is prepared, nothing dialled
	MeetOpen       = "open"       // no handshake is under way any more
	MeetSubscribed = "subscribed" // [Push] and [Storm]: subscriptions are answered, nothing published
	MeetCut        = "cut"        // [Storm]: about to be cut
	MeetBegin      = "begin"      // [Broadcast], and each phase of one in [Slow]: about to send
	MeetPhase      = "phase"      // [Slow]: a phase is measured and drained
	MeetMeasure    = "measure"    // measured and drained; connections are about to be closed
)

// meet waits until all parts of the run are at a moment, or the run ends, and returns since when
// they are. Alone it does not wait.
func (d *driver) meet(moment string) (since time.Time) {
	if d.o.Meet == nil || d.ctx.Err() != nil {
		return time.Now()
	}
	met := make(chan error, 1)
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	go func() {
		var err error
		since, err = d.o.Meet(ctx, moment)
		met <- err
	}()
	tick := time.NewTicker(progressTick)
	defer tick.Stop()
	begun := time.Now()
	for {
		select {
		case err := <-met:
			if err != nil {
				d.apart = err
				d.cancel(err)
			}
			return since
		case <-d.ctx.Done():
			cancel() // which Meet heeds
			<-met
			return time.Now()
		case <-tick.C:
			d.sample("wait", false)
			d.o.Progress(d.progress("wait", time.Since(begun), 0))
		}
	}
}

// lead ends the run when this part alone does what all the others wait for, and opened no
// connection to do it.
func (d *driver) lead(does string) {
	if p := d.o.Part; p.parts() > 1 && p.Index == 0 && d.report.Connections.Opened == 0 && d.ctx.Err() == nil {
		d.apart = fmt.Errorf("this process %s, and none of its %d connections could be opened", does, d.report.Connections.Wanted)
		d.cancel(d.apart)
	}
}

// maxSkew is far more than by what the clocks of two parts are known to differ.
const maxSkew = int64(time.Second)

// skew is by how much another part's clock may be ahead of this one's.
func (p Part) skew() int64 {
	if p.parts() > 1 && !p.SameMachine {
		return maxSkew
	}
	return 0
}
