package console

import (
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashDeliveryPages() []*page {
	const p = control.QStash
	return []*page{
		{route: "GET /r/{id}/deliveries", title: "Deliveries", view: "qstash-deliveries", product: p, nav: nav{groupData, "Deliveries", "play"}, serve: showDeliveries},
		{route: "GET /r/{id}/deliveries/tail", product: p, serve: tailDeliveries},
	}
}

// deliveryRow is an attempt, as whoever develops its destination wants to see it.
type deliveryRow struct {
	qstash.LogEntry
	At          time.Time
	Badge       stateBadge
	Destination string // without its query, which may hold secrets
	Took        string
	Then        string // what follows
	Next        time.Time
	Why         string // there was no answer
	Response    preview
	URL         string // of the message
}

// attemptStates are those of the events that attempts may end with.
var attemptStates = []string{qstash.EventDelivered, qstash.EventError, qstash.EventCancelled}

// deliveryRow is the row of an event. ok says that the event is the end of an attempt.
func (r *request) deliveryRow(e qstash.LogEntry) (row deliveryRow, ok bool) {
	if e.EndpointTime == nil {
		return row, false
	}
	row = deliveryRow{
		LogEntry: e, At: time.UnixMilli(e.Time), Destination: shownURL(e.URL), URL: r.path("messages", e.MessageID),
		Took: formatMillis(float64(*e.EndpointTime)), Response: previewOf(string(e.ResponseBody), 4<<10),
		Badge: stateBadge{"No answer", "bad"},
	}
	switch {
	case e.Status >= 200 && e.Status < 300 && e.State != qstash.EventError:
		row.Badge = stateBadge{strconv.Itoa(e.Status), "good"}
	case e.Status > 0:
		row.Badge = stateBadge{strconv.Itoa(e.Status), "warn"}
	case strings.HasSuffix(e.Error, "connection refused"):
		row.Why = "Nobody listens on " + hostOf(e.URL) + "."
	default:
		row.Why = sentence(e.Error)
	}
	switch {
	case e.State == qstash.EventDelivered:
	case e.State == qstash.EventCancelled:
		row.Then = "Cancelled"
	case e.NextDelivery > 0:
		row.Next = time.UnixMilli(e.NextDelivery)
		row.Then = "Again at once"
		if pause := row.Next.Sub(row.At).Round(time.Second); pause > 0 {
			row.Then = "Again in " + span(pause)
		}
	default:
		row.Then = "No further attempt"
	}
	return row, true
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "that port"
	}
	return u.Host
}

// shownURL is a URL without its query, user and fragment.
func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(malformed URL)"
	}
	query := ""
	if u.RawQuery != "" {
		query = "?…"
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath() + query
}

// deliveriesPage is what the view "qstash-deliveries" shows.
type deliveriesPage struct {
	Destination string
	Rows        []deliveryRow
	Live        string // address of the tail
}

func (r *request) deliveryFilter() qstash.Filter {
	return qstash.Filter{State: attemptStates, URL: only(r.query("url"))}
}

func showDeliveries(r *request) error {
	p := &deliveriesPage{Destination: r.query("url"), Live: r.path("deliveries", "tail") + "?" + r.URL.Query().Encode()}
	entries, _, err := r.h.qstash.Logs(r.Context(), r.resource.ID, qstash.LogQuery{Filter: r.deliveryFilter(), Count: deliveriesPerPage})
	if err != nil {
		return qstashError(err)
	}
	for _, e := range entries {
		if row, ok := r.deliveryRow(e); ok {
			p.Rows = append(p.Rows, row)
		}
	}
	return r.render(p)
}

// tailDeliveries answers with the rows of the attempts that have ended since.
func tailDeliveries(r *request) error {
	return r.tail(r.deliveryFilter(), func(w io.Writer, e qstash.LogEntry) error {
		row, ok := r.deliveryRow(e)
		if !ok {
			return nil
		}
		return r.h.views["qstash-deliveries"].ExecuteTemplate(w, "delivery-row", row)
	})
}
