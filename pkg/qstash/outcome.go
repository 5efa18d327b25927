package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// outcome is what an attempt has come to.
type outcome struct {
	state  state     // stateWaiting: there is a next attempt
	next   time.Time // of stateWaiting
	events []event
	dlqID  string // of stateFailed
	resp   Response
	err    error // there was no answer
	fetch  bool  // of stateWaiting: the attempt does not count; the next one lets the workflow fetch the body
}

// judge decides what an attempt has come to.
func (e *Engine) judge(m *message, resp Response, sendErr error) outcome {
	now := e.now()
	if limit, over := e.overlong(m, resp); over {
		sendErr, resp = fmt.Errorf("response body exceeds %d bytes", limit), Response{}
	}
	o := outcome{resp: resp, err: sendErr, fetch: resp.Status == statusTooLarge && m.mayFetch()}
	ev := event{At: now.UnixMilli(), Status: resp.Status, Header: resp.Header, Body: resp.Body,
		Lag: m.timing.lag.Milliseconds(), Took: m.timing.took.Milliseconds()}.clip()
	success := sendErr == nil && resp.Status >= 200 && resp.Status < 300
	missing := ""
	if success {
		missing = m.rec.Workflow.misses(resp.Header)
	}
	if success && missing == "" {
		o.state, ev.State = stateDelivered, EventDelivered
		if m.attrs.Get(attrCancel).Num() >= cancelAll {
			o.state, ev.State = stateCancelled, EventCancelled
		}
		o.events = []event{ev}
		return o
	}
	ev.State = EventError
	ev.Error = cmp.Or(missing, failureText(resp, sendErr))
	last := m.retried >= m.rec.maxRetries() || missing != "" ||
		resp.Status == StatusNonRetryable && strings.EqualFold(resp.Header.Get(HeaderNonRetryable), "true")
	switch {
	case m.attrs.Has(attrCancel):
		o.state = stateCancelled
		o.events = []event{ev, {At: now.UnixMilli(), State: EventCancelled}}
	case o.fetch:
		o.state, o.next = stateWaiting, now
		o.events = []event{ev, {At: now.UnixMilli(), State: EventRetry, Next: now.UnixMilli()}}
	case last:
		o.state = stateFailed
		o.dlqID = dlqID(now, m.id)
		o.events = []event{ev, {At: now.UnixMilli(), State: EventFailed}}
	default:
		o.state = stateWaiting
		o.next = now.Add(retryDelay(&m.rec.Options, m.retried, resp.Header, now))
		ev.Next = o.next.UnixMilli()
		o.events = []event{ev, {At: now.UnixMilli(), State: EventRetry, Next: o.next.UnixMilli()}}
	}
	return o
}

// overlong reports whether the answer to a call is longer than its workflow could submit: a
// workflow never gets half an answer.
func (e *Engine) overlong(m *message, resp Response) (limit int, over bool) {
	if w := m.rec.Workflow; w == nil || w.CallType != CallTo {
		return 0, false
	}
	if resp.Cut {
		return min(len(resp.Body), e.limits.MaxMessageBytes), true
	}
	return e.limits.MaxMessageBytes, len(resp.Body) > e.limits.MaxMessageBytes
}

// statusTooLarge is what platforms answer to bodies that they do not take.
const statusTooLarge = 413

func failureText(resp Response, sendErr error) string {
	if sendErr != nil {
		return sendErr.Error()
	}
	return statusPrefix + strconv.Itoa(resp.Status)
}

// statusPrefix begins the error of an attempt that was answered.
const statusPrefix = "response status "

// dlqID is ordered by time, and unique.
func dlqID(now time.Time, id string) string {
	h := fnv.New32a()
	h.Write([]byte(id))
	return fmt.Sprintf("%013d-%d", now.UnixMilli(), h.Sum32())
}

