package push

import "github.com/prometheus/client_golang/prometheus"

// mostAppLabels bounds the label app. Apps beyond it share one, which no app can
// have as its id.
const (
	mostAppLabels = 100
	otherApps     = "(other)"
)

// appMetrics have the label app, and never the name of a channel: there may be
// any number of those.
func (s *Server) appMetrics(c *collector) {
	add := func(kind prometheus.ValueType, name, help string, read func(*app) int64) {
		desc := prometheus.NewDesc("roost_push_app_"+name, help, []string{"app"}, nil)
		*c = append(*c, metric{desc, func(d *prometheus.Desc, ch chan<- prometheus.Metric) {
			list, rest := s.tenants().list, int64(0)
			for i, a := range list {
				if i >= mostAppLabels {
					rest += read(a)
					continue
				}
				ch <- prometheus.MustNewConstMetric(d, kind, float64(read(a)), a.ID)
			}
			if len(list) > mostAppLabels {
				ch <- prometheus.MustNewConstMetric(d, kind, float64(rest), otherApps)
			}
		}})
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	add(gauge, "connections", "Clients of the app that are connected and greeted.", func(a *app) int64 { return a.conns.Load() })
	add(gauge, "channels", "Channels of the app with at least one subscriber.", func(a *app) int64 { return a.hub.channels.Load() })
	add(gauge, "subscriptions", "Subscriptions of the app's clients.", func(a *app) int64 { return a.hub.subscriptions.Load() })
	add(counter, "published_events_total", "Events of the app taken from publishers.", func(a *app) int64 { return a.published.Load() })
}
