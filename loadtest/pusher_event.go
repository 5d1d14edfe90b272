package loadtest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// eventHead is what an event says of itself.
type eventHead struct {
	channel uint32 // its number
	seq     uint32 // of the events of its channel
	number  uint32 // of all events: its place in the schedule
	left    int64  // when it left, on the run's clock
}

// eventStamp makes and checks the data of events: the head in base64, with a check
// sum, and words. None of it has to be escaped in JSON.
type eventStamp struct{ words *stamp }

const eventHeadSize = 24

// eventText has no character that some server writes as an escape.
var eventText = base64.RawURLEncoding.Strict()

// MinEventSize is the smallest data of an event in [Push] and [Storm], in bytes: what
// carries its channel, its numbers, its time and their check sum.
const MinEventSize = eventHeadSize * 4 / 3

func newEventStamp(size int) (*eventStamp, error) {
	if size < MinEventSize {
		return nil, invalid("events of %d bytes: want at least %d, for their numbers, time and check sum", size, MinEventSize)
	}
	words, err := newStamp(size, true)
	return &eventStamp{words}, err
}

func (s *eventStamp) append(dst []byte, h eventHead) []byte {
	var b [eventHeadSize]byte
	binary.LittleEndian.PutUint32(b[0:], h.channel)
	binary.LittleEndian.PutUint32(b[4:], h.seq)
	binary.LittleEndian.PutUint32(b[8:], h.number)
	binary.LittleEndian.PutUint64(b[12:], uint64(h.left))
	binary.LittleEndian.PutUint32(b[20:], h.sum())
	dst = eventText.AppendEncode(dst, b[:])
	return append(dst, s.words.rest(h.seq, s.words.size-MinEventSize)...)
}

func (h eventHead) sum() uint32 {
	return stampSum(h.channel, h.seq, h.left) ^ uint32(mix(uint64(h.number)))
}

// parse compares every byte with what was published.
func (s *eventStamp) parse(data []byte) (h eventHead, err error) {
	if len(data) != s.words.size {
		return h, fmt.Errorf("an event came with %d bytes of data, %d were published", len(data), s.words.size)
	}
	var b [eventHeadSize]byte
	if _, err := eventText.Decode(b[:], data[:MinEventSize]); err != nil {
		return h, fmt.Errorf("an event's data is not what was published: %w", err)
	}
	h = eventHead{
		channel: binary.LittleEndian.Uint32(b[0:]),
		seq:     binary.LittleEndian.Uint32(b[4:]),
		number:  binary.LittleEndian.Uint32(b[8:]),
		left:    int64(binary.LittleEndian.Uint64(b[12:])),
	}
	if h.sum() != binary.LittleEndian.Uint32(b[20:]) {
		return h, errStampSum
	}
	if body := data[MinEventSize:]; !bytes.Equal(body, s.words.rest(h.seq, len(body))) {
		return h, fmt.Errorf("event %d of channel %d has other bytes than were published", h.seq, h.channel)
	}
	return h, nil
}