// finishAttempt records the outcome of an attempt, with all that follows from it. It tries
// again as long as nobody has taken over: what is not recorded is sent again.
func (e *Engine) finishAttempt(ctx context.Context, m *message, sent []byte, resp Response, sendErr error) (outcome, error) {
	var all []wake.Hint
	doubt := false // whether it has been recorded already
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		o := e.judge(m, resp, sendErr)
		hints, err := e.record(ctx, m, o, sent)
		all = append(all, hints...)
		ce := (*store.ConditionError)(nil)
		switch {
		case err == nil:
			e.follow(ctx, all)
			return o, nil
		case errors.As(err, &ce):
			if asked := ce.Old.Get(attrCancel); !asked.Equal(m.attrs.Get(attrCancel)) && ce.Old.Get(attrClaimed).Equal(m.attrs.Get(attrClaimed)) {
				m.attrs = m.attrs.With(attrCancel, asked) // it was cancelled meanwhile
				continue
			}
			if !doubt {
				e.log.WarnContext(ctx, "an attempt took longer than its lease; its outcome is not recorded", "message", m.id)
			}
			e.follow(ctx, all)
			return o, nil
		}
		doubt = doubt || errors.Is(err, store.ErrUnknownOutcome)
		select {
		case <-ctx.Done():
			return o, fmt.Errorf("recording the outcome of message %s: %w", m.id, err)
		case <-time.After(pause):
		}
	}
}

// follow does what follows from an outcome: what waits behind a queue or a flow control key
// is looked for at once, which costs less than a wake-up, and all else is woken.
func (e *Engine) follow(ctx context.Context, hints []wake.Hint) {
	var rest []wake.Hint
	for _, h := range hints {
		kind, acct, id, _ := hintParts(h.Key)
		var err error
		switch kind {
		case dueQueue:
			err = e.pumpQueue(ctx, acct, id)
		case dueFlow:
			err = e.pumpFlow(ctx, acct, id)
		default:
			rest = append(rest, h)
		}
		if err != nil {
			e.log.WarnContext(ctx, "what waits is woken later", "key", h.Key, "error", err)
			rest = append(rest, h)
		}
	}
	e.wake(ctx, rest...)
}

// record writes an outcome and returns the wake-ups that follow.
func (e *Engine) record(ctx context.Context, m *message, o outcome, sent []byte) ([]wake.Hint, error) {
	var ending *run // the run that fails with this message
	if supervised(m) && o.state == stateFailed && buried(m) {
		var err error
		if ending, err = e.readRun(ctx, m.acct, m.rec.Workflow.RunID); err != nil {
			return nil, err
		}
		if ending == nil || ending.state != runRunning {
			return e.apply(ctx, e.lateOutcome(m, o)) // nobody waits for it any more
		}
		if err := e.tellInvoker(ctx, ending, runFailed, nil); err != nil {
			return nil, err
		}
		if sent, err = e.payload(ctx, ending); err != nil {
			return nil, err
		}
	}
	callbacks, err := e.callbacks(m, o, sent)
	if err != nil {
		return nil, err
	}
	t := e.transition(m, o)
	if ending != nil { // in one transaction with its dead letter and failure callback
		t.first = append(t.first, e.endRunOp(ending, runFailed, nil, store.Set(attrDLQ, store.Bytes(o.dlqID))))
	}
	switch {
	case o.state == stateWaiting && o.fetch:
		t.edits = append(t.edits, store.Set(attrFetch, store.Int(1)))
	case o.state == stateWaiting:
		t.edits = append(t.edits, store.Add(attrRetried, attrRetried, 1))
	}
	if o.state == stateFailed && buried(m) {
		t.edits = append(t.edits, store.Set(attrDLQ, store.Bytes(o.dlqID)))
		callback := ""
		if n := len(callbacks); n > 0 && callbacks[n-1].rec.FailureOfDLQ != "" {
			callback = callbacks[n-1].id
		}
		op, err := e.deadLetterOp(m, o, callback)
		if err != nil {
			return nil, err
		}
		t.extra = append(t.extra, op)
	}
	if err := e.noteSDK(ctx, m, o); err != nil {
		return nil, err
	}
	for _, d := range callbacks {
		if w := d.rec.Workflow; w != nil && w.CallType == CallFrom {
			r, err := e.readRun(ctx, m.acct, w.RunID)
			if err != nil {
				return nil, err
			}
			if r == nil || r.state != runRunning {
				continue // nobody waits for the answer any more
			}
			r.configure(&d.rec)
		}
		ops, err := e.draftOps(ctx, d, nil)
		if err != nil {
			return nil, err
		}
		if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
			return nil, err
		}
		if w := d.rec.Workflow; w != nil && w.CallType == CallFrom {
			t.edits = append(t.edits, store.Set(attrAnswer, store.Bytes(d.id)))
		}
		t.extra = append(t.extra, ops...)
		t.hints = append(t.hints, d.hint())
		t.callbacks++
	}
	hints, err := e.apply(ctx, t)
	if err == nil && ending != nil {
		e.release(ctx, ending)
	}
	return hints, err
}

