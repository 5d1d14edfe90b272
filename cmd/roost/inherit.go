package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/roost-ws/roost/internal/sock"
)

// launch is what a server command is started with.
type launch struct {
	log  *slog.Logger
	fds  []int        // listening sockets to accept from; none: open the address
	from *predecessor // the process that is to be replaced; nil: none
}

// inherit takes over listening sockets: from the process before this one, or from a
// service manager by sd_listen_fds(3).
func (l *launch) inherit() error {
	if l.from != nil {
		l.fds = l.from.fds
		return nil
	}
	if err := checkActivation(os.Getenv("LISTEN_FDS")); err != nil {
		return err
	}
	for _, f := range activation.Files(true) {
		fd, err := sock.Dup(int(f.Fd()))
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("descriptor %s from the service manager (LISTEN_FDS): %w", f.Name(), err)
		}
		l.fds = append(l.fds, fd)
	}
	return nil
}

// maxActivated bounds the sockets of one service: memory is taken for as many as
// LISTEN_FDS says.
const maxActivated = 1024

func checkActivation(fds string) error {
	if n, err := strconv.Atoi(fds); err == nil && n > maxActivated {
		return fmt.Errorf("LISTEN_FDS=%d: want at most %d sockets from the service manager", n, maxActivated)
	}
	return nil
}

// explain says whose sockets can't be used.
func (l *launch) explain(addr string, err error) error {
	if len(l.fds) > 0 && l.from == nil {
		return fmt.Errorf("sockets from the service manager (LISTEN_FDS): %w; have a socket unit with ListenStream= and a port", err)
	}
	return explainListen(addr, "--addr", err)
}

// holder says who is on addr, when somebody is and this process would open it.
func (l *launch) holder(addr string) error {
	if len(l.fds) > 0 {
		return nil
	}
	probe, err := net.Listen("tcp", addr)
	if err != nil {
		return l.explain(addr, err)
	}
	return probe.Close()
}

// tell says that an inherited address prevails over the one configured.
func (l *launch) tell(configured string, actual net.Addr) {
	if len(l.fds) > 0 {
		l.log.Info("accepting from inherited sockets", "sockets", len(l.fds), "address", actual, "configured", configured)
	}
}
