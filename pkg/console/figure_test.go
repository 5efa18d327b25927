package console

import (
	"crypto/rand"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
)

// use folds records of a resource, each by itself.
func (w *world) record(res *control.Resource, records ...meter.Record) {
	w.Helper()
	folder := meter.NewFolder(meter.FolderConfig{Store: w.store, Now: func() time.Time { return w.now }})
	for _, r := range records {
		r.Resource, r.At = usageOf(res), w.now
		if r.Status == 0 {
			r.Status = 200
		}
		r.Count(r.Ran)
		_, err := folder.Fold(w.Context(), []meter.Entry{{Instance: rand.Text(), Sum: r.Sum()}})
		w.ok(err)
	}
}

// wantStat checks one of the key facts of a page.
func (p *answer) wantStat(label, value string) {
	p.w.Helper()
	_, rest, ok := strings.Cut(p.body, "<dt>"+label+"<")
	_, rest, _ = strings.Cut(rest, "<dd>")
	got, _, _ := strings.Cut(rest, "<")
	if !ok || got != value {
		p.w.Errorf("%s is %q, want %q", label, got, value)
	}
}

// The official client sends everything as pipelines, which are answered 200 whatever their commands come to.
func TestErrorsWithinPipelinesAreCounted(t *testing.T) {
	c := newTest(t)
	res := c.createDatabase("cache")
	wrong := meter.Ran{Command: "lpush", Error: "WRONGTYPE Operation against a key holding the wrong kind of value"}
	c.record(res,
		meter.Record{Class: meter.ClassWrite, Commands: 6, Ran: []meter.Ran{wrong, wrong, wrong, wrong, wrong, {Command: "get", Hits: 3, Misses: 1}}},
		meter.Record{Class: meter.ClassRead, Commands: 1, Status: 400, Ran: []meter.Ran{{Command: "get", Error: "ERR wrong number of arguments"}}},
		meter.Record{Class: meter.ClassOther, Commands: 0, Status: 503},
	)
	for page, label := range map[string]string{"/": "Errors", "/r/" + res.ID: "Errors today", "/r/" + res.ID + "/usage": "Errors"} {
		c.get(page).wantStat(label, "7")
	}
	c.get("/r/"+res.ID+"/usage").wantStat("Hit rate", "75.0 %")
}

// What destinations take, and how they fail, is theirs.
func TestDestinationsAreNotQStash(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("mail")
	c.record(res,
		meter.Record{Class: meter.ClassPublish, Commands: 1, Duration: 2 * time.Millisecond},
		meter.Record{Class: meter.ClassDeliver, Commands: 1, Duration: 1450 * time.Millisecond, Status: 500},
	)
	page := c.get("/r/" + res.ID)
	page.wantStat("Errors today", "0")
	u, err := c.console.book.Day(t.Context(), usageOf(res), c.now)
	c.ok(err)
	if p := u.P99(); p > 3*time.Millisecond {
		t.Errorf("the p99 of QStash is its destinations': %v", p)
	}
	page.wantStat("Latency, p99", formatLatency(u.P99()))
	if own := u.Own(); own.Requests != 1 || own.Failed != 0 {
		t.Errorf("its own requests: %+v", own)
	}
}

// A database of 20 minutes has not stored anything since the first of the month.
func TestStorageCostsByTheHour(t *testing.T) {
	c := newTest(t)
	res := c.createDatabase("young")
	var text strings.Builder // which cannot be compressed much
	for text.Len() < 100_000 {
		text.WriteString(rand.Text())
	}
	c.command(res, "SET k "+text.String())
	c.post("/r/"+res.ID+"/usage/measure").want("Storage was measured.", "measured now")
	s, err := c.console.summarize(t.Context(), res)
	c.ok(err)
	if s.Storage.Bytes < 50_000 || s.Cost.ToDate.Total != 0 {
		t.Errorf("%d bytes cost %v at once", s.Storage.Bytes, s.Cost.ToDate.Total)
	}
	c.now = c.now.Add(20 * time.Minute)
	s, err = c.console.summarize(t.Context(), res)
	c.ok(err)
	november := 30 * 24.0
	want := float64(s.Storage.Bytes) / (1 << 30) * (1.0 / 3) / november * price.Prices().AWS.DynamoDB.GBMonth
	if got := s.Cost.ToDate.Total; math.Abs(got-want) > want/100 {
		t.Errorf("20 minutes cost %v, want %v", got, want)
	}
	c.get("/r/"+res.ID+"/usage").want("measured 20 minutes ago", "no day is over yet")
}

func TestBillsAddUp(t *testing.T) {
	for _, bill := range []price.Bill{
		{Lines: []price.Line{{Dollars: 0.0000014}, {Dollars: 0.0000014}, {Dollars: 0.0000014}}, Total: 0.0000042},
		{Lines: []price.Line{{Dollars: 1.00004}, {Dollars: 0.00004}, {Dollars: 33.12344}}, Total: 34.12352},
		{Lines: []price.Line{{Dollars: 100.004}, {Dollars: 100.004}}, Total: 200.008},
		{},
	} {
		b := newBill(bill)
		amount := func(text string) float64 {
			v, err := strconv.ParseFloat(strings.TrimPrefix(text, "$"), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		sum := 0.0
		for _, l := range b.Lines {
			sum += amount(l.Amount)
		}
		if math.Abs(sum-amount(b.Total)) > 1e-9 || math.Abs(sum-bill.Total) > 0.01 {
			t.Errorf("%+v: the lines are %v together", b, sum)
		}
	}
}

// The cost of an hour is that of what was stored in it, which was nothing before there was a database.
func TestNothingIsStoredBeforeTheDatabaseIsThere(t *testing.T) {
	created := time.Date(2026, 11, 24, 12, 30, 0, 0, time.UTC)
	hour := func(h int) time.Time { return time.Date(2026, 11, 24, h, 0, 0, 0, time.UTC) }
	for h, want := range map[int]time.Duration{11: 0, 12: 30 * time.Minute, 13: time.Hour, 14: 15 * time.Minute, 15: 0} {
		if got := overlap(hour(h), hour(h+1), created, hour(14).Add(15*time.Minute)); got != want {
			t.Errorf("%d:00 has %v of it, want %v", h, got, want)
		}
	}
	if got := formatQuantity(1e-9); got != "< 0.000001" {
		t.Errorf("a little is %q", got)
	}
}
