package natsbus

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// check reads the addresses as NATS will, whose errors would tell a password.
func (o *Options) check() error {
	for i, address := range strings.Split(o.URL, ",") {
		_, err := url.Parse(strings.TrimSpace(address))
		if ue, ok := errors.AsType[*url.Error](err); ok {
			return fmt.Errorf("natsbus: address %d of NATS can't be read: %w: write nats://user:password@host:port, the password percent-encoded", i+1, ue.Err)
		}
	}
	return nil
}

// nats are the options of the connection: it comes back for ever, and spread over
// time, as all servers lose it in the same moment.
func (o *Options) nats() []nats.Option {
	list := []nats.Option{
		nats.Name("roost"), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.ReconnectBufSize(-1), // a publisher is told at once that NATS is away
		// A partition is noticed within seconds, and half-open connections with it:
		// by what is not answered, or is not even taken.
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(stallTime), nats.SetCustomDialer(dialer{}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // else we closed it
				o.Logger.Warn("NATS connection lost", "err", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Logger.Info("NATS connection is back") }),
		nats.ErrorHandler(o.trouble()),
	}
	if o.Embedded != nil {
		list = append(list, nats.InProcessServer(o.Embedded.server))
	}
	if o.Credentials != "" {
		list = append(list, nats.UserCredentials(o.Credentials))
	}
	if o.CA != "" {
		list = append(list, nats.RootCAs(o.CA))
	}
	if o.TLSCert != "" || o.TLSKey != "" {
		list = append(list, nats.ClientCert(o.TLSCert, o.TLSKey))
	}
	return list
}

// trouble logs what NATS's client can tell nobody else. A subscription that drops what
// comes turns slow and back with each message that it takes, which is logged once a
// second at most.
func (o *Options) trouble() nats.ErrHandler {
	var told time.Time // one goroutine of the client tells of all slow ones
	return func(_ *nats.Conn, sub *nats.Subscription, err error) {
		if !errors.Is(err, nats.ErrSlowConsumer) || sub == nil {
			o.Logger.Warn("NATS", "err", err)
			return
		}
		if now := time.Now(); now.Sub(told) >= time.Second {
			told = now
			dropped, _ := sub.Dropped() // it fails when the subscription has ended
			o.Logger.Warn("NATS", "err", err, "subject", sub.Subject, "dropped_so_far", dropped)
		}
	}
}
