package push

import (
	"cmp"
	"fmt"
	"time"
)

// Limits are what one app may use. 0 means the default, which for an app is the
// server's; sizes are in bytes.
type Limits struct {
	MaxConns         int `json:"max_conns"`          // connections at once; 0: as many as the engine allows
	MaxData          int `json:"max_data"`           // of one event; default 10 KiB
	MaxEventChannels int `json:"max_event_channels"` // that one event may name; default 100
	MaxBatch         int `json:"max_batch"`          // events in one request; default 10
	MaxChannels      int `json:"max_channels"`       // that one connection may be subscribed to; default 256
	MaxMembers       int `json:"max_members"`        // users in one presence channel; default 100
	MaxUserInfo      int `json:"max_user_info"`      // of one member, its id included; default 1 KiB
	MaxWatchlist     int `json:"max_watchlist"`      // users that one user may watch; default 100
	MessageRate      int `json:"message_rate"`       // messages a second from one connection, lasting; default 50
	MessageBurst     int `json:"message_burst"`      // messages at once from one connection; default 512
	ClientEventRate  int `json:"client_event_rate"`  // client events a second from one connection; default 10
	EventRate        int `json:"event_rate"`         // events a second that backends may publish; 0: no limit
}

// limit is one of Limits with its name and default.
type limit struct {
	name  string
	value *int
	def   int
}

func (l *Limits) list() []limit {
	return []limit{
		{"MaxConns", &l.MaxConns, 0}, {"EventRate", &l.EventRate, 0},
		{"MaxData", &l.MaxData, 10 << 10}, {"MaxEventChannels", &l.MaxEventChannels, 100}, {"MaxBatch", &l.MaxBatch, 10},
		{"MaxChannels", &l.MaxChannels, 256}, {"MaxMembers", &l.MaxMembers, 100}, {"MaxUserInfo", &l.MaxUserInfo, 1 << 10},
		{"MaxWatchlist", &l.MaxWatchlist, 100}, {"MessageRate", &l.MessageRate, 50}, {"MessageBurst", &l.MessageBurst, 512},
		{"ClientEventRate", &l.ClientEventRate, 10},
	}
}

// fill replaces zeros by the defaults.
func (l *Limits) fill() error {
	for _, f := range l.list() {
		if *f.value < 0 {
			return fmt.Errorf("push: %s is %d and must not be negative", f.name, *f.value)
		}
		*f.value = cmp.Or(*f.value, f.def)
	}
	return nil
}

// inherit replaces zeros by those of from.
func (l *Limits) inherit(from *Limits) {
	theirs := from.list()
	for i, f := range l.list() {
		*f.value = cmp.Or(*f.value, *theirs[i].value)
	}
}

// bucket admits a burst and, lasting, one message an interval: the generic cell
// rate algorithm, a token bucket in one word. It is when all messages so far are
// paid for, as time since the server's start.
type bucket time.Duration

// allow admits n messages or none, and takes nothing for none.
func (b *bucket) allow(now, interval time.Duration, burst, n int) bool {
	due := max(time.Duration(*b), now)
	if due-now > interval*time.Duration(burst-n) {
		return false
	}
	*b = bucket(due + interval*time.Duration(n))
	return true
}
