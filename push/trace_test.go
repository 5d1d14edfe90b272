package push_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/roost-ws/roost/push"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// publishTraced publishes as a backend that is part of a trace.
func (r *rig) publishTraced(parent, state, body string) {
	r.t.Helper()
	req := r.signed("POST", "/apps/"+app.ID+"/events", url.Values{}, body)
	req.Header.Set("traceparent", parent)
	req.Header.Set("tracestate", state)
	if status, text := r.do(req); status != http.StatusOK {
		r.t.Fatalf("%d %s", status, text)
	}
}

func TestSpansLeadFromTheRequestToTheFanOut(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	r := start(t, push.Options{Tracer: provider})
	p := r.subscriber("data-of-alice")
	r.publishTraced(traceparent, "vendor=1", `{"name":"e","channel":"data-of-alice","data":""}`)
	p.expect("e")
	var list tracetest.SpanStubs
	eventually(t, "three spans", func() bool { list = spans.GetSpans(); return len(list) >= 3 })
	byName := map[string]tracetest.SpanStub{}
	for _, s := range list {
		byName[s.Name] = s
		if s.SpanContext.TraceID().String() != callersTrace || s.SpanContext.TraceState().String() != "vendor=1" {
			t.Errorf("%s is in trace %s, state %q", s.Name, s.SpanContext.TraceID(), s.SpanContext.TraceState())
		}
		for _, a := range s.Attributes {
			if strings.Contains(a.Value.String(), "alice") {
				t.Errorf("%s names the channel", s.Name)
			}
		}
	}
	for child, parent := range map[string]string{"publish": callersSpan, "bus": byName["publish"].SpanContext.SpanID().String(), "fan-out": byName["bus"].SpanContext.SpanID().String()} {
		if got := byName[child].Parent.SpanID().String(); got != parent {
			t.Errorf("%s is below %s, want %s", child, got, parent)
		}
	}
}

func TestClientsThatAreToGetTheTraceWithTheEvent(t *testing.T) {
	traced := app
	traced.Channels = []push.Pattern{{Match: "traced-*", Trace: true, History: push.Retention{Count: 5}}}
	r := start(t, push.Options{App: traced}) // without a tracer: it goes through
	p := r.subscriber("traced-a", "other")
	for _, tt := range []struct{ channel, sent, want string }{
		{"traced-a", traceparent, traceparent},
		{"traced-a", "00-nonsense", ""},
		{"traced-a", "", ""},
		{"other", traceparent, ""},
	} {
		r.publishTraced(tt.sent, "", `{"name":"e","channel":"`+tt.channel+`","data":""}`)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, text, err := p.conn.Read(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		var f struct{ Event, Traceparent string }
		if err := json.Unmarshal(text, &f); err != nil || f.Event != "e" || f.Traceparent != tt.want {
			t.Errorf("%s with %q: got %s, want traceparent %q", tt.channel, tt.sent, text, tt.want)
		}
	}
}

func TestLongTraceStateIsLeftOut(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	r := start(t, push.Options{Tracer: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))})
	var members []string
	for range 3 {
		members = append(members, strings.Repeat("v", len(members)+1)+"="+strings.Repeat("x", 200))
	}
	r.publishTraced(traceparent, strings.Join(members, ","), `{"name":"e","channel":"a","data":""}`)
	for _, s := range spans.GetSpans() {
		if s.SpanContext.TraceID().String() != callersTrace || s.SpanContext.TraceState().Len() != 0 {
			t.Errorf("%s: trace %s, %d members of state", s.Name, s.SpanContext.TraceID(), s.SpanContext.TraceState().Len())
		}
	}
}
