package twoprocess

import (
	"context"
	"flag"
	"sync"
	"testing"
	"time"
)

var (
	duration  = flag.Duration("for", 45*time.Second, "how `long` servers are killed")
	killEvery = flag.Duration("kill-every", 3*time.Second, "mean `time` between two kills")
)

// workload is something that clients do while servers are killed.
type workload interface {
	// begin prepares it, before anything is killed.
	begin(ctx context.Context)
	// workers are run until their context is done, which must not disturb what they are at.
	workers() []func(stop context.Context)
	// verify checks what is there, when all workers have ended and nothing is killed any more.
	verify(ctx context.Context)
}

func TestKilledProcessesOverOneStoreKeepTheirPromises(t *testing.T) {
	p := startPair(t)
	workloads := []workload{
		&transfers{p: p}, &counters{p: p}, &locks{p: p}, &jobs{p: p}, newGroup(p), newQueues(p),
	}
	for _, w := range workloads {
		w.begin(t.Context())
	}
	stop, cancel := context.WithTimeout(t.Context(), *duration)
	defer cancel()
	var running sync.WaitGroup
	for _, w := range workloads {
		for _, work := range w.workers() {
			running.Go(func() { work(stop) })
		}
	}
	p.disturb(stop, *killEvery)
	running.Wait()
	ctx := t.Context()
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-time.Minute)) // time to tell what is missing
		defer cancel()
	}
	for _, w := range workloads {
		running.Go(func() { w.verify(ctx) })
	}
	running.Wait()
	t.Logf("%d kills in %v", p.kills, *duration)
}
