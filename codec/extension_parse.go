package codec

// extension is one element of a Sec-WebSocket-Extensions list.
type extension struct {
	name   string
	params []extensionParam
}

// extensionParam is "name" or "name=value"; a value is never empty.
type extensionParam struct{ name, value string }

// parseExtensions splits a joined Sec-WebSocket-Extensions value (RFC 6455 9.1).
// Blanks may stand around commas and semicolons only; a quoted value must be a
// token once its backslashes are gone. One wrong byte fails the whole header.
func parseExtensions(header string) (list []extension, ok bool) {
	s := extensionScanner{in: header}
	for {
		e, ok := s.extension()
		if !ok {
			return nil, false
		}
		list = append(list, e)
		switch {
		case s.skip(','):
			s.blanks()
		case s.at == len(header) && !isBlank(header[s.at-1]):
			return list, true
		default:
			return nil, false
		}
	}
}

type extensionScanner struct {
	in string
	at int
}

func (s *extensionScanner) extension() (e extension, ok bool) {
	if e.name = s.token(); e.name == "" {
		return e, false
	}
	s.blanks()
	for s.skip(';') {
		s.blanks()
		p := extensionParam{name: s.token()}
		if p.name == "" {
			return e, false
		}
		if s.skip('=') {
			if p.value = s.value(); p.value == "" {
				return e, false
			}
		}
		e.params = append(e.params, p)
		s.blanks()
	}
	return e, true
}

// value reads a token or a quoted one, and returns "" when there is none.
func (s *extensionScanner) value() string {
	if !s.skip('"') {
		return s.token()
	}
	var plain []byte
	for ; s.at < len(s.in); s.at++ {
		if s.skip('"') {
			return string(plain)
		}
		s.skip('\\')
		if s.at == len(s.in) || !isTchar[s.in[s.at]] {
			return ""
		}
		plain = append(plain, s.in[s.at])
	}
	return ""
}

func (s *extensionScanner) token() string {
	from := s.at
	for s.at < len(s.in) && isTchar[s.in[s.at]] {
		s.at++
	}
	return s.in[from:s.at]
}

func (s *extensionScanner) skip(c byte) bool {
	if s.at == len(s.in) || s.in[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *extensionScanner) blanks() {
	for s.at < len(s.in) && isBlank(s.in[s.at]) {
		s.at++
	}
}
