package doctor

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// ample is a machine on which a million connections fit.
func ample() *Machine {
	return &Machine{
		Soft: 1024, Hard: 2e6, NrOpen: 3e6, FileMax: 5e6, FilesUsed: 1000, Watches: 5e6,
		SoMaxConn: 4096, SynBacklog: 4096,
		TCPMem: [3]int64{1e6, 2e6, 3e6}, RMem: [3]int64{4096, 4096, 6 << 20}, WMem: [3]int64{4096, 4096, 4 << 20},
		TrackedMax: 2e6, Tracked: 10, PortLow: 1024, PortHigh: 65535, Sources: 60,
		Memory: 64 << 30, Available: 60 << 30, HugePages: "madvise", Governor: "performance", Cores: 8,
	}
}

func million() Options {
	return Options{Conns: 1_000_000, Within: 10 * time.Second, Heartbeat: 30 * time.Second}
}

func examine(t *testing.T, m *Machine, o Options) *Report {
	t.Helper()
	r, err := Examine(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func find(t *testing.T, r *Report, name string) Check {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no check %q", name)
	}
	return r.Checks[i]
}

func TestAnAmpleMachinePassesEveryCheck(t *testing.T) {
	for _, client := range []bool{false, true} {
		o := million()
		o.Client = client
		r := examine(t, ample(), o)
		for _, c := range r.Checks {
			if c.Status != OK || c.Why != "" || len(c.Mend) > 0 {
				t.Errorf("client %v: %+v", client, c)
			}
		}
		if !r.Fits {
			t.Errorf("client %v: does not fit", client)
		}
	}
}

// Each limit, alone one too low, is found, and the commands that come with it
// raise it far enough.
func TestEachLimitIsFoundAndItsCommandMendsIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		lower  func(*Machine)
		status Status
		mend   string
	}{
		{"RLIMIT_NOFILE hard", func(m *Machine) { m.Hard = 1_000_063 }, Fail, "prlimit --nofile=1000064:1000064 --pid $$"},
		{"fs.nr_open", func(m *Machine) { m.NrOpen, m.Hard = 1_000_063, 1_000_063 }, Fail, "sysctl -w fs.nr_open=1000064"},
		{"fs.nr_open", func(m *Machine) { m.NrOpen = 1_000_063 }, Advice, "sysctl -w fs.nr_open=1000064"},
		{"fs.file-max", func(m *Machine) { m.FileMax = 1_001_063 }, Fail, "sysctl -w fs.file-max=2002128"},
		{"fs.epoll.max_user_watches", func(m *Machine) { m.Watches = 1_000_063 }, Fail, "sysctl -w fs.epoll.max_user_watches=2000128"},
		{"memory", func(m *Machine) { m.Memory = 4 << 30 }, Fail, ""},
		{"memory", func(m *Machine) { m.Available = 4 << 30 }, Advice, ""},
		{"memory of the control group", func(m *Machine) { m.CgroupLimit = 4 << 30 }, Fail, "MemoryMax="},
		{"transparent huge pages", func(m *Machine) { m.HugePages = "always" }, Advice, "echo madvise >"},
		{"cores", func(m *Machine) { m.Cores = 1 }, Fail, "--seconds 12"},
		{"CPU governor", func(m *Machine) { m.Governor = "powersave" }, Advice, "cpupower frequency-set -g performance"},
		{"net.core.somaxconn", func(m *Machine) { m.SoMaxConn = 128 }, Advice, "sysctl -w net.core.somaxconn=4096"},
		{"net.ipv4.tcp_max_syn_backlog", func(m *Machine) { m.SynBacklog = 128 }, Advice, "sysctl -w net.ipv4.tcp_max_syn_backlog=4096"},
		{"net.ipv4.tcp_mem", func(m *Machine) { m.TCPMem[2] = 999_999 }, Advice, "sysctl -w net.ipv4.tcp_mem='500000 1000000 2000000'"},
		{"net.ipv4.tcp_rmem", func(m *Machine) { m.RMem[1] = 131072 }, Advice, "sysctl -w net.ipv4.tcp_rmem='4096 33792 6291456'"},
		{"net.ipv4.tcp_wmem", func(m *Machine) { m.WMem[1] = 131072 }, Advice, "sysctl -w net.ipv4.tcp_wmem='4096 33792 4194304'"},
		{"net.netfilter.nf_conntrack_max", func(m *Machine) { m.TrackedMax = 1_000_009 }, Fail, "sysctl -w net.netfilter.nf_conntrack_max=1250012"},
	} {
		m := ample()
		c.lower(m)
		r := examine(t, m, million())
		got := find(t, r, c.name)
		if got.Status != c.status || got.Why == "" || !strings.Contains(strings.Join(got.Mend, "\n"), c.mend) {
			t.Errorf("%s: %+v; want %s and %q", c.name, got, c.status, c.mend)
		}
		if r.Fits != (c.status != Fail) {
			t.Errorf("%s: status %s, fits %v", c.name, c.status, r.Fits)
		}
	}
}

