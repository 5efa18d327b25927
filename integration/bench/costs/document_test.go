package costs

import (
	"fmt"
	"math"
	"strings"

	"github.com/skystash/skystash/pkg/meter/price"
)

// itemOverhead is what an item holds beside its value: key, names, type.
const itemOverhead = 100

func perKB(bytes, unit int) float64 { return math.Ceil(float64(bytes+itemOverhead) / float64(unit)) }

// reads is the part of GETs in the load that break-evens are reckoned for; the rest are SETs.
const reads = 0.8

// mixed is what a million commands of that load cost by function URL.
func mixed(list *price.List) float64 {
	e := list.Examples()
	return reads*list.Million(e[0].Request).Total(false) + (1-reads)*list.Million(e[1].Request).Total(false)
}

// document is COSTS.md.
func document(list *price.List) string {
	var b strings.Builder
	aws, upstash := &list.AWS, list.Upstash["redis"]
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# What Skystash costs on AWS\n\n")
	p("Written by `go test ./integration/bench/costs -update` and checked by the same test without the flag. List prices of %s as of %s, in dollars,\n", list.Region, list.AsOf)
	p("from [prices.json](../../pkg/meter/price/prices.json), without free tiers. What a deployment costs while nobody calls is in [IDLE.md](IDLE.md);\n")
	p("`go run ./scripts/admin cost` says it of the app that was synthesised last. Kafka is in [KAFKA.md](KAFKA.md), QStash in [qstash/COSTS.md](qstash/COSTS.md).\n\n")

	p("## A million commands\n\n%s\n", commands(list))
	p("DynamoDB: the units of [CALLS.md](CALLS.md), which has every command. Lambda: %.2f for a million requests and %.8f for a GB-second, for\n", aws.Lambda.MillionRequests, aws.Lambda.GBSecond)
	p("10 ms of 512 MB on arm64. Counting: the lines that say what was used, and their being counted; checks: an instance reads the database's record\n")
	p("again after a second, and the keys of tokens after four. Both are for an instance with ten requests a second, except in the last row.\n\n")

	p("## Counting\n\nAn instance writes a line of usage a minute, or for every 1,000 requests: %d bytes if it is busy. A line costs %.2f a million to write and to count,\n", price.LineBytes, list.MillionLines(false))
	p("so counting is at most $%.2f a month for an instance that is always there, as the one of the last row may be: what a command costs where there are few, and\n", list.CountingMonth())
	p("what few commands cost, are two things. `-c meter=false` leaves counting out.\n\n")

	p("## Larger values\n\nDynamoDB bills a write unit for each KB and a read unit for each 4 KB of an item, which has about %d bytes beside the value. This is for values that cannot\n", itemOverhead)
	p("be compressed; text and JSON of more than a KB are stored compressed, often at a fifth. Upstash bills %.2f for a million of any size, and bandwidth.\n\n", 10*upstash.HundredThousandCommands)
	p("| bytes of the value | write units | a million SETs | read units | a million GETs |\n|---:|---:|---:|---:|---:|\n")
	get, set := list.Examples()[0].Request, list.Examples()[1].Request
	for _, size := range []int{900, 2000, 3000, 10_000, 50_000, 100_000} {
		set.WriteUnits, get.ReadUnits = perKB(size, 1024), perKB(size, 4096)
		p("| %d | %.0f | %.2f | %.0f | %.2f |\n", size, set.WriteUnits, list.Million(set).Total(false), get.ReadUnits, list.Million(get).Total(false))
	}

	p("\n## What else has a price\n\n| | dollars | |\n|---|---:|---|\n")
	for _, row := range []struct {
		what    string
		dollars float64
		of      string
	}{
		{"Storage", aws.DynamoDB.GBMonth, "a GB and month"},
		{"Backups of any second of 35 days, unless `-c keepData=false`", aws.DynamoDB.RecoveryGBMonth, "a GB and month"},
		{"A subscription (SSE) on Lambda, which takes an instance", list.StreamHour(), "an hour"},
		{"The same for a month", list.StreamHour() * price.MonthHours, "a month"},
		{"A read region: each write", aws.DynamoDB.MillionWriteUnits, "a million units more"},
		{"A metric of CloudWatch: `endpoint`, `lag`, `dead`, `stuck`, `overdue` of QStash, in hours in which they have values", aws.CloudWatch.MetricMonth, "a month each"},
		{"An alarm beyond ten in the account", aws.CloudWatch.AlarmMonth, "a month"},
		{"A dashboard beyond three", aws.CloudWatch.DashboardMonth, "a month"},
		{"Kafka's stream, or the one of `-c meter=stream`, for each shard", aws.Kinesis.ShardHour * price.MonthHours, "a month"},
		{"Logs, once written", aws.Logs.GBMonth, "a GB and month"},
		{"Data out to the internet", aws.Transfer.GBOut, "a GB"},
	} {
		p("| %s | %.4g | %s |\n", row.what, row.dollars, row.of)
	}

	each := mixed(list)
	cache := aws.ElastiCache
	floor := cache.GBHour * cache.LeastGB * price.MonthHours
	p("\n## Beside others\n\nFor four GETs to a SET, small values, one command in a request, by function URL: %.2f for a million commands.\n\n", each)
	p("| | a month | Skystash costs less |\n|---|---:|---|\n")
	p("| Upstash, free plan | 0 | never: it has %.0f commands a month, which are about %.2f here |\n", upstash.FreeCommandsMonth, upstash.FreeCommandsMonth/1e6*each+list.CountingMonth())
	p("| Upstash, pay as you go | %.2f a million | always, for values up to %s written or %s read |\n", 10*upstash.HundredThousandCommands,
		kb(largest(list, 1024, func(n float64) price.Request { set.WriteUnits = n; return set }, 10*upstash.HundredThousandCommands)),
		kb(largest(list, 4096, func(n float64) price.Request { get.ReadUnits = n; return get }, 10*upstash.HundredThousandCommands)))
	p("| Upstash, Prod Pack | %.0f a database and what it is called | by that |\n", upstash.PackMonth)
	for _, f := range upstash.Fixed {
		p("| Upstash, %s | %.0f | below %.0f million commands a month (%.1f a second), or with more data than %.4g GB |\n", f.Name, f.Month, f.Month/each, perSecond(f.Month/each), f.GB)
	}
	p("| ElastiCache Serverless (Valkey), at its least size | %.2f and %.4f a million | below %.0f million commands a month (%.1f a second) |\n", floor, cache.MillionECPU,
		floor/(each-cache.MillionECPU), perSecond(floor/(each-cache.MillionECPU)))
	p("| ElastiCache Serverless, a GB of data | %.2f | below %.0f million commands a month |\n", cache.GBHour*price.MonthHours, cache.GBHour*price.MonthHours/(each-cache.MillionECPU))

	p(`
## Where not to use it

- For a steady load above some ten commands a second of small values, with little data: a fixed plan or a cache costs less, as the table says.
- For a cache that must answer within a millisecond: a GET here is a request to Lambda and one to DynamoDB, some ten milliseconds.
- For many subscriptions that last: each is an instance of a function, unless the gateway serves them.
- For large values that cannot be compressed and are written often: a write unit for each KB.
- For keys that take more than 1,000 writes a second: that is what one item of DynamoDB takes.
`)
	return b.String()
}

func perSecond(millions float64) float64 { return millions * 1e6 / (price.MonthHours * 3600) }

// largest is the size of a value with which a million requests still cost less than most.
func largest(list *price.List, unit int, of func(units float64) price.Request, most float64) int {
	n := 1.0
	for list.Million(of(n+1)).Total(false) < most {
		n++
	}
	return int(n)*unit - itemOverhead
}

func kb(bytes int) string { return fmt.Sprintf("%.1f KB", float64(bytes)/1000) }
