package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashDLQPages() []*page {
	const p = control.QStash
	return []*page{
		{route: "GET /r/{id}/dlq", title: "Dead letter queue", view: "qstash-dlq", product: p, nav: nav{groupData, "Dead letters", "alert"}, serve: showDeadLetters},
		{route: "POST /r/{id}/dlq/retry", product: p, serve: retryDeadLetters},
		{route: "POST /r/{id}/dlq/delete", product: p, serve: deleteDeadLetters},
	}
}

// maxBulk bounds the dead letters that are dealt with at once.
const maxBulk = 500

// deadRow is a dead letter in the list.
type deadRow struct {
	qstash.DeadMessage
	At       time.Time // of the message's creation
	Body     preview
	Response preview
	Headers  [][2]string
	URL      string
}

// dlqPage is what the view "qstash-dlq" shows.
type dlqPage struct {
	Destination, Queue, Schedule string
	Rows                         []deadRow
	First, Next                  string
	Filtered                     bool
	Kept                         string // how long dead letters are
	Query                        string // of the filter, for what is done to all
}

func (r *request) deadFilter() qstash.Filter {
	q := r.URL.Query()
	return qstash.Filter{URL: only(q.Get("url")), Queue: only(q.Get("queue")), Schedule: only(q.Get("schedule"))}
}

func showDeadLetters(r *request) error {
	q := r.URL.Query()
	p := &dlqPage{Destination: q.Get("url"), Queue: q.Get("queue"), Schedule: q.Get("schedule"), Kept: span(r.h.qstash.Limits().DLQFor)}
	p.Filtered = p.Destination != "" || p.Queue != "" || p.Schedule != ""
	list, next, err := r.h.qstash.DeadLetters(r.Context(), r.resource.ID, qstash.DLQQuery{
		Filter: r.deadFilter(), Cursor: q.Get("cursor"), Count: deliveriesPerPage, Latest: true,
	})
	if err != nil {
		return qstashError(err)
	}
	for _, d := range list {
		p.Rows = append(p.Rows, deadRow{
			DeadMessage: d, At: time.UnixMilli(d.CreatedAt), URL: r.path("messages", d.MessageID), Headers: headerRows(d.ResponseHeader),
			Body:     previewOf(d.Body+string(d.BodyBase64), 8<<10),
			Response: previewOf(d.ResponseBody+string(d.ResponseBodyBase64), 8<<10),
		})
	}
	filter := r.URL.Query()
	filter.Del("cursor")
	p.Query = filter.Encode()
	p.First, p.Next = r.turn(q, next)
	return r.render(p)
}

// chosenDead are the dead letters that a form is about: those chosen, or all that the
// address's filter selects.
func (r *request) chosenDead() (qstash.DLQQuery, error) {
	q := qstash.DLQQuery{Filter: r.deadFilter(), Count: maxBulk}
	if r.form("all") != "" {
		return q, nil
	}
	if q.Filter.DLQIDs = r.PostForm["dlq"]; len(q.Filter.DLQIDs) == 0 {
		return q, edge.Refuse(http.StatusUnprocessableEntity, "Choose the messages first.")
	}
	if len(q.Filter.DLQIDs) > maxBulk {
		return q, edge.Refuse(http.StatusUnprocessableEntity, fmt.Sprintf("Choose at most %d messages at once.", maxBulk))
	}
	return q, nil
}

// toDead goes back to the list after something was done to n dead letters.
func (r *request) toDead(n int, done, next string) error {
	text := fmt.Sprintf("%s messages were %s.", formatCount(int64(n)), done)
	switch {
	case n == 0:
		text = "Nothing was left to be done."
	case n == 1:
		text = "1 message was " + done + "."
	}
	if next != "" {
		text += " There are more: do it again."
	}
	path := r.path("dlq")
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.Query().Encode()
	}
	return r.redirect(path, text)
}

func retryDeadLetters(r *request) error {
	q, err := r.chosenDead()
	if err != nil {
		return err
	}
	list, next, err := r.h.qstash.RetryDeadLetters(r.Context(), r.resource.ID, q, nil)
	if err != nil {
		return qstashError(err)
	}
	return r.toDead(len(list), "sent again", next)
}

func deleteDeadLetters(r *request) error {
	q, err := r.chosenDead()
	if err != nil {
		return err
	}
	n, next, err := r.h.qstash.DeleteDeadLetters(r.Context(), r.resource.ID, q)
	if err != nil {
		return qstashError(err)
	}
	return r.toDead(n, "deleted", next)
}
