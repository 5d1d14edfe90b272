//go:build unix

package engine_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/roost-ws/roost/engine"
)

// An echo server, and a client of it.
func ExampleNewServer() {
	server, err := engine.NewServer(engine.ServerOptions{
		Addr: "127.0.0.1:0",
		Handler: engine.Handler{
			Message: func(c *engine.Conn, m engine.Message) { _ = c.Send(m.Opcode(), m.Data) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	echoed := make(chan string)
	dialer := engine.Dialer{
		Engine:  server.Engine(), // client and server may share one
		Handler: engine.Handler{Message: func(_ *engine.Conn, m engine.Message) { echoed <- string(m.Data) }},
	}
	c, err := dialer.Dial(ctx, "ws://"+server.Addr().String()+"/")
	if err != nil {
		log.Fatal(err)
	}
	_ = c.SendText("hello")
	fmt.Println(<-echoed)
	fmt.Println(server.Shutdown(ctx))
	// Output:
	// hello
	// <nil>
}

// Functions of one connection, set where it opens, as with Node's ws.
func ExampleConn_OnMessage() {
	server, err := engine.NewServer(engine.ServerOptions{
		Host: "127.0.0.1", Port: engine.Port(0),
		Handler: engine.Handler{Open: func(c *engine.Conn, r *engine.Request) {
			name := r.Query().Get("name")
			c.OnMessage(func(c *engine.Conn, m engine.Message) { fmt.Printf("%s says %s\n", name, m.Data) })
			c.OnClose(func(_ *engine.Conn, code engine.CloseCode, reason string) {
				fmt.Printf("%s left: %d %s\n", name, code, reason)
			})
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dialer := engine.Dialer{Engine: server.Engine()}
	c, err := dialer.Dial(ctx, "ws://"+server.Addr().String()+"/?name=Ada")
	if err != nil {
		log.Fatal(err)
	}
	_ = c.SendText("hello")
	_ = c.Close(engine.CodeNormal, "bye")
	_ = server.Shutdown(ctx)
	// Output:
	// Ada says hello
	// Ada left: 1000 bye
}

// A chat room: what one says, all others hear.
func ExampleTopic() {
	e, err := engine.New(engine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	room := engine.NewTopic(e)
	server, err := engine.NewServer(engine.ServerOptions{
		Engine: e, Addr: "127.0.0.1:0",
		Handler: engine.Handler{
			Open:    func(c *engine.Conn, _ *engine.Request) { room.Subscribe(c) },
			Message: func(c *engine.Conn, m engine.Message) { room.PublishExcept(c, m.Opcode(), m.Data) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	heard := make(chan string)
	dialer := engine.Dialer{Engine: e, Handler: engine.Handler{
		Message: func(_ *engine.Conn, m engine.Message) { heard <- string(m.Data) },
	}}
	var members []*engine.Conn
	for range 3 {
		c, err := dialer.Dial(ctx, "ws://"+server.Addr().String()+"/")
		if err != nil {
			log.Fatal(err)
		}
		members = append(members, c)
	}
	for room.Len() < len(members) {
		time.Sleep(time.Millisecond)
	}
	_ = members[0].SendText("hello, you two")
	fmt.Println(<-heard)
	fmt.Println(<-heard)
	_ = server.Shutdown(ctx)
	_ = e.Close()
	// Output:
	// hello, you two
	// hello, you two
}

// Sockets on an http.Server that has routes of its own.
func ExampleServerOptions_server() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a page") })
	web := &http.Server{Addr: "127.0.0.1:8080", Handler: mux}

	sockets, err := engine.NewServer(engine.ServerOptions{
		Server:  web,
		Path:    "/chat",
		Handler: engine.Handler{Open: func(c *engine.Conn, _ *engine.Request) { _ = c.SendText("welcome") }},
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) { // or ListenAndServeTLS
			log.Print(err)
		}
	}()
	// At the end each of the two sees to its own connections.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	log.Print(web.Shutdown(ctx), sockets.Shutdown(ctx))
}

// A Server is an http.Handler: it mounts in any router.
func ExampleServer_ServeHTTP() {
	sockets, err := engine.NewServer(engine.ServerOptions{
		NoServer: true,
		Handler:  engine.Handler{Open: func(c *engine.Conn, r *engine.Request) { _ = c.SendText("you are at " + r.Path()) }},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /rooms/{room}", sockets)
	web := httptest.NewServer(mux)
	defer web.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dialer := engine.Dialer{Engine: sockets.Engine()}
	said := make(chan string)
	dialer.Handler.Message = func(_ *engine.Conn, m engine.Message) { said <- string(m.Data) }
	if _, err := dialer.Dial(ctx, "ws"+web.URL[len("http"):]+"/rooms/red"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-said)
	_ = sockets.Shutdown(ctx)
	// Output: you are at /rooms/red
}

// Who may come in: an answer at once, or one that takes its time.
func ExampleServerOptions_verify() {
	look := func(_ context.Context, token string) (bool, error) { return token == "secret", nil } // in a database
	server, err := engine.NewServer(engine.ServerOptions{
		Addr: "127.0.0.1:0",
		VerifyClientAsync: func(ctx context.Context, info *engine.VerifyInfo, done engine.VerifyCallback) {
			go func() { // the connection waits without a goroutine; the look-up has one
				ok, err := look(ctx, info.Req.Header("Authorization"))
				switch {
				case err != nil:
					done(false, http.StatusServiceUnavailable, "", http.Header{"Retry-After": {"5"}})
				default:
					done(ok, http.StatusForbidden, "no entry", nil)
				}
			}()
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, token := range []string{"secret", "guess"} {
		dialer := engine.Dialer{Engine: server.Engine(), Header: http.Header{"Authorization": {token}}}
		c, err := dialer.Dial(ctx, "ws://"+server.Addr().String()+"/")
		if err != nil {
			fmt.Println("refused")
			continue
		}
		fmt.Println(c.ReadyState())
	}
	_ = server.Shutdown(ctx)
	// Output:
	// OPEN
	// refused
}

// wss, with a certificate that is looked up for each connection, so that it can be
// replaced.
func ExampleServerOptions_tls() {
	server, err := engine.NewServer(engine.ServerOptions{
		Addr: ":8443",
		TLS: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair("cert.pem", "key.pem")
			return &pair, err
		}},
		HTTP:    http.FileServer(http.Dir("public")), // on the same port
		Handler: engine.Handler{Message: func(c *engine.Conn, m engine.Message) { _ = c.Send(m.Opcode(), m.Data) }},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
}

// A message written in parts, each of which leaves at once.
func ExampleConn_NextWriter() {
	report := func(c *engine.Conn, rows []string) error {
		w, err := c.NextWriter(engine.Text)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if _, err := io.WriteString(w, row); err != nil {
				return err
			}
		}
		return w.Close()
	}
	_ = engine.Handler{Message: func(c *engine.Conn, _ engine.Message) { _ = report(c, []string{"a", "b"}) }}
}

// A connection as a net.Conn, for protocols that want a stream of bytes.
func ExampleConn_NetConn() {
	server, err := engine.NewServer(engine.ServerOptions{
		Addr: "127.0.0.1:0",
		Handler: engine.Handler{Open: func(c *engine.Conn, _ *engine.Request) {
			stream := c.NetConn()
			go func() { // Read and Write block: not in a handler
				defer stream.Close()
				_, _ = io.Copy(stream, stream)
			}()
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	streams := make(chan io.ReadWriteCloser, 1)
	dialer := engine.Dialer{Engine: server.Engine(), Handler: engine.Handler{
		Open: func(c *engine.Conn, _ *engine.Request) { streams <- c.NetConn() },
	}}
	if _, err := dialer.Dial(ctx, "ws://"+server.Addr().String()+"/"); err != nil {
		log.Fatal(err)
	}
	stream := <-streams
	_, _ = io.WriteString(stream, "bytes")
	answer := make([]byte, 5)
	_, _ = io.ReadFull(stream, answer)
	fmt.Printf("%s\n", answer)
	_ = stream.Close()
	_ = server.Shutdown(ctx)
	// Output: bytes
}
