package store

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
)

// lockShards is how many parts the table of locks has, each with a mutex of its own.
const lockShards = 64

// Locks lets the operations of one process that write the same items queue up, instead of running
// into each other's conditions and paying for it. It is an optimisation only: other processes on the
// same store are held off by the conditions alone, see Retry.
//
// Only those wait for each other that name the same thing: nobody can hold up a database that is not
// his by locking many names of his own.
type Locks struct {
	seed   maphash.Seed
	shards [lockShards]lockShard
}

// lockShard is the locks that are held now, by the hashes of their scopes and names.
type lockShard struct {
	mu    sync.Mutex
	locks map[uint64]*lock
}

type lock struct {
	waiting int
	met     int           // see Locks.Met
	passed  chan struct{} // receives from who unlocks it if somebody waits; nil: nobody has waited yet
}

// NewLocks makes locks, all of them free.
func NewLocks() *Locks {
	l := &Locks{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].locks = map[uint64]*lock{}
	}
	return l
}

// Lock waits for the locks of all names within a scope, such as keys of a database, and returns
// the function that frees them. The error is the context's. Who holds a lock must not ask for
// another.
func (l *Locks) Lock(ctx context.Context, scope string, names ...string) (unlock func(), err error) {
	ids := l.ids(scope, names)
	for n, id := range ids {
		passed := l.shard(id).lock(id, true)
		if passed == nil {
			continue
		}
		select {
		case <-passed:
		case <-ctx.Done():
			l.shard(id).leave(id)
			l.unlock(ids[:n])
			return nil, ctx.Err()
		}
	}
	return func() { l.unlock(ids) }, nil
}

// TryLock is Lock if all the locks are free. Otherwise it takes none of them.
func (l *Locks) TryLock(scope string, names ...string) (unlock func(), ok bool) {
	ids := l.ids(scope, names)
	for n, id := range ids {
		if l.shard(id).lock(id, false) != nil {
			l.unlock(ids[:n])
			return nil, false
		}
	}
	return func() { l.unlock(ids) }, true
}

// Met notes that who holds the locks of names has failed n times because of other processes. Those of this process who
// wait for one of the locks get to know it by Expected.
func (l *Locks) Met(n int, scope string, names ...string) {
	for _, id := range l.ids(scope, names) {
		l.shard(id).held(id, func(k *lock) { k.met = n })
	}
}

// Expected is what those have noted with Met who held the locks of names just before, 0 if nobody waited.
func (l *Locks) Expected(scope string, names ...string) (n int) {
	for _, id := range l.ids(scope, names) {
		l.shard(id).held(id, func(k *lock) { n = max(n, k.met) })
	}
	return n
}

// ids are the locks of names, in one order everywhere, so that nobody waits in a circle.
func (l *Locks) ids(scope string, names []string) []uint64 {
	base := maphash.String(l.seed, scope)
	ids := make([]uint64, len(names))
	for i, name := range names {
		ids[i] = maphash.String(l.seed, name) ^ base
	}
	if len(ids) > 1 {
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	return ids
}

func (l *Locks) shard(id uint64) *lockShard { return &l.shards[id%lockShards] }

func (l *Locks) unlock(ids []uint64) {
	for _, id := range ids {
		l.shard(id).unlock(id)
	}
}

// lock takes a lock if it is free. Otherwise it returns what to receive from; with wait the caller does so, or
// leaves.
func (s *lockShard) lock(id uint64, wait bool) (passed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.locks[id]
	if k == nil {
		s.locks[id] = &lock{}
		return nil
	}
	if k.passed == nil {
		k.passed = make(chan struct{}, 1)
	}
	if wait {
		k.waiting++
	}
	return k.passed
}

// held does something with a lock that the caller holds.
func (s *lockShard) held(id uint64, do func(*lock)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.locks[id]; k != nil {
		do(k)
	}
}

func (s *lockShard) unlock(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass(id)
}

// pass hands a lock to somebody who waits for it.
func (s *lockShard) pass(id uint64) {
	k := s.locks[id]
	if k.waiting == 0 {
		delete(s.locks, id)
		return
	}
	k.waiting--
	k.passed <- struct{}{}
}

// leave ends the wait for a lock. If it was passed to the one who leaves, he passes it on.
func (s *lockShard) leave(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.locks[id]
	select {
	case <-k.passed:
		s.pass(id)
	default:
		k.waiting--
	}
}
