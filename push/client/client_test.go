package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/client"
	"go.uber.org/goleak"
)

// Importing ants began a pool of its own.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

const patience = 10 * time.Second

var app = push.App{
	ID: "7", Key: "key", Secret: "very secret",
	Channels: []push.Pattern{{Match: "kept-*", History: push.Retention{Count: 10000, Age: time.Minute}}},
}

// serve runs a push server and returns its address.
func serve(t *testing.T, addr string) (url string, p *push.Server, end func()) {
	t.Helper()
	p, err := push.New(push.Options{App: app, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := engine.NewServer(p.Options(engine.ServerOptions{Addr: addr}))
	if err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		if err := errors.Join(p.Close(), srv.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	return "http://" + srv.Addr().String(), p, end
}

func dial(t *testing.T, url string, change func(*client.Options)) *client.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	o := client.Options{
		URL: url, AppID: app.ID, Key: app.Key, Secret: app.Secret, MinBackoff: 10 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		HTTP: &http.Client{Transport: transport, Timeout: patience},
	}
	if change != nil {
		change(&o)
	}
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// listener runs Subscribe until the test ends.
type listener struct {
	messages   chan client.Message
	subscribed chan string
	lost       chan error
	done       chan error
}

func listen(ctx context.Context, c *client.Client, channels ...string) *listener {
	l := &listener{make(chan client.Message, 100), make(chan string, 100), make(chan error, 100), make(chan error, 1)}
	go func() {
		l.done <- c.Subscribe(ctx, client.Subscription{
			Channels:     channels,
			Message:      func(m client.Message) { l.messages <- m },
			Subscribed:   func(channel string) { l.subscribed <- channel },
			Disconnected: func(err error, _ time.Duration) { l.lost <- err },
		})
	}()
	return l
}

func next[T any](t *testing.T, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
	return v
}

func TestPublishedEventsReachSubscribers(t *testing.T) {
	url, _, _ := serve(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := dial(t, url, nil)
	l := listen(ctx, c, "news", "private-desk")
	next(t, "subscription", l.subscribed)
	next(t, "subscription", l.subscribed)
	want := client.Message{Channel: "private-desk", Event: "e", Data: `{"a": "é"}`}
	if err := c.Publish(ctx, client.Event{Channels: []string{want.Channel}, Name: want.Event, Data: want.Data}); err != nil {
		t.Fatal(err)
	}
	if got := next(t, "message", l.messages); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	cancel()
	if err := next(t, "end", l.done); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestSubscriberComesBackAfterTheServer(t *testing.T) {
	url, p, end := serve(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := dial(t, url, nil)
	l := listen(ctx, c, "news")
	next(t, "subscription", l.subscribed)
	if err := p.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	next(t, "loss", l.lost)
	end()
	serve(t, strings.TrimPrefix(url, "http://"))
	next(t, "second subscription", l.subscribed)
	if err := c.Publish(ctx, client.Event{Channels: []string{"news"}, Name: "e", Data: "again"}); err != nil {
		t.Fatal(err)
	}
	if got := next(t, "message", l.messages); got.Data != "again" {
		t.Errorf("got %+v", got)
	}
	cancel()
	next(t, "end", l.done)
}

func TestSubscriberGivesUpWhereTryingAgainIsPointless(t *testing.T) {
	url, _, _ := serve(t, "127.0.0.1:0")
	wrongKey := dial(t, url, func(o *client.Options) { o.Key = "other" })
	err := next(t, "end", listen(t.Context(), wrongKey, "news").done)
	if ce, ok := errors.AsType[*client.CloseError](err); !ok || ce.Code != 4001 {
		t.Errorf("wrong key: %v", err)
	}
	wrongSecret := dial(t, url, func(o *client.Options) { o.Secret = "other" })
	err = next(t, "end", listen(t.Context(), wrongSecret, "private-a").done)
	if se, ok := errors.AsType[*client.SubscriptionError](err); !ok || se.Channel != "private-a" {
		t.Errorf("wrong secret: %v", err)
	}
	noSecret := dial(t, url, func(o *client.Options) { o.Secret = "" })
	if err := next(t, "end", listen(t.Context(), noSecret, "private-a").done); err == nil || !strings.Contains(err.Error(), "Secret") {
		t.Errorf("no secret: %v", err)
	}
	if err := next(t, "end", listen(t.Context(), noSecret).done); err == nil {
		t.Error("no channel accepted")
	}
	if err := next(t, "end", listen(t.Context(), noSecret, "a b").done); err == nil {
		t.Error("channel \"a b\" accepted")
	}
}

func TestPublishTellsWhatTheServerRefused(t *testing.T) {
	url, _, end := serve(t, "127.0.0.1:0")
	c := dial(t, url, nil)
	err := c.Publish(t.Context(), client.Event{Channels: []string{"a b"}, Name: "e"})
	if se, ok := errors.AsType[*client.StatusError](err); !ok || se.Status != 400 || !strings.Contains(se.Msg, "a b") {
		t.Errorf("bad channel: %v", err)
	}
	err = dial(t, url, func(o *client.Options) { o.Secret = "other" }).Publish(t.Context(), client.Event{Channels: []string{"c"}, Name: "e"})
	if se, ok := errors.AsType[*client.StatusError](err); !ok || se.Status != 401 {
		t.Errorf("wrong secret: %v", err)
	}
	end()
	err = c.Publish(t.Context(), client.Event{Channels: []string{"c"}, Name: "e"})
	if err == nil || strings.Contains(err.Error(), "auth_signature") {
		t.Errorf("no server: %v", err)
	}
}

func TestEventsUpToTheServersLimitAreTaken(t *testing.T) {
	p, err := push.New(push.Options{App: app, Limits: push.Limits{MaxData: 4 << 20}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := engine.NewServer(p.Options(engine.ServerOptions{Addr: "127.0.0.1:0"}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(p.Close(), srv.Close()); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	url := "http://" + srv.Addr().String()
	l, small := listen(ctx, dial(t, url, nil), "c"), listen(ctx, dial(t, url, func(o *client.Options) { o.MaxMessage = 1 << 20 }), "c")
	next(t, "subscription", l.subscribed)
	next(t, "subscription", small.subscribed)
	event := pushEvent("c", strings.Repeat("x", 4<<20))
	if err := p.Publish(ctx, event); err != nil {
		t.Fatal(err)
	}
	if m := next(t, "message", l.messages); m.Data != event.Data {
		t.Errorf("%d bytes", len(m.Data))
	}
	if err := next(t, "loss", small.lost); !errors.Is(err, websocket.ErrMessageTooBig) {
		t.Errorf("above MaxMessage: %v", err)
	}
	cancel()
	next(t, "end", l.done)
	next(t, "end", small.done)
}

func TestOptionsThatCanNotWorkAreRefused(t *testing.T) {
	for _, o := range []client.Options{{}, {URL: "x", Key: "k"}, {URL: "ftp://h", Key: "k"}, {URL: "http://h"}, {URL: "http://h", Key: "k", MaxMessage: -1}, {URL: "http://", Key: "k"}} {
		if _, err := client.New(o); err == nil {
			t.Errorf("%+v accepted", o)
		}
	}
}
