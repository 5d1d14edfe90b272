package codec

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
)

// syncTail is what a sync flush ends with and the wire leaves out (RFC 7692 7.2.1):
// length and complement of an empty stored block.
const syncTail = "\x00\x00\xff\xff"

// Flate compresses and inflates for many connections. Between messages a
// connection holds at most a [Window]; the compressors, about 1 MB each, and the
// inflaters, about 50 KB, are shared, and the garbage collector takes those that
// lie idle. Any goroutine may use it. It must not be copied.
type Flate struct {
	level int
	// jobs has room for each call at work, so that memory is bounded by it and
	// not by the number of goroutines.
	jobs chan struct{}

	short     sync.Pool                                    // of *shortCoder
	writers   [maxWindowBits - minWindowBits + 1]sync.Pool // of *compressor, by window bits
	inflaters sync.Pool                                    // of *inflater
}

// NewFlate returns a Flate of the given level, 1 (fast) to 9 (small), which works
// on at most concurrency messages at once; more callers wait. 0 or less is as many
// as GOMAXPROCS, since more could not run. A level out of range panics: see
// [DeflateConfig.Validate].
//
// Levels above 1 count where the window is the full 32 KiB: only one algorithm of
// the library can keep to less. Levels 1 to 6 look back at most four times the
// length of the message, because a shared compressor has to read the history
// before each; 7 to 9 read all of it.
func NewFlate(level, concurrency int) *Flate {
	if level < 1 || level > 9 {
		panic(fmt.Sprintf("codec: NewFlate: level is %d: use 1 (fast) to 9 (small)", level))
	}
	if concurrency <= 0 {
		concurrency = runtime.GOMAXPROCS(0)
	}
	return &Flate{level: level, jobs: make(chan struct{}, concurrency)}
}

// bestLevel is the first level that takes all the time it needs.
const bestLevel = 7

// lookBack is how many bytes of history are worth reading for n bytes.
func (f *Flate) lookBack(n int) int {
	if f.level >= bestLevel {
		return 1 << maxWindowBits
	}
	return max(4*n, 4<<10)
}

// Compress appends the compressed form of src to dst, as one fragment of a message
// (RFC 7692 7.2.1). With last the final 00 00 ff ff is left out; an empty src is then
// the single byte 00. bits is what was agreed for our side, 8 to 15: no distance
// above 1<<bits is emitted. A dst with room for [CompressBound] bytes more is not
// moved.
//
// win is our side's history and takes src in; with no context takeover it is nil,
// and a message in several fragments uses a new Window for its own length, or
// nil for each, which costs only size.
func (f *Flate) Compress(dst, src []byte, bits uint8, win *Window, last bool) []byte {
	dst = f.compress(dst, src, bits, win)
	if win != nil {
		win.add(src, 1<<bits)
	}
	if last {
		dst = dst[:len(dst)-len(syncTail)]
	}
	return dst
}

// compress appends src and a sync flush to dst.
func (f *Flate) compress(dst, src []byte, bits uint8, win *Window) []byte {
	if len(src) == 0 {
		return append(dst, "\x00"+syncTail...)
	}
	f.jobs <- struct{}{}
	if len(src) <= maxShort {
		dst = f.compressShort(dst, src, bits, win)
	} else {
		dst = f.compressLong(dst, src, bits, win)
	}
	<-f.jobs
	return dst
}

// CompressBound returns the most bytes that Compress appends for n.
func CompressBound(n int) int {
	const storedBlock = 1<<15 - 1 // shortest that the compressors cut
	return n + 5*(n/storedBlock+2) + 16
}

// compressor is the library's writer with the slice that it appends to.
type compressor struct {
	fw  *flate.Writer
	out []byte
}

// Write implements io.Writer.
func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

func (f *Flate) compressLong(dst, src []byte, bits uint8, win *Window) []byte {
	pool := &f.writers[bits-minWindowBits]
	c, ok := pool.Get().(*compressor)
	if !ok {
		c = newCompressor(f.level, bits)
	}
	c.out = dst
	c.fw.ResetDict(c, win.last(f.lookBack(len(src))))
	_, err := c.fw.Write(src)
	if err == nil {
		err = c.fw.Flush()
	}
	if err != nil {
		panic("codec: flate.Writer failed, though its writer never does: " + err.Error())
	}
	dst, c.out = c.out, nil
	pool.Put(c)
	return dst
}

func newCompressor(level int, bits uint8) *compressor {
	c := new(compressor)
	var err error
	if bits == maxWindowBits {
		c.fw, err = flate.NewWriter(c, level)
	} else {
		c.fw, err = flate.NewWriterWindow(c, 1<<bits)
	}
	if err != nil {
		panic("codec: " + err.Error())
	}
	return c
}
