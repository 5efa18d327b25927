package qstash

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// A claim is a lease. It ends leaseMargin after the attempt's timeout, and before that when it has not
// been renewed for leaseTime: the engine that holds it renews it every renewEvery while it waits for the
// answer. So an attempt whose process has died is made again after two minutes, not after up to
// two hours, and one that is over within half a minute costs no renewal.
//
// Whoever has claimed a message begins to send within prepareTime, or claims it again before. Whoever
// cannot renew a lease ends the request while the lease still lasts. So two engines never send at the same
// time, unless their clocks differ by seconds. What is left of a lease is for recording the
// answer, which may take up to recordTime if nobody looks earlier.
const (
	leaseMargin = 5 * time.Second
	leaseTime   = 2 * time.Minute
	renewEvery  = leaseTime / 4
	prepareTime = 2 * time.Second
	recordTime  = 15 * time.Second
)

// errLeaseLost says that an attempt was given up because its lease could not be renewed.
var errLeaseLost = errors.New("the lease was lost")

// leaseEnd is when an active message's lease ends. Messages that an earlier build has claimed have the timeout's only.
func (e *Engine) leaseEnd(m *message) time.Time {
	end := m.claimedAt().Add(m.rec.timeout(&e.limits) + leaseMargin)
	if at := m.attrs.Get(attrLease); !e.alone && m.attrs.Has(attrLease) && at.Num() < end.UnixMilli() {
		return time.UnixMilli(at.Num())
	}
	return end
}

// lapsed reports whether an active message's lease no longer holds.
func (e *Engine) lapsed(m *message, now time.Time) bool {
	return e.alone && m.attrs.Get(attrOwner).Str() != e.owner || !now.Before(e.leaseEnd(m))
}

// leaseEdits are those of a claim.
func leaseEdits(owner string, now time.Time, lease time.Duration) []store.Edit {
	return []store.Edit{
		store.Set(attrOwner, store.Bytes(owner)),
		store.Set(attrClaimed, store.Int(now.UnixMilli())),
		store.Set(attrLease, store.Int(now.Add(lease).UnixMilli())),
	}
}

// withLease is what leaseEdits make of a message's attributes.
func withLease(attrs store.Attrs, owner string, now time.Time, lease time.Duration) store.Attrs {
	return attrs.With(attrOwner, store.Bytes(owner)).
		With(attrClaimed, store.Int(now.UnixMilli())).
		With(attrLease, store.Int(now.Add(lease).UnixMilli()))
}

// holds is the condition that this engine has the claim of a message as it was read.
func (e *Engine) holds(m *message) store.And {
	return store.And{
		store.Eq(attrState, store.Int(int64(stateActive))),
		store.Eq(attrOwner, store.Bytes(e.owner)),
		store.Eq(attrClaimed, m.attrs.Get(attrClaimed)),
	}
}

// hold renews the lease of a message while its attempt goes on. The context that it returns ends if
// that fails for too long. release ends the renewals, and reports whether the lease was lost.
func (e *Engine) hold(ctx context.Context, m *message) (held context.Context, release func() (lost bool)) {
	if e.alone || m.rec.timeout(&e.limits)+leaseMargin <= leaseTime {
		return ctx, func() bool { return false }
	}
	held, cancel := context.WithCancel(ctx)
	var renewals sync.WaitGroup
	lost := false
	renewals.Go(func() {
		if lost = e.renew(held, m); lost {
			cancel()
		}
	})
	return held, func() bool {
		cancel()
		renewals.Wait()
		return lost
	}
}

// renew renews a lease until ctx ends, or the lease is lost.
func (e *Engine) renew(ctx context.Context, m *message) (lost bool) {
	end := e.leaseEnd(m)
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		next := e.now().Add(leaseTime)
		call, cancel := context.WithTimeout(ctx, recordTime)
		_, err := e.store.Apply(call, store.Update(m.key(), e.holds(m), store.Set(attrLease, store.Int(next.UnixMilli()))))
		cancel()
		_, unmet := unmetCondition(err)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			end = next
		case unmet || !e.now().Add(renewEvery).Before(end):
			e.log.WarnContext(ctx, "an attempt is given up, since its lease could not be renewed", "message", m.id, "error", err)
			return true
		}
	}
}

// giveBack ends the lease of a message when the process that was started for its attempt is being stopped
// before there is an answer. The attempt is made again at once. If that fails, the
// lease ends by itself, as after a crash.
func (e *Engine) giveBack(ctx context.Context, m *message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseMargin)
	defer cancel()
	// In the past, also for whoever's clock is slow.
	_, err := e.store.Apply(ctx, store.Update(m.key(), e.holds(m), store.Set(attrLease, store.Int(e.now().Add(-leaseMargin).UnixMilli()))))
	if _, unmet := unmetCondition(err); unmet {
		return // somebody else has it by now
	}
	if err != nil {
		e.log.WarnContext(ctx, "an attempt that was stopped is made again when its lease ends", "message", m.id, "error", err)
		return
	}
	e.wake(ctx, hint(e.now(), hintKind(m.attrs.Has(attrHold)), m.acct, m.id))
}
