package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/push/protocol"
)

const (
	handshakeTimeout = 10 * time.Second
	activityTimeout  = 120 * time.Second // unless the server asks for less
	pongTimeout      = 30 * time.Second
)

// session is one connection: dial, be greeted, subscribe, read until it ends.
// up reports whether the server had greeted us, and after is when it wants us back.
func (c *Client) session(ctx context.Context, s *Subscription, last positions) (up bool, after time.Duration, err error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return false, 0, err
	}
	defer conn.CloseNow()
	id, activity, err := greeting(ctx, conn)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return false, 0, fmt.Errorf("client: %s did not come within %v: is %s a Pusher server?", protocol.EventConnected, handshakeTimeout, c.base.Host)
	}
	if err != nil {
		return false, 0, closeError(err)
	}
	if s.Connected != nil {
		s.Connected(id)
	}
	if err := c.ask(ctx, conn, id, s, last); err != nil {
		return true, 0, closeError(err)
	}
	// A ping needs a reader for its pong, so it has a goroutine of its own, and
	// ends the reader by closing when no pong comes.
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); keepAlive(ctx, conn, activity) }()
	defer func() { cancel(); <-done }()
	after, err = listen(ctx, conn, s, last)
	return true, after, closeError(err)
}

func (c *Client) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	u := *c.base
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	u.Path += "/app/" + c.opts.Key
	u.RawQuery = url.Values{"protocol": {"7"}, "client": {"roost-go"}, "version": {"1.0"}}.Encode()
	client := *c.http
	client.Timeout = 0 // it would count for the whole life of the connection
	conn, res, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: &client})
	if err != nil {
		if res != nil && res.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("client: connect to %s: answered %s", u.Host, res.Status)
		}
		return nil, fmt.Errorf("client: connect to %s: %w", u.Host, err)
	}
	conn.SetReadLimit(c.opts.MaxMessage)
	return conn, nil
}

func greeting(ctx context.Context, conn *websocket.Conn) (id string, activity time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	for {
		f, err := read(ctx, conn)
		if err != nil {
			return "", 0, err
		}
		if f.Event != protocol.EventConnected {
			continue // pusher:error, which a close with the same code follows
		}
		var hello struct {
			SocketID        string `json:"socket_id"`
			ActivityTimeout int    `json:"activity_timeout"`
		}
		if err := protocol.DecodeData(f.Data, &hello); err != nil {
			return "", 0, fmt.Errorf("client: decode %s: %w", f.Event, err)
		}
		activity = activityTimeout
		if d := time.Duration(hello.ActivityTimeout) * time.Second; 0 < d && d < activity {
			activity = d
		}
		return hello.SocketID, activity, nil
	}
}

// ask sends a subscription for each channel, signed where that is needed.
func (c *Client) ask(ctx context.Context, conn *websocket.Conn, id string, s *Subscription, last positions) error {
	type data struct {
		Channel string `json:"channel"`
		Auth    string `json:"auth,omitempty"`
		Member  string `json:"channel_data,omitempty"`

		Position *protocol.Position `json:"position,omitempty"`
	}
	member, err := json.Marshal(map[string]string{"user_id": s.UserID})
	if err != nil {
		return fmt.Errorf("client: encode member: %w", err)
	}
	for _, name := range s.Channels {
		d := data{Channel: name, Position: last.of(name)}
		if protocol.IsPresence(name) {
			d.Member = string(member)
		}
		if protocol.NeedsAuth(name) {
			d.Auth = protocol.SignChannel(c.opts.Key, c.opts.Secret, id, name, d.Member)
		}
		text, err := json.Marshal(d)
		if err != nil {
			return fmt.Errorf("client: encode subscription: %w", err)
		}
		if err := conn.Write(ctx, websocket.MessageText, protocol.AppendFrame(nil, protocol.EventSubscribe, "", text)); err != nil {
			return err
		}
	}
	return nil
}

func listen(ctx context.Context, conn *websocket.Conn, s *Subscription, last positions) (after time.Duration, err error) {
	for {
		f, err := read(ctx, conn)
		if err != nil {
			return after, err
		}
		switch {
		case f.Event == protocol.EventPing:
			err = conn.Write(ctx, websocket.MessageText, protocol.AppendFrame(nil, protocol.EventPong, "", []byte("{}")))
		case f.Event == protocol.EventError:
			after = comeBack(f)
		case f.Event == protocol.EventSubscriptionError:
			err = refusal(f)
		case f.Event == protocol.EventSubscribed:
			err = last.confirmed(s, f)
		case !strings.HasPrefix(f.Event, "pusher:") && !strings.HasPrefix(f.Event, "pusher_internal:"):
			err = last.heard(s, f)
		}
		if err != nil {
			return after, err
		}
	}
}

// comeBack is when a server that sends us elsewhere wants us to connect.
func comeBack(f protocol.Frame) time.Duration {
	var d struct {
		After int64 `json:"reconnect_after_ms"`
	}
	if protocol.DecodeData(f.Data, &d) != nil {
		return 0
	}
	return time.Duration(max(0, min(d.After, 1e9))) * time.Millisecond
}

func refusal(f protocol.Frame) error {
	var d struct{ Error string }
	if protocol.DecodeData(f.Data, &d) != nil || d.Error == "" {
		d.Error = string(f.Data)
	}
	return &SubscriptionError{Channel: f.Channel, Reason: d.Error}
}

func read(ctx context.Context, conn *websocket.Conn) (f protocol.Frame, err error) {
	_, text, err := conn.Read(ctx)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("client: the server sent no JSON: %w", err)
	}
	return f, nil
}

// keepAlive pings every so often: the protocol asks for it after that much
// silence, and an unneeded ping costs less than watching for silence.
func keepAlive(ctx context.Context, conn *websocket.Conn, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		pong, cancel := context.WithTimeout(ctx, pongTimeout)
		err := conn.Ping(pong)
		cancel()
		if err != nil {
			conn.CloseNow()
			return
		}
	}
}

func closeError(err error) error {
	if ce, ok := errors.AsType[websocket.CloseError](err); ok && protocol.Terminal(int(ce.Code)) {
		return &CloseError{Code: int(ce.Code), Reason: ce.Reason}
	}
	return err
}
