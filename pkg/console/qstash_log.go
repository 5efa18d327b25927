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
	"strconv"
	"strings"
	"time"

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
	Label, Host, Answer, From, To                string
	More                                         bool // one of the rarer filters is set
	Grouped                                      bool // by message
	Groups                                       []logGroup
	Together, Apart                              string // addresses of the two forms
	States                                       []option
	Rows                                         []eventRow
	First, Next                                  string
	Filtered                                     bool
	Kept                                         string // how long events are
	Live                                         string // address of the tail; "": this is not the first page
}

// logGroup are the events of a message, the latest first.
type logGroup struct {
	ID, URL     string
	Destination string
	Badge       stateBadge // of the latest event
	Labels      []string
	Events      []eventRow
	First, Last time.Time
}

// loggedStates are the states that can be looked for.
var loggedStates = []string{
	qstash.EventCreated, qstash.EventActive, qstash.EventRetry, qstash.EventError, qstash.EventDelivered, qstash.EventFailed, qstash.EventCancelled,
}

func showLogs(r *request) error {
	q := r.URL.Query()
	p := &logsPage{
		State: q.Get("state"), Message: q.Get("message"), Destination: q.Get("url"), Queue: q.Get("queue"), Schedule: q.Get("schedule"),
		Label: q.Get("label"), Host: q.Get("host"), Answer: q.Get("answer"), From: q.Get("from"), To: q.Get("to"), Grouped: q.Get("group") == "message",
		States: []option{{"", "All events"}}, Kept: span(r.h.qstash.Limits().LogsFor),
	}
	for _, s := range loggedStates {
		p.States = append(p.States, option{s, stateNames[s]})
	}
	filter, err := logFilter(q)
	if err != nil {
		return err
	}
	p.Together, p.Apart = r.logsAddress(q, "message"), r.logsAddress(q, "")
	p.Filtered = len(p.filters()) > 0
	p.More = p.Message+p.Host+p.Queue+p.Schedule+p.From+p.To != ""
	query := qstash.LogQuery{Filter: filter, Cursor: q.Get("cursor"), Count: deliveriesPerPage}
	next := ""
	if p.Grouped {
		groups, after, err := r.h.qstash.LogsByMessage(r.Context(), r.resource.ID, query)
		if err != nil {
			return qstashError(err)
		}
		next = after
		for _, g := range groups {
			p.Groups = append(p.Groups, r.logGroup(g))
		}
	} else {
		entries, after, err := r.h.qstash.Logs(r.Context(), r.resource.ID, query)
		if err != nil {
			return qstashError(err)
		}
		next = after
		for _, e := range entries {
			p.Rows = append(p.Rows, r.eventRow(e))
		}
		if q.Get("cursor") == "" {
			p.Live = r.path("logs", "tail") + "?" + q.Encode()
		}
	}
	p.First, p.Next = r.turn(q, next)
	return r.render(p)
}

// filters are what the form asks for.
func (p *logsPage) filters() []string {
	return slices.DeleteFunc([]string{p.State, p.Message, p.Destination, p.Queue, p.Schedule, p.Label, p.Host, p.Answer, p.From, p.To},
		func(s string) bool { return s == "" })
}

// logsAddress is the address of the page with the same filters and another form.
func (r *request) logsAddress(q url.Values, group string) string {
	other := maps.Clone(q)
	other.Del("cursor")
	other.Del("group")
	if group != "" {
		other.Set("group", group)
	}
	return r.path("logs") + "?" + other.Encode()
}

func (r *request) logGroup(g qstash.MessageLog) logGroup {
	group := logGroup{ID: g.MessageID, URL: r.path("messages", g.MessageID)}
	for _, e := range g.Events {
		group.Events = append(group.Events, r.eventRow(e))
	}
	latest := group.Events[0]
	group.Destination, group.Labels, group.Badge = latest.LogEntry.URL, latest.Labels, latest.Badge
	group.Last, group.First = latest.At, group.Events[len(group.Events)-1].At
	return group
}

// logFilter is what the log's form asks for. A destination is a part of the URL, a status one such as 404 or a hundred such as 5xx, and times are UTC.
func logFilter(q url.Values) (qstash.Filter, error) {
	f := qstash.Filter{State: only(q.Get("state")), MessageIDs: only(q.Get("message")), Contains: q.Get("url"),
		Queue: only(q.Get("queue")), Schedule: only(q.Get("schedule")), Label: only(q.Get("label")), Host: only(q.Get("host"))}
	if text := q.Get("answer"); text != "" {
		n, err := strconv.Atoi(strings.Replace(strings.ToLower(text), "xx", "00", 1))
		if err != nil || n < 100 || n > 999 {
			return f, edge.Refuse(http.StatusBadRequest, "A status is a number such as 404, or 5xx for all from 500 to 599.")
		}
		f.Answer = [2]int{n, n}
		if strings.HasSuffix(strings.ToLower(text), "xx") {
			f.Answer[1] = n + 99
		}
	}
	for name, to := range map[string]*int64{"from": &f.From, "to": &f.To} {
		if text := q.Get(name); text != "" {
			at, err := time.Parse("2006-01-02T15:04", text)
			if err != nil {
				return f, edge.Refuse(http.StatusBadRequest, "Choose a date and a time, in UTC.")
			}
			*to = at.UnixMilli()
		}
	}
	return f, nil
}

// tailLogs answers with the rows of what has happened since.
func tailLogs(r *request) error {
	filter, err := logFilter(r.URL.Query())
	if err != nil {
		return err
	}
	return r.tail(filter, func(w io.Writer, e qstash.LogEntry) error {
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
