//go:build unix

package loadtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestScrapedMetricsAreInTheSamples(t *testing.T) {
	t.Parallel()
	var reads atomic.Int64
	o := Options{URL: serve(t, echoAll), Conns: 2}
	o.Scrape = func(context.Context) (map[string]float64, error) {
		if reads.Add(1) == 2 {
			return nil, errors.New("answers 503")
		}
		return map[string]float64{"x": float64(reads.Load())}, nil
	}
	r := runIdle(t, Idle{Options: o, Hold: 2500 * time.Millisecond})
	if s := r.Scrape; s == nil || s.Reads < 2 || s.Errors != 1 || s.LastError != "answers 503" {
		t.Fatalf("scrape %+v", r.Scrape)
	}
	last := r.Samples[len(r.Samples)-1]
	if last.Scraped["x"] < 3 {
		t.Errorf("the last sample has %v, of %d reads", last.Scraped, reads.Load())
	}
	o.Part, o.Scrape = Part{Index: 1, Of: 2}, func(context.Context) (map[string]float64, error) {
		t.Error("the second part reads too")
		return nil, nil
	}
	if r := runIdle(t, Idle{Options: o}); r.Scrape != nil {
		t.Errorf("scrape %+v", r.Scrape)
	}
}
