package qstash

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// checkAgain is the longest time between two looks at a waitlist.
const checkAgain = time.Minute

// nextCheck returns when to look at a waitlist again: at the end of the rate's period, until, if
// that comes first. Other times are rounded to 15 seconds, so that many messages share one due
// entry.
func nextCheck(now, until time.Time) time.Time {
	check := now.Add(checkAgain).Truncate(checkAgain / 4)
	if !until.IsZero() && until.Before(check) {
		return until
	}
	return check
}

// joinWaitlist parks a message behind its flow control key, provided that it still has to wait. claimed is the
// message if this engine has claimed it after all, see overtaken.
func (e *Engine) joinWaitlist(ctx context.Context, f flow, m *message, while store.Cond, until time.Time) (claimed *message, retry bool, err error) {
	now := e.now()
	wait := timeKey(now) + m.id
	check := nextCheck(now, until)
	edits := []store.Edit{store.Set(attrWait, store.Bytes(wait))}
	ops := []store.Op{
		store.Update(flowKey(m.acct, f.key), while, store.Add(flowWaiting, flowWaiting, 1)),
		store.Put(store.Key{Partition: waitPartition(m.acct, f.key), Sort: wait},
			m.rec.dueAttrs(store.Attr{Name: attrMessage, Value: store.Bytes(m.id)}), nil),
	}
	next := dueSort(parked, dueMessage, m.id)
	moved := m.rec.Queue == "" && m.due != next
	if moved {
		edits = append(edits, store.Set(attrDue, store.Bytes(next)))
		ops = append(ops, store.Put(dueKey(m.acct, shardOf(m.id), next), m.rec.dueAttrs(), nil))
	}
	ops = append(ops, store.Update(m.key(), store.And{
		store.Eq(attrState, store.Int(int64(stateWaiting))), store.Eq(attrAt, m.attrs.Get(attrAt)), store.Absent(attrWait)}, edits...))
	err = e.store.Commit(store.NoRepeat(ctx), ops)
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		if ce.Index == len(ops)-1 { // the message's
			claimed, err = e.overtaken(ctx, m, ce)
			return claimed, false, err
		}
		return nil, ce.Index == 0, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("parking message %s: %w", m.id, err)
	}
	if moved {
		e.leaveDue(ctx, m)
	}
	e.wake(ctx, hint(check, dueFlow, m.acct, f.key))
	return nil, false, nil
}

// netCheck is when the sweep looks at a waitlist if the wake-up at nextCheck is lost. It is far enough from now for a
// message to join the list before.
func netCheck(now, until time.Time) time.Time {
	if check := nextCheck(now, until); check != until {
		return check
	}
	return now.Add(checkAgain / 2).Truncate(checkAgain / 4)
}

// noteCheck lets the sweep look at a waitlist.
func (e *Engine) noteCheck(ctx context.Context, acct, key string, at time.Time) error {
	if _, err := e.store.Apply(ctx, store.Put(dueKey(acct, shardOf(key), dueSort(at, dueFlow, key)), store.Attrs{}, nil)); err != nil {
		return fmt.Errorf("noting when to look at a waitlist again: %w", err)
	}
	return nil
}

// leaveDue removes the due entry that a message had until it was given another one.
func (e *Engine) leaveDue(ctx context.Context, m *message) {
	if err := e.dropDue(ctx, m); err != nil {
		e.log.WarnContext(ctx, "the former due entry of a message is left to the sweep", "error", err)
	}
}

// leaveWaitlistOps takes a message out of its key's waitlist.
func (e *Engine) leaveWaitlistOps(m *message, wait string) []store.Op {
	return []store.Op{
		store.Update(flowKey(m.acct, m.rec.Flow.Key), nil, store.Add(flowWaiting, flowWaiting, -1)),
		store.Delete(store.Key{Partition: waitPartition(m.acct, m.rec.Flow.Key), Sort: wait}, nil),
	}
}

// maxPump bounds how many waiting messages one wake-up wakes.
const maxPump = 100

// pumpFlow wakes the messages that a flow control key has room for.
func (e *Engine) pumpFlow(ctx context.Context, acct, key string) error {
	f, err := e.readFlow(ctx, acct, key)
	if err != nil {
		return err
	}
	if f.num(flowWaiting) <= 0 {
		return nil
	}
	now := e.now()
	room := int64(maxPump)
	if p := f.num(flowParallelism); p > 0 {
		room = min(room, p-f.num(flowRunning))
	}
	if r := f.num(flowRate); r > 0 && now.Before(f.windowEnd()) {
		room = min(room, r-f.num(flowStarted))
	} else if r > 0 {
		room = min(room, r)
	}
	if f.num(flowPaused) != 0 {
		room = 0
	}
	var hints []wake.Hint
	waiting := false
	err = e.each(ctx, store.Query{Partition: waitPartition(acct, key), Limit: int(max(1, room))}, func(it store.Item) (bool, error) {
		waiting = true
		if int64(len(hints)) >= room {
			return false, nil
		}
		hints = append(hints, messageHint(now, true, acct, it.Attrs.Get(attrMessage).Str(), it.Attrs.Get(attrHost).Str()))
		return int64(len(hints)) < room, nil
	})
	if err != nil {
		return err
	}
	if waiting {
		_, _, until := f.limited(now)
		check := nextCheck(now, until)
		if err := e.noteCheck(ctx, acct, key, check); err != nil {
			return err
		}
		hints = append(hints, hint(check, dueFlow, acct, key))
	}
	e.wake(ctx, hints...)
	return nil
}
