package qstash

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// WaitRequest makes a workflow run wait for an event.
type WaitRequest struct {
	RunID          string
	URL            string
	Timeout        time.Duration
	TimeoutURL     string // "": URL
	Step           json.RawMessage
	Options        Options // of the delivery that tells of the event
	TimeoutOptions Options // of the one that tells that there was none
}

// waiter is a run that waits, as it is stored.
type waiter struct {
	RunID          string          `json:"r"`
	URL            string          `json:"u"`
	TimeoutURL     string          `json:"tu"`
	Deadline       time.Time       `json:"d"`
	Step           json.RawMessage `json:"s"`
	Options        Options         `json:"o"`
	TimeoutOptions Options         `json:"to"`

	key store.Key
}

// Waiter is a run that waits for an event, as clients see it.
type Waiter struct {
	URL            string `json:"url"`
	Deadline       int64  `json:"deadline"` // Unix seconds
	Headers        Header `json:"headers,omitempty"`
	TimeoutURL     string `json:"timeoutUrl,omitempty"`
	TimeoutHeaders Header `json:"timeoutHeaders,omitempty"`
	RunID          string `json:"workflowRunId,omitempty"`
}

// Notified is what a notification has done for one waiter.
type Notified struct {
	Waiter       Waiter `json:"waiter"`
	MessageID    string `json:"messageId"`
	RunID        string `json:"workflowRunId,omitempty"`
	RunCreatedAt int64  `json:"workflowCreatedAt,omitempty"` // ms
}

// maxEvent bounds the id of an event, in bytes, as it is part of keys.
const maxEvent = 512

// maxEventData bounds what comes along with a notification.
const maxEventData = 256 << 10

// An event's partition holds its waiters and, of notifications for one run only, those
// that nobody has waited for yet.
const (
	waiterSort = "w"
	noticeSort = "n"
)

func eventPartition(acct, event string) string { return part("v", acct, event) }

// waiterHint names a waiter in due entries.
func waiterHint(id, event string) string { return id + "/" + event }

func checkEvent(event string) error {
	if event == "" || len(event) > maxEvent {
		return invalid("event id must have 1 to %d bytes", maxEvent)
	}
	return nil
}

// Wait makes a run wait for an event, and returns at once. A step waits once, however often its
// workflow asks for that: a delivery that is repeated asks again. The errors are those of refuseRun.
func (e *Engine) Wait(ctx context.Context, acct, event string, req WaitRequest) error {
	return refuseRun(e.wait(ctx, acct, event, req))
}

func (e *Engine) wait(ctx context.Context, acct, event string, req WaitRequest) error {
	if err := checkEvent(event); err != nil {
		return err
	}
	if req.Timeout <= 0 {
		return invalid("timeout must be positive")
	}
	if req.Timeout > e.limits.MaxDelay {
		return quota("timeout exceeded the limit: maximum %s, requested %s", days(e.limits.MaxDelay), days(req.Timeout))
	}
	for _, o := range []*Options{&req.Options, &req.TimeoutOptions} {
		if err := o.check(&e.limits, e.now()); err != nil {
			return err
		}
	}
	for _, u := range []string{req.URL, req.TimeoutURL} {
		if err := checkURL(u); err != nil {
			return invalid("invalid url: %v", err)
		}
	}
	if err := e.checkRunning(ctx, acct, req.RunID); err != nil {
		return err
	}
	now := e.now()
	w := &waiter{RunID: req.RunID, URL: req.URL, TimeoutURL: req.TimeoutURL, Deadline: now.Add(req.Timeout),
		Step: req.Step, Options: req.Options, TimeoutOptions: req.TimeoutOptions}
	id := e.newID("")
	w.key = store.Key{Partition: eventPartition(acct, event), Sort: waiterSort + id}
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("storing a waiter: %w", err)
	}
	facts, err := json.Marshal(waitLink{Event: event, Step: req.Step, Timeout: req.Timeout, At: now, WaiterID: id})
	if err != nil {
		return fmt.Errorf("storing a waiter: %w", err)
	}
	once := linkOp(acct, req.RunID, waiterLink(cmp.Or(stepID(req.Step), id)), facts, now, w.Deadline.Add(e.runTTL()))
	once.If = store.Absent(attrJSON)
	due := dueSort(w.Deadline, dueWaiter, waiterHint(id, event))
	err = e.store.Commit(ctx, []store.Op{
		once,
		store.Put(w.key, store.NewAttrs(store.Attr{Name: attrJSON, Value: store.Bytes(string(text))}), nil),
		store.Put(dueKey(acct, shardOf(id), due), store.NewAttrs(store.Attr{Name: dueRun, Value: store.Bytes(req.RunID)}), nil),
	})
	if ce, unmet := unmetCondition(err); unmet {
		return e.waitAgain(ctx, acct, event, ce.Old)
	}
	if err != nil {
		return fmt.Errorf("storing a waiter: %w", err)
	}
	e.wake(ctx, hint(w.Deadline, dueWaiter, acct, waiterHint(id, event)))
	return e.takeNotice(ctx, acct, event, w)
}

