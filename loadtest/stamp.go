package loadtest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/roost-ws/roost/codec"
)

// stamp makes and checks the messages of an echo. Each carries, little-endian,
// the connection's number, the message's number on it and the time it left, a
// check sum of these, and then a fill that depends on the message's number:
// a reply that is cut, shifted, damaged, reordered or another's is found.
// In text the first part is in base64.
type stamp struct {
	op   codec.Opcode
	size int    // of a message
	fill []byte // fillShifts longer than needed
}

const (
	stampSize  = 20
	fillShifts = 64 // messages after each other begin at other places of the fill
)

// stampText is strict, since the last character has bits that decoding would ignore.
var stampText = base64.RawStdEncoding.Strict()

// MinEchoSize returns the smallest message of an echo in bytes: what carries its
// number, its time and its check sum.
func MinEchoSize(text bool) int {
	if text {
		return stampText.EncodedLen(stampSize)
	}
	return stampSize
}

func newStamp(size int, text bool) (*stamp, error) {
	if least := MinEchoSize(text); size < least {
		return nil, invalid("messages of %d bytes: want at least %d, for their number, time and check sum", size, least)
	}
	s := &stamp{op: codec.Binary, size: size, fill: make([]byte, size+fillShifts)}
	if text {
		s.op = codec.Text
	}
	for x, rest := uint64(1), s.fill; len(rest) > 0; {
		x = mix(x + uint64(len(rest)))
		if text {
			rest = rest[copy(rest, fillWords[x%uint64(len(fillWords))]):]
		} else {
			rest[0] = byte(x)
			rest = rest[1:]
		}
	}
	return s, nil
}

// fillWords make text that deflates about as messages of people and programs do;
// what binary messages are filled with does not deflate at all.
var fillWords = [...]string{
	"temperature ", "open ", "price ", "1024 ", "the ", "seat ", "of ", "table ", "99.5 ", "closed ", "user ", "is ", "away ", "north ", "lamp ", "quota ",
	"message ", "delivered ", "7 ", "to ", "channel ", "goal ", "minute ", "score ", "updated ", "battery ", "low ", "order ", "shipped ", "from ", "door ", "x ",
}

func (s *stamp) head(id, seq uint32, sent int64) (b [stampSize]byte) {
	binary.LittleEndian.PutUint32(b[0:], id)
	binary.LittleEndian.PutUint32(b[4:], seq)
	binary.LittleEndian.PutUint64(b[8:], uint64(sent))
	binary.LittleEndian.PutUint32(b[16:], stampSum(id, seq, sent))
	return b
}

func stampSum(id, seq uint32, sent int64) uint32 {
	return uint32(mix(uint64(id)<<32 | uint64(seq) ^ uint64(sent)))
}

// append appends a frame with header h.
func (s *stamp) append(dst []byte, h codec.Header, id, seq uint32, sent int64) []byte {
	h.Length = int64(s.size)
	dst = codec.AppendHeader(dst, h)
	at := len(dst)
	dst = s.payload(dst, id, seq, sent)
	codec.Mask(dst[at:], h.Mask, 0)
	return dst
}

// payload appends the message itself.
func (s *stamp) payload(dst []byte, id, seq uint32, sent int64) []byte {
	at := len(dst)
	head := s.head(id, seq, sent)
	if s.op == codec.Text {
		dst = stampText.AppendEncode(dst, head[:])
	} else {
		dst = append(dst, head[:]...)
	}
	return append(dst, s.rest(seq, at+s.size-len(dst))...)
}

// rest is the last n bytes of message seq.
func (s *stamp) rest(seq uint32, n int) []byte {
	shift := int(seq % fillShifts)
	return s.fill[shift : shift+n]
}

var errStampSum = errors.New("the check sum of its number and time is wrong")

// check compares m with the message that was sent, and returns when that was.
func (s *stamp) check(m codec.Message, id, seq uint32) (sent int64, err error) {
	gotID, gotSeq, sent, err := s.parse(m)
	if err == nil && (gotID != id || gotSeq != seq) {
		err = fmt.Errorf("message %d of connection %d came on connection %d where message %d was due", gotSeq, gotID, id, seq)
	}
	return sent, err
}

// parse takes a message apart that any connection may have sent, and compares
// every byte.
func (s *stamp) parse(m codec.Message) (id, seq uint32, sent int64, err error) {
	if m.Opcode != s.op || len(m.Payload) != s.size {
		return 0, 0, 0, fmt.Errorf("%d bytes of opcode %#x came back, %d of %#x were sent", len(m.Payload), m.Opcode, s.size, s.op)
	}
	head, body := m.Payload, []byte(nil)
	if s.op == codec.Text {
		var b [stampSize]byte
		n := stampText.EncodedLen(stampSize)
		if _, err := stampText.Decode(b[:], head[:n]); err != nil {
			return 0, 0, 0, err
		}
		head, body = b[:], head[n:]
	} else {
		head, body = head[:stampSize], head[stampSize:]
	}
	id, seq = binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
	sent = int64(binary.LittleEndian.Uint64(head[8:]))
	switch {
	case binary.LittleEndian.Uint32(head[16:]) != stampSum(id, seq, sent):
		return 0, 0, 0, errStampSum
	case !bytes.Equal(body, s.rest(seq, len(body))):
		return 0, 0, 0, fmt.Errorf("message %d of connection %d has other bytes than were sent", seq, id)
	}
	return id, seq, sent, nil
}
