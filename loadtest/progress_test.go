package loadtest

import (
	"testing"
	"time"
)

func TestProgressOfPartsIsThatOfTheRun(t *testing.T) {
	a := Progress{Stage: "wait", Open: 3, Opened: 6, Lost: 1, Messages: 5, Causes: map[string]int{"reset": 1}, Last: &Sample{Length: time.Second, Messages: 10, P99: 2, ServerRSS: -1}}
	b := Progress{Stage: "connect", Open: 1, Opened: 3, Failed: 2, Lost: 2, Messages: 7, Causes: map[string]int{"reset": 2}, Last: &Sample{Length: 2 * time.Second, Messages: 40, P99: 1, ServerRSS: 9}}
	m := MergeProgress([]Progress{a, b})
	if m.Stage != "connect" || m.Open != 4 || m.Opened != 9 || m.Failed != 2 || m.Lost != 3 || m.Messages != 12 || m.Causes["reset"] != 3 || m.Members != 2 {
		t.Errorf("merged %+v", m)
	}
	if l := m.Last; l.Messages != 30 || l.P99 != 2 || l.ServerRSS != 9 || l.Length != time.Second {
		t.Errorf("last sample %+v; want 10 and 20 messages in one second", l)
	}
	if a.Causes["reset"] != 1 || a.Last.Messages != 10 {
		t.Error("the parts were changed")
	}
}
