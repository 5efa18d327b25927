package qstash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// DeadMessage is a message in the dead letter queue, with the last answer.
type DeadMessage struct {
	Message
	DLQID              string `json:"dlqId"`
	ResponseStatus     int    `json:"responseStatus,omitempty"`
	ResponseHeader     Header `json:"responseHeader,omitempty"`
	ResponseBody       string `json:"responseBody,omitempty"`
	ResponseBodyBase64 []byte `json:"responseBodyBase64,omitempty"`

	FailureCallbackInfo  *FailureCallbackInfo `json:"failureCallbackInfo,omitempty"`  // of workflow runs
	FailureFunctionState string               `json:"failureFunctionState,omitempty"` // its state
}

// FailureCallbackInfo says what became of a failure callback.
type FailureCallbackInfo struct {
	State           string `json:"state"` // CALLBACK_INPROGRESS, CALLBACK_SUCCESS, CALLBACK_FAIL or CALLBACK_CANCELED
	ResponseStatus  int    `json:"responseStatus,omitempty"`
	ResponseBody    string `json:"responseBody,omitempty"`
	ResponseHeaders Header `json:"responseHeaders,omitempty"`
}

// dead is a dead letter as it was read.
type dead struct {
	id     string
	letter deadLetter
	body   []byte
	attrs  store.Attrs
	msg    *message
}

func parseDead(it store.Item) (*dead, error) {
	d := &dead{id: it.Key.Sort, attrs: it.Attrs, body: []byte(it.Attrs.Get(attrBody).Str())}
	if err := json.Unmarshal([]byte(it.Attrs.Get(attrJSON).Str()), &d.letter); err != nil {
		return nil, fmt.Errorf("reading dead letter %s: %w", d.id, err)
	}
	return d, nil
}

// readDead reads a dead letter with its message, nil if there is none.
func (e *Engine) readDead(ctx context.Context, acct, id string) (*dead, error) {
	if id == "" || len(id) > store.MaxSortKey {
		return nil, nil
	}
	attrs, err := e.store.Get(ctx, dlqKey(acct, id))
	if err != nil {
		return nil, fmt.Errorf("reading dead letter %s: %w", id, err)
	}
	if attrs == nil {
		return nil, nil
	}
	d, err := parseDead(store.Item{Key: dlqKey(acct, id), Attrs: attrs})
	if err != nil {
		return nil, err
	}
	d.msg, err = e.readMessage(ctx, acct, d.letter.MessageID)
	if d.msg == nil {
		return nil, err
	}
	return d, err
}

// DLQQuery asks for dead letters.
type DLQQuery struct {
	Filter Filter
	Cursor string
	Count  int
	Latest bool // the latest first
}

// deadLetters calls f with the dead letters that a query selects, at most its count,
// and returns where to go on, "" if there is nothing more.
func (e *Engine) deadLetters(ctx context.Context, acct string, query DLQQuery, f func(*dead) error) (next string, err error) {
	if len(query.Filter.DLQIDs) > 0 {
		for _, id := range query.Filter.DLQIDs {
			d, err := e.readDead(ctx, acct, id)
			if err != nil {
				return "", err
			}
			if d == nil {
				continue
			}
			matches, err := e.matchesDead(ctx, &query, d)
			if err != nil {
				return "", err
			}
			if matches {
				if err := f(d); err != nil {
					return "", err
				}
			}
		}
		return "", nil
	}
	q := store.Query{Partition: part("l", acct), Reverse: query.Latest, Limit: streamPage}
	if query.Cursor != "" && query.Latest {
		q.To = query.Cursor + "\x00"
	} else {
		q.From = query.Cursor
	}
	n := 0
	for {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return "", fmt.Errorf("reading the dead letter queue: %w", err)
		}
		list, err := e.withMessages(ctx, acct, page.Items)
		if err != nil {
			return "", err
		}
		for _, d := range list {
			matches, err := e.matchesDead(ctx, &query, d)
			if err != nil {
				return "", err
			}
			if !matches {
				continue
			}
			if n == query.Count {
				return d.id, nil
			}
			n++
			if err := f(d); err != nil {
				return "", err
			}
		}
		if !page.More {
			return "", nil
		}
		q = q.Next(page)
	}
}

