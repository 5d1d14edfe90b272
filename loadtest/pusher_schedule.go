package loadtest

import (
	"math"
	"sort"
	"sync/atomic"
)

// schedule says which event is due when and on which channel. It is fixed before the first
// leaves, so that all who publish agree on it without a word.
type schedule struct {
	begun int64   // on the run's clock
	apart float64 // nanoseconds
	from  uint32  // the first event that is measured
	end   uint32  // the first that is not due any more

	// What is measured before, for comparison; both 0 without.
	baseFrom, baseEnd uint32

	channels int
	weights  []float64 // rising sums of the channels' shares; nil when they have turns
	seed     uint64

	// Of the events measured, by number less from; nil when that is not asked for.
	came []atomic.Uint32
	// By channel.
	receivers []uint32 // connections that should get its events
	sent      []uint32 // events published so far; its publisher's alone while it runs
}

// maxEvents bounds the memory for counting who got which event, 4 bytes each.
const maxEvents = 1 << 25

func newSchedule(p *Pusher, seed uint64) *schedule {
	s := &schedule{
		apart: 1e9 / p.Rate, end: math.MaxUint32, channels: p.Channels, seed: seed,
		receivers: make([]uint32, p.Channels), sent: make([]uint32, p.Channels),
	}
	if p.Zipf > 0 {
		sum := 0.0
		for c := range p.Channels {
			sum += math.Pow(float64(c+1), -p.Zipf)
			s.weights = append(s.weights, sum)
		}
	}
	return s
}

func (s *schedule) dueAt(k uint32) int64 { return s.begun + int64(float64(k)*s.apart) }

// numberAt is the first event that is due at a moment or later.
func (s *schedule) numberAt(at int64) uint32 {
	return uint32(min(max(0, math.Ceil(float64(at-s.begun)/s.apart)), math.MaxUint32))
}

// channelOf is the channel of event k.
func (s *schedule) channelOf(k uint32) uint32 {
	if s.weights == nil {
		return k % uint32(s.channels)
	}
	share := float64(mix(s.seed^uint64(k))>>11) / (1 << 53)
	return uint32(sort.SearchFloat64s(s.weights, share*s.weights[s.channels-1])) % uint32(s.channels)
}

// arrived counts event k at one more receiver, and returns how many it has and
// is to have; 0 and 0 when it is not measured.
func (s *schedule) arrived(k, channel uint32) (n, of uint32) {
	if k < s.from || k >= s.end || int(k-s.from) >= len(s.came) {
		return 0, 0
	}
	return s.came[k-s.from].Add(1), s.receivers[channel]
}
