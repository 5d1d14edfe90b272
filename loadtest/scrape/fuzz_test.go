package scrape

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answers is a server that gives the same page each time.
type answers string

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// FuzzPage: a page is read, or refused; no more series are kept than may be, and none that JSON has not.
func FuzzPage(f *testing.F) {
	for _, s := range []string{
		page, "", "x", "roost_x 1\n", "# TYPE roost_x counter\nroost_x{a=\"\\\"\",b=\"\"} NaN\n", "# TYPE roost_x gauge\nroost_x +Inf 99999999999999999999\n",
		"# TYPE roost_x summary\nroost_x{quantile=\"0.5\"} 1\n", "roost_x{", "# HELP", "\xff 1\n", "{\"roost_x\"} 1\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := New("http://localhost/metrics", ".")
		if err != nil {
			t.Fatal(err)
		}
		s.client.Transport = answers(text)
		for range 2 { // counters have a rate only then
			values, err := s.Read(t.Context())
			if len(values) > maxSeries || err != nil && values != nil {
				t.Fatalf("%d series, %v", len(values), err)
			}
			if _, err := json.Marshal(values); err != nil {
				t.Fatal(err)
			}
			s.at = s.at.Add(-time.Second)
		}
	})
}
