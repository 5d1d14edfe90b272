// Package team has several processes do one load test together: a leader tells each
// its part, lets all begin and end each stage at the same time, and merges
// what they saw while they run and at the end.
//
// The command roost loadtest calls it, for helpers that it forks ([Fork]) and for
// agents on other machines (package agents). Orders go one way and events the other;
// how they travel is the transport's. The package measures nothing itself, and knows
// no scenario: a plan is the command line that each member runs.
package team

import (
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// Plan is what a member is to do.
type Plan struct {
	Args []string      `json:"args"` // of roost loadtest, for the whole run
	Part loadtest.Part `json:"part"`
}

// Order is what the leader tells a member: one of its fields.
type Order struct {
	Plan *Plan `json:"plan,omitempty"`
	// Go lets the member pass a moment ([loadtest.MeetReady] …) at a time on its own clock, which is the
	// same moment for all; at once when it is over.
	Go   string    `json:"go,omitempty"`
	At   time.Time `json:"at,omitzero"`
	Stop bool      `json:"stop,omitempty"` // end the run and report what there is
}

// Event is what a member tells the leader: one of its fields.
type Event struct {
	Arrived  string             `json:"arrived,omitempty"` // waits at this moment
	Notice   *loadtest.Notice   `json:"notice,omitempty"`
	Progress *loadtest.Progress `json:"progress,omitempty"`
	End      *End               `json:"end,omitempty"`
}

// End is how a member's run ended.
type End struct {
	Report *loadtest.Report `json:"report,omitempty"`
	Error  string           `json:"error,omitempty"`
	Usage  bool             `json:"usage,omitempty"` // the error is one of the plan's
}

// Clock is how a member's clock differs from the leader's. The zero value is a
// clock that is the same.
type Clock struct {
	Offset time.Duration // to be added to the leader's time
	Bound  time.Duration // the true offset is no further from it than this
}

// Member is one process of a team, as its leader sees it. Its methods are called
// from one goroutine.
type Member interface {
	Name() string
	Clock() Clock
	// Send gives an order. That the member is gone shows in its events.
	Send(Order)
	// Events is closed when nothing comes any more: the member has ended, died or
	// was lost. Err then says which, nil for an ordinary end.
	Events() <-chan Event
	Err() error
}
