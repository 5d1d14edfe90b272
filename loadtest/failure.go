package loadtest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"syscall"

	"github.com/roost-ws/roost/codec"
)

// Failure is one cause for which connections failed or ended.
type Failure struct {
	Cause   string `json:"cause"`   // a short name that stays the same between versions: "refused", "status-503" …
	Count   int    `json:"count"`   // connections
	Meaning string `json:"meaning"` // one sentence
	Remedy  string `json:"remedy"`  // what to look at or do
	Example string `json:"example"` // the first error of this kind, as it came
}

// cause indexes causes.
type cause uint8

const (
	causeOther cause = iota
	causeRefused
	causeConnectTimeout
	causeAnswerTimeout
	causeReset
	causeEOF
	causeDescriptors
	causeSystemDescriptors
	causePorts
	causeUnreachable
	causeMemory
	causeTLS
	causeStatus
	causeAccept
	causeNotHTTP
	causeLostReset
	causeLostEOF
	causeLostTimeout
	causeSilent
	causeClosed
	causeProtocol
	causeTooBig
	causeCorrupt
	causeNotReading
	causePusher
	causePusherError
	causeSubscription
	causePublish
	causePublishStatus
)

// causeText is what a cause is called, and what is to be said about it.
type causeText struct{ name, meaning, remedy string }

var causes = [...]causeText{
	causeOther: {"other", "a system call failed", "look the example up in its man page"},
	causeRefused: {"refused", "nobody listens at that address, or the server's accept queue is full and net.ipv4.tcp_abort_on_overflow is set",
		"start the server, or check host and port"},
	causeConnectTimeout: {"connect-timeout", "the connection was not established in time: the server's accept queue is full, or a firewall drops packets",
		"lower the connect rate, or raise the server's backlog and: sysctl -w net.core.somaxconn=65535"},
	causeAnswerTimeout: {"handshake-timeout", "connected, but the upgrade was not answered in time: the server is behind, or at its descriptor limit and does not accept",
		"lower the connect rate, or raise the server's limit: ulimit -n"},
	causeReset: {"reset", "the server reset the connection during the handshake",
		"see the server's log: often a limit of its own, a crash, or its descriptor limit"},
	causeEOF: {"closed", "the server closed the connection during the handshake without an answer",
		"see the server's log: often a limit of its own, or its descriptor limit (ulimit -n)"},
	causeDescriptors: {"descriptors", "this process may not open more descriptors (EMFILE)",
		"raise it (ulimit -n, or LimitNOFILE= in systemd), or run several processes (--procs) where the scenario takes them"},
	causeSystemDescriptors: {"system-descriptors", "the system has no descriptors left (ENFILE)", "sysctl -w fs.file-max=10000000"},
	causePorts: {"ports", "no local port is left for this destination (EADDRNOTAVAIL), or a source address is not of this machine",
		"more source addresses (--source-ip 127.0.0.2-127.0.0.60), or: sysctl -w net.ipv4.ip_local_port_range='1024 65535'"},
	causeUnreachable: {"unreachable", "there is no route to the server", "check the address, routes and the family of source addresses"},
	causeMemory:      {"memory", "the kernel has no memory for more sockets", "raise net.ipv4.tcp_mem, or the machine's or the cgroup's memory"},
	causeTLS:         {"tls", "TLS failed, in the handshake or after it", "trust the server's certificate (--ca FILE, or --insecure), and check the host name and that the port speaks TLS"},
	causeStatus:      {"status", "the server answered the upgrade with a status other than 101", "check path, headers and subprotocols, and the server's limits"},
	causeAccept:      {"bad-accept", "the 101 answer breaks RFC 6455 section 4.1", "check that a WebSocket server, and no proxy, answers; offer a subprotocol it knows"},
	causeNotHTTP:     {"not-http", "the answer is no HTTP/1.1 response", "check that the port speaks plain ws://"},
	causeLostReset:   {"lost-reset", "an open connection was reset", "see the server's log: a crash, a restart, a slow-client limit"},
	causeLostEOF:     {"lost", "an open connection ended without a close frame", "see the server's log: a crash, an idle timeout, a proxy's timeout"},
	causeLostTimeout: {"lost-timeout", "an open connection timed out: its packets are not acknowledged", "look for packet loss, and for a server that is stopped"},
	causeSilent:      {"silent", "an open connection answered no ping", "look whether the server is stopped or overloaded, or its machine gone"},
	causeClosed:      {"closed-by-server", "the server closed an open connection with this code", "see the server's log and its idle timeout"},
	causeProtocol:    {"protocol", "the server sent what RFC 6455 forbids", "this is a bug of the server or of something between: keep the example"},
	causeTooBig:      {"too-big", "the server sent a larger message than this scenario awaits", "is it the right server? Echoes are as large as what was sent"},
	causeCorrupt:     {"corrupt", "a reply is not what was sent", "is it an echo server? If it is, it loses, reorders or damages messages"},
	causeNotReading:  {"not-reading", "the server does not read what it is sent", "lower the rate or the size, or see why the server stalls"},
	causePusher:      {"pusher-protocol", "the server sent what the Pusher protocol does not have", "is it a Pusher server, and is the path /app/KEY? If so, this is a bug of it: keep the example"},
	causePusherError: {"pusher-error", "the server answered with an error of the Pusher protocol, and left the connection open",
		"look the code up: 4301 is the limit of client events (--client-event-rate of roost serve)"},
	causeSubscription:  {"subscription-refused", "the server refused a subscription", "check the app's secret, and the server's limits of channels and members"},
	causePublish:       {"publish", "a publish request had no answer; whether its events went out is not known", "see the server's log, and whether it was there all the time"},
	causePublishStatus: {"publish-status", "the server refused to publish", "check app id, key and secret, and the server's limits of rate, size and batch"},
}

