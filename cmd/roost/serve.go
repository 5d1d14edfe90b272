package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/roost-ws/roost/engine"
	"github.com/roost-ws/roost/push"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type serveCommand struct {
	life   life
	listen engine.ServerOptions
	tls    tlsFiles
	push   push.Options
	lists  appLists
	bus    busSettings
	dry    bool // check-config
}

func newServeCommand() *cobra.Command {
	cmd, _ := newServe()
	return cmd
}

func newServe() (*cobra.Command, *serveCommand) {
	var s serveCommand
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the push server: WebSockets, publish API, console and metrics on one port",
		Long: `Run the push server. Clients subscribe to channels over WebSockets (Pusher
Channels protocol 7), backends publish over the signed HTTP API. An app key and
secret that are not given are made up, printed to the terminal, and left in a file
that only this user can read, where roost pub and roost sub find them.`,
		Example: `  roost serve
  roost serve --addr 0.0.0.0:8080 --allowed-origin https://example.org --config roost.yaml
  roost serve --data /var/lib/roost --data-sync
  roost serve --config roost.yaml --check-config
  roost serve --bus nats://10.0.0.1:4222,nats://10.0.0.2:4222 --config roost.yaml
  roost serve --channels '[{"match":"orders-*","history":{"count":100,"age":"10m"}}]'
  ROOST_KEY=… ROOST_SECRET=… roost serve --app-id shop`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&s.listen.Addr, "addr", "127.0.0.1:8080", "listen on this `host:port`; port 0 takes a free one")
	registerPushFlags(f, &s.push)
	s.lists.register(f)
	s.bus.register(f)
	registerTuning(f, &s.listen, 10<<10)
	s.tls.register(f)
	s.listen.MaxOutbox = 1 << 20 // clients that are further behind come back and resume
	f.Lookup("max-outbox").DefValue = "1MiB"
	f.Lookup("ping-interval").Usage = "ping connections that stay silent this long, 0 for --activity-timeout"
	f.Lookup("idle-timeout").Usage = "end a connection that stays silent this long, 0 for --activity-timeout plus --pong-timeout"
	s.life.register(f)
	f.BoolVar(&s.dry, "check-config", false, "check all settings, print those that hold with secrets masked, and start nothing")
	return cmd, &s
}

func registerPushFlags(f *pflag.FlagSet, o *push.Options) {
	f.StringVar(&o.App.ID, "app-id", "1", "app id, in the path of the HTTP API")
	f.StringVar(&o.App.Key, "key", "", "app key, which clients connect with; made up if not given")
	f.StringVar(&o.App.Secret, "secret", "", "app secret, best given as ROOST_SECRET; made up if not given")
	f.StringVar(&o.Token, "token", "", "token of the console, 16 characters or more, best given as ROOST_TOKEN; made up if not given")
	f.StringSliceVar(&o.AllowedOrigins, "allowed-origin", nil, "`origin` of browsers that may connect; may be repeated; none means any")
	f.StringSliceVar(&o.Hosts, "host", nil, "host `name` that the console may be opened under, beside localhost and IP addresses")
	duration(f, &o.ActivityTimeout, "activity-timeout", 120*time.Second, time.Hour, "silence after which either side pings")
	duration(f, &o.PongTimeout, "pong-timeout", 30*time.Second, time.Hour, "silence beyond that which ends a connection")
	size(f, &o.Limits.MaxData, "max-data", 10<<10, 1, 1<<30, "largest published event")
	count(f, &o.Limits.MaxChannels, "max-channels", 256, 1, 1<<20, "most channels that one connection may be subscribed to")
	count(f, &o.Limits.MessageRate, "message-rate", 50, 1, 1<<20, "messages a second that one client may send for long")
	count(f, &o.Limits.MessageBurst, "message-burst", 512, 1, 1<<20, "messages that one client may send at once")
	count(f, &o.Limits.ClientEventRate, "client-event-rate", 10, 1, 1<<20, "client events a second that one client may send")
	count(f, &o.Limits.MaxMembers, "max-members", 100, 1, 1<<20, "most users in one presence channel")
	f.BoolVar(&o.App.SubscriptionCounts, "subscription-counts", false, "subscribers are told how many they are, in the whole fleet")
	f.BoolVar(&o.App.ClientEvents, "client-events", false, "clients may send events to each other on private and presence channels")
	count(f, &o.DrainRate, "drain-rate", 0, 0, 1<<20, "connections told to leave each second of a drain, 0 for as many as --drain-window needs")
	duration(f, &o.DrainWindow, "drain-window", 5*time.Second, time.Hour, "time over which clients leave and come back elsewhere; --shutdown-timeout must be longer")
	duration(f, &o.DrainDelay, "drain-delay", 0, time.Hour, "how long /readyz fails before the first client is told to leave")
	duration(f, &o.WebhookDelay, "webhook-delay", 3*time.Second, time.Minute, "how long channel_vacated and member_removed wait for a reconnect")
}

