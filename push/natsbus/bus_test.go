package natsbus_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
	"github.com/roost-ws/roost/push/protocol"
	"go.uber.org/goleak"
)

// Importing ants began a pool of its own.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

const patience = 20 * time.Second

var keep = push.Retention{Count: 100, Age: time.Minute}

// startNATS runs a server on a port of its own, or on that port.
func startNATS(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS is not ready")
	}
	t.Cleanup(func() { stopNATS(s) })
	return s
}

func stopNATS(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func connect(t *testing.T, o natsbus.Options) *natsbus.Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o.Logger = slog.New(slog.DiscardHandler)
	b, err := natsbus.Connect(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// record is what one server on the bus was delivered.
type record struct {
	mu     sync.Mutex
	events []*push.Event
}

// listen stands for a server with subscribers to these channels.
func listen(t *testing.T, b *natsbus.Bus, channels ...string) *record {
	t.Helper()
	for _, name := range channels {
		join(t, b, name)
	}
	r := &record{}
	stop, err := b.Subscribe(func(e *push.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return r
}

func join(t *testing.T, b *natsbus.Bus, channel string) {
	t.Helper()
	heard := b.Join("1", channel)
	if heard == nil {
		return
	}
	select {
	case <-heard:
	case <-time.After(patience):
		t.Fatal("the bus does not hear the channel")
	}
}

func (r *record) data() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		list = append(list, e.Data)
	}
	return list
}

func (r *record) await(t *testing.T, n int) []string {
	t.Helper()
	for end := time.Now().Add(patience); len(r.data()) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d events within %v, want %d", len(r.data()), patience, n)
		}
	}
	return r.data()
}

func publish(t *testing.T, b *natsbus.Bus, channel, data string, r push.Retention) {
	t.Helper()
	if err := b.Publish(t.Context(), &push.Event{App: "1", Channels: []string{channel}, Name: "e", Data: data, Keep: r}); err != nil {
		t.Fatal(err)
	}
}

func attach(t *testing.T, b *natsbus.Bus, channel string, since *protocol.Position) (got push.Replay) {
	t.Helper()
	if err := b.Attach(t.Context(), push.Attachment{App: "1", Channel: channel, Keep: keep, Since: since}, func(r push.Replay) { got = r }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAllServersAreDeliveredTheSameInOneOrder(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	const servers, each = 3, 200
	var buses []*natsbus.Bus
	var records []*record
	for range servers {
		b := connect(t, natsbus.Options{URL: s.ClientURL()})
		buses, records = append(buses, b), append(records, listen(t, b, "c"))
	}
	var wg sync.WaitGroup
	for i, b := range buses {
		wg.Go(func() {
			for n := range each {
				if err := b.Publish(context.Background(), &push.Event{App: "1", Channels: []string{"c"}, Name: "e", Data: fmt.Sprintf("%d.%d", i, n), Keep: keep}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := records[0].await(t, servers*each)
	for _, r := range records {
		if got := r.await(t, servers*each); !slices.Equal(got, want) {
			t.Error("two servers were delivered different orders")
		}
	}
	sorted := slices.Sorted(slices.Values(want))
	if len(slices.Compact(sorted)) != servers*each {
		t.Error("an event came twice")
	}
}

func TestEventsWithoutHistoryReachAllServersInOrder(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	a, b := connect(t, natsbus.Options{URL: s.ClientURL()}), connect(t, natsbus.Options{URL: s.ClientURL()})
	ra, rb := listen(t, a, "c"), listen(t, b, "c")
	for i := range 100 {
		publish(t, a, "c", strconv.Itoa(i), push.Retention{})
	}
	for _, r := range []*record{ra, rb} {
		for i, data := range r.await(t, 100) {
			if data != strconv.Itoa(i) {
				t.Fatalf("got %s, want %d", data, i)
			}
		}
	}
}

func TestAClientResumesOnAnotherServer(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	a, b := connect(t, natsbus.Options{URL: s.ClientURL()}), connect(t, natsbus.Options{URL: s.ClientURL()})
	ra := listen(t, a, "c.with=dots", "other")
	empty := attach(t, a, "c.with=dots", nil).Head
	for i := range 10 {
		publish(t, a, "c.with=dots", strconv.Itoa(i), keep)
		publish(t, a, "other", "x", keep)
	}
	ra.await(t, 20)
	all := attach(t, a, "c.with=dots", &empty)
	if !all.Recovered || len(all.Missed) != 10 {
		t.Fatalf("recovered %v, missed %d of 10", all.Recovered, len(all.Missed))
	}
	late := connect(t, natsbus.Options{URL: s.ClientURL()}) // reads what the others have had
	for name, bus := range map[string]*natsbus.Bus{"b": b, "late": late} {
		for had, e := range all.Missed {
			if got := attach(t, bus, "c.with=dots", &e.Position); !got.Recovered || len(got.Missed) != 9-had {
				t.Errorf("%s after %d: recovered %v, missed %d", name, had, got.Recovered, len(got.Missed))
			}
		}
		if got := attach(t, bus, "c.with=dots", &protocol.Position{Epoch: empty.Epoch, Seq: 1000}); got.Recovered {
			t.Errorf("%s: a position that was never reached was recovered", name)
		}
	}
}

func TestWhatNATSHasDroppedIsNotRecovered(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	o := natsbus.Options{URL: s.ClientURL(), Count: 5}
	a := connect(t, o)
	ra := listen(t, a, "c", "few")
	start := attach(t, a, "c", nil).Head
	for i := range 8 {
		publish(t, a, "c", strconv.Itoa(i), keep)
	}
	publish(t, a, "few", "x", keep)
	ra.await(t, 9)
	late := connect(t, o)
	if got := attach(t, late, "c", &start); got.Recovered {
		t.Errorf("recovered %d of 8 events, though 5 were kept", len(got.Missed))
	}
	// What the client had last must still be there: only then it is sure that all after it is.
	for had, want := range map[uint64]bool{3: false, 4: true, 8: true} {
		got := attach(t, late, "c", &protocol.Position{Epoch: start.Epoch, Seq: start.Seq + had})
		if got.Recovered != want || want && len(got.Missed) != int(8-had) {
			t.Errorf("after %d of 8: recovered %v, %d events", had, got.Recovered, len(got.Missed))
		}
	}
}
