package loadtest

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

// FuzzReport: what is no report is an error, and what is one can be shown, compared and
// merged, whatever is missing from it.
func FuzzReport(f *testing.F) {
	for _, s := range []string{
		`{"version":1}`, `{"version":2}`, `{"version":1,"echo":{"latency":{"count":3,"p99_ns":-1}},"samples":[{}]}`,
		`{"version":1,"scenario":"churn","churn":{"server":{},"echo":{}},"samples":[{"length_ns":-1},{"at_ns":9223372036854775807}]}`,
		`{"version":1,"slow":{"cuts":[{}]},"find":{},"storm":{},"push":{"slow":{},"publish_failures":[{}]},"broadcast":{},"idle":{}}`,
		`{"version":1,"members":[{}],"targets":[{}],"failures":[{}],"notices":[{}],"harness":{"lag":{}},"server":{"peak":{}},"scrape":{}}`,
		`{"version":1,"connections":{"opened":1},"idle":{"memory":{"user":{}}}}`, `{"version":1,"echo":{"latency":{"histogram":"!"}}}`, `null`, `[]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadReport(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, write := range []func(io.Writer) error{r.WriteText, r.WriteCSV, r.WriteHTML} {
			_ = write(io.Discard) // what can't be encoded, as NaN, may be refused
		}
		Diff(r, r, 0.1)
		again, err := ReadReport(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if whole, err := Merge([]*Report{r, again}); err == nil {
			if _, err := json.Marshal(whole); err != nil {
				t.Fatal(err)
			}
		}
	})
}