func TestAClientNeedsPortsTimesAddresses(t *testing.T) {
	o := million()
	o.Client = true
	for sources, want := range map[int]Status{15: Fail, 16: Advice, 31: Advice, 32: OK} {
		m := ample()
		m.Sources = sources
		if c := find(t, examine(t, m, o), "net.ipv4.ip_local_port_range"); c.Status != want {
			t.Errorf("64,512 ports of %d addresses: %+v, want %s", sources, c, want)
		}
	}
	m := ample()
	m.Sources, o.Conns = 1, widestRange
	if c := find(t, examine(t, m, o), "net.ipv4.ip_local_port_range"); c.Status != Advice {
		t.Errorf("a connection for each port: %+v, want %s", c, Advice)
	}
	if c := find(t, examine(t, &Machine{}, o), "net.ipv4.ip_local_port_range"); c.Status != Unknown {
		t.Errorf("a range that is not known: %+v", c)
	}
}

func TestTheProcessesItNamesAreEnough(t *testing.T) {
	m, o := ample(), million()
	m.Hard = 20_000
	c := find(t, examine(t, m, o), "RLIMIT_NOFILE hard")
	const advice = "or 53 processes with --reuseport: roost doctor --conns 1000000 --processes 53"
	if c.Status != Fail || !slices.Contains(c.Mend, advice) {
		t.Fatalf("%+v, want %q", c, advice)
	}
	for processes, want := range map[int]Status{52: Fail, 53: OK} {
		o.Processes = processes
		if c := find(t, examine(t, m, o), "RLIMIT_NOFILE hard"); c.Status != want {
			t.Errorf("%d processes: %+v, want %s", processes, c, want)
		}
	}
}

func TestItsCommandsKeepWhatItWasAskedFor(t *testing.T) {
	m, o := ample(), Options{Conns: 1_000_000, Client: true, TLS: true, Within: 5 * time.Second, Heartbeat: time.Minute}
	m.Hard, m.Cores, m.TrackedMax = 20_000, 1, 10
	r := examine(t, m, o)
	const asked = "roost doctor --conns 1000000 --client --tls --ping-interval 1m0s "
	for name, mend := range map[string]string{
		"RLIMIT_NOFILE hard":             "or 53 processes by --procs of roost loadtest: " + asked + "--processes 53 --seconds 5",
		"cores":                          asked + "--seconds 9 # what these cores can do",
		"net.netfilter.nf_conntrack_max": "or: iptables -t raw -A PREROUTING -p tcp --sport 8080 -j NOTRACK && iptables -t raw -A OUTPUT -p tcp --dport 8080 -j NOTRACK",
	} {
		if c := find(t, r, name); !slices.Contains(c.Mend, mend) {
			t.Errorf("%+v, want %q", c, mend)
		}
	}
}

func TestConntrackThatTracksNothingIsNoLimit(t *testing.T) {
	m := ample()
	m.Tracked, m.TrackedMax = 0, 100
	if c := find(t, examine(t, m, million()), "net.netfilter.nf_conntrack_max"); c.Status != OK {
		t.Errorf("%+v", c)
	}
}

