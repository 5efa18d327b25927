package rest

import (
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
)

// usage is what a resource has used in some time.
type usage struct {
	Start    time.Time      `json:"start"`
	Counters meter.Counters `json:"counters"`
	P50      float64        `json:"p50_ms"`
	P99      float64        `json:"p99_ms"`
	Classes  []classUsage   `json:"classes"`
}

type classUsage struct {
	Class    string         `json:"class"`
	Counters meter.Counters `json:"counters"`
	P50      float64        `json:"p50_ms"`
	P99      float64        `json:"p99_ms"`
}

// report is the answer about a resource's usage.
type report struct {
	Resource string          `json:"resource"`
	Product  control.Product `json:"product"`
	By       string          `json:"by"`
	Usage    []usage         `json:"usage"`
	Month    usage           `json:"month"` // the present one, so far
	Storage  storage         `json:"storage"`
	Status   meter.Status    `json:"status"`
}

type storage struct {
	Bytes int64     `json:"bytes"`
	Items int64     `json:"items"`
	At    time.Time `json:"at"` // when they were counted; the year 1: never
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func showUsage(u meter.Usage) usage {
	out := usage{u.Start, u.Counters, millis(u.P50()), millis(u.P99()), []classUsage{}}
	for _, x := range u.Classes {
		out.Classes = append(out.Classes, classUsage{x.Class, x.Counters, millis(x.Latency.Quantile(0.5)), millis(x.Latency.Quantile(0.99))})
	}
	return out
}

// meterOf names a resource in the book.
func meterOf(r *control.Resource) meter.Resource {
	return meter.Resource{Product: string(r.Product), ID: r.ID}
}

// Spans of usage that can be asked for at once.
const (
	maxHours = 31 * 24 * time.Hour
	maxDays  = 400 * 24 * time.Hour
)

func (x *exchange) usage() (any, error) {
	r, err := x.resource(x.ids[0], "")
	if err != nil {
		return nil, err
	}
	now := x.cfg.Now().UTC()
	query := x.r.URL.Query()
	by := query.Get("by")
	read, span, most := x.cfg.Book.Hours, 24*time.Hour, maxHours
	switch by {
	case "", "hour":
		by = "hour"
	case "day":
		read, span, most = x.cfg.Book.Days, 30*24*time.Hour, maxDays
	default:
		return nil, badRequest("by must be hour or day")
	}
	to, err := timeParameter(query.Get("to"), now)
	if err != nil {
		return nil, err
	}
	from, err := timeParameter(query.Get("from"), to.Add(-span))
	if err != nil {
		return nil, err
	}
	if to.Before(from) || to.Sub(from) > most {
		return nil, badRequest("from must not be after to, and at most %d days before", int(most.Hours())/24)
	}
	of := meterOf(r)
	parts, err := read(x.ctx, of, from, to)
	if err != nil {
		return nil, err
	}
	month, err := x.cfg.Book.Month(x.ctx, of, now)
	if err != nil {
		return nil, err
	}
	stored, err := x.cfg.Book.Storage(x.ctx, of)
	if err != nil {
		return nil, err
	}
	status, err := x.cfg.Book.Status(x.ctx, of)
	if err != nil {
		return nil, err
	}
	out := report{
		Resource: r.ID, Product: r.Product, By: by, Usage: []usage{}, Month: showUsage(month),
		Storage: storage{stored.Bytes, stored.Items, stored.At}, Status: status,
	}
	for _, u := range parts {
		out.Usage = append(out.Usage, showUsage(u))
	}
	return out, nil
}

func timeParameter(text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, badRequest("%.40q is no time as RFC 3339 has it", text)
	}
	return t.UTC(), nil
}
