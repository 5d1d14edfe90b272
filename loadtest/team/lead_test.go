package team

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// fake is a member that waits at each of its moments, and then ends.
type fake struct {
	name   string
	told   *[]string // when to go on, of all members
	orders chan Order
	events chan Event
}

func begin(name string, told *[]string, moments ...string) *fake {
	f := &fake{name, told, make(chan Order, 16), make(chan Event)}
	go func() {
		defer close(f.events)
		<-f.orders // the plan
		for _, at := range moments {
			f.events <- Event{Arrived: at}
			if o := <-f.orders; o.Go != at {
				return
			}
		}
		f.events <- Event{End: &End{Report: &loadtest.Report{Scenario: "storm"}}}
	}()
	return f
}

func (f *fake) Name() string         { return f.name }
func (f *fake) Clock() Clock         { return Clock{} }
func (f *fake) Events() <-chan Event { return f.events }
func (f *fake) Err() error           { return nil }

func (f *fake) Send(o Order) {
	if o.Go != "" {
		*f.told = append(*f.told, f.name+" "+o.Go)
	}
	f.orders <- o
}

func TestMembersWithNothingToDoWaitAtTheEndAndHoldUpNobody(t *testing.T) {
	for idle := range 3 {
		synctest.Test(t, func(t *testing.T) {
			var told []string
			var members []Member
			for i, name := range []string{"a", "b", "c"} {
				moments := []string{loadtest.MeetOpen, loadtest.MeetCut, loadtest.MeetMeasure}
				if i == idle {
					moments = slices.Delete(moments, 1, 2)
				}
				members = append(members, begin(name, &told, moments...))
			}
			r, err := (&Leader{}).Lead(t.Context(), members)
			if err != nil || r == nil || r.Interrupted {
				t.Fatalf("%+v, %v", r, err)
			}
			if len(told) != 8 || slices.ContainsFunc(told[5:], func(s string) bool { return s[2:] != loadtest.MeetMeasure }) {
				t.Errorf("member %d is idle: %v, want the three at the end together", idle, told)
			}
		})
	}
}

func TestLeaderEndsWithoutAMemberThatDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		stuck := &fake{"stuck", &told, make(chan Order, 16), make(chan Event)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := (&Leader{}).Lead(ctx, []Member{begin("a", &told, loadtest.MeetOpen), stuck})
		if took := time.Since(begun); err == nil || strings.Count(err.Error(), "stuck: no report within") != 1 || strings.Count(err.Error(), "a: ") != 1 || took != time.Second+stopWait {
			t.Errorf("error %v after %v, want one that names the member after %v", err, took, time.Second+stopWait)
		}
	})
}
