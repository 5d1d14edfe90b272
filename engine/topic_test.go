//go:build unix

package engine

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// crowd is n members of one topic.
func crowd(t *testing.T, s *Server, j *journal, topic *Topic, n int) (ps []*peer, cs []*Conn) {
	t.Helper()
	for range n {
		p, c := j.opened(t, s)
		if !topic.Subscribe(c) {
			t.Fatal("Subscribe of a new member reports false")
		}
		ps, cs = append(ps, p), append(cs, c)
	}
	return ps, cs
}

func TestTopicMembers(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		foreign := serve(t, ServerOptions{})
		topic, other := NewTopic(s.e), NewTopic(s.e)
		ps, cs := crowd(t, s, j, topic, 5)
		if topic.Subscribe(cs[0]) || NewTopic(foreign.e).Subscribe(cs[0]) || topic.Len() != 5 || other.Len() != 0 {
			t.Fatal("members", topic.Len(), other.Len())
		}
		if !other.Subscribe(cs[1]) || !topic.Unsubscribe(cs[0]) || topic.Unsubscribe(cs[0]) || topic.Len() != 4 {
			t.Fatal("members", topic.Len())
		}
		topic.PublishExcept(cs[1], Text, []byte("a"))
		topic.Publish(Binary, []byte("c"))
		_ = cs[0].SendText("nothing before")
		ps[0].want("text nothing before")
		ps[1].want("binary c")
		other.Publish(Text, []byte("b"))
		ps[1].want("text b")
		for _, p := range ps[2:] {
			p.want("text a", "binary c")
		}
	})
}

// A member leaves by itself, before its Close is called, in every kind of ending.
func TestTopicIsLeftBeforeClose(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		var made atomic.Pointer[Topic]
		h.Close = func(c *Conn, code CloseCode, _ string) {
			topic := made.Load()
			if topic.Subscribe(c) {
				j.note("a closed connection became a member")
			}
			j.note("close, %d members", topic.Len())
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		topic := NewTopic(s.e)
		made.Store(topic)
		ps, cs := crowd(t, s, j, topic, 4)
		ps[0].reset()
		j.want(t, "close, 3 members")
		ps[1].fin()
		j.want(t, "close, 2 members")
		cs[2].Terminate()
		j.want(t, "close, 1 members")
		ps[3].write(closeOf(1000, ""))
		ps[3].fin()
		j.want(t, "close, 0 members")
		topic.Publish(Text, []byte("to nobody"))
	})
}

// What one goroutine publishes reaches each member in order and once.
func TestTopicOrder(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		topic := NewTopic(s.e)
		ps, _ := crowd(t, s, j, topic, 20)
		const publishers, each = 4, 300
		var wg sync.WaitGroup
		for g := range publishers {
			wg.Go(func() {
				for i := range each {
					topic.Publish(Text, fmt.Appendf(nil, "%d %d %s", g, i, strings.Repeat("x", i*7%500)))
				}
			})
		}
		for n, p := range ps {
			var got [publishers]int
			for range publishers * each {
				_, payload, err := p.next()
				var g, i int
				if _, serr := fmt.Sscan(string(payload), &g, &i); err != nil || serr != nil || got[g] != i {
					t.Fatalf("member %d: %.40q %v %v, want number %d", n, payload, err, serr, got[g])
				}
				got[g]++
			}
		}
		wg.Wait()
	})
}

// Members that come and go while a topic delivers neither make others miss a
// message nor get one twice.
func TestTopicMembersChangeDuringACast(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		s := serve(t, ServerOptions{Config: cfg, Handler: j.handler()})
		topic := NewTopic(s.e)
		ps, cs := crowd(t, s, j, topic, 40)
		stay, restless := ps[:20], cs[20:]
		quit := make(chan bool)
		var wg sync.WaitGroup
		for _, c := range restless {
			wg.Go(func() {
				for in := true; ; in = !in {
					select {
					case <-quit:
						return
					default:
					}
					if ok := in && topic.Unsubscribe(c) || !in && topic.Subscribe(c); !ok {
						t.Error("membership is not what it was")
						return
					}
				}
			})
		}
		for _, p := range ps[20:] { // increasing numbers, gaps allowed, nothing twice
			wg.Go(func() {
				for last := -1; ; {
					_, payload, err := p.next()
					if err != nil || string(payload) == "end" {
						return
					}
					var i int
					if _, err := fmt.Sscan(string(payload), &i); err != nil || i <= last {
						t.Errorf("%q after %d", payload, last)
						return
					}
					last = i
				}
			})
		}
		const n = 300
		for i := range n {
			topic.Publish(Text, fmt.Appendf(nil, "%d", i))
		}
		for _, p := range stay {
			for i := range n {
				p.want(fmt.Sprintf("text %d", i))
			}
		}
		close(quit)
		for _, c := range restless {
			_ = c.SendText("end")
		}
		wg.Wait()
		for _, c := range restless {
			topic.Unsubscribe(c)
		}
		if topic.Len() != len(stay) {
			t.Fatalf("%d members, want %d", topic.Len(), len(stay))
		}
	})
}

// What was published before a connection became a member is not for it.
func TestTopicNewMemberGetsOnlyWhatFollows(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		h := j.handler()
		var made atomic.Pointer[Topic]
		h.Message = func(c *Conn, m Message) {
			topic := made.Load()
			topic.Publish(Text, []byte("somebody comes"))
			topic.Subscribe(c)
			topic.Publish(Text, []byte("welcome"))
		}
		s := serve(t, ServerOptions{Config: cfg, Handler: h})
		topic := NewTopic(s.e)
		made.Store(topic)
		for range 20 {
			ps, cs := crowd(t, s, j, topic, 3)
			p, c := j.opened(t, s)
			p.text("join")
			p.want("text welcome")
			for _, p := range ps {
				p.want("text somebody comes", "text welcome")
			}
			for _, c := range append(cs, c) {
				topic.Unsubscribe(c)
			}
		}
	})
}

// A member that reads nothing is its own problem.
func TestTopicSlowMemberHoldsUpNobody(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		for _, policy := range []SlowPolicy{SlowClose, SlowDrop} {
			j := newJournal()
			s := serve(t, ServerOptions{Config: cfg, Handler: j.handler(), MaxOutbox: 1 << 20, SlowPolicy: policy, SendBuffer: 64 << 10})
			topic := NewTopic(s.e)
			_, slow := crowd(t, s, j, topic, 1)
			ps, _ := crowd(t, s, j, topic, 3)
			msg := strings.Repeat("m", 100<<10)
			for range 100 { // 10 MB: more than the slow one's outbox and buffers
				topic.Publish(Text, []byte(msg))
				for _, p := range ps {
					p.want("text " + msg)
				}
			}
			if policy == SlowClose {
				receive(t, j.calls, "Error")
				j.want(t, "close 1006")
			} else if b := slow[0].BufferedAmount(); b > 1<<20 || s.e.Stats().Dropped == 0 || slow[0].ReadyState() != Open {
				t.Fatal(b, s.e.Stats().Dropped, slow[0].ReadyState())
			}
		}
	})
}
