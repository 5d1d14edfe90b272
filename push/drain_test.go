package push_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

func TestDrainSendsEveryoneElsewhere(t *testing.T) {
	r := start(t, push.Options{DrainRate: 1000})
	peers := []*peer{r.connect(), r.connect(), r.connect()}
	if status, _ := r.do(r.plain("GET", "/readyz", "")); status != http.StatusOK {
		t.Errorf("readyz %d before", status)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.push.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		p.expectClose(protocol.CodeReconnect)
	}
	r.dial("/app/" + app.Key + "?protocol=7").expectClose(protocol.CodeOverCapacity)
	if status, _ := r.do(r.plain("GET", "/readyz", "")); status != http.StatusServiceUnavailable {
		t.Errorf("readyz %d while draining", status)
	}
	if status, _ := r.do(r.plain("GET", "/healthz", "")); status != http.StatusOK {
		t.Errorf("healthz %d while draining", status)
	}
}