// withMessages reads the messages of dead letters, and leaves out those that are gone.
func (e *Engine) withMessages(ctx context.Context, acct string, items []store.Item) ([]*dead, error) {
	list := make([]*dead, 0, len(items))
	keys := make([]store.Key, 0, len(items))
	for _, it := range items {
		d, err := parseDead(it)
		if err != nil {
			return nil, err
		}
		list, keys = append(list, d), append(keys, messageKey(acct, d.letter.MessageID))
	}
	if len(keys) == 0 {
		return nil, nil
	}
	msgs, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading the messages of dead letters: %w", err)
	}
	for i, attrs := range msgs {
		if attrs == nil {
			continue
		}
		if list[i].msg, err = parseMessage(acct, list[i].letter.MessageID, attrs); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(d *dead) bool { return d.msg == nil }), nil
}

// matchesDead reports whether a query selects a dead letter.
func (e *Engine) matchesDead(ctx context.Context, q *DLQQuery, d *dead) (bool, error) {
	if !q.matches(d) || len(q.Filter.FailureState) == 0 {
		return q.matches(d), nil
	}
	m, err := e.readMessage(ctx, d.msg.acct, d.letter.Callback)
	return err == nil && m != nil && slices.Contains(q.Filter.FailureState, failureInfo(m).State), err
}

func (q *DLQQuery) matches(d *dead) bool {
	f := &q.Filter
	return (d.msg.rec.Workflow != nil) == f.Workflow &&
		anyOf(f.MessageIDs, d.msg.id) &&
		(len(f.Status) == 0 || slices.Contains(f.Status, d.letter.Status)) &&
		f.inTime(d.letter.At.UnixMilli()) && f.matchRecord(&d.msg.rec)
}

// DeadLetters lists dead letters.
func (e *Engine) DeadLetters(ctx context.Context, acct string, q DLQQuery) (list []DeadMessage, next string, err error) {
	list = []DeadMessage{}
	next, err = e.deadLetters(ctx, acct, q, func(d *dead) error {
		v, err := e.deadView(ctx, d)
		list = append(list, v)
		return err
	})
	return list, next, err
}

// DeadLetter reads one dead letter.
func (e *Engine) DeadLetter(ctx context.Context, acct, id string) (DeadMessage, error) {
	d, err := e.readDead(ctx, acct, id)
	if err != nil {
		return DeadMessage{}, err
	}
	if d == nil {
		return DeadMessage{}, notFound("message %s not found in dlq", id)
	}
	return e.deadView(ctx, d)
}

// deadBody is the body that a dead letter shows: of a workflow run, the payload.
func (e *Engine) deadBody(ctx context.Context, d *dead) ([]byte, error) {
	if w := d.msg.rec.Workflow; w != nil {
		first, err := e.runStepsUpTo(ctx, d.msg.acct, w.RunID, 1)
		if err != nil || len(first) > 0 {
			if err != nil {
				return nil, err
			}
			return first[0].Body, nil
		}
	}
	return e.body(ctx, d.msg)
}

func (e *Engine) deadView(ctx context.Context, d *dead) (DeadMessage, error) {
	body, err := e.deadBody(ctx, d)
	if err != nil {
		return DeadMessage{}, err
	}
	v := DeadMessage{Message: d.msg.view(body), DLQID: d.id, ResponseStatus: d.letter.Status, ResponseHeader: d.letter.Header}
	v.ResponseBody, v.ResponseBodyBase64 = split(d.body)
	if d.msg.rec.Workflow != nil && d.letter.Callback != "" {
		m, err := e.readMessage(ctx, d.msg.acct, d.letter.Callback)
		if err != nil {
			return v, err
		}
		if m != nil {
			v.FailureCallbackInfo = failureInfo(m)
			v.FailureFunctionState = v.FailureCallbackInfo.State
		}
	}
	return v, nil
}

