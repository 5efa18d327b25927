package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// supervised reports whether a message carries a workflow run: as long as it has not finished, the
// run goes on. Its due entry outlives it. The sweep finds the entry a minute after the message has
// finished, and looks then at what else carries the run.
func supervised(m *message) bool {
	w := m.rec.Workflow
	return w != nil && w.CallType != CallFailure
}

// supervisor looks at workflow runs in the course of one sweep of an account: at each run once.
type supervisor struct {
	e    *Engine
	acct string
	seen map[string]bool // by run: settled, see quiet
}

// quiet looks at a run of which a message or a waiter has been over for sweepGrace. It ends the run
// if nothing carries it any more. The run is settled if it has ended, or if what carries it has a due
// entry of its own; otherwise the caller keeps the due entry that has led here, for the next sweep.
func (s *supervisor) quiet(ctx context.Context, runID string) (settled bool, err error) {
	if settled, ok := s.seen[runID]; ok {
		return settled, nil
	}
	r, err := s.e.readRun(ctx, s.acct, runID)
	if err != nil {
		return false, err
	}
	settled = true
	if r != nil && r.state == runRunning && r.Linked {
		if settled, err = s.e.supervise(ctx, r); err != nil {
			return false, fmt.Errorf("supervising workflow run %s: %w", runID, err)
		}
	}
	s.seen[runID] = settled
	return settled, nil
}

// entriesEnd is behind the sort keys of a run's entries.
const entriesEnd = "t"

// bearing is what carries a run, or used to.
type bearing struct {
	carried bool
	unsure  bool     // something has come, or gone, so lately that what follows may be under way
	last    *message // of the last entry; nil: it is lost
	lastID  string
	lost    string // says what should carry the run and does not exist; "": nothing
}

// StuckRun is what the log says of a run that the supervisor has ended. Alarms go by it.
const StuckRun = "a workflow run was stuck and has failed"

// supervise ends a run that nothing carries.
func (e *Engine) supervise(ctx context.Context, r *run) (settled bool, err error) {
	var b bearing
	if err := e.bear(ctx, r, &b); err != nil {
		return false, err
	}
	if b.carried || b.unsure {
		return b.carried, e.keepRun(ctx, r)
	}
	reason := cmp.Or(b.lost, b.silence())
	// No entry may have come meanwhile.
	ended, err := e.endStuck(ctx, r, b.last, reason, store.Eq(runSteps, store.Int(int64(r.steps))))
	if ended {
		e.log.ErrorContext(ctx, StuckRun, "account", r.acct, "run", r.id, "reason", reason)
	}
	return ended, err
}

// silence says why nothing follows the last entry of a run.
func (b *bearing) silence() string {
	switch {
	case b.last == nil:
		return "message " + b.lastID + " of the workflow run is lost"
	case b.last.state == stateDelivered:
		return "the endpoint answered 2xx without submitting a step"
	}
	return "message " + b.last.id + " of the workflow run was cancelled"
}

// bear looks for what carries a run: the messages of its entries, the last one first, and its links.
// A typical run has a message of its last entry, so that one page of one entry and one message are
// read. The links whose waits are over are marked, so that what they name is not read again.
func (e *Engine) bear(ctx context.Context, r *run, b *bearing) error {
	last := store.Query{Partition: runPartition(r.acct, r.id), From: "s", To: entriesEnd, Reverse: true, Limit: 1}
	rest, err := e.bearEntries(ctx, r, b, last)
	if err != nil || b.carried {
		return err
	}
	if err := e.bearLinks(ctx, r, b); err != nil || b.carried {
		return err
	}
	for more := rest; more != nil && !b.carried; {
		more.Limit = streamPage
		if more, err = e.bearEntries(ctx, r, b, *more); err != nil {
			return err
		}
	}
	return nil
}

// bearEntries looks at a page of entries, and returns the query for what is left, nil for nothing.
func (e *Engine) bearEntries(ctx context.Context, r *run, b *bearing, q store.Query) (*store.Query, error) {
	page, err := e.store.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("reading the steps of workflow run %s: %w", r.id, err)
	}
	var keys []store.Key
	for _, it := range page.Items {
		if !it.Attrs.Has(entryVoid) {
			keys = append(keys, messageKey(r.acct, it.Attrs.Get(attrMessage).Str()))
		}
	}
	if len(keys) > 0 {
		items, err := e.store.GetMany(ctx, keys, false)
		if err != nil {
			return nil, fmt.Errorf("reading the messages of workflow run %s: %w", r.id, err)
		}
		for i, attrs := range items {
			m, err := parseFound(r.acct, keys[i].Sort, attrs)
			if err != nil {
				return nil, err
			}
			if b.lastID == "" {
				b.last, b.lastID = m, keys[i].Sort
			}
			b.carried = b.carried || m != nil && e.carries(m)
		}
	}
	if !page.More {
		return nil, nil
	}
	next := q.Next(page)
	return &next, nil
}

