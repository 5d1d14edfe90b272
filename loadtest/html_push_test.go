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
	draw := func(r *Report) seen {
		var b bytes.Buffer
		must(t, r.WriteHTML(&b))
		return look(t, b.String())
	}
	draw(push).check(t, 12)
	draw(storm).check(t, 13) // handshakes too
}
