//go:build unix

package engine

// runnable reports whether a loop's goroutine would run.
func (w *world) runnable(i int) bool {
	l := w.e.loops[i]
	if w.active[i] || l.stopped {
		return false
	}
	return !w.asleep[i] || w.k.pollers[i].pending() || w.sleep[i] != 0 && w.clock >= w.sleep[i]
}

func (w *world) stepLoop(i int) bool {
	if !w.runnable(i) {
		return false
	}
	l := w.e.loops[i]
	w.log("loop %d", i)
	w.active[i], w.runner = true, l
	if err := l.step(); err != nil {
		w.fail("loop %d: %v", i, err)
	}
	w.active[i] = false
	if w.asleep[i] = !l.busy(); w.asleep[i] {
		// It asks the poller again when it runs; until when it sleeps is set now.
		w.sleep[i] = 0
		if due := l.until(); !due.IsZero() {
			w.sleep[i] = due.Sub(w.e.start)
		}
	}
	return true
}

func (w *world) runWorker(i int) bool {
	q := w.queues[i]
	if len(q.waiting) == 0 || len(q.idle) == 0 {
		return false
	}
	c, s := q.waiting[0], q.idle[0]
	q.waiting, q.idle = q.waiting[1:], q.idle[1:]
	w.log("worker of loop %d: fd %d", i, c.fd)
	w.runner = c.loop
	s.turn(c)
	q.idle = append(q.idle, s)
	return true
}

// quiesce runs loops and workers until there is nothing to do but to wait.
func (w *world) quiesce() {
	for n := 0; w.failure == ""; n++ {
		if n > 20_000 {
			w.fail("the engine does not come to rest")
		}
		ran := false
		for i := range w.e.loops {
			w.k.pollers[i].hurry()
			ran = w.stepLoop(i) || ran
			ran = w.runWorker(i) || ran
		}
		if !ran {
			return
		}
		w.check()
	}
}
