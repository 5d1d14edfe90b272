package codec

import "testing"

// Above the largest class memory still doubles with what came, and stops at what
// was announced.
func TestMemoryOfLargeMessageDoubles(t *testing.T) {
	const size = 2*maxClass + 12345
	var d Decoder
	var mem Bytes
	lim := Limits{Client: true}
	if _, _, _, err := d.Next(AppendHeader(nil, Header{Opcode: Binary, Fin: true, Length: size}), &lim, &mem); err != nil {
		t.Fatal(err)
	}
	if d.Held() != 0 {
		t.Errorf("a header alone took %d bytes", d.Held())
	}
	grown, held := 0, 0
	for received := 0; received < size; {
		room := d.Tail(&mem)
		if room == nil {
			room = make([]byte, size-received)
			m, _, ok, err := d.Next(room, &lim, &mem)
			if !ok || err != nil || len(m.Payload) != size {
				t.Fatalf("%t, %v, %d bytes", ok, err, len(m.Payload))
			}
			break
		}
		if d.Held() != held {
			grown, held = grown+1, d.Held()
		}
		if most := 2*received + 2*minTail; held > most || held > 2*size {
			t.Fatalf("holds %d bytes of %d received", held, received)
		}
		n := min(len(room), 100_000)
		clear(room[:n])
		if err := d.Filled(n, &lim); err != nil {
			t.Fatal(err)
		}
		received += n
	}
	if grown > 15 || held != size {
		t.Errorf("grew %d times, to %d bytes for %d", grown, held, size)
	}
	if d.Reset(&mem); mem.Outstanding() != 0 {
		t.Errorf("%d lent", mem.Outstanding())
	}
}

// Nor is all that came copied again for each fragment of the rest.
func TestMemoryOfLargeFragmentedMessageDoubles(t *testing.T) {
	const size, fragment = 2*maxClass + 12345, 4 << 10
	var d Decoder
	var mem Bytes
	lim := Limits{Client: true}
	grown, held := 0, 0
	for sent := 0; sent < size; {
		h := Header{Opcode: Continuation, Length: min(fragment, int64(size-sent)), Fin: sent+fragment >= size}
		if sent == 0 {
			h.Opcode = Binary
		}
		sent += int(h.Length)
		m, _, ok, err := d.Next(append(AppendHeader(nil, h), make([]byte, h.Length)...), &lim, &mem)
		if ok != h.Fin || err != nil || ok && len(m.Payload) != size {
			t.Fatalf("%t, %v, %d bytes", ok, err, len(m.Payload))
		}
		if d.Held() != held {
			grown, held = grown+1, d.Held()
		}
		if most := 2*sent + fragment; held > most {
			t.Fatalf("holds %d bytes of %d received", held, sent)
		}
	}
	if grown > 15 {
		t.Errorf("grew %d times", grown)
	}
	if d.Reset(&mem); mem.Outstanding() != 0 {
		t.Errorf("%d lent", mem.Outstanding())
	}
}
