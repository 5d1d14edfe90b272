package push_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// hurry makes a lease of 1 s out of 5.
const hurry = 50 * time.Millisecond

// cable joins one server to a bus, until it is cut: then what is told is lost
// both ways, and the server hears itself only.
type cable struct {
	*push.MemoryBus
	cut   atomic.Bool
	still atomic.Bool // cut, it brings nothing at all
	away  atomic.Bool // it knows that it is cut off
	own   func([]byte)
}

func (c *cable) Ready() error {
	if c.away.Load() {
		return errors.New("away")
	}
	return nil
}

func (c *cable) Tell(ctx context.Context, node string, text []byte) error {
	if !c.cut.Load() {
		return c.MemoryBus.Tell(ctx, node, text)
	}
	if node == "" && !c.still.Load() {
		c.own(text)
	}
	return nil
}

func (c *cable) Listen(node string, f func([]byte)) (func(), error) {
	c.own = f
	return c.MemoryBus.Listen(node, func(text []byte) {
		if !c.cut.Load() {
			f(text)
		}
	})
}

// node is one server of a fleet.
type node struct {
	*rig
	cable *cable
}

func (r *rig) nodes() int { return len(r.push.Nodes()) }

// startNodes returns servers that know each other.
func startNodes(t *testing.T, n int, o push.Options) []node {
	t.Helper()
	bus := push.NewMemoryBus()
	var fleet []node
	for range n {
		fleet = append(fleet, startNode(t, bus, o))
	}
	for _, one := range fleet {
		eventually(t, "the servers know each other", func() bool { return one.nodes() == n })
	}
	return fleet
}

func startNode(t *testing.T, bus *push.MemoryBus, o push.Options) node {
	t.Helper()
	c := &cable{MemoryBus: bus}
	o.Bus = c
	return node{start(t, push.Hurried(o, hurry)), c}
}

// answers waits until a request has that answer.
func (r *rig) answers(path, query, want string) {
	r.t.Helper()
	var got string
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, got = r.request("GET", "/apps/3"+path, query, ""); got == want {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%s says %s, want %s", path, got, want)
		}
	}
}

func TestMembersAreTheUnionOfAllServers(t *testing.T) {
	fleet := startNodes(t, 3, push.Options{})
	a := fleet[0].connect()
	a.enter("presence-room", "ann", `{"n":1}`)
	fleet[1].answers("/channels/presence-room/users", "", `{"users":[{"id":"ann"}]}`)
	b := fleet[1].connect()
	if got := b.enter("presence-room", "bob", `{"n":2}`); !slices.Equal(got.Presence.IDs, []string{"ann", "bob"}) || string(got.Presence.Hash["ann"]) != `{"n":1}` {
		t.Errorf("the second server shows %+v", got)
	}
	a.expectMember(protocol.EventMemberAdded, "bob")
	for _, one := range fleet {
		one.answers("/channels/presence-room/users", "", `{"users":[{"id":"ann"},{"id":"bob"}]}`)
		one.answers("/channels/presence-room", "info=user_count,subscription_count", `{"occupied":true,"subscription_count":2,"user_count":2}`)
	}
	b.conn.CloseNow()
	a.expectMember(protocol.EventMemberRemoved, "bob")
	fleet[2].answers("/channels/presence-room/users", "", `{"users":[{"id":"ann"}]}`)
}

func TestAUserOnTwoServersIsOneMemberUntilTheLastGoes(t *testing.T) {
	fleet := startNodes(t, 2, push.Options{})
	watcher := fleet[0].connect()
	watcher.enter("presence-room", "watcher", "null")
	first := fleet[0].connect()
	first.enter("presence-room", "ann", `"first"`)
	watcher.expectMember(protocol.EventMemberAdded, "ann")
	fleet[1].answers("/channels/presence-room", "info=user_count", `{"occupied":true,"user_count":2}`)
	second := fleet[1].connect()
	if got := second.enter("presence-room", "ann", `"second"`); got.Presence.Count != 2 || string(got.Presence.Hash["ann"]) != `"first"` {
		t.Errorf("the second connection is shown %+v: what was told first must stay", got)
	}
	fleet[0].answers("/channels/presence-room", "info=subscription_count,user_count", `{"occupied":true,"subscription_count":3,"user_count":2}`)
	first.conn.CloseNow()
	fleet[1].answers("/channels/presence-room", "info=subscription_count,user_count", `{"occupied":true,"subscription_count":2,"user_count":2}`)
	watcher.fence() // she is there still, and came once
	second.conn.CloseNow()
	watcher.expectMember(protocol.EventMemberRemoved, "ann")
	watcher.fence()
}

