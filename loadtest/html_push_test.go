//go:build unix

package loadtest

import (
	"bytes"
	"testing"
)

func TestPagesOfPushAndStormDraw(t *testing.T) {
	push, storm := drawn(), drawn()
	l := push.Echo.Latency
	push.Echo, push.Push = nil, &PushReport{Latency: l, Uncorrected: l, Slow: &PushSlow{Baseline: l}}
	storm.Echo, storm.Storm = nil, &StormReport{Back: l, Events: &StormEvents{Latency: l}}
	for charts, r := range map[int]*Report{7: push, 8: storm} { // handshakes too
		var b bytes.Buffer
		must(t, r.WriteHTML(&b))
		look(t, b.String()).check(t, charts)
	}
}
