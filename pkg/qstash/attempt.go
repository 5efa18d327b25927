package qstash

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/qstash/breaker"
	"github.com/skystash/skystash/pkg/store"
)

// Handle does what a hint's key asks for, if it is to be done. Errors are of the
// store: another call may succeed.
func (e *Engine) Handle(ctx context.Context, key string) error {
	kind, acct, id, ok := hintParts(key)
	if !ok {
		return fmt.Errorf("qstash: malformed wake-up %q", key)
	}
	troubled := false
	if kind != dueQueue && kind != dueFlow { // which only wake others
		a, err := e.Account(ctx, acct)
		switch {
		case errors.Is(err, ErrNoAccount) && kind == dueRepeat:
			return e.waker.Cease(ctx, key)
		case errors.Is(err, ErrNoAccount):
			return nil // it is being deleted
		case err != nil:
			return err
		}
		troubled = a.Trouble.After(e.now())
	}
	switch kind {
	case dueMessage, dueHeld:
		return e.deliver(ctx, acct, id, kind == dueHeld, troubled)
	case dueQueue:
		return e.pumpQueue(ctx, acct, id)
	case dueFlow:
		return e.pumpFlow(ctx, acct, id)
	case dueSchedule:
		s, err := e.readSchedule(ctx, acct, id)
		if err != nil {
			return err
		}
		return e.tick(ctx, acct, s)
	case dueRepeat:
		return e.repeated(ctx, acct, id)
	case dueWaiter:
		return e.expire(ctx, acct, id)
	case dueDeadline:
		return e.endLate(ctx, acct, id)
	}
	return fmt.Errorf("qstash: unknown wake-up %q", key)
}

// deliver makes an attempt to deliver a message, if it is due. held is the caller's guess whether
// the message is held, so that time alone does not make it due. A wrong guess costs one call more.
// troubled says that there may be hosts for which attempts are held back.
func (e *Engine) deliver(ctx context.Context, acct, id string, held, troubled bool) error {
	key := acct + "/" + id
	if !e.begin(key) {
		return nil
	}
	if e.meter != nil {
		ctx = withAttempts(ctx)
	}
	for {
		var m *message
		var d Delivery
		var err error
		verdict := breaker.Pass
		if troubled {
			verdict, err = e.holdBack(ctx, acct, id)
		}
		if err == nil && verdict != breaker.Hold {
			m, d, err = e.prepare(ctx, acct, id, held)
		}
		switch {
		case err != nil || m == nil:
		case e.tooLong(m):
			err = e.handOver(ctx, m)
		default:
			m.troubled, m.probe = troubled, verdict == breaker.Probe
			err = e.attempt(ctx, m, d)
		}
		again := e.end(key)
		// What the other wake-up was for may have come after it was looked at.
		if err != nil || m != nil || !again || !e.begin(key) {
			return err
		}
	}
}

// prepareTries is how often prepare tries, in less than half of prepareTime together.
const prepareTries = 6

