//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-ws/roost/push/client"
)

// longFleet has the tests of fleets take minutes instead of seconds.
var longFleet = os.Getenv("ROOST_LONG_FLEET") != ""

// fleet is three nodes on a NATS server, or on a cluster of three.
type fleet struct {
	nats  []*nats
	nodes []*process
	urls  []string
}

func startFleet(t *testing.T, servers int, more ...string) *fleet {
	t.Helper()
	f := &fleet{nats: startNATS(t, servers)}
	var urls []string
	for _, n := range f.nats {
		urls = append(urls, n.url())
	}
	for range 3 {
		args := []string{
			"--bus", strings.Join(urls, ","), "--bus-replicas", fmt.Sprint(servers), "--key", "key", "--secret", "secret",
			"--bus-history", "100000", "--channels", `[{"match":"kept-*","history":{"count":100000,"age":"10m"}}]`,
		}
		p, url, _ := startServe(t, append(args, more...)...)
		f.nodes, f.urls = append(f.nodes, p), append(f.urls, url)
	}
	return f
}

// door is what a load balancer does: it leads to the first node that answers.
func (f *fleet) door(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // ends when either side does
		to.Close()
	}
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			var out net.Conn
			for _, url := range f.urls {
				if out, err = net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
					break
				}
			}
			if err != nil {
				in.Close()
				continue
			}
			wg.Go(func() { pass(in, out) })
			wg.Go(func() { pass(out, in) })
		}
	})
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

func fleetClient(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{URL: url, AppID: "1", Key: "key", Secret: "secret", MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond})
	must(t, err)
	return c
}

// subscriber is a client and what it got.
type subscriber struct {
	name   string
	mu     sync.Mutex
	got    []string
	rejoin atomic.Int32
}

// follow subscribes until the test ends.
func follow(t *testing.T, name, url string, channels ...string) *subscriber {
	t.Helper()
	s := &subscriber{name: name}
	c := fleetClient(t, url)
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Subscribe(ctx, client.Subscription{ // ends with ctx
			Channels:     channels,
			Subscribed:   func(channel string) { up <- channel },
			Disconnected: func(error, time.Duration) { s.rejoin.Add(1) },
			Missed:       func(string) { t.Errorf("%s: events could not be recovered", name) },
			Message: func(m client.Message) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.got = append(s.got, m.Data)
			},
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	for range channels {
		select {
		case <-up:
		case <-time.After(patience):
			t.Fatalf("%s is not subscribed", name)
		}
	}
	return s
}

func (s *subscriber) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

// expect waits until all came that the sources published, and fails unless each
// came once and each source's in order.
func (s *subscriber) expect(t *testing.T, published []int) {
	t.Helper()
	all := 0
	for _, n := range published {
		all += n
	}
	eventually(t, s.name+" gets everything", func() error {
		if n := s.count(); n < all {
			return fmt.Errorf("%d of %d", n, all)
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make([]int, len(published))
	for i, text := range s.got {
		var source, n int
		if _, err := fmt.Sscanf(text, "%d.%d", &source, &n); err != nil || source >= len(next) {
			t.Fatalf("%s got %q", s.name, text)
		}
		if n != next[source] {
			t.Fatalf("%s: event %d is %s, want %d.%d", s.name, i, text, source, next[source])
		}
		next[source]++
	}
}

// sources publish at once, each its share of 1,000 events a second.
const sources = 4

// some is how many events have come when they flow.
const some = 100

// source publishes events "id.n" to the nodes in turn until the time is over, and
// each again, under the same key, until it is acknowledged; on a machine that is slow,
// it goes on until there is something to lose.
func source(t *testing.T, id int, channel string, lasts time.Duration, urls ...string) (published, failed int) {
	var clients []*client.Client
	for _, url := range urls {
		clients = append(clients, fleetClient(t, url))
	}
	begun := time.Now()
	for ; time.Since(begun) < lasts || published < 2*some/sources; published++ {
		time.Sleep(time.Until(begun.Add(time.Duration(published) * sources * time.Millisecond))) // its rate
		text := fmt.Sprintf("%d.%d", id, published)
		e := client.Event{Channels: []string{channel}, Name: "e", Data: text, ID: text}
		eventually(t, "an event is acknowledged", func() error {
			err := clients[(published+failed)%len(clients)].Publish(context.Background(), e)
			if err != nil {
				failed++
			}
			return err
		})
	}
	return published, failed
}

func publish(t *testing.T, channel string, lasts time.Duration, urls ...string) (wait func() (published []int)) {
	t.Helper()
	var wg sync.WaitGroup
	published := make([]int, sources)
	var all, failed atomic.Int64
	begun := time.Now()
	for id := range sources {
		wg.Go(func() {
			n, bad := source(t, id, channel, lasts, urls...)
			published[id] = n
			all.Add(int64(n))
			failed.Add(int64(bad))
		})
	}
	return func() []int {
		wg.Wait()
		t.Logf("%d events at %.0f a second, %d tries failed", all.Load(), float64(all.Load())/time.Since(begun).Seconds(), failed.Load())
		return published
	}
}

func (f *fleet) ready(t *testing.T, node int) (ready bool, text string) {
	t.Helper()
	res, err := http.Get(f.urls[node] + "/readyz")
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode == http.StatusOK, string(body)
}
