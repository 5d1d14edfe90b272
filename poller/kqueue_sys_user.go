//go:build darwin || dragonfly || freebsd

package poller

import "golang.org/x/sys/unix"

const (
	evfiltUser  = unix.EVFILT_USER
	noteTrigger = unix.NOTE_TRIGGER
)
