package loadtest

import (
	"errors"
	"fmt"
	"time"
)

// PushReport is what [Push] measured. All latencies count from when an event was to
// leave, but for Uncorrected and Call.
type PushReport struct {
	Publish       string  `json:"publish"` // "http" or "client"
	Rate          float64 `json:"rate"`    // events a second
	Size          int     `json:"size"`    // bytes of an event's data
	Channels      int     `json:"channels"`
	Subscriptions int     `json:"subscriptions"` // of each connection
	Private       float64 `json:"private"`       // share of the channels
	Presence      float64 `json:"presence"`
	Publishers    int     `json:"publishers"`
	Batch         int     `json:"batch"`      // most events a request
	Subscribed    int     `json:"subscribed"` // subscriptions that stood when publishing began and are to get events
	Refused       int     `json:"refused"`    // subscriptions

	Measured        time.Duration `json:"measured_ns"` // until the last of the events measured was there
	Published       uint64        `json:"published"`   // events measured, that the server took
	Requests        uint64        `json:"requests"`    // that brought them, over HTTP
	Late            uint64        `json:"late"`        // of them, left more than a millisecond after their time
	Unpublished     uint64        `json:"unpublished"` // events that were due and never left, as the server was behind
	Call            Latency       `json:"call"`        // of requests, from when they left to the answer
	PublishFailures []Failure     `json:"publish_failures"`

	Deliveries uint64  `json:"deliveries"` // of the events measured, each counted once
	PerSecond  float64 `json:"per_second"` // deliveries
	// Expected is how many deliveries connections that stand at the end should have had, warm-up
	// included; Lost those that never came. An event whose request failed is in neither.
	Expected   uint64 `json:"expected"`
	Lost       uint64 `json:"lost"`
	Duplicates uint64 `json:"duplicates"` // events that came again to a subscription, warm-up included
	Reordered  uint64 `json:"reordered"`  // that came after a later one of their channel
	Incomplete uint64 `json:"incomplete"` // events measured that not all subscribers got; not in Last

	First       Latency `json:"first"`       // of each event, at its first subscriber
	Median      Latency `json:"median"`      // at the one in the middle
	Last        Latency `json:"last"`        // at the last
	Latency     Latency `json:"latency"`     // of all deliveries, and for each receiver of an event that never left its age at the end
	Uncorrected Latency `json:"uncorrected"` // the same from when the event left

	Slow *PushSlow `json:"slow,omitempty"`

	ServerCPU     *CPU          `json:"server_cpu,omitempty"`        // by delivery
	ServerPublish time.Duration `json:"server_publish_ns,omitempty"` // all of its CPU time, by event published
	ClientCPU     CPU           `json:"client_cpu"`
	ClientBound   bool          `json:"client_bound"` // the harness was busy enough to be the limit
}

func (p *PushReport) figures(add func(string, float64)) {
	add("refused", float64(p.Refused))
	add("messages", float64(p.Deliveries))
	add("rate", p.PerSecond)
	if p.Expected > 0 {
		add("loss", float64(p.Lost)/float64(p.Expected))
	}
	add("lost", float64(p.Lost))
	add("duplicates", float64(p.Duplicates))
	add("reordered", float64(p.Reordered))
	add("incomplete", float64(p.Incomplete))
	add("late", float64(p.Late))
	add("published", float64(p.Published))
	add("unpublished", float64(p.Unpublished))
	add("publish-errors", float64(failed(p.PublishFailures)))
	if p.Call.Count > 0 {
		add("publish-p50", float64(p.Call.P50))
		add("publish-p99", float64(p.Call.P99))
	}
	p.Latency.figures(add)
	if u := p.Uncorrected; u.Count > 0 {
		add("uncorrected-p50", float64(u.P50))
		add("uncorrected-p99", float64(u.P99))
	}
	if p.First.Count > 0 {
		add("first-p50", float64(p.First.P50))
		add("median-p50", float64(p.Median.P50))
	}
	if p.Last.Count > 0 {
		add("last-p50", float64(p.Last.P50))
		add("last-p99", float64(p.Last.P99))
	}
	if p.Slow != nil {
		p.Slow.figures(add)
	}
	if s := p.ServerCPU; s != nil && p.Deliveries > 0 {
		add("server-cpu", float64(s.PerMessage))
		add("server-cpu-publish", float64(p.ServerPublish))
		add("server-cores", s.Cores)
	}
	if p.Deliveries > 0 {
		add("client-cpu", float64(p.ClientCPU.PerMessage))
	}
	add("client-cores", p.ClientCPU.Cores)
}

