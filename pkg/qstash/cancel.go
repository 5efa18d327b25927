package qstash

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// Values of attrCancel.
const (
	// cancelRetries: the attempt under way is the last one, and counts. Messages of a run that has ended,
	// or of a queue that was deleted, end so.
	cancelRetries = iota + 1
	// cancelAll: the message ends as cancelled, whatever the attempt under way comes to.
	cancelAll
)

// Cancel cancels a message. If it returns nil, no attempt begins any more, and the message ends as cancelled:
// callbacks and dead letters do not follow. An attempt that is under way, which it is from its claim on, cannot be
// called back. Its answer is in the log, with the event EventCancelled if it is a success, and the
// message does not count as delivered. One that has been delivered before is not found.
//
// The workflow run that a message belongs to is cancelled with it, as it could not go on.
func (e *Engine) Cancel(ctx context.Context, acct, id string) error {
	ok, err := e.cancelAsked(ctx, acct, id)
	if err == nil && !ok {
		return notFound("message %s not found", id)
	}
	return err
}

// cancelAsked is cancel with the run that the message belongs to. The message comes first: if it has just
// been delivered, its run goes on. If this process ends in between, the supervisor ends the run.
func (e *Engine) cancelAsked(ctx context.Context, acct, id string) (bool, error) {
	m, err := e.readMessage(ctx, acct, id)
	if err != nil || m == nil || m.state.finished() || m.attrs.Has(attrCancel) {
		return false, err
	}
	done, err := e.cancel(ctx, acct, id, cancelAll)
	if err == nil && done && supervised(m) {
		_, err = e.endRun(ctx, acct, m.rec.Workflow.RunID, runCancelled, nil)
	}
	return done, err
}

// cancel cancels a message. What an attempt under way comes to counts or does not, as extent says. It reports
// whether the message was neither finished, nor to be cancelled to this extent already.
func (e *Engine) cancel(ctx context.Context, acct, id string, extent int64) (bool, error) {
	done := false
	err := e.contend(ctx, func(ctx context.Context) error {
		m, err := e.readMessage(ctx, acct, id)
		if err != nil || m == nil || m.state.finished() || m.attrs.Get(attrCancel).Num() >= extent {
			return err
		}
		if m.state == stateActive {
			err = e.cancelActive(ctx, m, extent)
		} else {
			now := e.now().UnixMilli()
			err = e.endAsCancelled(ctx, m, event{At: now, State: EventCancelRequested}, event{At: now, State: EventCancelled})
		}
		done = err == nil
		return err
	}, "cancelling message %s", id)
	return done, err
}

// cancelActive cancels a message whose attempt is under way.
func (e *Engine) cancelActive(ctx context.Context, m *message, extent int64) error {
	now := e.now()
	edits := []store.Edit{store.Set(attrCancel, store.Int(extent))}
	if !m.attrs.Has(attrCancel) {
		e.anchor(ctx, m, now)
		edits = append(edits, addEvents(m.attrs.Size(), event{At: now.UnixMilli(), State: EventCancelRequested})...)
	}
	_, err := e.store.Apply(ctx, store.Update(m.key(), store.And{
		store.Eq(attrState, store.Int(int64(stateActive))), store.Same(attrCancel, m.attrs.Get(attrCancel))}, edits...))
	return err
}

// endAsCancelled finishes a message as it was read: one that waits, or one that is to be cancelled and whose engine is
// gone.
func (e *Engine) endAsCancelled(ctx context.Context, m *message, events ...event) error {
	cond := store.And{store.Eq(attrState, store.Int(int64(m.state)))}
	for _, name := range []string{attrDue, attrWait, attrOwner, attrClaimed, attrLease} {
		cond = append(cond, store.Same(name, m.attrs.Get(name)))
	}
	hints, err := e.apply(ctx, &transition{m: m, cond: cond, state: stateCancelled, events: events})
	if err == nil {
		e.wake(ctx, hints...)
	}
	return err
}

// CancelMany cancels the messages that a filter selects, at most count, and returns how many.
func (e *Engine) CancelMany(ctx context.Context, acct string, f Filter, count int) (int, error) {
	n := 0
	if len(f.MessageIDs) > 0 {
		for _, id := range f.MessageIDs {
			ok, err := e.cancelAsked(ctx, acct, id)
			if err != nil {
				return n, err
			}
			if ok {
				n++
			}
		}
		return n, nil
	}
	err := e.live(ctx, acct, func(m *message) (bool, error) {
		if n >= count {
			return false, nil
		}
		if m.state.finished() || m.attrs.Has(attrCancel) || !f.matchMessage(m) {
			return true, nil
		}
		ok, err := e.cancelAsked(ctx, acct, m.id)
		if ok {
			n++
		}
		return n < count, err
	})
	return n, err
}

// live calls f with the messages that are not finished, and some that have just been.
func (e *Engine) live(ctx context.Context, acct string, f func(*message) (bool, error)) error {
	more := true
	var ids []string
	flush := func() error {
		keys := make([]store.Key, len(ids))
		for i, id := range ids {
			keys[i] = messageKey(acct, id)
		}
		items, err := e.store.GetMany(ctx, keys, false)
		if err != nil {
			return fmt.Errorf("reading messages: %w", err)
		}
		for i, it := range items {
			if it == nil || !more {
				continue
			}
			m, err := parseMessage(acct, ids[i], it)
			if err != nil {
				return err
			}
			if more, err = f(m); err != nil {
				return err
			}
		}
		ids = ids[:0]
		return nil
	}
	// scan reads the messages that a partition's items name.
	scan := func(partition string, name func(store.Item) (string, bool)) error {
		err := e.each(ctx, store.Query{Partition: partition}, func(it store.Item) (bool, error) {
			if id, ok := name(it); ok {
				ids = append(ids, id)
			}
			if len(ids) < store.MaxSnapshotItems {
				return true, nil
			}
			err := flush()
			return more, err
		})
		if err == nil && more && len(ids) > 0 {
			err = flush()
		}
		return err
	}
	for shard := range byte(shards) {
		err := scan(duePartition(acct, shard), func(it store.Item) (string, bool) {
			_, kind, id, ok := parseDue(it.Key.Sort)
			return id, ok && kind == dueMessage
		})
		if err != nil || !more {
			return err
		}
	}
	return e.each(ctx, store.Query{Partition: part("q", acct)}, func(it store.Item) (bool, error) {
		err := scan(entryPartition(acct, it.Key.Sort, it.Attrs.Get(queueGeneration).Str()), func(it store.Item) (string, bool) {
			return it.Attrs.Get(attrMessage).Str(), true
		})
		return more, err
	})
}
