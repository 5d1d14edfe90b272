package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// manager is the service manager that started us, told by sd_notify(3) how we are.
// Without one nothing happens.
type manager struct{ log *slog.Logger }

func (m manager) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.log.Warn("the service manager could not be told", "state", state, "err", err)
	}
}

func (m manager) ready()    { m.tell(daemon.SdNotifyReady) }
func (m manager) stopping() { m.tell(daemon.SdNotifyStopping) }

// reloading is followed by ready. The time is what Type=notify-reload wants.
func (m manager) reloading() {
	m.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonic().Microseconds()))
}

// succeeded makes the new process the service's main one.
func (m manager) succeeded(pid int) { m.tell(fmt.Sprintf("MAINPID=%d", pid)) }

// watchdog says that we live, twice in each interval in which the manager wants to
// hear it, until ctx ends.
func (m manager) watchdog(ctx context.Context) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		m.log.Warn("no watchdog", "err", err)
	}
	if every <= 0 {
		return
	}
	go func() {
		tick := time.NewTicker(every / 2)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				m.tell(daemon.SdNotifyWatchdog)
			}
		}
	}()
}