// failure is an error whose cause is known where it arises.
type failure struct {
	cause  cause
	status int // HTTP status or close code
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// badFrame is what the decoder refused.
func badFrame(err error) error {
	if errors.Is(err, codec.ErrMessageTooBig) {
		return &failure{cause: causeTooBig, err: err}
	}
	return &failure{cause: causeProtocol, err: err}
}

func closedByServer(code codec.CloseCode, reason []byte) error {
	return &failure{cause: causeClosed, status: int(code), err: fmt.Errorf("close %v %q", code, reason)}
}

// causeOf tells why a connection in this state ended with err.
func causeOf(was connState, err error) (c cause, status int) {
	if f := (*failure)(nil); errors.As(err, &f) {
		return f.cause, f.status
	}
	var e syscall.Errno
	switch errors.As(err, &e); {
	case errors.Is(err, io.EOF):
		return pick(was, causeEOF, causeLostEOF), 0
	case e == syscall.ECONNREFUSED:
		return causeRefused, 0
	case e == syscall.ECONNRESET || e == syscall.EPIPE || e == syscall.ECONNABORTED:
		return pick(was, causeReset, causeLostReset), 0
	case e == syscall.ETIMEDOUT:
		if was == connConnecting {
			return causeConnectTimeout, 0
		}
		return pick(was, causeAnswerTimeout, causeLostTimeout), 0
	case e == syscall.EMFILE:
		return causeDescriptors, 0
	case e == syscall.ENFILE:
		return causeSystemDescriptors, 0
	case e == syscall.EADDRNOTAVAIL || e == syscall.EADDRINUSE:
		return causePorts, 0
	case e == syscall.ENETUNREACH || e == syscall.EHOSTUNREACH || e == syscall.EAFNOSUPPORT || e == syscall.EINVAL:
		return causeUnreachable, 0
	case e == syscall.ENOBUFS || e == syscall.ENOMEM:
		return causeMemory, 0
	}
	return causeOther, 0
}

func pick(was connState, handshake, open cause) cause {
	if was >= connOpen {
		return open
	}
	return handshake
}

type failureKey struct {
	cause  cause
	status int
}

func (k failureKey) name() string {
	if k.status == 0 {
		return causes[k.cause].name
	}
	return causes[k.cause].name + "-" + strconv.Itoa(k.status)
}

// statusCauses are answers to an upgrade that say more than that they are no 101.
var statusCauses = map[int]causeText{
	http.StatusUnauthorized: {"", "the server wants to know who connects (401)", "--basic, --bearer, or a field by -H"},
	http.StatusForbidden:    {"", "the server refuses this client (403)", "check the credentials, and the Origin field: -H 'Origin: https://…'"},
	http.StatusNotFound:     {"", "there is no WebSocket at that path (404)", "check the URL's path"},
	http.StatusTooManyRequests: {"", "the server, or a proxy before it, limits how fast one address may connect (429)",
		"lower --connect-rate, connect from more addresses (--source-ip), or raise that limit"},
	http.StatusServiceUnavailable: {"", "the server, or a proxy before it, is at its limit of connections or is going away (503)",
		"raise that limit, or ask for fewer connections; behind a proxy see its log for which of the two it is"},
}

func (k failureKey) text() causeText {
	if text, ok := statusCauses[k.status]; ok && k.cause == causeStatus {
		return text
	}
	return causes[k.cause]
}

// failures counts by cause. The zero value is ready.
type failures struct{ m map[failureKey]*Failure }

func (f *failures) add(was connState, err error) {
	key := failureKey{}
	key.cause, key.status = causeOf(was, err)
	if e := f.m[key]; e != nil {
		e.Count++
		return
	}
	if f.m == nil {
		f.m = make(map[failureKey]*Failure)
	}
	text := key.text()
	f.m[key] = &Failure{Cause: key.name(), Count: 1, Meaning: text.meaning, Remedy: text.remedy, Example: err.Error()}
}

// merge adds what o counted.
func (f *failures) merge(o *failures) {
	for key, e := range o.m {
		if mine := f.m[key]; mine != nil {
			mine.Count += e.Count
			continue
		}
		if f.m == nil {
			f.m = make(map[failureKey]*Failure)
		}
		e := *e
		f.m[key] = &e
	}
}

// since are the failures that came after before.
func (f *failures) since(before failures) []Failure {
	var diff failures
	diff.merge(f)
	for key, e := range before.m {
		if diff.m[key].Count -= e.Count; diff.m[key].Count == 0 {
			delete(diff.m, key)
		}
	}
	return diff.list()
}

// list is the most frequent first.
func (f *failures) list() []Failure {
	all := make([]Failure, 0, len(f.m))
	for _, e := range f.m {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b Failure) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Cause, b.Cause))
	})
	return all
}
