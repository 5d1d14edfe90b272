package loadtest

import (
	"os"
	"testing"
	"time"
)

func TestTheServersDescriptorsAndMemoryAreWatched(t *testing.T) {
	url := echoProcess(t)
	r := runIdle(t, Idle{Options: Options{URL: url, Conns: 50}, Hold: 1200 * time.Millisecond})
	p := r.Server.Peak
	if p == nil || p.Descriptors < 50 || p.Descriptors > 100 || p.PSS <= 0 || p.PSS > p.RSS {
		t.Fatalf("peak %+v, want 50 descriptors and some, and a PSS that is part of the RSS", p)
	}
	last := r.Samples[len(r.Samples)-1].Server
	if last == nil || last.Descriptors < 50 || last.Slab <= 0 || last.SocketBuffers < 0 {
		t.Errorf("last sample %+v", last)
	}
}

func TestDescriptorsOfThisProcess(t *testing.T) {
	before := descriptorsOf(os.Getpid())
	f, err := os.Open("/dev/null")
	must(t, err)
	defer f.Close()
	if after := descriptorsOf(os.Getpid()); before <= 0 || after != before+1 {
		t.Errorf("%d descriptors, and %d with one more open", before, after)
	}
	if n := descriptorsOf(1 << 22); n != -1 {
		t.Errorf("a process that is not there has %d", n)
	}
}

func TestCgroupsOfVersion2AreFoundAndRead(t *testing.T) {
	for text, want := range map[string]string{
		"4:memory:/x\n0::/user.slice/a.scope\n": "/user.slice/a.scope",
		"4:memory:/x\n0::/\n":                   "",
		"4:memory:/x\n":                         "",
	} {
		if got := cgroupPath(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if m := cgroupMemory("anon 1\nkernel 2048\nsock 512\n"); m == nil || *m != (CgroupMemory{2048, 512}) {
		t.Errorf("%+v", m)
	}
	if m := cgroupMemory(""); m != nil {
		t.Errorf("nothing read, and %+v", m)
	}
}
