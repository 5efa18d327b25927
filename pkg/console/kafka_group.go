package console

import (
	"net/http"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
)

func kafkaGroupPages() []*page {
	const p = control.Kafka
	return []*page{
		{route: "GET /r/{id}/groups", title: "Consumer groups", view: "kafka-groups", product: p, moves: true, nav: nav{groupData, "Consumer groups", "users"}, serve: showGroups},
		{route: "GET /r/{id}/groups/{group}", title: "Consumer group", view: "kafka-group", product: p, moves: true, serve: showGroup},
		{route: "POST /r/{id}/groups/{group}/reset", product: p, serve: resetGroup},
		{route: "POST /r/{id}/groups/{group}/delete", product: p, serve: deleteGroup},
	}
}

// groupRow is a group in the list.
type groupRow struct {
	kafka.GroupLag
	Topics []string
	URL    string
}

func lagNote(g kafka.GroupLag) string {
	if n := g.Unknown(); n > 0 {
		return "nothing is committed in " + formatCount(int64(n)) + " of its partitions, where all messages count"
	}
	return "messages behind what is committed"
}

func showGroups(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	groups, err := r.h.kafka.Lags(r.Context(), c)
	if err != nil {
		return err
	}
	var rows []groupRow
	for _, g := range groups {
		row := groupRow{GroupLag: g, URL: r.path("groups", g.Name)}
		for _, p := range g.Partitions {
			if n := len(row.Topics); n == 0 || row.Topics[n-1] != p.Topic {
				row.Topics = append(row.Topics, p.Topic)
			}
		}
		rows = append(rows, row)
	}
	return r.render(rows)
}

func showGroup(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	g, err := r.h.kafka.Lag(r.Context(), c, r.PathValue("group"))
	if kafka.IsKind(err, kafka.NotFound) || kafka.IsKind(err, kafka.Invalid) {
		return notFound("group")
	}
	if err != nil {
		return err
	}
	return r.render(groupRow{GroupLag: *g, URL: r.path("groups", g.Name)})
}

// resetGroup sets the committed offsets of one topic, or of all that the group has read.
func resetGroup(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	name := r.PathValue("group")
	g, err := r.h.kafka.Lag(r.Context(), c, name)
	if err != nil {
		return kafkaError(err)
	}
	to := kafka.ResetTo{Offset: -1, Time: kafka.Latest}
	if r.form("to") == "earliest" {
		to.Time = kafka.Earliest
	}
	if text := r.form("time"); r.form("to") == "time" {
		at, err := time.Parse("2006-01-02T15:04", text)
		if err != nil || at.UnixMilli() < 0 {
			return edge.Refuse(http.StatusUnprocessableEntity, "Choose a time, in UTC.")
		}
		to.Time = at.UnixMilli()
	}
	var resets []kafka.ResetTo
	for _, p := range g.Partitions {
		if topic := r.form("topic"); topic == "" || topic == p.Topic {
			to.TopicPartition = p.TopicPartition
			resets = append(resets, to)
		}
	}
	offsets, err := r.h.kafka.FindResets(r.Context(), c, resets, resetTimeout)
	if err != nil {
		return kafkaError(err)
	}
	if err := r.h.kafka.ResetOffsets(r.Context(), c, name, offsets); err != nil {
		return kafkaError(err)
	}
	return r.redirect(r.path("groups", name), "The group's next consumers begin there.")
}

// resetTimeout is how long a reset waits for messages that were accepted before it.
const resetTimeout = 2 * time.Second

func deleteGroup(r *request) error {
	c, err := r.cluster()
	if err != nil {
		return err
	}
	if err := r.h.kafka.DeleteGroup(r.Context(), c, r.PathValue("group")); err != nil {
		return kafkaError(err)
	}
	return r.redirect(r.path("groups"), "Group "+r.PathValue("group")+" was deleted.")
}
