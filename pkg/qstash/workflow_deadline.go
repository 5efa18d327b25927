package qstash

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// SetRunDeadline sets how long the workflow runs of an account may take that do not say so
// themselves; 0: as long as they like. Runs that go on keep the deadline that they began with.
func (e *Engine) SetRunDeadline(ctx context.Context, acct string, after time.Duration) error {
	if err := e.checkDeadline(after); err != nil {
		return err
	}
	return e.changeAccount(ctx, acct, func(a *Account) { a.RunDeadline = after })
}

func (e *Engine) checkDeadline(after time.Duration) error {
	if after < 0 {
		return invalid("deadline must not be negative")
	}
	if after > e.limits.MaxDelay {
		return quota("deadline exceeded the limit: maximum %s, requested %s", days(e.limits.MaxDelay), days(after))
	}
	return nil
}

// setDeadline gives a run that begins the deadline that it, or else its account, asks for. The writes
// belong to the run's; the hint is for after them.
func (e *Engine) setDeadline(ctx context.Context, r *run, w *Workflow) ([]store.Op, []wake.Hint, error) {
	if err := e.checkDeadline(w.Deadline); err != nil {
		return nil, nil, err
	}
	a, err := e.Account(ctx, r.acct)
	if err != nil {
		return nil, nil, err
	}
	if r.MayTake = cmp.Or(w.Deadline, a.RunDeadline); r.MayTake == 0 {
		return nil, nil, nil
	}
	due := store.Put(r.deadlineKey(), store.NewAttrs(store.Attr{Name: dueRun, Value: store.Bytes(r.id)}), nil)
	return []store.Op{due}, []wake.Hint{hint(r.deadline(), dueDeadline, r.acct, r.id)}, nil
}

// deadline is when a run has to have ended; zero: there is none.
func (r *run) deadline() time.Time {
	if r.MayTake == 0 {
		return time.Time{}
	}
	return r.CreatedAt.Add(r.MayTake)
}

func (r *run) deadlineKey() store.Key {
	return dueKey(r.acct, shardOf(r.id), dueSort(r.deadline(), dueDeadline, r.id))
}

// endLate fails a run whose deadline has come. What it has under way is not sent again.
func (e *Engine) endLate(ctx context.Context, acct, id string) error {
	r, err := e.readRun(ctx, acct, id)
	if err != nil || r == nil || r.MayTake == 0 {
		return err
	}
	if r.state == runRunning && r.deadline().After(e.now()) {
		e.wake(ctx, hint(r.deadline(), dueDeadline, acct, id))
		return nil
	}
	if r.state == runRunning {
		if _, err := e.endStuck(ctx, r, nil, fmt.Sprintf("run exceeded its deadline of %s", days(r.MayTake)), nil); err != nil {
			return err
		}
	}
	return e.drop(ctx, r.deadlineKey())
}

// overdueRun reports whether a due entry's deadline still means anything to its run.
func (e *Engine) overdueRun(ctx context.Context, acct, id string, key store.Key) (bool, error) {
	r, err := e.readRun(ctx, acct, id)
	return r != nil && r.state == runRunning && r.deadlineKey() == key, err
}
