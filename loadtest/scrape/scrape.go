// Package scrape reads a server's Prometheus metrics while a load test runs.
//
// The command roost loadtest calls it and hands its Read to [loadtest.Options]. It
// reads the text format only, and keeps no more than the series asked for.
package scrape

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/roost-ws/roost/loadtest"
)

const (
	maxBody   = 8 << 20 // of an answer
	maxSeries = 100     // that are kept: more make no chart
)

// DefaultMatch are the metrics that are read when none are named.
const DefaultMatch = "^(process|roost)_"

// Scraper reads one URL. It is not for several goroutines.
type Scraper struct {
	url    string
	match  *regexp.Regexp
	client *http.Client
	last   map[string]float64 // counters, as of the last read
	at     time.Time
}

// New takes the URL of a metrics page, and a regular expression for names of metrics ("" =
// [DefaultMatch]). Errors wrap [loadtest.ErrOptions]. The caller closes the Scraper.
func New(page, match string) (*Scraper, error) {
	u, err := url.Parse(page)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: metrics page %q: want http://host:port/metrics", loadtest.ErrOptions, page)
	}
	if match == "" {
		match = DefaultMatch
	}
	re, err := regexp.Compile(match)
	if err != nil {
		return nil, fmt.Errorf("%w: metrics %q: %w", loadtest.ErrOptions, match, err)
	}
	return &Scraper{url: page, match: re, client: &http.Client{Transport: &http.Transport{MaxIdleConns: 1}}}, nil
}

// Close lets the connection go.
func (s *Scraper) Close() { s.client.CloseIdleConnections() }

// Read reads the page: gauges as they are, counters as their growth a second since
// the read before, under the series' name and "/s". The first read has no counters. Values that
// are no finite number are left away: JSON has none.
func (s *Scraper) Read(ctx context.Context) (map[string]float64, error) {
	families, err := s.fetch(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	values, counters := make(map[string]float64), make(map[string]float64)
	for name, f := range families {
		if !s.match.MatchString(name) {
			continue
		}
		for _, m := range f.Metric {
			series := name + labels(m)
			switch {
			case m.Gauge != nil:
				values[series] = m.Gauge.GetValue()
			case m.Untyped != nil:
				values[series] = m.Untyped.GetValue()
			case m.Counter != nil:
				counters[series] = m.Counter.GetValue()
			}
		}
	}
	for series, n := range counters {
		// A server that was started anew counts from 0.
		if before, ok := s.last[series]; ok && n >= before {
			values[series+"/s"] = (n - before) / now.Sub(s.at).Seconds()
		}
	}
	s.last, s.at = counters, now
	maps.DeleteFunc(values, func(_ string, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if len(values) > maxSeries {
		return nil, fmt.Errorf("scrape: %d series match %s: want at most %d; name fewer", len(values), s.match, maxSeries)
	}
	return values, nil
}

func (s *Scraper) fetch(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, fmt.Errorf("scrape: %w", err)
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("scrape: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape: %s answers %s", s.url, answer.Status)
	}
	body := &io.LimitedReader{R: answer.Body, N: maxBody + 1}
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(body)
	if body.N == 0 {
		return nil, fmt.Errorf("scrape: %s has more than %d bytes", s.url, maxBody)
	}
	if err != nil {
		return nil, fmt.Errorf("scrape: %s: %w", s.url, err)
	}
	return families, nil
}

// labels are as on the page, in order of their names; "" without any.
func labels(m *dto.Metric) string {
	if len(m.Label) == 0 {
		return ""
	}
	all := make([]string, len(m.Label))
	for i, l := range m.Label {
		all[i] = fmt.Sprintf("%s=%q", l.GetName(), l.GetValue())
	}
	slices.Sort(all)
	return "{" + strings.Join(all, ",") + "}"
}
