package codec_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/textproto"
	"reflect"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// headerOf is what net/http would make of fields.
func headerOf(fields codec.Fields) http.Header {
	h := http.Header{}
	for _, f := range fields {
		h.Add(string(f.Name), string(f.Value))
	}
	return h
}

// FuzzRequest: nothing panics, arrival in pieces changes nothing, and what
// Parse accepts net/http reads the same way. Where net/http refuses it must be
// for one of two rules we leave to others: the target must be a URI (HTTP does
// that), and a Trailer header must be sensible (the reader of the body does).
func FuzzRequest(f *testing.F) {
	for _, tt := range headTests {
		f.Add([]byte(tt.in), 5)
	}
	for _, tt := range checkTests {
		f.Add([]byte(handshakeWith(tt.line, tt.with)), 40)
	}
	for _, bad := range []string{"Host: b", "Content-Length: 1\r\nContent-Length: 1", "Transfer-Encoding: chunked\r\nContent-Length: 1", "X : 1",
		"X: 1\r\n 2", "X: 1\nY: 2", "X: \x00", "X: a\rb", "Transfer-Encoding: chunked\r\nTrailer: A", "Pragma: no-cache"} {
		f.Add([]byte("GET http://h/a?b HTTP/1.1\r\nHost: a\r\n"+bad+"\r\n\r\n"), 60)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		n, scanErr := codec.ScanHead(in, 0, 4096)
		if cut >= 0 && cut <= len(in) {
			if m, err := arrive(in, 4096, cut); m != n || err != scanErr {
				t.Fatalf("cut at %d: %d, %v; whole: %d, %v", cut, m, err, n, scanErr)
			}
		}
		var r codec.Request
		if err := r.Parse(in[:n]); err != nil {
			status(t, err)
			return
		}
		r.WantsUpgrade()
		checkErr := r.CheckUpgrade()
		mine, mineErr := r.HTTP("", nil)
		head := bytes.TrimPrefix(in[:n], []byte("\r\n")) // net/http has no patience with the empty line
		theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if err != nil {
			if mineErr == nil && r.Values("Trailer") == 0 {
				t.Fatalf("net/http refuses: %v", err)
			}
			return
		}
		if codecErr := codec.CheckHTTP(theirs); checkErr != nil && (codecErr == nil || codecErr.Error() != checkErr.Error()) {
			t.Fatalf("CheckUpgrade %v, CheckHTTP %v", checkErr, codecErr)
		}
		if theirs.Method != string(r.Method) || theirs.RequestURI != string(r.Target) || theirs.ProtoMinor != r.Minor {
			t.Fatalf("%s %s %d, net/http: %s %s %d", r.Method, r.Target, r.Minor, theirs.Method, theirs.RequestURI, theirs.ProtoMinor)
		}
		if mineErr != nil {
			if theirs.Method != http.MethodConnect { // its target is an authority, which HTTP does not take
				t.Fatalf("only HTTP refuses: %v", mineErr)
			}
			return
		}
		sameRequest(t, mine, theirs)
	})
}

// sameRequest compares all but the fields net/http moves or makes up.
func sameRequest(t *testing.T, mine, theirs *http.Request) {
	t.Helper()
	for _, moved := range []string{"Transfer-Encoding", "Trailer", "Cache-Control"} {
		mine.Header.Del(moved)
		theirs.Header.Del(moved)
	}
	if !reflect.DeepEqual(mine.Header, theirs.Header) {
		t.Fatalf("header %q, net/http: %q", mine.Header, theirs.Header)
	}
	if theirs.Method != http.MethodConnect && (mine.Host != theirs.Host || !reflect.DeepEqual(mine.URL, theirs.URL)) {
		t.Fatalf("%q %+v, net/http: %q %+v", mine.Host, mine.URL, theirs.Host, theirs.URL)
	}
}

// FuzzResponse: nothing panics, and what Parse accepts net/textproto and
// net/http read the same way; the rules of a body are not applied, since a
// handshake has none.
func FuzzResponse(f *testing.F) {
	f.Add(codec.AppendSwitching(nil, []byte(sampleKey), "p", "permessage-deflate", nil), sampleKey)
	f.Add(codec.AppendReject(nil, 503, "", http.Header{"Retry-After": {"1"}}), "x")
	f.Add([]byte("HTTP/1.1 101\r\nA: b\r\na:\r\n\r\n"), "")
	f.Fuzz(func(t *testing.T, in []byte, key string) {
		n, _ := codec.ScanHead(in, 0, 4096)
		var r codec.Response
		if r.Parse(in[:n]) != nil {
			return
		}
		if _, err := r.CheckAccept(key, []string{"p"}); err != nil && err.Error() == "" {
			t.Fatal("refused without a text")
		}
		_, fields, _ := bytes.Cut(in[:n], []byte("\r\n"))
		header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(fields))).ReadMIMEHeader()
		if err != nil || !reflect.DeepEqual(http.Header(header), headerOf(r.Fields)) {
			t.Fatalf("%q, net/textproto: %q, %v", r.Fields, header, err)
		}
		if r.Values("Content-Length")+r.Values("Transfer-Encoding")+r.Values("Trailer") > 0 {
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(in[:n])), nil)
		if err != nil || res.StatusCode != r.Status || res.ProtoMinor != r.Minor {
			t.Fatalf("%d, net/http: %+v, %v", r.Status, res, err)
		}
	})
}

// FuzzAnswers: whatever the hooks hand over, an answer is one block with the
// lines we mean and no other.
func FuzzAnswers(f *testing.F) {
	f.Add(400, "msg", "Name", "value", "protocol")
	f.Add(0, "a\r\nb", "X\r\nY", "1\r\nZ: 2\r\n\r\n", "p\n")
	f.Fuzz(func(t *testing.T, code int, msg, name, value, protocol string) {
		extra := http.Header{name: {value}}
		reject := codec.AppendReject(nil, code, msg, extra)
		if n := oneBlock(t, reject, 3, 4); msg != "" && string(reject[n:]) != msg {
			t.Fatalf("body %q, want %q", reject[n:], msg)
		}
		oneBlock(t, codec.AppendSwitching(nil, []byte(sampleKey), protocol, value, extra), 3, 6)
	})
}

func oneBlock(t *testing.T, wire []byte, least, most int) (n int) {
	t.Helper()
	n, err := codec.ScanHead(wire, 0, len(wire)+1)
	var r codec.Response
	if err != nil || r.Parse(wire[:n]) != nil || len(r.Fields) < least || len(r.Fields) > most {
		t.Fatalf("%q: %d fields, %v", wire, len(r.Fields), err)
	}
	return n
}
