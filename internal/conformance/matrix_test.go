package conformance

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/flate"
)

// agreement is one set of permessage-deflate parameters (RFC 7692 section 7.1).
type agreement struct {
	serverForgets, clientForgets bool
	serverBits, clientBits       int
}

// offer asks for exactly that.
func (a *agreement) offer() string {
	s := fmt.Sprintf("permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%d", a.serverBits, a.clientBits)
	if a.serverForgets {
		s += "; server_no_context_takeover"
	}
	if a.clientForgets {
		s += "; client_no_context_takeover"
	}
	return s
}

func (a *agreement) String() string {
	forgets := map[bool]string{false: "keeps", true: "forgets"}
	return fmt.Sprintf("server %d %s, client %d %s", a.serverBits, forgets[a.serverForgets], a.clientBits, forgets[a.clientForgets])
}

// agreements are the given window bits of both directions, with and without
// context takeover in each.
func agreements(serverBits, clientBits []int) (all []agreement) {
	for _, s := range serverBits {
		for _, c := range clientBits {
			for forgets := range 4 {
				all = append(all, agreement{forgets&1 != 0, forgets&2 != 0, s, c})
			}
		}
	}
	return all
}

// deflater is the client's end of a connection: it keeps to what was agreed, and
// sees to it that the server does.
type deflater struct {
	*client
	agreement
	out    bytes.Buffer
	writer *flate.Writer
	reader inflater
}

func (a *agreement) join(t *testing.T, s *site) *deflater {
	t.Helper()
	d := &deflater{client: s.join(t, a.offer()), agreement: *a, reader: inflater{bits: a.serverBits, forgets: a.serverForgets}}
	got := map[string]bool{}
	for i, p := range strings.Split(d.extensions, ";") {
		if p = strings.TrimSpace(p); got[p] || (i == 0) != (p == "permessage-deflate") {
			t.Fatalf("answer %q", d.extensions)
		}
		got[p] = true
	}
	// What the client asked of the server must be granted (7.1.1.1, 7.1.2.1); of the
	// client the server may ask less than offered, but this one takes the hint.
	if !got[fmt.Sprint("server_max_window_bits=", a.serverBits)] || !got[fmt.Sprint("client_max_window_bits=", a.clientBits)] ||
		got["server_no_context_takeover"] != a.serverForgets || got["client_no_context_takeover"] != a.clientForgets {
		t.Fatalf("offer %q was answered %q", a.offer(), d.extensions)
	}
	var err error
	if d.writer, err = flate.NewWriterWindow(&d.out, 1<<a.clientBits); err != nil {
		t.Fatal(err)
	}
	return d
}

