//go:build unix

package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// link is a member of a topic and who reads what is published to it.
type link struct {
	member, reader *Conn
	calls          *journal // of the reader
	ends           *journal // of the member
}

// links runs f for each way in which a frame reaches a member: as it is, compressed,
// in TLS records, and masked by a client.
func links(t *testing.T, f func(t *testing.T, s *Server, join func() link)) {
	sc, cc := testCert(t)
	for _, kind := range []string{"plain", "deflate", "tls", "masked"} {
		t.Run(kind, func(t *testing.T) {
			j := newJournal()
			o := ServerOptions{Handler: j.handler(), SendBuffer: 32 << 10, RecvBuffer: 32 << 10}
			d := Dialer{Net: &net.Dialer{Control: littleRoom}}
			switch kind {
			case "deflate":
				o.PerMessageDeflate = &DeflateOptions{Threshold: -1}
				d.Options.PerMessageDeflate = &DeflateOptions{Threshold: -1}
			case "tls":
				o.TLS, d.TLS = sc, cc
			}
			s := serve(t, o)
			f(t, s, func() link {
				server, client, calls := j.dialled(t, s, d)
				calls.want(t, "open")
				if kind == "masked" {
					return link{member: client, reader: server, calls: j, ends: calls}
				}
				return link{member: server, reader: client, calls: calls, ends: j}
			})
		})
	}
}

// littleRoom is a net.Dialer's Control.
func littleRoom(_, _ string, c syscall.RawConn) (err error) {
	cerr := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 32<<10)
	})
	return errors.Join(err, cerr)
}

// numbered is a message that does not compress well.
func numbered(rnd *rand.Rand, n, size int) string {
	b := fmt.Appendf(nil, "%d ", n)
	for range size {
		b = append(b, '!'+byte(rnd.IntN(90)))
	}
	return string(b)
}

// numbers are those of the messages that a reader got, up to and with last.
func (l *link) numbers(t *testing.T, sent []string, last int) (got []int) {
	t.Helper()
	for {
		text, ok := strings.CutPrefix(receive(t, l.calls.calls, "a message"), "text ")
		if !ok {
			continue // a Drain
		}
		var n int
		if _, err := fmt.Sscan(text, &n); err != nil || n >= len(sent) || text != sent[n] {
			t.Fatalf("%.40q: %v", text, err)
		}
		if got = append(got, n); n == last {
			return got
		}
	}
}

// A member that does not read gets of a topic what its policy says, whole and in
// order; who reads gets everything.
func TestMembersThatAreBehind(t *testing.T) {
	t.Parallel()
	const count, size, most = 500, 4000, 64 << 10
	for name, slow := range map[string]MemberPolicy{"oldest": DropOldest, "newest": DropNewest, "conflate": Conflate} {
		t.Run(name, func(t *testing.T) {
			links(t, func(t *testing.T, s *Server, join func() link) {
				topic, err := NewTopicWith(s.Engine(), TopicOptions{Slow: slow, MaxBehind: most})
				if err != nil {
					t.Fatal(err)
				}
				sleeper := join()
				sleeper.reader.Pause()
				topic.Subscribe(sleeper.member)
				rnd := rand.New(rand.NewPCG(1, 2))
				var sent []string
				for n := range count {
					sent = append(sent, numbered(rnd, n, size))
					topic.Publish(Text, []byte(sent[n]))
					if n%50 == 0 { // between passes, too
						eventually(t, "delivery", func() bool { return served(topic) == uint64(n+1) })
					}
				}
				eventually(t, "delivery", func() bool { return served(topic) == count })
				room := most + 2*size + maxRecord
				if slow == Conflate {
					room -= most // one that has begun to leave, and the last
				}
				if b := sleeper.member.BufferedAmount(); b > room {
					t.Errorf("%d bytes wait, want at most %d", b, room)
				}
				if n := topic.Stats().Dropped; n == 0 || n != s.Engine().Stats().Dropped {
					t.Fatalf("%d dropped, and %d by the engine", n, s.Engine().Stats().Dropped)
				}
				end := count - 1
				if slow == DropNewest { // what it is told now is behind what was kept
					sleeper.reader.Resume()
					eventually(t, "an empty outbox", func() bool { return sleeper.member.BufferedAmount() == 0 })
					sent, end = append(sent, fmt.Sprintf("%d end", count)), count
					topic.Publish(Text, []byte(sent[count]))
					eventually(t, "delivery", func() bool { return served(topic) == count+1 })
				}
				if err := sleeper.member.Send(Text, []byte("0 and a message of its own")); err != nil {
					t.Fatal(err)
				}
				sleeper.reader.Resume()
				got := sleeper.numbers(t, sent, end)
				if own := receive(t, sleeper.calls.calls, "its own"); own != "text 0 and a message of its own" {
					t.Errorf("%q behind the last", own)
				}
				if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("order: %v", got)
				}
				if st := topic.Stats(); st.Delivered != uint64(len(got)) || st.Published != uint64(len(sent)) || st.Members != 1 {
					t.Errorf("%d came, %+v", len(got), st)
				}
				// How many the kernel took beside these is its own affair, and it may take more at any time.
				const kept = most/(size+100) - 1
				if first := got[kept-1]; slow == DropNewest && first != kept-1 {
					t.Errorf("%d of the first %d came: %v", first+1, kept, got)
				}
				if last := got[len(got)-kept]; slow == DropOldest && last != end-kept+1 {
					t.Errorf("the last %d begin with %d: %v", kept, last, got)
				}
			})
		})
	}
}

