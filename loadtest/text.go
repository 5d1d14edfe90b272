package loadtest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WriteText writes the report for people, some lines of at most 120 columns.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	line(r.Scenario, "%s", r.URL)
	if r.Interrupted {
		line("", "interrupted: what follows is of the time until then")
	}
	c := &r.Connections
	first := c.Opened
	if c.Redialled > 0 {
		first = int(c.Handshake.Count)
	}
	line("connections", "%s of %s opened in %s: %s a second", count(first), count(c.Wanted), span(c.Took), rate(c.PerSecond))
	if c.Redialled > 0 {
		line("redialled", "%s times; in all %s opened, %s failed, %s lost", count(c.Redialled), count(c.Opened), count(c.Failed), count(c.Lost))
	}
	if c.Opened > 0 {
		line("handshake", "p50 %s  p99 %s  max %s", span(c.Handshake.P50), span(c.Handshake.P99), span(c.Handshake.Max))
	}
	if c.DeflateOffered {
		line("deflate", "agreed on %s of them", count(c.Deflated))
	}
	if r.Echo != nil {
		r.Echo.writeText(line)
	}
	if r.Broadcast != nil {
		r.Broadcast.writeText(line)
	}
	if r.Find != nil {
		r.Find.writeText(line)
	}
	if r.Slow != nil {
		r.Slow.writeText(line)
	}
	if r.Churn != nil {
		r.Churn.writeText(line)
	}
	if r.Push != nil {
		r.Push.writeText(line)
	}
	if r.Storm != nil {
		r.Storm.writeText(line)
	}
	if r.Idle != nil && c.Opened > 0 {
		r.Idle.writeText(line)
	}
	if r.Harness != nil {
		r.Harness.writeText(line)
	}
	for _, t := range r.Targets {
		line("target", "%s (%s): %s, %s failed, %s lost", t.URL, t.Address, openedText(t.Opened, t.Wanted), count(t.Failed), count(t.Lost))
	}
	r.writeMembers(line)
	if s := r.Scrape; s != nil {
		s.writeText(line)
	}
	r.writeServer(line)
	for _, f := range r.Failures {
		line("failed", "%s × %s: %s", count(f.Count), f.Cause, f.Meaning)
		line("", "  first: %s", f.Example)
		line("", "  remedy: %s", f.Remedy)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// liner writes one line of a report under a name.
type liner func(name, format string, args ...any)

func (e *EchoReport) writeText(line liner) {
	model := fmt.Sprintf("closed model, %d in flight", e.InFlight)
	if e.Rate > 0 {
		model = fmt.Sprintf("open model, %s a second, at most %d in flight", rate(e.Rate), e.InFlight)
	}
	line("messages", "%s of %s in %s: %s a second (%s)", count(e.Messages), what(e.Size, e.Message), span(e.Measured), rate(e.PerSecond), model)
	line("latency", "%s", e.Latency.text())
	if e.Uncorrected != nil {
		line("uncorrected", "%s", e.Uncorrected.text())
		line("", "latency counts from when a message was to leave, uncorrected from when it left; %s left over 1 ms late", count(e.Late))
	}
	if e.Unanswered > 0 {
		line("unanswered", "%s messages", count(e.Unanswered))
	}
	if c := e.ServerCPU; c != nil {
		line("server CPU", "%s a message, %.2f cores", span(c.PerMessage), c.Cores)
	}
	line("client CPU", "%s a message, %.2f cores (%.0f %% of it in the kernel)",
		span(e.ClientCPU.PerMessage), e.ClientCPU.Cores, 100*e.ClientCPU.System.Seconds()/max(e.ClientCPU.Time.Seconds(), 1e-9))
}

// what says what messages are: so many bytes, or a user's.
func what(size int, message string) string {
	if message != "" {
		return "'" + message + "'"
	}
	return count(size) + " B"
}

func (b *BroadcastReport) writeText(line liner) {
	line("messages", "%s of %s to %s receivers in %s: %s deliveries a second", count(b.Messages), what(b.Size, b.Message), count(b.Receivers), span(b.Measured), rate(b.PerSecond))
	line("first", "%s", b.First.text())
	line("median", "%s", b.Median.text())
	line("last", "%s", b.Last.text())
	line("latency", "%s", b.Latency.text())
	line("", "of each message at its first, its median and its last receiver, and of all deliveries, from when it was to leave")
	line("order", "%s lost, %s duplicates, %s reordered; %s messages did not reach all; %s left over 1 ms late",
		count(b.Lost), count(b.Duplicates), count(b.Reordered), count(b.Incomplete), count(b.Late))
	if c := b.ServerCPU; c != nil {
		line("server CPU", "%s a delivery, %.2f cores", span(c.PerMessage), c.Cores)
	}
	line("client CPU", "%s a delivery, %.2f cores", span(b.ClientCPU.PerMessage), b.ClientCPU.Cores)
}

func (l *Latency) text() string {
	if l.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", span(l.P50), span(l.P90), span(l.P99), span(l.P999), span(l.Max))
}

// tellingConns is from how many connections on what the kernel took by each is steady from run to run.
const tellingConns = 1000

// tooFew says why the memory that one connection took is not known well; "" if it is.
func (i *IdleReport) tooFew() string {
	if i == nil || i.Memory == nil || i.Standing >= tellingConns {
		return ""
	}
	return fmt.Sprintf("%s connections are too few to tell what one takes from what else the machine does; want %s", count(i.Standing), count(tellingConns))
}

func (i *IdleReport) writeText(line liner) {
	line("held", "%s connections for %s, %s pings answered", count(i.Standing), span(i.Held), count(i.Pings))
	if v := i.Verified; v != nil {
		line("verified", "%s echoed, %s silent, in %s", count(v.Echoed), count(v.Silent), span(v.Took))
	}
	m := i.Memory
	if m == nil {
		return
	}
	if few := i.tooFew(); few != "" {
		line("memory", "%s", few)
		return
	}
	if m.User != nil {
		opened := ""
		if m.UserOpened != nil {
			opened = fmt.Sprintf(" (%s B right after opening)", amount(m.UserOpened.PerConnection))
		}
		line("user space", "%s B a connection: the server's RSS went from %s to %s%s", amount(m.User.PerConnection), size(m.User.Before), size(m.User.After), opened)
	}
	if m.Kernel != nil {
		m.Kernel.writeText(line)
	}
}

func (k *Kernel) writeText(line liner) {
	of, ends := "the sockets' slab caches and buffers", "our end only"
	if k.WholeSlab {
		of = "all slab caches (one by one they are root's to see) and socket buffers"
	}
	if k.BothEnds {
		ends = "both ends, as the server is on this machine"
	}
	line("kernel", "%s B a connection: %s, %s", amount(k.PerConnection), of, ends)
	caches := make([]string, len(k.Caches))
	for i, c := range k.Caches {
		caches[i] = fmt.Sprintf("%s %.1f × %d", c.Name, c.PerConnection, c.ObjectSize)
	}
	for some := range slices.Chunk(caches, 5) {
		line("", "  %s", strings.Join(some, ", "))
	}
}

// count writes 1234567 as 1,234,567.
func count[T int | int64 | uint64](n T) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func rate(x float64) string   { return count(int64(x + 0.5)) }
func amount(x float64) string { return count(int64(x)) }

// Span writes a duration with three digits, as reports do.
func Span(d time.Duration) string { return span(d) }

// span writes a duration with three digits.
func span(d time.Duration) string {
	unit := time.Nanosecond
	for _, u := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		if d >= u {
			unit = u
		}
	}
	if unit == time.Nanosecond {
		return fmt.Sprintf("%d ns", d)
	}
	name := map[time.Duration]string{time.Microsecond: "µs", time.Millisecond: "ms", time.Second: "s"}[unit]
	x := float64(d) / float64(unit)
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f %s", x, name)
	case x >= 10:
		return fmt.Sprintf("%.1f %s", x, name)
	}
	return fmt.Sprintf("%.2f %s", x, name)
}

func size(bytes int64) string {
	switch {
	case bytes < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	case bytes < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}

func list(pids []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(pids), " ", ", "), "[]")
}
