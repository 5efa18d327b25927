package qstash

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// RetryNow makes the next attempt of a waiting message at once: the retry that is due later, or the first
// attempt of a message with a delay. The count of retries goes on. Queues and flow control keys let
// the message run when it is its turn all the same. Of a message that is due already, nothing changes. A message that
// is being delivered is refused.
func (e *Engine) RetryNow(ctx context.Context, acct, id string) error {
	return e.contend(ctx, func(ctx context.Context) error {
		m, err := e.readMessage(ctx, acct, id)
		switch {
		case err != nil:
			return err
		case m == nil, m.state.finished(), m.attrs.Has(attrCancel):
			return notFound("message %s not found", id)
		case m.state == stateActive:
			return invalid("message %s is being delivered", id)
		}
		return e.advanceMessage(ctx, m)
	}, "retrying message %s now", id)
}

// advanceMessage makes a waiting message due now.
func (e *Engine) advanceMessage(ctx context.Context, m *message) error {
	now := e.now()
	if m.at.After(now) {
		edits := []store.Edit{store.Set(attrAt, store.Int(now.UnixMilli()))}
		ops := []store.Op{}
		if m.due != "" { // what is in a queue is found there
			next := dueSort(now, dueMessage, m.id)
			edits = append(edits, store.Set(attrDue, store.Bytes(next)))
			ops = append(ops, store.Delete(m.dueKey(), nil), store.Put(dueKey(m.acct, shardOf(m.id), next), m.rec.dueAttrs(), nil))
		}
		// Whoever claims, cancels or moves the message meanwhile changes one of these.
		cond := store.And{store.Eq(attrState, store.Int(int64(stateWaiting))), store.Eq(attrAt, m.attrs.Get(attrAt)),
			store.Same(attrDue, m.attrs.Get(attrDue)), store.Same(attrWait, m.attrs.Get(attrWait))}
		if err := e.store.Commit(ctx, append([]store.Op{store.Update(m.key(), cond, edits...)}, ops...)); err != nil {
			return err
		}
	}
	e.wake(ctx, m.hint(now))
	return nil
}

// RetryRunNow is RetryNow for the messages of a workflow run that have failed and wait for a retry, and
// returns how many there were. Steps that sleep, and waits for events, go on as they are.
func (e *Engine) RetryRunNow(ctx context.Context, acct, id string) (int, error) {
	r, err := e.readRun(ctx, acct, id)
	if err != nil {
		return 0, err
	}
	if r == nil || r.state != runRunning {
		return 0, notFound("workflow run %s not found", id)
	}
	open, err := e.openMessages(ctx, r)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, m := range open {
		if m.state != stateWaiting || m.retried == 0 || m.attrs.Has(attrCancel) || !m.at.After(e.now()) {
			continue
		}
		switch err := e.advanceMessage(ctx, m); {
		case err == nil:
			n++
		case store.Contended(err): // it is being delivered, or cancelled
		default:
			return n, fmt.Errorf("retrying workflow run %s now: %w", id, err)
		}
	}
	return n, nil
}

// openMessages reads the messages of a run that have not finished. Of entries, those of the last streamPage are looked at.
func (e *Engine) openMessages(ctx context.Context, r *run) ([]*message, error) {
	links, err := e.links(ctx, r.acct, r.id)
	if err != nil {
		return nil, err
	}
	var keys []store.Key
	for _, l := range links {
		if l.kind == linkMessage && !l.over {
			keys = append(keys, messageKey(r.acct, l.name))
		}
	}
	page, err := e.store.Query(ctx, store.Query{Partition: runPartition(r.acct, r.id), From: "s", To: entriesEnd, Reverse: true, Limit: streamPage})
	if err != nil {
		return nil, fmt.Errorf("reading the steps of workflow run %s: %w", r.id, err)
	}
	for _, it := range page.Items {
		if !it.Attrs.Has(entryVoid) {
			keys = append(keys, messageKey(r.acct, it.Attrs.Get(attrMessage).Str()))
		}
	}
	var open []*message
	seen := map[string]bool{}
	for len(keys) > 0 {
		items, err := e.store.GetMany(ctx, keys, false)
		if err != nil {
			return nil, fmt.Errorf("reading the messages of workflow run %s: %w", r.id, err)
		}
		var answers []store.Key // of third parties
		for i, attrs := range items {
			m, err := parseFound(r.acct, keys[i].Sort, attrs)
			switch {
			case err != nil:
				return nil, err
			case m == nil, seen[m.id]:
			case !m.state.finished():
				open = append(open, m)
			case m.attrs.Has(attrAnswer):
				answers = append(answers, messageKey(r.acct, m.attrs.Get(attrAnswer).Str()))
			}
			if m != nil {
				seen[m.id] = true
			}
		}
		keys = answers
	}
	return open, nil
}
