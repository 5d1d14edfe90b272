package team

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// Link is a member's way to its leader.
type Link interface {
	// Send tells the leader something. An error means that the leader is gone, which the end of
	// Orders tells too.
	Send(Event) error
	// Orders is closed when the leader is gone.
	Orders() <-chan Order
}

// ErrLeaderGone is the error of a run whose leader did not come to its end.
var ErrLeaderGone = errors.New("the leader of the run is gone")

// Follow does one plan for a leader: it waits for it, has run do it, and sends its end.
// run's context ends when the leader says so or is gone; it passes its options
// through [Seat.Equip]. The error is that of the link, never run's.
func Follow(ctx context.Context, link Link, run func(context.Context, Plan, *Seat) (*loadtest.Report, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	plan, err := await(ctx, link)
	if err != nil {
		return err
	}
	s := &Seat{link: link, part: plan.Part, goOn: make(chan Order, 1)}
	var reading sync.WaitGroup
	reading.Go(func() { s.obey(ctx, cancel) })
	report, err := run(ctx, *plan, s)
	end := &End{Report: report}
	if err != nil {
		end.Error, end.Usage = err.Error(), errors.Is(err, loadtest.ErrOptions)
	}
	err = link.Send(Event{End: end})
	cancel(nil)
	reading.Wait()
	return err
}

// await is the leader's first order.
func await(ctx context.Context, link Link) (*Plan, error) {
	for {
		select {
		case o, ok := <-link.Orders():
			switch {
			case !ok:
				return nil, ErrLeaderGone
			case o.Stop:
				return nil, context.Canceled
			case o.Plan != nil:
				return o.Plan, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Seat is a member's place in a run.
type Seat struct {
	link Link
	part loadtest.Part
	goOn chan Order
}

// Equip makes o the options of this part of the run.
func (s *Seat) Equip(o *loadtest.Options) {
	o.Part, o.Histograms, o.Meet = s.part, true, s.meet
	// When the leader is gone the context ends; nothing else is to be done about it.
	o.Notice = func(n loadtest.Notice) { _ = s.link.Send(Event{Notice: &n}) }
	o.Progress = func(p loadtest.Progress) { _ = s.link.Send(Event{Progress: &p}) }
}

// obey hears orders while the plan is done.
func (s *Seat) obey(ctx context.Context, cancel context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case o, ok := <-s.link.Orders():
			switch {
			case !ok:
				cancel(ErrLeaderGone)
				return
			case o.Stop:
				cancel(context.Canceled)
			case o.Go != "":
				select {
				case s.goOn <- o:
				default: // it was not asked for
				}
			}
		}
	}
}

// maxAhead bounds what a wrong clock can make a member wait.
const maxAhead = 10 * time.Second

func (s *Seat) meet(ctx context.Context, moment string) (time.Time, error) {
	if err := s.link.Send(Event{Arrived: moment}); err != nil {
		return time.Time{}, err
	}
	for {
		select {
		case o := <-s.goOn:
			if o.Go != moment {
				continue
			}
			sleep(ctx, min(time.Until(o.At), maxAhead))
			return o.At, nil
		case <-ctx.Done():
			return time.Now(), nil // the run says itself that it was interrupted
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
