package push_test

import (
	"fmt"
	"testing"

	"github.com/roost-ws/roost/push"
)

func TestPublisherCanLeaveOneConnectionOut(t *testing.T) {
	r := start(t, push.Options{})
	a, b := r.subscriber("c"), r.subscriber("c")
	r.publish(fmt.Sprintf(`{"name":"e","channel":"c","data":"","socket_id":"%s"}`, a.id))
	b.expect("e")
	a.fence()
	old := a.id
	a.conn.CloseNow()
	eventually(t, "a is gone", func() bool { return r.metric("roost_push_connections") == "1" })
	again := r.subscriber("c")
	if again.id == old {
		t.Fatalf("socket id %s given twice", old)
	}
	r.publish(fmt.Sprintf(`{"name":"e","channel":"c","data":"","socket_id":"%s"}`, old))
	again.expect("e")
}
