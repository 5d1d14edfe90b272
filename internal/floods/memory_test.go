//go:build linux

package floods

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/roost-ws/roost/codec"
)

// conns is how many clients the flood against the memory budget has. They are here and
// the server is elsewhere, so 20,000 descriptors a process allow 15,000 and more.
const conns = "ROOST_FLOODS_CONNS"

// Clients by the thousand ask for echoes that they do not read. The server pauses them
// before it refuses anybody and closes the heaviest; it stays within its budget, and who
// reads is answered all the while.
func TestMemoryBudgetHoldsAgainstThoseWhoNeverRead(t *testing.T) {
	n := 2000
	if text := os.Getenv(conns); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	const size, rounds, buffers = 16 << 10, 20, 8 << 10
	budget := int64(n) * size
	v := attack(t, settings{MemoryBudget: budget, Buffers: buffers})
	bad := crowd(t, v, n, "")
	g := goodOnes(t, v)
	refused := newcomers(v)
	idle := v.now()
	v.worst = 0
	stop := v.watch()
	message := frame(codec.Binary, true, make([]byte, size))
	stopped := make([]bool, n)
	sent := 0
	for ; sent < rounds; sent++ {
		each(t, n, 16, func(i int) error {
			if stopped[i] {
				return nil
			}
			if err := bad[i].SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				return err
			}
			_, err := bad[i].Write(message)
			stopped[i] = err != nil // it is paused, and the kernel full; or it is closed
			return nil
		})
		if v.now().Memory.Shed > 0 {
			break
		}
	}
	st := v.until("the heaviest to be closed, and a look that saw it", func(f figures) bool { return f.Shed > 0 })
	stop()
	p99 := g.served(patience) // that they are answered is what counts here
	away := refused()
	m := v.now().Memory
	// Pausing may be enough to stay below what refuses; after a while the heaviest are closed even so.
	if st.Paused == 0 || st.Shed < st.Paused || st.Refused != 0 && st.Refused < st.Paused {
		t.Errorf("paused at look %d, refused at %d, closed at %d: want pauses first, and an end", st.Paused, st.Refused, st.Shed)
	}
	// The collector lets the heap grow to twice of what lives, and the connections
	// themselves are not in the budget.
	grown := v.worst - idle.resident
	if limit := 2*budget + rest; grown > bound(limit) {
		t.Errorf("memory grew by %d MiB: want at most %d", grown/mib, limit/mib)
	}
	for _, p := range bad {
		p.Close()
	}
	v.recovered(fmt.Sprintf("%d peers asked for %d MiB and read nothing, memory budget %d MiB: %d refusals, %d of them of newcomers, %d closed; "+
		"idle %.1f MiB, %.1f more at worst; good clients' p99 %v", n, int64(sent+1)*int64(n)*size/mib, budget/mib, m.Refused, away, m.Shed,
		float64(idle.resident)/mib, float64(grown)/mib, p99))
}

// newcomers try to get in until they are told to stop, and then say how often they were
// answered 503.
func newcomers(v *victim) (stop func() int) {
	end, away := make(chan bool), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-end:
				away <- n
				return
			default:
			}
			c, err := dial(v.addr, 2)
			if err != nil {
				continue
			}
			if _, status, err := upgrade(c, ""); err == nil && status == http.StatusServiceUnavailable {
				n++
			}
			c.Close()
			time.Sleep(time.Millisecond) // each leaves a port behind
		}
	}()
	return func() int {
		close(end)
		return <-away
	}
}
