package push

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// members are the users in a presence channel. A user is in it once, however
// many connections he has there. Its mu is a lock around the channel's topic:
// whoever joins is told of everybody in it, and of all who come or go after.
type members struct {
	mu    sync.Mutex
	users map[string]*member
}

type member struct {
	info  json.RawMessage // what others are told; may be nil
	conns int
}

func newMembers() *members { return &members{users: make(map[string]*member)} }

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
// one included, and must make c a member of the topic.
func (m *members) join(c *engine.Conn, a *app, ch *channel, id string, info json.RawMessage, greet func(snapshot []byte) bool) (ok bool, r *refusal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[id]
	if u == nil {
		if n := len(m.users); n >= a.now().Limits.MaxMembers {
			return false, &refusal{"LimitReached", fmt.Sprintf("channel has %d members and may have %d: wait until one leaves", n, a.now().Limits.MaxMembers), http.StatusTooManyRequests}
		}
		u = &member{info: info}
		m.users[id] = u
	}
	if !greet(m.snapshot()) {
		if u.conns == 0 {
			delete(m.users, id)
		}
		return false, nil
	}
	if u.conns++; u.conns == 1 {
		ch.tell(c, protocol.EventMemberAdded, appendMember(nil, id, u.info))
		a.hooks.add(hookEvent{Name: hookAdded, Channel: ch.name, UserID: id})
	}
	return true, nil
}

// leave takes one connection of the user out. It has left the topic already.
func (m *members) leave(a *app, ch *channel, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[id]
	if u.conns--; u.conns > 0 {
		return
	}
	delete(m.users, id)
	ch.tell(nil, protocol.EventMemberRemoved, appendMember(nil, id, nil))
	a.hooks.add(hookEvent{Name: hookRemoved, Channel: ch.name, UserID: id})
}

// tell sends the other members an event of the protocol. data is JSON, which
// travels as a string.
func (ch *channel) tell(except *engine.Conn, event string, data []byte) {
	frame := protocol.AppendFrame(nil, event, ch.name, protocol.AppendString(nil, string(data)))
	ch.topic.PublishExcept(except, engine.Text, frame)
}

// snapshot is {"count":…,"ids":[…],"hash":{id:info,…}}. Under mu.
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
		b = append(b, orNull(m.users[id].info)...)
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

// sorted returns the user ids. Under mu.
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
