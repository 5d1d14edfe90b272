package natsbus_test

import (
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
)

func TestNothingAcknowledgedIsLostWhenNATSRestarts(t *testing.T) {
	dir := t.TempDir()
	s := startNATS(t, dir, -1)
	port := s.Addr().(*net.TCPAddr).Port
	a, b := connect(t, natsbus.Options{URL: s.ClientURL()}), connect(t, natsbus.Options{URL: s.ClientURL()})
	rb := listen(t, b, "c")
	var acknowledged []string
	send := func(n int) error {
		err := a.Publish(t.Context(), &push.Event{App: "1", Channels: []string{"c"}, Name: "e", Data: strconv.Itoa(n), Keep: keep})
		if err == nil {
			acknowledged = append(acknowledged, strconv.Itoa(n))
		}
		return err
	}
	for n := range 50 {
		if err := send(n); err != nil {
			t.Fatal(err)
		}
	}
	stopNATS(s)
	for end := time.Now().Add(patience); a.Ready() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the bus still says that it is ready")
		}
	}
	if err := send(50); err == nil {
		t.Error("an event was acknowledged while NATS was away")
	}
	startNATS(t, dir, port)
	n := 51
	for end := time.Now().Add(patience); n < 100; n++ {
		for send(n) != nil {
			if time.Now().After(end) {
				t.Fatal("no event was acknowledged after NATS was back")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	got := rb.await(t, len(acknowledged))
	at := 0
	for _, data := range got { // one that wasn't acknowledged may be there too
		if at < len(acknowledged) && data == acknowledged[at] {
			at++
		}
	}
	if at != len(acknowledged) {
		t.Errorf("delivered %v, acknowledged %v", got, acknowledged)
	}
}

// looks waits for the bus to have looked at the stream, from beginning to end.
func looks(t *testing.T, s *server.Server) {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("$JS.API.STREAM.INFO.roost")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // the first may be under way, and with the third the second has ended
		if _, err := sub.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
}

// A power cut takes the stream's end, and others publish before this server is back:
// the stream is as long as it was, of other events.
func TestAStreamThatGrewPastTheEndThatItLostBeginsAnEpoch(t *testing.T) {
	dir, saved := t.TempDir(), t.TempDir()
	s := startNATS(t, dir, -1)
	port := s.Addr().(*net.TCPAddr).Port
	b := connect(t, natsbus.Options{URL: s.ClientURL()})
	r := listen(t, b, "c")
	restart := func(between func() error) {
		t.Helper()
		stopNATS(s)
		if err := between(); err != nil {
			t.Fatal(err)
		}
		s = startNATS(t, dir, port)
	}
	send := func(b *natsbus.Bus, from, to int) {
		for i := from; i < to; i++ {
			publish(t, b, "c", strconv.Itoa(i), keep)
		}
	}
	send(b, 0, 5)
	r.await(t, 5)
	looks(t, s)
	restart(func() error { return os.CopyFS(saved, os.DirFS(dir)) })
	for end := time.Now().Add(patience); b.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the bus is not ready again")
		}
	}
	send(b, 5, 10)
	if got := r.await(t, 10); slices.Contains(got, "") {
		t.Errorf("an epoch ended, though nothing was lost: %v", got)
	}
	looks(t, s)
	had := attach(t, b, "c", nil).Head
	restart(func() error { return errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(saved))) })
	send(connect(t, natsbus.Options{URL: s.ClientURL()}), 10, 20)
	for end := time.Now().Add(patience); !slices.Contains(r.data(), ""); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nobody was told; delivered %v", r.data())
		}
	}
	if got := attach(t, b, "c", &had); got.Recovered || got.Head.Epoch == had.Epoch {
		t.Errorf("recovered %v at %+v, was at %+v", got.Recovered, got.Head, had)
	}
}

func TestAnEmbeddedServerKeepsHistoryOverRestarts(t *testing.T) {
	dir := t.TempDir()
	open := func() *natsbus.Bus {
		e, err := natsbus.StartEmbedded(dir, false)
		if err != nil {
			t.Fatal(err)
		}
		return connect(t, natsbus.Options{Embedded: e})
	}
	first := open()
	record := listen(t, first, "c")
	start := attach(t, first, "c", nil).Head
	for i := range 5 {
		publish(t, first, "c", strconv.Itoa(i), keep)
	}
	record.await(t, 5)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open()
	if got := attach(t, second, "c", &start); !got.Recovered || len(got.Missed) != 5 || got.Missed[0].Data != "0" || got.Head.Epoch != start.Epoch {
		t.Errorf("after the restart: recovered %v, %d events, head %+v, want %+v", got.Recovered, len(got.Missed), got.Head, start)
	}
}

func TestAnEventPublishedAgainWithItsIDIsStoredOnce(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	a, b := connect(t, natsbus.Options{URL: s.ClientURL()}), connect(t, natsbus.Options{URL: s.ClientURL()})
	r := listen(t, b, "c", "d")
	for _, bus := range []*natsbus.Bus{a, b, a} {
		for _, channel := range []string{"c", "d"} { // one event for two channels is two of them
			if err := bus.Publish(t.Context(), &push.Event{App: "1", Channels: []string{channel}, Name: "e", Data: channel, Keep: keep, ID: "key"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(t, a, "c", "end", keep)
	if got := r.await(t, 3); !slices.Equal(got, []string{"c", "d", "end"}) {
		t.Errorf("delivered %v", got)
	}
}

func TestTheFolderOfAnEmbeddedServerIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	e, err := natsbus.StartEmbedded(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	b := connect(t, natsbus.Options{Embedded: e})
	if _, err := natsbus.StartEmbedded(dir, false); !errors.Is(err, natsbus.ErrInUse) {
		t.Errorf("a second server: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := natsbus.StartEmbedded(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	connect(t, natsbus.Options{Embedded: again})
}
