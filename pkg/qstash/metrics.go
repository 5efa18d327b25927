package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/meter"
)

// What metrics are of.
const (
	MetricsAll      = "all" // of the account
	MetricsQueue    = "queue"
	MetricsHost     = "host" // of destinations, with the port
	MetricsFlow     = "flowControlKey"
	MetricsSchedule = "schedule"
	MetricsWorkflow = "workflow" // by its URL
)

// Metrics sum up the attempts of a queue, a host, a flow control key, a schedule, a workflow or everything. How long
// messages waited here, and how long destinations took, are never added up.
type Metrics struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`      // "" of MetricsAll
	Messages  int    `json:"messages"`  // with attempts
	Attempts  int    `json:"attempts"`  // that have ended; those of the next three, and 2xx answers to messages cancelled meanwhile
	Delivered int    `json:"delivered"` // of Attempts
	Errors    int    `json:"errors"`    // of Attempts: answers with another status than 2xx
	NoAnswers int    `json:"noAnswers"` // of Attempts
	Failed    int    `json:"failed"`    // messages that have used up their retries
	Cancelled int    `json:"cancelled"` // messages

	Lag          Times `json:"lag"`          // from when an attempt was due until it was sent
	EndpointTime Times `json:"endpointTime"` // from then until the answer, or its absence
}

// Times are a distribution of durations, in milliseconds. Quantiles are right to 5 %.
type Times struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// times collects durations.
type times struct {
	sketch meter.Sketch
	max    int64
}

func (t *times) add(ms int64) {
	t.sketch.Add(time.Duration(ms)*time.Millisecond, 1)
	t.max = max(t.max, ms)
}

func (t *times) view() Times {
	q := func(of float64) float64 {
		// The sketch may be a bit above the greatest there is.
		return min(float64(t.max), float64(t.sketch.Quantile(of).Round(10*time.Microsecond))/1e6)
	}
	return Times{P50: q(0.5), P90: q(0.9), P99: q(0.99), Max: float64(t.max)}
}

// tally is metrics that are being summed up.
type tally struct {
	Metrics
	lag, endpoint times
}

func (t *tally) add(ev *event) {
	if ev.attempt() {
		t.Attempts++
		t.lag.add(ev.Lag)
		t.endpoint.add(ev.Took)
	}
	switch ev.State {
	case EventDelivered:
		t.Delivered++
	case EventError:
		if ev.Status == 0 {
			t.NoAnswers++
		} else {
			t.Errors++
		}
	case EventFailed:
		t.Failed++
	case EventCancelled:
		t.Cancelled++
	}
}

// maxMetrics bounds the names that metrics are summed up for.
const maxMetrics = 10_000

// Metrics sums up what the log has of a time, from and to included (ms; 0: no bound): all of the account first, then each
// queue, host, flow control key, schedule and workflow that had an event, in order. It reads the log's messages, a read unit for
// each 4 KiB, and keeps nothing.
func (e *Engine) Metrics(ctx context.Context, acct string, from, to int64) ([]Metrics, error) {
	filter := Filter{From: from, To: to}
	sums := map[[2]string]*tally{}
	err := e.messages(ctx, acct, &filter, "", true, func(m *message) (bool, error) {
		var events []event
		attempted := false
		for _, text := range m.attrs.Get(attrEvents).Elems() {
			var ev event
			if err := json.Unmarshal([]byte(text), &ev); err != nil {
				return false, fmt.Errorf("reading the log of message %s: %w", m.id, err)
			}
			if filter.inTime(ev.At) {
				events = append(events, ev)
				attempted = attempted || ev.attempt()
			}
		}
		if len(events) == 0 {
			return true, nil
		}
		for _, key := range m.rec.metrics() {
			t := sums[key]
			if t == nil {
				if len(sums) >= maxMetrics {
					continue
				}
				t = &tally{Metrics: Metrics{Kind: key[0], Name: key[1]}}
				sums[key] = t
			}
			if attempted {
				t.Messages++
			}
			for i := range events {
				t.add(&events[i])
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]Metrics, 0, len(sums))
	for _, t := range sums {
		t.Lag, t.EndpointTime = t.lag.view(), t.endpoint.view()
		list = append(list, t.Metrics)
	}
	slices.SortFunc(list, func(a, b Metrics) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return list, nil
}

// metrics names what a message counts for.
func (r *record) metrics() [][2]string {
	keys := [][2]string{{MetricsAll, ""}}
	add := func(kind, name string) {
		if name != "" {
			keys = append(keys, [2]string{kind, name})
		}
	}
	add(MetricsQueue, r.Queue)
	add(MetricsHost, r.host())
	add(MetricsSchedule, r.ScheduleID)
	if r.Flow != nil {
		add(MetricsFlow, r.Flow.Key)
	}
	if r.Workflow != nil {
		add(MetricsWorkflow, r.Workflow.URL)
	}
	return keys
}
