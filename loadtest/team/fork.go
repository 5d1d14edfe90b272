package team

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
)

// Fork starts n helpers, each by command, and returns them as members. Orders go to their
// stdin and events come from their stdout, a JSON value a line; the end of stdin is their leader's end.
// On Linux they also die with this process. close ends what is left of them and waits; it must be
// called once.
func Fork(n int, command func() *exec.Cmd) (members []Member, close func(), err error) {
	var all []*helper
	started, over := make(chan error), make(chan struct{})
	var keeper sync.WaitGroup
	// The kernel tells children of the end of the thread that made them
	// (PR_SET_PDEATHSIG), so that one must stay.
	keeper.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for i := range n {
			h, err := start(i, n, command())
			if err != nil {
				started <- fmt.Errorf("helper %d of %d: %w", i+1, n, err)
				break
			}
			all = append(all, h)
		}
		if len(all) == n {
			started <- nil
		}
		<-over
	})
	err = <-started
	stop := sync.OnceFunc(func() {
		for _, h := range all {
			h.end()
		}
		for _, h := range all {
			<-h.reaped
		}
	})
	close = func() {
		stop()
		overOnce(over)
		keeper.Wait()
	}
	if err != nil {
		close()
		return nil, nil, err
	}
	for _, h := range all {
		members = append(members, h)
	}
	return members, close, nil
}

func overOnce(over chan struct{}) { close(over) }

// helper is a process that we forked.
type helper struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *json.Encoder
	events chan Event
	over   chan struct{} // closed when events are not wanted any more
	once   sync.Once
	reaped chan struct{}
	err    error // valid when events is closed
	last   *tail
}

func start(i, n int, cmd *exec.Cmd) (*helper, error) {
	h := &helper{cmd: cmd, events: make(chan Event), over: make(chan struct{}), reaped: make(chan struct{}), last: &tail{}}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, stdin.Close())
	}
	cmd.Stderr = h.last
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h.name = fmt.Sprintf("helper %d of %d (pid %d)", i+1, n, cmd.Process.Pid)
	h.stdin, h.out = stdin, json.NewEncoder(stdin)
	go h.read(stdout)
	return h, nil
}

// read hands the helper's events on, and then reaps it.
func (h *helper) read(stdout io.Reader) {
	in := json.NewDecoder(bufio.NewReaderSize(stdout, 64<<10))
	var broken error
	for broken == nil {
		var e Event
		if broken = in.Decode(&e); broken != nil {
			break
		}
		select {
		case h.events <- e:
		case <-h.over:
			broken = io.EOF
		}
	}
	_, _ = io.Copy(io.Discard, stdout) // Wait closes it
	switch err := h.cmd.Wait(); {
	case err != nil:
		h.err = fmt.Errorf("died: %w%s", err, h.last)
	case broken != io.EOF:
		h.err = fmt.Errorf("said what is no event: %w%s", broken, h.last)
	}
	close(h.events)
	close(h.reaped)
}

func (h *helper) Name() string         { return h.name }
func (h *helper) Clock() Clock         { return Clock{} }
func (h *helper) Events() <-chan Event { return h.events }
func (h *helper) Err() error           { return h.err }

// Send writes the order. A helper that is gone shows by the end of its output.
func (h *helper) Send(o Order) { _ = h.out.Encode(o) }

// end has the helper see that its leader is gone, and kills it when it has done its part.
func (h *helper) end() {
	h.once.Do(func() { close(h.over) })
	_ = h.stdin.Close()
	_ = h.cmd.Process.Kill() // it has reported, or will not
}

// tail keeps the last of what a process wrote to stderr.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - maxTail; extra > 0 {
		t.text = t.text[:copy(t.text, t.text[extra:])]
	}
	return len(p), nil
}

// String is for the end of an error.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := strings.TrimSpace(string(t.text)); text != "" {
		return "; it said last: " + text
	}
	return ""
}

// pipes is the link of a helper.
type pipes struct {
	mu     sync.Mutex
	out    *json.Encoder
	orders chan Order
}

// Pipes is the link of a process that [Fork] started: stdin and stdout. Nothing else may
// write to stdout. The goroutine that reads stdin ends with it.
func Pipes(stdin io.Reader, stdout io.Writer) Link {
	p := &pipes{out: json.NewEncoder(stdout), orders: make(chan Order, 16)}
	go func() {
		defer close(p.orders)
		in := json.NewDecoder(stdin)
		for {
			var o Order
			if err := in.Decode(&o); err != nil {
				return
			}
			p.orders <- o
		}
	}()
	return p
}

func (p *pipes) Send(e Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Encode(e)
}

func (p *pipes) Orders() <-chan Order { return p.orders }