func TestMembersOfAServerThatDiesAreGoneWithinItsLease(t *testing.T) {
	fleet := startNodes(t, 3, push.Options{})
	a := fleet[0].connect()
	a.enter("presence-room", "ann", "null")
	fleet[1].answers("/channels/presence-room/users", "", `{"users":[{"id":"ann"}]}`)
	b := fleet[1].connect()
	b.enter("presence-room", "bob", "null")
	fleet[1].subscriber("news")
	fleet[2].answers("/channels", "info=subscription_count", `{"channels":{"news":{"subscription_count":1},"presence-room":{"subscription_count":2}}}`)
	a.expectMember(protocol.EventMemberAdded, "bob")
	fleet[1].cable.cut.Store(true)
	died := time.Now()
	a.expectMember(protocol.EventMemberRemoved, "bob")
	if took := time.Since(died); took > 100*hurry {
		t.Errorf("it took %v, and the lease is %v", took, 20*hurry)
	}
	fleet[2].answers("/channels", "info=subscription_count", `{"channels":{"presence-room":{"subscription_count":1}}}`)
	fleet[1].cable.cut.Store(false) // it was cut off only
	a.expectMember(protocol.EventMemberAdded, "bob")
	fleet[2].answers("/channels", "info=subscription_count", `{"channels":{"news":{"subscription_count":1},"presence-room":{"subscription_count":2}}}`)
}

// What happens while servers do not hear each other, though not for so long that
// they take each other for dead, is known after.
func TestWhatWasMissedIsAskedFor(t *testing.T) {
	fleet := startNodes(t, 2, push.Options{})
	a := fleet[0].connect()
	a.enter("presence-room", "ann", "null")
	gone := fleet[1].connect()
	gone.enter("presence-room", "gone", "null")
	a.expectMember(protocol.EventMemberAdded, "gone")
	fleet[1].cable.cut.Store(true)
	gone.conn.CloseNow()
	fleet[1].connect().enter("presence-room", "new", "null")
	fleet[1].subscriber("news")
	eventually(t, "it has told nobody", func() bool {
		return fleet[1].metric("roost_push_connections") == "2"
	})
	time.Sleep(3 * hurry) // in which counts are told
	fleet[1].cable.cut.Store(false)
	got := map[string]string{}
	for range 2 {
		f, err := a.read()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := protocol.DataString(f.Data)
		got[f.Event] = text
	}
	if !strings.Contains(got[protocol.EventMemberAdded], `"new"`) || !strings.Contains(got[protocol.EventMemberRemoved], `"gone"`) {
		t.Errorf("told %v", got)
	}
	fleet[0].answers("/channels/news", "info=subscription_count", `{"occupied":true,"subscription_count":1}`)
}

func TestNobodyIsTakenForDeadWhileTheBusIsAway(t *testing.T) {
	for name, knows := range map[string]bool{"away": true, "standing still": false} {
		t.Run(name, func(t *testing.T) {
			fleet := startNodes(t, 2, push.Options{})
			a := fleet[0].connect()
			a.enter("presence-room", "ann", "null")
			fleet[1].answers("/channels/presence-room/users", "", `{"users":[{"id":"ann"}]}`)
			fleet[1].connect().enter("presence-room", "bob", "null")
			a.expectMember(protocol.EventMemberAdded, "bob")
			for _, one := range fleet {
				one.cable.away.Store(knows)
				one.cable.still.Store(true)
				one.cable.cut.Store(true)
			}
			time.Sleep(30 * hurry) // a lease and a half
			fleet[1].connect().enter("presence-room", "cid", "null")
			a.fence()
			for _, one := range fleet {
				one.cable.cut.Store(false)
				one.cable.away.Store(false)
			}
			a.expectMember(protocol.EventMemberAdded, "cid")
		})
	}
}

func TestAServerThatComesLaterKnowsWhoIsThere(t *testing.T) {
	bus := push.NewMemoryBus()
	one := startNode(t, bus, push.Options{Limits: push.Limits{MaxMembers: 300}})
	for i := range 30 {
		p := one.connect()
		p.ask("presence-room", `{"user_id":"u`+strings.Repeat("x", i)+`","user_info":"`+strings.Repeat("i", 900)+`"}`)
	}
	one.subscriber("news", "sport")
	late := startNode(t, bus, push.Options{})
	late.answers("/channels", "info=subscription_count", `{"channels":{"news":{"subscription_count":1},"presence-room":{"subscription_count":30},"sport":{"subscription_count":1}}}`)
	late.answers("/channels/presence-room", "info=user_count", `{"occupied":true,"user_count":30}`)
	if err := one.push.Close(); err != nil { // which says good-bye
		t.Fatal(err)
	}
	late.answers("/channels", "", `{"channels":{}}`)
}
