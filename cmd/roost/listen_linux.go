package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portHolder names the process that listens on a TCP port, from proc(5): the
// socket's inode stands in net/tcp, and among the descriptors of its process.
// Processes of other users can't be looked into.
func portHolder(port string) string {
	const unknown = "another process"
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return unknown
	}
	link := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if inode := listenerInode(table, fmt.Sprintf(":%04X", n)); inode != "" {
			link = "socket:[" + inode + "]"
			break
		}
	}
	if link == "" {
		return unknown
	}
	descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return unknown
	}
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err == nil && target == link {
			process := filepath.Dir(filepath.Dir(fd))
			name, err := os.ReadFile(filepath.Join(process, "comm"))
			if err != nil {
				return unknown
			}
			return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), filepath.Base(process))
		}
	}
	return unknown
}

// listenerInode finds the inode of the listener on a port, ":1F90", in a table
// of proc_net(5): local address, remote address, state, and inode as tenth field.
func listenerInode(table, port string) string {
	const stateListen = "0A"
	text, err := os.ReadFile(table)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], port) && f[3] == stateListen {
			return f[9]
		}
	}
	return ""
}
