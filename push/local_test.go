//go:build unix

package push_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/roost-ws/roost/push"
)

func runtimeDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return filepath.Join(dir, "roost")
}

var local = push.Local{URL: "http://127.0.0.1:8080", AppID: "3", Key: "k", Secret: "s", Token: "t"}

func write(t *testing.T, l push.Local) (remove func() error) {
	t.Helper()
	remove, err := push.WriteLocal(l)
	if err != nil {
		t.Fatal(err)
	}
	return remove
}

func TestLocalCredentialsAreFoundByAddress(t *testing.T) {
	dir := runtimeDir(t)
	if _, err := push.FindLocal(""); !errors.Is(err, push.ErrNoLocal) {
		t.Errorf("before: %v", err)
	}
	remove := write(t, local)
	want := local
	want.PID = os.Getpid()
	for _, addr := range []string{"", "127.0.0.1:8080", ":8080", "localhost:8080", "http://127.0.0.1:8080", "http://localhost:8080/x", "[::1]:8080"} {
		if got, err := push.FindLocal(addr); err != nil || got != want {
			t.Errorf("%q: %+v, %v", addr, got, err)
		}
	}
	for _, addr := range []string{"127.0.0.1:8081", "evil.example:8080", "http://10.0.0.1:8080"} {
		if _, err := push.FindLocal(addr); !errors.Is(err, push.ErrNoLocal) {
			t.Errorf("%q: %v, want ErrNoLocal", addr, err)
		}
	}
	for _, addr := range []string{"x", "http://h", "::"} {
		if _, err := push.FindLocal(addr); err == nil {
			t.Errorf("%q accepted", addr)
		}
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestLocalCredentialsOfSeveralServersHaveToBeNamed(t *testing.T) {
	runtimeDir(t)
	write(t, local)
	second := local
	second.URL = "http://127.0.0.1:8081"
	write(t, second)
	if _, err := push.FindLocal(""); err == nil || !strings.Contains(err.Error(), "8081") {
		t.Errorf("got %v", err)
	}
	if got, err := push.FindLocal(":8081"); err != nil || got.URL != second.URL {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLocalCredentialsThatOthersCouldUseAreRefused(t *testing.T) {
	dir := runtimeDir(t)
	write(t, local)
	path := filepath.Join(dir, "8080.json")
	for _, tt := range []struct {
		path     string
		bad, was os.FileMode
	}{{path, 0o640, 0o600}, {path, 0o602, 0o600}, {dir, 0o750, 0o700}, {dir, 0o707, 0o700}} {
		if err := os.Chmod(tt.path, tt.bad); err != nil {
			t.Fatal(err)
		}
		if _, err := push.FindLocal(":8080"); err == nil || !strings.Contains(err.Error(), "chmod") {
			t.Errorf("%s with mode %o: %v", tt.path, tt.bad, err)
		}
		if err := os.Chmod(tt.path, tt.was); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("written with %v, %v", info, err)
	}
	if _, err := push.FindLocal(":8080"); err != nil {
		t.Error(err)
	}
}

func TestLocalFolderThatOthersCouldUseIsNotWrittenTo(t *testing.T) {
	dir := runtimeDir(t)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := push.WriteLocal(local); err == nil {
		t.Error("written into an open folder")
	}
	if err := errors.Join(os.Remove(dir), os.Symlink(t.TempDir(), dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := push.WriteLocal(local); err == nil {
		t.Error("written through a symbolic link")
	}
}

func TestLocalCredentialsOfAnEndedServerAreDropped(t *testing.T) {
	dir := runtimeDir(t)
	write(t, local)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Skip("no command true here")
	}
	path := filepath.Join(dir, "8080.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stale := strings.Replace(string(text), strconv.Itoa(os.Getpid()), strconv.Itoa(dead.Process.Pid), 1)
	if err := os.WriteFile(path, []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := push.FindLocal(":8080"); !errors.Is(err, push.ErrNoLocal) {
		t.Errorf("got %v, want ErrNoLocal", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}
