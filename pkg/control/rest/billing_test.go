package rest

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
)

func TestStatsHaveWhatUsageCosts(t *testing.T) {
	a := newAPI(t)
	folder := meter.NewFolder(meter.FolderConfig{Store: a.Tables["control"]})
	number := int64(0)
	use := func(product, id string, daysAgo int, writes float64) {
		t.Helper()
		r := meter.Record{
			Resource: meter.Resource{Product: product, ID: id}, Class: meter.ClassOther,
			At: a.Now().AddDate(0, 0, -daysAgo), Status: 200, WriteUnits: writes,
		}
		_, err := folder.Fold(t.Context(), []meter.Entry{{Instance: "i", Number: number, Sum: r.Sum()}})
		a.OK(err)
		number++
	}
	number64 := func(v any) float64 {
		t.Helper()
		f, err := v.(json.Number).Float64()
		a.OK(err)
		return f
	}
	for product, c := range map[string]struct{ made, path, daily string }{
		"redis":  {a.ok("POST", "/redis/database", map[string]any{"name": "db", "region": "us-east-1"})["database_id"].(string), "/redis/stats/", "dailybilling"},
		"qstash": {a.ok("POST", "/skystash/qstash", map[string]any{"name": "jobs"})["id"].(string), "/qstash/stats/", "daily_billings"},
	} {
		if got := a.ok("GET", c.path+c.made, nil); number64(got["total_monthly_billing"]) != 0 || len(got[c.daily].([]any)) != 0 {
			t.Errorf("%s: unused, it costs %v, by days %v", product, got["total_monthly_billing"], got[c.daily])
		}
		use(product, c.made, 0, 1e9) // dear enough for what a request costs besides not to count
		use(product, c.made, 1, 2e9)
		got := a.ok("GET", c.path+c.made, nil)
		days := got[c.daily].([]any)
		if len(days) != 2 {
			t.Fatalf("%s: days %v", product, days)
		}
		month := 625.0 // a million writes cost 0.625
		if a.Now().AddDate(0, 0, -1).UTC().Month() == a.Now().UTC().Month() {
			month += 1250
		}
		for i, want := range []float64{1250, 625} {
			day := days[i].(map[string]any)
			at, err := time.Parse(pointTime, day["x"].(string))
			if cost := number64(day["y"]); err != nil || math.Abs(cost-want) > 0.01 || at.Day() != a.Now().UTC().AddDate(0, 0, i-1).Day() {
				t.Errorf("%s: day %d is %v, want %v", product, i, day, want)
			}
		}
		if cost := number64(got["total_monthly_billing"]); math.Abs(cost-month) > 0.01 {
			t.Errorf("%s: the month costs %v, want %v", product, cost, month)
		}
	}
}
