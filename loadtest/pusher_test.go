//go:build unix

package loadtest

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/roost-ws/roost/codec"
)

func TestFramesAreReadWhateverTheirOrderAndSpace(t *testing.T) {
	for text, want := range map[string]pusherFrame{
		`{}`:                                     {},
		`{"event":"e","channel":"c","data":"d"}`: {event: []byte("e"), channel: []byte("c"), data: []byte("d"), text: true},
		" {\n\"data\" : {\"a\":[1,\"}\"]} , \"event\":\"e\" } ":                  {event: []byte("e"), data: []byte(`{"a":[1,"}"]}`)},
		`{"position":{"seq":18,"epoch":"x"},"event":"e","x":null,"y":[[],{}]}`:   {event: []byte("e"), epoch: []byte("x"), seq: 18},
		`{"event":"e","data":"a\\\"b","user_id":"1","z":-1.5e3,"t":true,"q":""}`: {event: []byte("e"), data: []byte(`a\\\"b`), text: true},
	} {
		var f pusherFrame
		if err := f.parse([]byte(text)); err != nil || !reflect.DeepEqual(f, want) {
			t.Errorf("%s: %+v, %v; want %+v", text, f, err, want)
		}
	}
	for _, text := range []string{``, `[]`, `{`, `{"event"}`, `{"event":}`, `{"event":"e"`, `{"event":"e"}x`, `{"event":"e",}`, `{"a":{"b":1}`, `"x"`, `{event:1}`, `{"position":{"seq":-1}}`, `{"a":"\`} {
		if f := new(pusherFrame); f.parse([]byte(text)) == nil {
			t.Errorf("%s was taken for a frame: %+v", text, f)
		}
	}
}

// FuzzFrame: what encoding/json reads as an object is read the same.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"event":"e","channel":"c","data":"{\"a\":1}","position":{"epoch":"e","seq":3}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got pusherFrame
		err := got.parse(text)
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || want == nil {
			return
		}
		if _, ok := want["position"]; !ok && err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

func TestSequenceTellsExactlyWhatCame(t *testing.T) {
	const n = 400
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		var s sequence
		var came [n]bool
		next := uint32(0)
		for range r.IntN(2 * n) {
			k := uint32(max(0, min(n-1, int(next)+r.IntN(20)-10)))
			want := inOrder
			if came[k] {
				want = duplicate
			} else if k < next {
				want = reordered
			}
			if got := s.take(k); got != want {
				t.Fatalf("round %d: %d is %v, want %v", round, k, got, want)
			}
			came[k] = true
			next = max(next, k+1)
		}
		var excused []uint32
		missing := uint64(0)
		for k := range uint32(n - 50) {
			if r.IntN(5) == 0 {
				excused = append(excused, k)
			}
			if !came[k] && !slices.Contains(excused, k) {
				missing++
			}
		}
		if got := s.missing(n-50, excused); got != missing {
			t.Fatalf("round %d: %d missing, want %d", round, got, missing)
		}
	}
}

func TestEventsWithAnyOtherByteAreFound(t *testing.T) {
	s, err := newEventStamp(100)
	must(t, err)
	h := eventHead{channel: 7, seq: 8, number: 9, left: 10}
	data := s.append(nil, h)
	if got, err := s.parse(data); err != nil || got != h || len(data) != 100 {
		t.Fatalf("%d bytes, %+v, %v", len(data), got, err)
	}
	for i := range data {
		bad := slices.Clone(data)
		bad[i] ^= 1
		if got, err := s.parse(bad); err == nil {
			t.Errorf("byte %d changed, and %+v was read", i, got)
		}
	}
	if text := strconv.Quote(string(data)); text != `"`+string(data)+`"` {
		t.Errorf("data %s needs escapes", text)
	}
}

func TestEveryChannelHasSubscribersAndASender(t *testing.T) {
	for _, x := range []struct{ conns, channels, subscriptions int }{{10, 3, 1}, {10, 10, 1}, {7, 20, 3}, {5, 4, 4}, {100, 7, 2}} {
		p := Pusher{Key: "k", Secret: "s", Channels: x.channels, Subscriptions: x.subscriptions, Client: true, Rate: 1}
		must(t, p.normalize(&Options{Conns: x.conns}))
		heard := make([]int, p.Channels)
		for id := range uint32(x.conns) {
			for j := range p.Subscriptions {
				c := p.channelOf(id, j)
				heard[c]++
				if p.subscriptionOf(id, c) != j {
					t.Errorf("%+v: channel %d is subscription %d of %d, want %d", x, c, p.subscriptionOf(id, c), id, j)
				}
			}
		}
		for c, n := range heard {
			sender := p.senderOf(uint32(c))
			if n == 0 || int(sender) >= x.conns || p.subscriptionOf(sender, uint32(c)) >= p.Subscriptions {
				t.Errorf("%+v: channel %d has %d subscribers, sender %d", x, c, n, sender)
			}
		}
	}
}

func TestZipfPrefersTheFirstChannels(t *testing.T) {
	s := newSchedule(&Pusher{Rate: 1, Channels: 100, Zipf: 1}, 42)
	var n [100]int
	const events = 100_000
	for k := range uint32(events) {
		n[s.channelOf(k)]++
	}
	harmonic := 0.0
	for c := range 100 {
		harmonic += 1 / float64(c+1)
	}
	for _, c := range []int{0, 1, 9} {
		want := events / harmonic / float64(c+1)
		if math.Abs(float64(n[c])-want) > want/5 {
			t.Errorf("channel %d has %d events, want about %.0f", c, n[c], want)
		}
	}
}

// receivers is a loop whose connections are subscribed, without sockets.
func receivers(tb testing.TB, conns int, o Pusher) (*pusher, *schedule) {
	tb.Helper()
	o.Key, o.Secret, o.AppID, o.Rate = "k", "s", "1", 1e9
	must(tb, o.normalize(&Options{Conns: conns}))
	stamp, err := newEventStamp(o.Size)
	must(tb, err)
	l, err := newLoop(&plan{loops: 1, endpoints: make([]endpoint, 1)}, 0, conns)
	must(tb, err)
	tb.Cleanup(func() {
		l.timer.close()
		must(tb, l.poll.Close())
	})
	h := newPusher(l, &o, stamp)
	for i := range h.subs {
		h.subs[i].confirmed = true
	}
	s := newSchedule(&o, 1)
	h.enlist(s)
	h.schedule = s
	l.now = math.MaxInt32
	return h, s
}

// eventFrame is what a server makes of an event.
func eventFrame(dst []byte, h *pusher, e eventHead) []byte {
	dst = append(dst, `{"event":"`+eventName+`","channel":"`...)
	dst = append(append(dst, h.p.names[e.channel]...), `","data":"`...)
	return append(h.stamp.append(dst, e), `"}`...)
}

func TestAnEventAllocatesNothing(t *testing.T) {
	h, _ := receivers(t, 1, Pusher{})
	var frame []byte
	seq := uint32(0)
	n := testing.AllocsPerRun(1000, func() {
		frame = eventFrame(frame[:0], h, eventHead{seq: seq, number: seq})
		seq++
		must(t, h.message(&h.loop.conns[0], codec.Message{Opcode: codec.Text, Payload: frame}))
	})
	if n > 0 {
		t.Errorf("%.1f allocations an event, want none", n)
	}
}

func BenchmarkPusherEvent(b *testing.B) {
	h, s := receivers(b, 1000, Pusher{})
	s.came = nil
	frame := eventFrame(nil, h, eventHead{})
	m := codec.Message{Opcode: codec.Text, Payload: bytes.Clone(frame)}
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := i % 1000
		h.subs[c].order = sequence{} // each event is new to it
		if err := h.message(&h.loop.conns[c], m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFeed is what one read brought, eight events, from decoding to the figures.
func BenchmarkFeed(b *testing.B) {
	h, s := receivers(b, 1, Pusher{})
	s.came, h.loop.script = nil, h
	c := &h.loop.conns[0]
	c.state = connOpen
	var in []byte
	for i := range uint32(8) {
		frame := eventFrame(nil, h, eventHead{seq: i, number: i})
		in = codec.AppendFrame(in, codec.Header{Opcode: codec.Text, Fin: true, Length: int64(len(frame))}, frame)
	}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		h.subs[0].order = sequence{} // all of them are new to it
		if h.loop.feed(c, in); c.state != connOpen {
			b.Fatal("the connection ended")
		}
	}
}
