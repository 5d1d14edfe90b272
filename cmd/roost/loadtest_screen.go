package main

import (
	"fmt"
	"os"

	tea "charm.land/bubbletea/v2"

	"github.com/roost-ws/roost/loadtest"
)

// liveScreen is a few lines of a terminal that are drawn anew as the run goes on.
type liveScreen struct {
	program *tea.Program
	over    chan struct{} // closed when the program has given the terminal back
}

func newLiveScreen(out *os.File, title string, interrupt func()) *liveScreen {
	s := &liveScreen{over: make(chan struct{})}
	// Signals are the command's, which also hears those that are sent from elsewhere.
	s.program = tea.NewProgram(&screenModel{title: title, interrupt: interrupt}, tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithFPS(10))
	go func() {
		defer close(s.over)
		switch last, err := s.program.Run(); {
		case err != nil:
			fmt.Fprintf(out, "roost: the live view ended: %v\n", err)
		case last.(*screenModel).forced:
			fmt.Fprintln(out, "roost: second Ctrl-C, ending at once")
			os.Exit(exitForced)
		}
	}()
	return s
}

func (s *liveScreen) notice(n loadtest.Notice) { s.say(noticeText(n)) }

// say prints above what is drawn anew.
func (s *liveScreen) say(text string) { s.program.Println(text) }

func (s *liveScreen) progress(p loadtest.Progress) { s.program.Send(p) }

func (s *liveScreen) end() {
	s.program.Send(screenEnd{})
	<-s.over
}

// screenEnd has the screen cleared and given back.
type screenEnd struct{}

// screenModel is what the screen shows. It belongs to the program's goroutine.
type screenModel struct {
	title     string
	interrupt func()
	width     int
	progress  loadtest.Progress
	rates     []float64 // of the last samples
	p99s      []float64
	sampled   *loadtest.Sample // the last one in these
	stopping  bool
	ended     bool
	forced    bool
}

func (m *screenModel) Init() tea.Cmd { return nil }

func (m *screenModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width = msg.Width
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	case loadtest.Progress:
		m.take(msg)
	case screenEnd:
		m.ended = true
		return m, tea.Quit
	}
	return m, nil
}

// key hears keys: the terminal is raw, so Ctrl-C is a key too. The second ends the process, as
// a second signal does.
func (m *screenModel) key(name string) tea.Cmd {
	switch {
	case name != "ctrl+c" && name != "q":
	case !m.stopping:
		m.stopping = true
		m.interrupt()
	case name == "ctrl+c":
		m.forced, m.ended = true, true
		return tea.Quit
	}
	return nil
}

// shownSamples is how many samples the lines of blocks show.
const shownSamples = 120

func (m *screenModel) take(p loadtest.Progress) {
	m.progress = p
	s := p.Last
	if s == nil || m.sampled != nil && s.At <= m.sampled.At {
		return
	}
	m.sampled = s
	m.rates = append(m.rates, float64(s.Messages)/s.Length.Seconds())
	m.p99s = append(m.p99s, float64(s.P99))
	if extra := len(m.rates) - shownSamples; extra > 0 {
		m.rates, m.p99s = m.rates[extra:], m.p99s[extra:]
	}
}
