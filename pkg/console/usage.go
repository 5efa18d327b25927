package console

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
)

func usagePages() []*page {
	return []*page{
		{route: "GET /r/{id}/usage", title: "Usage", view: "usage", moves: true, nav: nav{groupManage, "Usage and cost", "chart"}, serve: showUsage},
		{route: "POST /r/{id}/usage/measure", serve: measureStorage},
	}
}

// period is a time that usage is shown for.
type period struct {
	ID, Label string
	Step      time.Duration
	Steps     int
	Current   bool
}

// choose marks the period that the request asks for, or the first one, and returns it.
func (r *request) choose(periods []period) period {
	i := max(0, slices.IndexFunc(periods, func(p period) bool { return p.ID == r.query("period") }))
	periods[i].Current = true
	return periods[i]
}

func periods() []period {
	const day = 24 * time.Hour
	return []period{
		{ID: "24h", Label: "24 hours", Step: time.Hour, Steps: 24},
		{ID: "7d", Label: "7 days", Step: time.Hour, Steps: 7 * 24},
		{ID: "30d", Label: "30 days", Step: day, Steps: 30},
		{ID: "90d", Label: "90 days", Step: day, Steps: 90},
	}
}

// usagePage is what the view "usage" shows.
type usagePage struct {
	Periods []period
	Period  period
	From    time.Time
	Total   meter.Usage // of the period
	Status  meter.Status
	Limits  []limitUse
	Charts  []chart
	Month   *summary
	Prices  *price.List
	Saved   string // of what Upstash would bill by the end of the month
	Classes []meter.ClassUsage
	Bill    bill
	Basis   string // what the forecast goes by
}

// bill is a bill whose lines add up as they are written.
type bill struct {
	Lines []billLine
	Total string
}

type billLine struct {
	What, Unit string
	Quantity   float64
	Amount     string
}

// newBill writes all amounts with the same number of decimals. What rounding has left over is the largest line's.
func newBill(b price.Bill) bill {
	decimals := 6
	switch {
	case b.Total >= 100:
		decimals = 2
	case b.Total >= 0.1:
		decimals = 4
	}
	unit := math.Pow10(decimals)
	total := int64(math.Round(b.Total * unit))
	left, largest := total, 0
	amounts := make([]int64, len(b.Lines))
	for i, l := range b.Lines {
		amounts[i] = int64(math.Round(l.Dollars * unit))
		left -= amounts[i]
		if amounts[i] > amounts[largest] {
			largest = i
		}
	}
	if len(amounts) > 0 {
		amounts[largest] += left
	}
	text := func(n int64) string { return "$" + strconv.FormatFloat(float64(n)/unit, 'f', decimals, 64) }
	out := bill{Total: text(total)}
	for i, l := range b.Lines {
		out.Lines = append(out.Lines, billLine{l.What, l.Unit, l.Quantity, text(amounts[i])})
	}
	return out
}

// forecastBasis says what a forecast goes by.
func forecastBasis(days int) string {
	switch days {
	case 0:
		return "The forecast takes what was used today for what a whole day uses, since no day is over yet."
	case 1:
		return "The forecast goes by yesterday."
	}
	return fmt.Sprintf("The forecast goes by the last %d days.", days)
}

// measureStorage measures what is stored now, by reading all of it.
func measureStorage(r *request) error {
	if err := r.h.sizer.Measure(r.Context(), usageOf(r.resource)); err != nil {
		return err
	}
	return r.redirect(r.path("usage"), "Storage was measured.")
}

// limitUse is a limit with what is used of it.
type limitUse struct {
	Label, Used, Of, Note string
	Fraction              float64
	Percent               string
	Set                   bool
}

func showUsage(r *request) error {
	data := usagePage{Periods: periods()}
	data.Period = r.choose(data.Periods)
	now := r.h.now().UTC()
	to := now.Truncate(data.Period.Step).Add(data.Period.Step)
	data.From = to.Add(-time.Duration(data.Period.Steps) * data.Period.Step)
	read := r.h.book.Days
	if data.Period.Step == time.Hour {
		read = r.h.book.Hours
	}
	found, err := read(r.Context(), usageOf(r.resource), data.From, to)
	if err != nil {
		return err
	}
	steps := spread(found, data.From, data.Period)
	for _, u := range found {
		data.Total.Add(u)
	}
	data.Classes = data.Total.Classes
	if data.Status, err = r.h.book.Status(r.Context(), usageOf(r.resource)); err != nil {
		return err
	}
	if data.Month, err = r.h.summarize(r.Context(), r.resource); err != nil {
		return err
	}
	data.Prices = price.Prices()
	data.Bill, data.Basis = newBill(data.Month.Cost.ToDate), forecastBasis(data.Month.Cost.Basis)
	if ours, theirs := data.Month.Cost.Forecast, data.Month.Cost.UpstashForecast; theirs > ours && theirs > 0 {
		data.Saved = fmt.Sprintf("%.0f %%", 100*(theirs-ours)/theirs)
	}
	if data.Limits, err = r.limitUses(now, data.Month); err != nil {
		return err
	}
	data.Charts = append([]chart{r.costChart(data, steps)}, usageCharts(data, steps)...)
	return r.render(data)
}

// spread gives each step of a period its usage; zero where there was none.
func spread(found []meter.Usage, from time.Time, p period) []meter.Usage {
	steps := make([]meter.Usage, p.Steps)
	for i := range steps {
		steps[i].Start = from.Add(time.Duration(i) * p.Step)
	}
	for _, u := range found {
		if i := int(u.Start.Sub(from) / p.Step); i >= 0 && i < len(steps) {
			steps[i] = u
		}
	}
	return steps
}

