package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/roost-ws/roost/loadtest"
)

// liveView shows a run while it goes on. Its methods are called from one goroutine.
type liveView interface {
	notice(loadtest.Notice)
	say(text string) // a line that stays
	progress(loadtest.Progress)
	end() // takes the view away, so that what follows stands alone
}

// newLiveView is a screen on a terminal that is ours, and else lines. interrupt ends the run.
func newLiveView(stderr io.Writer, quiet bool, title string, interrupt func()) liveView {
	if f, ok := stderr.(*os.File); ok && !quiet && ownsTerminal(f) {
		return newLiveScreen(f, title, interrupt)
	}
	return &liveLines{w: stderr, quiet: quiet}
}

// liveLines prints a line now and then.
type liveLines struct {
	w      io.Writer
	quiet  bool
	stage  string
	last   loadtest.Progress
	lastAt time.Time
}

// linesEvery is how often a line is printed, and whenever a stage begins.
const linesEvery = 5 * time.Second

func noticeText(n loadtest.Notice) string {
	return fmt.Sprintf("roost: %s\n  remedy: %s", n.Problem, n.Remedy)
}

func (l *liveLines) notice(n loadtest.Notice) { l.say(noticeText(n)) }
func (l *liveLines) say(text string)          { fmt.Fprintln(l.w, text) }

func (l *liveLines) progress(p loadtest.Progress) {
	now := time.Now()
	if l.quiet || p.Stage == l.stage && now.Sub(l.lastAt) < linesEvery {
		return
	}
	text := fmt.Sprintf("%s %.1f s", p.Stage, p.Elapsed.Seconds())
	if p.Of > 0 {
		text += fmt.Sprintf(" of %.3g", p.Of.Seconds())
	}
	text += fmt.Sprintf(": %d open, %d failed", p.Open, p.Failed)
	if since := now.Sub(l.lastAt).Seconds(); p.Stage == l.stage && since > 0 {
		if opened := p.Opened - l.last.Opened; opened > 0 {
			text += fmt.Sprintf(", %.0f connections a second", float64(opened)/since)
		}
		if messages := p.Messages - l.last.Messages; messages > 0 {
			text += fmt.Sprintf(", %.0f messages a second", float64(messages)/since)
		}
	}
	l.stage, l.last, l.lastAt = p.Stage, p, now
	fmt.Fprintln(l.w, text)
}

func (l *liveLines) end() {}
