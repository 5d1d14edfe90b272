package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// explainListen says what stands in the way of listening on addr, the value of
// flag, and what to do about it. Errors of another kind pass unchanged.
func explainListen(addr, flag string, err error) error {
	_, port, _ := net.SplitHostPort(addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by %s; stop it, or choose another port with %s (port 0 takes a free one)", addr, portHolder(port), flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: no interface of this machine has that address; give one that it has with %s", addr, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE, choose another with %s", addr, flag)
	}
	return err
}

// checkAddr refuses what can't be listened on before anything is started.
func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("--addr %q: not host:port; give one like 127.0.0.1:8080 or [::1]:8080", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return usagef("--addr %q: port out of range, give 0 to 65535", addr)
	}
	return nil
}
