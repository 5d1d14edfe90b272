package codec

import "math/bits"

// Window is the plaintext that one direction of a connection may refer back to
// (RFC 7692 7.1.1): the last 1<<bits bytes of its compressed messages. What was
// sent uncompressed is not in it. The zero value is an empty history and holds
// no memory; it grows with what comes, to 1<<bits bytes. It belongs to one
// direction of one connection and to one goroutine at a time.
type Window struct{ text []byte }

// Len returns how many bytes are held.
func (w *Window) Len() int { return len(w.text) }

// Held returns how many bytes of memory it has.
func (w *Window) Held() int { return cap(w.text) }

// Reset forgets the history and gives its memory up.
func (w *Window) Reset() { w.text = nil }

// add appends p and forgets what lies further back than size bytes, a power of two.
func (w *Window) add(p []byte, size int) {
	if len(p) > size {
		p = p[len(p)-size:]
	}
	if over := len(w.text) + len(p) - size; over > 0 {
		w.text = w.text[:copy(w.text, w.text[over:])]
	}
	if n := len(w.text) + len(p); n > cap(w.text) {
		grown := make([]byte, len(w.text), min(size, max(1<<minWindowBits, 1<<bits.Len(uint(n-1)))))
		copy(grown, w.text)
		w.text = grown
	}
	w.text = append(w.text, p...)
}

// last returns at most n bytes of the history, the latest.
func (w *Window) last(n int) []byte {
	if w == nil {
		return nil
	}
	return w.text[max(0, len(w.text)-n):]
}
