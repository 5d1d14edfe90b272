//go:build unix

package engine

import "testing"

// A new version of Go may move what trim empties: then the bytes of an idle TLS
// connection double, and this says why.
func TestTrimKnowsThisGo(t *testing.T) {
	t.Parallel()
	if !trimsHand || !trimsRaw || !trimsInput {
		t.Fatalf("crypto/tls.Conn: hand %v, rawInput %v, input %v: a field is gone or has another type",
			trimsHand, trimsRaw, trimsInput)
	}
}
