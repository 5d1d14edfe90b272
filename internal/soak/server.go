package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is one process under load.
type server struct {
	name string
	cmd  *exec.Cmd
	url  string // as it printed it
	prof string // of its profiles

	mu     sync.Mutex
	ready  chan struct{} // closed when url and prof are known
	tail   []string      // of its standard error
	errors int           // lines that tell of an error
	ended  chan error    // what Wait returned
	heard  sync.WaitGroup
}

const startLimit = 20 * time.Second

// start runs roost with args, and returns when it listens. Its own files go to home.
func start(roost, home, name string, args ...string) (*server, error) {
	s := &server{name: name, ready: make(chan struct{}), ended: make(chan error, 1)}
	s.cmd = exec.Command(roost, append(args, "--addr", "127.0.0.1:0", "--pprof", "127.0.0.1:0", "--handshake-timeout", "3s")...)
	s.cmd.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_STATE_HOME="+home, "XDG_CONFIG_HOME="+home)
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	// An interrupt of the terminal is for the load, not for the servers.
	ownGroup(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.heard.Go(func() { s.listen(stdout) })
	s.heard.Go(func() { s.listen(stderr) })
	go func() {
		s.heard.Wait()
		s.ended <- s.cmd.Wait()
	}()
	select {
	case <-s.ready:
		return s, nil
	case err := <-s.ended:
		return nil, fmt.Errorf("%s ended at its start: %w\n%s", name, err, strings.Join(s.tail, "\n"))
	case <-time.After(startLimit):
		return nil, errors.Join(fmt.Errorf("%s did not say where it listens for %v", name, startLimit), s.cmd.Process.Kill())
	}
}

var (
	listens  = regexp.MustCompile(`^(?:echo|push server) on (\S+)`)
	profiles = regexp.MustCompile(`url=(http://\S+)debug/pprof/`)
	failed   = regexp.MustCompile(`level=ERROR|^panic: |^fatal error: |DATA RACE`)
)

// listen reads what the process says until it ends.
func (s *server) listen(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.hear(lines.Text())
	}
	_, _ = io.Copy(io.Discard, r) // behind a line too long, so that it does not block
}

func (s *server) hear(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.url != "" && s.prof != ""
	if m := listens.FindStringSubmatch(line); m != nil {
		s.url = m[1]
	} else if m := profiles.FindStringSubmatch(line); m != nil {
		s.prof = m[1]
	}
	if !known && s.url != "" && s.prof != "" {
		close(s.ready)
	}
	if failed.MatchString(line) {
		s.errors++
	}
	const keep = 20
	s.tail = append(s.tail[max(0, len(s.tail)-keep+1):], line)
}

// stop ends the process as an operator would, and tells what was wrong with its life.
func (s *server) stop() (wrong []string) {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which comes out below
	var err error
	select {
	case err = <-s.ended:
	case <-time.After(startLimit):
		err = errors.Join(fmt.Errorf("did not end within %v of SIGTERM", startLimit), s.cmd.Process.Kill(), <-s.ended)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		wrong = append(wrong, fmt.Sprintf("%s: %v", s.name, err))
	}
	if s.errors > 0 {
		wrong = append(wrong, fmt.Sprintf("%s: logged %d errors", s.name, s.errors))
	}
	if len(wrong) > 0 {
		wrong = append(wrong, s.name+" said last:\n    "+strings.Join(s.tail, "\n    "))
	}
	return wrong
}

// holding is what a process has at a moment.
type holding struct {
	RSS         int64 `json:"rss_anon"` // resident memory that no file backs
	Heap        int64 `json:"heap"`     // bytes of reachable objects, and of those not collected yet
	Goroutines  int   `json:"goroutines"`
	Descriptors int   `json:"descriptors"`
}

var (
	heapAlloc = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)`)
	total     = regexp.MustCompile(`^goroutine profile: total (\d+)`)
	rssAnon   = regexp.MustCompile(`(?m)^RssAnon:\s+(\d+) kB`)
)

// holding asks the process; collect has it collect its garbage before.
func (s *server) holding(collect bool) (h holding, err error) {
	heap := "heap?debug=1"
	if collect {
		heap += "&gc=1"
	}
	figures := []struct {
		from func() (string, error)
		form *regexp.Regexp
		to   func(int64)
	}{
		{func() (string, error) { return s.profile(heap) }, heapAlloc, func(n int64) { h.Heap = n }},
		{func() (string, error) { return s.profile("goroutine?debug=1") }, total, func(n int64) { h.Goroutines = int(n) }},
		{func() (string, error) { return s.proc("status") }, rssAnon, func(n int64) { h.RSS = n << 10 }},
	}
	for _, f := range figures {
		text, err := f.from()
		if err != nil {
			return h, fmt.Errorf("%s: %w", s.name, err)
		}
		m := f.form.FindStringSubmatch(text)
		if m == nil {
			return h, fmt.Errorf("%s: nothing like %v in what it told", s.name, f.form)
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return h, err
		}
		f.to(n)
	}
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	h.Descriptors = len(all)
	return h, err
}

func (s *server) proc(name string) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, name))
	return string(b), err
}

// asking leaves no connection open, which would be the server's too.
var asking = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: startLimit}

func (s *server) profile(name string) (string, error) {
	res, err := asking.Get(s.prof + "debug/pprof/" + name)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	return string(b), err
}
