//go:build unix && !linux

package loadtest

const bindNoPort = 0
