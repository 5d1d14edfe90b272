package loadtest

import "time"

// ReportVersion is the version of [Report]'s JSON. It rises when a field's
// meaning changes or a field goes; new fields leave it as it is.
const ReportVersion = 1

// Report is what a run found. In JSON, durations are nanoseconds (their names
// end in _ns) and memory is bytes.
type Report struct {
	Version     int           `json:"version"`
	Scenario    string        `json:"scenario"`
	URL         string        `json:"url"`
	Started     time.Time     `json:"started"`
	Took        time.Duration `json:"took_ns"`
	Interrupted bool          `json:"interrupted"` // the caller ended it: figures are of what was done by then

	Connections Connections `json:"connections"`
	Failures    []Failure   `json:"failures"` // most frequent first
	Notices     []Notice    `json:"notices"`  // what the preflight found
	Server      *Server     `json:"server,omitempty"`
	Harness     *Harness    `json:"harness,omitempty"` // absent in reports of older versions

	Idle *IdleReport `json:"idle,omitempty"`
	Echo *EchoReport `json:"echo,omitempty"`

	Broadcast *BroadcastReport `json:"broadcast,omitempty"`
	Push      *PushReport      `json:"push,omitempty"`
	Storm     *StormReport     `json:"storm,omitempty"`

	Churn *ChurnReport `json:"churn,omitempty"`
	Slow  *SlowReport  `json:"slow,omitempty"`
	Find  *FindReport  `json:"find,omitempty"`

	// Scrape is how reading the server's own metrics went; nil when that was not asked for.
	Scrape *Scrape `json:"scrape,omitempty"`
	// Targets are the servers of the run; empty when there is one.
	Targets []Target `json:"targets,omitempty"`
	// Members are the processes that did the run together; empty when it was one.
	Members []Member `json:"members,omitempty"`
	Samples []Sample `json:"samples"` // the run over time
}

// Member is one process of a run that several did together.
type Member struct {
	Name   string        `json:"name"`
	Wanted int           `json:"wanted"`
	Opened int           `json:"opened"`
	Failed int           `json:"failed"`
	Lost   int           `json:"lost"`
	Cores  float64       `json:"cores"` // that it used
	LagP99 time.Duration `json:"lag_p99_ns"`
	// ClockOffset is its clock less the leader's, and ClockBound how far from the
	// truth that may be; 0 where they have one clock.
	ClockOffset time.Duration `json:"clock_offset_ns,omitempty"`
	ClockBound  time.Duration `json:"clock_bound_ns,omitempty"`
}

// AsMember is what r says of one member of a run.
func (r *Report) AsMember(name string, offset, bound time.Duration) Member {
	c := &r.Connections
	m := Member{Name: name, Wanted: c.Wanted, Opened: c.Opened, Failed: c.Failed, Lost: c.Lost, ClockOffset: offset, ClockBound: bound}
	if r.Harness != nil {
		m.Cores, m.LagP99 = r.Harness.Cores, r.Harness.Lag.P99
	}
	return m
}

// Connections counts a run's connections.
type Connections struct {
	Wanted    int `json:"wanted"`
	Redialled int `json:"redialled,omitempty"` // dials beyond those wanted, of connections that had ended
	Opened    int `json:"opened"`              // handshakes done
	Failed    int `json:"failed"`              // handshakes failed
	Lost      int `json:"lost"`                // of those opened, ended before the run did
	Deflated  int `json:"deflated"`            // of those opened, with permessage-deflate agreed
	// DeflateOffered says that we asked for it.
	DeflateOffered bool          `json:"deflate_offered,omitempty"`
	Took           time.Duration `json:"took_ns"`    // of the first opening
	PerSecond      float64       `json:"per_second"` // opened over Took
	Handshake      Latency       `json:"handshake"`  // from connect to the answer, connections opened
}

// Server is the server under test, where it is on this machine.
type Server struct {
	PIDs  []int `json:"pids"`
	Found bool  `json:"found"` // by its listening socket, and not named by the caller
	// Peak is the most of each that a sample saw.
	Peak *ServerPeak `json:"peak,omitempty"`
}

// Memory is growth since before the first connection.
type Memory struct {
	// User is the server's resident memory (RSS of all its processes), by connection
	// that stands at the end of the hold.
	User *Growth `json:"user,omitempty"`
	// UserOpened is the same right after the last handshake.
	UserOpened *Growth `json:"user_opened,omitempty"`
	Kernel     *Kernel `json:"kernel,omitempty"`
}

// Kernel is what the kernel of this machine took: of both ends of a connection
// when the server runs here. Whatever else the machine did meanwhile is in it too, as far as
// it cannot be told apart.
type Kernel struct {
	PerConnection float64 `json:"per_connection"` // bytes
	BothEnds      bool    `json:"both_ends"`
	// WholeSlab says that slab caches could not be read one by one (that is
	// root's), and all that the slab allocator grew by is counted.
	WholeSlab bool    `json:"whole_slab"`
	Caches    []Cache `json:"caches"` // what is counted; else empty
}

// Growth is memory before and after, in bytes.
type Growth struct {
	Before        int64   `json:"before"`
	After         int64   `json:"after"`
	PerConnection float64 `json:"per_connection"`
}

// Cache is a kernel slab cache that grew with the connections.
type Cache struct {
	Name          string  `json:"name"`
	ObjectSize    int     `json:"object_size"`
	PerConnection float64 `json:"per_connection"` // objects
}
