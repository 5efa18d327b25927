package qstash

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Workflow is what a message has to do with a workflow run.
type Workflow struct {
	RunID     string    `json:"r"`
	URL       string    `json:"u,omitempty"`
	CallType  string    `json:"t,omitempty"` // one of those below; "": CallStep
	CreatedAt time.Time `json:"c,omitzero"`  // of the run

	Init       bool     `json:"-"`           // starts the run
	BySDK      bool     `json:"-"`           // starts it in answer to UnknownSDK
	UnknownSDK bool     `json:"k,omitempty"` // asks the workflow's SDK to start the run in its own way
	LazyFetch  bool     `json:"z,omitempty"` // the destination can fetch steps by itself
	Detect     Detect   `json:"d,omitempty"` // of a run's first delivery
	Invoker    *Invoker `json:"-"`           // of a run that another one has started

	Deadline time.Duration `json:"-"` // of a run that begins: how long it may take; 0: as its account says
}

// Detect says which field of an answer shows that the destination is a workflow. Without it, a 2xx answer to
// a run's first delivery fails the run at once.
type Detect uint8

const (
	DetectNothing Detect = iota
	DetectVersion        // Upstash-Workflow-Sdk-Version: the run was started by an SDK
	DetectSDK            // Upstash-Workflow-Sdk: it was started without one, which SDKs allow from 1.0 on
)

// detects are the fields, and the errors if they are missing, in the words that clients know.
var detects = map[Detect]struct{ header, text string }{
	DetectVersion: {headerSDKVersion, "detected a non-workflow destination for trigger/invoke. make sure you are sending the request to the correct endpoint"},
	DetectSDK:     {headerSDK, "trigger rest api is only usable with sdk versions after v1.0.0 major version"},
}

// misses says why a 2xx answer does not come from a workflow; "": it does, or nobody wants to know.
func (w *Workflow) misses(answer Header) string {
	if w == nil {
		return ""
	}
	if d, ok := detects[w.Detect]; ok && answer.Get(d.header) == "" {
		return d.text
	}
	return ""
}

// check refuses what can name no run.
func (w *Workflow) check() error {
	if w.RunID == "" || len(w.RunID) > maxRunID {
		return invalid("workflow run id must have 1 to %d bytes", maxRunID)
	}
	return nil
}

// continues reports whether a message continues a run that there must be: one of its own, or the one
// that invokes another.
func (w *Workflow) continues() bool { return w != nil && (!w.Init || w.Invoker != nil) }

// step reports whether the message is an entry of its run, or becomes one when it is due.
func (w *Workflow) step() bool { return cmp.Or(w.CallType, CallStep) == CallStep }

// Kinds of messages of a run.
const (
	CallStep    = "step"         // calls the workflow with all steps so far, the last its own
	CallTo      = "toCallback"   // a request to a third party
	CallFrom    = "fromCallback" // tells the workflow of such a request's answer
	CallFailure = "failureCall"  // tells of the run's failure
)

// Invoker is the run that waits for another one to end.
type Invoker struct {
	RunID   string          `json:"r"`
	URL     string          `json:"u"`
	Created int64           `json:"c,omitempty"` // ms: of the run
	Options Options         `json:"o"`           // of the delivery to the invoker
	Step    json.RawMessage `json:"s"`           // the step that waits
	Body    []byte          `json:"-"`           // the started run's payload
}

// Header fields of workflows.
const (
	headerRunID      = "Upstash-Workflow-Runid"
	headerRunURL     = "Upstash-Workflow-Url"
	headerRunInit    = "Upstash-Workflow-Init"
	headerRunCreated = "Upstash-Workflow-Createdat"
	headerUnknownSDK = "Upstash-Workflow-Unknown-Sdk"
	headerSDKVersion = "Upstash-Workflow-Sdk-Version"
	headerSDK        = "Upstash-Workflow-Sdk" // of answers
)

// ErrRunEnded refuses what belongs to a workflow run that has ended, or never was.
var ErrRunEnded = &Error{KindInvalid, "can not append to a cancelled workflow: the run has ended or does not exist"}

// run is a workflow run as it is stored.
type run struct {
	URL       string        `json:"u"`
	CreatedAt time.Time     `json:"c"`
	Config    Options       `json:"o"` // of every delivery, unless a step has its own
	CallerIP  string        `json:"ip,omitempty"`
	Invoker   *Invoker      `json:"i,omitempty"`
	FirstID   string        `json:"m"`            // the message that started it
	Linked    bool          `json:"lk,omitempty"` // what it waits for is linked; false: it was started before there were links
	MayTake   time.Duration `json:"mt,omitempty"` // from CreatedAt on; 0: it has no deadline

	acct, id string
	state    runState
	steps    int
	attrs    store.Attrs
}