// transition is the change of a message that this engine has claimed.
func (e *Engine) transition(m *message, o outcome) *transition {
	return &transition{m: m, cond: append(e.holds(m), store.Same(attrCancel, m.attrs.Get(attrCancel))), state: o.state, at: o.next, events: o.events}
}

// lateOutcome is the transition of a message that has failed after its run has ended: neither
// callback nor dead letter follows.
func (e *Engine) lateOutcome(m *message, o outcome) *transition {
	t := e.transition(m, o)
	t.state = stateCancelled
	t.events = append(t.events[:1:1], event{At: e.now().UnixMilli(), State: EventCancelled})
	return t
}

// errRunChanged says that a run has ended, or changed, while its end was written.
var errRunChanged = errors.New("qstash: the workflow run has changed meanwhile")

// noteSDK looks at the answer to a run's first delivery. SDKs whose answers do not have headerSDK
// announce that they can fetch entries, and cannot.
func (e *Engine) noteSDK(ctx context.Context, m *message, o outcome) error {
	w := m.rec.Workflow
	if w == nil || w.Detect == DetectNothing || !w.LazyFetch || o.err != nil || o.resp.Header.Get(headerSDK) != "" {
		return nil
	}
	_, err := e.store.Apply(ctx, store.Update(runKey(m.acct, w.RunID), store.Exists(attrState), store.Set(runWhole, store.Int(1))))
	if _, unmet := unmetCondition(err); err == nil || unmet {
		return nil
	}
	return fmt.Errorf("noting the SDK of workflow run %s: %w", w.RunID, err)
}

// buried reports whether a message that has failed goes to the dead letter queue: what a
// third party answers a workflow run is the run's business, and the failure callback of a
// run is told of in the run's own dead letter.
func buried(m *message) bool {
	w := m.rec.Workflow
	return w == nil || w.CallType != CallTo && w.CallType != CallFailure
}

// transition is a change of a message's state with what goes along with it.
type transition struct {
	m         *message
	cond      store.And
	state     state
	at        time.Time // of stateWaiting
	events    []event
	edits     []store.Edit // further ones of the message
	first     []store.Op   // of other items, whose conditions may fail: errRunChanged
	extra     []store.Op   // of other items
	hints     []wake.Hint
	callbacks int // messages among extra that the message's place in a queue waits for
}

// apply makes a transition, in one update if it touches nothing but the message.
func (e *Engine) apply(ctx context.Context, t *transition) ([]wake.Hint, error) {
	m, now := t.m, e.now()
	edits := append([]store.Edit{
		store.Set(attrState, store.Int(int64(t.state))),
		store.Remove(attrOwner),
		store.Remove(attrClaimed),
		store.Remove(attrLease),
	}, t.edits...)
	edits = append(edits, addEvents(m.attrs.Size(), t.events...)...)
	ops := slices.Concat(t.first, t.extra)
	hints := slices.Clip(t.hints)

	if m.attrs.Has(attrSlot) {
		edits = append(edits, store.Remove(attrSlot))
		ops = append(ops, releaseSlotOp(m.acct, m.rec.Flow.Key))
		hints = append(hints, hint(now, dueFlow, m.acct, m.rec.Flow.Key))
	}
	if wait := m.attrs.Get(attrWait).Str(); wait != "" && t.state.finished() {
		edits = append(edits, store.Remove(attrWait))
		ops = append(ops, e.leaveWaitlistOps(m, wait)...)
	}
	inQueue, leaves := m.rec.Queue != "", false
	if inQueue && t.callbacks > 0 {
		edits = append(edits, store.Add(attrCallbacks, attrCallbacks, int64(t.callbacks)))
	}
	if t.state.finished() {
		kept := e.limits.LogsFor
		if t.state == stateFailed {
			kept = max(kept, e.limits.DLQFor)
		}
		edits = append(edits,
			store.Set(attrFinished, store.Int(now.UnixMilli())),
			store.Set(store.TTLAttr, store.Int(now.Add(kept).Unix())))
		if inQueue {
			leaves = t.callbacks == 0 && m.attrs.Get(attrCallbacks).Num() == 0
			hints = append(hints, hint(now, dueQueue, m.acct, m.rec.Queue))
		}
		if m.rec.Parent != "" {
			ops = append(ops, store.Update(messageKey(m.acct, m.rec.Parent), store.Exists(attrState), store.Add(attrCallbacks, attrCallbacks, -1)))
		}
	} else {
		edits = append(edits, store.Set(attrAt, store.Int(t.at.UnixMilli())))
		hints = append(hints, m.hint(t.at))
		if !inQueue { // what is in a queue is found there
			next := dueSort(t.at, dueMessage, m.id)
			if next != m.due {
				edits = append(edits, store.Set(attrDue, store.Bytes(next)))
				ops = append(ops, store.Delete(m.dueKey(), nil), store.Put(dueKey(m.acct, shardOf(m.id), next), m.rec.dueAttrs(), nil))
			}
		}
	}

	if len(t.events) > 0 {
		e.anchor(ctx, m, time.UnixMilli(t.events[0].At))
	}
	// One operation alone is no transaction, and costs half of one.
	err := e.commitAtFlow(ctx, m, append([]store.Op{store.Update(m.key(), t.cond, edits...)}, ops...))
	ce, unmet := unmetCondition(err)
	if unmet && ce.Index > 0 && ce.Index <= len(t.first) {
		return hints, errRunChanged
	}
	if unmet && ce.Index > 0 && m.rec.Parent != "" {
		m.rec.Parent = "" // the logs no longer have it
		return e.apply(ctx, t)
	}
	if err != nil {
		return hints, err
	}
	// Its entry in the queue only holds up others, so it need not go in one transaction with the update, which would
	// cost twice as much. The pump removes what is left.
	if leaves {
		if _, err := e.store.Apply(ctx, store.Delete(entryKey(m.acct, m.rec.Queue, m.rec.QueueGen, m.rec.QueuePlace), nil)); err != nil {
			e.log.WarnContext(ctx, "the queue entry of a finished message is left to the pump", "error", err)
		}
	}
	if t.state.finished() && !(supervised(m) && !m.at.After(now)) { // see supervised
		if err := e.dropDue(ctx, m); err != nil {
			e.log.WarnContext(ctx, "the due entry of a finished message is left to the sweep", "error", err)
		}
	}
	if t.state.finished() && m.rec.Parent != "" {
		more, err := e.leaveQueue(ctx, m.acct, m.rec.Parent)
		if err != nil {
			e.log.WarnContext(ctx, "a place in a queue is left to the sweep", "error", err)
		}
		hints = append(hints, more...)
	}
	return hints, nil
}

