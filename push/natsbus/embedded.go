package natsbus

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Embedded is a NATS server in this process, with its files in a folder. It
// listens on no port.
type Embedded struct{ server *server.Server }

// startTime is how long the server may take to read its files.
const startTime = 30 * time.Second

// StartEmbedded starts a server. With sync each event is on the disk, by fsync,
// before it is acknowledged; without, a power cut may cost the last two minutes,
// while the end of the process costs nothing.
func StartEmbedded(dir string, sync bool) (*Embedded, error) {
	if dir == "" {
		return nil, errors.New("natsbus: an embedded server needs a folder for its files: name one")
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "roost", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: sync,
	})
	if err != nil {
		return nil, fmt.Errorf("natsbus: %w", err)
	}
	go s.Start()
	if !s.ReadyForConnections(startTime) {
		s.Shutdown()
		return nil, fmt.Errorf("natsbus: the embedded NATS server was not ready after %v: look at its files in %s", startTime, dir)
	}
	return &Embedded{s}, nil
}

func (e *Embedded) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}
