package interop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// peer is a client of some library, connected to an echo server.
type peer interface {
	// echo sends a message and returns the one that comes back.
	echo(text bool, data []byte) (gotText bool, got []byte, err error)
	// end does the closing handshake with code 1000.
	end() error
}

// converse sends messages of sizes on both sides of each form of the header, of a read
// buffer and of every window; what shrinks and what does not.
func converse(t *testing.T, p peer, sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		prose := []byte(strings.Repeat("all work and no play ", n/21+1)[:n])
		for i, data := range [][]byte{prose, noise(n), prose, []byte(strings.ToUpper(string(prose)))} {
			text := i%2 == 0
			gotText, got, err := p.echo(text, bytes.Clone(data))
			if err != nil || gotText != text || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes, text %t: got %d, text %t, %v", n, text, len(got), gotText, err)
			}
		}
	}
	if text, got, err := p.echo(true, []byte("Grüße, 世界 🌍")); err != nil || !text || string(got) != "Grüße, 世界 🌍" {
		t.Fatalf("got %q, text %t, %v", got, text, err)
	}
	if err := p.end(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// plainSizes are for a connection of each library, shortSizes for each of many.
var (
	plainSizes = []int{0, 1, 125, 126, 65535, 65536, 200_000}
	shortSizes = []int{1, 300, 40_000}
)

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

// params are what two sides can agree on for permessage-deflate (RFC 7692 section 7.1).
type params struct {
	ServerForgets bool `json:"serverNoContextTakeover"`
	ClientForgets bool `json:"clientNoContextTakeover"`
	ServerBits    int  `json:"serverMaxWindowBits"`
	ClientBits    int  `json:"clientMaxWindowBits"`
}

func (p params) String() string {
	return fmt.Sprintf("server %d, forgets %t; client %d, forgets %t", p.ServerBits, p.ServerForgets, p.ClientBits, p.ClientForgets)
}

// everyParams are all of them, with windows of at least so many bits: zlib can't
// compress with fewer than 9. The race detector sees the same with fewer.
func everyParams(leastServer, leastClient int) (all []params) {
	step := 1
	if raceDetector || testing.Short() {
		step = 3
	}
	for s := 15; s >= leastServer; s -= step {
		for c := 15; c >= leastClient; c -= step {
			for forgets := range 4 {
				all = append(all, params{forgets&1 != 0, forgets&2 != 0, s, c})
			}
		}
	}
	return all
}
