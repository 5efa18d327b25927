package rest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

// header is the request's header, completed by parameters of the query.
func (x *exchange) header() http.Header {
	h := x.r.Header
	for name, values := range x.params {
		name = fieldName(name)
		if strings.HasPrefix(name, prefix) && h.Get(name) == "" {
			h[name] = values
		}
	}
	return h
}

// request makes a request of a header and a body.
func (x *exchange) request(dest, queue string, h http.Header, body []byte) (qstash.Request, error) {
	if !isURL(dest) {
		group, err := x.group(dest)
		if err != nil {
			return qstash.Request{}, err
		}
		if group != nil {
			for name, values := range group.Headers {
				if name = fieldName(name); h.Get(name) == "" {
					h[name] = values
				}
			}
		}
	}
	o, err := x.options(h)
	if err != nil {
		return qstash.Request{}, err
	}
	o.Queue, o.CallerIP = queue, x.callerIP()
	req := qstash.Request{Destination: dest, Body: body, Options: o}
	if err := x.checkBounds(&req); err != nil {
		return qstash.Request{}, err
	}
	return req, invoke(h, &req)
}

// group reads a URL group, once for all messages of a batch; nil if there is none.
func (x *exchange) group(name string) (*qstash.Group, error) {
	if g, read := x.groups[name]; read {
		return g, nil
	}
	g, err := x.h.engine.Group(x.r.Context(), x.acct, name)
	if refused := (*qstash.Error)(nil); err != nil && !errors.As(err, &refused) {
		return nil, err
	}
	if x.groups == nil {
		x.groups = map[string]*qstash.Group{}
	}
	x.groups[name] = g
	return g, nil
}

func (x *exchange) publish(dest, queue string) error {
	h := x.header()
	return refuseRun(continuesRun(h), x.publishOne(dest, queue, h))
}

func (x *exchange) publishOne(dest, queue string, h http.Header) error {
	if h.Get(cronHeader) != "" && queue == "" {
		return x.createSchedule(dest)
	}
	limits := x.h.engine.Limits()
	limit := limits.MaxMessageBytes
	if continuesRun(h) {
		limit = limits.CallResultBytes()
	}
	body, err := x.messageBody(h, int64(limit))
	if err != nil {
		return err
	}
	req, err := x.request(dest, queue, h, body)
	if err != nil {
		return err
	}
	out := x.h.engine.Publish(x.r.Context(), x.acct, []qstash.Request{req})[0]
	if out.Err != nil {
		return out.Err
	}
	status := http.StatusOK
	if out.Messages[0].Deduplicated && len(out.Messages) == 1 {
		status = http.StatusAccepted
	}
	return x.answer(status, published(out))
}

// published is how an outcome is shown: clients index what was published to a URL
// group as an array.
func published(out qstash.Outcome) any {
	if out.Group {
		return out.Messages
	}
	return out.Messages[0]
}

// batchItem is one message of a batch.
type batchItem struct {
	Destination string                     `json:"destination"`
	Headers     map[string]json.RawMessage `json:"headers"`
	Body        *text                      `json:"body"`
	Queue       string                     `json:"queue"`
}

// text is a string that is decoded once, since it may be large.
type text []byte

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(quoted []byte) error {
	if string(quoted) == "null" {
		return nil
	}
	if len(quoted) == 0 || quoted[0] != '"' {
		return errors.New("no string")
	}
	var err error
	*t, err = jsontext.AppendUnquote(make([]byte, 0, len(quoted)), quoted)
	if len(*t) == 0 && err != nil {
		return err
	}
	return nil // what is not UTF-8 is U+FFFD, as encoding/json has it
}

func (x *exchange) batch() error {
	if x.at(changes, "batch", "trigger") {
		if x.block != nil {
			return x.tooMany()
		}
		return x.batchTrigger()
	}
	if !x.at(changes, "batch") {
		return x.unserved()
	}
	items, err := x.batchItems()
	if err != nil {
		return err
	}
	if x.block != nil && !allContinue(items) {
		return x.tooMany()
	}
	answers := make([]any, len(items))
	var reqs []qstash.Request
	var owners []int
	whole, continues := runsIn(items)
	for i, it := range items {
		req, err := x.batchRequest(it)
		if err != nil && whole {
			return refuseRun(continues, err)
		}
		if err != nil {
			if answers[i], err = itemError(err); err != nil {
				return err
			}
			continue
		}
		reqs, owners = append(reqs, req), append(owners, i)
	}
	for i, out := range x.h.engine.Publish(x.r.Context(), x.acct, reqs) {
		if out.Err == nil {
			answers[owners[i]] = published(out)
			continue
		}
		if whole || endsBatch(out.Err) {
			return out.Err
		}
		if answers[owners[i]], err = itemError(out.Err); err != nil {
			return err
		}
	}
	return x.ok(answers)
}

func (x *exchange) batchItems() ([]batchItem, error) {
	body, err := x.body(x.h.maxBody)
	if err != nil {
		return nil, err
	}
	// One by one, since what is too much is not to take memory first.
	defer x.work.Pause()
	dec := json.NewDecoder(x.work.Reader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, errBatch
	}
	limit := x.h.engine.Limits().Messages
	var items []batchItem
	for dec.More() {
		if len(items) == limit {
			_, continues := runsIn(items)
			return nil, refuseRun(continues, edge.Refusef(http.StatusRequestEntityTooLarge, "maximum number of messages per request exceeded: limit %d", limit))
		}
		var it batchItem
		if err := dec.Decode(&it); err != nil {
			return nil, errBatch
		}
		items = append(items, it)
	}
	if _, err := dec.Token(); err != nil {
		return nil, errBatch
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errBatch
	}
	if len(items) == 0 {
		return nil, badRequest("invalid batch: it is empty")
	}
	return items, nil
}

var errBatch = badRequest("invalid batch: want a JSON array of messages")

func (x *exchange) batchRequest(it batchItem) (qstash.Request, error) {
	h := looseHeader(it.Headers).header()
	for name := range it.Headers {
		if name = fieldName(name); h[name] == nil {
			return qstash.Request{}, badRequest("invalid value for header " + name)
		}
	}
	var body []byte
	if it.Body != nil {
		body = *it.Body
	}
	return x.request(it.Destination, it.Queue, h, body)
}

// itemError is how the failure of one message of a batch is shown; what is not the
// message's fault fails the batch.
func itemError(err error) (any, error) {
	if e := edge.Of(answerOf(err)); e.Err == nil {
		return map[string]string{"error": e.Text}, nil
	}
	return nil, err
}

func (x *exchange) createSchedule(dest string) error {
	h := x.header()
	if h.Get(cronHeader) == "" {
		return badRequest("cron is required: set the header Upstash-Cron")
	}
	body, err := x.messageBody(h, int64(x.h.engine.Limits().MaxMessageBytes))
	if err != nil {
		return err
	}
	req, err := x.request(dest, h.Get("Upstash-Queue-Name"), h, body)
	if err != nil {
		return err
	}
	if err := x.checkSchedule(h.Get(scheduleID)); err != nil {
		return err
	}
	missed, err := qstash.ParseMissed(strings.ToLower(h.Get(missedHeader)))
	if err != nil {
		return err
	}
	id, err := x.h.engine.CreateSchedule(x.r.Context(), x.acct, qstash.ScheduleRequest{
		ID: h.Get(scheduleID), Cron: h.Get(cronHeader), Destination: req.Destination, Body: req.Body, Options: req.Options, Missed: missed})
	if err != nil {
		return err
	}
	return x.ok(map[string]string{"scheduleId": id})
}
