package loadtest

import "time"

// progressTick is how often Progress is called.
const progressTick = 200 * time.Millisecond

// wait waits for a channel, for a time at most when that is not 0, or for the end of the
// run, and tells the progress meanwhile. It reports whether the run goes on.
func (d *driver) wait(stage string, most time.Duration, done <-chan struct{}) bool {
	if most <= 0 && done == nil {
		return d.ctx.Err() == nil
	}
	begun := time.Now()
	defer func() { d.sample(stage, true) }()
	tick := time.NewTicker(progressTick)
	defer tick.Stop()
	var end <-chan time.Time
	if most > 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		end = timer.C
	}
	for {
		select {
		case <-d.ctx.Done():
			return false
		case <-done:
			return true
		case <-end:
			return true
		case <-tick.C:
			d.sample(stage, false)
			d.o.Progress(d.progress(stage, time.Since(begun), most))
		}
	}
}

// waitUntil waits as wait does, for a time on the run's clock.
func (d *driver) waitUntil(stage string, at int64) {
	if left := at - d.plan.clock(); left > 0 {
		d.wait(stage, time.Duration(left), nil)
	}
}

// sum adds up f over the loops.
func (d *driver) sum(f func(*loop) uint64) (n uint64) {
	d.each(func(l *loop) { n += f(l) })
	return n
}

// drainWait is how long what is under way may take to come.
const drainWait = 5 * time.Second

// drain waits until nothing is left under way.
func (d *driver) drain(left func() uint64) {
	for begun := time.Now(); time.Since(begun) < drainWait && d.ctx.Err() == nil && left() > 0; {
		d.wait("drain", closePoll, nil)
		d.o.Progress(d.progress("drain", time.Since(begun), drainWait))
	}
}
