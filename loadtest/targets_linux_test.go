package loadtest

import "golang.org/x/sys/unix"

const bindNoPort = unix.IP_BIND_ADDRESS_NO_PORT
