package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// hasRun reports whether a call has a message of a workflow run.
func hasRun(reqs []Request) bool {
	return slices.ContainsFunc(reqs, func(r Request) bool { return r.Options.Workflow != nil })
}

// refuseRun is the error of a message that continues a workflow run. SDKs understand two:
// ErrRunEnded, after which the workflow ends quietly, and KindQuota, after which it fails. They take
// any other one for a passing disturbance, run the step again and are refused again.
func refuseRun(err error) error {
	refused := (*Error)(nil)
	if errors.Is(err, ErrRunEnded) || !errors.As(err, &refused) || refused.Kind == KindLoop {
		return err
	}
	return &Error{KindQuota, refused.Text}
}

// callResultFactor is how much longer the result of a call may get on its way through the workflow:
// it comes back as text in JSON, where quotes are escaped, and bytes from 0x80 on are two.
const callResultFactor = 3

// CallResultBytes is how long the result of a call may be that a workflow submits.
func (l *Limits) CallResultBytes() int { return callResultFactor*l.MaxMessageBytes + maxHeader }

// bodyBytes is how long the body of a request may be.
func (l *Limits) bodyBytes(req *Request) int {
	if len(req.Body) <= l.MaxMessageBytes || !req.Options.Workflow.continues() {
		return l.MaxMessageBytes
	}
	var step struct {
		Type string `json:"stepType"`
	}
	if json.Unmarshal(req.Body, &step) != nil || step.Type != "Call" {
		return l.MaxMessageBytes
	}
	return l.CallResultBytes()
}

// continueRuns stores those of a call's drafts that continue workflow runs. Nothing is stored if one
// of the runs has ended.
func (e *Engine) continueRuns(ctx context.Context, requests [][]*draft) error {
	byRun := map[string][]*draft{}
	var ids []string
	for _, d := range slices.Concat(requests...) {
		w := d.rec.Workflow
		if !w.continues() {
			continue
		}
		id := w.RunID
		if w.Init {
			id = w.Invoker.RunID
		}
		if _, known := byRun[id]; !known {
			ids = append(ids, id)
			byRun[id] = nil
		}
		if !w.Init {
			own := *w
			d.rec.Workflow, d.hold = &own, true
			byRun[id] = append(byRun[id], d)
		}
	}
	for _, id := range ids {
		if len(ids) == 1 && len(byRun[id]) > 0 {
			break // continueRun looks by itself
		}
		if err := e.checkRunning(ctx, requests[0][0].acct, id); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if len(byRun[id]) == 0 {
			continue
		}
		if err := e.continueRun(ctx, byRun[id]); err != nil {
			return err
		}
	}
	return nil
}

// checkRunning refuses a run that does not go on.
func (e *Engine) checkRunning(ctx context.Context, acct, id string) error {
	r, err := e.readRun(ctx, acct, id)
	if err == nil && (r == nil || r.state != runRunning) {
		err = ErrRunEnded
	}
	return err
}

// continuation is a message on its way into its run.
type continuation struct {
	*draft
	entry *stepPut // of a step that is due; nil: what is no step, or is added when it is due
}

// continueRun stores messages of one run that goes on. Their entries have numbers in the order of the
// messages. All is one commit as long as that is within the store's limits, which hold about 33 messages.
func (e *Engine) continueRun(ctx context.Context, drafts []*draft) error {
	acct, id := drafts[0].acct, drafts[0].rec.Workflow.RunID
	left, err := e.staged(ctx, drafts)
	if err != nil {
		return err
	}
	for len(left) > 0 {
		err = e.contend(ctx, func(ctx context.Context) error {
			done, err := e.commitContinuations(ctx, acct, id, left)
			if err == nil {
				left = left[done:]
			}
			return err
		}, "continuing workflow run %s", id)
		if err != nil {
			return err
		}
	}
	for _, d := range drafts {
		e.wake(ctx, d.hint())
	}
	return nil
}

