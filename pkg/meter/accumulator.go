package meter

import (
	"context"
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

// shards is the number of parts of an Accumulator: so many can record at once.
const shards = 16

// Accumulator adds records up in memory, to be folded by Flush: what an end of the process takes
// with it is what has been recorded since the last one. It is safe for concurrent use.
type Accumulator struct {
	folder   *Folder
	instance string
	shards   [shards]shard

	flushing sync.Mutex
	next     int64
	pending  []Entry // have numbers, and may have been folded or not
}

// shard is a part of an Accumulator.
type shard struct {
	mu   sync.Mutex
	sums runningSums
	last *running // of them, the one used last
	_    [64]byte // not in the cache line of the next
}

// NewAccumulator makes an Accumulator.
func NewAccumulator(folder *Folder) *Accumulator {
	return &Accumulator{folder: folder, instance: rand.Text()}
}

// Record adds a record.
func (a *Accumulator) Record(r Record) {
	key := r.key()
	s := &a.shards[mathrand.Uint32()%shards]
	s.mu.Lock()
	if s.last == nil || s.last.key != key {
		s.last = s.sums.at(key)
	}
	s.last.add(&r)
	s.mu.Unlock()
}

// Flush folds what has been recorded so far. What could not be folded is kept for the next time.
func (a *Accumulator) Flush(ctx context.Context) (Folded, error) {
	a.flushing.Lock()
	defer a.flushing.Unlock()
	var done Folded
	for {
		if len(a.pending) == 0 {
			if a.pending = a.take(); len(a.pending) == 0 {
				return done, nil
			}
		}
		more, err := a.folder.Fold(ctx, a.pending)
		done.add(more)
		if err != nil {
			return done, err
		}
		a.pending = nil
	}
}

// add adds what another fold has done.
func (f *Folded) add(o Folded) {
	f.Entries += o.Entries
	f.Duplicates += o.Duplicates
	known := map[Resource]bool{}
	for _, r := range f.Resources {
		known[r] = true
	}
	for _, r := range o.Resources {
		if !known[r] {
			f.Resources = append(f.Resources, r)
		}
	}
}

// take gives numbers to what has been added up, and begins anew.
func (a *Accumulator) take() []Entry {
	all := map[sumKey]*Sum{}
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		sums := s.sums
		s.sums, s.last = nil, nil
		s.mu.Unlock()
		for key, r := range sums {
			if all[key] == nil {
				all[key] = key.empty()
			}
			r.addTo(all[key])
		}
	}
	var entries []Entry
	for _, sum := range all {
		for _, part := range sum.split() {
			entries = append(entries, Entry{Instance: a.instance, Number: a.next, Sum: part})
			a.next++
		}
	}
	return entries
}

// Run flushes every so often until the context ends. after, which may be nil, is told of the resources whose
// usage has changed. What is recorded after the end is for the caller to flush.
func (a *Accumulator) Run(ctx context.Context, every time.Duration, log *slog.Logger, after func(context.Context, []Resource)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		done, err := a.Flush(ctx)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "usage is not recorded yet", "error", err)
		}
		if after != nil && len(done.Resources) > 0 && ctx.Err() == nil {
			after(ctx, done.Resources)
		}
	}
}
