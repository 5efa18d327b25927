package qstash_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/metertest"
	"github.com/skystash/skystash/pkg/qstash"
)

// A message waits for its turn in a queue, and then takes its time at the destination. The two are told apart
// in the log, in the metrics, in usage and by Observe.
func TestLagAndEndpointTimeAreToldApart(t *testing.T) {
	var attempts []qstash.Attempt
	var records metertest.Records
	w := newWorld(t, func(cfg *qstash.Config) {
		cfg.Observe = func(a qstash.Attempt) { attempts = append(attempts, a) }
		cfg.Meter = &records
	})
	status := []int{500, 200, 200}
	w.answer = func(qstash.Delivery) (qstash.Response, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now = w.now.Add(400 * time.Millisecond)
		s := status[0]
		status = status[1:]
		if s == 500 {
			return qstash.Response{}, &qstash.NoAnswer{Reason: "no"}
		}
		return qstash.Response{Status: s}, nil
	}
	begin := w.now
	first := w.publish("https://a.example/", "", qstash.Options{Queue: "q", RetryDelay: "2000"})
	second := w.publish("https://a.example/", "", qstash.Options{Queue: "q", Flow: &qstash.Flow{Key: "k", Parallelism: 5}})
	w.run(time.Hour)
	// 0.0 to 0.4 s: the first, without an answer; from 2.4 to 2.8 s again; the second waits until then.
	want := []qstash.Attempt{
		{MessageID: first, State: qstash.EventRetry, Lag: 0},
		{MessageID: first, State: qstash.EventDelivered, Lag: 0},
		{MessageID: second, State: qstash.EventDelivered, Lag: 2800 * time.Millisecond},
	}
	if len(attempts) != len(want) {
		t.Fatalf("attempts %+v", attempts)
	}
	for i, a := range attempts {
		if a.MessageID != want[i].MessageID || a.State != want[i].State || a.Lag != want[i].Lag || a.Took != 400*time.Millisecond || a.Account != acct || a.URL != "https://a.example/" {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
	entries, _, err := w.engine.Logs(t.Context(), acct, qstash.LogQuery{Filter: qstash.Filter{MessageIDs: []string{second}}, Count: 10, Earliest: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch {
		case e.State != qstash.EventDelivered:
			if e.Lag != nil || e.EndpointTime != nil {
				t.Errorf("times of %s", e.State)
			}
		case *e.Lag != 2800 || *e.EndpointTime != 400:
			t.Errorf("lag %d, endpoint time %d", *e.Lag, *e.EndpointTime)
		}
	}
	for _, r := range records.Take() {
		if r.Class == meter.ClassDeliver && (r.Duration != 400*time.Millisecond || r.Lag != nil || r.Dead) {
			t.Errorf("a delivery of %v, lag %v, dead %v", r.Duration, r.Lag, r.Dead)
		}
	}
	list, err := w.engine.Metrics(t.Context(), acct, begin.UnixMilli(), 0)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]qstash.Metrics{}
	for _, m := range list {
		byName[m.Kind+" "+m.Name] = m
	}
	q, k := byName["queue q"], byName["flowControlKey k"]
	if len(list) != 4 || byName["host a.example"].Attempts != 3 || q.Messages != 2 || q.Attempts != 3 || q.Delivered != 2 || q.NoAnswers != 1 || q.Errors != 0 || q.Lag.Max != 2800 || q.Lag.P50 != 0 || q.EndpointTime.Max != 400 ||
		k.Messages != 1 || k.Attempts != 1 || k.Lag.P50 < 2660 || k.Lag.P50 > 2940 || k.EndpointTime.P50 < 380 || k.EndpointTime.P50 > 420 || byName["all "].Attempts != 3 {
		t.Errorf("metrics %+v", list)
	}
	if list, err = w.engine.Metrics(t.Context(), acct, w.now.UnixMilli(), 0); err != nil || len(list) != 0 {
		t.Errorf("metrics %+v, %v of a time in which nothing happened", list, err)
	}
}

// The meter is told of the lag that is ours, and of attempts that leave a dead letter.
func TestMeterIsToldOfLagAndDeadLetters(t *testing.T) {
	var records metertest.Records
	w := newWorld(t, func(cfg *qstash.Config) { cfg.Meter = &records })
	w.answer = failing(500)
	w.publish("https://a.example/", "", qstash.Options{Delay: time.Minute, Retries: retries(1), RetryDelay: "1000"})
	w.mu.Lock()
	w.now = w.now.Add(time.Minute + 250*time.Millisecond)
	w.mu.Unlock()
	w.run(time.Hour)
	var got []string
	for _, r := range records.Take() {
		if r.Class == meter.ClassDeliver {
			got = append(got, fmt.Sprint(*r.Lag, r.Dead))
		}
	}
	if want := []string{"250ms false", "0s true"}; !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
}
