package qstash

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a flow control key's item.
const (
	flowParallelism = "m"  // 0: no limit
	flowRate        = "r"  // 0: no limit
	flowPeriod      = "d"  // s
	flowRunning     = "n"  // attempts under way
	flowStarted     = "c"  // attempts started in the window
	flowWindow      = "w"  // ms: when the window began
	flowWaiting     = "l"  // messages in the waitlist
	flowPaused      = "z"  // 1: paused
	flowPinP        = "pp" // 1: the parallelism is pinned
	flowPinR        = "pr" // 1: rate and period are
)

// flow is a flow control key's item as it was read.
type flow struct {
	acct, key string
	attrs     store.Attrs
}

func (f flow) num(name string) int64 { return f.attrs.Get(name).Num() }

func (f flow) windowEnd() time.Time {
	return time.UnixMilli(f.num(flowWindow) + 1000*f.num(flowPeriod))
}

// limited reports whether an attempt has to wait. while is the condition under which it still has
// to. until is the end of the rate's window, zero if the attempt waits for something else.
func (f flow) limited(now time.Time) (wait bool, while store.Cond, until time.Time) {
	p, r := f.num(flowParallelism), f.num(flowRate)
	switch {
	case f.num(flowPaused) != 0:
		return true, store.Eq(flowPaused, store.Int(1)), time.Time{}
	case p > 0 && f.num(flowRunning) >= p:
		return true, store.And{store.Ge(flowRunning, store.Int(p)), f.unchanged(flowParallelism)}, time.Time{}
	case r > 0 && f.num(flowStarted) >= r && now.Before(f.windowEnd()):
		return true, store.And{f.unchanged(flowStarted), f.unchanged(flowWindow), f.unchanged(flowRate), f.unchanged(flowPeriod)}, f.windowEnd()
	}
	return false, nil, time.Time{}
}

func (f flow) unchanged(name string) store.Cond { return store.Same(name, f.attrs.Get(name)) }

// takeOp counts an attempt, provided that the limits allow it.
func (f flow) takeOp(now time.Time, fromWaitlist bool) store.Op {
	cond := store.And{f.unchanged(flowParallelism), f.unchanged(flowRate), f.unchanged(flowPeriod), f.unchanged(flowWindow), store.Ne(flowPaused, store.Int(1))}
	if p := f.num(flowParallelism); p > 0 {
		cond = append(cond, store.Or{store.Absent(flowRunning), store.Lt(flowRunning, store.Int(p))})
	}
	edits := []store.Edit{store.Add(flowRunning, flowRunning, 1)}
	if !now.Before(f.windowEnd()) {
		edits = append(edits, store.Set(flowWindow, store.Int(now.UnixMilli())), store.Set(flowStarted, store.Int(1)))
	} else {
		if r := f.num(flowRate); r > 0 {
			cond = append(cond, store.Or{store.Absent(flowStarted), store.Lt(flowStarted, store.Int(r))})
		}
		edits = append(edits, store.Add(flowStarted, flowStarted, 1))
	}
	if fromWaitlist {
		edits = append(edits, store.Add(flowWaiting, flowWaiting, -1))
	}
	return store.Update(flowKey(f.acct, f.key), cond, edits...)
}

func releaseSlotOp(acct, key string) store.Op {
	return store.Update(flowKey(acct, key), nil, store.Add(flowRunning, flowRunning, -1))
}

func (e *Engine) readFlow(ctx context.Context, acct, key string) (flow, error) {
	attrs, err := e.store.Get(ctx, flowKey(acct, key))
	if err != nil {
		return flow{}, fmt.Errorf("reading a flow control key: %w", err)
	}
	return flow{acct, key, attrs}, nil
}

// touchFlow creates a message's flow control key, or sets its limits to the message's
// where they are not pinned.
func (e *Engine) touchFlow(ctx context.Context, acct string, want *Flow) error {
	if want == nil {
		return nil
	}
	return e.contend(ctx, func(ctx context.Context) error {
		f, err := e.readFlow(ctx, acct, want.Key)
		if err != nil {
			return err
		}
		period := int64(max(want.Period, time.Second) / time.Second)
		var edits []store.Edit
		set := func(name string, to int64) {
			if f.attrs.Get(name).IsZero() || f.num(name) != to {
				edits = append(edits, store.Set(name, store.Int(to)))
			}
		}
		if f.num(flowPinP) == 0 {
			set(flowParallelism, int64(want.Parallelism))
		}
		if f.num(flowPinR) == 0 {
			set(flowRate, int64(want.Rate))
			set(flowPeriod, period)
		}
		if len(edits) == 0 {
			return nil
		}
		// A pin that comes in between is not overwritten.
		cond := store.And{f.unchanged(flowPinP), f.unchanged(flowPinR)}
		_, err = e.store.Apply(ctx, store.Update(flowKey(acct, want.Key), cond, edits...))
		if err != nil {
			return err
		}
		if f.num(flowWaiting) > 0 {
			e.wake(ctx, hint(e.now(), dueFlow, acct, want.Key)) // they may allow more than before
		}
		return nil
	}, "setting the limits of a flow control key")
}

