package conformance

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"testing"
)

// vector is octets that a client sends after the handshake, and those that the
// server must answer them with: no more, no less, and its FIN behind.
type vector struct {
	name    string
	in, out []byte
}

// stays is a vector of a connection that is open at its end: it answers a close.
func stays(name string, in []byte, out ...[]byte) vector {
	return vector{name, join(in, sent(0x88, status(1000, ""))), join(join(out...), came(0x88, status(1000, "")))}
}

// fails is a vector of a connection that the server must fail, and ignore what
// comes after.
func fails(name string, code uint16, in []byte, out ...[]byte) vector {
	return vector{name, in, join(join(out...), came(0x88, status(code, "")))}
}

// group is the vectors of one section of the RFC.
type group struct {
	name    string
	vectors []vector
}

func groups() []group {
	return []group{
		{"5.1 masking", masking()},
		{"5.2 lengths", lengths()},
		{"5.2 reserved bits", reservedBits()},
		{"5.2 opcodes", opcodes()},
		{"5.4 fragmentation", fragmentation()},
		{"5.5.1 and 7.4 close", closing()},
		{"5.5.2 ping and pong", pings()},
		{"5.6 data frames", dataFrames()},
		{"8.1 UTF-8", utf8Vectors()},
	}
}

// TestVectors delivers each vector whole, octet by octet, and cut at random.
func TestVectors(t *testing.T) {
	t.Parallel()
	for _, s := range plainSites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			for _, g := range groups() {
				n += len(g.vectors)
				t.Run(g.name, func(t *testing.T) {
					t.Parallel()
					for _, v := range g.vectors {
						t.Run(v.name, func(t *testing.T) { v.deliver(t, &s) })
					}
				})
			}
			t.Logf("%d vectors", n)
		})
	}
}

func (v *vector) deliver(t *testing.T, s *site) {
	for name, cut := range v.cuts() {
		c := s.join(t, "")
		if err := c.exchange(v.in, v.out, cut); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = c.Close() // the server has closed its side
	}
}

// cut says how many of the octets that are left go into the next write.
type cut func(left int) int

func every(n int) cut { return func(left int) int { return min(left, n) } }

func wholly(left int) int { return left }

// maxSingles is up to where a vector goes out octet by octet: a write each.
const maxSingles = 1500

func (v *vector) cuts() map[string]cut {
	seed := fnv.New64()
	fmt.Fprint(seed, v.name)
	random := func(stream uint64) cut {
		r := rand.New(rand.NewPCG(seed.Sum64(), stream))
		return func(left int) int { return 1 + r.IntN(min(left, 1+len(v.in)/4)) }
	}
	singles := every(1)
	if len(v.in) > maxSingles {
		singles = every(1009)
	}
	if quick() {
		return map[string]cut{"random": random(1)}
	}
	return map[string]cut{"whole": wholly, "singles": singles, "random": random(1), "random again": random(2)}
}

// exchange writes in, cut up, and reads up to the server's FIN, which must come
// after out and nothing else. RST is no FIN (RFC 6455 section 7.1.1).
func (c *client) exchange(in, out []byte, next cut) error {
	written := make(chan error, 1)
	go func() {
		for len(in) > 0 {
			n := next(len(in))
			if _, err := c.Write(in[:n]); err != nil {
				written <- err
				return
			}
			in = in[n:]
		}
		written <- nil
	}()
	got := make([]byte, len(out))
	n, err := io.ReadFull(c.r, got)
	if err != nil || !bytes.Equal(got, out) {
		return fmt.Errorf("got %s, %v\nwant %s", hex(got[:n]), err, hex(out))
	}
	if b, err := c.r.ReadByte(); err != io.EOF {
		return fmt.Errorf("after all that was to come: octet %#x, %v, not FIN", b, err)
	}
	return <-written
}

func hex(b []byte) string {
	if len(b) > 200 {
		return fmt.Sprintf("%d octets, % x ... % x", len(b), b[:100], b[len(b)-50:])
	}
	return fmt.Sprintf("% x", b)
}
