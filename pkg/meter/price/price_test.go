package price_test

import (
	"math"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9*max(1, math.Abs(b)) }

func lines(t *testing.T, name string, b price.Bill, want map[string]float64) {
	t.Helper()
	total := 0.0
	for _, l := range b.Lines {
		if w, ok := want[l.What]; !ok || !near(l.Dollars, w) {
			t.Errorf("%s: %s %v %s cost %v, want %v", name, l.What, l.Quantity, l.Unit, l.Dollars, w)
		}
		total += l.Dollars
	}
	if len(b.Lines) != len(want) || !near(b.Total, total) {
		t.Errorf("%s: %d lines of %v, want %d of %v", name, len(b.Lines), b.Total, len(want), total)
	}
}

func TestBillsOfAMillion(t *testing.T) {
	gib := meter.Storage{Bytes: 1 << 30}
	for _, tt := range []struct {
		name    string
		product string
		usage   meter.Usage
		storage meter.Storage
		aws     map[string]float64
		upstash map[string]float64
	}{
		{
			name: "a million GETs of 10 ms", product: "redis",
			usage: meter.Usage{Counters: meter.Counters{Requests: 1e6, Commands: 1e6, ReadUnits: 1e6, Busy: 10_000 * time.Second}},
			aws: map[string]float64{
				"DynamoDB reads": 0.125, "Lambda requests": 0.20, "Lambda time": 0.066667, "CloudWatch Logs": 0.025,
			},
			upstash: map[string]float64{"Requests": 2},
		},
		{
			name: "pipelines of ten SETs through an HTTP API, and what is stored for half a month", product: "redis",
			usage:   meter.Usage{Counters: meter.Counters{Requests: 1e5, Gateway: 1e5, Commands: 1e6, WriteUnits: 1e6, BytesOut: 1e9}},
			storage: gib,
			aws: map[string]float64{
				"DynamoDB writes": 0.625, "DynamoDB storage": 0.125, "Lambda requests": 0.02, "HTTP API": 0.1, "CloudWatch Logs": 0.0025, "Data transfer": 0.09,
			},
			upstash: map[string]float64{"Requests": 2, "Storage": (1.073741824 - 1) * 0.5 * 0.25},
		},
		{
			name: "a million small messages produced alone", product: "kafka",
			usage: meter.Usage{
				Counters: meter.Counters{Requests: 1e6, Commands: 1e6, WriteUnits: 1e6},
				Classes:  []meter.ClassUsage{{Class: meter.ClassProduce, Counters: meter.Counters{Requests: 1e6, BytesIn: 1e9}}},
			},
			aws: map[string]float64{
				"DynamoDB writes": 0.625, "Lambda requests": 0.20, "Kinesis puts": 0.014, "CloudWatch Logs": 0.025,
			},
			upstash: map[string]float64{"Requests": 2},
		},
		{
			name: "large requests that produce", product: "kafka",
			usage: meter.Usage{
				Counters: meter.Counters{Requests: 1000, Commands: 1e6},
				Classes:  []meter.ClassUsage{{Class: meter.ClassProduce, Counters: meter.Counters{Requests: 1000, BytesIn: 25_600_000_000}}},
			},
			aws:     map[string]float64{"Lambda requests": 0.0002, "Kinesis puts": 0.014, "CloudWatch Logs": 0.000025},
			upstash: map[string]float64{"Requests": 2},
		},
		{
			name: "a million messages published and delivered", product: "qstash",
			usage: meter.Usage{
				Counters: meter.Counters{Requests: 2e6, Gateway: 1e6, Commands: 1e6, WriteUnits: 5e6, ReadUnits: 2e6, BytesOut: 60e9},
				Classes:  []meter.ClassUsage{{Class: meter.ClassDeliver, Counters: meter.Counters{Requests: 1e6}}},
			},
			aws: map[string]float64{
				"DynamoDB reads": 0.25, "DynamoDB writes": 3.125, "Lambda requests": 0.40, "HTTP API": 1, "SQS": 1.2, "CloudWatch Logs": 0.05, "Data transfer": 5.4,
			},
			upstash: map[string]float64{"Requests": 10, "Data transfer": 0.5},
		},
		{name: "nothing", product: "redis", aws: map[string]float64{}, upstash: map[string]float64{}},
	} {
		lines(t, tt.name, price.Estimate(tt.product, tt.usage, tt.storage, 0.5), tt.aws)
		lines(t, tt.name+", at Upstash", price.Upstash(tt.product, tt.usage, tt.storage, 0.5), tt.upstash)
	}
}

