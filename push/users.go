package push

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push/protocol"
)

// user is who a connection has signed in as.
type user struct {
	id    string
	watch []string // whose coming and going it is told of
}

// users are the signed-in connections of an app, by user and by whom they watch.
type users struct {
	mu       *sync.Mutex
	online   map[string][]*engine.Conn
	watchers map[string][]*engine.Conn
	remote   map[string]int // servers of the fleet on which a user is online too
}

func newUsers() users {
	return users{new(sync.Mutex), make(map[string][]*engine.Conn), make(map[string][]*engine.Conn), make(map[string]int)}
}

// signin checks what the backend signed for this connection and user. A client
// that fails is closed with 4009.
func (s *Server) signin(c *engine.Conn, ss *session, f protocol.Frame) {
	var d struct {
		Auth     string `json:"auth"`
		UserData string `json:"user_data"`
	}
	if err := protocol.DecodeData(f.Data, &d); err != nil {
		s.fail(c, 0, `pusher:signin needs data {"auth":…,"user_data":…}`)
		return
	}
	if ss.user != nil {
		s.fail(c, 0, "connection has signed in already: connect anew for another user")
		return
	}
	if !ss.app.now().signed(d.Auth, func(secret string) string {
		return protocol.SignUser(ss.app.Key, secret, ss.id.String(), d.UserData)
	}) {
		s.counts.refusedSignins.Add(1)
		s.refused("sign-in", ss.app, addressOf(c.RemoteAddr()), "auth is wrong")
		s.disconnect(c, ss.legacy, protocol.CodeUnauthorized, "auth is wrong: sign socket_id::user::user_data with the app's secret")
		return
	}
	u, err := ss.app.parseUser(d.UserData)
	if err != nil {
		s.counts.refusedSignins.Add(1)
		s.disconnect(c, ss.legacy, protocol.CodeUnauthorized, clipReason(err.Error()))
		return
	}
	ss.user = u
	ss.authorized()
	answer := append(protocol.AppendString([]byte(`{"user_data":`), d.UserData), '}')
	s.send(c, protocol.EventSigninSuccess, "", protocol.AppendString(nil, string(answer)))
	if ss.app.users.enter(c, u) {
		s.fleet.userChanged(ss.app, u.id)
	}
}

func (a *app) parseUser(userData string) (*user, error) {
	var d struct {
		ID        string   `json:"id"`
		Watchlist []string `json:"watchlist"`
	}
	if err := json.Unmarshal([]byte(userData), &d); err != nil {
		return nil, fmt.Errorf(`user_data must be JSON, {"id":…,"watchlist":[…]}`)
	}
	if err := protocol.CheckUserID(d.ID); err != nil {
		return nil, err
	}
	if n := len(d.Watchlist); n > a.now().Limits.MaxWatchlist {
		return nil, fmt.Errorf("watchlist has %d users and may have %d: watch fewer", n, a.now().Limits.MaxWatchlist)
	}
	slices.Sort(d.Watchlist)
	return &user{id: d.ID, watch: slices.Compact(d.Watchlist)}, nil
}

// enter tells c who of its watchlist is there, and those who watch its user when
// he has come. It reports whether it is his first connection to this server.
func (us *users) enter(c *engine.Conn, u *user) (first bool) {
	us.mu.Lock()
	defer us.mu.Unlock()
	var there, away []string
	for _, id := range u.watch {
		if len(us.online[id])+us.remote[id] > 0 {
			there = append(there, id)
		} else {
			away = append(away, id)
		}
		us.watchers[id] = append(us.watchers[id], c)
	}
	if len(u.watch) > 0 {
		sendWatchlist(c, there, away)
	}
	us.online[u.id] = append(us.online[u.id], c)
	first = len(us.online[u.id]) == 1
	if first && us.remote[u.id] == 0 {
		us.tell(u.id, true)
	}
	return first
}

// leave is enter undone; c has closed. It reports whether it was his last
// connection to this server.
func (us *users) leave(c *engine.Conn, u *user) (last bool) {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, id := range u.watch {
		remove(us.watchers, id, c)
	}
	remove(us.online, u.id, c)
	last = len(us.online[u.id]) == 0
	if last && us.remote[u.id] == 0 {
		us.tell(u.id, false)
	}
	return last
}

// told takes another server's word that a user has come to it or gone from it.
func (us *users) told(id string, in bool) {
	us.mu.Lock()
	defer us.mu.Unlock()
	if !in {
		if us.remote[id]--; us.remote[id] <= 0 {
			delete(us.remote, id)
		}
	}
	if len(us.online[id])+us.remote[id] == 0 {
		us.tell(id, in)
	}
	if in {
		us.remote[id]++
	}
}

// tell has those who watch a user learn that he came or went. Under mu.
func (us *users) tell(id string, in bool) {
	var online, offline []string
	if in {
		online = []string{id}
	} else {
		offline = []string{id}
	}
	for _, w := range us.watchers[id] {
		sendWatchlist(w, online, offline)
	}
}

// here reports whether a user has a connection to this server.
func (us *users) here(id string) bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	return len(us.online[id]) > 0
}

// allHere returns the users with a connection to this server.
func (us *users) allHere() []string {
	us.mu.Lock()
	defer us.mu.Unlock()
	return slices.Collect(maps.Keys(us.online))
}

// connsOf returns the connections of a user.
func (us *users) connsOf(id string) []*engine.Conn {
	us.mu.Lock()
	defer us.mu.Unlock()
	return slices.Clone(us.online[id])
}

func remove(m map[string][]*engine.Conn, id string, c *engine.Conn) {
	list := m[id]
	if i := slices.Index(list, c); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if len(list) == 0 {
		delete(m, id)
		return
	}
	m[id] = list
}

// watchlistEvent says that users came or went.
type watchlistEvent struct {
	Name    string   `json:"name"`
	UserIDs []string `json:"user_ids"`
}

func sendWatchlist(c *engine.Conn, online, offline []string) {
	var d struct {
		Events []watchlistEvent `json:"events"`
	}
	if len(online) > 0 {
		d.Events = append(d.Events, watchlistEvent{"online", online})
	}
	if len(offline) > 0 {
		d.Events = append(d.Events, watchlistEvent{"offline", offline})
	}
	text, err := json.Marshal(d)
	if err != nil {
		return // strings always marshal
	}
	sendFrame(c, protocol.AppendFrame(nil, protocol.EventWatchlist, "", protocol.AppendString(nil, string(text))))
}

// terminate ends the connections that a user has here.
func (s *Server) terminate(a *app, userID string) {
	for _, c := range a.users.connsOf(userID) {
		if ss := sessionOf(c); ss != nil {
			s.disconnect(c, ss.legacy, protocol.CodeUnauthorized, "the app ended the user's connections")
		}
	}
}

// clipReason keeps a reason within a close frame, and UTF-8 (RFC 6455 5.5).
func clipReason(s string) string {
	const most = 120
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}
