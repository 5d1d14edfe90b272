package natsbus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Embedded is a NATS server in this process, with its files in a folder. It
// listens on no port.
type Embedded struct {
	server  *server.Server
	dir     string
	lock    *os.File
	sync    bool
	unclean bool // the stream may have lost its end before, and its epoch goes on
}

// maxPayload is the most that NATS advises.
const maxPayload = 8 << 20

// startTime is how long the server may take to read its files.
const startTime = 30 * time.Second

// ErrInUse is StartEmbedded's answer when another process has the folder.
var ErrInUse = errors.New("natsbus: another process has this folder")

// StartEmbedded starts a server, and makes the folder if need be. With sync each
// event is on the disk, by fsync, before it is acknowledged; without, a power cut
// may cost the last two minutes, which ends the epoch, while the end of the process
// costs nothing. Two
// servers would spoil each other's files, so the folder is locked, and the error
// is ErrInUse when it is another's.
func StartEmbedded(dir string, sync bool) (*Embedded, error) {
	if dir == "" {
		return nil, errors.New("natsbus: an embedded server needs a folder for its files: name one")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("natsbus: make the folder for the files: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "roost.lock"))
	if err != nil {
		return nil, err
	}
	unclean, err := wentDown(dir)
	if err == nil && !unclean && !sync {
		err = mark(dir)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s, err := start(dir, sync)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Embedded{s, dir, lock, sync, unclean}, nil
}

func start(dir string, sync bool) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "roost", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: sync, MaxPayload: maxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("natsbus: %w", err)
	}
	go s.Start()
	if !s.ReadyForConnections(startTime) {
		s.Shutdown()
		return nil, fmt.Errorf("natsbus: the embedded NATS server was not ready after %v: look at its files in %s", startTime, dir)
	}
	return s, nil
}

func (e *Embedded) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	if !e.unclean {
		unmark(e.dir)
	}
	// The lock goes with the descriptor, of which nothing was written.
	_ = e.lock.Close()
}