// DeleteDeadLetter deletes one dead letter.
func (e *Engine) DeleteDeadLetter(ctx context.Context, acct, id string) error {
	ok, err := e.dropDead(ctx, acct, id)
	if err == nil && !ok {
		return notFound("message %s not found in dlq", id)
	}
	return err
}

func (e *Engine) dropDead(ctx context.Context, acct, id string) (bool, error) {
	if id == "" || len(id) > store.MaxSortKey {
		return false, nil
	}
	old, err := e.store.Apply(ctx, store.Delete(dlqKey(acct, id), nil))
	if err != nil {
		return false, fmt.Errorf("deleting dead letter %s: %w", id, err)
	}
	return old != nil, nil
}

// DeleteDeadLetters deletes the dead letters that a query selects.
func (e *Engine) DeleteDeadLetters(ctx context.Context, acct string, q DLQQuery) (deleted int, next string, err error) {
	next, err = e.deadLetters(ctx, acct, q, func(d *dead) error {
		ok, err := e.dropDead(ctx, acct, d.id)
		if ok {
			deleted++
		}
		return err
	})
	return deleted, next, err
}

// Override replaces options of a message that is sent again.
type Override func(*Options)

// RetryDeadLetter publishes a dead letter's message again, as a new one.
func (e *Engine) RetryDeadLetter(ctx context.Context, acct, id string, change Override) (Published, error) {
	unlock, err := e.lock(ctx, "l", acct, id)
	if err != nil {
		return Published{}, err
	}
	defer unlock()
	d, err := e.readDead(ctx, acct, id)
	if err != nil {
		return Published{}, err
	}
	if d == nil {
		return Published{}, notFound("message %s not found in dlq", id)
	}
	if d.msg.rec.Workflow != nil {
		return Published{}, invalid("a workflow run is resumed or restarted, its messages are not retried")
	}
	p, ok, err := e.retryDead(ctx, acct, d, change)
	if err == nil && !ok {
		return Published{}, notFound("message %s not found in dlq", id)
	}
	return p, err
}

// RetryDeadLetters does so with all that a query selects.
func (e *Engine) RetryDeadLetters(ctx context.Context, acct string, q DLQQuery, change Override) (list []Published, next string, err error) {
	list = []Published{}
	next, err = e.deadLetters(ctx, acct, q, func(d *dead) error {
		p, ok, err := e.retryDead(ctx, acct, d, change)
		if ok {
			list = append(list, p)
		}
		return err
	})
	return list, next, err
}

// retryDead replaces a dead letter by a new message; ok is false if somebody else has
// taken it.
func (e *Engine) retryDead(ctx context.Context, acct string, d *dead, change Override) (p Published, ok bool, err error) {
	body, err := e.body(ctx, d.msg)
	if err != nil {
		return p, false, err
	}
	req := Request{Body: body, Options: d.msg.rec.Options}
	req.Options.NotBefore = e.now()
	req.Options.Trail = Trail{} // that of who retries it, if there is one, comes with change
	if change != nil {
		change(&req.Options)
		if err := req.Options.check(&e.limits, e.now()); err != nil {
			return p, false, err
		}
	}
	nd := e.newDraft(acct, &req, d.msg.rec.Topic, Endpoint{Name: d.msg.rec.Endpoint, URL: d.msg.rec.URL})
	nd.rec.ScheduleID = d.msg.rec.ScheduleID
	if err := e.touchFlow(ctx, acct, nd.rec.Flow); err != nil {
		return p, false, err
	}
	key := dlqKey(acct, d.id)
	err = e.commitDraftWhile(ctx, nd, nil, func(ctx context.Context) error {
		attrs, err := e.store.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("reading a dead letter: %w", err)
		}
		if !attrs.Has(attrJSON) {
			return &unmetError{key, attrs}
		}
		return nil
	}, store.Delete(key, store.Exists(attrJSON)))
	if refused := (*unmetError)(nil); errors.As(err, &refused) {
		return p, false, nil
	}
	return Published{MessageID: nd.id, URL: nd.rec.URL}, err == nil, err
}
