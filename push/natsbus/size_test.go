package natsbus_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
)

// Publishers would try again for ever, were they told of nothing but a failure.
func TestAnEventThatNATSNeverTakesIsRefusedWithItsLimit(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	b := connect(t, natsbus.Options{URL: s.ClientURL()})
	for _, keep := range []push.Retention{{}, keep} {
		err := b.Publish(t.Context(), &push.Event{App: "1", Channels: []string{"c"}, Name: "e", Data: strings.Repeat("x", 1<<20), Keep: keep})
		if large, is := errors.AsType[*push.TooLargeError](err); !is || large.Size <= 1<<20 || large.Most != 1<<20 {
			t.Errorf("kept %v: %v", keep.Count > 0, err)
		}
	}
	err := refused(t, natsbus.Options{URL: s.ClientURL(), MaxData: 1<<20 + 1})
	for _, want := range []string{"1048577", "1048576", "max-data", "max_payload"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

// A page's < would be six bytes if it were escaped for one.
func TestEventsTakeLittleMoreRoomThanTheirData(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	b := connect(t, natsbus.Options{URL: s.ClientURL()})
	r := listen(t, b, "c")
	page := strings.Repeat("<&>", 300<<10)
	for i, keep := range []push.Retention{{}, keep} {
		publish(t, b, "c", page, keep)
		if got := r.await(t, i+1); got[i] != page {
			t.Errorf("%d bytes came of %d", len(got[i]), len(page))
		}
	}
}

func TestTheEmbeddedServerTakesEventsOfMegabytes(t *testing.T) {
	e, err := natsbus.StartEmbedded(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	b := connect(t, natsbus.Options{Embedded: e, MaxData: 4 << 20})
	r := listen(t, b, "c")
	had := attach(t, b, "c", nil).Head
	for range 3 {
		publish(t, b, "c", strings.Repeat("x", 4<<20), keep)
	}
	r.await(t, 3)
	if got := attach(t, b, "c", &had); !got.Recovered || len(got.Missed) != 3 {
		t.Errorf("recovered %v, %d of 3 events", got.Recovered, len(got.Missed))
	}
}