// parseFound is parseMessage for an item that there may not be.
func parseFound(acct, id string, attrs store.Attrs) (*message, error) {
	if attrs == nil {
		return nil, nil
	}
	return parseMessage(acct, id, attrs)
}

// carries reports whether a message goes on, or has finished only just: the sweep will look at the
// run again on its account.
func (e *Engine) carries(m *message) bool {
	return !m.state.finished() || e.young(time.UnixMilli(m.attrs.Get(attrFinished).Num()))
}

// young reports whether something has happened so lately that what follows it may be under way.
func (e *Engine) young(at time.Time) bool { return at.After(e.now().Add(-sweepGrace)) }

// bearLinks looks at the links of a run.
func (e *Engine) bearLinks(ctx context.Context, r *run, b *bearing) error {
	list, err := e.links(ctx, r.acct, r.id)
	if err != nil {
		return err
	}
	for i := range list {
		l := &list[i]
		if l.over {
			continue
		}
		state, err := e.linkState(ctx, r.acct, l)
		switch {
		case err != nil:
			return fmt.Errorf("reading what workflow run %s waits for: %w", r.id, err)
		case state == waitGoesOn:
			b.carried = true
			return nil
		case e.young(l.made), state == waitOverLately:
			b.unsure = true
		case state == waitGone:
			b.lost = l.lost()
		default:
			over := store.Update(linkKey(r.acct, r.id, l.key()), store.Exists(linkMade), store.Set(linkOver, store.Int(1)))
			if _, err := e.store.Apply(ctx, over); err != nil {
				if _, unmet := unmetCondition(err); !unmet {
					return fmt.Errorf("noting what workflow run %s waits for: %w", r.id, err)
				}
			}
		}
	}
	return nil
}

// linkState says what has become of a wait.
type linkState int

const (
	waitGoesOn linkState = iota
	waitOverLately
	waitOver
	waitGone // what the link names does not exist, any more or yet
)

// lost says what is missing.
func (l *link) lost() string {
	switch l.kind {
	case linkMessage:
		return "message " + l.name + " of the workflow run is lost"
	case linkRun:
		return "the invoked workflow run " + l.name + " is lost"
	}
	return "the wait for event " + l.Wait.Event + " is lost"
}

// linkState reads what a link names.
func (e *Engine) linkState(ctx context.Context, acct string, l *link) (linkState, error) {
	switch l.kind {
	case linkMessage:
		m, err := e.readMessage(ctx, acct, l.name)
		if err != nil || m == nil {
			return waitGone, err
		}
		if answer := m.attrs.Get(attrAnswer).Str(); m.state.finished() && answer != "" {
			if m, err = e.readMessage(ctx, acct, answer); err != nil || m == nil {
				return waitOver, err // its own time in the log is over, too
			}
		}
		if e.carries(m) {
			return waitGoesOn, nil
		}
	case linkRun:
		child, err := e.readRun(ctx, acct, l.name)
		switch {
		case err != nil:
			return waitGone, err
		case l.Run.Ended:
			return waitOver, nil
		case child == nil:
			return waitGone, nil
		case child.state == runRunning:
			return waitGoesOn, nil
		case e.young(time.UnixMilli(child.attrs.Get(attrFinished).Num())):
			return waitOverLately, nil
		}
	case linkWaiter:
		w, err := e.readWaiter(ctx, acct, l.Wait.Event, l.Wait.WaiterID)
		if err != nil || w != nil {
			return waitGoesOn, err
		}
		// The event has come, and an entry tells of it.
	}
	return waitOver, nil
}

// endStuck fails a run for which no message does that, on a condition about the run (nil: none). All
// that follows is one transaction: the run, its dead letter and its failure callback. m, which
// has finished, becomes the message that has failed; nil: one is made.
func (e *Engine) endStuck(ctx context.Context, r *run, m *message, reason string, while store.Cond) (bool, error) {
	put := m == nil
	if put {
		m = e.standIn(r)
	}
	if err := e.tellInvoker(ctx, r, runFailed, nil); err != nil {
		return false, err
	}
	now := e.now()
	answer := lastAnswer(m)
	o := outcome{state: stateFailed, dlqID: dlqID(now, m.id), resp: answer, err: errors.New(reason), events: []event{
		{At: now.UnixMilli(), State: EventError, Error: reason, Status: answer.Status, Header: answer.Header, Body: answer.Body},
		{At: now.UnixMilli(), State: EventFailed}}}
	payload, err := e.payload(ctx, r)
	if err != nil {
		return false, err
	}
	if m.rec.FailureCallback == nil {
		m.rec.FailureCallback = r.Config.FailureCallback
	}
	m.rec.Callback = nil // it has been told of the attempt
	callbacks, err := e.callbacks(m, o, payload)
	if err != nil {
		return false, err
	}
	callback := ""
	var further []store.Op
	var hints []wake.Hint
	for _, d := range callbacks {
		callback = d.id
		ops, err := e.draftOps(ctx, d, nil)
		if err != nil {
			return false, err
		}
		if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
			return false, err
		}
		further, hints = append(further, ops...), append(hints, d.hint())
	}
	letter, err := e.deadLetterOp(m, o, callback)
	if err != nil {
		return false, err
	}
	own, err := e.buryOp(m, o, put)
	if err != nil {
		return false, err
	}
	e.anchor(ctx, m, now)
	end := e.endRunOp(r, runFailed, nil, store.Set(attrDLQ, store.Bytes(o.dlqID)), store.Set(runReason, store.Bytes(reason)))
	if while != nil {
		end.If = store.And{end.If, while}
	}
	err = e.store.Commit(ctx, append([]store.Op{end, own, letter}, further...))
	if _, unmet := unmetCondition(err); unmet {
		return false, nil // the run goes on after all, or has ended
	}
	if err != nil {
		return false, fmt.Errorf("ending workflow run %s: %w", r.id, err)
	}
	e.wake(ctx, hints...)
	e.release(ctx, r)
	return true, nil
}

