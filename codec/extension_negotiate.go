package codec

import "net/http"

// Negotiate is the server's half of the handshake (RFC 7692 5.1). header is the
// value of Sec-WebSocket-Extensions, repeated lines joined with ", ".
//
// Call it only when the field is there: an empty value is an error.
//
// The first offer that c allows wins, and response is the value to answer. ok is
// false, and response empty, when the extension stays off: c is nil, or header
// names other extensions only. err is a *HandshakeError with 400 for a header that
// does not parse, for a malformed offer of permessage-deflate even next to a good
// one (as Node's ws has it; RFC 7692 would let us skip it), and when c refuses
// every offer.
func (c *DeflateConfig) Negotiate(header string) (p DeflateParams, response string, ok bool, err error) {
	if c == nil {
		return DeflateParams{}, "", false, nil
	}
	list, ok := parseExtensions(header)
	if !ok {
		return DeflateParams{}, "", false, errExtensions()
	}
	offers, ok := deflateOffers(list)
	if !ok {
		return DeflateParams{}, "", false, errExtensions()
	}
	if len(offers) == 0 {
		return DeflateParams{}, "", false, nil
	}
	for i := range offers {
		if o := &offers[i]; c.allows(o) {
			c.settle(o)
			return o.agreed(), o.String(), true, nil
		}
	}
	return DeflateParams{}, "", false, errExtensions()
}

func errExtensions() error {
	return refuse("Invalid or unacceptable Sec-WebSocket-Extensions header")
}

// allows reports whether a server with c may accept the offer o.
func (c *DeflateConfig) allows(o *deflateOffer) bool {
	if c.ServerNoContextTakeover == False && o.has(paramServerNoTakeover) {
		return false
	}
	if o.has(paramServerBits) &&
		(c.ServerMaxWindowBits == NoWindowBits || int8(c.ServerMaxWindowBits) > o.value[paramServerBits]) {
		return false
	}
	if c.ClientMaxWindowBits > 0 {
		offered := o.value[paramClientBits]
		return offered == bare || offered >= int8(c.ClientMaxWindowBits)
	}
	return true
}

// settle turns an allowed offer into the response.
func (c *DeflateConfig) settle(o *deflateOffer) {
	if c.ServerNoContextTakeover == True {
		o.set(paramServerNoTakeover, bare)
	}
	if c.ClientNoContextTakeover == True {
		o.set(paramClientNoTakeover, bare)
	}
	if c.ServerMaxWindowBits > 0 {
		o.set(paramServerBits, int8(c.ServerMaxWindowBits))
	}
	switch {
	case c.ClientMaxWindowBits > 0:
		o.set(paramClientBits, int8(c.ClientMaxWindowBits))
	case c.ClientMaxWindowBits == NoWindowBits, o.value[paramClientBits] == bare:
		o.value[paramClientBits] = 0 // a response must not carry it without a value
	}
}

// Offer is the client's value of Sec-WebSocket-Extensions, "" for a nil c. Unless
// ClientMaxWindowBits is NoWindowBits it lets the server limit our window.
func (c *DeflateConfig) Offer() string {
	if c == nil {
		return ""
	}
	var o deflateOffer
	if c.ServerNoContextTakeover == True {
		o.set(paramServerNoTakeover, bare)
	}
	if c.ClientNoContextTakeover == True {
		o.set(paramClientNoTakeover, bare)
	}
	if c.ServerMaxWindowBits > 0 {
		o.set(paramServerBits, int8(c.ServerMaxWindowBits))
	}
	switch {
	case c.ClientMaxWindowBits > 0:
		o.set(paramClientBits, int8(c.ClientMaxWindowBits))
	case c.ClientMaxWindowBits == 0:
		o.set(paramClientBits, bare)
	}
	return o.String()
}

// Accept is the client's check of a response to [DeflateConfig.Offer] (RFC 7692
// 5.1). ok is false when the server left the extension off. A server that does
// not limit its own window or history, though asked, is obeyed: it costs memory
// and breaks nothing. err is a *DialError with the words of Node's ws.
func (c *DeflateConfig) Accept(response string) (p DeflateParams, ok bool, err error) {
	switch {
	case response == "":
		return DeflateParams{}, false, nil
	case c == nil:
		return DeflateParams{}, false, errResponse("Server sent a Sec-WebSocket-Extensions header but no extension was requested")
	}
	list, ok := parseExtensions(response)
	if !ok {
		return DeflateParams{}, false, errResponse("Invalid Sec-WebSocket-Extensions header")
	}
	if len(list) != 1 || list[0].name != deflateName {
		return DeflateParams{}, false, errResponse("Server indicated an extension that was not requested")
	}
	o, ok := newDeflateOffer(list[0])
	if !ok || !c.answers(&o) {
		return DeflateParams{}, false, errResponse("Invalid Sec-WebSocket-Extensions header")
	}
	if c.ClientMaxWindowBits > 0 && !o.has(paramClientBits) {
		o.set(paramClientBits, int8(c.ClientMaxWindowBits))
	}
	return o.agreed(), true, nil
}

func errResponse(msg string) error {
	return &DialError{Msg: msg, Status: http.StatusSwitchingProtocols}
}

// answers reports whether the response o keeps within what a client with c offered.
func (c *DeflateConfig) answers(o *deflateOffer) bool {
	if c.ClientNoContextTakeover == False && o.has(paramClientNoTakeover) {
		return false
	}
	granted := o.value[paramClientBits]
	if granted == 0 {
		return true
	}
	return granted != bare && c.ClientMaxWindowBits != NoWindowBits &&
		(c.ClientMaxWindowBits == 0 || granted <= int8(c.ClientMaxWindowBits))
}
