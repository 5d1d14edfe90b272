package doctor

import (
	"math"
	"time"
)

// What connections cost, measured with roost echo on Linux 6.18, and kept true by
// a test that holds 15,000. Times are processor time of the server, kernel
// included, on a core of 2024.
const (
	// UserBytes is what the server's resident memory grows by a connection, with
	// the collector's default room (--gc-percent 100).
	UserBytes = 360
	// TLSBytes is what encryption adds to it.
	TLSBytes = 6_700
	// KernelBytes is one end of a TCP connection: socket, inode, dentry, file and
	// the poller's entry.
	KernelBytes = 4_000
	// BaseBytes is a server process without connections.
	BaseBytes = 24 << 20

	// HeartbeatCost is a ping and its pong: a write, an event, a read.
	HeartbeatCost = 12 * time.Microsecond
	// DeliveryCost is a small message of a broadcast to one connection: a write.
	DeliveryCost = 7 * time.Microsecond
	// HandshakeCost is accept, upgrade and registration.
	HandshakeCost = 30 * time.Microsecond

	// SpareDescriptors are those of a process besides its connections.
	SpareDescriptors = 64
)

// Needs is what the connections need. Memory is bytes, of all processes.
type Needs struct {
	User            int64   `json:"user_bytes"`
	Kernel          int64   `json:"kernel_bytes"` // this end's
	Descriptors     int64   `json:"descriptors"`  // of all processes
	DescriptorsEach int64   `json:"descriptors_each"`
	Ports           int     `json:"ports_a_source"`   // that the client's port range has
	Sources         int     `json:"source_addresses"` // of clients, with that range
	HeartbeatCores  float64 `json:"heartbeat_cores"`
	BroadcastCores  float64 `json:"broadcast_cores"` // while one broadcast is under way
	// HandshakeSeconds is the processor time until all have connected (again).
	HandshakeSeconds float64 `json:"handshake_seconds"`

	Heartbeat time.Duration `json:"heartbeat_ns"`
	Within    time.Duration `json:"within_ns"`
}

// defaultPorts is how many ports Linux gives one address of a client.
const defaultPorts = 60999 - 32768 + 1

// evenness is the mean over the most that a process gets of the connections:
// SO_REUSEPORT shares them by hash.
const evenness = 0.95

func newNeeds(o Options, m *Machine) Needs {
	conns, processes := int64(o.Conns), int64(o.Processes)
	each := conns
	if processes > 1 {
		each = int64(math.Ceil(float64(conns) / float64(processes) / evenness))
	}
	n := Needs{
		User:             conns*UserBytes + processes*BaseBytes,
		Kernel:           conns * KernelBytes,
		Descriptors:      conns + processes*SpareDescriptors,
		DescriptorsEach:  each + SpareDescriptors,
		Ports:            defaultPorts,
		HandshakeSeconds: seconds(conns, HandshakeCost),
		BroadcastCores:   seconds(conns, DeliveryCost) / o.Within.Seconds(),
		Heartbeat:        o.Heartbeat,
		Within:           o.Within,
	}
	if o.TLS {
		n.User += conns * TLSBytes
	}
	if o.Heartbeat > 0 {
		n.HeartbeatCores = seconds(conns, HeartbeatCost) / o.Heartbeat.Seconds()
	}
	if m.PortHigh > 0 {
		n.Ports = m.PortHigh - m.PortLow + 1
	}
	n.Sources = (o.Conns + n.Ports - 1) / n.Ports
	return n
}

func seconds(n int64, each time.Duration) float64 { return float64(n) * each.Seconds() }
