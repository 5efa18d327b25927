package rest_test

import (
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/metertest"
)

// metered is newAPI with a handler that is metered, and whose clock stands still.
func metered(t *testing.T) (*api, *metertest.Records, *time.Time) {
	t.Helper()
	a, rs, now := newAPI(t), &metertest.Records{}, time.UnixMilli(1_774_958_400_000)
	a.handler = rest.New(rest.Config{Engine: a.engine, Verifier: a.verifier, Meter: rs, Now: func() time.Time { return now }})
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
		if r.Resource != (meter.Resource{Product: "kafka", ID: "c1"}) || r.Class != tt.class || r.Status != tt.status || status != tt.status ||
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
