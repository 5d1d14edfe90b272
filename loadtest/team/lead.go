package team

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// Leader leads members through one run.
type Leader struct {
	Args []string // of the plan
	// SameMachine says that the members share this machine: its ports, its memory, and the
	// server if that runs here.
	SameMachine bool
	// Ahead is how far ahead members are told to begin, so that the order has come to all; 0 = at once.
	Ahead time.Duration

	// Notice and Progress are told what the members tell, merged. They are called
	// from Lead's goroutine and may be nil.
	Notice   func(loadtest.Notice)
	Progress func(loadtest.Progress)
}

const (
	// stopWait is how long members have to report after they were told to stop:
	// they close their connections meanwhile.
	stopWait = 20 * time.Second
	// progressEvery is how often Progress is called.
	progressEvery = 200 * time.Millisecond
)

// seat is a member and what it has told.
type seat struct {
	Member
	at       string // the moment it waits at
	progress loadtest.Progress
	report   *loadtest.Report
	ended    bool // it has told its end
	gone     bool
}

// heard is an event of a member; nil when nothing comes any more.
type heard struct {
	from  int
	event *Event
}

// lead is one call of Lead.
type lead struct {
	*Leader
	seats   []*seat
	notices []loadtest.Notice
	errs    []error
	stopped bool
	shown   time.Time
}

// Lead has the members do their parts and returns the merged report. When ctx ends, or a
// member fails, all are told to stop, and the report holds what was measured so
// far, with Interrupted set; the error names the member that failed. Errors about the plan
// wrap [loadtest.ErrOptions]. It returns when all members are gone, or have not ended in time.
func (l *Leader) Lead(ctx context.Context, members []Member) (*loadtest.Report, error) {
	r := &lead{Leader: l}
	for i, m := range members {
		r.seats = append(r.seats, &seat{Member: m})
		m.Send(Order{Plan: &Plan{l.Args, loadtest.Part{Index: i, Of: len(members), SameMachine: l.SameMachine}}})
	}
	r.follow(ctx)
	return r.merge()
}

// follow hears all members until they are gone.
func (r *lead) follow(ctx context.Context) {
	all := make(chan heard)
	over := make(chan struct{})
	var hearing sync.WaitGroup
	for i, s := range r.seats {
		hearing.Go(func() { pass(s.Events(), i, all, over) })
	}
	var late <-chan time.Time
	interrupted := ctx.Done()
	for slices.ContainsFunc(r.seats, func(s *seat) bool { return !s.gone }) {
		if r.stopped && late == nil {
			timer := time.NewTimer(stopWait)
			defer timer.Stop()
			late, interrupted = timer.C, nil
		}
		select {
		case h := <-all:
			r.hear(r.seats[h.from], h.event)
		case <-interrupted:
			r.stop()
		case <-late:
			for _, s := range r.seats {
				if !s.gone && !s.ended {
					r.errs = append(r.errs, fmt.Errorf("%s: no report within %v of being told to stop", s.Name(), stopWait))
				}
				s.gone = true
			}
		}
	}
	close(over)
	hearing.Wait()
}

// pass hands on what member i tells, and its end, until it is over: a member may never end.
func pass(events <-chan Event, i int, all chan<- heard, over <-chan struct{}) {
	for ok := true; ok; {
		h := heard{from: i}
		select {
		case e, more := <-events:
			if ok = more; ok {
				h.event = &e
			}
		case <-over:
			return
		}
		select {
		case all <- h:
		case <-over:
			return
		}
	}
}

// stop tells all to end.
func (r *lead) stop() {
	r.stopped = true
	for _, s := range r.seats {
		if !s.gone {
			s.Send(Order{Stop: true})
		}
	}
}

func (r *lead) hear(s *seat, e *Event) {
	switch {
	case e == nil:
		s.gone = true
		if !s.ended {
			r.fail(s, s.Err())
		}
	case e.Notice != nil:
		if n := *e.Notice; !slices.Contains(r.notices, n) && len(r.notices) < maxNotices {
			if r.notices = append(r.notices, n); r.Notice != nil {
				r.Notice(n)
			}
		}
	case e.Progress != nil:
		s.progress = *e.Progress
		r.show()
	case e.End != nil:
		s.ended, s.report = true, e.End.Report
		switch {
		case e.End.Usage:
			r.fail(s, fmt.Errorf("%w: %s", loadtest.ErrOptions, strings.TrimPrefix(e.End.Error, loadtest.ErrOptions.Error()+": ")))
		case e.End.Error != "":
			r.fail(s, errors.New(e.End.Error))
		}
	default:
		s.at = e.Arrived
	}
	r.letGo()
}

// maxNotices bounds what members may add to the report.
const maxNotices = 64

// fail notes why a member can't do its part, and ends the run: a part of a load is
// another load. What members say of a plan, they all say.
func (r *lead) fail(s *seat, err error) {
	if err == nil {
		err = errors.New("ended without a report")
	}
	if !errors.Is(err, loadtest.ErrOptions) {
		err = fmt.Errorf("%s: %w", s.Name(), err)
	} else if slices.ContainsFunc(r.errs, func(o error) bool { return o.Error() == err.Error() }) {
		return
	}
	r.errs = append(r.errs, err)
	if !r.stopped {
		r.stop()
	}
}

// letGo has members go on when all that still run wait at one moment. One at the last is past
// the others' moments, as one without a connection has nothing to do at them: it waits on.
func (r *lead) letGo() {
	moment := ""
	for _, s := range r.seats {
		switch last := s.at == loadtest.MeetMeasure; {
		case s.ended || s.gone || last && moment != "":
		case s.at == "" || moment != "" && moment != loadtest.MeetMeasure && s.at != moment:
			return
		default:
			moment = s.at
		}
	}
	if moment == "" {
		return
	}
	at := time.Now().Add(r.Ahead)
	for _, s := range r.seats {
		if s.at == moment {
			s.at = ""
			s.Send(Order{Go: moment, At: at.Add(s.Clock().Offset)})
		}
	}
}

func (r *lead) show() {
	if r.Progress == nil || time.Since(r.shown) < progressEvery {
		return
	}
	r.shown = time.Now()
	var all []loadtest.Progress
	for _, s := range r.seats {
		if s.progress.Stage != "" {
			all = append(all, s.progress)
		}
	}
	r.Progress(loadtest.MergeProgress(all))
}

// merge makes one report. It is nil when no member had one.
func (r *lead) merge() (*loadtest.Report, error) {
	var reports []*loadtest.Report
	var members []loadtest.Member
	for _, s := range r.seats {
		if s.report == nil {
			continue
		}
		clock := s.Clock()
		s.report.Started = s.report.Started.Add(-clock.Offset)
		members = append(members, s.report.AsMember(s.Name(), clock.Offset, clock.Bound))
		reports = append(reports, s.report)
	}
	err := errors.Join(r.errs...)
	if len(reports) == 0 {
		return nil, err
	}
	whole, mergeErr := loadtest.Merge(reports)
	if whole != nil {
		whole.Members = members
		whole.Interrupted = whole.Interrupted || r.stopped
	}
	return whole, errors.Join(err, mergeErr)
}
