package push

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/roost-ws/roost/engine"
)

// engineMetrics are 0 when Options was given no engine.
func (s *Server) engineMetrics(c *collector) {
	stat := func(kind prometheus.ValueType, name, help string, read func(engine.Stats) float64) {
		c.add(kind, "roost_engine_"+name, help, func() float64 {
			if e := s.engine.Load(); e != nil {
				return read(e.Stats())
			}
			return 0
		})
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	stat(gauge, "connections", "TCP connections, handshakes included.", func(t engine.Stats) float64 { return float64(t.Conns) })
	stat(gauge, "queued_connections", "Connections that wait for a worker.", func(t engine.Stats) float64 { return float64(t.Queued) })
	stat(gauge, "workers", "Goroutines that run handlers or wait for them.", func(t engine.Stats) float64 { return float64(t.Workers) })
	stat(counter, "accepted_total", "TCP connections accepted.", func(t engine.Stats) float64 { return float64(t.Accepted) })
	stat(counter, "opened_total", "WebSockets opened.", func(t engine.Stats) float64 { return float64(t.Opened) })
	stat(counter, "rejected_total", "Handshakes refused, and connections above a limit.", func(t engine.Stats) float64 { return float64(t.Rejected) })
	stat(counter, "closed_total", "Connections ended.", func(t engine.Stats) float64 { return float64(t.Closed) })
	stat(counter, "messages_received_total", "Messages received, control frames included.", func(t engine.Stats) float64 { return float64(t.MessagesIn) })
	stat(counter, "messages_sent_total", "Messages sent, control frames included.", func(t engine.Stats) float64 { return float64(t.MessagesOut) })
	stat(counter, "received_bytes_total", "Bytes read.", func(t engine.Stats) float64 { return float64(t.BytesIn) })
	stat(counter, "sent_bytes_total", "Bytes of payload sent.", func(t engine.Stats) float64 { return float64(t.BytesOut) })
	stat(counter, "dropped_messages_total", "Messages refused because a connection's outbox was full.", func(t engine.Stats) float64 { return float64(t.Dropped) })
	stat(gauge, "memory_budget_bytes", "Most that connections may hold; 0 is no limit.", func(t engine.Stats) float64 { return float64(t.Memory.Budget) })
	stat(gauge, "memory_used_bytes", "What connections hold: output that waits, unfinished messages, windows.", func(t engine.Stats) float64 { return float64(t.Memory.Used) })
	stat(gauge, "memory_paused_connections", "Connections that are not read for the budget's sake.", func(t engine.Stats) float64 { return float64(t.Memory.Paused) })
	stat(counter, "memory_refused_total", "Handshakes and messages refused for the budget's sake.", func(t engine.Stats) float64 { return float64(t.Memory.Refused) })
	stat(counter, "memory_shed_total", "Connections closed for the budget's sake.", func(t engine.Stats) float64 { return float64(t.Memory.Shed) })
	stat(counter, "panics_total", "Panics of handlers, each of which closed one connection.", func(t engine.Stats) float64 { return float64(t.Panics) })
	s.slowMetric(c)
	s.deliveryMetric(c)
}

// slowMetric is by policy and not by channel: there may be any number of those.
func (s *Server) slowMetric(c *collector) {
	desc := prometheus.NewDesc("roost_push_slow_dropped_events_total", "Events not sent to subscribers that read too slowly, by the policy of their channels.", []string{"policy"}, nil)
	*c = append(*c, metric{desc, func(d *prometheus.Desc, ch chan<- prometheus.Metric) {
		for _, p := range s.droppedBySlow() {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(p.Count), p.Policy)
		}
	}})
}

// deliveryMetric is the engine's histogram in Prometheus's form. The engine has
// no sum, so each span counts with the middle of its bucket.
func (s *Server) deliveryMetric(c *collector) {
	desc := prometheus.NewDesc("roost_engine_delivery_seconds", "Time from a publication until all members on one loop had been served; the sum is estimated.", nil, nil)
	*c = append(*c, metric{desc, func(d *prometheus.Desc, ch chan<- prometheus.Metric) {
		var h engine.Histogram
		if e := s.engine.Load(); e != nil {
			h = e.Stats().Delivery
		}
		const last = len(h) - 1 // has no upper end
		count, sum, buckets := uint64(0), 0.0, make(map[float64]uint64, last)
		for i, n := range h {
			below := float64(uint64(1)<<i) * 1e-6
			count += n
			sum += 0.75 * below * float64(n)
			if i < last {
				buckets[below] = count
			}
		}
		ch <- prometheus.MustNewConstHistogram(d, count, sum, buckets)
	}})
}
