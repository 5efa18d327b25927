package console

import (
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashHostPages() []*page {
	const p = control.QStash
	return []*page{
		{route: "GET /r/{id}/hosts", title: "Hosts in trouble", view: "qstash-hosts", product: p, nav: nav{groupData, "Hosts in trouble", "alert"}, serve: showHosts},
		{route: "POST /r/{id}/hosts/{host}/release", product: p, serve: releaseHost},
	}
}

// hostRow is a host as the view "qstash-hosts" shows it.
type hostRow struct {
	qstash.Host
	Opened, Next time.Time
	URL          string
}

func showHosts(r *request) error {
	list, err := r.h.qstash.Hosts(r.Context(), r.resource.ID)
	if err != nil {
		return err
	}
	var rows []hostRow
	for _, h := range list {
		rows = append(rows, hostRow{h, time.UnixMilli(h.Since), time.UnixMilli(h.NextProbe), r.path("hosts", h.Name)})
	}
	return r.render(rows)
}

func releaseHost(r *request) error {
	host := r.PathValue("host")
	if err := r.h.qstash.ReleaseHost(r.Context(), r.resource.ID, host); err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("hosts"), "Messages to "+clip(host, 200)+" are sent again.")
}