// served is how many messages to members were dealt with.
func served(t *Topic) uint64 { s := t.Stats(); return s.Delivered + s.Dropped }

// A member that is too far behind is told by which code to leave, and not only after
// all that it did not read.
func TestMemberBehindIsDisconnectedWithACode(t *testing.T) {
	t.Parallel()
	links(t, func(t *testing.T, s *Server, join func() link) {
		topic, err := NewTopicWith(s.Engine(), TopicOptions{Slow: Disconnect, MaxBehind: 64 << 10, Code: 4150, Reason: "too slow"})
		if err != nil {
			t.Fatal(err)
		}
		sleeper, reader := join(), join()
		sleeper.reader.Pause()
		topic.Subscribe(sleeper.member)
		rnd := rand.New(rand.NewPCG(1, 2))
		told := make(chan error, 1)
		for n := 0; topic.Len() > 0 && n < 5000 && sleeper.member.ReadyState() == Open; n++ {
			topic.Publish(Text, []byte(numbered(rnd, n, 4000)))
			eventually(t, "delivery", func() bool { return served(topic)+topic.Stats().Disconnected == uint64(n+1) })
			if n == 0 {
				if err := sleeper.member.SendWith(Text, nil, SendOptions{Done: func(err error) { told <- err }}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if st := topic.Stats(); st.Disconnected != 1 || st.Dropped != 0 {
			t.Fatalf("%+v", st)
		}
		if err := receive(t, told, "Done"); err != nil {
			t.Error(err)
		}
		if b := sleeper.member.BufferedAmount(); b > 4100+maxRecord {
			t.Errorf("%d bytes wait before the close frame", b)
		}
		sleeper.reader.Resume()
		for {
			if call := receive(t, sleeper.calls.calls, "the close"); strings.HasPrefix(call, "close") {
				if call != "close 4150 too slow" {
					t.Error(call)
				}
				break
			}
		}
		for {
			if call := receive(t, sleeper.ends.calls, "the error"); strings.HasPrefix(call, "error") {
				if !strings.Contains(call, "member disconnected") {
					t.Error(call)
				}
				break
			}
		}
		topic.Subscribe(reader.member)
		topic.Publish(Text, []byte("on"))
		if got := receive(t, reader.calls.calls, "the next message"); got != "text on" {
			t.Error(got)
		}
	})
}

// What is published while a message is being sent in fragments waits under the same
// policy.
func TestMemberWithAWriterIsBehind(t *testing.T) {
	t.Parallel()
	for slow, want := range map[MemberPolicy][]string{
		DropOldest: {"text 2", "text 3"}, DropNewest: {"text 0", "text 1"}, Conflate: {"text 3"},
	} {
		j := newJournal()
		s := serve(t, ServerOptions{Handler: j.handler()})
		topic, err := NewTopicWith(s.Engine(), TopicOptions{Slow: slow, MaxBehind: 6})
		if err != nil {
			t.Fatal(err)
		}
		p, c := j.opened(t, s)
		topic.Subscribe(c)
		w, err := c.NextWriter(Text)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			topic.Publish(Text, fmt.Append(nil, n))
			eventually(t, "delivery", func() bool { return served(topic) == uint64(n+1) })
		}
		if _, err := w.Write([]byte("w")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if h, payload := p.frame(); h.Fin || string(payload) != "w" {
			t.Fatalf("%+v %q", h, payload)
		}
		if h, _ := p.frame(); !h.Fin || h.Opcode != codec.Continuation {
			t.Fatalf("%+v", h)
		}
		p.want(want...)
	}
}

// A pass that holds more than an outbox may is no reason to end who reads.
func TestLongPassSparesWhoReads(t *testing.T) {
	t.Parallel()
	j := newJournal()
	text := strings.Repeat("x", 1000)
	var topic *Topic
	h := j.handler()
	h.Message = func(*Conn, Message) {
		for range 200 { // one pass: the loop is in here
			topic.Publish(Text, []byte(text))
		}
	}
	s := serve(t, ServerOptions{Handler: h, MaxOutbox: 64 << 10, Config: Config{Loops: 1, Dispatch: DispatchLoop}})
	for _, o := range []TopicOptions{{}, {Slow: Disconnect, MaxBehind: 16 << 10}, {Slow: DropOldest, MaxBehind: 8 << 10}} {
		var err error
		if topic, err = NewTopicWith(s.Engine(), o); err != nil {
			t.Fatal(err)
		}
		p, c := j.opened(t, s)
		topic.Subscribe(c)
		p.text("go")
		for range 200 {
			p.want("text " + text)
		}
		if st := topic.Stats(); st.Dropped != 0 || st.Disconnected != 0 {
			t.Errorf("%+v", st)
		}
		topic.Unsubscribe(c)
	}
}

func TestTopicOptionsAreChecked(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerOptions{})
	for _, o := range []TopicOptions{
		{Slow: Conflate + 1}, {MaxBehind: -1}, {Code: 4000}, {Slow: DropOldest, Reason: "x"},
		{Slow: Disconnect, Code: 1006}, {Slow: Disconnect, Code: 4000, Reason: strings.Repeat("x", 124)},
	} {
		if _, err := NewTopicWith(s.Engine(), o); err == nil {
			t.Errorf("%+v is good", o)
		}
	}
	if err := error(&BehindError{}); !errors.Is(err, ErrBehind) {
		t.Error(err)
	}
}

// SlowCode tells a peer that does not read to come back, instead of cutting it off.
func TestR9SlowCode(t *testing.T) {
	t.Parallel()
	j := newJournal()
	s := serve(t, ServerOptions{Handler: j.handler(), MaxOutbox: 64 << 10, SlowCode: 4151, SendBuffer: 32 << 10})
	c, reader, calls := j.dialled(t, s, Dialer{})
	reader.Pause()
	var err error
	for err == nil {
		err = c.Send(Binary, make([]byte, 10<<10))
	}
	if !errors.Is(err, ErrOutboxFull) || c.ReadyState() != Closing || c.BufferedAmount() > 11<<10 {
		t.Fatal(err, c.ReadyState(), c.BufferedAmount())
	}
	reader.Resume()
	for {
		if call := receive(t, calls.calls, "the close"); strings.HasPrefix(call, "close") {
			if call != "close 4151 too slow" {
				t.Error(call)
			}
			break
		}
	}
	j.want(t, "error "+err.Error(), "close 4151 too slow")
	if _, err := NewServer(ServerOptions{NoServer: true, SlowCode: 1006}); err == nil {
		t.Error("a close with 1006")
	}
}
