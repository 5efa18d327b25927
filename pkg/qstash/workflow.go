package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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
	runReason   = "f" // why it was failed, if that is not in the log of its last message
	runNotices  = "o" // notifications that have been kept for it
	runWhole    = "w" // present: its workflow's SDK cannot fetch entries, whatever it says of itself
)

// Attributes of a run's item whose result is long.
const (
	runResponseChunks = "bc"
	runResponseSize   = "bs"
)

const (
	maxRunID       = 512
	maxRunResponse = 64 << 10 // bytes of a result in the run's item
)

func runPartition(acct, id string) string { return part("r", acct, id) }

func runKey(acct, id string) store.Key {
	return store.Key{Partition: runPartition(acct, id), Sort: "r"}
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
