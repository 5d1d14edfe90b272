package conformance

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// sampleText is n octets of text with characters of every length.
func sampleText(n int) []byte {
	const words = "κόσμε and 日本語, 𝄞 once more; "
	b := []byte(strings.Repeat(words, n/len(words)+1))[:n]
	// What the end cut off.
	return append(bytes.ToValidUTF8(b, nil), strings.Repeat(".", n-len(bytes.ToValidUTF8(b, nil)))...)
}

// noise is n octets that no compressor shrinks.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{64, 55}).Read(b) // never fails
	return b
}

// transfer is one large vector and the only way to deliver it.
type transfer struct {
	vector
	cut cut
}

// TestLargeMessages: 64 KiB to 16 MiB, in one frame, in many, and in small writes.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	most := 16 * mib
	if quick() {
		most = mib / 4
	}
	for _, s := range plainSites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for n := 64 << 10; n <= most; n *= 4 {
				for _, x := range wholeMessages(n) {
					x.run(t, &s)
				}
			}
			for n := 64; n <= min(4*mib, most); n *= 4 {
				for _, x := range inFragments(min(4*mib, most), n) {
					x.run(t, &s)
				}
			}
			for n := 64; n <= 2048; n *= 2 {
				for _, x := range wholeMessages(most / 16) {
					x.cut, x.name = every(n), fmt.Sprintf("%s in writes of %d", x.name, n)
					x.run(t, &s)
				}
			}
		})
	}
}

func (x *transfer) run(t *testing.T, s *site) {
	t.Run(x.name, func(t *testing.T) {
		t.Parallel()
		if err := s.join(t, "").exchange(x.in, x.out, x.cut); err != nil {
			t.Error(err)
		}
	})
}

func wholeMessages(n int) []transfer {
	text, octets := sampleText(n), noise(n)
	return []transfer{
		{stays(fmt.Sprintf("text of %d", n), sent(0x81, text), came(0x81, text)), wholly},
		{stays(fmt.Sprintf("binary of %d", n), sent(0x82, octets), came(0x82, octets)), wholly},
	}
}

// inFragments is a message of total octets in frames of n, the last of them empty.
func inFragments(total, n int) (xs []transfer) {
	for _, k := range kinds[:2] {
		message := sampleText(total)
		var in []byte
		first := k.first &^ 0x80
		for at := 0; at < total; at += n {
			in = append(in, sent(first, message[at:at+min(n, total-at)])...)
			first = 0x00
		}
		name := fmt.Sprintf("%s of %d in fragments of %d", k.name, total, n)
		xs = append(xs, transfer{stays(name, append(in, sent(0x80, "")...), came(k.first, message)), wholly})
	}
	return xs
}

// TestDefaultLimitOfFragments: 131,072 frames make a message, one more does not (1008).
func TestDefaultLimitOfFragments(t *testing.T) {
	t.Parallel()
	const most = 131072
	in := append(sent(0x02, "x"), bytes.Repeat(sent(0x00, "x"), most-2)...)
	good := stays("", join(in, sent(0x80, "x")), came(0x82, bytes.Repeat([]byte("x"), most)))
	bad := fails("", 1008, join(in, sent(0x00, "x"), sent(0x80, "x")))
	for _, v := range []vector{good, bad} {
		if err := plainSites[0].join(t, "").exchange(v.in, v.out, wholly); err != nil {
			t.Error(err)
		}
	}
}

// TestRoundTrips: one message after the other, each sent when the one before is back.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	count := 1000
	if quick() {
		count = 100
	}
	for _, s := range plainSites {
		for _, n := range []int{0, 16, 64, 256, 1024, 4096, 16384, 65536} {
			for _, k := range kinds[:2] {
				t.Run(fmt.Sprintf("%s %s of %d", s.name, k.name, n), func(t *testing.T) {
					t.Parallel()
					c, p := s.join(t, ""), sampleText(n)
					in := sent(k.first, p)
					for i := range count {
						next := wholly
						if i%10 == 9 {
							next = every(max(1, len(in)/7))
						}
						c.echoes(t, in, next, k.first, p)
					}
				})
			}
		}
	}
}

// echoes writes in, cut up, and wants one frame back.
func (c *client) echoes(t *testing.T, in []byte, next cut, first byte, payload []byte) {
	t.Helper()
	c.hurry(t)
	for len(in) > 0 {
		n := next(len(in))
		c.write(t, in[:n])
		in = in[n:]
	}
	op, got, err := c.frame()
	if err != nil || op != first || !bytes.Equal(got, payload) {
		t.Fatalf("got frame %#x of %d octets, %v, want %#x of %d", op, len(got), err, first, len(payload))
	}
}
