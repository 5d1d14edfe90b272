package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
	"github.com/spf13/pflag"
)

// busSettings choose what joins the servers of a fleet.
type busSettings struct {
	bus, data string
	sync      bool
	nats      natsbus.Options
}

func (b *busSettings) register(f *pflag.FlagSet) {
	f.StringVar(&b.bus, "bus", "embedded", "`bus` that joins servers and keeps history: embedded (NATS in this process), memory, or nats://host:port,…")
	f.StringVar(&b.data, "data", "", "`folder` for the history of --bus embedded; default: one below the user's state folder")
	f.BoolVar(&b.sync, "data-sync", false, "have --bus embedded fsync each event with history before it is acknowledged")
	f.StringVar(&b.nats.Credentials, "bus-creds", "", "`file` with the user's credentials for NATS, as nsc writes it")
	f.StringVar(&b.nats.CA, "bus-tls-ca", "", "PEM `file` that the certificates of the NATS servers are checked against")
	f.StringVar(&b.nats.TLSCert, "bus-tls-cert", "", "PEM `file` with a certificate for NATS servers that ask for one")
	f.StringVar(&b.nats.TLSKey, "bus-tls-key", "", "PEM `file` with the key of --bus-tls-cert")
	count(f, &b.nats.Count, "bus-history", 1000, 1, 1<<20, "most events of one channel that NATS keeps; counts when its stream is made")
	duration(f, &b.nats.Age, "bus-history-age", 24*time.Hour, 365*24*time.Hour, "how long NATS keeps events; counts when its stream is made")
	count(f, &b.nats.Replicas, "bus-replicas", 1, 1, 5, "copies of the history in a NATS cluster; counts when its stream is made")
}

// joinTime is how long reading the history may take at the start.
const joinTime = 2 * time.Minute

// closingBus ends with the server.
type closingBus interface {
	push.Bus
	io.Closer
}

// memoryBus has nothing to close.
type memoryBus struct{ *push.MemoryBus }

func (memoryBus) Close() error { return nil }

// exclusive reports whether only one process may have the bus.
func (b *busSettings) exclusive() bool { return b.bus == "embedded" }

// check is the part of open's error that the settings alone decide.
func (b *busSettings) check() error {
	if b.bus == "memory" || b.bus == "embedded" {
		return nil
	}
	if strings.HasPrefix(b.bus, "nats://") || strings.HasPrefix(b.bus, "tls://") {
		return checkServers(b.bus)
	}
	_, place, _ := strings.Cut(b.bus, "@") // what is before it may hold a password
	return usageError{fmt.Errorf("--bus %q is unknown, give embedded, memory or nats://host:port", cmp.Or(place, b.bus))}
}

// checkServers refuses NATS servers without a host, which the client would take for
// this machine.
func checkServers(list string) error {
	for i, server := range strings.Split(list, ",") {
		_, rest, found := strings.Cut(server, "://")
		if !found {
			rest = server
		}
		host := rest[strings.LastIndex(rest, "@")+1:] // what is before it may hold a password
		if host == "" || strings.ContainsAny(host[:1], ":/") {
			return usagef("--bus: server %d has no host (%q), give nats://host:port", i+1, host)
		}
	}
	return nil
}

func (b *busSettings) open(log *slog.Logger) (closingBus, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	b.nats.Logger = log
	switch {
	case b.bus == "memory":
		return memoryBus{push.NewMemoryBus()}, nil
	case b.bus == "embedded":
		e, err := natsbus.StartEmbedded(b.folder(), b.sync)
		if errors.Is(err, natsbus.ErrInUse) {
			return nil, fmt.Errorf("another roost serve keeps its history in %s: give this one --data with a folder of its own, or --bus memory", b.folder())
		}
		if err != nil {
			return nil, err
		}
		b.nats.Embedded = e
	default:
		b.nats.URL = b.bus
	}
	ctx, cancel := context.WithTimeout(context.Background(), joinTime)
	defer cancel()
	return natsbus.Connect(ctx, b.nats)
}

// history says where it is kept.
func (b *busSettings) history() string {
	switch b.bus {
	case "memory":
		return "in memory, until this ends"
	case "embedded":
		return "in " + b.folder()
	}
	return "in NATS"
}

// folder is where the embedded bus keeps its files, empty for the other ones.
func (b *busSettings) folder() string {
	if b.bus != "embedded" || b.data != "" {
		return b.data
	}
	return filepath.Join(stateFolder(), "roost-data")
}

// stateFolder is for what should outlive a restart: systemd's, the user's as the
// system has it, or else the working directory.
func stateFolder() string {
	dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":") // systemd.exec(5): may be several
	if dir == "" {
		dir = os.Getenv("XDG_STATE_HOME")
	}
	if filepath.IsAbs(dir) {
		return dir
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		if dir, err := os.UserConfigDir(); err == nil {
			return dir
		}
	} else if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state")
	}
	return "."
}
