package push_test

import (
	"testing"

	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

func TestCacheChannelsBeginWithTheirLastEvent(t *testing.T) {
	r := start(t, push.Options{})
	for _, name := range []string{"cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"} {
		data := ""
		if protocol.IsPresence(name) {
			data = `{"user_id":"u"}`
		}
		first := r.connect()
		first.ask(name, data)
		first.expect(protocol.EventSubscribed)
		first.expect(protocol.EventCacheMiss)
		first.conn.CloseNow()
		eventually(t, "nobody is subscribed", func() bool { return r.metric("roost_push_channels") == "0" })
		r.publish(`{"name":"e","channel":"` + name + `","data":"one"}`)
		r.publish(`{"name":"e","channel":"` + name + `","data":"two"}`)
		second := r.connect()
		second.ask(name, data)
		second.expect(protocol.EventSubscribed)
		if f := second.expect("e"); string(f.Data) != `"two"` || f.Channel != name {
			t.Errorf("%s: got %+v", name, f)
		}
		second.fence()
		second.conn.CloseNow()
		eventually(t, "nobody is subscribed", func() bool { return r.metric("roost_push_channels") == "0" })
	}
}
