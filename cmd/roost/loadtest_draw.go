package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/roost-ws/roost/loadtest"
)

var (
	nameStyle  = lipgloss.NewStyle().Faint(true)
	titleStyle = lipgloss.NewStyle().Bold(true)
	badStyle   = lipgloss.NewStyle().Foreground(lipgloss.Color("9"))
)

// View draws the screen: nothing once the run is over.
func (m *screenModel) View() tea.View {
	if m.ended {
		return tea.NewView("")
	}
	width := cmp.Or(m.width, 80)
	lines := []string{titleStyle.Render(m.title)}
	line := func(name, text string) {
		lines = append(lines, nameStyle.Render(fmt.Sprintf("%-12s", name))+text)
	}
	p := &m.progress
	line("stage", stageText(p, width-40))
	line("connections", fmt.Sprintf("%d open, %d failed, %d lost", p.Open, p.Failed, p.Lost))
	if s := m.sampled; s != nil {
		m.drawSample(line, s, width-42)
	}
	if len(p.Causes) > 0 {
		line("errors", badStyle.Render(causesText(p.Causes)))
	}
	line("", m.hint(width-12))
	for i := range lines {
		lines[i] = lipgloss.NewStyle().MaxWidth(width).Render(lines[i])
	}
	return tea.NewView(strings.Join(lines, "\n") + "\n")
}

// hint says what keys do, in so many columns.
func (m *screenModel) hint(room int) string {
	long, short := "q or Ctrl-C ends the run, with the report so far", "q or Ctrl-C ends the run"
	if m.stopping {
		long, short = "ending; Ctrl-C again ends at once, without a report", "ending; Ctrl-C: at once"
	}
	if len(long) > room {
		long = short
	}
	if m.stopping {
		return long
	}
	return nameStyle.Render(long)
}

func (m *screenModel) drawSample(line func(name, text string), s *loadtest.Sample, room int) {
	line("rate", fmt.Sprintf("%-28s", fmt.Sprintf("%.0f messages a second", m.rates[len(m.rates)-1]))+blocks(m.rates, room))
	if s.P99 > 0 {
		line("p99", fmt.Sprintf("%-28s", fmt.Sprintf("%s (p50 %s)", loadtest.Span(s.P99), loadtest.Span(s.P50)))+blocks(m.p99s, room))
	}
	server := "not known (--server-pid)"
	if s.ServerRSS >= 0 {
		server = fmt.Sprintf("%.2f cores, RSS %.1f MiB", s.ServerCores, float64(s.ServerRSS)/(1<<20))
		if w := s.Server; w != nil && w.Descriptors >= 0 {
			server += fmt.Sprintf(", %d descriptors", w.Descriptors)
		}
	}
	line("server", server)
	harness := fmt.Sprintf("%.2f cores, woke at most %s late", s.ClientCores, loadtest.Span(s.Lag))
	if n := m.progress.Members; n > 1 {
		harness += fmt.Sprintf(", %d processes", n)
	}
	line("harness", harness)
}

// stageText says where the run stands, with a bar where its end is known.
func stageText(p *loadtest.Progress, room int) string {
	text := fmt.Sprintf("%s %.1f s", cmp.Or(p.Stage, "begin"), p.Elapsed.Seconds())
	if p.Of <= 0 {
		return text
	}
	done := min(1, p.Elapsed.Seconds()/p.Of.Seconds())
	bar := max(10, min(40, room))
	full := int(done * float64(bar))
	return fmt.Sprintf("%s of %.0f s  %s%s %.0f %%", text, p.Of.Seconds(), strings.Repeat("█", full), strings.Repeat("░", bar-full), 100*done)
}

// blocks draws the last values as a line, the highest as a whole block.
func blocks(values []float64, room int) string {
	const eighths = "▁▂▃▄▅▆▇█"
	values = values[max(0, len(values)-max(0, room)):]
	if len(values) == 0 {
		return ""
	}
	top := slices.Max(values)
	var b strings.Builder
	for _, v := range values {
		i := 0
		if top > 0 {
			i = min(7, int(8*v/top))
		}
		b.WriteString(string([]rune(eighths)[i]))
	}
	return b.String()
}

// causesText is the most frequent first.
func causesText(causes map[string]int) string {
	names := slices.SortedFunc(maps.Keys(causes), func(a, b string) int {
		return cmp.Or(causes[b]-causes[a], strings.Compare(a, b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%d × %s", causes[name], name)
	}
	return strings.Join(parts, ", ")
}