// leaveQueue gives up the place of a message that has finished, as have its callbacks.
func (e *Engine) leaveQueue(ctx context.Context, acct, id string) ([]wake.Hint, error) {
	m, err := e.readMessage(ctx, acct, id)
	if err != nil || m == nil || m.rec.Queue == "" {
		return nil, err
	}
	if !m.state.finished() || m.attrs.Get(attrCallbacks).Num() > 0 {
		return nil, nil
	}
	if _, err := e.store.Apply(ctx, store.Delete(entryKey(acct, m.rec.Queue, m.rec.QueueGen, m.rec.QueuePlace), nil)); err != nil {
		return nil, fmt.Errorf("leaving queue %s: %w", m.rec.Queue, err)
	}
	return []wake.Hint{hint(e.now(), dueQueue, acct, m.rec.Queue)}, nil
}

// deadLetter is what the dead letter queue knows beyond the message.
type deadLetter struct {
	MessageID string    `json:"m"`
	At        time.Time `json:"t"`
	Status    int       `json:"s,omitempty"`
	Header    Header    `json:"h,omitempty"`
	Callback  string    `json:"c,omitempty"` // id of the failure callback's message
}

// Limits of what a dead letter keeps of the last answer.
const (
	maxDeadBody   = 256 << 10
	maxDeadHeader = 32 << 10
)

// deadLetterOp stores a dead letter.
func (e *Engine) deadLetterOp(m *message, o outcome, callback string) (store.Op, error) {
	body := o.resp.Body
	if o.err != nil {
		body = []byte(o.err.Error())
	}
	text, err := json.Marshal(deadLetter{MessageID: m.id, At: e.now(), Status: o.resp.Status, Header: clipHeader(o.resp.Header, maxDeadHeader), Callback: callback})
	if err != nil {
		return store.Op{}, fmt.Errorf("storing a dead letter: %w", err)
	}
	return store.Put(dlqKey(m.acct, o.dlqID), store.NewAttrs(
		store.Attr{Name: attrJSON, Value: store.Bytes(string(text))},
		store.Attr{Name: attrBody, Value: store.Bytes(string(body[:min(len(body), maxDeadBody)]))},
		store.Attr{Name: store.TTLAttr, Value: store.Int(e.now().Add(e.limits.DLQFor).Unix())},
	), nil), nil
}