// waitAgain is Wait for a step that waits already, or has waited; old is its link. The earlier call may
// have ended before it could look for notifications.
func (e *Engine) waitAgain(ctx context.Context, acct, event string, old store.Attrs) error {
	var facts waitLink
	if err := json.Unmarshal([]byte(old.Get(attrJSON).Str()), &facts); err != nil {
		return fmt.Errorf("reading a waiter: %w", err)
	}
	if facts.Event != event {
		return nil
	}
	w, err := e.readWaiter(ctx, acct, event, facts.WaiterID)
	if err != nil || w == nil {
		return err
	}
	return e.takeNotice(ctx, acct, event, w)
}

// hasWaiter reports whether a waiter still waits, by its name in due entries.
func (e *Engine) hasWaiter(ctx context.Context, acct, name string) (bool, error) {
	id, event, _ := strings.Cut(name, "/")
	w, err := e.readWaiter(ctx, acct, event, id)
	return w != nil, err
}

// readWaiter reads a waiter, nil if there is none any more.
func (e *Engine) readWaiter(ctx context.Context, acct, event, id string) (*waiter, error) {
	key := store.Key{Partition: eventPartition(acct, event), Sort: waiterSort + id}
	attrs, err := e.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("reading a waiter: %w", err)
	}
	if attrs == nil {
		return nil, nil
	}
	return parseWaiter(key, attrs)
}

// takeNotice gives a waiter what its run was notified of before.
func (e *Engine) takeNotice(ctx context.Context, acct, event string, w *waiter) error {
	prefix := noticeSort + w.RunID + "\x00"
	return e.each(ctx, store.Query{Partition: eventPartition(acct, event), From: prefix, To: store.PrefixEnd(prefix)}, func(it store.Item) (bool, error) {
		_, err := e.fire(ctx, acct, event, w, []byte(it.Attrs.Get(attrBody).Str()), store.Delete(it.Key, store.Exists(attrBody)))
		if errors.Is(err, errTaken) {
			return true, nil
		}
		return false, err
	})
}

// Notify tells all runs that wait for an event, or only the run named. A run that is named and does
// not wait yet is told as soon as it waits.
func (e *Engine) Notify(ctx context.Context, acct, event, runID string, data []byte) ([]Notified, error) {
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	if len(data) > maxEventData {
		return nil, &Error{KindTooLarge, fmt.Sprintf("event data exceeds the limit of %d bytes", maxEventData)}
	}
	if runID != "" {
		r, err := e.readRun(ctx, acct, runID)
		if err != nil {
			return nil, err
		}
		if r == nil || r.state != runRunning {
			return nil, notFound("workflow run %s not found", runID)
		}
	}
	waiters, err := e.readWaiters(ctx, acct, event)
	if err != nil {
		return nil, err
	}
	list := []Notified{}
	for _, w := range waiters {
		if runID != "" && w.RunID != runID {
			continue
		}
		n, err := e.fire(ctx, acct, event, w, data)
		switch {
		case errors.Is(err, errTaken), errors.Is(err, ErrRunEnded):
		case err != nil:
			return nil, err
		default:
			list = append(list, n)
			if runID != "" {
				return list, nil
			}
		}
	}
	if runID == "" || len(list) > 0 {
		return list, nil
	}
	place, err := e.noticePlace(ctx, acct, runID)
	if err != nil {
		return nil, err
	}
	notice := store.Key{Partition: eventPartition(acct, event), Sort: noticeSort + runID + "\x00" + place}
	_, err = e.store.Apply(ctx, store.Put(notice, store.NewAttrs(
		store.Attr{Name: attrBody, Value: store.Bytes(string(data))},
		store.Attr{Name: store.TTLAttr, Value: store.Int(e.now().Add(maxWait).Unix())}), nil))
	if err != nil {
		return nil, fmt.Errorf("storing a notification: %w", err)
	}
	// A waiter that has come in between has not seen it.
	if waiters, err = e.readWaiters(ctx, acct, event); err != nil {
		return nil, err
	}
	for _, w := range waiters {
		if w.RunID != runID {
			continue
		}
		if n, err := e.fire(ctx, acct, event, w, data, store.Delete(notice, store.Exists(attrBody))); err == nil {
			return append(list, n), nil
		} else if !errors.Is(err, errTaken) {
			return nil, err
		}
	}
	return list, nil
}

