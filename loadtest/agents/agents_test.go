package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/roost-ws/roost/loadtest"
	"github.com/roost-ws/roost/loadtest/team"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, token string) (h *Host, url string) {
	t.Helper()
	h, err := Listen("127.0.0.1:0", token)
	must(t, err)
	t.Cleanup(h.Close)
	return h, "nats://" + h.Addr()
}

// scripted joins an agent that reports at once.
func scripted(t *testing.T, url, token string, run func(context.Context, team.Plan, *team.Seat) (*loadtest.Report, error)) (ended <-chan error) {
	t.Helper()
	a := Agent{URL: url, Token: token, Name: "scripted", Once: true, Run: run, Say: func(string, ...any) {}}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	done := make(chan error, 1)
	go func() { done <- a.Join(ctx) }()
	t.Cleanup(cancel)
	return done
}

func TestAnAgentDoesThePlanAndItsReportComes(t *testing.T) {
	h, url := listen(t, "secret")
	ended := scripted(t, url, "secret", func(_ context.Context, p team.Plan, _ *team.Seat) (*loadtest.Report, error) {
		// Larger than one message may be.
		return &loadtest.Report{Scenario: strings.Join(p.Args, " "), URL: strings.Repeat("x", 3*maxChunk)}, nil
	})
	members, err := h.Accept(t.Context(), 1, func(string, team.Clock) {}, func(string) {})
	must(t, err)
	r, err := (&team.Leader{Args: []string{"echo", "--conns=1"}}).Lead(t.Context(), members)
	must(t, err)
	if r.Scenario != "echo --conns=1" || len(r.URL) != 3*maxChunk || r.Members[0].Name != "agent scripted" {
		t.Errorf("scenario %q, %d bytes, members %+v", r.Scenario, len(r.URL), r.Members)
	}
	must(t, <-ended)
}

func TestAgentsWithAnotherTokenAreRefused(t *testing.T) {
	_, url := listen(t, "secret")
	err := <-scripted(t, url, "guessed", nil)
	if !errors.Is(err, loadtest.ErrOptions) || !strings.Contains(err.Error(), "token") {
		t.Errorf("error %v", err)
	}
}

func TestOtherMachinesNeedAToken(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "10.0.0.1:4223", "[::]:0", "example.com:1"} {
		if _, err := Listen(addr, ""); !errors.Is(err, ErrToken) {
			t.Errorf("%s: error %v", addr, err)
		}
	}
}

func TestOffsetOfAnAgentsClockIsWithinItsBound(t *testing.T) {
	h, url := listen(t, "")
	const ahead = 90 * time.Second
	nc, err := nats.Connect(url)
	must(t, err)
	defer nc.Close()
	_, err = nc.Subscribe(clockSubject+"wrong", func(m *nats.Msg) {
		_ = m.Respond(strconv.AppendInt(nil, time.Now().Add(ahead).UnixNano(), 10))
	})
	must(t, err)
	must(t, nc.Flush())
	c := h.measure(t.Context(), "wrong")
	if c.Bound <= 0 || c.Bound > time.Second || (c.Offset-ahead).Abs() > c.Bound {
		t.Errorf("offset %v ± %v, want %v", c.Offset, c.Bound, ahead)
	}
}

func TestAnAgentThatFallsSilentIsLost(t *testing.T) {
	h, url := listen(t, "")
	nc, err := nats.Connect(url)
	must(t, err)
	defer nc.Close()
	go func() { // it says hello, confirms, and then nothing
		for range 50 {
			m, err := nc.Request(helloSubject, []byte(`{"id":"mute","name":"mute","version":`+strconv.Itoa(loadtest.ReportVersion)+`}`), time.Second)
			if err != nil {
				continue
			}
			var w welcome
			if err := json.Unmarshal(m.Data, &w); err != nil {
				t.Error(err)
			}
			if err := (sender{nc, eventSubject + w.Leader + ".mute"}).send(eventMessage{}); err != nil {
				t.Error(err)
			}
			return
		}
	}()
	members, err := h.Accept(t.Context(), 1, func(string, team.Clock) {}, func(string) {})
	must(t, err)
	_, err = (&team.Leader{}).Lead(t.Context(), members)
	if err == nil || !strings.Contains(err.Error(), "agent mute: lost") {
		t.Errorf("error %v, want one that names the agent", err)
	}
}

