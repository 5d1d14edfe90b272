package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// Event is what is published: one name and data for one or more channels.
type Event struct {
	Channels []string // 1 to 100
	Name     string   // at most 200 bytes, not beginning with "pusher:"
	Data     string   // any text, best JSON; at most 10 KiB
	SocketID string   // a connection that shall not get it; may be empty
	ID       string   // at most 128 visible ASCII characters; published again with the same, channels with history have it once; may be empty
}

// StatusError is an answer of the HTTP API other than 200.
type StatusError struct {
	Status int
	Msg    string // what the server said
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("client: the server answered %d %s: %s", e.Status, http.StatusText(e.Status), e.Msg)
}

// Publish hands the event to the server and returns when it has been accepted,
// which is before it is delivered. The error is a *StatusError when the server
// refused it, else net/http's.
func (c *Client) Publish(ctx context.Context, e Event) error {
	if c.opts.AppID == "" || c.opts.Secret == "" {
		return errors.New("client: publishing needs the app id and the secret: set both in Options")
	}
	body, err := json.Marshal(struct {
		Name     string   `json:"name"`
		Channels []string `json:"channels"`
		Data     string   `json:"data"`
		SocketID string   `json:"socket_id,omitempty"`
	}{e.Name, e.Channels, e.Data, e.SocketID})
	if err != nil {
		return fmt.Errorf("client: encode event: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.signed("/apps/"+c.opts.AppID+"/events", body), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if e.ID != "" {
		req.Header.Set("Idempotency-Key", e.ID)
	}
	return c.do(req)
}

func (c *Client) do(req *http.Request) error {
	res, err := c.http.Do(req)
	if err != nil {
		// url.Error would print the signed query.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return fmt.Errorf("client: %s %s: %w", req.Method, req.URL.Host, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("client: read answer: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var said struct{ Error string }
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = strings.TrimSpace(string(text))
	}
	return &StatusError{Status: res.StatusCode, Msg: said.Error}
}

// signed returns the address of path with the authentication parameters.
func (c *Client) signed(path string, body []byte) string {
	query := url.Values{
		"auth_key":       {c.opts.Key},
		"auth_timestamp": {strconv.FormatInt(time.Now().Unix(), 10)},
		"auth_version":   {"1.0"},
		"body_md5":       {protocol.BodyMD5(body)},
	}
	path = c.base.Path + path
	query.Set("auth_signature", protocol.SignRequest(c.opts.Secret, http.MethodPost, path, query))
	u := *c.base
	u.Path, u.RawQuery = path, query.Encode()
	return u.String()
}
