//go:build linux

package floods

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// Peers that send nothing but small frames as fast as they can are worked off turn
// by turn: good clients get theirs in between.
func TestSmallFrames(t *testing.T) {
	big := bytes.Repeat([]byte{'p'}, codec.MaxControl)
	for _, one := range []struct {
		name string
		f    []byte
		ends codec.CloseCode // the limit that ends it; 0: nothing forbids it
		may  bool            // it ends only who does not read as fast
	}{
		{"pings", frame(codec.Ping, true, nil), codec.CodePolicy, true},
		{"pings of 125 bytes", frame(codec.Ping, true, big), codec.CodePolicy, true},
		{"pongs", frame(codec.Pong, true, nil), 0, false},
		{"empty messages", frame(codec.Text, true, nil), 0, false},
		{"messages of one byte", frame(codec.Text, true, []byte{'x'}), 0, false},
		{"empty fragments", append(frame(codec.Text, false, nil), bytes.Repeat(frame(codec.Continuation, false, nil), 4)...), codec.CodePolicy, false},
	} {
		t.Run(one.name, func(t *testing.T) { smallFrames(t, one.f, one.ends, one.may) })
	}
}

func smallFrames(t *testing.T, f []byte, ends codec.CloseCode, may bool) {
	const peers, length = 16, time.Second
	v := attack(t, settings{MaxFragments: 1000})
	g := goodOnes(t, v)
	var first []byte
	if ends != 0 && !may { // one message of ever more fragments
		first, f = frame(codec.Text, false, nil), f[len(frame(codec.Text, false, nil)):]
	}
	portion := bytes.Repeat(f, 8<<10/len(f))
	bad := crowd(t, v, peers, "")
	stop := v.watch()
	end := time.Now().Add(length)
	each(t, peers, peers, func(i int) error {
		read := make(chan codec.CloseCode, 1)
		go func() {
			code, _ := bad[i].closing()
			read <- code
		}()
		_, err := bad[i].Write(first)
		for err == nil && time.Now().Before(end) {
			_, err = bad[i].Write(portion)
		}
		if err == nil {
			_, err = bad[i].Write(frame(codec.Close, true, []byte{3, 232}))
		}
		code := <-read
		bad[i].Close()
		switch {
		case code == ends && ends != 0, code == codec.CodeAbnormal && ends != 0: // cut off; a reset may overtake the code
			return nil
		case code == codec.CodeNormal && (ends == 0 || may):
			return err
		}
		return fmt.Errorf("ended with %d: %v", code, err)
	})
	stop()
	p99 := g.served(fullLimit)
	if grown := v.worst - v.before.resident; grown > bound(32*mib) {
		t.Errorf("memory grew by %d MiB", grown/mib)
	}
	v.recovered(fmt.Sprintf("%d peers for %v; good clients' p99 %v", peers, length, p99))
}

// Peers that want echoes and never read them are not read either, once half of
// MaxOutbox is queued for them.
func TestPeersThatNeverRead(t *testing.T) {
	const n, most, size = 200, 256 << 10, 16 << 10
	v := attack(t, settings{MaxOutbox: most})
	g := goodOnes(t, v)
	message := frame(codec.Binary, true, make([]byte, size))
	bad := crowd(t, v, n, "")
	stop := v.watch()
	each(t, n, n, func(i int) error {
		for {
			if err := bad[i].SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
				return err
			}
			if _, err := bad[i].Write(message); err != nil {
				return nil // the buffers are full on both sides
			}
		}
	})
	stop()
	p99 := g.served(fullLimit)
	// The queue itself, and the class of sizes that its last piece came from.
	if grown, limit := v.worst-v.before.resident, int64(n*2*most); grown > bound(limit) {
		t.Errorf("memory grew by %d KiB a peer: want at most %d", grown/n>>10, limit/n>>10)
	}
	for _, p := range bad {
		p.Close()
	}
	v.recovered(fmt.Sprintf("%d peers never read, MaxOutbox %d KiB, %d KiB each at worst; good clients' p99 %v", n, most>>10,
		(v.worst-v.before.resident)/n>>10, p99))
}

// A message that comes a byte at a time takes memory for what came, not for what
// its header announced.
func TestPeersThatTrickle(t *testing.T) {
	const n, announced = 2000, 1 << 20
	v := attack(t, settings{MaxPayload: announced})
	g := goodOnes(t, v)
	bad := crowd(t, v, n, "")
	head := codec.AppendHeader(nil, codec.Header{Opcode: codec.Binary, Fin: true, Masked: true, Length: announced})
	stop := v.watch()
	tick := time.NewTicker(time.Second / 2)
	defer tick.Stop()
	each(t, n, 64, func(i int) error { _, err := bad[i].Write(head); return err })
	for range 4 {
		<-tick.C
		each(t, n, 64, func(i int) error { _, err := bad[i].Write([]byte{1}); return err })
	}
	stop()
	p99 := g.served(goodLimit)
	grown := (v.worst - v.before.resident) / n
	if grown > bound(12<<10) {
		t.Errorf("a peer that announced %d bytes and sent 4 costs %d", announced, grown)
	}
	for _, p := range bad {
		p.Close()
	}
	v.recovered(fmt.Sprintf("%d peers announced 1 MiB and sent 4 bytes: %d bytes each; good clients' p99 %v", n, grown, p99))
}

// A message that inflates above MaxPayload ends its connection with 1009 before it
// is whole.
func TestBombs(t *testing.T) {
	const n, most, size = 64, 1 << 20, 256 << 20
	v := attack(t, settings{MaxPayload: most, Deflate: true})
	g := goodOnes(t, v)
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	payload := bytes.TrimSuffix(packed.Bytes(), []byte{0, 0, 255, 255})
	bomb := codec.AppendFrame(nil, codec.Header{Opcode: codec.Binary, Fin: true, Rsv: 4, Masked: true, Length: int64(len(payload))}, payload)
	bad := crowd(t, v, n, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
	stop := v.watch()
	each(t, n, n, func(i int) error {
		written := make(chan error, 1)
		go func() {
			_, err := bad[i].Write(bomb)
			written <- err
		}()
		code, err := bad[i].closing()
		bad[i].Close()
		<-written
		if code != codec.CodeTooBig && ignoreReset(err) != nil {
			return fmt.Errorf("ended with %d: %w", code, err)
		}
		return nil
	})
	stop()
	p99 := g.served(goodLimit)
	if grown := v.worst - v.before.resident; grown > bound(n*2*most) {
		t.Errorf("memory grew by %d MiB", grown/mib)
	}
	v.recovered(fmt.Sprintf("%d bombs of %d MiB packed into %d KiB met MaxPayload 1 MiB; good clients' p99 %v", n, size/mib, len(bomb)>>10, p99))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
