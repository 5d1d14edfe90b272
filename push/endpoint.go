package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// endpoint sends to one URL, in order, one request at a time, so that a backend
// that is down holds up nobody else.
type endpoint struct {
	Webhook
	app    *app
	counts *counters
	log    *slog.Logger
	client *http.Client
	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	queue  []hookEvent
	flying int // in the request under way
}

func (p *endpoint) add(e hookEvent) {
	p.mu.Lock()
	full := len(p.queue) >= hookQueue
	if !full {
		p.queue = append(p.queue, e)
	}
	p.mu.Unlock()
	if full {
		p.counts.hooksDropped.Add(1)
		return
	}
	select {
	case p.wake <- struct{}{}:
	default: // it is awake
	}
}

func (p *endpoint) run(ctx context.Context) {
	defer close(p.done)
	defer func() { p.counts.hooksDropped.Add(int64(p.waiting())) }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		if pause(ctx, hookWindow) != nil {
			return
		}
		for batch := p.take(); len(batch) > 0; batch = p.take() {
			if err := p.deliver(ctx, batch); err != nil {
				p.counts.hooksDropped.Add(int64(len(batch)))
				p.log.Error("webhook given up", "app", p.app.now(), "host", p.host(), "events", len(batch), "err", err)
			} else {
				p.counts.hooksSent.Add(int64(len(batch)))
			}
		}
	}
}

func (p *endpoint) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)
}

func (p *endpoint) take() []hookEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.queue), hookBatch)
	batch := slices.Clone(p.queue[:n])
	p.queue = slices.Delete(p.queue, 0, n)
	p.flying = n
	return batch
}

// deliver tries until the backend has answered 2xx, or for hookGiveUp.
func (p *endpoint) deliver(ctx context.Context, batch []hookEvent) error {
	body, err := json.Marshal(struct {
		Time   int64       `json:"time_ms"`
		Events []hookEvent `json:"events"`
	}{time.Now().UnixMilli(), batch})
	if err != nil {
		return err
	}
	end := time.Now().Add(hookGiveUp)
	for wait := hookBackoff; ; wait = min(2*wait, hookLongest) {
		err := p.post(ctx, body)
		if err == nil || ctx.Err() != nil || time.Now().Add(wait).After(end) {
			return err
		}
		p.counts.hooksFailed.Add(1)
		p.log.Warn("webhook failed", "app", p.app.now(), "host", p.host(), "retry_in", wait, "err", err)
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func (p *endpoint) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	for name, value := range p.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Pusher-Key", p.app.Key)
	req.Header.Set("X-Pusher-Signature", protocol.SignWebhook(p.app.now().Secret, body))
	res, err := p.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return errors.New("the backend answered " + res.Status)
	}
	return nil
}

// withoutURL is the reason in an error that has the URL too, which may hold secrets.
func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
