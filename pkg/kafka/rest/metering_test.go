package rest_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/metertest"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// meteredAt is when requests are made.
var meteredAt = time.UnixMilli(1_774_958_400_000)

// metered is newAPI with a handler that is metered, and whose clock stands still.
func metered(t *testing.T) (*api, *metertest.Records, *time.Time) {
	t.Helper()
	a, rs, now := newAPI(t), &metertest.Records{}, meteredAt
	a.handler = rest.New(rest.Config{
		Engine: a.engine, Verifier: a.verifier, Meter: rs, Gateway: func(context.Context) bool { return true }, Now: func() time.Time { return now },
	})
	return a, rs, &now
}

func TestRecordsSayWhatRequestsUsed(t *testing.T) {
	a, rs, now := metered(t)
	for _, tt := range []struct {
		request, body string
		class         string
		status        int
		messages      int64
	}{
		{"POST /produce", `[{"topic":"blue","value":"a"},{"topic":"blue","value":"b"}]`, meter.ClassProduce, 200, 2},
		{"GET /produce/blue/c", "", meter.ClassProduce, 200, 1},
		{"POST /webhook?topic=blue", "hook", meter.ClassProduce, 200, 1},
		{"POST /fetch", `{"topic":"blue","partition":0,"offset":3}`, meter.ClassFetch, 200, 1},
		{"GET /topics", "", meter.ClassAdmin, 200, 0},
		{"POST /produce/none", `{"value":"a"}`, meter.ClassProduce, 404, 0},
		{"GET /nothing", "", meter.ClassAdmin, 404, 0},
	} {
		status, answer := a.do(tt.request, tt.body)
		got := rs.Take()
		if len(got) != 1 {
			t.Fatalf("%s: %d records", tt.request, len(got))
		}
		r := got[0]
		if r.Resource != (meter.Resource{Product: "kafka", ID: "c1"}) || !r.Gateway || r.Class != tt.class || r.Status != tt.status || status != tt.status ||
			r.Commands != tt.messages || !r.At.Equal(*now) || r.BytesOut != int64(len(answer)) || r.BytesIn < int64(len(tt.body)) {
			t.Errorf("%s: answer %d %s, record %+v", tt.request, status, answer, r)
		}
		if r.Calls == 0 || r.ReadUnits+r.WriteUnits == 0 {
			t.Errorf("%s: no calls in %+v", tt.request, r)
		}
	}
	a.as("nobody", "x", "GET /topics", "")
	a.as("", "", "OPTIONS /topics", "")
	if got := rs.Take(); len(got) > 0 {
		t.Errorf("requests for no cluster are recorded: %+v", got)
	}
}

func TestBlockedClustersRefuseRequestsUntilTheLimitsTimeIsOver(t *testing.T) {
	a, rs, now := metered(t)
	const text = "max daily request limit exceeded. Limit: 10, Usage: 10."
	if err := a.engine.Block(t.Context(), "c1", meter.Block{Text: text, Until: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	a.refused("GET /produce/blue/c", "", 429, text)
	if got := rs.Take(); len(got) != 1 || !got[0].Blocked || got[0].Commands != 0 {
		t.Errorf("records %+v", got)
	}
	*now = now.Add(time.Hour)
	a.want("GET /produce/blue/c", "", `{"topic":"blue","partition":0,"offset":0,"timestamp":T}`)
	*now = now.Add(-time.Hour)
	if err := a.engine.Block(t.Context(), "c1", meter.Block{}); err != nil {
		t.Fatal(err)
	}
	a.want("GET /produce/blue/c", "", `{"topic":"blue","partition":0,"offset":1,"timestamp":T}`)
}

// held is a stream that nobody reads unless a request hurries.
type held struct{ records []ingest.Delivery }

func (h *held) Put(_ context.Context, records []ingest.Record) []error {
	for _, r := range records {
		h.records = append(h.records, ingest.Delivery{Record: r, Sequence: strconv.Itoa(len(h.records)), Arrived: meteredAt})
	}
	return nil
}

func (h *held) Tail(_ context.Context, _ string, _ time.Time, handle func([]ingest.Delivery) error) error {
	return handle(h.records)
}

func (h *held) Consume(ctx context.Context, _ func(context.Context, []ingest.Delivery) error) error {
	<-ctx.Done()
	return nil
}

func TestMeteringMakesNoCalls(t *testing.T) {
	rs := &metertest.Records{}
	open := func(m meter.Recorder) (*api, *metertest.Calls) {
		a := newAPI(t)
		inner, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { inner.Close() })
		calls, clock := &metertest.Calls{Store: inner}, func() time.Time { return meteredAt }
		a.engine = kafka.New(kafka.Config{Store: calls, Stream: &held{}, Now: clock})
		if a.cluster, err = a.engine.CreateCluster(t.Context(), kafka.ClusterOptions{ID: "c1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.engine.CreateTopic(t.Context(), a.cluster, "blue", kafka.TopicOptions{Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		a.handler = rest.New(rest.Config{Engine: a.engine, Verifier: a.verifier, Meter: m, Now: clock})
		calls.Take()
		return a, calls
	}
	with, made := open(rs)
	without, want := open(nil)
	requests := []struct{ request, body string }{
		{"POST /produce", `[{"topic":"blue","value":"a"},{"topic":"blue","value":"b"}]`},
		{"GET /produce/blue/c", ""},
		{"POST /webhook?topic=blue", "hook"},
		{"POST /fetch", `{"topic":"blue","partition":0,"offset":0,"timeout":5000}`},
		{"GET /consume/g/i/blue?timeout=5000", ""},
		{"POST /commit/g/i", ""},
		{"POST /committed/g/i", `{"topic":"blue","partition":0}`},
		{"GET /consumers", ""},
		{"POST /delete-consumer/g/i", ""},
		{"GET /offsets/earliest", `{"topic":"blue","partition":0}`},
		{"GET /offsets/latest", `{"topic":"blue","partition":0}`},
		{"GET /topics", ""},
		{"POST /produce/none", `{"value":"a"}`},
	}
	for _, r := range requests {
		headers := []string{"Kafka-Auto-Offset-Reset", "earliest", "Kafka-Enable-Auto-Commit", "false"}
		status, answer := with.do(r.request, r.body, headers...)
		wantStatus, wantAnswer := without.do(r.request, r.body, headers...)
		if status != wantStatus || answer != wantAnswer {
			t.Errorf("%s: %d %s with metering, %d %s without", r.request, status, answer, wantStatus, wantAnswer)
		}
		if made, want := made.Take(), want.Take(); !slices.Equal(made, want) || len(made) == 0 {
			t.Errorf("%s %s: with metering\n%q, without\n%q", r.request, r.body, made, want)
		}
	}
	if n := len(rs.Take()); n != len(requests) {
		t.Errorf("%d records of %d requests", n, len(requests))
	}
}
