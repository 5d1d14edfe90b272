package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"
)

// fleet is a run of many server processes on this machine's own kernel.
type fleet struct {
	record
	Servers  int           `json:"servers"`
	Standing int           `json:"standing"` // connections open through all of the hold
	Failed   int           `json:"failed"`
	Lost     int           `json:"lost"`
	Echoed   int           `json:"echoed"` // each when its process' connections were open
	Opening  time.Duration `json:"opening_ns"`
	RSS      int64         `json:"rss"` // of all servers, at the end
	Before   int64         `json:"before"`
	Slab     int64         `json:"slab"` // of this machine, grown by

	Beat  time.Duration `json:"beat_ns"` // how long heartbeats were watched: whole intervals
	Pings int           `json:"pings"`   // answered, ever
	Cores float64       `json:"cores"`   // of all servers, meanwhile
}

const (
	// mostDescriptors is the limit of a process on the machines this is for.
	mostDescriptors = 20_000
	// spare are the descriptors that a server or a client needs for itself.
	spare = 500

	// beat is the heartbeat's interval. Its schedule has some slack, so that what
	// is watched are whole intervals.
	beat = 30 * time.Second

	firstPort = 21_000
)

// runFleet starts the servers and a client for each, waits until all connections
// stand, watches heartbeats, and ends all.
func (b *bench) runFleet(ctx context.Context) (err error) {
	share := (b.conns + b.fleet - 1) / b.fleet
	if share > mostDescriptors-spare {
		return fmt.Errorf("%d connections over %d servers are %d each, at most %d: -fleet %d", b.conns, b.fleet, share,
			mostDescriptors-spare, (b.conns+mostDescriptors-spare-1)/(mostDescriptors-spare))
	}
	ctx, cancel := context.WithCancel(ctx)
	var all []*pair
	defer func() {
		cancel()
		for _, p := range all {
			err = errors.Join(err, p.end())
		}
	}()
	f := &fleet{record: b.record, Servers: b.fleet}
	slab, begun := slabBytes(), time.Now()
	for i := range b.fleet {
		p, err := b.startPair(ctx, i, min(share, b.conns-i*share))
		if err != nil {
			return err
		}
		all = append(all, p)
		f.Before += p.before
		// One after another: each has the processors for itself, and opens fastest so.
		if err := p.stand(ctx); err != nil {
			return err
		}
		log.Printf("%d of %d servers hold their %d connections", i+1, b.fleet, share)
	}
	f.Opening = time.Since(begun)
	if err := f.watch(ctx, all, b.hold); err != nil {
		return err
	}
	f.Slab = slabBytes() - slab
	for _, p := range all {
		r, err := p.report()
		if err != nil {
			return err
		}
		f.add(r)
	}
	b.results.Fleet = f
	return nil
}

// watch measures the heartbeats' processor time over whole intervals.
func (f *fleet) watch(ctx context.Context, all []*pair, hold time.Duration) error {
	total := func() (sum time.Duration) {
		for _, p := range all {
			sum += p.cpu()
		}
		return sum
	}
	f.Beat = max(beat, hold.Truncate(beat))
	before, begun := total(), time.Now()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.Beat):
	}
	f.Cores = (total() - before).Seconds() / time.Since(begun).Seconds()
	for _, p := range all {
		f.RSS += p.rss()
	}
	return nil
}

func (f *fleet) add(r *report) {
	f.Standing += r.Idle.Standing
	f.Failed += r.Connections.Failed
	f.Lost += r.Connections.Lost
	f.Echoed += r.Idle.Verified.Echoed
	f.Pings += r.Idle.Pings
}
