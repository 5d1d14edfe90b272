package engine

// What follows sets the functions of one connection, mostly within Open. They take
// the place of those in its Handler; nil sets none. A connection that sets nothing
// shares the server's Handler and pays nothing. A message that is being handled
// meanwhile is still the function's that was there before.

// SetHandler makes h c's Handler. h may serve many connections; it is only read, and
// must not be changed any more. Its Open is called if SetHandler is called within
// Open.
func (c *Conn) SetHandler(h *Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(flagOwnHandler)
	c.handler.Store(h)
}

// change stores a copy of c's Handler that f changed. Those who read it take no
// lock, so what they have is never written to.
func (c *Conn) change(f func(h *Handler)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := *c.handler.Load()
	if !c.is(flagOwnHandler) {
		c.set(flagOwnHandler)
		h.Open = nil // what is there now is called already
	}
	f(&h)
	c.handler.Store(&h)
}

// OnOpen sets Handler.Open. c is open when the handler first sees it, so this has a
// use only within Open: f is called once, when Open has returned, before the first
// message.
func (c *Conn) OnOpen(f func(c *Conn, r *Request)) { c.change(func(h *Handler) { h.Open = f }) }

// OnMessage sets Handler.Message.
func (c *Conn) OnMessage(f func(c *Conn, m Message)) { c.change(func(h *Handler) { h.Message = f }) }

// OnPing sets Handler.Ping.
func (c *Conn) OnPing(f func(c *Conn, data []byte)) { c.change(func(h *Handler) { h.Ping = f }) }

// OnPong sets Handler.Pong.
func (c *Conn) OnPong(f func(c *Conn, data []byte)) { c.change(func(h *Handler) { h.Pong = f }) }

// OnDrain sets Handler.Drain.
func (c *Conn) OnDrain(f func(c *Conn)) { c.change(func(h *Handler) { h.Drain = f }) }

// OnError sets Handler.Error.
func (c *Conn) OnError(f func(c *Conn, err error)) { c.change(func(h *Handler) { h.Error = f }) }

// OnClose sets Handler.Close.
func (c *Conn) OnClose(f func(c *Conn, code CloseCode, reason string)) {
	c.change(func(h *Handler) { h.Close = f })
}
