package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roost-ws/roost/codec"
)

// chromeRequest is what a browser behind a login sends, cookie and all.
const chromeRequest = "GET /live?channel=ticker HTTP/1.1\r\n" +
	"Host: push.example.com\r\n" +
	"Connection: Upgrade\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\n" +
	"Origin: https://www.example.com\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n" +
	"Cookie: session=0f3c9a5b7d2e41868c90aa51b2f3c7d4; theme=dark\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

var headTests = []struct {
	name, in string
	n        int
	err      error
}{
	{"whole block", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, nil},
	{"bytes after the block are not part of it", "GET / HTTP/1.1\r\n\r\n\x81\x00\n", 18, nil},
	{"one leading empty line belongs to the block", "\r\nGET / HTTP/1.1\r\n\r\n", 20, nil},
	{"two leading empty lines", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", 0, codec.ErrHeadMalformed},
	{"no end yet", "GET / HTTP/1.1\r\nHost: a\r\n", 0, nil},
	{"nothing", "", 0, nil},
	{"bare LF ends a line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 0, codec.ErrHeadMalformed},
	{"bare LF ends the block", "GET / HTTP/1.1\r\nHost: a\r\n\n", 0, codec.ErrHeadMalformed},
	{"bare LF first", "\nGET / HTTP/1.1\r\n\r\n", 0, codec.ErrHeadMalformed},
	{"bare LF after a leading empty line", "\r\n\nGET / HTTP/1.1\r\n\r\n", 0, codec.ErrHeadMalformed},
	{"exactly the limit", "GET /" + strings.Repeat("x", 1024-18) + " HTTP/1.1\r\n\r\n", 1024, nil},
	{"one over the limit", "GET /" + strings.Repeat("x", 1024-17) + " HTTP/1.1\r\n\r\n", 0, codec.ErrHeadTooLarge},
	{"limit reached without an end", strings.Repeat("x", 1024), 0, codec.ErrHeadTooLarge},
	{"one below the limit without an end", strings.Repeat("x", 1023), 0, nil},
	{"limit lies between CR and LF", "GET /" + strings.Repeat("x", 1024-17) + " HTTP/1.1\r\n\r\nmore", 0, codec.ErrHeadTooLarge},
	{"bare LF beyond the limit is not looked for", strings.Repeat("x", 1024) + "\n", 0, codec.ErrHeadTooLarge},
	{"Chrome", chromeRequest, len(chromeRequest), nil},
}

func TestScanHeadFindsTheEndOrRefuses(t *testing.T) {
	for _, tt := range headTests {
		n, err := codec.ScanHead([]byte(tt.in), 0, 1024)
		if n != tt.n || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %d, %v; want %d, %v", tt.name, n, err, tt.n, tt.err)
		}
	}
}

// arrive feeds in as it would come from a socket: cut after each of the given
// sizes, scanned whenever something has arrived.
func arrive(in []byte, max int, cuts ...int) (int, error) {
	from := 0
	for _, to := range append(cuts, len(in)) {
		if n, err := codec.ScanHead(in[:to], from, max); n != 0 || err != nil {
			return n, err
		}
		from = to
	}
	return 0, nil
}

func TestScanHeadDoesNotDependOnHowBytesArrive(t *testing.T) {
	for _, tt := range headTests {
		in := []byte(tt.in)
		var each []int
		for cut := range in {
			each = append(each, cut)
			if n, err := arrive(in, 1024, cut); n != tt.n || !errors.Is(err, tt.err) {
				t.Errorf("%s, cut at %d: got %d, %v; want %d, %v", tt.name, cut, n, err, tt.n, tt.err)
			}
		}
		if n, err := arrive(in, 1024, each...); n != tt.n || !errors.Is(err, tt.err) {
			t.Errorf("%s, byte by byte: got %d, %v; want %d, %v", tt.name, n, err, tt.n, tt.err)
		}
	}
}
