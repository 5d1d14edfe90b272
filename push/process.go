package push

import (
	"math"
	"runtime/metrics"
)

// process reads figures of this process. None of them stops the world or opens a
// file. Its fields are of the last read.
type process struct {
	memory     uint64 // bytes
	goroutines uint64
	pause      float64 // s, upper end of the longest pause for the collector since the read before

	samples []metrics.Sample
	pauses  []uint64 // counts of the histogram, so far
}

func (p *process) read() {
	if p.samples == nil {
		for _, name := range []string{
			"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes",
			"/sched/goroutines:goroutines", "/sched/pauses/total/gc:seconds",
		} {
			p.samples = append(p.samples, metrics.Sample{Name: name})
		}
	}
	metrics.Read(p.samples)
	p.memory = p.samples[0].Value.Uint64() - p.samples[1].Value.Uint64()
	p.goroutines = p.samples[2].Value.Uint64()
	h := p.samples[3].Value.Float64Histogram()
	if p.pauses == nil {
		p.pauses = make([]uint64, len(h.Counts))
		copy(p.pauses, h.Counts)
	}
	p.pause = 0
	for i, n := range h.Counts {
		if n > p.pauses[i] {
			p.pause = h.Buckets[i+1]
			if math.IsInf(p.pause, 1) {
				p.pause = h.Buckets[i]
			}
		}
	}
	copy(p.pauses, h.Counts)
}