func TestMonths(t *testing.T) {
	day := func(month time.Month, d int, commands int64) meter.Usage {
		c := meter.Counters{Commands: commands, WriteUnits: float64(commands)}
		return meter.Usage{Start: time.Date(2026, month, d, 0, 0, 0, 0, time.UTC), Counters: c, Classes: []meter.ClassUsage{{Class: "write", Counters: c}}}
	}
	at := func(d, hour int) time.Time { return time.Date(2026, 4, d, hour, 0, 0, 0, time.UTC) }
	const m = 1_000_000
	for _, tt := range []struct {
		name             string
		days             []meter.Usage
		now              time.Time
		toDate, forecast float64 // millions of commands
	}{
		{"nothing yet", nil, at(10, 0), 0, 0},
		{"an even month, by its last seven days", []meter.Usage{
			day(4, 1, 9*m), day(4, 4, m), day(4, 5, m), day(4, 6, m), day(4, 7, m), day(4, 8, m), day(4, 9, m), day(4, 10, m), day(4, 11, 0),
		}, at(11, 0), 16, 16 + 20},
		{"days without usage count", []meter.Usage{day(4, 4, 7*m)}, at(11, 0), 7, 7 + 20},
		{"three days are all there is", []meter.Usage{day(4, 8, 3*m), day(4, 10, 3*m)}, at(11, 12), 6, 6 + 19.5*2},
		{"the first day goes by itself, as if it were over", []meter.Usage{day(4, 1, m)}, at(1, 6), 1, 1 + 29.75},
		{"the month before counts for the forecast only", []meter.Usage{day(3, 31, 2*m)}, at(1, 0), 0, 60},
	} {
		got := price.MonthOf("redis", tt.days, meter.Storage{}, tt.now)
		if !near(got.Upstash.Total, 2*tt.toDate) || !near(got.UpstashForecast, 2*tt.forecast) {
			t.Errorf("%s: Upstash %v, forecast %v, want %v and %v", tt.name, got.Upstash.Total, got.UpstashForecast, 2*tt.toDate, 2*tt.forecast)
		}
		if !near(got.ToDate.Total, 0.625*tt.toDate) || !near(got.Forecast, 0.625*tt.forecast) {
			t.Errorf("%s: AWS %v, forecast %v, want %v and %v", tt.name, got.ToDate.Total, got.Forecast, 0.625*tt.toDate, 0.625*tt.forecast)
		}
	}
	stored := price.MonthOf("redis", nil, meter.Storage{Bytes: 4 << 30}, at(16, 0))
	if !near(stored.ToDate.Total, 0.5) || !near(stored.Forecast, 1) {
		t.Errorf("4 GiB at half of the month: %v, forecast %v", stored.ToDate.Total, stored.Forecast)
	}
}

func TestDaysAddUpToTheMonth(t *testing.T) {
	now := time.Date(2026, 4, 11, 18, 0, 0, 0, time.UTC)
	stored := meter.Storage{Bytes: 4 << 30}
	var days []meter.Usage
	sum := 0.0
	for d := 1; d <= 11; d++ {
		u := meter.Usage{Start: time.Date(2026, 4, d, 0, 0, 0, 0, time.UTC), Counters: meter.Counters{Requests: int64(d) * 1e6, WriteUnits: 1e6}}
		days, sum = append(days, u), sum+price.Day("redis", u, stored, now).Total
	}
	if got := price.MonthOf("redis", days, stored, now).ToDate.Total; !near(got, sum) || got == 0 {
		t.Errorf("the month costs %v, its days %v", got, sum)
	}
}

func TestTheListIsComplete(t *testing.T) {
	list := price.Prices()
	if _, err := time.Parse("2006-01", list.AsOf); err != nil {
		t.Error(err)
	}
	for _, product := range []string{"redis", "kafka", "qstash"} {
		if p := list.Upstash[product]; p.Source == "" || p.HundredThousandCommands <= 0 {
			t.Errorf("%s: %+v", product, p)
		}
	}
	for name, source := range map[string]string{
		"DynamoDB": list.AWS.DynamoDB.Source, "Lambda": list.AWS.Lambda.Source, "HTTP API": list.AWS.HTTPAPI.Source, "Kinesis": list.AWS.Kinesis.Source,
		"CloudWatch": list.AWS.CloudWatch.Source, "KMS": list.AWS.KMS.Source, "Secrets Manager": list.AWS.Secrets.Source, "Fargate": list.AWS.Fargate.Source,
		"load balancers": list.AWS.Balancer.Source, "ElastiCache": list.AWS.ElastiCache.Source,
		"SQS": list.AWS.SQS.Source, "Scheduler": list.AWS.Scheduler.Source, "Logs": list.AWS.Logs.Source, "transfer": list.AWS.Transfer.Source,
	} {
		if source == "" {
			t.Errorf("%s has no source", name)
		}
	}
}

func TestListsThatAreTooOldForAReleaseAreRefused(t *testing.T) {
	list := price.List{AsOf: "2026-01"}
	for day, ok := range map[string]bool{"2026-01-15": true, "2026-07-31": true, "2026-08-01": false, "2027-01-01": false} {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if err := list.Check(now); (err == nil) != ok {
			t.Errorf("on %s: %v", day, err)
		}
	}
	if (&price.List{AsOf: "soon"}).Check(time.Time{}) == nil {
		t.Error("a list without a date passes")
	}
}

func TestRequestsAreDearerAloneThanTogether(t *testing.T) {
	list := price.Prices()
	get := price.Request{ReadUnits: 1, Requests: 1, Duration: 10 * time.Millisecond}
	plain := list.Million(get)
	if !near(plain.DynamoDB, 0.125) || !near(plain.Lambda, 0.266667) || plain.Counting != 0 || !near(plain.Total(true)-plain.Total(false), 1) {
		t.Errorf("a million GETs cost %+v", plain)
	}
	get.Rate = 10
	busy := list.Million(get).Counting
	get.Rate = 0.01
	if alone := list.Million(get).Counting; busy <= 0 || alone < 100*busy {
		t.Errorf("counting costs %v, %v where requests come alone", busy, alone)
	}
	if month := list.CountingMonth(); month < 0.1 || month > 0.5 {
		t.Errorf("counting costs %v a month", month)
	}
	if hour := list.StreamHour(); !near(hour, 0.02400012) {
		t.Errorf("a subscription costs %v an hour", hour)
	}
}
