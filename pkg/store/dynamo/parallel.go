package dynamo

import (
	"context"
	"sync"
)

// parallelism is how many requests one call of the store has under way.
const parallelism = 4

// inParallel divides n things into ranges of at most size and works on several
// ranges at a time. The first error stops what has not begun and is returned.
func inParallel(ctx context.Context, n, size int, work func(ctx context.Context, from, to int) error) error {
	if n <= size {
		if n == 0 {
			return nil
		}
		return work(ctx, 0, n)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu    sync.Mutex
		next  int
		first error
		wg    sync.WaitGroup
	)
	take := func() (from, to int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if next >= n || first != nil {
			return 0, 0, false
		}
		from, to = next, min(next+size, n)
		next = to
		return from, to, true
	}
	for range min(parallelism, (n+size-1)/size) {
		wg.Go(func() {
			for {
				from, to, ok := take()
				if !ok {
					return
				}
				if err := work(ctx, from, to); err != nil {
					mu.Lock()
					if first == nil {
						first = err
						cancel()
					}
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}