func TestAnAgentThatGoesBeforeAllHaveComeIsNotCounted(t *testing.T) {
	h, url := listen(t, "")
	first := Agent{URL: url, Name: "first", Say: func(string, ...any) {}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Join(ctx) }()
	var others []<-chan error
	report := func(context.Context, team.Plan, *team.Seat) (*loadtest.Report, error) { return &loadtest.Report{}, nil }
	members, err := h.Accept(t.Context(), 2, func(name string, _ team.Clock) {
		if name == "agent first" {
			cancel()
		}
	}, func(name string) {
		if name != "agent first" {
			t.Errorf("%s is gone", name)
		}
		others = append(others, scripted(t, url, "", report), scripted(t, url, "", report))
	})
	must(t, err)
	must(t, <-ended)
	if len(members) != 2 || members[0].Name() != "agent scripted" || members[1].Name() != "agent scripted" {
		t.Errorf("members %v", members)
	}
	_, err = (&team.Leader{}).Lead(t.Context(), members)
	must(t, err)
	for _, o := range others {
		must(t, <-o)
	}
}

func TestLeadersOnOneServerHaveAgentsOfTheirOwn(t *testing.T) {
	one, url := listen(t, "")
	two, err := Connect(url, "")
	must(t, err)
	t.Cleanup(two.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	led := make(chan string, 2)
	for args, h := range map[string]*Host{"one": one, "two": two} {
		go func() {
			members, err := h.Accept(ctx, 1, func(string, team.Clock) {}, func(string) {})
			if err != nil {
				led <- err.Error()
				return
			}
			r, err := (&team.Leader{Args: []string{args}}).Lead(ctx, members)
			if err != nil || r.Scenario != args {
				t.Errorf("leader %s: report %+v, error %v", args, r, err)
			}
			led <- args
		}()
	}
	report := func(_ context.Context, p team.Plan, _ *team.Seat) (*loadtest.Report, error) {
		return &loadtest.Report{Scenario: p.Args[0]}, nil
	}
	must(t, <-scripted(t, url, "", report))
	first := <-led
	must(t, <-scripted(t, url, "", report))
	if second := <-led; first+second != "onetwo" && first+second != "twoone" {
		t.Errorf("%s and %s had an agent, want each of the leaders", first, second)
	}
}

func TestAnAgentSaysWhyItTriesAgainAndNoPassword(t *testing.T) {
	said := make(chan string, 16)
	ctx, cancel := context.WithCancel(t.Context())
	a := Agent{URL: "nats://me:hidden@127.0.0.1:1", Say: func(format string, args ...any) { said <- fmt.Sprintf(format, args...) }}
	ended := make(chan error, 1)
	go func() { ended <- a.Join(ctx) }()
	if got := <-said; got != "nats://me:xxxxx@127.0.0.1:1: no NATS server there: dial tcp 127.0.0.1:1: connect: connection refused; trying again" {
		t.Errorf("said %q", got)
	}
	cancel()
	must(t, <-ended)
	for servers, want := range map[string]string{
		"nats://tok@h:1, nats://u:p@i:2": "nats://xxxxx@h:1,nats://u:xxxxx@i:2", "u:p@h:1": "nats://u:xxxxx@h:1", "nats://u:p%zz@h": "(no URL)", "h:1": "nats://h:1",
	} {
		if got := redacted(servers); got != want {
			t.Errorf("%s is shown as %s, want %s", servers, got, want)
		}
	}
	for _, bad := range []string{"nats://u:hidden%zz@h", "nats://u:hidden@127.0.0.1:1"} {
		if _, err := Connect(bad, ""); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("error %v", err)
		}
	}
}

func TestALeaderSaysWhyItsServerIsNotThere(t *testing.T) {
	_, err := Connect("nats://127.0.0.1:1", "")
	if err == nil || !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "nats://127.0.0.1:1") {
		t.Errorf("error %v, want the address and that it refused", err)
	}
}

func TestIDsAreNoSubjects(t *testing.T) {
	for id, want := range map[string]bool{"aZ09": true, "": false, "a.b": false, "*": false, ">": false, "a b": false, strings.Repeat("a", maxName+1): false} {
		if validID(id) != want {
			t.Errorf("%q is valid: %v", id, !want)
		}
	}
}

func TestWhatIsLongerThanAnEventIsRefused(t *testing.T) {
	var r receiver
	more := &nats.Msg{Data: make([]byte, maxChunk), Header: nats.Header{moreHeader: {"1"}}}
	for range maxEvent / maxChunk {
		if _, err := r.take(more, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.take(more, nil); !errors.Is(err, errTooLong) || len(r.buf) > 0 {
		t.Errorf("error %v with %d bytes held", err, len(r.buf))
	}
}
