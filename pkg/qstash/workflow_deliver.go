package qstash

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// maxRunBody is how many bytes of steps are sent to a destination that could fetch them.
const maxRunBody = 4 << 20

// RunStep is an entry of a run, as the workflow gets it.
type RunStep struct {
	MessageID string `json:"messageId"`
	Body      []byte `json:"body"`
	CallType  string `json:"callType"`
}

// runStepsUpTo reads the entries of a run whose numbers are less than n.
func (e *Engine) runStepsUpTo(ctx context.Context, acct, id string, n int) ([]RunStep, error) {
	steps, _, err := e.readSteps(ctx, acct, id, n)
	return steps, err
}

// stepsBefore is runStepsUpTo for a delivery: no entry can come before the n-th any more, since
// numbers that have none yet become void. So of two entries, whichever has the greater number is
// delivered with both. Branches that run beside each other rely on that.
func (e *Engine) stepsBefore(ctx context.Context, acct, id string, n int) (steps []RunStep, err error) {
	err = e.contend(ctx, func(ctx context.Context) error {
		var missing []int
		if steps, missing, err = e.readSteps(ctx, acct, id, n); err != nil {
			return err
		}
		expires := store.Int(e.now().Add(e.runTTL()).Unix())
		for _, i := range missing {
			_, err := e.store.Apply(ctx, store.Put(stepKey(acct, id, i), store.NewAttrs(
				store.Attr{Name: attrMessage, Value: store.Bytes(voidMessage)},
				store.Attr{Name: entryVoid, Value: store.Int(1)},
				store.Attr{Name: store.TTLAttr, Value: expires}), store.Absent(attrMessage)))
			if err != nil {
				return err // of contention: the entry has come, and is to be read
			}
		}
		return nil
	}, "reading the steps of workflow run %s", id)
	return steps, err
}

// readSteps reads the entries whose numbers are less than n, and which numbers have none.
func (e *Engine) readSteps(ctx context.Context, acct, id string, n int) (steps []RunStep, missing []int, err error) {
	steps = []RunStep{}
	next := 0
	err = e.each(ctx, store.Query{Partition: runPartition(acct, id), From: "s", To: stepKey(acct, id, n).Sort}, func(it store.Item) (bool, error) {
		for number := int(binary.BigEndian.Uint32([]byte(it.Key.Sort[1:]))); next < number; next++ {
			missing = append(missing, next)
		}
		next++
		if it.Attrs.Has(entryVoid) {
			return true, nil
		}
		s := RunStep{MessageID: it.Attrs.Get(attrMessage).Str(), Body: []byte(it.Attrs.Get(attrBody).Str()), CallType: it.Attrs.Get(stepCallType).Str()}
		if k := it.Attrs.Get(stepChunks).Num(); k > 0 {
			var err error
			if s.Body, err = e.readChunks(ctx, acct, s.MessageID+"/step", int(k), int(it.Attrs.Get(stepSize).Num())); err != nil {
				return false, err
			}
		}
		steps = append(steps, s)
		return true, nil
	})
	for ; next < n; next++ {
		missing = append(missing, next)
	}
	return steps, missing, err
}

// workflowDelivery completes the request of a message of a run: a step's body is all
// entries up to its own.
func (e *Engine) workflowDelivery(ctx context.Context, m *message, h Header, body []byte) ([]byte, error) {
	w := m.rec.Workflow
	if w.CallType == CallTo {
		return body, nil // third parties are not told
	}
	delete(h, headerRunCreated) // it is the run's, not what the publisher has forwarded
	h[headerRunID] = []string{w.RunID}
	h[headerRunURL] = []string{w.URL}
	h[headerRunInit] = []string{"false"}
	if !w.CreatedAt.IsZero() {
		h[headerRunCreated] = []string{strconv.FormatInt(w.CreatedAt.UnixMilli(), 10)}
	}
	if len(m.rec.Labels) > 0 {
		h[headerLabel] = []string{strings.Join(m.rec.Labels, ",")}
	}
	if w.UnknownSDK {
		h[headerUnknownSDK] = []string{"true"}
	}
	if w.step() {
		steps, err := e.stepsBefore(ctx, m.acct, w.RunID, int(m.attrs.Get(attrStep).Num())+1)
		if err != nil {
			return nil, err
		}
		if body, err = json.Marshal(steps); err != nil {
			return nil, fmt.Errorf("writing the steps of workflow run %s: %w", w.RunID, err)
		}
	}
	fetched, err := e.fetched(ctx, m, len(body))
	if fetched || err != nil {
		return nil, err
	}
	return body, nil
}

// mayFetch reports whether the destination says that it can fetch the body of a delivery by itself, with
// RunSteps, and has not been asked to. The SDKs read a failure from the body in any case.
func (m *message) mayFetch() bool {
	w := m.rec.Workflow
	return w != nil && w.LazyFetch && w.CallType != CallFailure && w.CallType != CallTo && !m.attrs.Has(attrFetch)
}

// fetched reports whether a workflow is to fetch the body of a delivery by itself. Long lists of
// entries are sent to none that can, as many platforms do not take them. The answer to a call is sent as it
// is, however long: @upstash/workflow 1.3 cannot fetch it, though it says so. A destination that has
// answered 413 is not sent the body again.
func (e *Engine) fetched(ctx context.Context, m *message, size int) (bool, error) {
	if m.attrs.Has(attrFetch) {
		return true, nil
	}
	if w := m.rec.Workflow; !m.mayFetch() || !w.step() || size <= maxRunBody {
		return false, nil
	}
	r, err := e.readRun(ctx, m.acct, m.rec.Workflow.RunID)
	return err == nil && (r == nil || !r.whole()), err
}

// RunSteps are all entries of a run that goes on.
func (e *Engine) RunSteps(ctx context.Context, acct, id string) ([]RunStep, error) {
	r, err := e.readRun(ctx, acct, id)
	if err != nil {
		return nil, err
	}
	if r == nil || r.state != runRunning {
		return nil, notFound("workflow run %s not found", id)
	}
	steps, err := e.runStepsUpTo(ctx, acct, id, r.steps)
	if err != nil {
		return nil, err
	}
	answers, err := e.longAnswers(ctx, r)
	return append(steps, answers...), err
}

// longAnswers are the answers of third parties that the workflow is to fetch, see fetched. It finds them
// by the id of the message that tells of them.
func (e *Engine) longAnswers(ctx context.Context, r *run) (list []RunStep, err error) {
	links, err := e.links(ctx, r.acct, r.id)
	if err != nil {
		return nil, err
	}
	msgs, err := e.runMessages(ctx, r, nil, links)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		m := msgs[l.name]
		if m == nil {
			continue
		}
		answer := msgs[m.attrs.Get(attrAnswer).Str()]
		if answer == nil || answer.state.finished() || !answer.attrs.Has(attrFetch) {
			continue
		}
		body, err := e.body(ctx, answer)
		if err != nil {
			return nil, err
		}
		list = append(list, RunStep{MessageID: answer.id, Body: body, CallType: CallFrom})
	}
	return list, nil
}
