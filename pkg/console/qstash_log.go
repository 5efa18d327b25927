package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashLogPages() []*page {
	return []*page{
		{route: "GET /r/{id}/logs", title: "Logs", view: "qstash-logs", product: control.QStash, nav: nav{groupData, "Logs", "clock"}, serve: showLogs},
		{route: "GET /r/{id}/logs/tail", product: control.QStash, serve: tailLogs},
	}
}

// logsPage is what the view "qstash-logs" shows.
type logsPage struct {
	State, Message, Destination, Queue, Schedule string
	States                                       []option
	Rows                                         []eventRow
	First, Next                                  string
	Filtered                                     bool
	Kept                                         string // how long events are
	Live                                         string // address of the tail; "": this is not the first page
}

// loggedStates are the states that can be looked for.
var loggedStates = []string{
	qstash.EventCreated, qstash.EventActive, qstash.EventRetry, qstash.EventError, qstash.EventDelivered, qstash.EventFailed, qstash.EventCancelled,
}

func showLogs(r *request) error {
	q := r.URL.Query()
	p := &logsPage{
		State: q.Get("state"), Message: q.Get("message"), Destination: q.Get("url"), Queue: q.Get("queue"), Schedule: q.Get("schedule"),
		States: []option{{"", "All events"}}, Kept: span(r.h.qstash.Limits().LogsFor),
	}
	for _, s := range loggedStates {
		p.States = append(p.States, option{s, stateNames[s]})
	}
	p.Filtered = p.State != "" || p.Message != "" || p.Destination != "" || p.Queue != "" || p.Schedule != ""
	entries, next, err := r.h.qstash.Logs(r.Context(), r.resource.ID, qstash.LogQuery{Filter: logFilter(q), Cursor: q.Get("cursor"), Count: deliveriesPerPage})
	if err != nil {
		return qstashError(err)
	}
	for _, e := range entries {
		p.Rows = append(p.Rows, r.eventRow(e))
	}
	if q.Get("cursor") == "" {
		p.Live = r.path("logs", "tail") + "?" + q.Encode()
	}
	p.First, p.Next = r.turn(q, next)
	return r.render(p)
}

// logFilter is what the log's form asks for.
func logFilter(q url.Values) qstash.Filter {
	return qstash.Filter{State: only(q.Get("state")), MessageIDs: only(q.Get("message")), URL: only(q.Get("url")),
		Queue: only(q.Get("queue")), Schedule: only(q.Get("schedule"))}
}

// tailLogs answers with the rows of what has happened since.
func tailLogs(r *request) error {
	return r.tail(logFilter(r.URL.Query()), func(w io.Writer, e qstash.LogEntry) error {
		return r.h.views["qstash-logs"].ExecuteTemplate(w, "log-row", r.eventRow(e))
	})
}

// tail answers with what row writes of the events that have happened since, as server-sent events; nothing
// is sent of events that it writes nothing of. Each answer is short, and the browser calls again: so it
// ends with the session.
func (r *request) tail(filter qstash.Filter, row func(io.Writer, qstash.LogEntry) error) error {
	entries, cursor, err := r.h.qstash.Tail(r.Context(), r.resource.ID, qstash.LogQuery{Filter: filter, Cursor: r.Header.Get("Last-Event-Id")})
	if errors.Is(err, qstash.ErrTooManyTails) {
		return edge.Refuse(http.StatusTooManyRequests, "Too many pages follow this log.")
	}
	if err != nil {
		return qstashError(err)
	}
	var rows []string
	for _, e := range entries {
		var text bytes.Buffer
		if err := row(&text, e); err != nil {
			return fmt.Errorf("writing an event of the log: %w", err)
		}
		if text.Len() > 0 {
			rows = append(rows, text.String())
		}
	}
	r.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	edge.Send(r.w, r.Request, http.StatusOK, r.h.qstash.EventStream(rows, cursor))
	return nil
}

// sortedKeys are the keys of a map, in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
