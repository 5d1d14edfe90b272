package loadtest

import (
	"errors"
	"strings"
	"testing"
)

func TestFilesThatOthersReadAreNotTheConnections(t *testing.T) {
	at := func(tcp, sock, dentry, ext4 int64) snapshot {
		return snapshot{user: -1, both: true, kernel: kernelMemory{slab: 1 << 20, buffers: 0, caches: map[string]slabCache{
			"TCP": {tcp, 2368}, "sock_inode_cache": {sock, 832}, "dentry": {dentry, 192}, "ext4_inode_cache": {ext4, 1128}, "few": {1, 8},
		}}}
	}
	before, after := at(10, 20, 30, 40), at(2010, 2020, 9030, 9040)
	m := newMemory(before, after, after, 1000, 1000)
	const want = 2*2368 + 2*832 + 2*192
	if m.Kernel.PerConnection != want || len(m.Kernel.Caches) != 3 || m.User != nil {
		t.Errorf("%+v, want %d bytes of 3 caches", m.Kernel, want)
	}
}

func TestWithoutCachesTheWholeSlabCounts(t *testing.T) {
	before := snapshot{kernel: kernelMemory{slab: 1000, buffers: 100}}
	after := snapshot{kernel: kernelMemory{slab: 9000, buffers: 300}, user: 5000}
	m := newMemory(before, after, after, 10, 20)
	if !m.Kernel.WholeSlab || m.Kernel.PerConnection != 410 || m.User.PerConnection != 250 || m.UserOpened.PerConnection != 500 {
		t.Errorf("kernel %+v, user %+v, opened %+v", m.Kernel, m.User, m.UserOpened)
	}
}

func TestMemoryOfFewConnectionsIsNotPrinted(t *testing.T) {
	kernel := &Kernel{PerConnection: 63386, Caches: []Cache{{"vm_area_struct", 192, 129.7}}}
	for standing, want := range map[int]string{50: "memory      50 connections are too few", 1000: "63,386 B a connection"} {
		var b, page strings.Builder
		r := Report{Scenario: "idle", Connections: Connections{Opened: standing}, Idle: &IdleReport{Standing: standing, Memory: &Memory{Kernel: kernel}}}
		if err := errors.Join(r.WriteText(&b), r.WriteHTML(&page)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "vm_area"); got != (standing == 1000) || !strings.Contains(b.String(), want) {
			t.Errorf("%d connections:\n%s", standing, b.String())
		}
		if got := strings.Contains(page.String(), "are too few to tell"); got != (standing < 1000) {
			t.Errorf("%d connections: the page says that they are too few: %v", standing, got)
		}
	}
}
