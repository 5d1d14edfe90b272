package engine

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/roost-ws/roost/poller"
)

// Conn is one WebSocket connection. Its methods may be called from any
// goroutine, also from within its handler, and also after it closed.
type Conn struct {
	loop    *loop
	policy  *policy
	handler atomic.Pointer[Handler]
	work    atomic.Uint32 // marks, and held while queued or in a turn
	flags   atomic.Uint32 // written under mu, read anywhere
	seen    atomic.Uint32 // tick of the last byte in; when opened or closing: of that

	// Owned by the holder of the turn.
	in *inbound // nil at a message boundary

	mu    sync.Mutex
	fd    int32        // -1 once closed
	armed poller.Ready // what the poller has been told
	hold  hold         // why not to read
	out   *outbox      // nil when nothing is queued
	ext   *extra       // nil for most
	seats *seat        // topics
	data  any          // the user's

	// Guarded by the wheel.
	due        uint32
	next, prev *Conn
}

// extra is what only some connections have.
type extra struct {
	hs       *handshake
	deflate  *deflate // set before the connection opens
	after    *after   // what waits for the end of a message in fragments; see flagAfter
	tls      *tlsConn // set before the connection is watched
	protocol string
	code     CloseCode // from the peer's close frame
	reason   string
	err      error      // the first failure, not yet told to the handler
	addr     *remoteKey // nil when its connections are not counted
	pongs    int        // automatic, that wait for a full kernel; of the turn's holder
	far      *far       // behind a bridge; set before the connection is watched
}

// Marks say why a connection wants a turn. The low ones are the poller's.
const (
	markRead   = uint32(poller.Readable)
	markWrite  = uint32(poller.Writable)
	markHangup = uint32(poller.Hangup)
	markTimer  = uint32(1 << 4)
	markKick   = uint32(1 << 5) // something was changed from outside
	held       = uint32(1 << 31)
)

// State is where a connection is in its life, with the values of the WebSocket
// API's readyState.
type State uint32

const (
	Connecting State = iota // the handshake is under way; no handler has seen it
	Open
	Closing // no more messages may be sent
	Closed
)

func (s State) String() string {
	return [...]string{"CONNECTING", "OPEN", "CLOSING", "CLOSED"}[s&3]
}

// The flags: two bits of State, and facts about a connection.
const (
	flagState      = uint32(3)
	flagOpened     = uint32(1 << (iota + 1)) // Open was called
	flagCorked                               // a turn is on: output waits for its end
	flagBlocked                              // the kernel took no more
	flagHeld                                 // hold is not empty
	flagSentEnd                              // our close frame, or a refusal, is queued
	flagGotClose                             // the peer's close frame was read
	flagFailed                               // the peer broke the protocol: input is discarded
	flagFIN                                  // our FIN is sent
	flagEOF                                  // the peer's came
	flagBroken                               // the descriptor failed: nothing more goes out
	flagKilled                               // finish at the next step
	flagPinged                               // a heartbeat is out and nothing came since
	flagFull                                 // the outbox was above its high-water mark
	flagFragment                             // a message is being sent in fragments
	flagDeflate                              // permessage-deflate was agreed: ext.deflate is set
	flagTLS                                  // ext.tls is set
	flagOwnHandler                           // handler is the connection's own
	flagWriter                               // a NextWriter is in use
	flagAfter                                // ext.after holds something
)

// flagDeaf are those under which input is not decoded any more.
const flagDeaf = flagGotClose | flagFailed | flagKilled

// hold is the set of reasons not to read (R6).
type hold uint8

const (
	holdUser   hold = 1 << iota // Pause
	holdOutput                  // own output above its high-water mark
	holdUnread                  // a NetConn that is not read from
	holdMemory                  // the memory budget, of a connection that holds some of it
)

func (c *Conn) is(f uint32) bool { return c.flags.Load()&f != 0 }
func (c *Conn) set(f uint32)     { c.flags.Store(c.flags.Load() | f) }  // under mu
func (c *Conn) unset(f uint32)   { c.flags.Store(c.flags.Load() &^ f) } // under mu

func (c *Conn) setState(s State) { // under mu
	c.flags.Store(c.flags.Load()&^flagState | uint32(s))
}

// ReadyState returns where c is in its life.
func (c *Conn) ReadyState() State { return State(c.flags.Load() & flagState) }

// Data returns what SetData stored, nil before.
func (c *Conn) Data() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data
}

// SetData keeps a value of the user's with the connection.
func (c *Conn) SetData(v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = v
}

// Engine returns the engine that c lives on.
func (c *Conn) Engine() *Engine { return c.loop.e }

// Server returns the server that accepted c, nil for a connection that was dialled.
func (c *Conn) Server() *Server { return c.policy.srv }

// Protocol returns the subprotocol agreed on, "" for none.
func (c *Conn) Protocol() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ext == nil {
		return ""
	}
	return c.ext.protocol
}

// Extensions returns the names of the extensions agreed on: "permessage-deflate",
// or "" for none.
func (c *Conn) Extensions() string {
	if c.is(flagDeflate) {
		return "permessage-deflate"
	}
	return ""
}

// RemoteAddr returns the peer's address, asked of the kernel at each call. It is
// nil when the connection is gone, for the kernel or for us; it is still there
// in Handler.Close unless the peer reset.
func (c *Conn) RemoteAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.fd < 0:
		return nil
	case c.ext != nil && c.ext.far != nil:
		return c.ext.far.remote
	}
	return c.loop.sys.Remote(int(c.fd))
}

// LocalAddr returns our end's address, nil when the connection is gone.
func (c *Conn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.fd < 0:
		return nil
	case c.ext != nil && c.ext.far != nil:
		return c.ext.far.local
	}
	return c.loop.sys.Local(int(c.fd))
}

// BufferedAmount returns the bytes, framing included, that were sent and that the
// kernel has not taken yet, and those of messages that wait for a NextWriter's end.
func (c *Conn) BufferedAmount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsent()
}

// unsent is BufferedAmount. Under mu.
func (c *Conn) unsent() (n int) {
	if c.out != nil {
		n = c.out.size
	}
	if c.is(flagAfter) {
		n += c.ext.after.size
	}
	return n
}

// extra returns c.ext, made if need be. Under mu.
func (c *Conn) extra() *extra {
	if c.ext == nil {
		c.ext = new(extra)
	}
	return c.ext
}

// blame keeps the first failure for Handler.Error. Under mu.
func (c *Conn) blame(err error) {
	if x := c.extra(); x.err == nil {
		x.err = err
	}
}

// kick asks for a turn from any goroutine.
func (c *Conn) kick(marks uint32) {
	if c.work.Or(marks|held)&held == 0 {
		c.loop.enqueue(c)
	}
}
