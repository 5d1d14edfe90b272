//go:build unix

package engine

import (
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// Every method may be called within every function of a Handler: no lock is held
// there, and none of them waits for the connection's turn to end.
func TestR8EveryMethodInEveryCallback(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, cfg Config) {
		j := newJournal()
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}()
		topic := NewTopic(e)
		all := func(name string, c *Conn) {
			c.ReadyState()
			c.SetData(name)
			_ = c.Data()
			c.Engine().Stats()
			c.Server().Clients()
			c.Server().Addr()
			c.Protocol()
			c.Extensions()
			c.RemoteAddr()
			c.LocalAddr()
			c.BufferedAmount()
			c.Pause()
			c.IsPaused()
			c.Resume()
			topic.Subscribe(c)
			topic.Publish(Text, []byte("cast of "+name))
			topic.PublishExcept(c, Text, []byte("not for you"))
			topic.Len()
			topic.Unsubscribe(c)
			_ = c.SendText("from " + name)
			_ = c.Send(Binary, []byte(name))
			_ = c.Ping([]byte(name))
			_ = c.Pong(nil)
			c.Flush()
			if name == "last" || name == "Close" {
				_ = c.Close(1000, "")
			}
			if name == "Close" {
				c.Terminate()
			}
			j.note("%s", name)
		}
		s := serve(t, ServerOptions{Engine: e, Handler: Handler{
			Open: func(c *Conn, r *Request) { all("Open", c); j.conns <- c },
			Message: func(c *Conn, m Message) {
				if string(m.Data) == "bad" {
					return
				}
				all("Message", c)
			},
			Ping:  func(c *Conn, _ []byte) { all("Ping", c) },
			Pong:  func(c *Conn, _ []byte) { all("Pong", c) },
			Drain: func(c *Conn) { all("Drain", c) },
			Error: func(c *Conn, _ error) { all("Error", c) },
			Close: func(c *Conn, _ CloseCode, _ string) { all("Close", c) },
		}})
		p := join(t, s)
		c := j.conn(t)
		j.want(t, "Open")
		p.text("x")
		j.want(t, "Message")
		p.write(frameOf(codec.Ping, ""))
		j.want(t, "Ping")
		p.write(frameOf(codec.Pong, ""))
		j.want(t, "Pong")
		fill(t, c)
		go func() {
			for {
				if _, _, err := p.next(); err != nil {
					return
				}
			}
		}()
		j.want(t, "Drain")
		p.write([]byte(strings.Repeat("\xff", 20)))
		p.fin()
		j.want(t, "Error", "Close")
	})
}

// A connection may be ended in any of the ways by its own handler, at once.
func TestR8EndedByItsOwnHandler(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"Open", "Message"} {
		t.Run(in, func(t *testing.T) {
			modes(t, func(t *testing.T, cfg Config) {
				j := newJournal()
				h := j.handler()
				end := func(c *Conn) { c.Terminate() }
				if in == "Open" {
					h.Open = func(c *Conn, _ *Request) { end(c); j.note("open") }
				} else {
					h.Message = func(c *Conn, m Message) { end(c); j.note("message") }
				}
				s := serve(t, ServerOptions{Config: cfg, Handler: h})
				p := connect(t, s)
				p.write([]byte(upgradeHead), frameOf(Text, "1"), frameOf(Text, "2"))
				p.gone()
				j.want(t, "open")
				if in == "Message" {
					j.want(t, "message")
				}
				j.want(t, "close 1006")
			})
		})
	}
}

// A server may be closed by a handler, also on the loop that accepts for it.
func TestR8ServerClosedByItsOwnHandler(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"Open", "Message", "Close"} {
		t.Run(in, func(t *testing.T) {
			modes(t, func(t *testing.T, cfg Config) {
				closed := make(chan error, 1)
				end := func(c *Conn, where string) {
					if where == in {
						closed <- c.Server().Close()
					}
				}
				s := serve(t, ServerOptions{Config: cfg, Handler: Handler{
					Open:    func(c *Conn, _ *Request) { end(c, "Open") },
					Message: func(c *Conn, _ Message) { end(c, "Message") },
					Close:   func(c *Conn, _ CloseCode, _ string) { end(c, "Close") },
				}})
				p := connect(t, s)
				p.write([]byte(upgradeHead), frameOf(Text, "1"), closeOf(1000, ""))
				p.fin()
				if err := receive(t, closed, "Close"); err != nil {
					t.Fatal(err)
				}
				receive(t, s.gone, "the end of all connections")
			})
		})
	}
}
