package console

import (
	"net/http"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashQueuePages() []*page {
	const p = control.QStash
	return []*page{
		{route: "GET /r/{id}/queues", title: "Queues", view: "qstash-queues", product: p, nav: nav{groupData, "Queues", "list"}, serve: showQueues},
		{route: "POST /r/{id}/queues", product: p, serve: saveQueue},
		{route: "POST /r/{id}/queues/{queue}/pause", product: p, serve: pauseQueue},
		{route: "POST /r/{id}/queues/{queue}/delete", product: p, serve: deleteQueue},
		{route: "GET /r/{id}/url-groups", title: "URL groups", view: "qstash-groups", product: p, nav: nav{groupData, "URL groups", "link"}, serve: showURLGroups},
		{route: "POST /r/{id}/url-groups", product: p, serve: addEndpoint},
		{route: "POST /r/{id}/url-groups/{group}/remove", product: p, serve: removeEndpoint},
		{route: "POST /r/{id}/url-groups/{group}/delete", product: p, serve: deleteURLGroup},
	}
}

// queueRow is a queue as pages show it.
type queueRow struct {
	qstash.Queue
	Created time.Time
	URL     string
}

func showQueues(r *request) error {
	list, err := r.h.qstash.Queues(r.Context(), r.resource.ID)
	if err != nil {
		return err
	}
	var rows []queueRow
	for _, q := range list {
		rows = append(rows, queueRow{q, time.UnixMilli(q.CreatedAt), r.path("queues", q.Name)})
	}
	return r.render(rows)
}

func saveQueue(r *request) error {
	n, err := strconv.Atoi(r.form("parallelism"))
	if err != nil || n < 1 || n > qstash.MaxParallelism {
		return edge.Refuse(http.StatusUnprocessableEntity, "The parallelism is a whole number from 1 to "+strconv.Itoa(qstash.MaxParallelism)+".")
	}
	if err := r.h.qstash.UpsertQueue(r.Context(), r.resource.ID, r.form("name"), &n, nil); err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("queues"), "Queue "+r.form("name")+" was saved.")
}

// existingQueue is the name of the queue in the path. It refuses what is about a queue that there is not: to change it would create it.
func (r *request) existingQueue() (string, error) {
	q, err := r.h.qstash.Queue(r.Context(), r.resource.ID, r.PathValue("queue"))
	return q.Name, qstashError(err)
}

func pauseQueue(r *request) error {
	name, err := r.existingQueue()
	if err != nil {
		return err
	}
	paused := r.form("paused") != ""
	if err := r.h.qstash.UpsertQueue(r.Context(), r.resource.ID, name, nil, &paused); err != nil {
		return qstashError(err)
	}
	if paused {
		return r.redirect(r.path("queues"), "Paused: its messages wait until it is resumed.")
	}
	return r.redirect(r.path("queues"), "Resumed.")
}

func deleteQueue(r *request) error {
	name, err := r.existingQueue()
	if err != nil {
		return err
	}
	if err := r.h.qstash.DeleteQueue(r.Context(), r.resource.ID, name); err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("queues"), "Queue "+name+" was deleted, and what waited in it cancelled.")
}

// urlGroupRow is a URL group as pages show it.
type urlGroupRow struct {
	*qstash.Group
	URL string
}

func showURLGroups(r *request) error {
	list, err := r.h.qstash.Groups(r.Context(), r.resource.ID)
	if err != nil {
		return err
	}
	var rows []urlGroupRow
	for _, g := range list {
		rows = append(rows, urlGroupRow{g, r.path("url-groups", g.Name)})
	}
	return r.render(rows)
}

func addEndpoint(r *request) error {
	name := r.form("group")
	err := r.h.qstash.AddEndpoints(r.Context(), r.resource.ID, name, []qstash.Endpoint{{Name: r.form("name"), URL: r.form("url")}})
	if err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("url-groups"), "Messages to "+name+" go to "+clip(r.form("url"), 200)+", too.")
}

func removeEndpoint(r *request) error {
	err := r.h.qstash.RemoveEndpoints(r.Context(), r.resource.ID, r.PathValue("group"), []qstash.Endpoint{{URL: r.form("url")}})
	if err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("url-groups"), "Removed.")
}

func deleteURLGroup(r *request) error {
	if err := r.h.qstash.DeleteGroup(r.Context(), r.resource.ID, r.PathValue("group")); err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("url-groups"), "The URL group was deleted.")
}