// whole reports whether the run's workflow needs all entries in the body of each delivery.
func (r *run) whole() bool { return r.attrs.Has(runWhole) }

type runState int64

const (
	runRunning runState = iota + 1
	runSucceeded
	runFailed
	runCancelled
)

// Attributes of a run's item, besides attrJSON, attrState, attrFinished and attrDLQ.
const (
	runSteps    = "n" // entries
	runResponse = "b" // what it ended with, if that is short
	runReason   = "x" // why it was failed, if that is not in the log of its last message
	runNotices  = "o" // notifications that have been kept for it
	runWhole    = "w" // present: its workflow's SDK cannot fetch entries, whatever it says of itself
)

// Attributes of a run's item whose result is long.
const (
	runResponseChunks = "bc"
	runResponseSize   = "bs"
)

// Attributes of an entry's item, besides attrMessage and attrBody.
const (
	stepCallType = "c"
	stepChunks   = "k" // of a long body
	stepSize     = "z"
)

const (
	maxRunID       = 512
	maxRunBody     = 4 << 20  // bytes of steps that are sent to a destination that could fetch them
	maxStepInline  = 32 << 10 // bytes of a step in its item: each delivery reads all of them
	maxRunSteps    = 10_000
	maxRunResponse = 64 << 10 // bytes of a result in the run's item
)

func runPartition(acct, id string) string { return part("r", acct, id) }

func runKey(acct, id string) store.Key {
	return store.Key{Partition: runPartition(acct, id), Sort: "r"}
}

func stepKey(acct, id string, n int) store.Key {
	return store.Key{Partition: runPartition(acct, id), Sort: "s" + string(binary.BigEndian.AppendUint32(nil, uint32(n)))}
}

func runIndexKey(acct string, created time.Time, id string) store.Key {
	return store.Key{Partition: part("R", acct), Sort: timeKey(created) + id}
}

// readRun reads a run, nil if there is none.
func (e *Engine) readRun(ctx context.Context, acct, id string) (*run, error) {
	if id == "" || len(id) > maxRunID {
		return nil, nil
	}
	attrs, err := e.store.Get(ctx, runKey(acct, id))
	if err != nil {
		return nil, fmt.Errorf("reading workflow run %s: %w", id, err)
	}
	if attrs == nil {
		return nil, nil
	}
	return parseRun(acct, id, attrs)
}

func parseRun(acct, id string, attrs store.Attrs) (*run, error) {
	r := &run{acct: acct, id: id, attrs: attrs, state: runState(attrs.Get(attrState).Num()), steps: int(attrs.Get(runSteps).Num())}
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), r); err != nil {
		return nil, fmt.Errorf("reading workflow run %s: %w", id, err)
	}
	return r, nil
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

// configure fills in what a step leaves to its run.
func (r *run) configure(rec *record) {
	rec.Workflow.URL, rec.Workflow.CreatedAt = cmp.Or(rec.Workflow.URL, r.URL), r.CreatedAt
	c := &r.Config
	if rec.Retries == nil {
		rec.Retries = c.Retries
	}
	if rec.RetryDelay == "" {
		rec.RetryDelay = c.RetryDelay
	}
	if rec.Flow == nil {
		rec.Flow = c.Flow
	}
	if rec.FailureCallback == nil {
		rec.FailureCallback = c.FailureCallback
	}
	if rec.Timeout == 0 {
		rec.Timeout = c.Timeout
	}
	if rec.Redact == nil {
		rec.Redact = c.Redact
	}
	if len(rec.Labels) == 0 {
		rec.Labels = c.Labels
	}
	header := Header{}
	for name, values := range c.Header {
		// Its absence is how an answer of a third party is told from a step.
		if name != headerSDKVersion || rec.Workflow.CallType != CallFrom {
			header[name] = values
		}
	}
	for name, values := range rec.Header {
		header[name] = values
	}
	rec.Header = header
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
		_, err := e.cancel(ctx, m.acct, m.id)
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
			_, err := e.cancel(ctx, m.acct, m.id)
			return err
		}
		if err != nil {
			return err
		}
		n := store.Int(int64(r.steps))
		err = e.store.Commit(ctx, []store.Op{step.numbered(r, r.steps), store.Update(m.key(), store.And{
			store.Eq(attrState, store.Int(int64(stateWaiting))), store.Absent(attrStep)}, store.Set(attrStep, n))})
		if ce, unmet := unmetCondition(err); unmet && ce.Index > 0 {
			return nil // somebody else has the message
		}
		if err == nil {
			m.attrs, admitted = m.attrs.With(attrStep, n), true
		}
		return err
	}, "adding a step to workflow run %s", w.RunID)
	return admitted, err
}

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
