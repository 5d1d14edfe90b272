package loadtest

import "strings"

// SplitURLs reads several URLs separated by commas. A comma within one stays.
func SplitURLs(list string) []string {
	var all []string
	for part := range strings.SplitSeq(list, ",") {
		if len(all) > 0 && !strings.HasPrefix(part, "ws://") && !strings.HasPrefix(part, "wss://") {
			all[len(all)-1] += "," + part
			continue
		}
		all = append(all, part)
	}
	return all
}

// Target is one of several servers of a run.
type Target struct {
	URL     string `json:"url"`
	Address string `json:"address"` // the host resolved
	Wanted  int    `json:"wanted"`  // connections whose first dial goes there
	Opened  int    `json:"opened"`
	Failed  int    `json:"failed"`
	Lost    int    `json:"lost"`
}

// targetCounts are a loop's of one target.
type targetCounts struct{ wanted, opened, failed, lost int }

// countsOf are those of c's target.
func (l *loop) countsOf(c *conn) *targetCounts {
	if l.where == nil {
		return &l.byTarget[0]
	}
	return &l.byTarget[l.where[c.slot]]
}

// byTarget counts connections by target; nil when there is only one.
func (d *driver) byTarget() []Target {
	if len(d.plan.endpoints) == 1 {
		return nil
	}
	all := make([]Target, len(d.plan.endpoints))
	for i, url := range append([]string{d.o.URL}, d.o.More...) {
		all[i].URL, all[i].Address = url, d.plan.endpoints[i].addr.String()
	}
	d.each(func(l *loop) {
		for i, n := range l.byTarget {
			all[i].Wanted += n.wanted
			all[i].Opened += n.opened
			all[i].Failed += n.failed
			all[i].Lost += n.lost
		}
	})
	return all
}

// mergeTargets sums; the parts of a run have the same ones in the same order.
func (r *Report) mergeTargets(o *Report) {
	for i := range min(len(r.Targets), len(o.Targets)) {
		mine, other := &r.Targets[i], &o.Targets[i]
		mine.Wanted += other.Wanted
		mine.Opened += other.Opened
		mine.Failed += other.Failed
		mine.Lost += other.Lost
	}
}
