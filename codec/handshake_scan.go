package codec

import (
	"bytes"
	"net/http"
)

// Refusals of ScanHead. Both are *HandshakeError, so that they can be answered
// as any other.
var (
	// ErrHeadTooLarge says that a header block exceeds the limit given.
	ErrHeadTooLarge error = &HandshakeError{
		Status: http.StatusRequestHeaderFieldsTooLarge,
		Msg:    "Header block larger than the server's limit",
	}
	// ErrHeadMalformed says that a line of a header block ends in LF without
	// CR, or that more than one empty line precedes the first line.
	ErrHeadMalformed error = &HandshakeError{
		Status: http.StatusBadRequest,
		Msg:    "Malformed line end in the header block",
	}
)

// ScanHead looks for the end of an HTTP/1 header block in b, of which the
// first from bytes were scanned by an earlier call. It returns the size of the
// block including the empty line that ends it, or 0 while that line has not
// arrived. However b is cut into calls, the outcome is the same.
//
// A block longer than max bytes is ErrHeadTooLarge, reported as soon as max
// bytes hold no end. A line ended by LF alone is ErrHeadMalformed although RFC
// 9112 section 2.2 permits it: an intermediary that sees other lines than we
// do is how requests are smuggled. One empty line before the first is skipped,
// as that section asks, and is part of the block.
func ScanHead(b []byte, from, max int) (n int, err error) {
	whole := len(b) < max
	if !whole {
		b = b[:max]
	}
	for i := min(from, len(b)); ; i++ {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 {
			break
		}
		i += lf
		if i == 0 || b[i-1] != '\r' {
			return 0, ErrHeadMalformed
		}
		if i >= 3 && b[i-2] == '\n' {
			if i == 3 {
				return 0, ErrHeadMalformed
			}
			return i + 1, nil
		}
	}
	if !whole {
		return 0, ErrHeadTooLarge
	}
	return 0, nil
}
