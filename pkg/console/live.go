package console

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
)

func livePages() []*page {
	return []*page{
		{route: "GET /r/{id}/live", title: "Live", view: "live", nav: nav{groupMain, "Live", "gauge"}, moves: true, local: true, serve: showLive},
	}
}

// How often a page that moves is asked for anew.
const (
	moveEvery      = 2 * time.Second
	moveEveryOnAWS = 30 * time.Second // each is an invocation, and reads what is counted there once a minute
)

// wantsEvents reports whether a page that moves asks for what it has become.
func (r *request) wantsEvents() bool {
	return r.page.moves && r.Method == http.MethodGet && r.Header.Get("Accept") == "text/event-stream"
}

// sendContent answers with the content of a page as one server-sent event. The answer ends, and the browser asks again: so it ends
// with the session, and works on AWS.
func (r *request) sendContent(name string, v *view) error {
	t := r.h.views[name]
	if t == nil {
		return fmt.Errorf("there is no view %s", name)
	}
	var body bytes.Buffer
	if err := t.ExecuteTemplate(&body, "content", v); err != nil {
		return fmt.Errorf("view %s: %w", name, err)
	}
	every := moveEvery
	if r.h.live == nil {
		every = moveEveryOnAWS
	}
	var event bytes.Buffer
	fmt.Fprintf(&event, "retry: %d\n", every.Milliseconds())
	for line := range strings.Lines(body.String()) {
		if line = strings.Trim(line, " \r\n"); line != "" {
			event.WriteString("data: " + line + "\n")
		}
	}
	event.WriteString("\n")
	r.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	edge.Send(r.w, r.Request, http.StatusOK, event.Bytes())
	return nil
}

// livePage is what the view "live" shows.
type livePage struct {
	Periods  []period
	Period   period
	Since    time.Time   // when the server was started; nothing is known of what was before
	Second   meter.Usage // the last ten seconds that are over
	Hour     meter.Usage
	Charts   []chart
	Commands []commandRow
	Failures []meter.Failure
}

// commandRow is a command with what it has used in an hour.
type commandRow struct {
	meter.CommandUse
	Share   string // of all calls
	HitRate string
	P50     time.Duration
	P99     time.Duration
	Cost    float64 // dollars of its request units on AWS
}

// maxCommandRows bounds the table of commands.
const maxCommandRows = 30

// perSecond is how many there were in each second of LiveStep.
func perSecond(n int64) string {
	v := float64(n) / meter.LiveStep.Seconds()
	if v > 0 && v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return formatCount(int64(v + 0.5))
}

func showLive(r *request) error {
	p := &livePage{Since: r.h.live.Since(), Periods: []period{
		{ID: "10m", Label: "10 minutes", Step: meter.LiveStep, Steps: 60},
		{ID: "1h", Label: "1 hour", Step: meter.LiveStep, Steps: 360},
		{ID: "24h", Label: "24 hours", Step: 5 * meter.LiveMinute, Steps: 24 * 12},
	}}
	p.Period = r.choose(p.Periods)
	of := usageOf(r.resource)
	// The present step is not over, and would always be the lowest.
	steps := r.liveSteps(p.Period)
	second := r.h.live.Steps(of, meter.LiveStep, 2)
	p.Second = second[0]
	for _, u := range r.h.live.Steps(of, meter.LiveMinute, 60) {
		p.Hour.Add(u)
	}
	p.Charts = liveCharts(r.resource.Product, p.Period, steps)
	p.Failures = r.h.live.Failures(of, 60)
	commands := r.h.live.Commands(of, 60)
	all := int64(0)
	for _, c := range commands {
		all += c.Calls
	}
	units := price.Prices().AWS.DynamoDB
	for _, c := range commands[:min(len(commands), maxCommandRows)] {
		p.Commands = append(p.Commands, commandRow{
			CommandUse: c, Share: fmt.Sprintf("%.1f %%", 100*float64(c.Calls)/float64(all)),
			HitRate: formatHitRate(meter.Counters{Hits: c.Hits, Misses: c.Misses}),
			P50:     c.Latency.Quantile(0.5), P99: c.Latency.Quantile(0.99),
			Cost: c.ReadUnits/1e6*units.MillionReadUnits + c.WriteUnits/1e6*units.MillionWriteUnits,
		})
	}
	return r.render(p)
}

// liveSteps is the usage of a period's steps, without the present one.
func (r *request) liveSteps(p period) []meter.Usage {
	of := usageOf(r.resource)
	if p.Step == meter.LiveStep {
		return r.h.live.Steps(of, meter.LiveStep, p.Steps+1)[:p.Steps]
	}
	per := int(p.Step / meter.LiveMinute)
	minutes := r.h.live.Steps(of, meter.LiveMinute, p.Steps*per+1)
	steps := make([]meter.Usage, p.Steps)
	for i := range steps {
		steps[i].Start = minutes[i*per].Start
		for _, u := range minutes[i*per : (i+1)*per] {
			steps[i].Add(u)
		}
	}
	return steps
}

