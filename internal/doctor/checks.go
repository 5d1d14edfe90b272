package doctor

import (
	"fmt"
	"math"
	"time"
)

// descriptors checks all that bounds open files and watches on them.
func (x *examination) descriptors() {
	each, all := x.needs.DescriptorsEach, x.needs.Descriptors
	barred := Fail
	if x.m.Hard >= each {
		barred = Advice // it was set already
	}
	x.atLeast("fs.nr_open", x.m.NrOpen, each, barred, "RLIMIT_NOFILE cannot be set above it", sysctl("fs.nr_open", each))
	x.atLeast("RLIMIT_NOFILE hard", x.m.Hard, each, Fail, "accept fails with EMFILE at the limit",
		fmt.Sprintf("prlimit --nofile=%d:%d --pid $$", each, each),
		fmt.Sprintf("or, in the unit of systemd: LimitNOFILE=%d", each),
		x.moreProcesses())
	soft := Check{Name: "RLIMIT_NOFILE soft", Status: OK, Have: count(x.m.Soft), Need: "none: roost raises it to the hard limit"}
	if x.m.Soft < 0 {
		soft.Status, soft.Have = Unknown, ""
	}
	x.checks = append(x.checks, soft)
	used := max(0, x.m.FilesUsed)
	x.atLeast("fs.file-max", x.m.FileMax, all+used, Fail, "accept fails with ENFILE at the limit", sysctl("fs.file-max", 2*(all+used)))
	x.atLeast("fs.epoll.max_user_watches", x.m.Watches, all, Fail, "connections cannot be watched (ENOSPC)",
		sysctl("fs.epoll.max_user_watches", 2*all))
}

// moreProcesses is the other way around a limit that cannot be raised.
func (x *examination) moreProcesses() string {
	by := "with --reuseport"
	if x.o.Client {
		by = "by --procs of roost loadtest"
	}
	room := math.Floor(evenness * float64(x.m.Hard-SpareDescriptors))
	if room < 1 {
		return "or several processes " + by
	}
	o := x.o
	o.Processes = int(math.Ceil(float64(o.Conns) / room))
	return fmt.Sprintf("or %d processes %s: %s", o.Processes, by, o.command())
}

// memory checks that there is enough, and that it is not taken in huge pages.
func (x *examination) memory() {
	need := x.needs.User + x.needs.Kernel
	c := Check{Name: "memory", Status: OK, Need: size(need), Have: fmt.Sprintf("%s, of which %s are available", size(x.m.Memory), size(x.m.Available))}
	switch {
	case x.m.Memory < 0:
		c.Status, c.Have = Unknown, ""
	case x.m.Memory < need:
		c.Status, c.Why = Fail, "the kernel ends processes when none is left; only more memory or more machines mend it"
	case x.m.Available >= 0 && x.m.Available < need:
		c.Status, c.Why = Advice, "others use what the connections need: end them"
	}
	x.checks = append(x.checks, c)
	group := Check{Name: "memory of the control group", Status: OK, Have: "no limit", Need: size(need)}
	if limit := x.m.CgroupLimit; limit > 0 {
		group.Have = size(limit)
		if limit < need {
			group.Status, group.Why = Fail, "the group's memory counts that of its sockets too"
			group.Mend = []string{fmt.Sprintf("systemctl set-property roost.service MemoryMax=%d", need+need/4),
				fmt.Sprintf("or, in a container: docker update --memory %d --memory-swap %d CONTAINER", need+need/4, need+need/4)}
		}
	}
	x.checks = append(x.checks, group)
	pages := Check{Name: "transparent huge pages", Status: OK, Have: x.m.HugePages, Need: "madvise or never"}
	switch x.m.HugePages {
	case "":
		pages.Status = Unknown
	case "always":
		pages.Status, pages.Why = Advice, "a few used bytes may take 2 MiB, and compaction stalls processes"
		pages.Mend = []string{"echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"}
	}
	x.checks = append(x.checks, pages)
}

// processors checks that heartbeats and a broadcast in the time wanted fit.
func (x *examination) processors() {
	need := x.needs.HeartbeatCores + x.needs.BroadcastCores
	c := Check{Name: "cores", Status: OK, Have: count(int64(x.m.Cores)), Need: fmt.Sprintf("%.2f", need)}
	if float64(x.m.Cores) < need {
		c.Status = Fail
		c.Why = fmt.Sprintf("heartbeats every %v take %.2f, a broadcast to all within %v takes %.2f meanwhile",
			x.o.Heartbeat, x.needs.HeartbeatCores, x.o.Within, x.needs.BroadcastCores)
		if room := float64(x.m.Cores) - x.needs.HeartbeatCores; room > 0 {
			o := x.o
			o.Within = time.Duration(math.Ceil(x.needs.BroadcastCores*o.Within.Seconds()/room)) * time.Second
			c.Mend = []string{o.command() + " # what these cores can do"}
		}
	}
	x.checks = append(x.checks, c)
	g := Check{Name: "CPU governor", Status: OK, Have: x.m.Governor, Need: "performance"}
	switch x.m.Governor {
	case "":
		g.Have = "none: the clock is not governed from here"
	case "performance":
	default:
		g.Status, g.Why = Advice, "a core that was idle answers at a low clock first"
		g.Mend = []string{"cpupower frequency-set -g performance"}
	}
	x.checks = append(x.checks, g)
}
