package push

import "time"

// Hurried has the server's fleet beat in shorter ticks: one is a quarter of a beat
// and a twentieth of a lease.
func Hurried(o Options, tick time.Duration) Options {
	o.fleetTick = tick
	return o
}
