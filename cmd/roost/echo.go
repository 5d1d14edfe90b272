package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/roost-ws/roost/engine"
	"github.com/spf13/cobra"
)

type echoCommand struct {
	life      life
	options   engine.ServerOptions
	tls       tlsFiles
	broadcast bool
	deflate   bool
}

func newEchoCommand() *cobra.Command {
	var e echoCommand
	cmd := &cobra.Command{
		Use:   "echo",
		Short: "Run an echo server on the engine, for conformance and benchmarks",
		Long: `Run a WebSocket server that sends back every message as it came: text as
text, binary as binary. It is as lean as a server on the engine can be.`,
		Example: `  roost echo
  roost echo --addr 127.0.0.1:9001 --loops 1 --dispatch loop
  roost echo --broadcast                   # every message to every connection
  roost echo --tls-cert cert.pem --tls-key key.pem
  ROOST_MAX_PAYLOAD=16MiB roost echo`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&e.options.Addr, "addr", "127.0.0.1:8081", "listen on this `host:port`; port 0 takes a free one")
	f.BoolVar(&e.broadcast, "broadcast", false, "send every message to every connection")
	f.BoolVar(&e.deflate, "deflate", false, "compress messages for clients that offer it (permessage-deflate)")
	registerTuning(f, &e.options, 100<<20)
	f.Lookup("max-outbox").DefValue = "what --max-payload needs, 16MiB at least"
	e.tls.register(f)
	e.life.register(f)
	return cmd
}

func (e *echoCommand) run(cmd *cobra.Command) error {
	if err := errors.Join(checkAddr(e.options.Addr), e.life.check()); err != nil {
		return err
	}
	if !cmd.Flags().Changed("max-outbox") {
		// What may come must be able to go back, also when compressing makes it longer.
		e.options.MaxOutbox = max(e.options.MaxOutbox, int(e.options.MaxPayload+e.options.MaxPayload/64)+64<<10)
	}
	return e.life.run(cmd, func(in *launch) (server, error) {
		s, err := e.listen(in)
		if err != nil {
			return nil, in.explain(e.options.Addr, err)
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "echo on %s://%s/\n", e.tls.scheme("ws"), s.sockets.Addr()); err != nil {
			in.log.Warn("stdout", "err", err)
		}
		return s, nil
	})
}

func (e *echoCommand) listen(in *launch) (*echoServer, error) {
	e.options.Config.Logger, e.options.Inherit = in.log, in.fds
	var err error
	if e.options.TLS, err = e.tls.config(in.log); err != nil {
		return nil, err
	}
	eng, err := engine.New(e.options.Config)
	if err != nil {
		return nil, err
	}
	e.options.Engine = eng
	e.options.Handler = echoHandler()
	if e.broadcast {
		e.options.Handler = broadcastHandler(engine.NewTopic(eng))
	}
	if e.deflate {
		e.options.PerMessageDeflate = &engine.DeflateOptions{}
	}
	sockets, err := engine.NewServer(e.options)
	if err != nil {
		return nil, errors.Join(err, eng.Close())
	}
	in.tell(e.options.Addr, sockets.Addr())
	return &echoServer{eng, sockets}, nil
}

// echoServer keeps its engine apart from its sockets, since the topic of
// --broadcast needs the engine first.
type echoServer struct {
	engine  *engine.Engine
	sockets *engine.Server
}

func (s *echoServer) Shutdown(ctx context.Context) error {
	return errors.Join(s.sockets.Shutdown(ctx), s.engine.Close())
}

func (s *echoServer) conns() int { return int(s.engine.Stats().Conns) }

func (s *echoServer) listener() *engine.Server { return s.sockets }

func (s *echoServer) kept() kept { return kept{} }

func (s *echoServer) release(context.Context) error { return nil }

// reload has nothing to do: changed certificates count without a signal.
func (s *echoServer) reload(log *slog.Logger) error {
	log.Info("echo reads no settings again: send SIGUSR2 for a new process to take over")
	return nil
}

// echoHandler ignores Send's error: the connection is gone or over its limit,
// and the engine has dealt with it.
func echoHandler() engine.Handler {
	return engine.Handler{Message: func(c *engine.Conn, m engine.Message) {
		_ = c.Send(m.Opcode(), m.Data)
	}}
}

func broadcastHandler(everyone *engine.Topic) engine.Handler {
	return engine.Handler{
		Open:    func(c *engine.Conn, _ *engine.Request) { everyone.Subscribe(c) },
		Message: func(_ *engine.Conn, m engine.Message) { everyone.Publish(m.Opcode(), m.Data) },
	}
}
