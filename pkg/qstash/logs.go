package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// LogEntry is an event as clients see it. Times are in milliseconds, periods in seconds.
type LogEntry struct {
	Time                  int64    `json:"time"`
	MessageID             string   `json:"messageId"`
	State                 string   `json:"state"`
	URL                   string   `json:"url"`
	Header                Header   `json:"header,omitempty"`
	Body                  []byte   `json:"body,omitempty"`
	Error                 string   `json:"error,omitempty"`
	NextDelivery          int64    `json:"nextDeliveryTime,omitempty"`
	Topic                 string   `json:"topicName,omitempty"`
	Endpoint              string   `json:"endpointName,omitempty"`
	ScheduleID            string   `json:"scheduleId,omitempty"`
	Queue                 string   `json:"queueName,omitempty"`
	Status                int      `json:"responseStatus,omitempty"`
	Lag                   *int64   `json:"lag,omitempty"`          // ms, of an attempt that has ended: see Attempt
	EndpointTime          *int64   `json:"endpointTime,omitempty"` // ms, Attempt.Took
	ResponseBody          []byte   `json:"responseBody,omitempty"`
	ResponseHeaders       Header   `json:"responseHeaders,omitempty"`
	ResponseHeader        Header   `json:"responseHeader,omitempty"` // the same: clients differ
	Timeout               int64    `json:"timeout,omitempty"`
	Method                string   `json:"method"`
	Callback              string   `json:"callback,omitempty"`
	CallbackHeader        Header   `json:"callbackHeaders,omitempty"`
	FailureCallback       string   `json:"failureCallback,omitempty"`
	FailureCallbackHeader Header   `json:"failureCallbackHeaders,omitempty"`
	MaxRetries            int      `json:"maxRetries"`
	RetryDelayExpression  string   `json:"retryDelayExpression,omitempty"`
	RetryDelayExpr        string   `json:"retryDelayExpr,omitempty"` // the same: clients differ
	Label                 string   `json:"label,omitempty"`
	Labels                []string `json:"labels,omitempty"`
	FlowKey               string   `json:"flowControlKey,omitempty"`
	Parallelism           int      `json:"parallelism,omitempty"`
	Rate                  int      `json:"rate,omitempty"`
	Period                int64    `json:"period,omitempty"`
	CallerIP              string   `json:"callerIp,omitempty"`
}

// LogQuery asks for a page of the log.
type LogQuery struct {
	Filter   Filter
	Cursor   string
	Count    int
	Earliest bool // the earliest first
	TrimBody bool // without bodies
}

