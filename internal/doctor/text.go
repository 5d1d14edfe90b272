package doctor

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteText writes r for people, with colours if they are wanted.
func (r *Report) WriteText(w io.Writer, colours bool) error {
	var b strings.Builder
	what := "holds"
	if r.Client {
		what = "opens"
	}
	fmt.Fprintf(&b, "A machine that %s %s connections needs\n\n", what, count(int64(r.Conns)))
	r.Needs.write(&b, r.Processes)
	b.WriteString("\nThis machine\n\n")
	mends := false
	for i := range r.Checks {
		r.Checks[i].write(&b, colours)
		mends = mends || len(r.Checks[i].Mend) > 0
	}
	if mends {
		b.WriteString("\nCommands are root's. What sysctl -w sets is gone after a boot: NAME=VALUE lines in /etc/sysctl.d/90-roost.conf stay.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (n *Needs) write(b *strings.Builder, processes int) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("memory", "%s: %s of the kernel, %s of %d processes", size(n.Kernel+n.User), size(n.Kernel), size(n.User), processes)
	line("descriptors", "%s a process", count(n.DescriptorsEach))
	line("addresses", "%s for clients, at %s ports each", count(int64(n.Sources)), count(int64(n.Ports)))
	if n.Heartbeat > 0 {
		line("cores", "%.2f for a heartbeat every %v", n.HeartbeatCores, n.Heartbeat)
	}
	line("", "%.2f for a broadcast to all within %v", n.BroadcastCores, n.Within)
	line("", "%.0f core-seconds until all have connected", n.HandshakeSeconds)
}

// marks are a status in print, and its colour.
var marks = map[Status][2]string{
	OK:      {"ok", "\x1b[32m"},
	Advice:  {"note", "\x1b[33m"},
	Fail:    {"FAIL", "\x1b[31m"},
	Unknown: {"?", "\x1b[2m"},
}

func (c *Check) write(b *strings.Builder, colours bool) {
	mark, colour, plain := marks[c.Status][0], "", ""
	if colours {
		colour, plain = marks[c.Status][1], "\x1b[0m"
	}
	text := c.Have
	if text == "" {
		text = "not known"
	}
	if c.Need != "" {
		text += " (needs " + c.Need + ")"
	}
	fmt.Fprintf(b, "  %s%-4s  %-31s %s%s\n", colour, mark, c.Name, text, plain)
	if c.Why != "" {
		fmt.Fprintf(b, "        %s\n", c.Why)
	}
	for _, m := range c.Mend {
		fmt.Fprintf(b, "          %s\n", m)
	}
}

// count writes 1234567 as 1,234,567.
func count(n int64) string {
	if n >= noLimit {
		return "no limit"
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f KB", float64(n)/1e3)
}
