//go:build linux

package floods

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// goodAddress makes the test binary run as the good clients of the server there. They
// have a process of their own: beside a flood they would wait for its goroutines.
const goodAddress = "ROOST_FLOODS_GOOD"

const (
	goodClients = 20
	goodPause   = 5 * time.Millisecond
	// goodLimit is what the round trips of good clients have to stay under, at p99;
	// fullLimit where the flood itself takes all processors, as its peers do here.
	goodLimit = 50 * time.Millisecond
	fullLimit = 150 * time.Millisecond
	// alone, set in the environment, says that nothing else runs on this machine: only
	// then can a flood be told from its neighbours, who would suffer from it too.
	alone = "ROOST_FLOODS_ALONE"
)

// trips are the round trips of good clients.
type trips struct {
	Count int
	P99   time.Duration
}

// beGood sends messages and wants them back until standard input ends.
func beGood(addr string) error {
	var all sync.WaitGroup
	stop := make(chan bool)
	times, failed := make([][]time.Duration, goodClients), make([]error, goodClients)
	for i := range goodClients {
		p, err := join(addr, "")
		if err != nil {
			return err
		}
		all.Go(func() { times[i], failed[i] = p.converse(stop) })
	}
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	close(stop)
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	list := slices.Concat(times...)
	slices.Sort(list)
	return json.NewEncoder(os.Stdout).Encode(trips{len(list), list[len(list)*99/100]})
}

// converse is one good client.
func (p *peer) converse(stop <-chan bool) (times []time.Duration, err error) {
	defer p.Close()
	message := frame(codec.Text, true, []byte("how long does this take?"))
	tick := time.NewTicker(goodPause)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			if _, err = p.Write(frame(codec.Close, true, []byte{3, 232})); err == nil {
				_, err = p.closing()
			}
			return times, err
		case <-tick.C:
		}
		began := time.Now()
		if err = p.SetDeadline(began.Add(patience)); err != nil {
			return times, err
		}
		if _, err = p.Write(message); err != nil {
			return times, err
		}
		if _, _, err = p.next(); err != nil {
			return times, err
		}
		times = append(times, time.Since(began))
	}
}

// good is the process of good clients.
type good struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Scanner
}

func goodOnes(t *testing.T, v *victim) *good {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g := &good{t: t, cmd: exec.Command(exe)}
	g.cmd.Env = append(os.Environ(), goodAddress+"="+v.addr)
	g.cmd.Stderr = os.Stderr
	in, err := g.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.in, g.out = in, bufio.NewScanner(out)
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if g.cmd.ProcessState == nil {
			_ = g.cmd.Wait() // the test failed before it asked
		}
	})
	if !g.out.Scan() {
		t.Fatal("the good clients did not get in")
	}
	return g
}

// served ends the good clients, checks what they met, and returns their p99.
func (g *good) served(limit time.Duration) time.Duration {
	g.t.Helper()
	g.in.Close()
	var got trips
	if g.out.Scan() {
		if err := json.Unmarshal(g.out.Bytes(), &got); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := g.cmd.Wait(); err != nil || got.Count == 0 {
		g.t.Fatalf("good clients: %d round trips, %v", got.Count, err)
	}
	if got.P99 > limit && !raceDetector {
		g.t.Errorf("good clients' p99 is %v of %d round trips: want less than %v", got.P99, got.Count, limit)
	}
	return got.P99
}
