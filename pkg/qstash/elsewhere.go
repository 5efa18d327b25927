package qstash

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Starter starts processes that make attempts which take longer than this process may run.
type Starter interface {
	// Start has a process begin within StartTime, with an engine of the given Config.Owner that calls
	// Engine.Attempt(key). An error says that there will be none.
	Start(ctx context.Context, key, owner string) error
}

// Elsewhere says which attempts are made by other processes.
type Elsewhere struct {
	Starter Starter
	Beyond  time.Duration // attempts whose timeout is longer are made elsewhere
}

const (
	// StartTime is how long a process that was started may take to begin. After that the attempt is another's.
	StartTime = 5 * time.Minute

	// startAgain is when the next process is started after one could not be.
	startAgain = 30 * time.Second
)

// tooLong reports whether the attempt of a message is to be made elsewhere.
func (e *Engine) tooLong(m *message) bool {
	return e.elsewhere.Starter != nil && m.rec.timeout(&e.limits) > e.elsewhere.Beyond
}

// handOver passes a claimed message on to a process that is started for it. The claim gets the new
// process's owner, and a lease that ends when the process should have begun: it renews the lease then. If it
// never does, the sweep finds the message as it finds any whose engine has ended. An attempt counts when it is made.
func (e *Engine) handOver(ctx context.Context, m *message) error {
	owner := e.newID("")
	now := e.now()
	_, err := e.store.Apply(ctx, store.Update(m.key(), append(e.holds(m), store.Absent(attrCancel)), leaseEdits(owner, now, StartTime)...))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		if ce.Old == nil || !ce.Old.Has(attrCancel) {
			return nil // another engine was faster
		}
		_, err := e.reclaim(ctx, m) // which cancels it
		return err
	}
	if err != nil {
		return fmt.Errorf("handing over message %s: %w", m.id, err)
	}
	failed := e.elsewhere.Starter.Start(ctx, hintKey(hintKind(m.attrs.Has(attrHold)), m.acct, m.id), owner)
	if failed == nil {
		return nil
	}
	e.log.ErrorContext(ctx, "no process could be started for a long attempt; it is tried again", "message", m.id, "error", failed)
	m.attrs = withLease(m.attrs, owner, now, StartTime)
	at := e.now().Add(startAgain)
	hints, err := e.apply(ctx, &transition{m: m, cond: store.And{
		store.Eq(attrState, store.Int(int64(stateActive))),
		store.Eq(attrOwner, store.Bytes(owner)),
		store.Absent(attrCancel),
	}, state: stateWaiting, at: at, events: []event{{At: e.now().UnixMilli(), State: EventRetry, Next: at.UnixMilli()}}})
	if _, unmet := unmetCondition(err); unmet {
		return nil // it has been started after all, or was cancelled, which the sweep sees to
	}
	if err != nil {
		return fmt.Errorf("giving back message %s: %w", m.id, err)
	}
	e.wake(ctx, hints...)
	return nil
}

// Attempt makes the attempt of a message that was handed over to this process, see Starter. Nothing is
// done if somebody else has it by now.
func (e *Engine) Attempt(ctx context.Context, key string) error {
	kind, acct, id, ok := hintParts(key)
	if !ok || kind != dueMessage && kind != dueHeld {
		return fmt.Errorf("qstash: %q is no wake-up of a message", key)
	}
	if _, err := e.Account(ctx, acct); err != nil {
		if errors.Is(err, ErrNoAccount) {
			return nil // it is being deleted
		}
		return err
	}
	// It has been decided already that the attempt is made: neither is it due, nor is its host asked for.
	return e.deliver(ctx, acct, id, true, false)
}
