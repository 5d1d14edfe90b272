package loadtest

import (
	"fmt"
	"strings"
)

// text says what is sent, for reports; "" for nil.
func (m *Messages) text() string {
	if m == nil {
		return ""
	}
	if len(m.lines) == 1 {
		return shortened(m.lines[0].source)
	}
	return fmt.Sprintf("%d in turn, the first %s", len(m.lines), shortened(m.lines[0].source))
}

// shortened is the beginning of a long template.
func shortened(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
