package loadtest

import (
	"cmp"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Pusher is how to speak to a server of Pusher Channels protocol 7, whoever made
// it, and what is published there: at times fixed beforehand, whatever the server
// does. It is only read.
type Pusher struct {
	Key    string // of the app
	AppID  string // of the app; publishing over HTTP needs it
	Secret string // of the app; publishing over HTTP and private channels need it

	Channels      int     // 0 = 1
	Subscriptions int     // channels that each connection subscribes to; 0 = 1
	Private       float64 // share of the channels that are private, from 0 to 1
	Presence      float64 // share that are presence channels
	// Prefix begins the names of the channels, behind "private-" or "presence-"; empty
	// = "loadtest-". A tag of this run follows, so that runs beside each other do not meet.
	Prefix string

	Rate       float64 // events a second over all channels; 0 = 10 in Push, none in Storm
	Size       int     // bytes of an event's data; 0 = 128; at least MinEventSize
	Zipf       float64 // exponent by which channels are chosen; 0 = in turn
	Client     bool    // publish client events, by the first subscriber of each channel, and not over HTTP
	Publishers int     // HTTP connections that publish; 0 = 4
	Batch      int     // events that one request may carry; 0 = 1

	// Resume asks for what was missed when a connection comes back, which needs a server that keeps
	// history and knows Roost's positions.
	Resume bool

	names []string // of the channels
}

const (
	maxChannels    = 1 << 20
	maxSubscribed  = 1 << 16
	maxBatch       = 1000
	maxPublishers  = 1 << 12
	maxPusherFrame = 1 << 20 // a presence channel's list of members is the largest
)

// Signs reports whether Secret is needed: for private and presence channels, client events, which
// only those take, and publishing over HTTP.
func (p *Pusher) Signs() bool { return p.Private+p.Presence > 0 || p.Client || p.Rate > 0 }

func (p *Pusher) normalize(o *Options) error {
	if err := o.Part.check(o.Conns); err != nil {
		return err
	}
	p.Channels, p.Subscriptions = cmp.Or(p.Channels, 1), cmp.Or(p.Subscriptions, 1)
	p.Size, p.Publishers, p.Batch = cmp.Or(p.Size, 128), cmp.Or(p.Publishers, 4), cmp.Or(p.Batch, 1)
	p.Prefix = cmp.Or(p.Prefix, "loadtest-")
	if p.Client {
		p.Private = max(p.Private, 1-p.Presence) // no other channel takes client events
	}
	switch {
	case p.Key == "":
		return invalid("no app key: give the one that the server knows")
	case p.Secret == "" && p.Signs():
		return invalid("no app secret: private channels and publishing over HTTP are signed with it")
	case p.AppID == "" && p.Rate > 0 && !p.Client:
		return invalid("no app id: it is in the path of the HTTP API")
	case p.Channels < 1 || p.Channels > maxChannels:
		return invalid("%d channels: want 1 to %d", p.Channels, maxChannels)
	case p.Subscriptions < 1 || p.Subscriptions > min(p.Channels, maxSubscribed):
		return invalid("%d subscriptions a connection: want 1 to %d, the channels there are", p.Subscriptions, min(p.Channels, maxSubscribed))
	case p.Channels > o.Conns*p.Subscriptions:
		return invalid("%d channels and %d subscriptions: some channels would have no subscriber", p.Channels, o.Conns*p.Subscriptions)
	case p.Private < 0 || p.Presence < 0 || p.Private+p.Presence > 1+1e-9:
		return invalid("shares of private and presence channels of %g and %g: want 0 to 1 together", p.Private, p.Presence)
	case p.Rate < 0 || p.Zipf < 0:
		return invalid("rate and zipf exponent must not be negative")
	case p.Publishers < 1 || p.Publishers > maxPublishers || p.Batch < 1 || p.Batch > maxBatch:
		return invalid("%d publishers of %d events a request: want 1 to %d, of 1 to %d", p.Publishers, p.Batch, maxPublishers, maxBatch)
	case p.Size > maxPusherFrame/2:
		return invalid("events of %d bytes: want at most %d", p.Size, maxPusherFrame/2)
	}
	p.divide(o)
	return nil
}

// divide takes this process's share. Parts of a run have channels of their own, so
// that each knows what was published on them, and by which clock.
func (p *Pusher) divide(o *Options) {
	p.Channels = min(max(1, o.Part.count(p.Channels)), o.Part.count(o.Conns)*p.Subscriptions)
	p.Subscriptions = min(p.Subscriptions, p.Channels)
	p.Rate = o.Part.rate(p.Rate)
	p.Publishers = min(max(1, o.Part.count(p.Publishers)), p.Channels)
	tag := strconv.FormatUint(uint64(rand.Uint32()), 36)
	for c := range p.Channels {
		p.names = append(p.names, p.kind(c)+p.Prefix+tag+"-"+strconv.Itoa(c))
	}
}

// kind is what the name of channel c begins with.
func (p *Pusher) kind(c int) string {
	switch at := (float64(c) + 0.5) / float64(p.Channels); {
	case at < p.Presence:
		return "presence-"
	case at < p.Presence+p.Private:
		return "private-"
	}
	return ""
}

// app makes the URL of WebSockets out of the server's, which may be one already.
func (p *Pusher) app(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", invalid("%w", err)
	}
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	if !strings.Contains(u.Path, "/app/") {
		u.Path = strings.TrimSuffix(u.Path, "/") + "/app/" + p.Key
	}
	if u.RawQuery == "" {
		u.RawQuery = "protocol=7&client=roost-loadtest&version=1.0"
	}
	return u.String(), nil
}

