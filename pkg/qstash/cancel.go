package qstash

import (
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Cancel cancels a message. One that is being sent is cancelled unless this attempt succeeds. The
// workflow run that a message belongs to is cancelled with it, as it could not go on.
func (e *Engine) Cancel(ctx context.Context, acct, id string) error {
	ok, err := e.cancelAsked(ctx, acct, id)
	if err == nil && !ok {
		return notFound("message %s not found", id)
	}
	return err
}

// cancelAsked is cancel with the run that the message belongs to.
func (e *Engine) cancelAsked(ctx context.Context, acct, id string) (bool, error) {
	m, err := e.readMessage(ctx, acct, id)
	if err != nil || m == nil || m.state.finished() || m.attrs.Has(attrCancel) {
		return false, err
	}
	if supervised(m) {
		// This cancels the message as well. If somebody else ends the run, the message is cancelled below.
		ended, err := e.endRun(ctx, acct, m.rec.Workflow.RunID, runCancelled, nil)
		if err != nil {
			return false, err
		}
		if ended {
			_, err := e.cancel(ctx, acct, id)
			return true, err
		}
	}
	return e.cancel(ctx, acct, id)
}

// cancel reports whether the message was not finished, nor to be cancelled already.
func (e *Engine) cancel(ctx context.Context, acct, id string) (bool, error) {
	done := false
	err := e.contend(ctx, func(ctx context.Context) error {
		m, err := e.readMessage(ctx, acct, id)
		if err != nil || m == nil || m.state.finished() || m.attrs.Has(attrCancel) {
			return err
		}
		now := e.now().UnixMilli()
		asked := event{At: now, State: EventCancelRequested}
		if m.state == stateActive {
			e.anchor(ctx, m, time.UnixMilli(now))
			edits := append([]store.Edit{store.Set(attrCancel, store.Int(1))}, addEvents(m.attrs.Size(), asked)...)
			_, err = e.store.Apply(ctx, store.Update(m.key(), store.And{
				store.Eq(attrState, store.Int(int64(stateActive))), store.Absent(attrCancel)}, edits...))
		} else {
			t := transition{m: m, cond: store.And{
				store.Eq(attrState, store.Int(int64(stateWaiting))),
				store.Same(attrDue, m.attrs.Get(attrDue)),
				store.Same(attrWait, m.attrs.Get(attrWait)),
			}, state: stateCancelled, events: []event{asked, {At: now, State: EventCancelled}}}
			hints, aerr := e.apply(ctx, &t)
			if err = aerr; err == nil {
				e.wake(ctx, hints...)
			}
		}
		done = err == nil
		return err
	}, "cancelling message %s", id)
	return done, err
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
