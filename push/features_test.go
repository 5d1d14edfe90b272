package push_test

import (
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
)

// Every feature that pusher-js, pusher and laravel-echo have, through them.
func TestFeaturesWorkThroughTheLibraries(t *testing.T) {
	t.Parallel()
	root := npmRoot(t)
	for _, feature := range []string{"presence", "clientEvents", "cache", "encrypted", "users", "batchInfo", "echo"} {
		t.Run(feature, func(t *testing.T) {
			a := app
			a.ClientEvents = true
			r := start(t, push.Options{App: a})
			if out, err := r.node(t, root, "features.mjs", feature).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestRoostJSAddsResumingToPusherJS(t *testing.T) {
	t.Parallel()
	root := npmRoot(t)
	r := start(t, push.Options{App: withHistory(1000, time.Minute)})
	if out, err := r.node(t, root, "resume.mjs", "http://"+r.addr+"/roost.js").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if got := r.metric("roost_push_recovered_total"); got == "0" {
		t.Error("no subscription was resumed")
	}
}
