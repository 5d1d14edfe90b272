//go:build unix

package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roost-ws/roost/push/protocol"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collected is what a collector of traces was sent: names of spans, by trace and
// by service.
type collected struct {
	mu    sync.Mutex
	spans map[string][]string
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		service := ""
		for _, a := range rs.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				trace := hex.EncodeToString(s.TraceId)
				c.spans[trace] = append(c.spans[trace], service+" "+s.Name)
			}
		}
	}
}

// publishTraced publishes with a traceparent, as an instrumented backend does.
func publishTraced(t *testing.T, base, parent, body string) {
	t.Helper()
	query := url.Values{
		"auth_key": {"key"}, "auth_timestamp": {strconv.FormatInt(time.Now().Unix(), 10)}, "auth_version": {"1.0"}, "body_md5": {protocol.BodyMD5([]byte(body))},
	}
	const path = "/apps/1/events"
	query.Set("auth_signature", protocol.SignRequest("secret", http.MethodPost, path, query))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path+"?"+query.Encode(), bytes.NewReader([]byte(body)))
	must(t, err)
	req.Header.Set("traceparent", parent)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusOK {
		t.Fatalf("publish: %s", res.Status)
	}
}

func TestATraceLeadsFromThePublisherThroughTheBusToAnotherNode(t *testing.T) {
	t.Parallel()
	c := &collected{spans: map[string][]string{}}
	sink := httptest.NewServer(c)
	t.Cleanup(sink.Close)
	bus := startNATS(t, 1)[0].url()
	nodes, urls := map[string]*process{}, map[string]string{}
	for _, name := range []string{"first", "second"} {
		env := []string{"XDG_RUNTIME_DIR=" + t.TempDir(), "OTEL_EXPORTER_OTLP_ENDPOINT=" + sink.URL, "OTEL_SERVICE_NAME=" + name}
		p := startRoost(t, env, "serve", "--addr", "127.0.0.1:0", "--bus", bus, "--key", "key", "--secret", "secret")
		_, url, ok := strings.Cut(strings.TrimSpace(p.line(t)), "push server on ")
		if !ok {
			t.Fatal("first line of roost serve names no address")
		}
		nodes[name], urls[name] = p, url
	}
	got := follow(t, "subscriber", urls["second"], "kept-a")
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	publishTraced(t, urls["first"], "00-"+trace+"-00f067aa0ba902b7-01", `{"name":"e","channel":"kept-a","data":"traced"}`)
	eventually(t, "the event", func() error {
		if got.count() == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	for _, p := range nodes { // the end sends what is left
		p.signal(t, syscall.SIGTERM)
		p.wait(t)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, want := range []string{"first publish", "first bus", "second fan-out"} {
		if !strings.Contains(strings.Join(c.spans[trace], ","), want) {
			t.Errorf("no span %q in the trace, which has %q of %d traces", want, c.spans[trace], len(c.spans))
		}
	}
}

func TestTracesAreRefusedByAProtocolThatIsNotSpoken(t *testing.T) {
	t.Parallel()
	env := []string{"XDG_RUNTIME_DIR=" + t.TempDir(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}
	if code, _, stderr := runRoost(t, env, "serve", "--addr", "127.0.0.1:0"); code != exitUsage || !strings.Contains(stderr, "http/protobuf") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
