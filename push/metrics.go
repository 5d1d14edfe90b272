package push

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// counters are added to where things happen, and read by a scrape.
type counters struct {
	published, busErrors, fannedOut atomic.Int64
	clientMessages, rateLimited     atomic.Int64
	refused, refusedSubs            atomic.Int64
	apiErrors                       atomic.Int64
	refusedSignins                  atomic.Int64
	clientEvents, refusedEvents     atomic.Int64
	recovered, unrecovered          atomic.Int64
	replayed                        atomic.Int64
	untold, unreadNotes             atomic.Int64

	hooksSent, hooksFailed, hooksDropped atomic.Int64

	publishing prometheus.Histogram // s that backends' requests spent handing events to the bus
}

func newPublishing() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "roost_push_publish_seconds", Help: "Time that it took to hand the events of one request to the bus.",
		Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16), // to 1.6 s
	})
}

// metric is one name in /metrics: how it is described and how it is read.
type metric struct {
	desc *prometheus.Desc
	read func(*prometheus.Desc, chan<- prometheus.Metric)
}

// collector reads the server when Prometheus asks, so that counting costs an
// atomic add and nothing else.
type collector []metric

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c {
		ch <- m.desc
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c {
		m.read(m.desc, ch)
	}
}

func (c *collector) add(kind prometheus.ValueType, name, help string, read func() float64) {
	*c = append(*c, metric{prometheus.NewDesc(name, help, nil, nil), func(d *prometheus.Desc, ch chan<- prometheus.Metric) {
		ch <- prometheus.MustNewConstMetric(d, kind, read())
	}})
}

func (c *collector) counter(name, help string, v *atomic.Int64) {
	c.add(prometheus.CounterValue, name, help, func() float64 { return float64(v.Load()) })
}

func (c *collector) gauge(name, help string, read func() int64) {
	c.add(prometheus.GaugeValue, name, help, func() float64 { return float64(read()) })
}

func (s *Server) channels() (n int64) {
	for _, a := range s.tenants().list {
		n += a.hub.channels.Load()
	}
	return n
}

func (s *Server) subscriptions() (n int64) {
	for _, a := range s.tenants().list {
		n += a.hub.subscriptions.Load()
	}
	return n
}

func (s *Server) metrics() http.HandlerFunc {
	var c collector
	c.gauge("roost_push_connections", "Clients connected and greeted.", func() int64 { return int64(s.conns.size()) })
	c.gauge("roost_push_channels", "Channels with at least one subscriber.", s.channels)
	c.gauge("roost_push_subscriptions", "Subscriptions of all clients.", s.subscriptions)
	c.counter("roost_push_published_events_total", "Events taken from publishers.", &s.counts.published)
	c.counter("roost_push_fanouts_total", "Events handed to a channel with subscribers here.", &s.counts.fannedOut)
	c.counter("roost_push_bus_errors_total", "Events that the bus refused.", &s.counts.busErrors)
	c.counter("roost_push_client_messages_total", "Messages from clients.", &s.counts.clientMessages)
	c.counter("roost_push_rate_limited_total", "Connections closed for too many messages.", &s.counts.rateLimited)
	c.counter("roost_push_slow_disconnected_total", "Connections closed because they read too slowly.", &s.slow.count)
	c.counter("roost_push_refused_connections_total", "Connections refused for their key, path, version or origin, or while draining.", &s.counts.refused)
	c.counter("roost_push_refused_subscriptions_total", "Subscriptions refused for their name, signature or number.", &s.counts.refusedSubs)
	c.counter("roost_push_http_errors_total", "Requests to the API and the console that were refused.", &s.counts.apiErrors)
	c.counter("roost_push_refused_signins_total", "Sign-ins refused for their signature or data.", &s.counts.refusedSignins)
	c.counter("roost_push_client_events_total", "Client events passed on.", &s.counts.clientEvents)
	c.counter("roost_push_refused_client_events_total", "Client events refused for their channel, size or rate.", &s.counts.refusedEvents)
	c.counter("roost_push_recovered_total", "Subscriptions that got all they had missed.", &s.counts.recovered)
	c.counter("roost_push_unrecovered_total", "Subscriptions that were told that what they had missed is gone.", &s.counts.unrecovered)
	c.counter("roost_push_replayed_events_total", "Events sent to subscriptions that had missed them.", &s.counts.replayed)
	c.counter("roost_push_webhook_events_total", "Webhook events that a backend took.", &s.counts.hooksSent)
	c.counter("roost_push_webhook_failures_total", "Webhook requests that failed and were tried again.", &s.counts.hooksFailed)
	c.counter("roost_push_webhook_dropped_events_total", "Webhook events given up, or refused by a full queue.", &s.counts.hooksDropped)
	c.gauge("roost_push_webhook_waiting_events", "Webhook events that wait to be sent.", s.hooksWaiting)
	c.gauge("roost_push_bus_ready", "1 while events can be published, else 0.", func() int64 { return one(s.opts.Bus.Ready() == nil) })
	c.gauge("roost_push_draining", "1 once the server sends its clients elsewhere, else 0.", func() int64 { return one(s.draining.Load()) })
	s.appMetrics(&c)
	c.gauge("roost_push_fleet_nodes", "Servers of the fleet that are alive, this one included.", func() int64 { return int64(len(s.Nodes())) })
	c.counter("roost_push_fleet_untold_total", "Notes to other servers that the bus refused.", &s.counts.untold)
	c.counter("roost_push_fleet_unread_total", "Notes of other servers that could not be read.", &s.counts.unreadNotes)
	s.engineMetrics(&c)
	registry := prometheus.NewRegistry()
	registry.MustRegister(c, s.counts.publishing, collectors.NewBuildInfoCollector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func (s *Server) hooksWaiting() (n int64) {
	for _, a := range s.tenants().list {
		for _, p := range a.hooks.list() {
			n += int64(p.waiting())
		}
	}
	return n
}
