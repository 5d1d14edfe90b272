package scrape

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roost-ws/roost/loadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers with each page in turn.
func serve(t *testing.T, match string, pages ...string) *Scraper {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, pages[0])
		pages = pages[min(1, len(pages)-1):]
	}))
	s, err := New(server.URL, match)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		server.Close()
	})
	return s
}

const page = `# TYPE roost_connections gauge
roost_connections{node="a",app="x"} 7
# TYPE roost_frames_total counter
roost_frames_total %d
# TYPE go_goroutines gauge
go_goroutines 9
# TYPE process_seconds histogram
process_seconds_bucket{le="+Inf"} 3
process_seconds_sum 1
process_seconds_count 3
`

func TestGaugesAreReadAndCountersByTheSecond(t *testing.T) {
	s := serve(t, "", fmt.Sprintf(page, 1000), fmt.Sprintf(page, 1500), fmt.Sprintf(page, 3))
	first, err := s.Read(t.Context())
	if want := map[string]float64{`roost_connections{app="x",node="a"}`: 7}; err != nil || !maps.Equal(first, want) {
		t.Fatalf("%v and %v, want %v", first, err, want)
	}
	s.at = s.at.Add(-2 * time.Second)
	second, err := s.Read(t.Context())
	if rate := second["roost_frames_total/s"]; err != nil || rate < 150 || rate > 250 {
		t.Errorf("%v and %v, want a rate of some 250", second, err)
	}
	third, err := s.Read(t.Context())
	if _, has := third["roost_frames_total/s"]; err != nil || has {
		t.Errorf("%v and %v, want no rate of a server that was started anew", third, err)
	}
}

// One of them in a report, and none of it could be written as JSON.
func TestValuesThatAreNoNumberAreLeftAway(t *testing.T) {
	const odd = "# TYPE roost_a gauge\nroost_a NaN\n# TYPE roost_b gauge\nroost_b +Inf\nroost_c -Inf\n# TYPE roost_d counter\nroost_d %s\n# TYPE roost_e gauge\nroost_e 5\n"
	s := serve(t, "", fmt.Sprintf(odd, "1"), fmt.Sprintf(odd, "+Inf"))
	for range 2 {
		got, err := s.Read(t.Context())
		if want := map[string]float64{"roost_e": 5}; err != nil || !maps.Equal(got, want) {
			t.Errorf("%v and %v, want %v", got, err, want)
		}
	}
}

func TestWhatIsNoPageOfMetricsIsAnError(t *testing.T) {
	var many strings.Builder
	for i := range maxSeries + 1 {
		fmt.Fprintf(&many, "roost_x{i=\"%d\"} 1\n", i)
	}
	for says, body := range map[string]string{"scrape": "<html>", "at most 100": many.String(), "more than": strings.Repeat("# a comment that is long\n", maxBody/25+1)} {
		if got, err := serve(t, "", body).Read(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v and error %v, want one that says %q", got, err, says)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, c := range [][2]string{{"ftp://x/", ""}, {"http://", ""}, {"http://x/", "("}} {
		if _, err := New(c[0], c[1]); !errors.Is(err, loadtest.ErrOptions) {
			t.Errorf("%q: error %v", c, err)
		}
	}
}
