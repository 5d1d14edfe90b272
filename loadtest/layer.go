package loadtest

import (
	"github.com/roost-ws/roost/codec"
	"github.com/roost-ws/roost/internal/sock"
)

// layer is what lies between a connection's messages and its descriptor. A loop
// has them only when the plan asks for TLS or deflate.
type layer struct {
	tls     *tlsConn
	deflate *deflate
}

// deflate is what was agreed for one connection. Without context takeover a
// direction has no window.
type deflate struct {
	sendBits, recvBits uint8
	send, recv         *codec.Window
}

func (l *loop) tlsOf(c *conn) *tlsConn {
	if l.layers == nil {
		return nil
	}
	return l.layers[c.slot].tls
}

func (l *loop) deflateOf(c *conn) *deflate {
	if l.layers == nil {
		return nil
	}
	return l.layers[c.slot].deflate
}

// receive reads what came over c. 0 and nil is the end of the stream.
func (l *loop) receive(c *conn, p []byte) (int, error) {
	if t := l.tlsOf(c); t != nil {
		n, err := t.read(p)
		l.send(c, l.takeSealed()) // an alert or a key update may have to go out
		return n, err
	}
	return sock.Read(int(c.fd), p)
}

// agree takes the server's answer to our offer of deflate.
func (l *loop) agree(c *conn, r *codec.Response) error {
	answer := r.Joined("Sec-WebSocket-Extensions")
	p, ok, err := l.offer.Accept(answer)
	if err != nil {
		return &failure{cause: causeAccept, err: err}
	}
	if !ok {
		return nil
	}
	z := &deflate{sendBits: p.ClientBits, recvBits: p.ServerBits}
	if !p.ClientNoContextTakeover {
		z.send = new(codec.Window)
	}
	if !p.ServerNoContextTakeover {
		z.recv = new(codec.Window)
	}
	l.layers[c.slot].deflate = z
	l.deflated++
	return nil
}

// rsv1 marks a compressed message (RFC 7692 section 6).
const rsv1 = 4

// say appends a data message to out, compressed where that was agreed.
func (l *loop) say(c *conn, op codec.Opcode, payload []byte) {
	h := l.header(op)
	if z := l.deflateOf(c); z != nil {
		buf := l.bytes.Get(codec.CompressBound(len(payload)))
		h.Rsv = rsv1
		l.out = codec.AppendFrame(l.out, h, l.flate.Compress(buf[:0], payload, z.sendBits, z.send, true))
		l.bytes.Put(buf)
		return
	}
	l.out = codec.AppendFrame(l.out, h, payload)
}

// sayStamped appends message seq of c to out, made in place where nothing is compressed.
func (l *loop) sayStamped(c *conn, s *stamp, seq uint32, now int64) {
	if l.deflateOf(c) == nil {
		l.out = s.append(l.out, l.header(s.op), l.id(c), seq, now)
		return
	}
	l.plain = s.payload(l.plain[:0], l.id(c), seq, now)
	l.say(c, s.op, l.plain)
}

// heard hands a data message to the script, inflated first when it is compressed.
func (l *loop) heard(c *conn, m codec.Message) error {
	if !m.Compressed {
		return l.script.message(c, m)
	}
	z := l.deflateOf(c)
	if z == nil {
		return badFrame(codec.ErrRSV1)
	}
	data, err := l.flate.Inflate(m.Payload, z.recvBits, z.recv, l.maxPayload, &l.bytes)
	if err != nil {
		return badFrame(err)
	}
	defer l.bytes.Put(data)
	return l.script.message(c, codec.Message{Opcode: m.Opcode, Payload: data})
}

// unlayer gives back what c's layers hold.
func (l *loop) unlayer(c *conn) {
	if l.layers == nil {
		return
	}
	if t := l.layers[c.slot].tls; t != nil {
		t.end()
		l.sealed = l.sealed[:0] // an interrupted handshake's last words
	}
	l.layers[c.slot] = layer{}
}
