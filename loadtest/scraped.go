package loadtest

import (
	"context"
	"sync"
	"time"
)

// Scrape is how reading the server's own metrics went; their values are in the samples.
type Scrape struct {
	Reads     int    `json:"reads"`
	Errors    int    `json:"errors"`
	LastError string `json:"last_error,omitempty"`
}

func (s *Scrape) writeText(line liner) {
	line("scrape", "%s reads of the server's own metrics, %s failed; --out and --html have what they said", count(s.Reads), count(s.Errors))
	if s.Errors > 0 {
		line("", "  the last: %s", s.LastError)
	}
}

const (
	scrapeEvery = time.Second
	// scrapeWait is how long one read may take: a server that is busy answers late.
	scrapeWait = 5 * time.Second
)

// scraper reads metrics beside the run.
type scraper struct {
	read   func(context.Context) (map[string]float64, error)
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	values map[string]float64
	report Scrape
}

// startScraper begins to read; nil when there is nothing to, or another part of the run does.
func startScraper(o *Options) *scraper {
	if o.Scrape == nil || o.Part.Index > 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &scraper{read: o.Scrape, cancel: cancel}
	s.done.Go(func() { s.run(ctx) })
	return s
}

func (s *scraper) run(ctx context.Context) {
	tick := time.NewTicker(scrapeEvery)
	defer tick.Stop()
	for {
		one, cancel := context.WithTimeout(ctx, scrapeWait)
		values, err := s.read(one)
		cancel()
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.values = values
		s.report.Reads++
		if err != nil {
			s.report.Errors++
			s.report.LastError = err.Error()
		}
		s.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// latest are the last values read; nil when the last read failed. They do not change.
func (s *scraper) latest() map[string]float64 {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values
}

// stop ends the reading and says how it went.
func (s *scraper) stop() *Scrape {
	if s == nil {
		return nil
	}
	s.cancel()
	s.done.Wait()
	r := s.report
	return &r
}