func (s *serveCommand) run(cmd *cobra.Command) error {
	if err := checkAddr(s.listen.Addr); err != nil {
		return err
	}
	given := texts(cmd.Flags())
	if err := errors.Join(s.refuseEmpty(), s.life.check()); err != nil {
		return err
	}
	if s.dry {
		if err := s.check(); err != nil {
			return err
		}
		for _, doubt := range s.doubts(cmd.Root()) {
			fmt.Fprintf(cmd.ErrOrStderr(), "roost: warning: %s\n", doubt)
		}
		return printSettings(cmd.OutOrStdout(), cmd.Flags(), given)
	}
	return s.life.run(cmd, func(in *launch) (server, error) {
		p, err := s.open(in)
		if err != nil {
			return nil, err
		}
		for _, doubt := range s.doubts(cmd.Root()) {
			in.log.Warn(doubt)
		}
		p.settings = texts(cmd.Flags())
		p.leaveCredentials(in.log)
		hello := p.greeting()
		if err := hello.print(cmd.OutOrStdout()); err != nil {
			in.log.Warn("stdout", "err", err)
		}
		return p, nil
	})
}

// open starts what serve runs, from the inside out.
func (s *serveCommand) open(in *launch) (*pushServer, error) {
	made := in.from.made()
	if err := s.complete(made); err != nil {
		return nil, err
	}
	s.push.Token = cmp.Or(s.push.Token, made.Token)
	s.push.Logger, s.listen.Config.Logger, s.listen.Inherit = in.log, in.log, in.fds
	s.push.Version = buildVersion()
	var err error
	if s.listen.TLS, err = s.tls.config(in.log); err != nil {
		return nil, err
	}
	spans, err := openTracing(in.log)
	if err != nil {
		return nil, err
	}
	s.push.Tracer = spans.tracer()
	eng, err := engine.New(s.listen.Config)
	if err != nil {
		return nil, err
	}
	s.listen.Engine = eng
	bus, err := s.openBus(in)
	if err != nil {
		if s.bus.exclusive() && !s.listen.ReusePort {
			err = errors.Join(in.holder(s.listen.Addr), err) // most likely the same process has both
		}
		return nil, errors.Join(err, eng.Close())
	}
	s.push.Bus = bus
	p, err := push.New(s.push)
	if err != nil {
		return nil, errors.Join(usageError{err}, bus.Close(), eng.Close())
	}
	sockets, err := engine.NewServer(p.Options(s.listen))
	if err != nil {
		return nil, errors.Join(in.explain(s.listen.Addr, err), eng.Close(), p.Close(), bus.Close())
	}
	in.tell(s.listen.Addr, sockets.Addr())
	return &pushServer{command: s, push: p, bus: bus, engine: eng, sockets: sockets, spans: spans}, nil
}

// complete checks what the flags say together, and fills in what they leave open.
func (s *serveCommand) complete(made kept) error {
	if err := s.lists.apply(&s.push, made); err != nil {
		return usageError{err}
	}
	if s.push.Token != "" {
		if err := (push.Options{App: push.RandomApp(), Token: s.push.Token}).Check(); err != nil {
			return usagef("%s: %s", whereSet(s.lists.flags, "token"), strings.TrimPrefix(err.Error(), "push: "))
		}
	}
	s.push.MaxMessage = int(s.listen.MaxPayload)
	if err := s.push.Check(); err != nil {
		return usageError{err}
	}
	return nil
}

// openBus has the process before this one give up the bus's folder at the last
// moment, when all else that can fail is known not to.
func (s *serveCommand) openBus(in *launch) (closingBus, error) {
	if s.bus.exclusive() {
		if err := in.from.release(in.log); err != nil {
			return nil, err
		}
	}
	for _, a := range append([]push.App{s.push.App}, s.push.Apps...) {
		s.bus.nats.MaxData = max(s.bus.nats.MaxData, a.Limits.MaxData, s.push.Limits.MaxData)
	}
	return s.bus.open(in.log)
}

// pushServer is the push server with the sockets that it is served on.
type pushServer struct {
	command  *serveCommand     // as it was started, but for what reload changes
	settings map[string]string // by flag, likewise
	push     *push.Server
	bus      io.Closer
	engine   *engine.Engine
	sockets  *engine.Server
	spans    *tracing
	left     string       // the credentials file
	forget   func() error // deletes it; nil when there is none
}

func (p *pushServer) conns() int { return int(p.engine.Stats().Conns) }

func (p *pushServer) listener() *engine.Server { return p.sockets }

// kept is passed on so that clients and the console's user go on with what was made
// up for them. What was configured, the next process reads for itself.
func (p *pushServer) kept() kept {
	a := p.command.push.App
	return kept{Key: a.Key, Secret: a.Secret, Token: p.push.Token()}
}

// release closes the bus. Connections have been told to leave by then: they get
// nothing more from here, and catch up where they go.
func (p *pushServer) release(ctx context.Context) error {
	return errors.Join(p.push.Drain(ctx), p.push.Close(), p.bus.Close())
}

// Shutdown tells clients to go to another server, waits for them to leave, and
// ends whoever is left when ctx does.
func (p *pushServer) Shutdown(ctx context.Context) error {
	p.foresee(ctx)
	var errs []error
	if err := p.push.Drain(ctx); err != nil {
		errs = append(errs, fmt.Errorf("drain: %w", err))
	}
	if p.forget != nil {
		errs = append(errs, p.forget())
	}
	return errors.Join(append(errs, p.sockets.Shutdown(ctx), p.engine.Close(), p.push.Close(), p.bus.Close(), p.spans.close())...)
}
