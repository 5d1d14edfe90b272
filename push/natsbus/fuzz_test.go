package natsbus

import (
	"bytes"
	"testing"
)

// FuzzEnvelope: what is no event is an error, and what is one comes out the same when it
// is sent on.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{
		`{"a":"1","c":["news"],"n":"e","d":"x","x":"1.2","u":"7","k":10,"t":1000}`, `{"a":"1","e":"user"}`,
		`{"k":-1,"t":-9223372036854775808}`, `{"c":[null,"\ud800"]}`, `null`, `{"w":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","s":"a=b"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := decode(text)
		if err != nil {
			return
		}
		first, err := encode(e, e.Channels)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := encode(again, again.Channels)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s became %s: %v", first, second, err)
		}
	})
}
