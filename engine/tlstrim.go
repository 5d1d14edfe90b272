package engine

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// crypto/tls keeps the buffers that its handshake and its largest record needed
// for as long as the connection lives: 2 to 20 KiB that an idle connection has no
// use for, and no way to give back. They are three fields without a name that we
// may use, so they are found by reflection; where a version of Go has them no
// more, or of another type, nothing is trimmed.
var (
	tlsHand, trimsHand   = tlsField("hand", reflect.TypeFor[bytes.Buffer]())
	tlsRaw, trimsRaw     = tlsField("rawInput", reflect.TypeFor[bytes.Buffer]())
	tlsInput, trimsInput = tlsField("input", reflect.TypeFor[bytes.Reader]())
)

func tlsField(name string, of reflect.Type) (offset uintptr, ok bool) {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	return f.Offset, ok && f.Type == of
}

// trim gives up the buffers that hold nothing. Holder of the turn only, since
// reads use them; and not during the handshake.
func (t *tlsConn) trim() {
	if !trimsHand || !trimsRaw || !trimsInput {
		return
	}
	at := unsafe.Pointer(t.conn)
	if hand := (*bytes.Buffer)(unsafe.Add(at, tlsHand)); hand.Len() == 0 {
		*hand = bytes.Buffer{}
	}
	input, raw := (*bytes.Reader)(unsafe.Add(at, tlsInput)), (*bytes.Buffer)(unsafe.Add(at, tlsRaw))
	if input.Len() == 0 && raw.Len() == 0 { // the input aliases the raw buffer
		*input, *raw = bytes.Reader{}, bytes.Buffer{}
	}
}