// claimSlot claims a due message if its flow control key allows, or puts it into the
// key's waitlist.
func (e *Engine) claimSlot(ctx context.Context, m *message) (*message, error) {
	unlock, err := e.lock(ctx, "f", m.acct, m.rec.Flow.Key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var claimed *message
	var noted time.Time
	attempts := 0
	err = e.contendAs(ctx, e.flowRetry(m.acct, m.rec.Flow.Key), func(ctx context.Context) error {
		attempts++
		f, err := e.readFlow(ctx, m.acct, m.rec.Flow.Key)
		if err != nil {
			return err
		}
		now := e.now()
		listed := m.attrs.Has(attrWait)
		wait, while, until := f.limited(now)
		if !wait && !listed && f.num(flowWaiting) > 0 {
			// Others have come before.
			wait, while = true, store.Gt(flowWaiting, store.Int(0))
			e.wake(ctx, hint(now, dueFlow, m.acct, m.rec.Flow.Key))
		}
		var retry bool
		switch {
		case !wait:
			claimed, retry, err = e.take(ctx, f, m, now)
		case !listed:
			if check := netCheck(now, until); check != noted {
				if err := e.noteCheck(ctx, m.acct, f.key, check); err != nil {
					return err
				}
				noted = check
			}
			claimed, retry, err = e.joinWaitlist(ctx, f, m, while, until)
		default:
			if !until.IsZero() {
				e.wake(ctx, hint(until, dueFlow, m.acct, m.rec.Flow.Key))
			}
		}
		if err == nil && retry {
			return errChanged
		}
		return err
	}, "claiming message %s", m.id)
	if claimed != nil {
		claimed.crowded = attempts > 1
	}
	return claimed, err
}

// flowRetry is what transactions on a flow control key do that have met others there: they go one after the other.
func (e *Engine) flowRetry(acct, key string) store.Retry {
	policy := e.retry
	policy.Ticket = func(ctx context.Context) (time.Duration, error) {
		return store.Tickets{Store: e.store, Now: e.now}.Take(ctx, ticketPartition(acct, key))
	}
	return policy
}

// commitAtFlow commits operations, one of which may be on a message's flow control key. Commits to a key happen one
// after the other in this process. A message whose claim has met other processes at the key expects them there again.
func (e *Engine) commitAtFlow(ctx context.Context, m *message, ops []store.Op) error {
	if !m.attrs.Has(attrSlot) && !m.attrs.Has(attrWait) {
		return e.store.Commit(ctx, ops)
	}
	unlock, err := e.lock(ctx, "f", m.acct, m.rec.Flow.Key)
	if err != nil {
		return err
	}
	defer unlock()
	attempts := e.flowRetry(m.acct, m.rec.Flow.Key).Begin()
	if m.crowded {
		if err := attempts.Wait(ctx, store.ErrConflict); err != nil {
			return err
		}
	}
	for {
		err := e.store.Commit(store.NoRepeat(ctx), ops)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		if err := attempts.Wait(ctx, err); err != nil {
			return err
		}
	}
}

// take claims a message together with a slot. retry says that the key has changed.
func (e *Engine) take(ctx context.Context, f flow, m *message, now time.Time) (claimed *message, retry bool, err error) {
	wait := m.attrs.Get(attrWait)
	edits := append(e.claimEdits(now), store.Set(attrSlot, store.Int(1)))
	cond := store.And{store.Eq(attrState, store.Int(int64(stateWaiting))), store.Eq(attrAt, m.attrs.Get(attrAt))}
	ops := []store.Op{f.takeOp(now, !wait.IsZero())}
	next := m.due
	moved := false
	if !wait.IsZero() {
		cond = append(cond, store.Eq(attrWait, wait))
		edits = append(edits, store.Remove(attrWait))
		ops = append(ops, store.Delete(store.Key{Partition: waitPartition(m.acct, f.key), Sort: wait.Str()}, nil))
		if m.rec.Queue == "" {
			next, moved = dueSort(now, dueMessage, m.id), true
			edits = append(edits, store.Set(attrDue, store.Bytes(next)))
			ops = append(ops, store.Put(dueKey(m.acct, shardOf(m.id), next), m.rec.dueAttrs(), nil))
		}
	} else {
		cond = append(cond, store.Absent(attrWait))
	}
	ops = append(ops, store.Update(m.key(), cond, edits...))
	err = e.store.Commit(store.NoRepeat(ctx), ops)
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		if ce.Index == len(ops)-1 { // the message's
			claimed, err = e.overtaken(ctx, m, ce)
			return claimed, false, err
		}
		return nil, ce.Index == 0, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("claiming message %s: %w", m.id, err)
	}
	if moved {
		e.leaveDue(ctx, m)
	}
	attrs := m.attrs.With(attrSlot, store.Int(1)).Without(attrWait).With(attrDue, store.Bytes(next))
	claimed, err = e.claimed(m.acct, m.id, attrs, now)
	return claimed, false, err
}