func TestNeedsGrowWithConnectionsAndHaste(t *testing.T) {
	o := million()
	o.Conns, o.Within = 10_000_000, time.Second
	n := examine(t, ample(), o).Needs
	if n.Kernel != 10_000_000*KernelBytes || n.User != 10_000_000*UserBytes+BaseBytes || n.DescriptorsEach != 10_000_064 {
		t.Errorf("%+v", n)
	}
	if n.Sources != 156 || n.HeartbeatCores < 3.99 || n.HeartbeatCores > 4.01 || n.BroadcastCores < 69.9 || n.BroadcastCores > 70.1 {
		t.Errorf("%+v; want 156 sources, 4 and 70 cores", n)
	}
	o.TLS, o.Heartbeat = true, 0
	if n := examine(t, ample(), o).Needs; n.User != 10_000_000*(UserBytes+TLSBytes)+BaseBytes || n.HeartbeatCores != 0 {
		t.Errorf("%+v", n)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	for _, o := range []Options{{Within: 1}, {Conns: 1}, {Conns: 1, Within: 1, Processes: -1}, {Conns: 1, Within: 1, Heartbeat: -1}} {
		if _, err := Examine(ample(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestTextNamesProblemAndCommand(t *testing.T) {
	m := ample()
	m.FileMax = 10
	for _, colours := range []bool{false, true} {
		var b strings.Builder
		if err := examine(t, m, million()).WriteText(&b, colours); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"FAIL  fs.file-max", "ENFILE", "sysctl -w fs.file-max=", "ok    fs.nr_open", "/etc/sysctl.d"} {
			if !strings.Contains(b.String(), part) {
				t.Errorf("text lacks %q:\n%s", part, &b)
			}
		}
		if strings.Contains(b.String(), "\x1b[31mFAIL") != colours {
			t.Errorf("colours %v:\n%s", colours, &b)
		}
	}
}

func TestMachineIsReadFromItsFiles(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	m := newMachine(fstest.MapFS{
		"proc/7/limits":                                        file("Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n"),
		"proc/sys/fs/nr_open":                                  file("1048576\n"),
		"proc/sys/fs/file-max":                                 file("9223372036854775807\n"),
		"proc/sys/fs/file-nr":                                  file("1376\t0\t9223372036854775807\n"),
		"proc/sys/net/ipv4/tcp_mem":                            file("10\t20\t30\n"),
		"proc/sys/net/ipv4/ip_local_port_range":                file("32768\t60999\n"),
		"proc/meminfo":                                         file("MemTotal:  2048 kB\nMemFree:  1 kB\nMemAvailable:  1024 kB\n"),
		"sys/kernel/mm/transparent_hugepage/enabled":           file("always [madvise] never\n"),
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": file("powersave\n"),
	}, 7)
	if m.Soft != 1024 || m.NrOpen != 1<<20 || m.FileMax != noLimit || m.FilesUsed != 1376 || m.TCPMem != [3]int64{10, 20, 30} ||
		m.PortLow != 32768 || m.PortHigh != 60999 || m.Memory != 2<<20 || m.Available != 1<<20 || m.HugePages != "madvise" || m.Governor != "powersave" {
		t.Errorf("%+v", m)
	}
	if m.TrackedMax != -1 || m.Watches != -1 || m.CgroupLimit != 0 {
		t.Errorf("what is not there is known: %+v", m)
	}
}

func TestTheLeastLimitOfTheControlGroupsCounts(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, c := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"version 2, of a parent": {fstest.MapFS{
			"proc/self/cgroup":                     file("0::/a/b\n"),
			"sys/fs/cgroup/a/memory.max":           file("1000\n"),
			"sys/fs/cgroup/a/b/memory.max":         file("max\n"),
			"sys/fs/cgroup/memory.max":             file("2000\n"),
			"sys/fs/cgroup/memory/memory.max":      file("1\n"),
			"sys/fs/cgroup/elsewhere/c/memory.max": file("1\n"),
		}, 1000},
		"version 1": {fstest.MapFS{
			"proc/self/cgroup": file("5:cpu:/x\n4:memory:/x\n"),
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes":     file("3000\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":       file("9223372036854771712\n"),
			"sys/fs/cgroup/memory/other/memory.limit_in_bytes": file("1\n"),
		}, 3000},
		"none": {fstest.MapFS{
			"proc/self/cgroup":                           file("4:memory:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n"),
		}, 0},
	} {
		if got := newMachine(c.root, 1).CgroupLimit; got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