// liveCharts are the charts of a product.
func liveCharts(product control.Product, p period, steps []meter.Usage) []chart {
	seconds := p.Step.Seconds()
	rate := func(get func(meter.Usage) float64) []*float64 {
		return valuesOf(steps, func(u meter.Usage) *float64 { return known(get(u) / seconds) })
	}
	commands := func(classes ...string) []*float64 {
		return rate(func(u meter.Usage) float64 {
			n := int64(0)
			for _, c := range classes {
				n += u.Class(c).Counters.Commands
			}
			return float64(n)
		})
	}
	quantile := func(q float64, of func(meter.Usage) meter.Sketch) []*float64 {
		return valuesOf(steps, func(u meter.Usage) *float64 {
			s := of(u)
			if s.Count() == 0 {
				return nil
			}
			return known(float64(s.Quantile(q)) / float64(time.Millisecond))
		})
	}
	own := func(u meter.Usage) meter.Sketch { return u.Latency }
	new := func(id, title, figure string, u unit, kind chartKind, s ...series) chart {
		return chart{ID: id, Title: title, Figure: figure, Unit: u, Kind: kind, Start: steps[0].Start, Step: p.Step, Series: s}
	}
	var charts []chart
	switch product {
	case control.Redis:
		charts = append(charts, new("throughput", "Commands a second", "live", unitCount, lines,
			series{Label: "Reads", Color: "1", Fill: true, Values: commands(meter.ClassRead)},
			series{Label: "Writes", Color: "2", Values: commands(meter.ClassWrite)},
			series{Label: "Scripts, messages, other", Color: "mute", Values: commands(meter.ClassScript, meter.ClassPubSub, meter.ClassOther)}))
	case control.Kafka:
		charts = append(charts, new("throughput", "Messages a second", "live", unitCount, lines,
			series{Label: "Produced", Color: "1", Fill: true, Values: commands(meter.ClassProduce)},
			series{Label: "Consumed", Color: "2", Values: commands(meter.ClassFetch, meter.ClassConsume)}))
	case control.QStash:
		charts = append(charts, new("throughput", "Messages a second", "live", unitCount, lines,
			series{Label: "Published", Color: "1", Fill: true, Values: commands(meter.ClassPublish)},
			series{Label: "Attempts to deliver", Color: "2", Values: commands(meter.ClassDeliver)}))
	}
	charts = append(charts, new("latency", "Latency", "latency", unitMillis, lines,
		series{Label: "p99.9", Color: "mute", Values: quantile(0.999, own)}, series{Label: "p99", Color: "3", Values: quantile(0.99, own)},
		series{Label: "p95", Color: "2", Values: quantile(0.95, own)}, series{Label: "p50", Color: "1", Values: quantile(0.5, own)}))
	if product == control.QStash {
		deliver := func(u meter.Usage) meter.Sketch { return u.Class(meter.ClassDeliver).Latency }
		charts = append(charts, new("endpoint", "Destinations took", "", unitMillis, lines,
			series{Label: "p99", Color: "3", Values: quantile(0.99, deliver)}, series{Label: "p50", Color: "1", Values: quantile(0.5, deliver)}))
	}
	count := func(get func(meter.Usage) int64) []*float64 {
		return valuesOf(steps, func(u meter.Usage) *float64 { return known(float64(get(u))) })
	}
	charts = append(charts, new("errors", "Errors", "errors", unitCount, bars,
		series{Label: "Errors", Color: "3", Values: count(func(u meter.Usage) int64 { return u.Counters.Errors })},
		series{Label: "Over a limit", Color: "mute", Values: count(func(u meter.Usage) int64 { return u.Counters.Blocked })}))
	if product == control.Redis {
		hits := valuesOf(steps, func(u meter.Usage) *float64 { return hitRate(u.Counters) })
		charts = append(charts, new("hits", "Hit rate", "hits", unitPercent, lines, series{Label: "Found, %", Color: "4", Values: hits}))
	}
	return append(charts,
		new("traffic", "Traffic a second", "traffic", unitBytes, lines,
			series{Label: "Received", Color: "1", Fill: true, Values: rate(func(u meter.Usage) float64 { return float64(u.Counters.BytesIn) })},
			series{Label: "Sent", Color: "2", Values: rate(func(u meter.Usage) float64 { return float64(u.Counters.BytesOut) })}),
		new("units", "Request units a second", "", unitCount, lines,
			series{Label: "Read", Color: "1", Values: rate(func(u meter.Usage) float64 { return u.Counters.ReadUnits })},
			series{Label: "Write", Color: "2", Values: rate(func(u meter.Usage) float64 { return u.Counters.WriteUnits })}))
}
