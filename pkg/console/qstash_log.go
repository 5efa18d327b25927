package console

import (
	"maps"
	"slices"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashLogPages() []*page {
	return []*page{
		{route: "GET /r/{id}/logs", title: "Logs", view: "qstash-logs", product: control.QStash, nav: nav{groupData, "Logs", "clock"}, serve: showLogs},
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
	entries, next, err := r.h.qstash.Logs(r.Context(), r.resource.ID, qstash.LogQuery{
		Filter: qstash.Filter{State: only(p.State), MessageIDs: only(p.Message), URL: only(p.Destination), Queue: only(p.Queue), Schedule: only(p.Schedule)},
		Cursor: q.Get("cursor"), Count: deliveriesPerPage,
	})
	if err != nil {
		return qstashError(err)
	}
	for _, e := range entries {
		p.Rows = append(p.Rows, r.eventRow(e))
	}
	p.First, p.Next = r.turn(q, next)
	return r.render(p)
}

// sortedKeys are the keys of a map, in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
