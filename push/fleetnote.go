package push

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// note is what one server of a fleet tells others. One of its parts is set.
type note struct {
	From string `json:"f"`
	Seq  uint64 `json:"q,omitempty"` // of the sender's last change; with Change, of this one

	Beat   *Node    `json:"b,omitempty"` // it lives
	Change *changes `json:"c,omitempty"` // what is different since the last one
	Ask    bool     `json:"a,omitempty"` // a change was missed: tell all
	All    *part    `json:"p,omitempty"` // the answer
	Bye    bool     `json:"e,omitempty"` // it ends
	Unsent int64    `json:"n,omitempty"` // with Bye: ms since the first of the webhooks that it leaves unsent
}

// part is one of the pieces in which a server tells all that it has. Each entry is
// as it was after change Seq, or later.
type part struct {
	Index int     `json:"i"`
	Last  bool    `json:"l,omitempty"`
	Has   changes `json:"h"`
}

// changes are what holds now, by app. All values are absolute, so that having one
// twice, or an older one before a newer one, does no harm.
type changes map[string]*appChanges

type appChanges struct {
	Counts  map[string]int               `json:"c,omitempty"` // subscriptions by channel; 0: none any more
	Members map[string]map[string]*claim `json:"m,omitempty"` // by channel and user id; null: has gone
	Users   map[string]bool              `json:"u,omitempty"` // who is signed in, or no more
}

// claim is one server's word that a user is in a presence channel.
type claim struct {
	node  string          // "" is this server
	Since int64           `json:"t"`           // by that server's clock, ms since 1970
	Info  json.RawMessage `json:"i,omitempty"` // what others are told of him
}

// Node is one server of a fleet, as the others see it.
type Node struct {
	ID      string    `json:"id"`      // made up at its start
	Addr    string    `json:"addr"`    // that it listens at; may be empty
	Version string    `json:"version"` // of the program; may be empty
	Start   time.Time `json:"start"`

	Connections   int     `json:"connections"`
	Channels      int     `json:"channels"` // with subscribers on it
	Subscriptions int     `json:"subscriptions"`
	Published     float64 `json:"published"` // events a second taken from publishers
	Sent          float64 `json:"sent"`      // messages a second sent to clients
	Draining      bool    `json:"draining"`

	Owner bool `json:"owner"`          // it sends the fleet's webhooks for its share of the channels
	Self  bool `json:"self,omitempty"` // it is the one that was asked
}

// The bounds of what is told. A text of maxPart and one entry more is below
// MaxTold.
const (
	maxPart     = 64 << 10 // bytes, about, in one note
	maxInfoTold = 16 << 10 // of one member: more is not told to other servers
	maxNodeText = 128      // of each text in a Node
)

// encodeNote writes n without escaping for HTML, which would make some user info
// six times as long.
func encodeNote(n *note) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(n); err != nil {
		return nil, fmt.Errorf("push: encode a note: %w", err)
	}
	return b.Bytes(), nil
}

func decodeNote(text []byte) (*note, error) {
	if err := CheckTold(text); err != nil {
		return nil, err
	}
	n := &note{}
	if err := json.Unmarshal(text, n); err != nil {
		return nil, fmt.Errorf("push: decode a note: %w", err)
	}
	if n.From == "" || len(n.From) > maxNodeText {
		return nil, fmt.Errorf("push: note from %d bytes of node id, which may have 1 to %d", len(n.From), maxNodeText)
	}
	if b := n.Beat; b != nil && len(b.Addr)+len(b.Version) > 2*maxNodeText {
		return nil, fmt.Errorf("push: node %s tells %d bytes of address and version, and may tell %d", n.From, len(b.Addr)+len(b.Version), 2*maxNodeText)
	}
	if n.Change != nil {
		return n, n.Change.check()
	}
	if n.All != nil {
		return n, n.All.Has.check()
	}
	return n, nil
}

// check refuses names that no client could have brought.
func (c changes) check() error {
	for _, a := range c {
		if a == nil {
			return fmt.Errorf("push: a note has null in place of an app's changes")
		}
		for name, n := range a.Counts {
			if err := protocol.CheckChannel(name); err != nil {
				return fmt.Errorf("push: a note has a count: %w", err)
			}
			if n < 0 {
				return fmt.Errorf("push: a note counts %d subscriptions to %s, and must count 0 or more", n, name)
			}
		}
		for name, users := range a.Members {
			if err := protocol.CheckChannel(name); err != nil {
				return fmt.Errorf("push: a note has members of a channel: %w", err)
			}
			if !protocol.IsPresence(name) {
				return fmt.Errorf("push: a note has members of channel %s, which is no presence channel", name)
			}
			for id := range users {
				if err := protocol.CheckUserID(id); err != nil {
					return fmt.Errorf("push: a note has a member: %w", err)
				}
			}
		}
		for id := range a.Users {
			if err := protocol.CheckUserID(id); err != nil {
				return fmt.Errorf("push: a note has a user: %w", err)
			}
		}
	}
	return nil
}

// app returns the changes of one app.
func (c changes) app(id string) *appChanges {
	a := c[id]
	if a == nil {
		a = &appChanges{Counts: map[string]int{}, Members: map[string]map[string]*claim{}, Users: map[string]bool{}}
		c[id] = a
	}
	return a
}

func (a *appChanges) member(channel, id string, cl *claim) {
	users := a.Members[channel]
	if users == nil {
		users = map[string]*claim{}
		a.Members[channel] = users
	}
	users[id] = cl
}
