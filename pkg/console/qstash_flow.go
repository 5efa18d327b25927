package console

import (
	"net/http"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashFlowPages() []*page {
	const p = control.QStash
	return []*page{
		{route: "GET /r/{id}/flow-control", title: "Flow control", view: "qstash-flow", product: p, moves: true, nav: nav{groupData, "Flow control", "pause"}, serve: showFlows},
		{route: "POST /r/{id}/flow-control/{key}/pause", product: p, serve: pauseFlow},
		{route: "POST /r/{id}/flow-control/{key}/pin", product: p, serve: pinFlow},
		{route: "POST /r/{id}/flow-control/{key}/unpin", product: p, serve: unpinFlow},
		{route: "POST /r/{id}/flow-control/{key}/reset", product: p, serve: resetFlow},
	}
}

// flowRow is a flow control key as the view "qstash-flow" shows it.
type flowRow struct {
	qstash.FlowControl
	ID     string // of its dialogs
	Name   string // what can be shown of the key
	URL    string
	Period string
	Pinned bool
}

func showFlows(r *request) error {
	list, err := r.h.qstash.FlowControls(r.Context(), r.resource.ID, r.query("search"))
	if err != nil {
		return err
	}
	var rows []flowRow
	for i, f := range list {
		rows = append(rows, flowRow{
			FlowControl: f, ID: strconv.Itoa(i), Name: line(f.Key), URL: r.path("flow-control", f.Key),
			Period: span(time.Duration(f.RatePeriod) * time.Second), Pinned: f.PinnedParallelism || f.PinnedRate,
		})
	}
	return r.render(rows)
}

// existingFlow is the key in the path. It refuses one that there is not: to change it would create it.
func (r *request) existingFlow() (string, error) {
	f, err := r.h.qstash.FlowControl(r.Context(), r.resource.ID, r.PathValue("key"))
	return f.Key, qstashError(err)
}

// changeFlow carries out a change of the key in the path.
func (r *request) changeFlow(said string, change func(key string) error) error {
	key, err := r.existingFlow()
	if err != nil {
		return err
	}
	if err := change(key); err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("flow-control"), said)
}

func pauseFlow(r *request) error {
	paused, said := r.form("paused") != "", "Its messages are sent again."
	if paused {
		said = "Paused: messages with the key wait until it is resumed."
	}
	return r.changeFlow(said, func(key string) error { return r.h.qstash.PauseFlow(r.Context(), r.resource.ID, key, paused) })
}

// pinFlow sets limits that messages do not change any more. A field that is empty leaves a limit as it is.
func pinFlow(r *request) error {
	number := func(name string) (*int, error) {
		if r.form(name) == "" {
			return nil, nil
		}
		n, err := strconv.Atoi(r.form(name))
		if err != nil || n < 1 {
			return nil, edge.Refuse(http.StatusUnprocessableEntity, "Limits are whole numbers of at least 1.")
		}
		return &n, nil
	}
	parallelism, err := number("parallelism")
	if err != nil {
		return err
	}
	rate, err := number("rate")
	if err != nil {
		return err
	}
	period, err := number("period")
	if err != nil {
		return err
	}
	seconds := time.Second
	if period != nil {
		seconds = time.Duration(*period) * time.Second
	}
	return r.changeFlow("The limits are pinned: messages do not change them any more.", func(key string) error {
		return r.h.qstash.PinFlow(r.Context(), r.resource.ID, key, parallelism, rate, seconds)
	})
}

func unpinFlow(r *request) error {
	return r.changeFlow("The next message with the key sets its limits.", func(key string) error {
		return r.h.qstash.UnpinFlow(r.Context(), r.resource.ID, key, true, true)
	})
}

func resetFlow(r *request) error {
	return r.changeFlow("The period begins anew.", func(key string) error { return r.h.qstash.ResetRate(r.Context(), r.resource.ID, key) })
}
