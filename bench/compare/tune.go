package main

// tuning is what docs/tuning.md tells of: each flag at the works where it should
// matter most. What none of these could show, as --workers, is not among them. With
// controls and six rounds of 1 s they are some 300 runs of 2.4 s: 12 minutes.
func tuning() (list []setting) {
	add := func(flags string, works ...string) {
		for _, w := range works {
			list = append(list, setting{Flags: flags, Work: w})
		}
	}
	add("--loops 2", "echo-64x16")
	list = append(list, setting{Flags: "--loops 1", Work: "echo-64x16", Cores: "0,1"}, setting{Flags: "--loops 1", Work: "broadcast", Cores: "0,1"})
	add("--dispatch loop", "echo-64x1", "echo-64x16")
	add("--batch 64", "echo-64x1")
	add("--batch 4096", "echo-64x1")
	add("--read-buffer 4KiB", "echo-16k")
	add("--read-buffer 256KiB", "echo-16k")
	add("--rcvbuf 16KiB --sndbuf 16KiB", "echo-16k", "idle")
	add("--reuseport", "connect")
	add("--backlog 64", "connect")
	add("--defer-accept 1s", "connect")
	add("--busy-poll 50us", "echo-64x1")
	add("--gc-percent 25", "connect", "idle")
	add("--gc-percent 400", "idle")
	add("--memory-limit 32MiB", "idle")
	return append(list,
		setting{Work: "echo-deflate", Base: "echo-plain"}, setting{Work: "echo-tls", Base: "echo-plain"},
		setting{Work: "idle-deflate", Base: "idle"}, setting{Work: "idle-tls", Base: "idle"})
}

// settingsOf are the variants at every work.
func settingsOf(variants []string, what []work) (list []setting) {
	for _, v := range variants {
		for _, w := range what {
			list = append(list, setting{Flags: v, Work: w.Name})
		}
	}
	return list
}
