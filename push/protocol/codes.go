package protocol

// Versions of the protocol that are spoken: since 5 clients answer pings, since
// 6 they read close codes, and 7 changed no frame.
const (
	MinVersion = 5
	MaxVersion = 7
)

// Close codes of the protocol. After 4000-4099 a client gives up, after
// 4100-4199 it comes back in a second or later, after 4200-4299 at once.
const (
	CodeUnknownApp          = 4001
	CodeAppDisabled         = 4003
	CodeOverQuota           = 4004
	CodeUnknownPath         = 4005
	CodeInvalidVersion      = 4006
	CodeUnsupportedProtocol = 4007
	CodeNoProtocol          = 4008
	CodeUnauthorized        = 4009
	CodeOverCapacity        = 4100
	CodeTooSlow             = 4150 // ours: the client did not read what was sent to it
	CodeReconnect           = 4200
	CodePongTimeout         = 4201
	CodeClientEvent         = 4301 // only in pusher:error, never closes
)

// Terminal reports whether a client that was closed with code must not come
// back unchanged.
func Terminal(code int) bool { return 4000 <= code && code < 4100 }

// Immediate reports whether a client that was closed with code should come back
// without waiting.
func Immediate(code int) bool { return 4200 <= code && code < 4300 }

// Names of the protocol's own events.
const (
	EventConnected         = "pusher:connection_established"
	EventError             = "pusher:error"
	EventPing              = "pusher:ping"
	EventPong              = "pusher:pong"
	EventSubscribe         = "pusher:subscribe"
	EventUnsubscribe       = "pusher:unsubscribe"
	EventSubscribed        = "pusher_internal:subscription_succeeded"
	EventSubscriptionError = "pusher:subscription_error"
	EventCacheMiss         = "pusher:cache_miss"
	EventSignin            = "pusher:signin"
	EventSigninSuccess     = "pusher:signin_success"
	EventMemberAdded       = "pusher_internal:member_added"
	EventMemberRemoved     = "pusher_internal:member_removed"
	EventSubscriptionCount = "pusher_internal:subscription_count"
	EventWatchlist         = "pusher_internal:watchlist_events"
)
