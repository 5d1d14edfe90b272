//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/roost-ws/roost/push/client"
)

func TestEveryNodeDeliversWhatAnyNodeTook(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1)
	var kept, plain []*subscriber
	for i, url := range f.urls {
		kept = append(kept, follow(t, fmt.Sprint("kept on node ", i), url, "kept-a"))
		plain = append(plain, follow(t, fmt.Sprint("plain on node ", i), url, "plain"))
	}
	// To all nodes in turns: one is acknowledged before the next is published.
	wait := publish(t, "kept-a", time.Second, f.urls...)
	// Without history, the order is that of one publisher on one node.
	n, _ := source(t, 0, "plain", time.Second, f.urls[1])
	published := wait()
	for i := range f.urls {
		kept[i].expect(t, published)
		plain[i].expect(t, []int{n})
	}
}

func TestAFleetLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	away, lasts := 5*time.Second, 3*time.Second
	if longFleet {
		away, lasts = 30*time.Second, 40*time.Second
	}
	for name, harm := range map[string]func(t *testing.T, node *process){
		"killed": func(t *testing.T, node *process) { node.signal(t, syscall.SIGKILL) },
		"stopped": func(t *testing.T, node *process) {
			node.signal(t, syscall.SIGSTOP)
			time.Sleep(away) // this is the harm
			node.signal(t, syscall.SIGCONT)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, 1)
			door := f.door(t)
			var subscribers []*subscriber
			for i := range 10 {
				subscribers = append(subscribers, follow(t, fmt.Sprint("client ", i, " of the node"), door, "kept-a"))
			}
			subscribers = append(subscribers, follow(t, "node 1", f.urls[1], "kept-a"), follow(t, "node 2", f.urls[2], "kept-a"))
			wait := publish(t, "kept-a", lasts, f.urls[1], f.urls[2])
			amid(t, subscribers[0])
			harm(t, f.nodes[0])
			published := wait()
			for _, s := range subscribers {
				s.expect(t, published)
			}
			if rejoined := subscribers[0].rejoin.Load(); name == "killed" && rejoined == 0 {
				t.Error("no client had to come back: the test tests nothing")
			}
		})
	}
}

// amid returns when events flow.
func amid(t *testing.T, s *subscriber) {
	t.Helper()
	eventually(t, "events come", func() error {
		if s.count() < some {
			return errors.New("too few")
		}
		return nil
	})
}

// flow returns when events of a channel with history flow to a subscriber on each
// node. wait returns when all are published, with how many each source did.
func (f *fleet) flow(t *testing.T) (subscribers []*subscriber, wait func() (published []int)) {
	t.Helper()
	for i, url := range f.urls {
		subscribers = append(subscribers, follow(t, fmt.Sprint("node ", i), url, "kept-a"))
	}
	wait = publish(t, "kept-a", 2*time.Second, f.urls...)
	amid(t, subscribers[0])
	return subscribers, wait
}

func TestNothingAcknowledgedIsLostWhenNATSIsKilled(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1)
	subscribers, wait := f.flow(t)
	f.nats[0].signal(t, syscall.SIGKILL)
	f.nats[0].wait(t)
	for node := range f.urls {
		eventually(t, "/readyz says that NATS is away", func() error {
			if ready, text := f.ready(t, node); ready || !strings.Contains(text, "NATS") {
				return fmt.Errorf("ready %v: %s", ready, text)
			}
			return nil
		})
	}
	for _, channel := range []string{"plain", "kept-b"} {
		err := fleetClient(t, f.urls[0]).Publish(context.Background(), client.Event{Channels: []string{channel}, Name: "e"})
		if status, ok := errors.AsType[*client.StatusError](err); !ok || status.Status != 503 {
			t.Errorf("publishing to %s without NATS: %v", channel, err)
		}
	}
	f.nats[0].launch(t)
	f.nats[0].await(t)
	for node := range f.urls {
		eventually(t, "/readyz says that NATS is back", func() error {
			if ready, text := f.ready(t, node); !ready {
				return errors.New(text)
			}
			return nil
		})
	}
	published := wait()
	for _, s := range subscribers {
		s.expect(t, published)
		if s.rejoin.Load() != 0 {
			t.Errorf("%s lost its connection because NATS did", s.name)
		}
	}
}

// The server that leads the stream is killed, of three that each have a copy.
func TestAClusterOfNATSLosesNothingWithOneOfItsServers(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 3)
	subscribers, wait := f.flow(t)
	first := f.leader(t)
	first.signal(t, syscall.SIGKILL)
	published := wait()
	for _, s := range subscribers {
		s.expect(t, published)
	}
	if !longFleet { // it gives up after 10 s
		return
	}
	// One of three can't lead: there is a connection, and nothing can be stored.
	second := f.nats[0]
	if second == first {
		second = f.nats[1]
	}
	second.signal(t, syscall.SIGKILL)
	for node := range f.urls {
		eventually(t, "/readyz says that the stream has no leader", func() error {
			if ready, text := f.ready(t, node); ready || !strings.Contains(text, "JetStream") {
				return fmt.Errorf("ready %v: %s", ready, text)
			}
			return nil
		})
	}
}

func (f *fleet) leader(t *testing.T) *nats {
	t.Helper()
	nc, err := natsgo.Connect(f.nats[0].url())
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := js.Stream(ctx, "roost")
	must(t, err)
	for _, n := range f.nats {
		if n.Name == stream.CachedInfo().Cluster.Leader {
			return n
		}
	}
	t.Fatalf("no server leads: %+v", stream.CachedInfo().Cluster)
	return nil
}

func TestTheDefaultBusKeepsHistoryOverARestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	args := []string{"--data", data, "--key", "key", "--secret", "secret", "--channels", `[{"match":"kept-*","history":{"count":10}}]`}
	p, url, env := startServe(t, args...)
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
	if code, _, stderr := runRoost(t, env, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...); code == 0 || !strings.Contains(stderr, data) || !strings.Contains(stderr, "--data") {
		t.Errorf("a second server in the same folder: exit code %d, %s", code, stderr)
	}
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

// The harness holds hundreds of clients, a third on the node that is killed.
func TestAStormOverAFleetLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1)
	urls := strings.ReplaceAll(strings.Join(f.urls, ","), "http://", "ws://")
	conns := "150"
	if longFleet {
		conns = "5000"
	}
	code, stdout, stderr := runRoost(t, nil, "loadtest", "storm", urls, "--app-id", "1", "--app-key", "key", "--app-secret", "secret",
		"--conns", conns, "--channels", "10", "--channel-prefix", "kept-", "--rate", "1k", "--history",
		"--cut", "server", "--kill-pid", strconv.Itoa(f.nodes[0].cmd.Process.Pid), "--before", "1s", "--after", "1s", "--quiet",
		"--expect", "lost==0", "--expect", "duplicates==0", "--expect", "reordered==0", "--expect", "unrecovered==0", "--expect", "unreturned==0")
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	t.Log(stdout)
}