// compress returns the payload of a message (section 7.2.1).
func (d *deflater) compress(t *testing.T, message []byte) []byte {
	t.Helper()
	d.out.Reset()
	if d.clientForgets {
		d.writer.Reset(&d.out)
	}
	_, err := d.writer.Write(message)
	if err == nil {
		err = d.writer.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(d.out.Bytes(), []byte("\x00\x00\xff\xff"))
}

// comesBack wants message as the next one, compressed where that is worth it.
func (d *deflater) comesBack(t *testing.T, message []byte) {
	t.Helper()
	d.hurry(t)
	got, err := d.message(&d.reader)
	if err != nil || got != string(message) {
		t.Fatalf("%v: got %d octets, %v, want %d", &d.agreement, len(got), err, len(message))
	}
}

// book is text that repeats itself near and far.
var book = sync.OnceValue(func() []byte {
	r := rand.New(rand.NewPCG(64, 55))
	var b bytes.Buffer
	for b.Len() < 5<<20 {
		fmt.Fprintf(&b, `{"id":%d,"symbol":"%c%c","price":%d.%d,"side":"buy"}`, r.IntN(1e6), 'A'+r.IntN(4), 'A'+r.IntN(26), r.IntN(100), r.IntN(100))
	}
	return b.Bytes()
})

// prose is n octets of it, from another place for each i.
func prose(n, i int) []byte {
	at := i * 1009 % (1 << 20)
	return book()[at : at+n]
}

var allBits = []int{8, 9, 10, 11, 12, 13, 14, 15}

// TestEveryPairOfParameters: 4 kinds of takeover, 8 windows in each direction; each
// with messages below and above the window, and some that do not shrink.
func TestEveryPairOfParameters(t *testing.T) {
	t.Parallel()
	bits := allBits
	if quick() {
		bits = []int{8, 12, 15}
	}
	all := agreements(bits, bits)
	for _, a := range all {
		d := a.join(t, &deflateSites[0])
		for i, n := range []int{16, 300, 300, 40_000, 300, 1, 2000, 70_000, 64} {
			message := prose(n, i/3)
			if i == 6 {
				message = noise(n)
			}
			d.write(t, sent(0xc2, d.compress(t, message)))
			d.comesBack(t, message)
		}
		d.close(t)
	}
	t.Logf("%d agreements", len(all))
}

func (d *deflater) close(t *testing.T) {
	t.Helper()
	if err := d.exchange(sent(0x88, status(1000, "")), came(0x88, status(1000, "")), wholly); err != nil {
		t.Fatalf("%v: %v", &d.agreement, err)
	}
	_ = d.Close() // the server has closed its side
}

// TestCompressedRoundTrips: 16 octets to 128 KiB, up to a thousand messages each, as
// text and binary, in one frame and in many.
func TestCompressedRoundTrips(t *testing.T) {
	t.Parallel()
	for i, s := range deflateSites {
		budget, step := 256<<10, 2 // octets of each size
		if i > 0 {
			budget = 64 << 10
		}
		if quick() {
			budget, step = 4<<10, 8
		}
		for _, a := range agreements([]int{9, 15}, []int{9, 15}) {
			t.Run(s.name+" "+a.String(), func(t *testing.T) {
				t.Parallel()
				for n := 16; n <= 128<<10; n *= step {
					d := a.join(t, &s)
					for i := range min(1000, max(5, budget/n)) {
						d.roundTrip(t, prose(n, i), i)
					}
					d.close(t)
				}
			})
		}
	}
}

// roundTrip sends a message in a shape that depends on i: one frame, two, or several
// with a ping between.
func (d *deflater) roundTrip(t *testing.T, message []byte, i int) {
	t.Helper()
	kind := byte(1 + i&1)
	payload := d.compress(t, message)
	switch i % 5 {
	case 3:
		cut := len(payload) / 3
		d.write(t, join(sent(0x40|kind, payload[:cut]), sent(0x80, payload[cut:])))
	case 4:
		part := 1 + len(payload)/4
		in := sent(0x40|kind, payload[:part])
		for at := part; at < len(payload); at += part {
			in = append(in, sent(0x00, payload[at:min(len(payload), at+part)])...)
		}
		d.write(t, join(in, sent(0x89, "ping"), sent(0x80, "")))
		d.comesBack(t, []byte("pong ping"))
	default:
		d.write(t, sent(0xc0|kind, payload))
	}
	d.comesBack(t, message)
}

// TestLargeCompressedMessages: also what grows by compression comes back.
func TestLargeCompressedMessages(t *testing.T) {
	t.Parallel()
	for _, s := range deflateSites {
		a := agreement{serverBits: 15, clientBits: 15}
		for name, message := range map[string][]byte{"4 MiB of prose": prose(4<<20, 1), "16 MiB of noise": noise(16 << 20)} {
			if quick() {
				message = message[:1<<20]
			}
			t.Run(s.name+" "+name, func(t *testing.T) {
				t.Parallel()
				d := a.join(t, &s)
				sending := make(chan error, 1)
				in := sent(0xc2, d.compress(t, message))
				go func() {
					_, err := d.Write(in)
					sending <- err
				}()
				d.comesBack(t, message)
				if err := <-sending; err != nil {
					t.Fatal(err)
				}
				d.close(t)
			})
		}
	}
}