// noticePlace counts a notification that a run is to get later: it gets them in the order of their places.
func (e *Engine) noticePlace(ctx context.Context, acct, runID string) (string, error) {
	old, err := e.store.Apply(ctx, store.Update(runKey(acct, runID), store.Eq(attrState, store.Int(int64(runRunning))), store.Add(runNotices, runNotices, 1)))
	if _, unmet := unmetCondition(err); unmet {
		return "", notFound("workflow run %s not found", runID)
	}
	if err != nil {
		return "", fmt.Errorf("storing a notification: %w", err)
	}
	return string(binary.BigEndian.AppendUint64(nil, uint64(old.Get(runNotices).Num()))), nil
}

func (e *Engine) readWaiters(ctx context.Context, acct, event string) ([]*waiter, error) {
	var list []*waiter
	err := e.each(ctx, store.Query{Partition: eventPartition(acct, event), From: waiterSort}, func(it store.Item) (bool, error) {
		w, err := parseWaiter(it.Key, it.Attrs)
		list = append(list, w)
		return true, err
	})
	return list, err
}

func parseWaiter(key store.Key, attrs store.Attrs) (*waiter, error) {
	w := &waiter{key: key}
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), w); err != nil {
		return nil, fmt.Errorf("reading a waiter: %w", err)
	}
	return w, nil
}

// fire ends a wait with an event: exactly one of all that try does.
func (e *Engine) fire(ctx context.Context, acct, event string, w *waiter, data []byte, further ...store.Op) (Notified, error) {
	step, err := completed(w.Step, stepOut, base64.StdEncoding.EncodeToString(data))
	if err != nil {
		return Notified{}, err
	}
	return e.endWait(ctx, acct, event, w, w.URL, w.Options, step, further...)
}

func (e *Engine) endWait(ctx context.Context, acct, event string, w *waiter, url string, o Options, step []byte, further ...store.Op) (Notified, error) {
	id := strings.TrimPrefix(w.key.Sort, waiterSort)
	due := dueKey(acct, shardOf(id), dueSort(w.Deadline, dueWaiter, waiterHint(id, event)))
	gone := []store.Op{store.Delete(w.key, store.Exists(attrJSON)), store.Delete(due, nil)}
	d := e.stepDraft(acct, w.RunID, url, o)
	err := e.appendStep(ctx, d, step, append(gone, further...)...)
	if errors.Is(err, ErrRunEnded) {
		if err := e.store.Load(ctx, nil, []store.Key{w.key, due}); err != nil {
			return Notified{}, fmt.Errorf("removing a waiter: %w", err)
		}
	}
	if err != nil {
		return Notified{}, err
	}
	return Notified{Waiter: w.view(), MessageID: d.id, RunID: w.RunID, RunCreatedAt: d.rec.Workflow.CreatedAt.UnixMilli()}, nil
}

// expire ends a wait whose time is over.
func (e *Engine) expire(ctx context.Context, acct, name string) error {
	id, event, _ := strings.Cut(name, "/")
	w, err := e.readWaiter(ctx, acct, event, id)
	if err != nil || w == nil {
		return err
	}
	if w.Deadline.After(e.now()) {
		e.wake(ctx, hint(w.Deadline, dueWaiter, acct, name))
		return nil
	}
	step, err := completed(w.Step, stepWaitTimeout, true)
	if err != nil {
		return err
	}
	_, err = e.endWait(ctx, acct, event, w, w.TimeoutURL, w.TimeoutOptions, step)
	if errors.Is(err, errTaken) || errors.Is(err, ErrRunEnded) {
		return nil
	}
	return err
}

func (w *waiter) view() Waiter {
	return Waiter{URL: w.URL, Deadline: w.Deadline.Unix(), Headers: w.Options.Redact.header(w.Options.Header),
		TimeoutURL: w.TimeoutURL, TimeoutHeaders: w.TimeoutOptions.Redact.header(w.TimeoutOptions.Header), RunID: w.RunID}
}

// Waiters lists the runs that wait for an event.
func (e *Engine) Waiters(ctx context.Context, acct, event string) ([]Waiter, error) {
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	waiters, err := e.readWaiters(ctx, acct, event)
	list := []Waiter{}
	for _, w := range waiters {
		list = append(list, w.view())
	}
	return list, err
}
