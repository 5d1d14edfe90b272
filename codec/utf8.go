package codec

import "unicode/utf8"

// ValidUTF8 reports whether p is UTF-8 as RFC 3629 has it: no overlong forms, no
// surrogates, nothing above U+10FFFF, no sequence cut off. It is what an
// inflated text message has to pass.
func ValidUTF8(p []byte) bool { return utf8.Valid(p) }

// checkUTF8 checks p, which may end inside a sequence. It returns how many bytes
// at the end (0 to 3) are a legal beginning that later bytes must complete: the
// next check starts with them. A beginning that no byte can complete, such as
// F4 90 or ED A0, is not ok.
func checkUTF8(p []byte) (tail int, ok bool) {
	tail = cutTail(p)
	return tail, utf8.Valid(p[:len(p)-tail])
}

// cutTail returns the length of the unfinished but so far legal sequence at the
// end of p, or 0.
func cutTail(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		end := p[len(p)-n:]
		if !utf8.RuneStart(end[0]) {
			continue
		}
		// FullRune is true also of what can never become a rune.
		if utf8.FullRune(end) {
			return 0
		}
		return n
	}
	return 0
}
