package engine

import (
	"errors"
	"net/http"

	"github.com/roost-ws/roost/codec"
)

// answerTo is the response that err asks for.
func answerTo(err error) []byte {
	var he *codec.HandshakeError
	var re *RejectError
	switch {
	case errors.As(err, &he):
		return codec.AppendReject(nil, he.Status, he.Msg, he.Header)
	case errors.As(err, &re):
		status := re.Status
		if status == 0 {
			status = http.StatusUnauthorized
		}
		return codec.AppendReject(nil, status, re.Msg, re.Header)
	}
	return codec.AppendReject(nil, http.StatusUnauthorized, "", nil)
}

// refuse answers a request that is not let in.
func (c *Conn) refuse(err error) { c.turnAway(answerTo(err)) }

// turnAway sends an answer, and then FIN. What the peer still sends is dropped until
// its own FIN or the handshake's time limit.
func (c *Conn) turnAway(answer []byte) {
	c.loop.stats.rejected.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(flagFailed | flagSentEnd)
	c.raw(answer)
	c.seen.Store(c.loop.e.now())
}

// late answers a request that did not come, or a verdict, in time.
func (c *Conn) late() {
	if c.is(flagFailed|flagTLS) || c.policy.srv == nil {
		c.kill()
		return
	}
	c.loop.stats.rejected.Add(1)
	c.set(flagFailed | flagSentEnd)
	c.raw(codec.AppendReject(nil, http.StatusRequestTimeout, "", nil))
	c.seen.Store(c.loop.now.Load())
	c.loop.arm(c, c.loop.now.Load()+c.policy.handshake)
	c.kick(markKick) // for what waits for a verdict
}
