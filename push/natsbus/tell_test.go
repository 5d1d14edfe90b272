package natsbus_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/natsbus"
)

func TestWhatIsToldToOneOrToAllArrivesInOrder(t *testing.T) {
	s := startNATS(t, t.TempDir(), -1)
	teller := connect(t, natsbus.Options{URL: s.ClientURL()})
	var mu sync.Mutex
	heard := map[string][]string{}
	for _, node := range []string{"a", "b"} {
		stop, err := connect(t, natsbus.Options{URL: s.ClientURL()}).Listen(node, func(text []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard[node] = append(heard[node], string(text))
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	want := map[string][]string{}
	for i := range 300 {
		to, text := []string{"", "a", "b"}[i%3], strconv.Itoa(i)
		for _, node := range []string{"a", "b"} {
			if to == "" || to == node {
				want[node] = append(want[node], text)
			}
		}
		if err := teller.Tell(t.Context(), to, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range []string{"a", "b"} {
		for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			mu.Lock()
			n := len(heard[node])
			mu.Unlock()
			if n >= len(want[node]) || time.Now().After(end) {
				break
			}
		}
		mu.Lock()
		if !slices.Equal(heard[node], want[node]) {
			t.Errorf("%s heard %v, want %v", node, heard[node], want[node])
		}
		mu.Unlock()
	}
	if err := teller.Tell(t.Context(), "", make([]byte, push.MaxTold+1)); err == nil {
		t.Error("a text above the limit was taken")
	}
}
