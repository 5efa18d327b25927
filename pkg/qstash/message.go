package qstash

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// record is what does not change about a message.
type record struct {
	Options                // NotBefore is when the message was first due; Delay is not used
	URL          string    `json:"u"`
	Topic        string    `json:"tn,omitempty"`
	Endpoint     string    `json:"en,omitempty"`
	ScheduleID   string    `json:"si,omitempty"`
	CreatedAt    time.Time `json:"ca"`
	BodySize     int       `json:"bs,omitempty"`
	Chunks       int       `json:"bc,omitempty"` // 0: the body is in the item
	Packed       bool      `json:"bz,omitempty"` // the body is compressed with zstd
	QueueGen     string    `json:"qg,omitempty"`
	QueuePlace   int64     `json:"qp,omitempty"`
	Parent       string    `json:"pa,omitempty"` // message whose place in a queue this callback holds
	CallbackOf   string    `json:"co,omitempty"` // message that this callback tells of
	FailureOfDLQ string    `json:"fd,omitempty"` // dead letter that this failure callback tells of
}

func (r *record) maxRetries() int {
	if r.Retries != nil {
		return *r.Retries
	}
	return DefaultRetries
}

func (r *record) method() string {
	if r.Method == "" {
		return "POST"
	}
	return r.Method
}

// timeout is the time that an attempt gets.
func (r *record) timeout(l *Limits) time.Duration {
	if r.Timeout > 0 {
		return min(r.Timeout, l.MaxTimeout)
	}
	return l.Timeout
}

// host is the destination's host and port as the URL has them, in lower case.
func (r *record) host() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// state of a message.
type state int64

const (
	stateWaiting state = iota + 1
	stateActive
	stateDelivered
	stateFailed
	stateCancelled
)

func (s state) finished() bool { return s >= stateDelivered }

// attrHost is the destination's host, of entries that name a message: of the due index and of
// waitlists. It is there for those who wake messages without reading them, see wake.Hint.
const attrHost = "h"

// Attributes of a message's item, besides attrJSON, which holds the record.
const (
	attrBody      = "b" // if it is short
	attrState     = "a"
	attrAt        = "t" // ms: when it is due
	attrDue       = "d" // sort key of its due entry, unless it is in a queue
	attrRetried   = "n" // retries made
	attrHold      = "h" // present: time alone does not make it due
	attrOwner     = "o" // engine that has claimed it
	attrClaimed   = "u" // ms: when
	attrLease     = "r" // ms: when its lease ends if nobody renews it
	attrEvents    = "e"
	attrCancel    = "c" // present: to be cancelled after the attempt under way; cancelRetries or cancelAll
	attrCallbacks = "k" // callbacks that are not finished, of a message with a place in a queue
	attrSlot      = "f" // present: it counts as one of its flow control key's attempts under way
	attrWait      = "w" // sort key of its entry in the key's waitlist
	attrDLQ       = "l" // id of its dead letter
	attrFinished  = "z" // ms
	attrStep      = "y" // number of the workflow run's entry that it delivers
	attrFetch     = "g" // present: its body was too large, and its workflow run's workflow is to fetch it
	attrAnswer    = "q" // of a request to a third party: the message that tells its workflow run of the answer
)

// message is a message as it was read.
type message struct {
	acct    string
	id      string
	rec     record
	state   state
	at      time.Time
	due     string // sort key of its due entry, "" if it is in a queue
	retried int
	attrs   store.Attrs

	troubled bool // the account had hosts in trouble when the attempt began
	probe    bool // the attempt decides about its host's breaker
	crowded  bool // other processes were at its flow control key when it was claimed
	timing   timing
}

func parseMessage(acct, id string, attrs store.Attrs) (*message, error) {
	m := &message{
		acct: acct, id: id, attrs: attrs,
		state:   state(attrs.Get(attrState).Num()),
		at:      time.UnixMilli(attrs.Get(attrAt).Num()),
		due:     attrs.Get(attrDue).Str(),
		retried: int(attrs.Get(attrRetried).Num()),
	}
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), &m.rec); err != nil {
		return nil, fmt.Errorf("reading message %s: %w", id, err)
	}
	return m, nil
}

func (m *message) key() store.Key { return messageKey(m.acct, m.id) }

// dueAttrs are the attributes of a due entry or of an entry in a waitlist.
func (r *record) dueAttrs(more ...store.Attr) store.Attrs {
	if host := r.host(); host != "" {
		more = append(more, store.Attr{Name: attrHost, Value: store.Bytes(host)})
	}
	if r.Workflow != nil {
		more = append(more, store.Attr{Name: dueRun, Value: store.Bytes(r.Workflow.RunID)})
	}
	return store.NewAttrs(more...)
}

func (m *message) dueKey() store.Key { return dueKey(m.acct, shardOf(m.id), m.due) }

// hint is a wake-up for a message.
func (m *message) hint(at time.Time) wake.Hint {
	return messageHint(at, m.attrs.Has(attrHold), m.acct, m.id, m.rec.host())
}

// messageHint is a wake-up for a message that goes to a host, "" if that is not known.
func messageHint(at time.Time, held bool, acct, id, host string) wake.Hint {
	h := hint(at, hintKind(held), acct, id)
	h.Host = host
	return h
}

func hintKind(held bool) byte {
	if held {
		return dueHeld
	}
	return dueMessage
}

// claimedAt is when an active message was claimed.
func (m *message) claimedAt() time.Time { return time.UnixMilli(m.attrs.Get(attrClaimed).Num()) }

// readMessage reads a message, nil if there is none.
func (e *Engine) readMessage(ctx context.Context, acct, id string) (*message, error) {
	if id == "" || len(id) > store.MaxSortKey {
		return nil, nil
	}
	attrs, err := e.store.Get(ctx, messageKey(acct, id))
	if err != nil {
		return nil, fmt.Errorf("reading message %s: %w", id, err)
	}
	if attrs == nil {
		return nil, nil
	}
	return parseMessage(acct, id, attrs)
}

