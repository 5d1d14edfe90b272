// Package floods holds nothing but tests: an echo server in a process of its own,
// peers by the thousand that mean it ill, and a few good clients whose round trips
// are measured meanwhile. Each test names the limit that has to hold, and says what
// the server's memory and descriptors were before, at the worst, and after.
//
// All of it is loopback, counted, and over in seconds.
package floods