// prepare claims a message, if it is due, and reads what is to be sent. What fails is tried
// again here first: if this engine has claimed the message after all, others leave it alone
// until the lease has expired.
func (e *Engine) prepare(ctx context.Context, acct, id string, held bool) (*message, Delivery, error) {
	pause := 10 * time.Millisecond
	for try := 1; ; try++ {
		m, err := e.claim(ctx, acct, id, held)
		var d Delivery
		if err == nil && m != nil {
			e.anchorClaim(ctx, m)
			if !e.tooLong(m) {
				d, err = e.delivery(ctx, m)
			}
		}
		if err == nil || try == prepareTries {
			return m, d, err
		}
		select {
		case <-ctx.Done():
			return nil, d, err
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// begin reserves a message: only one wake-up at a time may work on it in this engine. If that
// wake-up finds the message claimed by this very engine, the answer to an earlier claim was lost.
func (e *Engine) begin(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, taken := e.busy[key]
	e.busy[key] = taken
	return !taken
}

// end gives a message free, and reports whether there was another wake-up meanwhile.
func (e *Engine) end(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	again := e.busy[key]
	delete(e.busy, key)
	return again
}

// claim makes a message active, for this engine; nil if there is nothing to do. One that is
// held is read first, any other is claimed without having been read.
func (e *Engine) claim(ctx context.Context, acct, id string, held bool) (*message, error) {
	if held {
		m, err := e.readMessage(ctx, acct, id)
		if err != nil || m == nil {
			return nil, err
		}
		return e.claimKnown(ctx, m)
	}
	now := e.now()
	old, err := e.store.Apply(ctx, store.Update(messageKey(acct, id), store.And{
		store.Eq(attrState, store.Int(int64(stateWaiting))),
		store.Le(attrAt, store.Int(now.UnixMilli())),
		store.Absent(attrHold),
	}, e.claimEdits(now)...))
	if err == nil {
		return e.claimed(acct, id, old, now)
	}
	ce := (*store.ConditionError)(nil)
	if !errors.As(err, &ce) {
		return nil, fmt.Errorf("claiming message %s: %w", id, err)
	}
	if ce.Old == nil {
		return nil, nil
	}
	m, err := parseMessage(acct, id, ce.Old)
	if err != nil {
		return nil, err
	}
	return e.claimKnown(ctx, m)
}

// claimKnown goes on with a message that the plain claim did not fit, or that was read first: it
// may be finished, active, held back or not due yet.
func (e *Engine) claimKnown(ctx context.Context, m *message) (*message, error) {
	switch {
	case m.state.finished() && supervised(m):
		return nil, nil
	case m.state.finished():
		return nil, e.dropDue(ctx, m)
	case m.state == stateActive:
		return e.reclaim(ctx, m)
	case m.attrs.Has(attrHold):
		return e.claimHeld(ctx, m)
	}
	e.wake(ctx, m.hint(m.at))
	return nil, nil
}

// claimEdits make a message active.
func (e *Engine) claimEdits(now time.Time) []store.Edit {
	return append(leaseEdits(e.owner, now, leaseTime),
		store.Set(attrState, store.Int(int64(stateActive))),
		store.Append(attrEvents, []string{event{At: now.UnixMilli(), State: EventActive}.encode()}))
}

// claimed returns the message after claimEdits. old has its attributes before them.
func (e *Engine) claimed(acct, id string, old store.Attrs, now time.Time) (*message, error) {
	m, err := parseMessage(acct, id, old)
	if err != nil {
		return nil, err
	}
	m.state = stateActive
	m.attrs = withLease(m.attrs, e.owner, now, leaseTime)
	return m, nil
}

// reclaim takes over an attempt if its lease has expired, its engine has ended, or the claim is
// this engine's own. A message that is to be cancelled is cancelled instead.
func (e *Engine) reclaim(ctx context.Context, m *message) (*message, error) {
	now := e.now()
	own := m.attrs.Get(attrOwner).Str() == e.owner // the answer to the claim was lost: see begin
	if !own && !e.lapsed(m, now) {
		return nil, nil
	}
	if m.attrs.Has(attrCancel) {
		err := e.endAsCancelled(ctx, m, event{At: now.UnixMilli(), State: EventCancelled})
		if _, unmet := unmetCondition(err); unmet {
			return nil, nil // another engine was faster
		}
		return nil, err
	}
	old, err := e.store.Apply(ctx, store.Update(m.key(), store.And{
		store.Eq(attrState, store.Int(int64(stateActive))),
		store.Eq(attrClaimed, m.attrs.Get(attrClaimed)),
		store.Eq(attrOwner, m.attrs.Get(attrOwner)),
		store.Same(attrLease, m.attrs.Get(attrLease)), // it has not been renewed since
		store.Absent(attrCancel),
	}, leaseEdits(e.owner, now, leaseTime)...))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		if ce.Old.Has(attrCancel) && !m.attrs.Has(attrCancel) && ce.Old.Get(attrOwner).Equal(m.attrs.Get(attrOwner)) {
			cancelled, err := parseMessage(m.acct, m.id, ce.Old)
			if err != nil || cancelled.state != stateActive {
				return nil, err
			}
			return e.reclaim(ctx, cancelled)
		}
		return e.overtaken(ctx, m, ce)
	}
	if err != nil {
		return nil, fmt.Errorf("claiming message %s again: %w", m.id, err)
	}
	return e.claimed(m.acct, m.id, old, now)
}

// overtaken decides about a message that somebody else seems to have claimed faster. It may have been this very engine:
// the answer to an earlier claim was lost, and the claim has arrived late. Then the attempt is still to be made.
func (e *Engine) overtaken(ctx context.Context, m *message, ce *store.ConditionError) (*message, error) {
	if ce.Old == nil || ce.Old.Get(attrOwner).Str() != e.owner {
		return nil, nil // another engine was faster, or it has finished
	}
	taken, err := parseMessage(m.acct, m.id, ce.Old)
	if err != nil || taken.state != stateActive {
		return nil, err
	}
	return e.reclaim(ctx, taken)
}

// claimHeld claims a message whose turn depends on a queue or a flow control key.
func (e *Engine) claimHeld(ctx context.Context, m *message) (*message, error) {
	if m.rec.Queue != "" {
		turn, err := e.hasTurn(ctx, m)
		if err != nil || !turn {
			return nil, err
		}
	}
	if now := e.now(); m.at.After(now) {
		e.wake(ctx, m.hint(m.at))
		return nil, nil
	}
	if m.rec.Workflow != nil {
		if ok, err := e.admit(ctx, m); err != nil || !ok {
			return nil, err
		}
	}
	if m.rec.Flow != nil {
		return e.claimSlot(ctx, m)
	}
	now := e.now()
	old, err := e.store.Apply(ctx, store.Update(m.key(), store.And{
		store.Eq(attrState, store.Int(int64(stateWaiting))),
		store.Le(attrAt, store.Int(now.UnixMilli())),
	}, e.claimEdits(now)...))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		return e.overtaken(ctx, m, ce)
	}
	if err != nil {
		return nil, fmt.Errorf("claiming message %s: %w", m.id, err)
	}
	return e.claimed(m.acct, m.id, old, now)
}

// dropDue removes the due entry of a finished message.
func (e *Engine) dropDue(ctx context.Context, m *message) error {
	if m.due == "" {
		return nil
	}
	if _, err := e.store.Apply(ctx, store.Delete(m.dueKey(), nil)); err != nil {
		return fmt.Errorf("finishing message %s: %w", m.id, err)
	}
	return nil
}

// attempt sends a claimed message and records the outcome.
func (e *Engine) attempt(ctx context.Context, m *message, d Delivery) error {
	for e.now().Sub(m.claimedAt()) > prepareTime {
		again, err := e.reclaim(ctx, m)
		if again == nil {
			return err // another engine was faster
		}
		again.troubled, again.probe = m.troubled, m.probe
		m = again
	}
	ended, timed := e.watch(ctx, m, d.Timeout), e.timed(m)
	held, release := e.hold(ctx, m)
	resp, sendErr := e.sender.Send(held, d)
	lost := release()
	timed()
	ended()
	if ctx.Err() != nil && sendErr != nil {
		// This engine is being stopped: who finds the lease expired goes on.
		if e.started {
			e.giveBack(ctx, m)
		}
		return fmt.Errorf("delivering message %s: %w", m.id, ctx.Err())
	}
	if lost && sendErr != nil { // who finds the lease expired makes the attempt
		return fmt.Errorf("delivering message %s: %w", m.id, errLeaseLost)
	}
	// An outcome is recorded even if the engine has just been told to stop.
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	o, err := e.finishAttempt(rctx, m, d.Body, resp, sendErr)
	e.observe(rctx, m, sendErr)
	e.tell(m, &d, &o)
	if e.meter != nil {
		e.meterAttempt(ctx, &d, m, resp, sendErr, o.state == stateFailed)
	}
	return err
}

// delivery is the request for a message.
func (e *Engine) delivery(ctx context.Context, m *message) (Delivery, error) {
	acct, err := e.Account(ctx, m.acct)
	if err != nil {
		return Delivery{}, fmt.Errorf("delivering message %s: %w", m.id, err)
	}
	body, err := e.body(ctx, m)
	if err != nil {
		return Delivery{}, err
	}
	h := m.rec.Header.forwarded()
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(headerUserAgent, userAgent)
	set(headerMessageID, m.id)
	set(headerRetried, strconv.Itoa(m.retried))
	set(headerRegion, e.region)
	set(headerScheduleID, m.rec.ScheduleID)
	set(headerTopic, m.rec.Topic)
	set(headerCallerIP, m.rec.CallerIP)
	set(HeaderHops, m.rec.Trail.delivered().String())
	if m.rec.Workflow != nil {
		if body, err = e.workflowDelivery(ctx, m, h, body); err != nil {
			return Delivery{}, err
		}
	}
	return Delivery{
		URL:        m.rec.URL,
		Method:     m.rec.method(),
		Header:     h,
		Body:       body,
		Timeout:    m.rec.timeout(&e.limits),
		SigningKey: acct.Keys.Current,
		IssuedAt:   e.now(),
	}, nil
}
