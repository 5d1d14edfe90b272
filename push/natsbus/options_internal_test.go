package natsbus

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A full queue drops some, takes one, drops again, thousands of times a second.
func TestMessagesThatNATSDropsAreLoggedOnceASecond(t *testing.T) {
	var log bytes.Buffer
	d := deafenLogging(t, 0, slog.NewTextHandler(&log, nil))
	queue := make(chan *nats.Msg, 1)
	sub, err := d.nc.ChanSubscribe("flood", queue)
	if err != nil {
		t.Fatal(err)
	}
	const flips = 200
	begun := time.Now()
	for range flips {
		for range 2 { // there is room for one
			if err := d.nc.Publish("flood", nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.nc.Flush(); err != nil {
			t.Fatal(err)
		}
		<-queue
	}
	if n, err := sub.Dropped(); n != flips || err != nil {
		t.Fatalf("dropped %d of %d, %v", n, flips, err)
	}
	told := make(chan struct{}) // what was reported before
	d.nc.SetClosedHandler(func(*nats.Conn) { close(told) })
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	case <-time.After(answerTime):
		t.Fatal("the connection does not end")
	}
	lines, most := strings.Count(log.String(), nats.ErrSlowConsumer.Error()), 1+int(time.Since(begun)/time.Second)
	if lines < 1 || lines > most || !strings.Contains(log.String(), "subject=flood dropped_so_far=") {
		t.Errorf("%d lines, want 1 to %d with the subject and the number:\n%s", lines, most, log.String())
	}
}
