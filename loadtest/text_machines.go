package loadtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func (r *Report) writeMembers(line liner) {
	for i := range r.Members {
		m := &r.Members[i]
		clock := ""
		if m.ClockBound > 0 {
			clock = fmt.Sprintf(", clock %s ± %s", offset(m.ClockOffset), span(m.ClockBound))
		}
		line("", "  %s: %s, %s lost, %.2f cores, lag p99 %s%s", m.Name, openedText(m.Opened, m.Wanted), count(m.Lost), m.Cores, span(m.LagP99), clock)
	}
}

// openedText also says what was opened in the place of what had ended.
func openedText(opened, wanted int) string {
	if opened > wanted {
		return fmt.Sprintf("%s opened for %s places", count(opened), count(wanted))
	}
	return fmt.Sprintf("%s of %s opened", count(opened), count(wanted))
}

// offset writes a duration with its sign.
func offset(d time.Duration) string {
	if d < 0 {
		return "-" + span(-d)
	}
	return "+" + span(d)
}

func (r *Report) writeServer(line liner) {
	agents := slices.ContainsFunc(r.Members, func(m Member) bool { return m.ClockBound > 0 })
	switch {
	case r.Server == nil && agents:
		line("server", "its process is not known, as no agent runs on its machine, so nothing of its CPU and memory")
	case r.Server == nil:
		line("server", "its process is not known (--server-pid), so nothing of its CPU and memory")
	case r.Server.Found:
		line("server", "pid %v, found by its listening socket", list(r.Server.PIDs))
	default:
		line("server", "pid %v", list(r.Server.PIDs))
	}
	if r.Server == nil || r.Server.Peak == nil {
		return
	}
	p, parts := r.Server.Peak, []string(nil)
	add := func(known bool, format string, args ...any) {
		if known {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(p.Cores > 0, "%.2f cores", p.Cores)
	add(p.RSS > 0, "RSS %s", size(p.RSS))
	add(p.PSS > 0, "PSS %s", size(p.PSS))
	add(p.Descriptors > 0, "%s descriptors", count(p.Descriptors))
	add(p.SocketBuffers > 0, "%s of TCP buffers on this machine", size(p.SocketBuffers))
	line("", "  at most %s", strings.Join(parts, ", "))
}
