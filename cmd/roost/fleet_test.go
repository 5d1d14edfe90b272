//go:build unix

package main

import (
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/roost-ws/roost/push/client"
)

// fleet is three nodes on one NATS server, and a door that leads to any that is up.
type fleet struct {
	nodes []*process
	urls  []string
	door  string
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	must(t, err)
	go s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("NATS is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	f := &fleet{}
	for range 3 {
		p, url, _ := startServe(t, "--bus", s.ClientURL(), "--key", "key", "--secret", "secret", "--bus-history", "10000",
			"--channels", `[{"match":"kept-*","history":{"count":10000,"age":"10m"}}]`)
		f.nodes, f.urls = append(f.nodes, p), append(f.urls, url)
	}
	f.door = f.openDoor(t)
	return f
}

// openDoor is what a load balancer does: to the first node that answers.
func (f *fleet) openDoor(t *testing.T) string {
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

// follow collects what a subscriber gets until ctx ends.
func follow(ctx context.Context, t *testing.T, url string) func() []string {
	t.Helper()
	var mu sync.Mutex
	var got []string
	up := make(chan struct{})
	var once sync.Once
	done := make(chan struct{})
	c := fleetClient(t, url)
	go func() {
		defer close(done)
		_ = c.Subscribe(ctx, client.Subscription{ // ends with ctx
			Channels:   []string{"kept-a"},
			Subscribed: func(string) { once.Do(func() { close(up) }) },
			Missed:     func(string) { t.Error("events could not be recovered") },
			Message: func(m client.Message) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, m.Data)
			},
		})
	}()
	t.Cleanup(func() { <-done })
	select {
	case <-up:
	case <-time.After(20 * time.Second):
		t.Fatal("not subscribed")
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func TestAFleetLosesAndRepeatsNothing(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, node *process){
		"killed": func(t *testing.T, node *process) { node.signal(t, syscall.SIGKILL) },
		"partitioned": func(t *testing.T, node *process) {
			node.signal(t, syscall.SIGSTOP)
			time.Sleep(2 * time.Second) // how long it is away
			node.signal(t, syscall.SIGCONT)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFleet(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			subscribers := []func() []string{follow(ctx, t, f.door), follow(ctx, t, f.urls[1]), follow(ctx, t, f.urls[2])}
			publisher := fleetClient(t, f.urls[1])
			const events = 1000
			var acknowledged []string
			var harmed sync.WaitGroup
			for n := range events {
				if n == events/2 {
					harmed.Go(func() { harm(t, f.nodes[0]) })
				}
				must(t, publisher.Publish(ctx, client.Event{Channels: []string{"kept-a"}, Name: "e", Data: strconv.Itoa(n)}))
				acknowledged = append(acknowledged, strconv.Itoa(n))
			}
			harmed.Wait()
			for i, got := range subscribers {
				eventually(t, "all events", func() error {
					if len(got()) < events {
						return io.ErrShortWrite
					}
					return nil
				})
				if !slices.Equal(got(), acknowledged) {
					t.Errorf("subscriber %d got %v", i, got())
				}
			}
		})
	}
}

func TestAnEmbeddedBusKeepsHistoryOverARestart(t *testing.T) {
	data := t.TempDir()
	args := []string{"--bus", "embedded", "--data", data, "--key", "key", "--secret", "secret", "--channels", `[{"match":"kept-*","history":{"count":10}}]`}
	p, url, _ := startServe(t, args...)
	ctx, cancel := context.WithCancel(context.Background())
	positions := make(chan client.Position, 1)
	go func() {
		_ = fleetClient(t, url).Subscribe(ctx, client.Subscription{
			Channels: []string{"kept-a"}, Message: func(m client.Message) { positions <- *m.Position },
			Subscribed: func(string) {
				if err := fleetClient(t, url).Publish(ctx, client.Event{Channels: []string{"kept-a"}, Name: "e", Data: "first"}); err != nil {
					t.Error(err)
				}
			},
		})
	}()
	at := <-positions
	cancel()
	must(t, fleetClient(t, url).Publish(context.Background(), client.Event{Channels: []string{"kept-a"}, Name: "e", Data: "second"}))
	p.signal(t, syscall.SIGKILL)
	p.wait(t)
	_, url, _ = startServe(t, args...)
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var got string
	_ = fleetClient(t, url).Subscribe(ctx, client.Subscription{
		Channels: []string{"kept-a"}, Positions: map[string]client.Position{"kept-a": at},
		Message: func(m client.Message) { got = m.Data; cancel() },
		Missed:  func(string) { t.Error("not recovered"); cancel() },
	})
	if got != "second" {
		t.Errorf("got %q, want the event that was acknowledged before the kill", got)
	}
}
