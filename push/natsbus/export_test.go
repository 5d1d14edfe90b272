package natsbus

import "time"

// Hurry makes a change of what b listens to overlap for this long only. It must come
// before the first Join.
func (b *Bus) Hurry(overlap time.Duration) { b.plain.overlap = overlap }
