package console

import (
	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
)

func kafkaGroupPages() []*page {
	const p = control.Kafka
	return []*page{
		{route: "GET /r/{id}/groups", title: "Consumer groups", view: "kafka-groups", product: p, nav: nav{groupData, "Consumer groups", "users"}, serve: showGroups},
		{route: "GET /r/{id}/groups/{group}", title: "Consumer group", view: "kafka-group", product: p, serve: showGroup},
		{route: "POST /r/{id}/groups/{group}/delete", product: p, serve: deleteGroup},
	}
}

// groupRow is a group in the list.
type groupRow struct {
	kafka.GroupLag
	Topics []string
	URL    string
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
