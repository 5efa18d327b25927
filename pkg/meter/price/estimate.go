package price

import (
	"math"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

// What a request takes besides what is metered.
const (
	functionGB      = 0.5 // memory of the functions that serve requests, in GiB, as Lambda bills it
	logBytes        = 50  // of a request in CloudWatch Logs: its share of a line, of 250 bytes if it is alone there and 2 if many are
	wakeRequests    = 3   // of SQS, for an attempt to deliver: send, receive and delete its wake-up
	dynamoGB        = 1 << 30
	transferGB      = 1e9
	forecastDays    = 7
	million         = 1e6
	hundredThousand = 1e5
)

// Line is an item of a bill.
type Line struct {
	What     string  `json:"what"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Dollars  float64 `json:"dollars"`
}

// Bill is what something costs. Lines that cost nothing are left out.
type Bill struct {
	Lines []Line  `json:"lines"`
	Total float64 `json:"total"` // dollars
}

func (b *Bill) add(what string, quantity float64, unit string, dollars float64) {
	if dollars == 0 {
		return
	}
	b.Lines = append(b.Lines, Line{what, quantity, unit, dollars})
	b.Total += dollars
}

// Estimate is what a resource's usage costs on AWS. months is the part of a month that s was stored for.
func Estimate(product string, u meter.Usage, s meter.Storage, months float64) Bill {
	p := &Prices().AWS
	c := u.Counters
	var b Bill
	b.add("DynamoDB reads", c.ReadUnits, "read units", c.ReadUnits/million*p.DynamoDB.MillionReadUnits)
	b.add("DynamoDB writes", c.WriteUnits, "write units", c.WriteUnits/million*p.DynamoDB.MillionWriteUnits)
	gb := float64(s.Bytes) / dynamoGB
	b.add("DynamoDB storage", gb*months, "GB months", gb*months*p.DynamoDB.GBMonth)
	requests := float64(c.Requests + c.Blocked)
	b.add("Lambda requests", requests, "requests", requests/million*p.Lambda.MillionRequests)
	seconds := c.Busy.Seconds() * functionGB
	b.add("Lambda time", seconds, "GB seconds", seconds*p.Lambda.GBSecond)
	gateway := float64(c.Gateway)
	b.add("HTTP API", gateway, "requests", gateway/million*p.HTTPAPI.MillionRequests)
	switch product {
	case token.ProductKafka:
		produced := u.Class(meter.ClassProduce).Counters
		units := max(float64(produced.Requests), math.Ceil(float64(produced.BytesIn)/float64(p.Kinesis.PutUnitBytes)))
		b.add("Kinesis puts", units, "payload units", units/million*p.Kinesis.MillionPutUnits)
	case token.ProductQStash:
		n := float64(wakeRequests * u.Class(meter.ClassDeliver).Counters.Requests)
		b.add("SQS", n, "requests", n/million*p.SQS.MillionRequests)
	}
	logs := requests * logBytes / transferGB
	b.add("CloudWatch Logs", logs, "GB", logs*p.Logs.GBIngested)
	out := float64(c.BytesOut) / transferGB
	b.add("Data transfer", out, "GB", out*p.Transfer.GBOut)
	return b
}

// Record is what a single request costs on AWS, in dollars.
func Record(r *meter.Record) float64 {
	c := r.Sum().Counters
	u := meter.Usage{Counters: c, Classes: []meter.ClassUsage{{Class: r.Class, Counters: c}}}
	return Estimate(r.Resource.Product, u, meter.Storage{}, 0).Total
}

// Upstash is what Upstash would bill for the same, pay as you go. u is the usage of a month so far.
func Upstash(product string, u meter.Usage, s meter.Storage, months float64) Bill {
	p := Prices().Upstash[product]
	var b Bill
	n := float64(u.Counters.Commands)
	unit := "commands"
	if product != token.ProductRedis {
		unit = "messages"
	}
	b.add("Requests", n, unit, n/hundredThousand*p.HundredThousandCommands)
	gb := max(0, float64(s.Bytes)/transferGB-p.FreeGB)
	b.add("Storage", gb*months, "GB months", gb*months*p.GBMonth)
	out := max(0, float64(u.Counters.BytesIn+u.Counters.BytesOut)/transferGB-p.FreeGBTransfer)
	b.add("Data transfer", out, "GB", out*p.GBTransfer)
	return b
}

// Month is what a month costs.
type Month struct {
	ToDate          Bill    `json:"to_date"`
	Forecast        float64 `json:"forecast"` // dollars of the whole month
	Upstash         Bill    `json:"upstash"`
	UpstashForecast float64 `json:"upstash_forecast"`
	Basis           int     `json:"forecast_days"` // how many days that are over the forecasts go by; 0: by today, as if it were over
}

// MonthOf estimates the month that now is in. days are the resource's, those before the month
// included, if the forecast is to go by them.
func MonthOf(product string, days []meter.Usage, s meter.Storage, now time.Time) Month {
	now = now.UTC()
	begin := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(0, 1, 0)
	elapsed := float64(now.Sub(begin)) / float64(end.Sub(begin))
	toDate := meter.Usage{Start: begin}
	for _, d := range days {
		if !d.Start.Before(begin) && d.Start.Before(end) {
			toDate.Add(d)
		}
	}
	// What was stored, in the mean of the month so far and of all of it.
	soFar, all := s, s
	if hours := now.Sub(begin).Hours(); hours > 0 {
		soFar.Bytes = int64(s.Until(now) / hours)
	}
	all.Bytes = int64((s.Until(now) + float64(s.Bytes)*end.Sub(now).Hours()) / end.Sub(begin).Hours())
	whole := meter.Usage{Start: begin}
	whole.Add(toDate)
	rate, per, basis := recent(days, now)
	if per > 0 {
		whole.Counters.Add(times(rate.Counters, float64(end.Sub(now))/float64(per)))
		for _, c := range rate.Classes {
			whole.Add(meter.Usage{Classes: []meter.ClassUsage{{Class: c.Class, Counters: times(c.Counters, float64(end.Sub(now))/float64(per))}}})
		}
	}
	return Month{
		ToDate: Estimate(product, toDate, soFar, elapsed), Forecast: Estimate(product, whole, all, 1).Total,
		Upstash: Upstash(product, toDate, soFar, elapsed), UpstashForecast: Upstash(product, whole, all, 1).Total,
		Basis: basis,
	}
}

// Day is what a UTC day has cost on AWS, until now if it is not over: its usage, and its part of the month's storage.
// All days of a month cost together what MonthOf says.
func Day(product string, u meter.Usage, s meter.Storage, now time.Time) Bill {
	begin := time.Date(u.Start.Year(), u.Start.Month(), 1, 0, 0, 0, 0, time.UTC)
	month := begin.AddDate(0, 1, 0).Sub(begin)
	passed := max(0, min(24*time.Hour, now.Sub(u.Start)))
	if hours := now.Sub(begin).Hours(); hours > 0 && begin.Month() == now.UTC().Month() && begin.Year() == now.UTC().Year() {
		s.Bytes = int64(s.Until(now) / hours) // in the mean of the month: what each day has stored is not known
	}
	return Estimate(product, u, s, float64(passed)/float64(month))
}

// recent is the usage that a forecast goes by, the time that it is of, and how many days that are over it is of: 0 is today, which
// counts as a whole day. Its first minute would otherwise be taken for what all minutes of a month are like.
func recent(days []meter.Usage, now time.Time) (u meter.Usage, per time.Duration, over int) {
	const day = 24 * time.Hour
	today := now.Truncate(day)
	first := today
	for _, d := range days {
		if !d.Start.Before(today.Add(-forecastDays*day)) && d.Start.Before(today) {
			u.Add(d)
			if d.Start.Before(first) {
				first = d.Start
			}
		}
	}
	if first.Before(today) {
		return u, today.Sub(first), int(today.Sub(first) / day)
	}
	for _, d := range days {
		if d.Start.Equal(today) {
			u.Add(d)
		}
	}
	return u, day, 0
}

// times multiplies counters.
func times(c meter.Counters, f float64) meter.Counters {
	n := func(n int64) int64 { return int64(math.Round(float64(n) * f)) }
	return meter.Counters{
		Requests: n(c.Requests), Blocked: n(c.Blocked), Refused: n(c.Refused), Failed: n(c.Failed), Gateway: n(c.Gateway), Commands: n(c.Commands),
		BytesIn: n(c.BytesIn), BytesOut: n(c.BytesOut), Calls: n(c.Calls),
		ReadUnits: c.ReadUnits * f, WriteUnits: c.WriteUnits * f, Busy: time.Duration(n(int64(c.Busy))),
		Errors: n(c.Errors), Hits: n(c.Hits), Misses: n(c.Misses),
	}
}
