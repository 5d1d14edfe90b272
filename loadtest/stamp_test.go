//go:build unix

package loadtest

import (
	"slices"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// decode takes a masked frame apart.
func decode(t testing.TB, frame []byte) codec.Message {
	t.Helper()
	var d codec.Decoder
	var b codec.Bytes
	m, n, ok, err := d.Next(frame, &codec.Limits{}, &b)
	if err != nil || !ok || n != len(frame) {
		t.Fatalf("%d of %d bytes decoded, %v, %v", n, len(frame), ok, err)
	}
	return m
}

func TestStampFindsEveryFlippedBitAndEveryOtherMessage(t *testing.T) {
	const id, seq, sent = 7, 130, 123456789
	for _, text := range []bool{false, true} {
		size := MinEchoSize(text) + 9
		s, err := newStamp(size, text)
		must(t, err)
		header := codec.Header{Opcode: s.op, Fin: true, Masked: true, Mask: [4]byte{1, 2, 3, 4}}
		made := func(id, seq uint32) codec.Message { return decode(t, s.append(nil, header, id, seq, sent)) }
		m := made(id, seq)
		if got, err := s.check(m, id, seq); err != nil || got != sent {
			t.Fatalf("text %v: sent at %d, %v; want %d", text, got, err, sent)
		}
		for i := range m.Payload {
			for bit := range 8 {
				bad := m
				bad.Payload = slices.Clone(m.Payload)
				bad.Payload[i] ^= 1 << bit
				if _, err := s.check(bad, id, seq); err == nil {
					t.Errorf("text %v: bit %d of byte %d flipped and not found", text, bit, i)
				}
			}
		}
		for name, other := range map[string]codec.Message{
			"another connection's": made(id+1, seq), "the next": made(id, seq+1), "one with the same fill": made(id, seq+fillShifts),
		} {
			if _, err := s.check(other, id, seq); err == nil {
				t.Errorf("text %v: %s message passed", text, name)
			}
		}
		other := m
		other.Opcode ^= codec.Text ^ codec.Binary
		if _, err := s.check(other, id, seq); err == nil {
			t.Errorf("text %v: the other opcode passed", text)
		}
	}
}

func BenchmarkStamp(b *testing.B) {
	s, err := newStamp(64, false)
	must(b, err)
	header := codec.Header{Opcode: s.op, Fin: true, Masked: true, Mask: [4]byte{1, 2, 3, 4}}
	var out []byte
	m := decode(b, s.append(nil, header, 1, 2, 3))
	b.ReportAllocs()
	for b.Loop() {
		out = s.append(out[:0], header, 1, 2, 3)
		if _, err := s.check(m, 1, 2); err != nil {
			b.Fatal(err)
		}
	}
}
