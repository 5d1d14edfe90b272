package natsbus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/roost-ws/roost/push"
)

// told is how many texts may wait for one listener; more are dropped.
const told = 16384

// Tell sends by core NATS, and fails while there is no connection.
func (b *Bus) Tell(_ context.Context, node string, text []byte) error {
	if err := push.CheckTold(text); err != nil {
		return err
	}
	subject := b.opts.Prefix + ".all"
	if node != "" {
		subject = b.opts.Prefix + ".node." + node
	}
	if err := b.nc.Publish(subject, text); err != nil {
		return fmt.Errorf("natsbus: tell other servers: %w", err)
	}
	return nil
}

// Listen returns once NATS knows of it. Both subjects come through one channel,
// for a text to one server must not overtake one to all.
func (b *Bus) Listen(node string, f func(text []byte)) (stop func(), err error) {
	queue := make(chan *nats.Msg, told)
	var subs []*nats.Subscription
	for _, subject := range []string{b.opts.Prefix + ".all", b.opts.Prefix + ".node." + node} {
		sub, err := b.nc.ChanSubscribe(subject, queue)
		if err != nil {
			return nil, fmt.Errorf("natsbus: listen for other servers: %w", err)
		}
		subs = append(subs, sub)
	}
	if err := b.nc.FlushTimeout(answerTime); err != nil {
		return nil, fmt.Errorf("natsbus: listen for other servers: %w", err)
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case m := <-queue:
				f(m.Data)
			}
		}
	}()
	return func() {
		for _, sub := range subs {
			// It fails when the connection is closed, and then nothing comes any more.
			_ = sub.Unsubscribe()
		}
		close(quit)
		<-done
	}, nil
}