// staged prepares messages of a run. What is long of them is stored.
func (e *Engine) staged(ctx context.Context, drafts []*draft) (list []continuation, err error) {
	now := e.now()
	for _, d := range drafts {
		c := continuation{draft: d}
		if w := d.rec.Workflow; w.step() && !d.rec.NotBefore.After(now) {
			entry, err := e.stepOp(ctx, d.acct, w.RunID, 0, d.id, CallStep, d.body)
			if err != nil {
				return nil, err
			}
			c.entry, d.body = &entry, nil
		} else if err := e.keepBody(ctx, d); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// maxContinuationOps is the most writes that continuationOps returns.
const maxContinuationOps = 3

// commitContinuations stores the first of some messages, as many as fit into one commit, and returns
// their number.
func (e *Engine) commitContinuations(ctx context.Context, acct, id string, list []continuation) (int, error) {
	entries := 0
	for _, c := range list {
		if c.entry != nil {
			entries++
		}
	}
	var r *run
	var err error
	if entries > 0 {
		r, err = e.nextSteps(ctx, acct, id, entries)
	} else if r, err = e.readRun(ctx, acct, id); err == nil && (r == nil || r.state != runRunning) {
		err = ErrRunEnded
	}
	if err != nil {
		return 0, err
	}
	var ops []store.Op
	size, number := 0, r.steps
	if len(list) == 1 && entries == 0 {
		return 1, e.applyLink(ctx, r, list[0])
	}
	for i, c := range list {
		more, err := e.continuationOps(ctx, r, number, c)
		if err != nil {
			return 0, err
		}
		if c.entry != nil {
			number++
		}
		for _, op := range more {
			size += op.Attrs.Size()
		}
		if i > 0 && (len(ops)+len(more) > store.MaxCommitOps || size > store.MaxCommitSize/2) {
			return i, e.commitSteps(ctx, ops)
		}
		ops = append(ops, more...)
	}
	return len(list), e.commitSteps(ctx, ops)
}

// applyLink stores one message that is no entry. Its link and its due entry are alone for a moment:
// three single writes cost half of a transaction.
func (e *Engine) applyLink(ctx context.Context, r *run, c continuation) error {
	ops, err := e.continuationOps(ctx, r, 0, c)
	for i := 0; err == nil && i < len(ops); i++ {
		_, err = e.store.Apply(ctx, ops[i])
	}
	if _, unmet := unmetCondition(err); unmet {
		return nil // the answer to an earlier attempt was lost
	}
	return err
}

// commitSteps commits messages of a run. That one of them is there already says that the answer to
// an earlier commit was lost.
func (e *Engine) commitSteps(ctx context.Context, ops []store.Op) error {
	err := e.store.Commit(ctx, ops)
	if ce, unmet := unmetCondition(err); unmet && ce.Old.Has(attrState) {
		return nil
	}
	return err
}

// continuationOps are the writes of a message, and of its entry with a number or its link.
func (e *Engine) continuationOps(ctx context.Context, r *run, number int, c continuation) ([]store.Op, error) {
	d := c.draft
	if w := d.rec.Workflow; w.step() {
		r.configure(&d.rec)
	} else {
		w.URL, w.CreatedAt = cmp.Or(w.URL, r.URL), r.CreatedAt
	}
	if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
		return nil, err
	}
	d.extra = nil
	var ops []store.Op
	if c.entry != nil {
		d.extra = []store.Attr{{Name: attrStep, Value: store.Int(int64(number))}}
		ops = append(ops, c.entry.numbered(r, number))
	} else {
		ops = append(ops, linkOp(d.acct, r.id, messageLink(d.id), nil, d.rec.CreatedAt, d.expires(&e.limits)))
	}
	due, msg, _, err := d.items(e)
	if err != nil {
		return nil, fmt.Errorf("continuing workflow run %s: %w", r.id, err)
	}
	return append(append(ops, puts(due)...), store.Put(msg.Key, msg.Attrs, store.Absent(attrState))), nil
}