func failed(all []Failure) (n int) {
	for _, f := range all {
		n += f.Count
	}
	return n
}

func (p *PushReport) writeText(line liner) {
	line("subscribed", "%s subscriptions to %s channels, %s refused", count(p.Subscribed), count(p.Channels), count(p.Refused))
	by := "client events"
	if p.Publish == "http" {
		by = fmt.Sprintf("HTTP, %s publishers", count(p.Publishers))
		if p.Batch > 1 {
			by += fmt.Sprintf(", %s requests of up to %d", count(p.Requests), p.Batch)
		}
	}
	line("published", "%s events of %s B in %s: %s a second asked for, by %s; %s left over 1 ms late", count(p.Published), count(p.Size), span(p.Measured), rate(p.Rate), by, count(p.Late))
	if p.Unpublished > 0 {
		line("", "%s events never left: publishers waited for answers; try more of them, or --batch (their age is in the latency)", count(p.Unpublished))
	}
	if p.Call.Count > 0 {
		line("call", "%s", p.Call.text())
	}
	for _, f := range p.PublishFailures {
		line("", "%s × %s: %s", count(f.Count), f.Cause, f.Meaning)
		line("", "  first: %s", f.Example)
	}
	line("deliveries", "%s: %s a second", count(p.Deliveries), rate(p.PerSecond))
	line("latency", "%s", p.Latency.text())
	line("uncorrected", "%s", p.Uncorrected.text())
	line("first", "%s", p.First.text())
	line("median", "%s", p.Median.text())
	line("last", "%s", p.Last.text())
	line("", "of all deliveries, from when an event was to leave (uncorrected: from when it left), and of each event at its")
	line("", "first, its median and its last subscriber")
	line("order", "%s lost of %s, %s duplicates, %s reordered; %s events did not reach all", count(p.Lost), count(p.Expected), count(p.Duplicates), count(p.Reordered), count(p.Incomplete))
	if p.Slow != nil {
		p.Slow.writeText(line)
	}
	if c := p.ServerCPU; c != nil {
		line("server CPU", "%s a delivery, %s a publish, %.2f cores", span(c.PerMessage), span(p.ServerPublish), c.Cores)
	}
	line("client CPU", "%s a delivery, %.2f cores", span(p.ClientCPU.PerMessage), p.ClientCPU.Cores)
}

// merge adds the report of another part, whose channels are its own.
func (p *PushReport) merge(o *PushReport) error {
	p.Rate += o.Rate
	p.Channels += o.Channels
	p.Publishers += o.Publishers
	p.Subscribed += o.Subscribed
	p.Refused += o.Refused
	p.Measured = max(p.Measured, o.Measured)
	p.Published += o.Published
	p.Requests += o.Requests
	p.Late += o.Late
	p.Unpublished += o.Unpublished
	p.PublishFailures = joinFailures(p.PublishFailures, o.PublishFailures)
	p.Deliveries += o.Deliveries
	p.PerSecond += o.PerSecond
	p.Expected += o.Expected
	p.Lost += o.Lost
	p.Duplicates += o.Duplicates
	p.Reordered += o.Reordered
	p.Incomplete += o.Incomplete
	p.ClientBound = p.ClientBound || o.ClientBound
	mergeCPU(&p.ClientCPU, &o.ClientCPU, &p.ServerCPU, o.ServerCPU, p.Deliveries)
	if p.ServerCPU != nil && p.Published > 0 {
		p.ServerPublish = p.ServerCPU.Time / time.Duration(p.Published)
	}
	err := errors.Join(p.Call.merge(&o.Call), p.First.merge(&o.First), p.Median.merge(&o.Median), p.Last.merge(&o.Last),
		p.Latency.merge(&o.Latency), p.Uncorrected.merge(&o.Uncorrected), mergeInto(&p.Slow, o.Slow))
	if p.Slow != nil {
		p.Slow.compare(&p.Latency)
	}
	return err
}
