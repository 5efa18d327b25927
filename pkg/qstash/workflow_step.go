package qstash

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// Attributes of an entry's item, besides attrMessage and attrBody.
const (
	stepCallType = "c"
	stepChunks   = "k" // of a long body
	stepSize     = "z"
)

const (
	maxStepInline = 32 << 10 // bytes of a step in its item: each delivery reads all of them
	maxRunSteps   = 10_000
)

func stepKey(acct, id string, n int) store.Key {
	return store.Key{Partition: runPartition(acct, id), Sort: "s" + string(binary.BigEndian.AppendUint32(nil, uint32(n)))}
}

// stepOp stores an entry of a run; the chunks of a long body are stored at once.
func (e *Engine) stepOp(ctx context.Context, acct, runID string, n int, messageID, callType string, body []byte) (stepPut, error) {
	attrs := []store.Attr{
		{Name: attrMessage, Value: store.Bytes(messageID)},
		{Name: stepCallType, Value: store.Bytes(callType)},
		{Name: store.TTLAttr, Value: store.Int(e.now().Add(e.runTTL()).Unix())},
	}
	if len(body) <= maxStepInline {
		attrs = append(attrs, store.Attr{Name: attrBody, Value: store.Bytes(string(body))})
	} else {
		long := chunks(acct, messageID+"/step", body, e.now().Add(e.runTTL()))
		if err := e.store.Load(ctx, long, nil); err != nil {
			return stepPut{}, fmt.Errorf("storing a step of workflow run %s: %w", runID, err)
		}
		attrs = append(attrs, store.Attr{Name: stepChunks, Value: store.Int(int64(len(long)))}, store.Attr{Name: stepSize, Value: store.Int(int64(len(body)))})
	}
	return stepPut{store.Put(stepKey(acct, runID, n), store.NewAttrs(attrs...), nil)}, nil
}

// stepPut writes an entry of a run.
type stepPut struct{ store.Op }

// numbered is the write with a number that nextSteps has given, unless it is void.
func (p stepPut) numbered(r *run, n int) store.Op {
	return store.Put(stepKey(r.acct, r.id, n), p.Attrs, store.Absent(attrMessage))
}

// errTaken says that one of the further writes of appendStep has been made by somebody else.
var errTaken = errors.New("qstash: somebody else was faster")

// appendStep adds a step to a run in one transaction with its message and with further
// writes. Its number is an atomic count, see nextStep.
func (e *Engine) appendStep(ctx context.Context, d *draft, body []byte, further ...store.Op) error {
	w := d.rec.Workflow
	d.hold, d.body = true, nil
	step, err := e.stepOp(ctx, d.acct, w.RunID, 0, d.id, CallStep, body)
	if err != nil {
		return err
	}
	err = e.contend(ctx, func(ctx context.Context) error {
		r, err := e.nextStep(ctx, d.acct, w.RunID)
		if err != nil {
			return err
		}
		r.configure(&d.rec)
		if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
			return err
		}
		d.extra = []store.Attr{{Name: attrStep, Value: store.Int(int64(r.steps))}}
		due, msg, _, err := d.items(e)
		if err != nil {
			return err
		}
		ops := append([]store.Op{step.numbered(r, r.steps), store.Put(msg.Key, msg.Attrs, store.Absent(attrState))}, puts(due)...)
		err = e.store.Commit(ctx, append(ops, further...))
		if ce, unmet := unmetCondition(err); unmet && ce.Index > 0 {
			return errTaken
		} // else the number has become void, and there is another
		return err
	}, "adding a step to workflow run %s", w.RunID)
	if err == nil {
		e.wake(ctx, d.hint())
	}
	return err
}

// nextStep counts an entry of a run that goes on, and returns the run as it was before: its
// count is the number of the entry. A number whose entry does not follow, or too late, becomes
// void when a later entry is delivered: see stepsBefore.
func (e *Engine) nextStep(ctx context.Context, acct, id string) (*run, error) {
	return e.nextSteps(ctx, acct, id, 1)
}

// nextSteps is nextStep for n entries, whose numbers follow each other.
func (e *Engine) nextSteps(ctx context.Context, acct, id string, n int) (*run, error) {
	if id == "" || len(id) > maxRunID {
		return nil, ErrRunEnded
	}
	old, err := e.store.Apply(ctx, store.Update(runKey(acct, id), store.And{
		store.Eq(attrState, store.Int(int64(runRunning))), store.Le(runSteps, store.Int(int64(maxRunSteps-n))),
	}, store.Add(runSteps, runSteps, int64(n))))
	if ce, unmet := unmetCondition(err); unmet {
		if runState(ce.Old.Get(attrState).Num()) == runRunning {
			return nil, quota("maximum number of steps of a workflow run exceeded: limit %d", maxRunSteps)
		}
		return nil, ErrRunEnded
	}
	if err != nil {
		return nil, err
	}
	return parseRun(acct, id, old)
}

// admit prepares a message of a run that is due: one of a run that has ended is
// cancelled, a delayed step is added to the run. It reports whether the message may go on.
func (e *Engine) admit(ctx context.Context, m *message) (admitted bool, err error) {
	w := m.rec.Workflow
	if w.CallType == CallFailure {
		return true, nil
	}
	r, err := e.readRun(ctx, m.acct, w.RunID)
	if err != nil {
		return false, err
	}
	if r == nil || r.state != runRunning {
		_, err := e.cancel(ctx, m.acct, m.id, cancelRetries)
		return false, err
	}
	if !w.step() || m.attrs.Has(attrStep) {
		return true, nil
	}
	body, err := e.body(ctx, m)
	if err != nil {
		return false, err
	}
	step, err := e.stepOp(ctx, m.acct, w.RunID, 0, m.id, CallStep, body)
	if err != nil {
		return false, err
	}
	err = e.contend(ctx, func(ctx context.Context) error {
		r, err := e.nextStep(ctx, m.acct, w.RunID)
		if errors.Is(err, ErrRunEnded) {
			_, err := e.cancel(ctx, m.acct, m.id, cancelRetries)
			return err
		}
		if err != nil {
			return err
		}
		n := store.Int(int64(r.steps))
		err = e.store.Commit(ctx, []store.Op{step.numbered(r, r.steps), store.Update(m.key(), store.And{
			store.Eq(attrState, store.Int(int64(stateWaiting))), store.Absent(attrStep)}, store.Set(attrStep, n))})
		if ce, unmet := unmetCondition(err); unmet && ce.Index > 0 {
			// It has been admitted already, or it is no longer waiting, as the claim will find.
			m.attrs, admitted = ce.Old, ce.Old.Has(attrStep)
			return nil
		}
		if err == nil {
			m.attrs, admitted = m.attrs.With(attrStep, n), true
		}
		return err
	}, "adding a step to workflow run %s", w.RunID)
	return admitted, err
}
