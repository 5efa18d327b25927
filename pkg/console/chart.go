package console

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/meter"
)

// chart is what the template "chart" draws: values of equal steps of time.
type chart struct {
	ID, Title string
	Total     string // beside the title
	Figure    string // its definition in figure.go; "": none
	Unit      unit
	Kind      chartKind
	Start     time.Time     // of the first step
	Step      time.Duration // ten seconds, a minute, an hour or a day
	Series    []series
}

type chartKind string

const (
	lines chartKind = "lines"
	bars  chartKind = "bars"
)

// unit is that of a chart's values.
type unit string

const (
	unitCount   unit = "count"
	unitBytes   unit = "bytes"
	unitMillis  unit = "ms"
	unitDollars unit = "usd"
	unitPercent unit = "percent"
)

func (u unit) format(v float64) string {
	switch u {
	case unitBytes:
		return formatBytes(int64(v))
	case unitMillis:
		return formatLatency(time.Duration(v * float64(time.Millisecond)))
	case unitDollars:
		return formatDollars(v)
	case unitPercent:
		return fmt.Sprintf("%.1f %%", v)
	}
	if v != float64(int64(v)) && v < 100 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return formatCount(int64(v))
}

// series are one quantity's values, one for each step; nil: unknown.
type series struct {
	Label  string
	Color  string // "1" to "4", or "mute"
	Dash   bool
	Fill   bool
	Values []*float64
}

func known(v float64) *float64 { return &v }

// valuesOf are what get makes of each step: nil where there is nothing to be known.
func valuesOf(steps []meter.Usage, get func(meter.Usage) *float64) []*float64 {
	values := make([]*float64, len(steps))
	for i, u := range steps {
		values[i] = get(u)
	}
	return values
}

// Empty reports whether there is nothing to see.
func (c chart) Empty() bool {
	for _, s := range c.Series {
		for _, v := range s.Values {
			if v != nil && *v != 0 {
				return false
			}
		}
	}
	return true
}

// JSON is what the script draws from.
func (c chart) JSON() (string, error) {
	type jsonSeries struct {
		Label  string     `json:"label"`
		Color  string     `json:"color"`
		Dash   bool       `json:"dash,omitempty"`
		Fill   bool       `json:"fill,omitempty"`
		Values []*float64 `json:"values"`
	}
	spec := struct {
		Unit   unit         `json:"unit"`
		Kind   chartKind    `json:"kind"`
		Step   int64        `json:"step"`
		Times  []int64      `json:"times"`
		Series []jsonSeries `json:"series"`
	}{Unit: c.Unit, Kind: c.Kind, Step: int64(c.Step / time.Second)}
	for i := range c.steps() {
		spec.Times = append(spec.Times, c.at(i).Unix())
	}
	for _, s := range c.Series {
		s.Values = slices.Clone(s.Values)
		for i, v := range s.Values {
			if v != nil && *v != math.Trunc(*v) {
				s.Values[i] = known(round(*v))
			}
		}
		spec.Series = append(spec.Series, jsonSeries(s))
	}
	text, err := json.Marshal(spec)
	return string(text), err
}

// round keeps six digits.
func round(v float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		return v
	}
	return short
}

func (c chart) steps() int {
	if len(c.Series) == 0 {
		return 0
	}
	return len(c.Series[0].Values)
}

func (c chart) at(i int) time.Time { return c.Start.UTC().Add(time.Duration(i) * c.Step) }

// Summary says in words what the chart shows.
func (c chart) Summary() string {
	text := strconv.Itoa(c.steps()) + " days"
	switch {
	case c.Step < time.Hour:
		text = (time.Duration(c.steps()) * c.Step).String()
	case c.Step < 24*time.Hour:
		text = strconv.Itoa(c.steps()) + " hours"
	}
	for _, s := range c.Series {
		var most float64
		for _, v := range s.Values {
			if v != nil {
				most = max(most, *v)
			}
		}
		text += fmt.Sprintf(", %s at most %s", s.Label, c.Unit.format(most))
	}
	return text
}

// row is a row of the chart as a table.
type row struct {
	Time   string
	Values []string
}

// maxRows bounds the table of a chart.
const maxRows = 200

// Rows are the steps in which there was anything, the latest first, and maxRows at most.
func (c chart) Rows() []row {
	layout := "2 Jan 2006"
	switch {
	case c.Step < time.Minute:
		layout = "15:04:05"
	case c.Step < 24*time.Hour:
		layout = "2 Jan 15:04"
	}
	var rows []row
	for i := c.steps() - 1; i >= 0; i-- {
		r := row{Time: c.at(i).Format(layout)}
		any := false
		for _, s := range c.Series {
			text := "–"
			if v := s.Values[i]; v != nil {
				text = c.Unit.format(*v)
				any = any || *v != 0
			}
			r.Values = append(r.Values, text)
		}
		if any {
			rows = append(rows, r)
		}
		if len(rows) == maxRows {
			break
		}
	}
	return rows
}