// Logs reads a page of the log, and where the next one begins, "" after the last. Events are in order of
// their times.
func (e *Engine) Logs(ctx context.Context, acct string, q LogQuery) ([]LogEntry, string, error) {
	entries := []LogEntry{}
	after, err := parseLogPlace(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	next := ""
	bases := map[string]LogEntry{} // by message
	var last logPlace
	err = e.logs(ctx, acct, &q, after, func(p placed) (bool, error) {
		if len(entries) == q.Count {
			next = last.String()
			return false, nil
		}
		base, ok := bases[p.id]
		if !ok {
			if base, err = e.logBase(ctx, p.m, q.TrimBody); err != nil {
				return false, err
			}
			bases[p.id] = base
		}
		entries, last = append(entries, base.of(p.ev, q.TrimBody)), p.logPlace
		return true, nil
	})
	return entries, next, err
}

// of is the entry of an event, made of what all entries of its message have in common.
func (en LogEntry) of(ev event, trim bool) LogEntry {
	en.Time, en.State, en.Error, en.NextDelivery, en.Status = ev.At, ev.State, ev.Error, ev.Next, ev.Status
	en.ResponseHeaders, en.ResponseHeader = ev.Header, ev.Header
	if ev.attempt() {
		en.Lag, en.EndpointTime = &ev.Lag, &ev.Took
	}
	if !trim {
		en.ResponseBody = ev.Body
	}
	return en
}

// MessageLog is the events of one message.
type MessageLog struct {
	MessageID string     `json:"messageId"`
	Events    []LogEntry `json:"events"`
}

// LogsByMessage reads a page of the log whose events are grouped by message.
func (e *Engine) LogsByMessage(ctx context.Context, acct string, q LogQuery) ([]MessageLog, string, error) {
	groups := []MessageLog{}
	after, _, err := parseLogCursor(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	next := ""
	err = e.messages(ctx, acct, &q.Filter, after, q.Earliest, func(m *message) (bool, error) {
		all, err := e.logEntries(ctx, m, &q)
		if err != nil || len(all) == 0 {
			return true, err
		}
		if len(groups) == q.Count {
			next = m.id + ":0"
			return false, nil
		}
		groups = append(groups, MessageLog{m.id, all})
		return true, nil
	})
	return groups, next, err
}

// parseLogCursor reads a cursor: the message to go on with, and how many of its events
// have been seen.
func parseLogCursor(cursor string) (id string, skip int, err error) {
	if cursor == "" {
		return "", 0, nil
	}
	id, n, ok := strings.Cut(cursor, ":")
	skip, err = strconv.Atoi(n)
	if !ok || err != nil || skip < 0 || !strings.HasPrefix(id, messagePrefix) {
		return "", 0, invalid("invalid cursor")
	}
	return id, skip, nil
}

// logEntries are the events of a message that a query asks for, in its order.
func (e *Engine) logEntries(ctx context.Context, m *message, q *LogQuery) ([]LogEntry, error) {
	var base LogEntry
	var entries []LogEntry
	for _, text := range m.attrs.Get(attrEvents).Elems() {
		var ev event
		if err := json.Unmarshal([]byte(text), &ev); err != nil {
			return nil, fmt.Errorf("reading the log of message %s: %w", m.id, err)
		}
		if !q.Filter.matchEvent(&ev) {
			continue
		}
		if base.MessageID == "" {
			var err error
			if base, err = e.logBase(ctx, m, q.TrimBody); err != nil {
				return nil, err
			}
		}
		entries = append(entries, base.of(ev, q.TrimBody))
	}
	if !q.Earliest {
		slices.Reverse(entries)
	}
	return entries, nil
}

// maxLogBody is the longest body that the log shows.
const maxLogBody = 64 << 10

// logBase is what all entries of a message have in common.
func (e *Engine) logBase(ctx context.Context, m *message, trim bool) (LogEntry, error) {
	var body []byte
	if !trim && m.rec.BodySize <= maxLogBody {
		var err error
		if body, err = e.body(ctx, m); err != nil {
			return LogEntry{}, err
		}
	}
	v := m.view(nil)
	return LogEntry{
		MessageID: m.id, URL: v.URL, Header: v.Header, Body: m.rec.Redact.body(body), Topic: v.Topic, Endpoint: v.Endpoint,
		ScheduleID: v.ScheduleID, Queue: v.Queue, Timeout: v.Timeout, Method: v.Method,
		Callback: v.Callback, CallbackHeader: v.CallbackHeader,
		FailureCallback: v.FailureCallback, FailureCallbackHeader: v.FailureCallbackHeader,
		MaxRetries: v.MaxRetries, RetryDelayExpression: v.RetryDelayExpression, RetryDelayExpr: v.RetryDelayExpression,
		Label: v.Label, Labels: v.Labels, FlowKey: v.FlowKey, Parallelism: v.Parallelism, Rate: v.Rate, Period: v.Period,
		CallerIP: v.CallerIP,
	}, nil
}

// messages calls f with the messages that the log still has and a filter selects, in
// order of their creation, from the one named after on.
func (e *Engine) messages(ctx context.Context, acct string, filter *Filter, after string, earliest bool, f func(*message) (bool, error)) error {
	if len(filter.MessageIDs) > 0 {
		return e.namedMessages(ctx, acct, filter, after, earliest, f)
	}
	streams := make([]*messageStream, shards)
	for shard := range streams {
		q := store.Query{Partition: messagePartition(acct, byte(shard)), Reverse: !earliest}
		switch {
		case after == "":
		case earliest:
			q.From = after
		default:
			q.To = after + "\x00"
		}
		if filter.To != 0 { // a message has no event before it is created
			if to := idAt(messagePrefix, time.UnixMilli(filter.To+1), [10]byte{}); q.To == "" || to < q.To {
				q.To = to
			}
		}
		streams[shard] = &messageStream{store: e.store, q: q, more: true}
	}
	for {
		var first *messageStream
		for _, s := range streams {
			if err := s.fill(ctx); err != nil {
				return err
			}
			if len(s.items) == 0 {
				continue
			}
			if first == nil || (s.items[0].Key.Sort < first.items[0].Key.Sort) == earliest {
				first = s
			}
		}
		if first == nil {
			return nil
		}
		it := first.items[0]
		first.items = first.items[1:]
		m, err := parseMessage(acct, it.Key.Sort, it.Attrs)
		if err != nil {
			return err
		}
		if !filter.matchRecord(&m.rec) {
			continue
		}
		if more, err := f(m); err != nil || !more {
			return err
		}
	}
}

// messageStream reads a shard of the messages.
type messageStream struct {
	store store.Store
	q     store.Query
	items []store.Item
	more  bool
}

// streamPage is how many messages of each shard are read at a time.
const streamPage = 100

func (s *messageStream) fill(ctx context.Context) error {
	for len(s.items) == 0 && s.more {
		s.q.Limit = streamPage
		page, err := s.store.Query(ctx, s.q)
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		s.items, s.more = page.Items, page.More
		if page.More {
			s.q = s.q.Next(page)
		}
	}
	return nil
}

// namedMessages is messages for a filter that names them.
func (e *Engine) namedMessages(ctx context.Context, acct string, filter *Filter, after string, earliest bool, f func(*message) (bool, error)) error {
	ids := slices.Clone(filter.MessageIDs)
	slices.SortFunc(ids, func(a, b string) int {
		if earliest {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(b, a)
	})
	for _, id := range slices.Compact(ids) {
		if after != "" && (id < after) == earliest && id != after {
			continue
		}
		m, err := e.readMessage(ctx, acct, id)
		if err != nil {
			return err
		}
		if m == nil || !filter.matchRecord(&m.rec) {
			continue
		}
		if more, err := f(m); err != nil || !more {
			return err
		}
	}
	return nil
}
