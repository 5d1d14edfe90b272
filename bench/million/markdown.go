package main

import (
	"fmt"
	"strings"
)

// markdown is million.md.
func (r *results) markdown() string {
	var md strings.Builder
	md.WriteString("# A million idle connections\n")
	if g := r.Guest; g != nil {
		g.markdown(&md)
	}
	if f := r.Fleet; f != nil {
		f.markdown(&md)
	}
	return md.String()
}

func (r *record) markdown(md *strings.Builder) {
	fmt.Fprintf(md, "%s; %s; `%s`. In bench/: `%s`.\n", r.Date, r.Machine, r.Roost, r.Command)
}

func (g *guest) markdown(md *strings.Builder) {
	md.WriteString("\n## In one process\n\n")
	g.record.markdown(md)
	c, i := &g.Report.Connections, &g.Report.Idle
	fmt.Fprintf(md, "\nA guest kernel (user-mode-linux %s, one processor, %s of memory) on this machine holds both ends. A system call costs about "+
		"60 µs there, so the bytes count and the times do not.\n\n", g.Kernel, g.Memory)
	fmt.Fprintf(md, "- server: `roost echo %s`\n- client: `roost loadtest idle --conns %d %s`\n\n", g.ServerFlags, c.Wanted, g.ClientFlags)
	table(md, [][2]string{
		{"connections open at the end", count(i.Standing)},
		{"failed, lost", fmt.Sprintf("%s, %s", count(c.Failed), count(c.Lost))},
		{"echoed, each after all were open", fmt.Sprintf("%s (%s silent), in %.0f s", count(i.Verified.Echoed), count(i.Verified.Silent), i.Verified.Took.Seconds())},
		{"server's resident memory", fmt.Sprintf("**%.1f MB** (%.1f MB before the first)", mb(i.Memory.User.After), mb(i.Memory.User.Before))},
		{"– its peak until they closed, sampled every 5 s", fmt.Sprintf("%.1f MB", mb(g.PeakRSS))},
		{"– a connection", fmt.Sprintf("%.0f B", i.Memory.User.PerConnection)},
		{"kernel's memory, both ends, a connection", fmt.Sprintf("%.0f B", i.Memory.Kernel.PerConnection)},
		{"kernel slab in all", fmt.Sprintf("%.2f GB", mb(g.slab())/1000)},
		{"time to open", fmt.Sprintf("%.0f s (%.0f a second)", c.Took.Seconds(), c.PerSecond)},
	})
	md.WriteString("\nOn the way there:\n\n| seconds | connections | server MB | slab MB |\n| --- | --- | --- | --- |\n")
	for _, s := range thin(g.Samples, 12) {
		fmt.Fprintf(md, "| %d | %s | %.1f | %.0f |\n", s.Seconds, count(s.Sockets/2), mb(s.RSS), mb(s.Slab))
	}
}

// slab is what the slab allocator held when all connections had been opened.
func (g *guest) slab() int64 {
	var full sample
	for _, s := range g.Samples {
		if s.Sockets > full.Sockets {
			full = s
		}
	}
	return full.Slab
}

func table(md *strings.Builder, rows [][2]string) {
	md.WriteString("| | |\n| --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(md, "| %s | %s |\n", r[0], r[1])
	}
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

// count writes 1234567 as 1,234,567.
func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func (f *fleet) markdown(md *strings.Builder) {
	fmt.Fprintf(md, "\n## In %d processes\n\n", f.Servers)
	f.record.markdown(md)
	fmt.Fprintf(md, "\nEach server, one event loop and `--gc-percent 25`, has a port and a client of its own; all ends on this machine.\n\n")
	table(md, [][2]string{
		{"connections open at the end", count(f.Standing)},
		{"failed, lost", fmt.Sprintf("%s, %s", count(f.Failed), count(f.Lost))},
		{"echoed", count(f.Echoed)},
		{"time to open, one server after another", fmt.Sprintf("%.0f s", f.Opening.Seconds())},
		{"servers' resident memory", fmt.Sprintf("%.1f MB (%.1f MB before the first)", mb(f.RSS), mb(f.Before))},
		{"– a connection", fmt.Sprintf("%.0f B", float64(f.RSS-f.Before)/float64(max(1, f.Standing)))},
		{"kernel slab, both ends, a connection", fmt.Sprintf("%.0f B", float64(f.Slab)/float64(max(1, f.Standing)))},
		{fmt.Sprintf("servers' CPU with a heartbeat every %v", beat), fmt.Sprintf("%.3f cores over %v (%.2f µs a ping and its pong)",
			f.Cores, f.Beat, 1e6*f.Cores*beat.Seconds()/float64(max(1, f.Standing)))},
		{"pings answered, from the first connection on", count(f.Pings)},
	})
}