// Bodies up to inlineBody bytes are in the message's item: each of its updates pays
// for the item's whole size. Longer ones are cut into chunks.
const (
	inlineBody = 1 << 10
	chunkSize  = 350 << 10
)

// maxBodyBytes bounds what a compressed body stands for. It is more than any limit of a message or an answer.
const maxBodyBytes = 256 << 20

// body reads a message's body.
func (e *Engine) body(ctx context.Context, m *message) ([]byte, error) {
	body := []byte(m.attrs.Get(attrBody).Str())
	if m.rec.Chunks > 0 {
		var err error
		if body, err = e.readChunks(ctx, m.acct, m.id, m.rec.Chunks, m.rec.BodySize); err != nil {
			return nil, err
		}
	}
	if !m.rec.Packed {
		return body, nil
	}
	body, err := e.codec.Decode(make([]byte, 0, m.rec.BodySize), body)
	if err != nil {
		return nil, fmt.Errorf("reading the body of %s: %w", m.id, err)
	}
	return body, nil
}

// pack compresses a body that is too long for its message's item, if that is worth it: a
// store bills each KiB.
func (e *Engine) pack(body []byte) ([]byte, bool) {
	if len(body) <= inlineBody {
		return body, false
	}
	packed := e.codec.Append(nil, body)
	if len(packed) > len(body)*7/8 {
		return body, false
	}
	return packed, true
}

func (e *Engine) readChunks(ctx context.Context, acct, id string, n, size int) ([]byte, error) {
	keys := make([]store.Key, n)
	for i := range keys {
		keys[i] = chunkKey(acct, id, i)
	}
	items, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading the body of %s: %w", id, err)
	}
	body := make([]byte, 0, size)
	for i, it := range items {
		if it == nil {
			return nil, fmt.Errorf("reading the body of %s: chunk %d of %d is missing", id, i, n)
		}
		body = append(body, it.Get(attrBody).Str()...)
	}
	return body, nil
}

// chunks are the items of a long body; expires is when they may go.
func chunks(acct, id string, body []byte, expires time.Time) []store.Item {
	if len(body) <= inlineBody {
		return nil
	}
	var items []store.Item
	for i := 0; i*chunkSize < len(body); i++ {
		piece := body[i*chunkSize : min(len(body), (i+1)*chunkSize)]
		items = append(items, store.Item{Key: chunkKey(acct, id, i), Attrs: store.NewAttrs(
			store.Attr{Name: attrBody, Value: store.Bytes(string(piece))},
			store.Attr{Name: store.TTLAttr, Value: store.Int(expires.Unix())})})
	}
	return items
}

// event is a change of a message's state, as it is kept.
type event struct {
	At     int64  `json:"t"` // ms
	State  string `json:"s"`
	Next   int64  `json:"n,omitempty"` // ms: the next attempt, of EventRetry and the EventError before it
	Error  string `json:"x,omitempty"`
	Status int    `json:"c,omitempty"`
	Header Header `json:"h,omitempty"`
	Body   []byte `json:"b,omitempty"`

	// Of EventDelivered, EventError, and EventCancelled with a Status; see Attempt.
	Lag  int64 `json:"l,omitempty"` // ms
	Took int64 `json:"d,omitempty"` // ms
}

// States of events.
const (
	EventCreated         = "CREATED"
	EventActive          = "ACTIVE"
	EventRetry           = "RETRY"
	EventError           = "ERROR"
	EventDelivered       = "DELIVERED"
	EventFailed          = "FAILED"
	EventCancelRequested = "CANCEL_REQUESTED"
	EventCancelled       = "CANCELED"
)

// Limits of what events keep of answers: each update pays for all of the item.
const (
	maxEventBody   = 1 << 10
	maxEventHeader = 2 << 10
	maxEventsSize  = 128 << 10 // of an item, from which on attempts are no longer noted
	maxEventsEver  = 300 << 10 // from which on nothing is
)

// attempt reports whether the event ends an attempt.
func (ev *event) attempt() bool {
	return ev.State == EventDelivered || ev.State == EventError || ev.State == EventCancelled && ev.Status != 0
}

func (ev event) encode() string {
	text, err := json.Marshal(ev)
	if err != nil {
		panic(fmt.Sprintf("qstash: encode an event: %v", err)) // strings and numbers always can be
	}
	return string(text)
}

// addEvents is the edit that adds events to a message, whose item is large already or not.
func addEvents(size int, events ...event) []store.Edit {
	if size > maxEventsSize {
		events = events[len(events)-1:]
		if s := events[0].State; s == EventRetry || s == EventActive {
			return nil
		}
		events[0].Body, events[0].Header = nil, nil
	}
	if size > maxEventsEver {
		return nil
	}
	texts := make([]string, len(events))
	for i, ev := range events {
		texts[i] = ev.encode()
	}
	return []store.Edit{store.Append(attrEvents, texts)}
}

// clip cuts an answer down to what events keep.
func (ev event) clip() event {
	if len(ev.Body) > maxEventBody {
		ev.Body = ev.Body[:maxEventBody]
	}
	ev.Header = clipHeader(ev.Header, maxEventHeader)
	return ev
}

// clipHeader leaves out the fields that would make a header longer than limit.
func clipHeader(h Header, limit int) Header {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size <= limit {
		return h
	}
	out, size := Header{}, 0
	for name, values := range h {
		n := 0
		for _, v := range values {
			n += len(name) + len(v)
		}
		if size+n <= limit {
			out[name] = values
			size += n
		}
	}
	return out
}
