package loadtest

import (
	"errors"
	"time"
)

// ChurnReport is what [Churn] measured besides the first opening.
type ChurnReport struct {
	Lifetime time.Duration `json:"lifetime_ns"` // asked for
	Abort    float64       `json:"abort"`
	Measured time.Duration `json:"measured_ns"`

	Opened    uint64  `json:"opened"` // handshakes done within that
	PerSecond float64 `json:"per_second"`
	Failed    uint64  `json:"failed"`  // dials that failed; they are tried again after a tenth of a second
	Lost      uint64  `json:"lost"`    // lives that the server ended
	Closed    uint64  `json:"closed"`  // lives that ended with a close handshake
	Aborted   uint64  `json:"aborted"` // with our RST
	// Unanswered is how many of Closed the server ended without a close frame of its own.
	Unanswered uint64 `json:"unanswered"`
	// Lingering is how many the server had not ended two seconds after our close frame;
	// they were reset, and are not in Closed.
	Lingering uint64 `json:"lingering"`

	Handshake Latency `json:"handshake"` // from connect to the answer
	Close     Latency `json:"close"`     // from our close frame to the end of the stream

	Echo *ChurnEcho `json:"echo,omitempty"`
	// Standing is how many were open at the end of the measuring.
	Standing int        `json:"standing"`
	Server   *ServerUse `json:"server,omitempty"`

	ServerCPU   *CPU `json:"server_cpu,omitempty"` // by connection opened
	ClientCPU   CPU  `json:"client_cpu"`
	ClientBound bool `json:"client_bound"`
}

// ChurnEcho is how the messages fared, one of each life.
type ChurnEcho struct {
	Messages uint64  `json:"messages"` // came back
	Silent   uint64  `json:"silent"`   // had not come back two seconds after the life's end was due
	Latency  Latency `json:"latency"`
}

// ServerUse is what the server's processes held at four moments. -1 is not known.
type ServerUse struct {
	Before  Holding `json:"before"`  // the first connection
	Opened  Holding `json:"opened"`  // all of them, the first time
	Churned Holding `json:"churned"` // all of them, after the churn
	After   Holding `json:"after"`   // the last one had ended
}

// Holding is what the server's processes have at a moment.
type Holding struct {
	RSS         int64 `json:"rss"` // bytes
	Descriptors int   `json:"descriptors"`
}

func (r *ChurnReport) merge(o *ChurnReport) error {
	r.Measured = max(r.Measured, o.Measured)
	r.Opened += o.Opened
	r.PerSecond += o.PerSecond
	r.Failed += o.Failed
	r.Lost += o.Lost
	r.Closed += o.Closed
	r.Aborted += o.Aborted
	r.Unanswered += o.Unanswered
	r.Lingering += o.Lingering
	r.Standing += o.Standing
	r.ClientBound = r.ClientBound || o.ClientBound
	if r.Server == nil {
		r.Server = o.Server // all parts see the same
	}
	mergeCPU(&r.ClientCPU, &o.ClientCPU, &r.ServerCPU, o.ServerCPU, r.Opened)
	return errors.Join(r.Handshake.merge(&o.Handshake), r.Close.merge(&o.Close), mergeInto(&r.Echo, o.Echo))
}

func (e *ChurnEcho) merge(o *ChurnEcho) error {
	e.Messages += o.Messages
	e.Silent += o.Silent
	return e.Latency.merge(&o.Latency)
}

func (r *ChurnReport) add(c *churnCounts) {
	r.Opened += c.opened
	r.Failed += c.failed
	r.Lost += c.lost
	r.Closed += c.closed
	r.Aborted += c.aborted
	r.Unanswered += c.unanswered
	r.Lingering += c.lingering
}
