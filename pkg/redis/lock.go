package redis

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// keyLocks lets the transactions of one engine that write the same keys queue
// up instead of running into each other's conditions. It is an optimisation:
// other engines on the same store are held off by the conditions alone.
type keyLocks struct {
	stripes [1024]chan struct{}
}

func newKeyLocks() *keyLocks {
	l := &keyLocks{}
	for i := range l.stripes {
		l.stripes[i] = make(chan struct{}, 1)
	}
	return l
}

// lock waits for all keys and returns the function that frees them.
func (l *keyLocks) lock(ctx context.Context, db string, keys []string) (func(), error) {
	seed := hashOf(db)
	idx := make([]int, 0, len(keys))
	for _, k := range keys {
		idx = append(idx, int((hashOf(k)^seed)%uint64(len(l.stripes))))
	}
	slices.Sort(idx) // in one order everywhere, so that nobody waits in a circle
	idx = slices.Compact(idx)
	for n, i := range idx {
		select {
		case l.stripes[i] <- struct{}{}:
		case <-ctx.Done():
			l.unlock(idx[:n])
			return nil, ctx.Err()
		}
	}
	return func() { l.unlock(idx) }, nil
}

func (l *keyLocks) unlock(idx []int) {
	for _, i := range idx {
		<-l.stripes[i]
	}
}

// pause waits before another attempt: full jitter, growing to 250 ms.
func pause(ctx context.Context, attempt int) error {
	limit := min(2*time.Millisecond<<min(attempt, 7), 250*time.Millisecond)
	t := time.NewTimer(time.Duration(rand.Int64N(int64(limit))))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
