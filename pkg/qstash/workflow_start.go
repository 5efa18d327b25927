package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// startRun creates a run with its first message. A run with the id of an earlier one is
// a duplicate.
func (e *Engine) startRun(ctx context.Context, d *draft) (Published, error) {
	own := *d.rec.Workflow
	w := &own
	d.rec.Workflow, d.hold = w, true
	w.CreatedAt, w.URL = d.rec.CreatedAt, cmp.Or(w.URL, d.rec.URL)
	if w.BySDK {
		if old, err := e.readRun(ctx, d.acct, w.RunID); err != nil || old != nil {
			if err != nil {
				return Published{}, err
			}
			return e.restartBySDK(ctx, d, old)
		}
	}
	r := &run{URL: w.URL, CreatedAt: w.CreatedAt, Config: d.rec.Options, CallerIP: d.rec.CallerIP, Invoker: w.Invoker, FirstID: d.id, Linked: true, acct: d.acct, id: w.RunID}
	deadline, hints, err := e.setDeadline(ctx, r, w)
	if err != nil {
		return Published{}, err
	}
	r.Config.NotBefore, r.Config.Workflow, r.Config.Trail = time.Time{}, nil, Trail{}
	if w.Invoker != nil {
		d.body = w.Invoker.Body
	}
	text, err := json.Marshal(r)
	if err != nil {
		return Published{}, fmt.Errorf("starting a workflow run: %w", err)
	}
	cond := store.Absent(attrState)
	ops := []store.Op{
		store.Put(runKey(d.acct, w.RunID), store.NewAttrs(
			store.Attr{Name: attrJSON, Value: store.Bytes(string(text))},
			store.Attr{Name: attrState, Value: store.Int(int64(runRunning))},
			store.Attr{Name: runSteps, Value: store.Int(int64(max(1, len(d.resumed))))},
			store.Attr{Name: store.TTLAttr, Value: store.Int(d.rec.NotBefore.Add(e.runTTL()).Unix())}), cond),
		store.Put(runIndexKey(d.acct, w.CreatedAt, w.RunID), store.NewAttrs(
			store.Attr{Name: store.TTLAttr, Value: store.Int(d.rec.NotBefore.Add(e.runTTL()).Unix())}), nil),
	}
	ops = append(ops, deadline...)
	if by := w.Invoker; by != nil {
		facts, err := json.Marshal(runLink{URL: r.URL, Step: by.Step, CreatedAt: w.CreatedAt})
		if err != nil {
			return Published{}, fmt.Errorf("starting workflow run %s: %w", w.RunID, err)
		}
		ops = append(ops, linkOp(d.acct, by.RunID, invokedLink(w.RunID), facts, d.rec.CreatedAt, d.rec.NotBefore.Add(e.runTTL())))
	}
	entries := d.resumed
	if len(entries) == 0 {
		entries = []RunStep{{Body: d.body, CallType: CallStep}}
	}
	last := len(entries) - 1
	for i, s := range entries[:last] { // nobody sees them before the run is there
		op, err := e.stepOp(ctx, d.acct, w.RunID, i, s.MessageID, s.CallType, s.Body)
		if err != nil {
			return Published{}, err
		}
		if err := e.store.Load(ctx, []store.Item{{Key: op.Key, Attrs: op.Attrs}}, nil); err != nil {
			return Published{}, fmt.Errorf("starting workflow run %s: %w", w.RunID, err)
		}
	}
	step, err := e.stepOp(ctx, d.acct, w.RunID, last, d.id, entries[last].CallType, entries[last].Body)
	if err != nil {
		return Published{}, err
	}
	d.extra = append(d.extra, store.Attr{Name: attrStep, Value: store.Int(int64(last))})
	d.body = nil // it is in the step
	if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
		return Published{}, err
	}
	due, msg, _, err := d.items(e)
	if err != nil {
		return Published{}, err
	}
	ops = append(append(ops, puts(due)...), step.Op, store.Put(msg.Key, msg.Attrs, nil))
	if ops, err = e.resumeOps(ctx, d, r, last+1, ops); err != nil {
		return Published{}, err
	}
	err = e.store.Commit(ctx, ops)
	if ce, unmet := unmetCondition(err); unmet {
		if ce.Index > 0 {
			return Published{}, errTaken
		}
		old, err := parseRun(d.acct, w.RunID, ce.Old)
		if err != nil {
			return Published{}, err
		}
		return old.published(old.FirstID, true), nil
	}
	if err != nil {
		return Published{}, fmt.Errorf("starting workflow run %s: %w", w.RunID, err)
	}
	e.wake(ctx, append(hints, d.hint())...)
	for _, also := range d.woken {
		e.wake(ctx, also.hint())
	}
	if len(d.also) > 0 {
		if err := e.continueRun(ctx, d.also); err != nil {
			return Published{}, err
		}
	}
	return r.published(d.id, false), nil
}

// published is how the start of a run is answered.
func (r *run) published(messageID string, duplicate bool) Published {
	return Published{MessageID: messageID, URL: r.URL, Deduplicated: duplicate, RunCreatedAt: r.CreatedAt}
}

// restartBySDK delivers the payload of a run once more, now that its workflow's SDK has been asked to start
// the run, see Workflow.UnknownSDK. The SDK's request says what the SDK can do. All else is as it was when the
// run was triggered.
func (e *Engine) restartBySDK(ctx context.Context, d *draft, r *run) (Published, error) {
	if r.state != runRunning || r.steps > 1 {
		return r.published(r.FirstID, true), nil
	}
	w := d.rec.Workflow
	o := r.Config
	o.Workflow, o.NotBefore, o.Trail, o.CallerIP = w, d.rec.NotBefore, d.rec.Trail, r.CallerIP
	o.Header = maps.Clone(r.Config.Header)
	if o.Header == nil {
		o.Header = Header{}
	}
	o.Header[headerSDKVersion] = []string{sdkVersion}
	d.rec.Options, w.URL, w.CreatedAt = o, r.URL, r.CreatedAt
	d.id, d.body = derivedID(messagePrefix, r.CreatedAt, "sdk", r.id), nil
	d.extra = append(d.extra, store.Attr{Name: attrStep, Value: store.Int(0)})
	if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
		return Published{}, err
	}
	due, msg, _, err := d.items(e)
	if err != nil {
		return Published{}, err
	}
	ops := append(puts(due), linkOp(d.acct, r.id, messageLink(d.id), nil, d.rec.CreatedAt, d.expires(&e.limits)), store.Put(msg.Key, msg.Attrs, store.Absent(attrState)))
	err = e.store.Commit(ctx, ops)
	if _, unmet := unmetCondition(err); unmet {
		return r.published(d.id, true), nil
	}
	if err != nil {
		return Published{}, fmt.Errorf("starting workflow run %s by its SDK: %w", r.id, err)
	}
	e.wake(ctx, d.hint())
	return r.published(d.id, false), nil
}

// sdkVersion is the version of the protocol between the server and the SDKs of workflows.
const sdkVersion = "1"
