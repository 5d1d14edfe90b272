package pool

import "github.com/panjf2000/ants/v2"

// Importing ants starts a default pool whose two tickers wake the process
// three times a second for as long as it lives. Nobody here uses that pool, so
// it is released, but only if nobody else has put it to work by now. A program
// that wants it calls ants.Reboot.
func init() {
	if ants.Running() == 0 {
		ants.Release()
	}
}
