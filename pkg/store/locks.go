package store

import (
	"context"
	"hash/maphash"
	"slices"
)

// lockStripes is how many locks there are. Two names that share one wait for each other needlessly.
const lockStripes = 1024

// Locks lets the operations of one process that write the same items queue up, instead of running
// into each other's conditions and paying for it. It is an optimisation only: other processes on the
// same store are held off by the conditions alone, see Retry.
type Locks struct {
	seed    maphash.Seed
	stripes [lockStripes]chan struct{}
}

// NewLocks makes locks, all of them free.
func NewLocks() *Locks {
	l := &Locks{seed: maphash.MakeSeed()}
	for i := range l.stripes {
		l.stripes[i] = make(chan struct{}, 1)
	}
	return l
}

// Lock waits for the locks of all names within a scope, such as keys of a database, and returns
// the function that frees them. The error is the context's. Who holds a lock must not ask for
// another.
func (l *Locks) Lock(ctx context.Context, scope string, names ...string) (unlock func(), err error) {
	base := maphash.String(l.seed, scope)
	held := make([]int, 0, len(names))
	for _, name := range names {
		held = append(held, int((maphash.String(l.seed, name)^base)%lockStripes))
	}
	slices.Sort(held) // in one order everywhere, so that nobody waits in a circle
	held = slices.Compact(held)
	for n, i := range held {
		select {
		case l.stripes[i] <- struct{}{}:
		case <-ctx.Done():
			l.unlock(held[:n])
			return nil, ctx.Err()
		}
	}
	return func() { l.unlock(held) }, nil
}

func (l *Locks) unlock(held []int) {
	for _, i := range held {
		<-l.stripes[i]
	}
}
