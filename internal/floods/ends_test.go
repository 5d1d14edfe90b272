//go:build linux

package floods

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// ignoreReset passes over what a peer meets that is cut off while it speaks.
func ignoreReset(err error) error {
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// Five thousand resets in one moment.
func TestResetsAtOnce(t *testing.T) {
	const n = 5000
	v := attack(t, settings{})
	g := goodOnes(t, v)
	bad := crowd(t, v, n, "")
	stop := v.watch()
	began := time.Now()
	for _, p := range bad {
		if err := p.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	v.until("the resets", func(f figures) bool { return f.Conns == goodClients })
	took := time.Since(began)
	stop()
	p99 := g.served(goodLimit)
	v.recovered(fmt.Sprintf("%d resets were dealt with in %v; good clients' p99 %v", n, took.Round(time.Millisecond), p99))
}

// Five thousand close frames in one moment; half of the peers then neither read nor
// leave, and CloseTimeout ends them.
func TestCloseStorm(t *testing.T) {
	const n, limit = 5000, time.Second
	v := attack(t, settings{Closing: limit})
	g := goodOnes(t, v)
	bad := crowd(t, v, n, "")
	stop := v.watch()
	bye := frame(codec.Close, true, []byte{3, 232})
	each(t, n, 64, func(i int) error { _, err := bad[i].Write(bye); return err })
	each(t, n/2, 64, func(i int) error {
		code, err := bad[i].closing()
		bad[i].Close()
		if code != codec.CodeNormal {
			return fmt.Errorf("answered with %d: %w", code, err)
		}
		return nil
	})
	v.until("the closes", func(f figures) bool { return f.Conns == goodClients })
	stop()
	p99 := g.served(goodLimit)
	v.recovered(fmt.Sprintf("%d close frames, half of the peers stay; CloseTimeout %v; good clients' p99 %v", n, limit, p99))
}

// Out of descriptors the server serves those that it has without spinning, and takes
// the next as soon as one is free.
func TestDescriptorsExhausted(t *testing.T) {
	const n, most = 600, 300
	v := attack(t, settings{Descriptors: most})
	waiting := make([]*net.TCPConn, n)
	each(t, n, 64, func(i int) (err error) {
		if waiting[i], err = dial(v.addr, 2); err == nil {
			_, err = io.WriteString(waiting[i], upgradeHead+"\r\n")
		}
		return err
	})
	answered := make(chan int, n)
	var all sync.WaitGroup
	for i, c := range waiting {
		all.Go(func() {
			if status, err := upgradeAnswer(c); err != nil || status != http.StatusSwitchingProtocols {
				t.Errorf("%d: status %d, %v", i, status, err)
			}
			answered <- i
		})
	}
	full := v.until("the descriptors to be used up", func(f figures) bool { return f.descriptors >= most-2 })
	inside := make([]int, full.Conns)
	for i := range inside {
		inside[i] = <-answered
	}
	served := 0
	cpu, began := v.cpu(), time.Now()
	<-time.After(time.Second) // what is measured: that nothing goes on
	if used := v.cpu() - cpu; used > time.Since(began)/4 && !raceDetector {
		t.Errorf("out of descriptors the server used %v of a second", used)
	}
	for len(inside) > 0 { // those who leave let others in
		for _, i := range inside {
			waiting[i].Close()
		}
		served += len(inside)
		inside = inside[:min(len(inside), n-served)]
		for k := range inside {
			inside[k] = <-answered
		}
	}
	all.Wait()
	v.recovered(fmt.Sprintf("%d dials at RLIMIT_NOFILE %d: %d served at once, the others as descriptors came free", n, most, full.Conns))
}

func upgradeAnswer(c *net.TCPConn) (int, error) {
	p := make([]byte, len("HTTP/1.1 101"))
	if _, err := io.ReadFull(c, p); err != nil {
		return 0, err
	}
	var status int
	_, err := fmt.Sscanf(string(p), "HTTP/1.1 %d", &status)
	return status, err
}
