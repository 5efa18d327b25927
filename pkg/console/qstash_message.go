package console

import (
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashMessagePages() []*page {
	const p = control.QStash
	return []*page{
		{route: "GET /r/{id}/messages", title: "Messages", view: "qstash-messages", product: p, nav: nav{groupData, "Messages", "inbox"}, serve: showMessages},
		{route: "GET /r/{id}/messages/new", title: "Send a message", view: "qstash-publish", product: p, serve: showPublish},
		{route: "POST /r/{id}/messages/new", title: "Send a message", view: "qstash-publish", product: p, maxBody: maxValueForm, serve: publishMessage},
		{route: "GET /r/{id}/messages/{message}", title: "Message", view: "qstash-message", product: p, serve: showMessage},
		{route: "POST /r/{id}/messages/{message}/cancel", product: p, serve: cancelMessage},
		{route: "POST /r/{id}/messages/{message}/retry", product: p, serve: retryMessage},
	}
}

const deliveriesPerPage = 50

// qstashError says in words what QStash refuses.
func qstashError(err error) error {
	var refused *qstash.Error
	if !errors.As(err, &refused) {
		return err
	}
	status := http.StatusUnprocessableEntity
	switch refused.Kind {
	case qstash.KindNotFound:
		status = http.StatusNotFound
	case qstash.KindTooLarge:
		status = http.StatusRequestEntityTooLarge
	}
	return edge.Refuse(status, sentence(refused.Text))
}

// stateTones are the colours of the states of messages and events.
var stateTones = map[string]string{
	qstash.EventDelivered: "good", qstash.EventFailed: "bad", qstash.EventError: "bad", qstash.EventRetry: "warn", qstash.EventActive: "accent",
	qstash.PendingActive: "accent", qstash.PendingParked: "warn", "SUCCESS": "good", "FAIL": "bad", "IN_PROGRESS": "accent",
	runStarted: "accent", runSuccess: "good", runFailed: "bad",
	"STEP_SUCCESS": "good", "STEP_PROGRESS": "accent", "STEP_RETRY": "warn", "STEP_FAILED": "bad",
}

// stateNames are what the states are called.
var stateNames = map[string]string{
	qstash.EventCreated: "Created", qstash.EventActive: "Sending", qstash.EventRetry: "To be repeated", qstash.EventError: "Not delivered",
	qstash.EventDelivered: "Delivered", qstash.EventFailed: "Failed, in the DLQ", qstash.EventCancelRequested: "To be cancelled", qstash.EventCancelled: "Cancelled",
	qstash.PendingDue: "Waiting", qstash.PendingActive: "Sending", qstash.PendingParked: "Queued", qstash.PendingStopped: "To be cancelled",
	"SUCCESS": "Delivered", "FAIL": "Failed", "IN_PROGRESS": "Under way",
	runStarted: "Running", runSuccess: "Succeeded", runFailed: "Failed", runCancelled: "Cancelled",
	"STEP_SUCCESS": "Done", "STEP_PROGRESS": "Under way", "STEP_RETRY": "To be repeated", "STEP_FAILED": "Failed", "STEP_CANCELED": "Cancelled",
}

// stateBadge is what the template "badge" shows of a state.
type stateBadge struct{ Text, Tone string }

func badgeOf(state string) stateBadge {
	name := stateNames[state]
	if name == "" {
		name = state
	}
	return stateBadge{name, stateTones[state]}
}

// pendingRow is a message in the list.
type pendingRow struct {
	qstash.PendingMessage
	Badge stateBadge
	Short string // id
	URL   string
	At    time.Time // of creation
}

// messagesPage is what the view "qstash-messages" shows.
type messagesPage struct {
	Rows     []pendingRow
	Queue    string
	Schedule string
	First    string
	Next     string
}

func showMessages(r *request) error {
	q := r.URL.Query()
	p := &messagesPage{Queue: q.Get("queue"), Schedule: q.Get("schedule")}
	list, next, err := r.h.qstash.Pending(r.Context(), r.resource.ID, qstash.PendingQuery{
		Filter: qstash.Filter{Queue: only(p.Queue), Schedule: only(p.Schedule)}, Cursor: q.Get("cursor"), Count: deliveriesPerPage,
	})
	if err != nil {
		return qstashError(err)
	}
	for _, m := range list {
		p.Rows = append(p.Rows, pendingRow{m, badgeOf(m.State), clip(m.MessageID, 14) + "…", r.path("messages", m.MessageID), time.UnixMilli(m.CreatedAt)})
	}
	p.First, p.Next = r.turn(q, next)
	return r.render(p)
}

// only is a filter's values for a field of a form: none if it is empty.
func only(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// turn makes the addresses of the first and the next page of this one.
func (r *request) turn(q url.Values, next string) (first, following string) {
	if q.Get("cursor") != "" {
		q.Del("cursor")
		first = r.URL.Path + "?" + q.Encode()
	}
	if next != "" {
		q.Set("cursor", next)
		following = r.URL.Path + "?" + q.Encode()
	}
	return first, following
}

// deliveryForm is what a message or a schedule is made from.
type deliveryForm struct {
	Destination, Method, ContentType, Body, Headers, Delay, Retries, Queue string
	Name, Cron, Zone, Missed                                               string // of schedules
	Methods, Policies                                                      []option
	Groups, Queues                                                         []string
	Runs                                                                   nextRuns
	Edit                                                                   *scheduleEdit // nil: it is new
	Errors                                                                 formErrors
}

var methodOptions = []option{{"POST", "POST"}, {"GET", "GET"}, {"PUT", "PUT"}, {"PATCH", "PATCH"}, {"DELETE", "DELETE"}}

// suggest fills in what can be chosen.
func (f *deliveryForm) suggest(r *request) error {
	f.Methods, f.Policies = methodOptions, missedOptions
	groups, err := r.h.qstash.Groups(r.Context(), r.resource.ID)
	if err != nil {
		return err
	}
	for _, g := range groups {
		f.Groups = append(f.Groups, g.Name)
	}
	queues, err := r.h.qstash.Queues(r.Context(), r.resource.ID)
	for _, q := range queues {
		f.Queues = append(f.Queues, q.Name)
	}
	return err
}

// read reads the form that was posted. What is wrong goes into its errors.
func (f *deliveryForm) read(r *request) qstash.Request {
	*f = deliveryForm{
		Destination: r.form("destination"), Method: r.form("method"), ContentType: r.form("content_type"), Headers: r.PostForm.Get("headers"),
		Body: r.edited("body"), Delay: r.form("delay"), Retries: r.form("retries"), Queue: r.form("queue"),
		Name: r.form("name"), Cron: r.form("cron"), Zone: r.form("zone"), Missed: r.form("missed"), Errors: formErrors{},
	}
	o := qstash.Options{Method: f.Method, Queue: f.Queue, Header: qstash.Header{}}
	if f.Destination == "" {
		f.Errors["destination"] = "Enter an address that begins with https://, or the name of a URL group."
	}
	if f.ContentType != "" {
		o.Header["Content-Type"] = []string{f.ContentType}
	}
	for l := range strings.Lines(strings.ReplaceAll(f.Headers, "\r\n", "\n")) {
		name, value, ok := strings.Cut(strings.TrimSpace(l), ":")
		if strings.TrimSpace(l) == "" {
			continue
		}
		name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			f.Errors["headers"] = "Write each header as Name: value, one on a line."
			continue
		}
		o.Header[name] = append(o.Header[name], strings.TrimSpace(value))
	}
	var err error
	if f.Delay != "" {
		if o.Delay, err = qstash.ParseDuration(f.Delay); err != nil || o.Delay < 0 {
			f.Errors["delay"] = "Enter a time such as 30s, 10m or 2d."
		}
	}
	if f.Retries != "" {
		n, err := strconv.Atoi(f.Retries)
		if err != nil || n < 0 {
			f.Errors["retries"] = "Enter a whole number from 0 on."
		}
		o.Retries = &n
	}
	return qstash.Request{Destination: f.Destination, Body: []byte(f.Body), Options: o}
}

func showPublish(r *request) error {
	f := &deliveryForm{Method: "POST", ContentType: "application/json", Queue: r.query("queue"), Destination: r.query("to")}
	if err := f.suggest(r); err != nil {
		return err
	}
	return r.render(f)
}

func publishMessage(r *request) error {
	f := &deliveryForm{}
	req := f.read(r)
	if len(f.Errors) == 0 {
		out := r.h.qstash.Publish(r.Context(), r.resource.ID, []qstash.Request{req})[0]
		switch {
		case out.Err == nil && len(out.Messages) == 1:
			return r.redirect(r.path("messages", out.Messages[0].MessageID), "The message is on its way.")
		case out.Err == nil:
			return r.redirect(r.path("messages"), strconv.Itoa(len(out.Messages))+" messages are on their way, one to each endpoint.")
		}
		ref := refused(qstashError(out.Err))
		if ref == nil {
			return out.Err
		}
		f.Errors[""] = ref.Text
	}
	if err := f.suggest(r); err != nil {
		return err
	}
	return r.renderStatus(http.StatusUnprocessableEntity, f)
}

// messagePage is what the view "qstash-message" shows.
type messagePage struct {
	ID       string
	Message  qstash.LogEntry // what its events have in common
	Badge    stateBadge
	Pending  *qstash.PendingMessage // nil: it has finished
	Body     preview
	Headers  [][2]string
	Events   []eventRow
	This     string
	Schedule string // address
	Later    bool   // the next attempt is to come, and can be made now
}

// eventRow is an event of a message.
type eventRow struct {
	qstash.LogEntry
	Badge    stateBadge
	At, Next time.Time // Next: zero if there is none
	Response preview
	Headers  [][2]string
	URL      string // of the message
}

func (r *request) eventRow(e qstash.LogEntry) eventRow {
	row := eventRow{
		LogEntry: e, Badge: badgeOf(e.State), At: time.UnixMilli(e.Time), Response: previewOf(string(e.ResponseBody), 4<<10),
		Headers: headerRows(e.ResponseHeaders), URL: r.path("messages", e.MessageID),
	}
	if e.NextDelivery > 0 {
		row.Next = time.UnixMilli(e.NextDelivery)
	}
	return row
}

func headerRows(h qstash.Header) [][2]string {
	var rows [][2]string
	for _, name := range sortedKeys(h) {
		for _, v := range h[name] {
			rows = append(rows, [2]string{name, line(v)})
		}
	}
	return rows
}

func showMessage(r *request) error {
	id := r.PathValue("message")
	entries, _, err := r.h.qstash.Logs(r.Context(), r.resource.ID, qstash.LogQuery{Filter: qstash.Filter{MessageIDs: []string{id}}, Count: 500})
	if err != nil {
		return qstashError(err)
	}
	if len(entries) == 0 {
		return notFound("message")
	}
	p := &messagePage{ID: id, Message: entries[0], Badge: badgeOf(entries[0].State), Body: previewOf(string(entries[0].Body), 32<<10), This: r.path("messages", id)}
	p.Headers = headerRows(entries[0].Header)
	for _, e := range entries {
		p.Events = append(p.Events, r.eventRow(e))
	}
	if e := entries[0]; e.ScheduleID != "" {
		p.Schedule = r.path("schedules", e.ScheduleID)
	}
	pending, err := r.h.qstash.PendingMessage(r.Context(), r.resource.ID, id)
	var gone *qstash.Error
	switch {
	case err == nil:
		p.Pending, p.Badge = &pending, badgeOf(pending.State)
		p.Later = pending.State == qstash.PendingDue && pending.Due.After(r.h.now())
	case !errors.As(err, &gone):
		return err
	}
	return r.render(p)
}

func cancelMessage(r *request) error {
	id := r.PathValue("message")
	err := qstashError(r.h.qstash.Cancel(r.Context(), r.resource.ID, id))
	if ref := refused(err); ref != nil && ref.Status == http.StatusNotFound {
		return edge.Refuse(http.StatusConflict, "It has finished already, so there is nothing to cancel.")
	}
	if err != nil {
		return err
	}
	return r.redirect(r.path("messages", id), "Cancelled.")
}

func retryMessage(r *request) error {
	id := r.PathValue("message")
	err := qstashError(r.h.qstash.RetryNow(r.Context(), r.resource.ID, id))
	if ref := refused(err); ref != nil && ref.Status == http.StatusNotFound {
		return edge.Refuse(http.StatusConflict, "It has finished already, so there is nothing to send.")
	}
	if err != nil {
		return err
	}
	return r.redirect(r.path("messages", id), "The next attempt is made now.")
}
