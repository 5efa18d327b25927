package scripts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// A change of a database's libraries writes all of them anew, as a generation of its own, which comes
// into force when all instances know it. Changes that come meanwhile in one process are carried out
// together, as the next generation: one by one, a hundred would take two minutes.

// libraryChange is a change that waits. It changes a list that is its own, and may run several times.
type libraryChange struct {
	change func([]*functionLibrary) ([]*functionLibrary, error)
	err    error
	done   bool
}

// changePatience is how long changes are tried again that other processes were faster than, at least.
// An attempt takes longer than others: until all instances know the generation before.
const changePatience = time.Minute

// libraryQueue has the changes that wait, by database.
type libraryQueue struct {
	mu      sync.Mutex
	waiting map[string][]*libraryChange
}

func (q *libraryQueue) add(db string, c *libraryChange) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == nil {
		q.waiting = map[string][]*libraryChange{}
	}
	q.waiting[db] = append(q.waiting[db], c)
}

// takeAll empties a database's queue.
func (q *libraryQueue) takeAll(db string) []*libraryChange {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.waiting[db]
	delete(q.waiting, db)
	return all
}

// withdraw takes a change back. It reports false if somebody has begun to carry it out.
func (q *libraryQueue) withdraw(db string, c *libraryChange) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting[db], c)
	if i < 0 {
		return false
	}
	if q.waiting[db] = slices.Delete(q.waiting[db], i, i+1); len(q.waiting[db]) == 0 {
		delete(q.waiting, db)
	}
	return true
}

// changeLibraries replaces a database's libraries by what change makes of them. It returns when all
// instances use them.
func (s *Scripts) changeLibraries(ctx context.Context, id string, change func([]*functionLibrary) ([]*functionLibrary, error)) error {
	c := &libraryChange{change: change}
	s.changes.add(id, c)
	unlock, err := s.locks.Lock(ctx, id, "libraries")
	if err != nil {
		if !s.changes.withdraw(id, c) {
			err = fmt.Errorf("%w (%v)", store.ErrUnknownOutcome, err)
		}
		return fmt.Errorf("waiting for other changes of libraries: %w", err)
	}
	defer unlock()
	if c.done { // by whoever had the lock before
		return c.err
	}
	var batch []*libraryChange
	if err := s.changeTogether(ctx, id, func() []*libraryChange {
		batch = append(batch, s.changes.takeAll(id)...) // while other processes are faster, more may come
		return batch
	}); errors.Is(err, store.ErrTooLarge) {
		// Perhaps only because of some.
		for _, one := range batch {
			if err := s.changeTogether(ctx, id, func() []*libraryChange { return []*libraryChange{one} }); errors.Is(err, store.ErrTooLarge) {
				one.err = resp.Error(fmt.Sprintf("ERR the function libraries of a database can have %d bytes", store.MaxCommitSize))
			}
		}
	}
	for _, one := range batch {
		one.done = true
	}
	return c.err
}

// changeTogether makes one generation of several changes, those that the last call of together returns, and tells each
// what became of it. It returns why there is no generation.
func (s *Scripts) changeTogether(ctx context.Context, id string, together func() []*libraryChange) error {
	var batch []*libraryChange
	policy := s.retry
	policy.Patience = max(policy.Patience, changePatience)
	err := policy.Do(ctx, func(ctx context.Context) error {
		d, err := s.awaitChange(ctx, id, func(d *keyspace.Database) keyspace.Generation { return d.Libs })
		if err != nil {
			return err
		}
		old, err := s.librariesOf(ctx, id, d.Libs.N)
		if err != nil {
			return err
		}
		batch = together()
		list, changed := old.list, false
		for _, c := range batch {
			next, err := c.apply(list)
			if c.err = err; err == nil {
				list, changed = next, true
			}
		}
		if !changed {
			return nil
		}
		partition := keyspace.ElemPartition(id, libraryGen(d.Libs.N+1))
		var ops []store.Op
		for _, lib := range list {
			ops = append(ops, store.Put(store.Key{Partition: partition, Sort: elemLibrary + lib.name},
				store.Attrs{{Name: keyspace.AttrValue, Value: store.Bytes(lib.source)}}, nil))
		}
		return s.advance(ctx, d, keyspace.RecLibs, d.Libs, libraryGen(d.Libs.N), ops)
	})
	if err != nil {
		if batch == nil {
			batch = together()
		}
		for _, c := range batch {
			c.err = err
		}
	}
	return err
}

// apply is what the change makes of a list, if that can be.
func (c *libraryChange) apply(list []*functionLibrary) ([]*functionLibrary, error) {
	next, err := c.change(slices.Clone(list))
	if err != nil {
		return nil, err
	}
	if _, err := newLibraries(slices.Clone(next)); err != nil {
		return nil, err
	}
	if len(next) > maxLibraries {
		return nil, errTooManyLibraries
	}
	return next, nil
}
