package push_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// owners waits until all servers of the fleet may send webhooks.
func owners(t *testing.T, fleet []node) {
	t.Helper()
	for _, one := range fleet {
		eventually(t, "all servers may send webhooks", func() bool {
			return !slices.ContainsFunc(one.push.Nodes(), func(n push.Node) bool { return !n.Owner })
		})
	}
}

func TestTheFleetSendsEachWebhookOnce(t *testing.T) {
	b := newBackend(t, 0)
	fleet := startNodes(t, 3, push.Options{App: hooked(b)})
	owners(t, fleet)
	const channels = 20
	for i := range channels {
		name := fmt.Sprintf("presence-%d", i)
		var here []*peer
		for n := range fleet { // one after the other, so that one is the first
			p := fleet[n].connect()
			p.enter(name, "ann", "null")
			here = append(here, p)
			for _, other := range fleet {
				other.answers("/channels/"+name, "info=subscription_count", fmt.Sprintf(`{"occupied":true,"subscription_count":%d}`, n+1))
			}
		}
		for _, p := range here {
			p.conn.CloseNow()
		}
	}
	eventually(t, "all channels are vacated", func() bool { return len(b.got()) >= 4*channels })
	time.Sleep(4 * hurry) // in which a second server would tell the same
	got := b.got()
	if len(got) != 4*channels {
		t.Errorf("%d webhook events for %d channels that came and went: %v", len(got), channels, got)
	}
	for i := range channels {
		name := fmt.Sprintf("presence-%d", i)
		var of []string
		for _, e := range got {
			if strings.Contains(e+" ", name+" ") {
				of = append(of, e)
			}
		}
		want := []string{"channel_occupied " + name, "member_added " + name + " ann", "member_removed " + name + " ann", "channel_vacated " + name}
		if !slices.Equal(of, want) {
			t.Errorf("told %v, want %v", of, want)
		}
	}
}

func TestWebhooksOfAnOwnerThatDiesAreSentByTheNext(t *testing.T) {
	b := newBackend(t, 0)
	dead := newBackend(t, 1000) // takes nothing: what the victim should send stays with it
	bus := push.NewMemoryBus()
	fleet := []node{startNode(t, bus, push.Options{App: hooked(b)}), startNode(t, bus, push.Options{App: hooked(dead)})}
	for _, one := range fleet {
		eventually(t, "both know each other", func() bool { return one.nodes() == 2 })
	}
	owners(t, fleet)
	const channels = 20
	p := fleet[0].connect()
	for i := range channels {
		p.ask(fmt.Sprintf("c-%d", i), "")
		p.expect(protocol.EventSubscribed)
	}
	eventually(t, "each server has sent its own share", func() bool {
		return len(b.got()) > 0 && fleet[1].metric("roost_push_webhook_failures_total") != "0"
	})
	if n := len(b.got()); n == channels {
		t.Fatalf("one server owns all %d channels", n)
	}
	fleet[1].cable.cut.Store(true)
	eventually(t, "the other has sent the rest", func() bool { return len(b.got()) >= channels })
	if got := slices.Compact(slices.Sorted(slices.Values(b.got()))); len(got) != channels {
		t.Errorf("told %v", got)
	}
}

func TestAfterAPartitionTheLastWebhookTellsTheTruth(t *testing.T) {
	b := newBackend(t, 0)
	fleet := startNodes(t, 2, push.Options{App: hooked(b)})
	owners(t, fleet)
	const channels = 10
	var names []string
	for i := range channels {
		names = append(names, fmt.Sprintf("c-%d", i))
	}
	fleet[1].subscriber(names...)
	told := func(word string) func() bool {
		return func() bool {
			last := map[string]string{}
			for _, e := range b.got() {
				name, channel, _ := strings.Cut(e, " ")
				last[channel] = name
			}
			return len(last) == channels && !slices.ContainsFunc(names, func(c string) bool { return last[c] != word })
		}
	}
	eventually(t, "all are occupied", told("channel_occupied"))
	fleet[1].cable.cut.Store(true)
	// Not as the last: each half sends again what the other may not have sent.
	eventually(t, "the other half takes them for vacated", func() bool {
		got := b.got()
		return !slices.ContainsFunc(names, func(c string) bool { return !slices.Contains(got, "channel_vacated "+c) })
	})
	fleet[1].cable.cut.Store(false)
	eventually(t, "all are occupied again", told("channel_occupied"))
}

func TestWhatIsBackSoonWasNeverGone(t *testing.T) {
	b := newBackend(t, 0)
	r := start(t, push.Options{App: hooked(b), WebhookDelay: 500 * time.Millisecond})
	p := r.connect()
	p.enter("presence-room", "ann", "null")
	p.conn.CloseNow()
	eventually(t, "she has gone", func() bool { return r.metric("roost_push_subscriptions") == "0" })
	p = r.connect()
	p.enter("presence-room", "ann", "null")
	p.enter("presence-last", "ann", "null")
	b.expect(t, "channel_occupied presence-room", "member_added presence-room ann", "channel_occupied presence-last", "member_added presence-last ann")
	left := time.Now()
	p.conn.CloseNow()
	b.expect(t, "channel_occupied presence-room", "member_added presence-room ann", "channel_occupied presence-last", "member_added presence-last ann",
		"member_removed presence-room ann", "channel_vacated presence-room", "member_removed presence-last ann", "channel_vacated presence-last")
	if took := time.Since(left); took < 500*time.Millisecond {
		t.Errorf("told after %v", took)
	}
}