// limitUses are the resource's limits, with what is used today and in this month.
func (r *request) limitUses(now time.Time, month *summary) ([]limitUse, error) {
	today, err := r.h.book.Day(r.Context(), usageOf(r.resource), now)
	if err != nil {
		return nil, err
	}
	l := r.resource.Limits
	requests := limitUse{Label: "Requests today", Used: formatCount(today.Counters.Commands), Note: "Commands or messages. Starts again at 0:00 UTC."}
	if l.DailyRequests > 0 {
		requests.set(float64(today.Counters.Commands)/float64(l.DailyRequests), formatCount(l.DailyRequests))
	}
	budget := limitUse{Label: "Cost this month", Used: formatDollars(month.Cost.ToDate.Total), Note: "Starts again on the first of the month, 0:00 UTC."}
	if l.MonthlyBudget > 0 {
		budget.set(month.Cost.ToDate.Total/l.MonthlyBudget, formatDollars(l.MonthlyBudget))
	}
	return []limitUse{requests, budget}, nil
}

func (l *limitUse) set(fraction float64, of string) {
	l.Set, l.Of, l.Fraction, l.Percent = true, of, min(fraction, 1), fmt.Sprintf("%.0f %%", fraction*100)
}

// costChart is what the steps of a period cost, beside what Upstash would bill. What is stored now counts
// for all of them. What Upstash includes in a month it gives to each step in full: traffic, of which
// months with less than that are not billed either. Nothing was stored before the resource was made.
func (r *request) costChart(p usagePage, steps []meter.Usage) chart {
	const month = 730 * time.Hour
	ours, theirs := make([]*float64, len(steps)), make([]*float64, len(steps))
	var sumOurs, sumTheirs float64
	now, created := r.h.now(), r.resource.CreatedAt
	for i, u := range steps {
		part := float64(overlap(u.Start, u.Start.Add(p.Period.Step), created, now)) / float64(month)
		a := price.Estimate(string(r.resource.Product), u, p.Month.Storage, part).Total
		b := price.Upstash(string(r.resource.Product), u, p.Month.Storage, part).Total
		ours[i], theirs[i] = known(a), known(b)
		sumOurs, sumTheirs = sumOurs+a, sumTheirs+b
	}
	return chart{
		ID: "cost", Title: "Cost", Total: formatDollars(sumOurs) + " on AWS, Upstash would bill " + formatDollars(sumTheirs),
		Unit: unitDollars, Kind: lines, Start: p.From, Step: p.Period.Step,
		Series: []series{{Label: "AWS, estimated", Color: "1", Fill: true, Values: ours}, {Label: "Upstash", Color: "mute", Dash: true, Values: theirs}},
	}
}

// overlap is how long two times have in common.
func overlap(from, to, otherFrom, otherTo time.Time) time.Duration {
	if otherFrom.After(from) {
		from = otherFrom
	}
	if otherTo.Before(to) {
		to = otherTo
	}
	return max(0, to.Sub(from))
}

func usageCharts(p usagePage, steps []meter.Usage) []chart {
	of := func(get func(meter.Usage) float64) []*float64 {
		return valuesOf(steps, func(u meter.Usage) *float64 { return known(get(u)) })
	}
	latency := func(get func(meter.Usage) time.Duration) []*float64 {
		return valuesOf(steps, func(u meter.Usage) *float64 {
			if u.Counters.Requests == 0 {
				return nil
			}
			return known(float64(get(u)) / float64(time.Millisecond))
		})
	}
	c := p.Total.Counters
	new := func(id, title, total string, u unit, kind chartKind, s ...series) chart {
		return chart{ID: id, Title: title, Total: total, Unit: u, Kind: kind, Start: p.From, Step: p.Period.Step, Series: s}
	}
	return []chart{
		new("requests", "Requests and commands", formatCount(c.Requests)+" requests, "+formatCount(c.Commands)+" commands", unitCount, lines,
			series{Label: "Commands", Color: "1", Fill: true, Values: of(func(u meter.Usage) float64 { return float64(u.Counters.Commands) })},
			series{Label: "Requests", Color: "2", Values: of(func(u meter.Usage) float64 { return float64(u.Counters.Requests) })}),
		new("latency", "Latency", "p50 "+formatLatency(p.Total.P50())+", p99 "+formatLatency(p.Total.P99()), unitMillis, lines,
			series{Label: "p99", Color: "3", Values: latency(meter.Usage.P99)},
			series{Label: "p50", Color: "1", Values: latency(meter.Usage.P50)}),
		new("traffic", "Traffic", formatBytes(c.BytesIn)+" in, "+formatBytes(c.BytesOut)+" out", unitBytes, lines,
			series{Label: "Received", Color: "1", Fill: true, Values: of(func(u meter.Usage) float64 { return float64(u.Counters.BytesIn) })},
			series{Label: "Sent", Color: "2", Values: of(func(u meter.Usage) float64 { return float64(u.Counters.BytesOut) })}),
		new("errors", "Errors", formatCount(c.Errors)+" errors, "+formatCount(c.Blocked)+" over a limit", unitCount, bars,
			series{Label: "Commands and requests (4xx)", Color: "2", Values: of(func(u meter.Usage) float64 { own := u.Own(); return float64(max(0, own.Errors-own.Failed)) })},
			series{Label: "Requests that failed (5xx)", Color: "3", Values: of(func(u meter.Usage) float64 { return float64(u.Own().Failed) })},
			series{Label: "Over a limit", Color: "mute", Values: of(func(u meter.Usage) float64 { return float64(u.Counters.Blocked) })}),
	}
}
