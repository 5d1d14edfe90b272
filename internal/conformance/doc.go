// Package conformance holds nothing but tests: vectors of octets, written from
// RFC 6455 and RFC 7692, that go to an echo server on the engine, and the octets
// that have to come back.
//
// Its client knows neither codec nor engine: it frames, masks, compresses and
// checks by itself, so that a mistake in one is not repeated in the other.
package conformance
