package qstash

import (
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// sweepGrace is how long a due entry is left to its wake-up, and an entry without a
// message to the publisher that may be about to write it.
const sweepGrace = time.Minute

// Sweep wakes everything that was due until a time and whose wake-ups may have been
// lost, and clears away deleted accounts. It returns how many wake-ups it has arranged. A process that keeps wake-ups in
// memory sweeps when it starts, and again and again a bit into the future.
func (e *Engine) Sweep(ctx context.Context, until time.Time) (int, error) {
	accounts, err := e.accountIDs(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, acct := range accounts {
		if deleted, err := e.sweepDeleted(ctx, acct); deleted || err != nil {
			if err != nil {
				return n, err
			}
			continue
		}
		for shard := range byte(shards) {
			woken, err := e.sweepShard(ctx, acct, shard, until)
			n += woken
			if err != nil {
				return n, fmt.Errorf("sweeping account %s: %w", acct, err)
			}
		}
		err := e.each(ctx, store.Query{Partition: part("q", acct)}, func(it store.Item) (bool, error) {
			return true, e.pumpQueue(ctx, acct, it.Key.Sort)
		})
		if err != nil {
			return n, fmt.Errorf("sweeping account %s: %w", acct, err)
		}
	}
	return n, nil
}

// Overdue is the time before which a due entry counts as forgotten. A sweep leaves younger ones to
// the wake-up that is under way.
func (e *Engine) Overdue() time.Time { return e.now().Add(-sweepGrace) }

func (e *Engine) sweepShard(ctx context.Context, acct string, shard byte, until time.Time) (int, error) {
	n := 0
	rooms, err := e.rooms(ctx, acct)
	if err != nil {
		return 0, err
	}
	var hints []wake.Hint
	flush := func() error {
		n += len(hints)
		err := e.waker.Wake(ctx, hints...)
		hints = hints[:0]
		return err
	}
	old := e.now().Add(-sweepGrace)
	err = e.each(ctx, store.Query{Partition: duePartition(acct, shard), To: timeKey(until.Add(time.Millisecond))}, func(it store.Item) (bool, error) {
		at, kind, id, ok := parseDue(it.Key.Sort)
		switch {
		case !ok:
			return true, e.drop(ctx, it.Key)
		case kind == dueFlow && at.Before(e.now()):
			// It is written anew as long as there is something to wait for.
			if err := e.pumpFlow(ctx, acct, id); err != nil {
				return false, err
			}
			return true, e.drop(ctx, it.Key)
		case kind == dueDeleted && at.After(e.now()):
			return true, nil
		case kind == dueDeleted:
			if err := e.dropLate(ctx, acct, id); err != nil {
				return false, err
			}
			return true, e.drop(ctx, it.Key)
		case kind == dueMessage && at.Before(old):
			crowded, full := rooms.take(it.Attrs.Get(attrHost).Str())
			if full {
				return true, nil
			}
			left, err := e.leave(ctx, acct, it.Key, at, id, crowded)
			if err != nil || left {
				return err == nil, err
			}
		case kind == dueSchedule && at.Before(old):
			s, err := e.readSchedule(ctx, acct, id)
			if err != nil {
				return false, err
			}
			if s == nil || s.Paused || scheduleDue(acct, s) != it.Key {
				return true, e.drop(ctx, it.Key)
			}
		}
		h := hint(at, kind, acct, id)
		h.Host = it.Attrs.Get(attrHost).Str()
		hints = append(hints, h)
		if len(hints) < store.MaxSnapshotItems {
			return true, nil
		}
		return true, flush()
	})
	if err == nil && len(hints) > 0 {
		err = flush()
	}
	return n, err
}

// leave reports whether a message that is overdue is to be left alone: it is being
// delivered, or has been woken a short while ago. A due entry that its message no longer
// has, or whose message is gone, is removed. parked says that it may have waited for room, which there is now.
func (e *Engine) leave(ctx context.Context, acct string, key store.Key, at time.Time, id string, parked bool) (bool, error) {
	m, err := e.readMessage(ctx, acct, id)
	if err != nil {
		return false, err
	}
	switch {
	case m == nil, m.due != key.Sort, m.state.finished():
		return true, e.drop(ctx, key)
	case m.state == stateActive:
		return !e.lapsed(m, e.now()), nil
	case e.alone, parked:
		return false, nil
	}
	// There may only be more to do than there is capacity: wake-ups are repeated after one
	// minute, two, four and so on, so that they do not pile up.
	overdue := int64(e.now().Sub(at) / sweepGrace)
	return overdue&(overdue-1) != 0, nil
}

func (e *Engine) drop(ctx context.Context, key store.Key) error {
	if _, err := e.store.Apply(ctx, store.Delete(key, nil)); err != nil {
		return fmt.Errorf("removing a due entry: %w", err)
	}
	return nil
}
