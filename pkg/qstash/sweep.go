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
		runs := &supervisor{e: e, acct: acct, seen: map[string]bool{}}
		for shard := range byte(shards) {
			woken, err := e.sweepShard(ctx, runs, shard, until)
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

// late is a due entry of a message whose time was more than sweepGrace ago.
type late struct {
	key store.Key
	at  time.Time
	id  string
	run string // that the message belongs to; "": none

	host    string
	crowded bool // attempts for the host take long, and there is room for this one
}

func (e *Engine) sweepShard(ctx context.Context, runs *supervisor, shard byte, until time.Time) (int, error) {
	acct := runs.acct
	n := 0
	rooms, err := e.rooms(ctx, acct)
	if err != nil {
		return 0, err
	}
	var hints []wake.Hint
	var lates []late
	flush := func() error {
		more, err := e.wakeLate(ctx, runs, rooms, lates)
		if err != nil {
			return err
		}
		hints = append(hints, more...)
		n += len(hints)
		if len(hints) > 0 {
			err = e.waker.Wake(ctx, hints...)
		}
		hints, lates = hints[:0], lates[:0]
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
			l := late{key: it.Key, at: at, id: id, host: it.Attrs.Get(attrHost).Str(), run: it.Attrs.Get(dueRun).Str()}
			if l.run == "" { // one of a run is read in any case, see supervised
				var full bool
				if l.crowded, full = rooms.take(l.host); full {
					return true, nil
				}
			}
			lates = append(lates, l)
		case kind == dueSchedule && at.Before(old):
			s, err := e.readSchedule(ctx, acct, id)
			if err != nil {
				return false, err
			}
			if s == nil || s.Paused || scheduleDue(acct, s) != it.Key {
				return true, e.drop(ctx, it.Key)
			}
			hints = append(hints, dueHint(acct, it))
		case kind == dueWaiter && at.Before(old):
			there, err := e.hasWaiter(ctx, acct, id)
			if err != nil {
				return false, err
			}
			if !there {
				if settled, err := runs.quiet(ctx, it.Attrs.Get(dueRun).Str()); err != nil || !settled {
					return err == nil, err
				}
				return true, e.drop(ctx, it.Key)
			}
			hints = append(hints, dueHint(acct, it))
		case kind == dueDeadline && at.Before(old):
			if goes, err := e.overdueRun(ctx, acct, id, it.Key); err != nil {
				return false, err
			} else if !goes {
				return true, e.drop(ctx, it.Key)
			}
			hints = append(hints, dueHint(acct, it))
		default:
			hints = append(hints, dueHint(acct, it))
		}
		if len(hints)+len(lates) < store.MaxSnapshotItems {
			return true, nil
		}
		return true, flush()
	})
	if err == nil && len(hints)+len(lates) > 0 {
		err = flush()
	}
	return n, err
}

// dueHint is the wake-up for a due entry.
func dueHint(acct string, it store.Item) wake.Hint {
	at, kind, id, _ := parseDue(it.Key.Sort)
	h := hint(at, kind, acct, id)
	h.Host = it.Attrs.Get(attrHost).Str()
	return h
}

// wakeLate looks at messages that are late: the due entries that count no longer are removed, and the
// others are woken unless they are to be left alone. A message that has carried a workflow run may
// have been the last one to do so.
func (e *Engine) wakeLate(ctx context.Context, runs *supervisor, rooms rooms, lates []late) ([]wake.Hint, error) {
	if len(lates) == 0 {
		return nil, nil
	}
	keys := make([]store.Key, len(lates))
	for i, l := range lates {
		keys[i] = messageKey(runs.acct, l.id)
	}
	items, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading messages that are due: %w", err)
	}
	var hints []wake.Hint
	var over []store.Key
	for i, l := range lates {
		m, err := parseFound(runs.acct, l.id, items[i])
		if err != nil {
			return nil, err
		}
		switch {
		case m != nil && m.due != l.key.Sort:
			over = append(over, l.key)
		case m == nil && l.run != "", m != nil && m.state.finished() && supervised(m):
			if m != nil {
				l.run = m.rec.Workflow.RunID
			}
			if m != nil && e.carries(m) {
				continue
			}
			settled, err := runs.quiet(ctx, l.run)
			if err != nil {
				return nil, err
			}
			if settled {
				over = append(over, l.key)
			}
		case m == nil, m.state.finished():
			over = append(over, l.key)
		default:
			full := false
			if l.run != "" {
				l.crowded, full = rooms.take(l.host)
			}
			if !full && !e.leave(m, l.at, l.crowded) {
				hints = append(hints, m.hint(l.at))
			}
		}
	}
	if len(over) > 0 {
		if err := e.store.Load(ctx, nil, over); err != nil {
			return nil, fmt.Errorf("removing due entries: %w", err)
		}
	}
	return hints, nil
}

// leave reports whether a message that is overdue is to be left alone: it is being
// delivered, or has been woken a short while ago. parked says that it may have waited for room, which there is now.
func (e *Engine) leave(m *message, at time.Time, parked bool) bool {
	switch {
	case m.state == stateActive:
		return !e.lapsed(m, e.now())
	case e.alone, parked:
		return false
	}
	// There may only be more to do than there is capacity: wake-ups are repeated after one
	// minute, two, four and so on, so that they do not pile up.
	overdue := int64(e.now().Sub(at) / sweepGrace)
	return overdue&(overdue-1) != 0
}

func (e *Engine) drop(ctx context.Context, key store.Key) error {
	if _, err := e.store.Apply(ctx, store.Delete(key, nil)); err != nil {
		return fmt.Errorf("removing a due entry: %w", err)
	}
	return nil
}
