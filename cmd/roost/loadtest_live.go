package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// liveLine shows a run's progress: on a terminal one line that changes, elsewhere
// a line now and then.
type liveLine struct {
	w        io.Writer
	terminal bool
	quiet    bool
	width    int // of the line that stands
	stage    string
	last     loadtest.Progress
	lastAt   time.Time
	shown    time.Time
}

// plainEvery is how often a line is printed where lines stay.
const plainEvery = 5 * time.Second

func newLiveLine(w io.Writer, quiet bool) *liveLine {
	l := &liveLine{w: w, quiet: quiet}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		l.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return l
}

func (l *liveLine) notice(n loadtest.Notice) {
	l.end()
	fmt.Fprintf(l.w, "roost: %s\n  remedy: %s\n", n.Problem, n.Remedy)
}

func (l *liveLine) progress(p loadtest.Progress) {
	now := time.Now()
	before, since := l.last, now.Sub(l.lastAt).Seconds()
	if p.Stage != l.stage {
		before, since = p, 1
		l.stage, l.shown = p.Stage, time.Time{}
	}
	l.last, l.lastAt = p, now
	if l.quiet || !l.terminal && now.Sub(l.shown) < plainEvery {
		return
	}
	l.shown = now
	text := fmt.Sprintf("%s %.1f s", p.Stage, p.Elapsed.Seconds())
	if p.Of > 0 {
		text += fmt.Sprintf(" of %.0f", p.Of.Seconds())
	}
	text += fmt.Sprintf(": %d open, %d failed", p.Open, p.Failed)
	if opened := p.Opened - before.Opened; opened > 0 {
		text += fmt.Sprintf(", %.0f connections a second", float64(opened)/since)
	}
	if messages := p.Messages - before.Messages; messages > 0 {
		text += fmt.Sprintf(", %.0f messages a second", float64(messages)/since)
	}
	if !l.terminal {
		fmt.Fprintln(l.w, text)
		return
	}
	fmt.Fprintf(l.w, "\r%-*s", l.width, text)
	l.width = len(text)
}

// end takes the line away, so that what follows stands alone.
func (l *liveLine) end() {
	if l.width > 0 {
		fmt.Fprintf(l.w, "\r%*s\r", l.width, "")
		l.width = 0
	}
}