// buryOp makes a message that has finished one that has failed, so that the dead letter queue shows
// it; with put, it is stored for that.
func (e *Engine) buryOp(m *message, o outcome, put bool) (store.Op, error) {
	now := e.now()
	edits := append([]store.Edit{
		store.Set(attrState, store.Int(int64(stateFailed))),
		store.Set(attrFinished, store.Int(now.UnixMilli())),
		store.Set(attrDLQ, store.Bytes(o.dlqID)),
		store.Set(store.TTLAttr, store.Int(now.Add(max(e.limits.LogsFor, e.limits.DLQFor)).Unix())),
	}, addEvents(m.attrs.Size(), o.events...)...)
	if !put {
		return store.Update(m.key(), store.Eq(attrState, store.Int(int64(m.state))), edits...), nil
	}
	text, err := json.Marshal(&m.rec)
	if err != nil {
		return store.Op{}, fmt.Errorf("storing message %s: %w", m.id, err)
	}
	edits = append(edits, store.Set(attrJSON, store.Bytes(string(text))), store.Set(attrAt, store.Int(now.UnixMilli())), store.Set(attrStep, m.attrs.Get(attrStep)))
	return store.Update(m.key(), store.Absent(attrState), edits...), nil
}

// standIn is the message of a dead letter for a run whose own messages are gone.
func (e *Engine) standIn(r *run) *message {
	now := e.now()
	rec := record{Options: r.Config, URL: r.URL, CreatedAt: now}
	rec.NotBefore, rec.CallerIP = now, r.CallerIP
	rec.Workflow = &Workflow{RunID: r.id, URL: r.URL, CreatedAt: r.CreatedAt}
	return &message{acct: r.acct, id: derivedID(messagePrefix, now, "stuck", r.id), rec: rec, at: now,
		attrs: store.NewAttrs(store.Attr{Name: attrStep, Value: store.Int(int64(max(0, r.steps-1)))})}
}

// lastAnswer is what the log has of a message's last attempt.
func lastAnswer(m *message) (resp Response) {
	for _, text := range m.attrs.Get(attrEvents).Elems() {
		var ev event
		if json.Unmarshal([]byte(text), &ev) == nil && ev.Status != 0 {
			resp = Response{Status: ev.Status, Header: ev.Header, Body: ev.Body}
		}
	}
	return resp
}

// release frees what a run holds that has failed or was cancelled: its waiting messages are cancelled,
// with their places behind a flow control key, and its waiters removed. What is missed here is found
// when it is due.
func (e *Engine) release(ctx context.Context, r *run) {
	if err := e.releaseAll(ctx, r); err != nil {
		e.log.WarnContext(ctx, "messages of a workflow run that has ended are cancelled later", "run", r.id, "error", err)
	}
}

func (e *Engine) releaseAll(ctx context.Context, r *run) error {
	links, err := e.links(ctx, r.acct, r.id)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.kind == linkWaiter && !l.over {
			if err := e.dropWaiter(ctx, r.acct, l.Wait.Event, l.Wait.WaiterID); err != nil {
				return err
			}
		}
	}
	open, err := e.openMessages(ctx, r)
	if err != nil {
		return err
	}
	for _, m := range open {
		if _, err := e.cancel(ctx, r.acct, m.id, cancelRetries); err != nil {
			return err
		}
	}
	return nil
}

// dropWaiter removes a waiter that nobody waits for any more.
func (e *Engine) dropWaiter(ctx context.Context, acct, event, id string) error {
	w, err := e.readWaiter(ctx, acct, event, id)
	if err != nil || w == nil {
		return err
	}
	due := dueKey(acct, shardOf(id), dueSort(w.Deadline, dueWaiter, waiterHint(id, event)))
	if err := e.store.Load(ctx, nil, []store.Key{w.key, due}); err != nil {
		return fmt.Errorf("removing a waiter: %w", err)
	}
	return nil
}

// payload is what a run was started with.
func (e *Engine) payload(ctx context.Context, r *run) ([]byte, error) {
	steps, err := e.runStepsUpTo(ctx, r.acct, r.id, 1)
	if err != nil || len(steps) == 0 {
		return nil, err
	}
	return steps[0].Body, nil
}
