package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Local is what a server leaves for the commands of the same user on the same
// machine, so that nobody has to type a secret.
type Local struct {
	URL    string `json:"url"` // http://host:port
	AppID  string `json:"app_id"`
	Key    string `json:"key"`
	Secret string `json:"secret"`
	Token  string `json:"token"` // of the console
	PID    int    `json:"pid"`   // of the server; WriteLocal fills it in
}

// ErrNoLocal is FindLocal's answer when no such server runs here for this user.
var ErrNoLocal = errors.New("push: no running server of this user found")

// Path is the file that WriteLocal writes l to.
func (l Local) Path() (string, error) {
	port, err := portOf(l.URL)
	if err != nil {
		return "", err
	}
	dir, err := localDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, port+".json"), nil
}

// WriteLocal writes l to a file that only this user can read, named after the
// port in l.URL, replacing one that an earlier server on that port left. remove
// deletes the file; a server calls it when it ends.
func WriteLocal(l Local) (remove func() error, err error) {
	path, err := l.Path()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("push: make the folder for credentials: %w", err)
	}
	if err := checkPrivate(dir, os.Lstat); err != nil {
		return nil, err
	}
	l.PID = os.Getpid()
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("push: encode credentials: %w", err)
	}
	if err := replaceFile(dir, path, text); err != nil {
		return nil, fmt.Errorf("push: write credentials: %w", err)
	}
	return func() error { return removeOwn(path, l.PID) }, nil
}

// replaceFile writes beside path and renames, so that a reader sees the old file
// or the new one. os.CreateTemp makes the file with mode 0600.
func replaceFile(dir, path string, text []byte) error {
	f, err := os.CreateTemp(dir, "new-*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// removeOwn leaves the file of a server that took over the port since.
func removeOwn(path string, pid int) error {
	if l, err := readLocal(path); err == nil && l.PID != pid {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("push: remove credentials: %w", err)
	}
	return nil
}

// FindLocal returns what the running server at addr wrote. addr is "host:port",
// ":port" or an http URL; empty means the only server running. The error wraps
// ErrNoLocal when there is none, and tells what is wrong with a file that others
// could have read or written. Files of servers that have ended are deleted.
func FindLocal(addr string) (Local, error) {
	dir, err := localDir()
	if err != nil {
		return Local{}, err
	}
	if addr == "" {
		return onlyLocal(dir)
	}
	port, err := portOf(addr)
	if err != nil {
		return Local{}, err
	}
	l, err := liveLocal(filepath.Join(dir, port+".json"))
	if err != nil {
		return Local{}, err
	}
	if !sameHost(addr, l.URL) {
		return Local{}, fmt.Errorf("%w: the one on port %s listens at %s, not at %s", ErrNoLocal, port, l.URL, addr)
	}
	return l, nil
}

func onlyLocal(dir string) (Local, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return Local{}, fmt.Errorf("push: list credentials: %w", err)
	}
	var found []Local
	for _, path := range paths {
		l, err := liveLocal(path)
		if errors.Is(err, ErrNoLocal) {
			continue
		}
		if err != nil {
			return Local{}, err
		}
		found = append(found, l)
	}
	switch len(found) {
	case 0:
		return Local{}, fmt.Errorf("%w: start one with \"roost serve\", or give its URL, app id, key and secret", ErrNoLocal)
	case 1:
		return found[0], nil
	}
	urls := make([]string, len(found))
	for i, l := range found {
		urls[i] = l.URL
	}
	slices.Sort(urls)
	return Local{}, fmt.Errorf("push: %d servers run here (%s): say which", len(found), strings.Join(urls, ", "))
}

// liveLocal reads a file and drops it when its server is gone.
func liveLocal(path string) (Local, error) {
	l, err := readLocal(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("%w: start one with \"roost serve\", or give the app id, key and secret", ErrNoLocal)
	}
	if err != nil {
		return l, err
	}
	if running(l.PID) {
		return l, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Local{}, fmt.Errorf("push: remove stale credentials: %w", err)
	}
	return Local{}, fmt.Errorf("%w: the last one at %s (process %d) has ended", ErrNoLocal, l.URL, l.PID)
}

func readLocal(path string) (l Local, err error) {
	if err := checkPrivate(filepath.Dir(path), os.Lstat); err != nil {
		return l, err
	}
	f, err := os.Open(path)
	if err != nil {
		return l, fmt.Errorf("push: read credentials: %w", err)
	}
	defer f.Close()
	if err := checkPrivate(path, func(string) (fs.FileInfo, error) { return f.Stat() }); err != nil {
		return l, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return l, fmt.Errorf("push: read credentials: %w", err)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("push: read credentials in %s: %w: delete the file", path, err)
	}
	return l, nil
}

// localDir is below the user's runtime folder, which is empty after a reboot, or
// else below the cache folder.
func localDir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "roost"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("push: no folder for credentials: %w: set XDG_RUNTIME_DIR", err)
	}
	return filepath.Join(dir, "roost"), nil
}

func hostPort(addr string) (host, port string, err error) {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	u, err := url.Parse(addr)
	if err != nil || u.Port() == "" {
		return "", "", fmt.Errorf("push: address %q has no port: write host:port or http://host:port", addr)
	}
	return u.Hostname(), u.Port(), nil
}

func portOf(addr string) (string, error) {
	_, port, err := hostPort(addr)
	return port, err
}

// sameHost guards against handing the secret of the server here to whoever
// listens on that port of another machine.
func sameHost(addr, served string) bool {
	a, _, errA := hostPort(addr)
	b, _, errB := hostPort(served)
	return errA == nil && errB == nil && (a == b || here(a) && here(b))
}

func here(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}
