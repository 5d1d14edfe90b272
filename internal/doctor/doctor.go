// Package doctor says what a number of connections needs, and whether a
// machine gives it. It is called by the command line. It only reads: what to
// change is for the reader to decide, who gets the commands.
package doctor

import (
	"errors"
	"fmt"
	"time"
)

// Options are what to examine a machine for.
type Options struct {
	Conns     int           // connections that it shall hold, at least 1
	Within    time.Duration // in which a message shall reach all of them, above 0
	Heartbeat time.Duration // between two pings to a connection; 0 = none
	Processes int           // that share the connections; 0 = 1
	TLS       bool          // connections are encrypted
	Client    bool          // it opens the connections, and does not accept them
}

// What the command line examines for when it is told nothing else.
const (
	DefaultWithin    = 10 * time.Second
	DefaultHeartbeat = 30 * time.Second
)

// command is the command line that examines for o.
func (o Options) command() string {
	line := fmt.Sprintf("roost doctor --conns %d", o.Conns)
	add := func(unless bool, format string, args ...any) {
		if !unless {
			line += fmt.Sprintf(format, args...)
		}
	}
	add(!o.Client, " --client")
	add(!o.TLS, " --tls")
	add(o.Heartbeat == DefaultHeartbeat, " --ping-interval %v", o.Heartbeat)
	add(o.Processes == 1, " --processes %d", o.Processes)
	add(o.Within == DefaultWithin, " --seconds %.0f", o.Within.Seconds())
	return line
}

// Status is the outcome of a check.
type Status string

// The outcomes.
const (
	OK      Status = "ok"
	Advice  Status = "advice"  // it works, and would work better
	Fail    Status = "fail"    // the connections do not fit
	Unknown Status = "unknown" // this system does not tell
)

// Check is one limit of the machine, beside what the connections need.
type Check struct {
	Name   string   `json:"name"`
	Status Status   `json:"status"`
	Have   string   `json:"have"`
	Need   string   `json:"need,omitempty"`
	Why    string   `json:"why,omitempty"`  // what goes wrong; empty when it is OK
	Mend   []string `json:"mend,omitempty"` // commands for root; of several lines that begin with "or", one
}

// Report is what [Examine] found.
type Report struct {
	Conns     int     `json:"conns"`
	Processes int     `json:"processes"`
	Client    bool    `json:"client"`
	Fits      bool    `json:"fits"` // no check failed
	Checks    []Check `json:"checks"`
	Needs     Needs   `json:"needs"`
}

// Examine compares m with what o needs.
func Examine(m *Machine, o Options) (*Report, error) {
	if o.Processes == 0 {
		o.Processes = 1
	}
	if o.Conns < 1 || o.Processes < 1 || o.Within <= 0 || o.Heartbeat < 0 {
		return nil, fmt.Errorf("doctor: %d connections in %d processes, a message to all within %v, a heartbeat every %v: %w",
			o.Conns, o.Processes, o.Within, o.Heartbeat, errOptions)
	}
	x := examination{m: m, o: o, needs: newNeeds(o, m)}
	x.descriptors()
	x.memory()
	x.processors()
	x.queues()
	x.buffers()
	x.tracking()
	x.ports()
	r := &Report{Conns: o.Conns, Processes: o.Processes, Client: o.Client, Fits: true, Checks: x.checks, Needs: x.needs}
	for _, c := range r.Checks {
		r.Fits = r.Fits && c.Status != Fail
	}
	return r, nil
}

var errOptions = errors.New("want at least 1 of each, and times above 0")

// examination collects the checks.
type examination struct {
	m      *Machine
	o      Options
	needs  Needs
	checks []Check
}

// atLeast adds a check that have is no less than need, and bad when it is. A
// have below 0 is not known.
func (x *examination) atLeast(name string, have, need int64, bad Status, why string, mend ...string) {
	c := Check{Name: name, Status: OK, Have: count(have), Need: count(need)}
	switch {
	case have < 0:
		c.Status, c.Have = Unknown, ""
	case have < need:
		c.Status, c.Why, c.Mend = bad, why, mend
	}
	x.checks = append(x.checks, c)
}

func sysctl(name string, value any) string { return fmt.Sprintf("sysctl -w %s=%v", name, value) }