// apps does so with all of o's URLs.
func (p *Pusher) apps(o *Options) (err error) {
	if o.URL, err = p.app(o.URL); err != nil {
		return err
	}
	more := make([]string, len(o.More))
	for i, u := range o.More {
		if more[i], err = p.app(u); err != nil {
			return err
		}
	}
	o.More = more
	return nil
}

// channelOf is the number of connection id's subscription j.
func (p *Pusher) channelOf(id uint32, j int) uint32 {
	return uint32((uint64(id)*uint64(p.Subscriptions) + uint64(j)) % uint64(p.Channels))
}

// subscriptionOf is the inverse: which subscription of connection id channel c is,
// and none when it is Subscriptions or above.
func (p *Pusher) subscriptionOf(id, c uint32) int {
	first := p.channelOf(id, 0)
	if c >= first {
		return int(c - first)
	}
	return int(c) + p.Channels - int(first)
}

// senderOf is the connection that publishes channel c's client events.
func (p *Pusher) senderOf(c uint32) (id uint32) { return c / uint32(p.Subscriptions) }

// hears reports whether connection id gets channel c's events.
func (p *Pusher) hears(id, c uint32) bool { return !p.Client || p.senderOf(c) != id }

// member is the channel_data of a connection in presence channels.
func member(id uint32) string { return fmt.Sprintf(`{"user_id":"%d"}`, id) }

// subscribe appends the frame for one channel, signed where it has to be.
func (p *Pusher) subscribe(dst []byte, id, c uint32, socket, epoch string, seq uint64) []byte {
	name, auth, data := p.names[c], "", ""
	if strings.HasPrefix(name, "presence-") {
		data = member(id)
	}
	if data != "" || strings.HasPrefix(name, "private-") {
		text := socket + ":" + name
		if data != "" {
			text += ":" + data
		}
		auth = p.Key + ":" + signed(p.Secret, text)
	}
	return appendSubscribe(dst, name, auth, data, epoch, seq)
}

// apiPath is the request target that publishes body, signed.
func (p *Pusher) apiPath(base, method string, body []byte, now time.Time) string {
	sum := md5.Sum(body) // the API's choice
	path := base + "/apps/" + p.AppID + "/" + method
	stamp := strconv.FormatInt(now.Unix(), 10)
	rest := "&auth_timestamp=" + stamp + "&auth_version=1.0&body_md5=" + hex.EncodeToString(sum[:])
	signature := signed(p.Secret, "POST\n"+path+"\nauth_key="+p.Key+rest)
	return path + "?auth_key=" + url.QueryEscape(p.Key) + rest + "&auth_signature=" + signature
}

func signed(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
