package console

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashMetricsPages() []*page {
	return []*page{
		{route: "GET /r/{id}/metrics", title: "Metrics", view: "qstash-metrics", product: control.QStash, moves: true, nav: nav{groupData, "Metrics", "gauge"}, serve: showMetrics},
	}
}

// metricsPage is what the view "qstash-metrics" shows.
type metricsPage struct {
	Periods   []period
	Period    period
	All       *metricsRow // nil: there were no attempts
	Tables    []metricsTable
	Delivered string // share of all attempts
}

// metricsTable are the metrics of one kind.
type metricsTable struct {
	ID, Title, Column string
	Rows              []metricsRow
}

// metricsRow are metrics as a page shows them.
type metricsRow struct {
	Name, URL                                                           string // URL: of the log; "": it cannot be filtered so
	Messages, Attempts, Delivered, Errors, NoAnswers, Failed, Cancelled string
	WaitedP50, WaitedP99, TookP50, TookP99                              string
}

// metricsTables are the kinds in the order of the page, and the log's filter for a name.
var metricsTables = []struct{ kind, title, column, filter string }{
	{qstash.MetricsQueue, "Queues", "Queue", "queue"},
	{qstash.MetricsHost, "Destination hosts", "Host", ""},
	{qstash.MetricsSchedule, "Schedules", "Schedule", "schedule"},
	{qstash.MetricsWorkflow, "Workflows", "Workflow", ""},
	{qstash.MetricsFlow, "Flow control keys", "Key", ""},
}

// metricsPeriods are the times that metrics are of: up to what the log keeps.
func (r *request) metricsPeriods() []period {
	kept := r.h.qstash.Limits().LogsFor
	list := []period{{ID: "1h", Label: "1 hour", Step: time.Hour}}
	if kept > 24*time.Hour {
		list = append(list, period{ID: "24h", Label: "24 hours", Step: 24 * time.Hour})
	}
	return append(list, period{ID: "all", Label: span(kept), Step: kept})
}

func showMetrics(r *request) error {
	p := &metricsPage{Periods: r.metricsPeriods()}
	p.Period = r.choose(p.Periods)
	list, err := r.h.qstash.Metrics(r.Context(), r.resource.ID, r.h.now().Add(-p.Period.Step).UnixMilli(), 0)
	if err != nil {
		return qstashError(err)
	}
	rows := map[string][]metricsRow{}
	for _, m := range list {
		rows[m.Kind] = append(rows[m.Kind], newMetricsRow(m))
	}
	if len(list) > 0 && list[0].Attempts > 0 { // of MetricsAll
		p.All = &rows[qstash.MetricsAll][0]
		p.Delivered = fmt.Sprintf("%.1f %%", 100*float64(list[0].Delivered)/float64(list[0].Attempts))
	}
	for _, t := range metricsTables {
		if t.filter != "" {
			for i := range rows[t.kind] {
				rows[t.kind][i].URL = r.path("logs") + "?" + url.Values{t.filter: {rows[t.kind][i].Name}}.Encode()
			}
		}
		if len(rows[t.kind]) > 0 {
			p.Tables = append(p.Tables, metricsTable{t.kind, t.title, t.column, rows[t.kind]})
		}
	}
	return r.render(p)
}

func newMetricsRow(m qstash.Metrics) metricsRow {
	n := func(n int) string { return formatCount(int64(n)) }
	ms := func(v float64) string {
		if m.Attempts == 0 {
			return "–"
		}
		return formatMillis(v)
	}
	return metricsRow{
		Name: m.Name, Messages: n(m.Messages), Attempts: n(m.Attempts), Delivered: n(m.Delivered), Errors: n(m.Errors),
		NoAnswers: n(m.NoAnswers), Failed: n(m.Failed), Cancelled: n(m.Cancelled),
		WaitedP50: ms(m.Lag.P50), WaitedP99: ms(m.Lag.P99), TookP50: ms(m.EndpointTime.P50), TookP99: ms(m.EndpointTime.P99),
	}
}

// formatMillis writes a time that was measured in milliseconds.
func formatMillis(ms float64) string {
	switch {
	case ms < 1:
		return "< 1 ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	}
	return formatLatency(time.Duration(ms * float64(time.Millisecond)))
}
