package loadtest

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// ReadReport reads a report's JSON. Errors wrap [ErrOptions]: the text is no report,
// or of another version than [ReportVersion].
func ReadReport(from io.Reader) (*Report, error) {
	r := new(Report)
	if err := json.NewDecoder(from).Decode(r); err != nil {
		return nil, invalid("not a report: %w", err)
	}
	if r.Version != ReportVersion {
		return nil, invalid("a report of version %d; this program reads version %d", r.Version, ReportVersion)
	}
	return r, nil
}

// Change is one figure in two reports.
type Change struct {
	Before, After Figure
	Worse         bool // by more than the threshold
}

// Ratio is After over Before; +Inf when Before is 0 and After is not.
func (c Change) Ratio() float64 {
	if c.Before.Value == c.After.Value {
		return 1
	}
	return c.After.Value / c.Before.Value
}

// Diff compares the figures that both reports have. One is Worse when it moved the wrong way by more
// than the threshold, a share of what it was; extremes and circumstances, which
// move between equal runs, never are.
func Diff(before, after *Report, threshold float64) []Change {
	var all []Change
	old := before.Figures()
	for _, f := range after.Figures() {
		i := slices.IndexFunc(old, func(o Figure) bool { return o.Name == f.Name })
		if i < 0 {
			continue
		}
		c := Change{Before: old[i], After: f}
		worse := (old[i].Value - f.Value) * float64(f.Good)
		c.Worse = figureSpecs[f.Name].gate && worse > threshold*math.Abs(old[i].Value)
		all = append(all, c)
	}
	return all
}

// WriteDiff writes a table of changes for people.
func WriteDiff(w io.Writer, changes []Change) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	// The writer gives its errors when it is flushed.
	fmt.Fprintln(t, "figure\tbefore\tafter\tchange\t\t")
	for _, c := range changes {
		mark := ""
		if c.Worse {
			mark = "worse"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t\n", c.After.Name, c.Before.Text(), c.After.Text(), c.Text(), mark)
	}
	return t.Flush()
}

// Text writes the change in percent.
func (c Change) Text() string {
	r := c.Ratio()
	if math.IsInf(r, 0) || math.IsNaN(r) {
		return "was 0"
	}
	return fmt.Sprintf("%+.1f %%", (r-1)*100)
}

// trimmed writes a number with three digits behind the point at most, and none for
// nothing.
func trimmed(x float64) string {
	if math.Abs(x) >= 1000 {
		return count(int64(math.Round(x)))
	}
	s := fmt.Sprintf("%.3f", x)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
