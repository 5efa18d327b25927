package qstash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// FinishRun ends a run with its result. Ending a run twice is no error.
func (e *Engine) FinishRun(ctx context.Context, acct, id string, response []byte) error {
	edits, err := e.keepResponse(ctx, acct, id, response)
	if err == nil {
		_, err = e.endRun(ctx, acct, id, runSucceeded, response, edits...)
	}
	return err
}

// keepResponse stores a result that is too long for the run's item, and returns what the item says of it.
func (e *Engine) keepResponse(ctx context.Context, acct, id string, response []byte) ([]store.Edit, error) {
	if len(response) <= maxRunResponse {
		return nil, nil
	}
	long := chunks(acct, responseID(id), response, e.now().Add(max(e.limits.LogsFor, e.limits.DLQFor)))
	if err := e.store.Load(ctx, long, nil); err != nil {
		return nil, fmt.Errorf("storing the result of workflow run %s: %w", id, err)
	}
	return []store.Edit{
		store.Set(runResponseChunks, store.Int(int64(len(long)))),
		store.Set(runResponseSize, store.Int(int64(len(response)))),
	}, nil
}

// responseID names the chunks of a run's result.
func responseID(runID string) string { return runID + "/response" }

// response reads the result of a run.
func (e *Engine) response(ctx context.Context, r *run) (string, error) {
	n := int(r.attrs.Get(runResponseChunks).Num())
	if n == 0 {
		return r.attrs.Get(runResponse).Str(), nil
	}
	text, err := e.readChunks(ctx, r.acct, responseID(r.id), n, int(r.attrs.Get(runResponseSize).Num()))
	return string(text), err
}

// CancelRun cancels a run, and its messages that wait. One that is being sent is not sent again.
func (e *Engine) CancelRun(ctx context.Context, acct, id string) error {
	r, err := e.readRun(ctx, acct, id)
	if err != nil {
		return err
	}
	if r == nil {
		return notFound("workflow run %s not found", id)
	}
	_, err = e.endRun(ctx, acct, id, runCancelled, nil)
	return err
}

// endRun ends a running run. The run that invoked it, if any, is told first, so that no crash
// leaves the invoker waiting for a run that has ended.
func (e *Engine) endRun(ctx context.Context, acct, id string, state runState, response []byte, edits ...store.Edit) (bool, error) {
	r, err := e.readRun(ctx, acct, id)
	if err != nil || r == nil || r.state != runRunning {
		return false, err
	}
	if err := e.tellInvoker(ctx, r, state, response); err != nil {
		return false, err
	}
	_, err = e.store.Apply(ctx, e.endRunOp(r, state, response, edits...))
	if _, unmet := unmetCondition(err); unmet {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ending workflow run %s: %w", id, err)
	}
	if state != runSucceeded {
		e.release(ctx, r)
	}
	return true, nil
}

// endRunOp ends a run, if it goes on.
func (e *Engine) endRunOp(r *run, state runState, response []byte, edits ...store.Edit) store.Op {
	now := e.now()
	edits = append(edits,
		store.Set(attrState, store.Int(int64(state))),
		store.Set(attrFinished, store.Int(now.UnixMilli())),
		store.Set(store.TTLAttr, store.Int(now.Add(max(e.limits.LogsFor, e.limits.DLQFor)).Unix())))
	if len(response) > 0 && len(response) <= maxRunResponse {
		edits = append(edits, store.Set(runResponse, store.Bytes(string(response))))
	}
	return store.Update(runKey(r.acct, r.id), store.Eq(attrState, store.Int(int64(runRunning))), edits...)
}

// tellInvoker adds the result of a run to the run that has started it, once.
func (e *Engine) tellInvoker(ctx context.Context, r *run, state runState, response []byte) error {
	if r.Invoker == nil {
		return nil
	}
	out, err := json.Marshal(newInvokeResult(state, response))
	if err != nil {
		return fmt.Errorf("writing the result of workflow run %s: %w", r.id, err)
	}
	step, err := completed(r.Invoker.Step, stepOut, string(out))
	if err != nil {
		return err
	}
	d := e.stepDraft(r.acct, r.Invoker.RunID, r.Invoker.URL, r.Invoker.Options)
	d.id = derivedID(messagePrefix, r.CreatedAt, "invoke", r.id, r.Invoker.RunID)
	ended := store.Update(linkKey(r.acct, r.Invoker.RunID, invokedLink(r.id)), store.Absent(linkEnded),
		store.Set(linkEnded, store.Int(1)), store.Set(store.TTLAttr, store.Int(e.now().Add(maxWait).Unix())))
	err = e.appendStep(ctx, d, step, ended)
	if errors.Is(err, ErrRunEnded) { // nobody waits any more, but the invoker's log shows the end
		if _, err = e.store.Apply(ctx, ended); err != nil {
			if _, unmet := unmetCondition(err); !unmet {
				return fmt.Errorf("noting the end of workflow run %s: %w", r.id, err)
			}
		}
		return nil
	}
	if errors.Is(err, errTaken) {
		return nil // told already
	}
	return err
}

// invokeResult is what the step of an invoking run gets.
type invokeResult struct {
	Body       json.RawMessage `json:"body,omitempty"`
	IsCanceled bool            `json:"isCanceled"`
	IsFailed   bool            `json:"isFailed"`
}

func newInvokeResult(state runState, response []byte) invokeResult {
	return invokeResult{Body: returned(state, response), IsCanceled: state == runCancelled, IsFailed: state == runFailed}
}

// Fields of a step's JSON that say what it has come to.
const (
	stepOut         = "out"
	stepWaitTimeout = "waitTimeout"
)

// returned is the value that a run has returned, in JSON; nil if it has returned nothing.
func returned(state runState, response []byte) json.RawMessage {
	switch {
	case state != runSucceeded || len(response) == 0:
		return nil
	case json.Valid(response):
		return response
	}
	text, _ := json.Marshal(string(response)) // texts always can be
	return text
}

// stepDraft is a message that tells a workflow of a step that the server has added.
func (e *Engine) stepDraft(acct, runID, url string, o Options) *draft {
	o.Workflow = &Workflow{RunID: runID, URL: url, LazyFetch: true}
	o.Delay, o.NotBefore = 0, time.Time{}
	return e.newDraft(acct, &Request{Destination: url, Options: o}, "", Endpoint{URL: url})
}

// completed is the JSON of a step with what it has come to. SDKs tell a result that is empty from none.
func completed(step json.RawMessage, name string, value any) ([]byte, error) {
	fields := map[string]any{}
	if err := json.Unmarshal(step, &fields); err != nil {
		return nil, invalid("invalid step: %v", err)
	}
	fields[name] = value
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("writing a step: %w", err)
	}
	return text, nil
}
