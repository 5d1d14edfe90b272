package push

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// members are the users in a presence channel, on all servers. A user is in it
// once, however many connections he has there. Its mu is a lock around the
// channel's topic: whoever joins is told of everybody in it, and of all who come
// or go after.
type members struct {
	name string
	refs int // the channel here and each server with members, under presences.mu

	mu    sync.Mutex
	users map[string]*member
}

type member struct {
	conns  int     // on this server
	claims []claim // one a server, the oldest first: its info is what others are shown
}

// parseMember reads the channel_data that the backend signed.
func (a *app) parseMember(channelData string) (id string, info json.RawMessage, r *refusal) {
	if len(channelData) > a.now().Limits.MaxUserInfo {
		return "", nil, &refusal{"LimitReached", fmt.Sprintf("channel_data has %d bytes and may have %d: tell less of the user", len(channelData), a.now().Limits.MaxUserInfo), http.StatusRequestEntityTooLarge}
	}
	var d struct {
		UserID   json.RawMessage `json:"user_id"` // a string, though some backends send a number
		UserInfo json.RawMessage `json:"user_info"`
	}
	err := json.Unmarshal([]byte(channelData), &d)
	if err == nil {
		id, err = protocol.DataString(d.UserID)
	}
	if err == nil {
		err = protocol.CheckUserID(id)
	}
	if err != nil {
		return "", nil, &refusal{"InvalidChannelData", `channel_data must be {"user_id":…,"user_info":…}: ` + err.Error(), http.StatusBadRequest}
	}
	return id, d.UserInfo, nil
}

// join adds a connection of user id. greet is called with the members, the new
// one included, and must make c a member of the topic, or say why not.
func (m *members) join(c *engine.Conn, a *app, ch *channel, id string, info json.RawMessage, greet func(snapshot []byte) (bool, *refusal)) (ok bool, r *refusal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[id]
	if n := len(m.users); u == nil && n >= a.now().Limits.MaxMembers {
		return false, &refusal{"LimitReached", fmt.Sprintf("channel has %d members and may have %d: wait until one leaves", n, a.now().Limits.MaxMembers), http.StatusTooManyRequests}
	}
	came := false
	if first := u == nil || u.conns == 0; first {
		u, came = m.claim(id, claim{Since: time.Now().UnixMilli(), Info: info})
	}
	if ok, r = greet(m.snapshot()); !ok {
		if u.conns == 0 {
			m.unclaim(id, "")
		}
		return false, r
	}
	if u.conns++; u.conns == 1 {
		a.fleet.memberChanged(a, m.name, id)
	}
	if came {
		ch.tell(c, protocol.EventMemberAdded, appendMember(nil, id, u.claims[0].Info))
		a.happened(hookEvent{Name: hookAdded, Channel: m.name, UserID: id}, true)
	}
	return true, nil
}

// leave takes one connection of the user out. It has left the topic already.
func (m *members) leave(a *app, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[id]
	if u.conns--; u.conns > 0 {
		return
	}
	a.fleet.memberChanged(a, m.name, id)
	if m.unclaim(id, "") {
		m.gone(a, id, true)
	}
}

// told takes another server's word that a user is there, or with nil that he has
// gone from it. The subscribers here learn of it when it makes a difference.
func (m *members) told(a *app, node, id string, cl *claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cl == nil {
		if m.unclaim(id, node) {
			m.gone(a, id, false)
		}
		return
	}
	theirs := *cl
	theirs.node = node
	u, came := m.claim(id, theirs)
	if !came {
		return
	}
	if ch := a.hub.find(m.name); ch != nil {
		ch.tell(nil, protocol.EventMemberAdded, appendMember(nil, id, u.claims[0].Info))
	}
	a.happened(hookEvent{Name: hookAdded, Channel: m.name, UserID: id}, false)
}

func (m *members) gone(a *app, id string, here bool) {
	if ch := a.hub.find(m.name); ch != nil {
		ch.tell(nil, protocol.EventMemberRemoved, appendMember(nil, id, nil))
	}
	a.happened(hookEvent{Name: hookRemoved, Channel: m.name, UserID: id}, here)
}

// claim notes that a user is on a server, and reports whether he was on none. The
// order of the claims is the same on all servers. Under mu, as all that follows.
func (m *members) claim(id string, cl claim) (u *member, came bool) {
	if u = m.users[id]; u == nil {
		u, came = &member{}, true
		m.users[id] = u
	}
	u.drop(cl.node)
	u.claims = append(u.claims, cl)
	slices.SortFunc(u.claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), strings.Compare(string(a.Info), string(b.Info)))
	})
	return u, came
}

// unclaim reports whether the user is on no server any more.
func (m *members) unclaim(id, node string) (left bool) {
	u := m.users[id]
	if u == nil {
		return false
	}
	if u.drop(node); len(u.claims) > 0 {
		return false
	}
	delete(m.users, id)
	return true
}

func (u *member) drop(node string) {
	u.claims = slices.DeleteFunc(u.claims, func(c claim) bool { return c.node == node })
}

// own returns this server's claim on a user, or nil.
func (m *members) own(id string) *claim {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u := m.users[id]; u != nil {
		return u.own()
	}
	return nil
}

func (u *member) own() *claim {
	for _, c := range u.claims {
		if c.node == "" {
			return &c
		}
	}
	return nil
}

// tell sends the other members an event of the protocol. data is JSON, which
// travels as a string.
func (ch *channel) tell(except *engine.Conn, event string, data []byte) {
	frame := protocol.AppendFrame(nil, event, ch.name, protocol.AppendString(nil, string(data)))
	ch.topic.PublishExcept(except, engine.Text, frame)
}

// snapshot is {"count":…,"ids":[…],"hash":{id:info,…}}.
func (m *members) snapshot() []byte {
	b := fmt.Appendf(nil, `{"count":%d,"ids":[`, len(m.users))
	ids := m.sorted()
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = protocol.AppendString(b, id)
	}
	b = append(b, `],"hash":{`...)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(protocol.AppendString(b, id), ':')
		b = append(b, orNull(m.users[id].claims[0].Info)...)
	}
	return append(b, `}}`...)
}

func appendMember(b []byte, id string, info json.RawMessage) []byte {
	b = protocol.AppendString(append(b, `{"user_id":`...), id)
	if info != nil {
		b = append(append(b, `,"user_info":`...), info...)
	}
	return append(b, '}')
}

func orNull(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}

func (m *members) sorted() []string {
	ids := make([]string, 0, len(m.users))
	for id := range m.users {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// list returns the user ids.
func (m *members) list() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sorted()
}

func (m *members) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.users)
}
