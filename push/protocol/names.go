package protocol

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits that Pusher documents for names, in bytes.
const (
	MaxChannelName = 164
	MaxEventName   = 200
	MaxUserID      = 128
)

// CheckChannel returns an error when name may not name a channel: it must be 1
// to MaxChannelName characters out of A-Z a-z 0-9 _ - = @ , . ; .
func CheckChannel(name string) error {
	if name == "" {
		return fmt.Errorf("channel name is empty: name a channel of 1 to %d characters", MaxChannelName)
	}
	if len(name) > MaxChannelName {
		return fmt.Errorf("channel name has %d characters and may have %d: shorten it", len(name), MaxChannelName)
	}
	for i := 0; i < len(name); i++ {
		if !channelByte(name[i]) {
			return fmt.Errorf("channel name %q has %q at %d: use A-Z a-z 0-9 _ - = @ , . ; only", name, name[i], i)
		}
	}
	return nil
}

func channelByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("_-=@,.;", c) >= 0
}

// CheckEvent returns an error when name may not be published as an event: it
// must be 1 to MaxEventName bytes, and the names that begin with "pusher:" or
// "pusher_internal:" are the server's own.
func CheckEvent(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("event name is empty: name the event in 1 to %d bytes", MaxEventName)
	case len(name) > MaxEventName:
		return fmt.Errorf("event name has %d bytes and may have %d: shorten it", len(name), MaxEventName)
	case strings.HasPrefix(name, "pusher:"), strings.HasPrefix(name, "pusher_internal:"):
		return fmt.Errorf("event name %q is reserved for the protocol: choose one without that prefix", name)
	}
	return nil
}

// userPrefix begins the channel that reaches all connections of one user.
const userPrefix = "#server-to-user-"

// UserChannel names the channel of a signed-in user. Backends publish to it, and
// nobody else may subscribe to it.
func UserChannel(userID string) string { return userPrefix + userID }

// UserOf returns the user whose channel it is.
func UserOf(channel string) (userID string, ok bool) { return strings.CutPrefix(channel, userPrefix) }

// CheckUserID returns an error when id may not name a user: it must be 1 to
// MaxUserID bytes without control characters.
func CheckUserID(id string) error {
	if id == "" || len(id) > MaxUserID {
		return fmt.Errorf("user id has %d bytes and may have 1 to %d: choose another", len(id), MaxUserID)
	}
	if !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return fmt.Errorf("user id %q has control characters or is no UTF-8: choose another", id)
	}
	return nil
}

// NeedsAuth reports whether a subscription to the channel has to be signed:
// private, presence and encrypted channels, told by their prefix.
func NeedsAuth(channel string) bool {
	return strings.HasPrefix(channel, "private-") || IsPresence(channel)
}

// IsEncrypted reports whether only subscribers can read the channel's data. The
// server passes it on as it is.
func IsEncrypted(channel string) bool { return strings.HasPrefix(channel, "private-encrypted-") }

// IsPresence reports whether the channel is a presence channel.
func IsPresence(channel string) bool { return strings.HasPrefix(channel, "presence-") }

// IsCache reports whether the channel is a cache channel, whose last event a
// new subscriber expects, or else pusher:cache_miss.
func IsCache(channel string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(channel, "private-"), "encrypted-")
	if IsPresence(channel) {
		name = strings.TrimPrefix(channel, "presence-")
	}
	return strings.HasPrefix(name, "cache-")
}
