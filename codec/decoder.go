package codec

// Limits is what a connection allows its peer. It is read only: connections and
// goroutines may share one.
type Limits struct {
	MaxPayload   int64 // bytes of one whole message on the wire; 0 = no limit
	MaxFragments int   // data frames of one message; 0 = no limit; a message of one frame counts 1
	Client       bool  // we are the client: frames must come unmasked
	Deflate      bool  // RSV1 is legal on the first frame of a message
	SkipUTF8     bool  // text is not checked
}

// Message is a whole message or one control frame.
type Message struct {
	Opcode     Opcode // Text, Binary, Close, Ping or Pong
	Compressed bool   // Payload is still deflated, and text in it not yet checked
	Payload    []byte
}

type Decoder struct{ msg []byte }

func (d *Decoder) Next(in []byte, lim *Limits, b *Bytes) (m Message, n int, ok bool, err error) {
	return
}
func (d *Decoder) Idle() bool                      { return true }
func (d *Decoder) Release(b *Bytes)                {}
func (d *Decoder) Reset(b *Bytes)                  {}
func (d *Decoder) Tail(b *Bytes) []byte            { return nil }
func (d *Decoder) Filled(n int, lim *Limits) error { return nil }
func (d *Decoder) Held() int                       { return 0 }
