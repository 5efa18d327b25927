package stats

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// defaultPercentiles are those that INFO shows unless CONFIG SET says otherwise.
var defaultPercentiles = []float64{50, 99, 99.9}

// maxPercentiles bounds them.
const maxPercentiles = 32

// Section writes the lines of a section of INFO: commandstats, errorstats or latencystats. Of others there are none.
func (d *Database) Section(name string, line func(name string, value any)) {
	switch name {
	case "commandstats":
		for _, c := range d.counted() {
			calls, micros := c.calls(), c.nanos.Load()/1000
			each := 0.0
			if calls > 0 {
				each = float64(micros) / float64(calls)
			}
			line("cmdstat_"+c.command.Full(), fmt.Sprintf("calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d",
				calls, micros, each, c.rejected.Load(), c.failed.Load()))
		}
	case "errorstats":
		counts := d.failures.counts()
		for _, kind := range slices.Sorted(maps.Keys(counts)) {
			line("errorstat_"+plain.Replace(kind), fmt.Sprintf("count=%d", counts[kind]))
		}
	case "latencystats":
		d.latencies(line)
	}
}

// plain takes out of the kind of an error, which a script may choose, what would break a line of INFO.
var plain = strings.NewReplacer("#", "_", ":", "_", "\n", "_", "\r", "_")

func (f *failures) counts() map[string]int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	counts := map[string]int64{}
	for kind, n := range f.of {
		counts[kind] = n.Load()
	}
	return counts
}

func (d *Database) latencies(line func(name string, value any)) {
	d.mu.Lock()
	percentiles := d.percentiles
	d.mu.Unlock()
	for _, c := range d.counted() {
		if c.took.calls() == 0 {
			continue
		}
		parts := make([]string, len(percentiles))
		for i, p := range percentiles {
			parts[i] = fmt.Sprintf("p%s=%.3f", percent(p), float64(c.took.percentile(p))/1000)
		}
		line("latency_percentiles_usec_"+c.command.Full(), strings.Join(parts, ","))
	}
}

func percent(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) }

// Settings are the parameters of CONFIG that are about statistics.
func (d *Database) Settings() [][2]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	shown := make([]string, len(d.percentiles))
	for i, p := range d.percentiles {
		shown[i] = percent(p)
	}
	tracking := "yes"
	if d.untracked.Load() {
		tracking = "no"
	}
	return [][2]string{
		{"latency-monitor-threshold", strconv.FormatInt(d.threshold.Load(), 10)},
		{"latency-tracking", tracking},
		{"latency-tracking-info-percentiles", strings.Join(shown, " ")},
	}
}

// Set changes one of them. known is false if the name is of none.
func (d *Database) Set(name, value string) (known bool, err error) {
	switch name {
	case "latency-monitor-threshold":
		n, ok := num.ParseInt(value)
		if !ok {
			return true, errors.New("argument couldn't be parsed into an integer")
		}
		if n < 0 {
			return true, errors.New("argument must be between 0 and 9223372036854775807 inclusive")
		}
		d.threshold.Store(n)
	case "latency-tracking":
		no := strings.EqualFold(value, "no")
		if !no && !strings.EqualFold(value, "yes") {
			return true, errors.New("argument must be 'yes' or 'no'")
		}
		d.untracked.Store(no)
	case "latency-tracking-info-percentiles":
		list, err := parsePercentiles(value)
		if err != nil {
			return true, err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.percentiles = list
	default:
		return false, nil
	}
	return true, nil
}

// errPercentiles has Redis's words.
const errPercentiles resp.Error = "Invalid latency-tracking-info-percentiles parameters"

func parsePercentiles(value string) ([]float64, error) {
	fields := strings.Fields(value)
	if len(fields) > maxPercentiles {
		return nil, errors.New("too many latency-tracking-info-percentiles parameters")
	}
	list := make([]float64, 0, len(fields))
	for _, field := range fields {
		p, err := strconv.ParseFloat(field, 64)
		if err != nil || math.IsNaN(p) {
			return nil, errPercentiles
		}
		if p < 0 || p > 100 {
			return nil, errors.New("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		list = append(list, p)
	}
	return list, nil
}

// Rates are how much a database's clients do, in a second.
type Rates struct{ Commands, BytesIn, BytesOut float64 }

// rates remembers the totals of two moments at least a second apart.
type rates struct {
	at        time.Time
	totals    [3]int64
	perSecond Rates
}

// Rates returns the rates since they were asked for last, or since the second before.
func (d *Database) Rates() Rates {
	totals := [3]int64{d.Calls(), d.BytesIn.Load(), d.BytesOut.Load()}
	now := d.book.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &d.rates
	past := now.Sub(r.at).Seconds()
	switch {
	case r.at.IsZero():
		r.at, r.totals = now, totals
	case past >= 1:
		r.perSecond = Rates{float64(totals[0]-r.totals[0]) / past, float64(totals[1]-r.totals[1]) / past, float64(totals[2]-r.totals[2]) / past}
		r.at, r.totals = now, totals
	}
	return r.perSecond
}
