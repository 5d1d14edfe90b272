package loadtest

import "time"

// cpuMark is how much processor time had been used at a moment.
type cpuMark struct {
	server time.Duration
	client cpuTimes
}

func (d *driver) cpuMark() cpuMark { return cpuMark{d.server.cpu(), ownCPU()} }

// cpuSince tells what was used between a mark and another, while so many messages passed. server is nil
// when it is not known; bound says that the harness was busy enough to be the limit.
func (d *driver) cpuSince(from, to cpuMark, measured time.Duration, messages uint64) (server *CPU, client CPU, bound bool) {
	client = newCPU(to.client.total-from.client.total, to.client.system-from.client.system, measured, messages)
	if d.server.known() {
		c := newCPU(to.server-from.server, 0, measured, messages)
		server = &c
	}
	return server, client, client.Cores >= busy*float64(len(d.loops))
}

// merge sums: each process used processors of its own.
func (c *CPU) merge(o *CPU, messages uint64) {
	c.Time += o.Time
	c.System += o.System
	c.Cores += o.Cores
	c.perMessage(messages)
}

func (c *CPU) perMessage(messages uint64) {
	if c.PerMessage = 0; messages > 0 {
		c.PerMessage = c.Time / time.Duration(messages)
	}
}

// mergeCPU merges what the parts spent of the harness's CPU and of the server's;
// all parts that see the server's see the same, so it counts once. messages are
// those of all parts merged so far.
func mergeCPU(client, otherClient *CPU, server **CPU, otherServer *CPU, messages uint64) {
	client.merge(otherClient, messages)
	if *server == nil {
		*server = otherServer
	}
	if *server != nil {
		(*server).perMessage(messages)
	}
}
