package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

var update = flag.Bool("update", false, "write COSTS.md anew")

// Prices in us-east-1, in dollars for a million.
const (
	priceWrite    = 0.625 // DynamoDB write request units, on demand
	priceRead     = 0.125 // and read request units
	priceSQS      = 0.40  // requests
	priceSchedule = 1.00  // invocations of EventBridge Scheduler
	priceInvoke   = 0.20  // Lambda invocations
	priceGBSecond = 13.3334
	priceUpstash  = 10.00 // messages, pay as you go
)

// What a run of a function is taken to last, in GB-seconds (512 MB on Arm): 15 ms for a
// request to the API, 60 ms for a delivery to a destination that answers in 40.
const (
	apiGBSeconds     = 0.5 * 0.015
	deliverGBSeconds = 0.5 * 0.060
)

// recordTTL has each run read the account once.
const recordTTL = time.Millisecond

// counter is an engine on DynamoDB Local whose calls are counted.
type counter struct {
	t      *testing.T
	engine *qstash.Engine
	mu     sync.Mutex
	now    time.Time
	hints  []wake.Hint
	status int
	cost   cost

	repeated string // key of the wake-up that is repeated
}

// cost is what a message takes.
type cost struct {
	reads, writes float64
	calls         int
	wakes         int // SQS messages
	schedules     int
	invocations   [2]int // of the API and of the deliverer
}

func (c *counter) Wake(_ context.Context, hints ...wake.Hint) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range hints {
		c.hints = append(c.hints, h)
		c.cost.wakes++
		if h.At.Sub(c.now) > 15*time.Minute {
			c.cost.schedules++
			c.cost.wakes++ // it comes early and is sent on
			c.cost.invocations[1]++
		}
	}
	return nil
}

// Repeat repeats what wake/aws does.
func (c *counter) Repeat(_ context.Context, key string, s *cron.Schedule) (bool, error) {
	c.repeated = key
	return !s.Within(15 * time.Minute), nil
}

func (c *counter) Cease(context.Context, string) error { return nil }

// schedule runs a schedule once, and delivers its message.
func (c *counter) schedule(expr string) {
	c.t.Helper()
	if _, err := c.engine.CreateSchedule(c.t.Context(), "acct", qstash.ScheduleRequest{Cron: expr, Destination: "https://example.com/api/hook", Body: []byte(strings.Repeat("x", 300))}); err != nil {
		c.t.Fatal(err)
	}
	c.cost = cost{}
	if len(c.hints) == 0 { // Scheduler sends it
		c.now = c.now.Truncate(time.Hour).Add(time.Hour)
		c.hints = append(c.hints, wake.Hint{At: c.now, Key: c.repeated})
		c.cost.schedules++
		c.cost.wakes++
		c.deliver(c.now.Add(time.Minute))
		return
	}
	c.deliver(c.hints[0].At.Add(time.Minute)) // the wake-up for the next run is counted, the one for this one is not
}

func (c *counter) Send(context.Context, qstash.Delivery) (qstash.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := c.status
	c.status = 200 // what fails does so once
	return qstash.Response{Status: status, Header: qstash.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"ok":true}`)}, nil
}

// metered runs one invocation of a function.
func (c *counter) metered(function int, f func(context.Context)) {
	var m store.Meter
	c.mu.Lock()
	c.now = c.now.Add(recordTTL) // what another run has read of the account is too old
	c.mu.Unlock()
	f(store.WithMeter(c.t.Context(), &m))
	u := m.Total()
	c.cost.reads += u.ReadUnits
	c.cost.writes += u.WriteUnits
	c.cost.calls += u.Calls
	c.cost.invocations[function]++
}

func (c *counter) publish(body string, o qstash.Options) {
	c.t.Helper()
	c.metered(0, func(ctx context.Context) {
		if _, err := c.engine.Account(ctx, "acct"); err != nil { // that the token is checked against
			c.t.Fatal(err)
		}
		if out := c.engine.Publish(ctx, "acct", []qstash.Request{{Destination: "https://example.com/api/hook", Body: []byte(body), Options: o}}); out[0].Err != nil {
			c.t.Fatal(out[0].Err)
		}
	})
}

// steps makes a run of a number of steps.
func (c *counter) steps(n int) {
	c.t.Helper()
	c.publish("in", qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1", Init: true}})
	c.deliver(c.now)
	for range n {
		c.publish(`{"stepId":1,"stepName":"one","stepType":"Run","out":"1","concurrent":1}`, qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1"}})
		c.deliver(c.now)
	}
}

// sweep counts what a sweep does two minutes later, without what it does when there is nothing to do.
func (c *counter) sweep() {
	c.t.Helper()
	c.now = c.now.Add(2 * time.Minute)
	var used [2]store.Usage
	for i := range used {
		var m store.Meter
		if _, err := c.engine.Sweep(store.WithMeter(c.t.Context(), &m), c.engine.Overdue()); err != nil {
			c.t.Fatal(err)
		}
		used[i] = m.Total()
	}
	c.cost.calls += used[0].Calls - used[1].Calls
	c.cost.reads += used[0].ReadUnits - used[1].ReadUnits
	c.cost.writes += used[0].WriteUnits - used[1].WriteUnits
}

// deliver handles wake-ups until there are none, or until a time.
func (c *counter) deliver(until time.Time) {
	c.t.Helper()
	for {
		c.mu.Lock()
		slices.SortStableFunc(c.hints, func(a, b wake.Hint) int { return a.At.Compare(b.At) })
		if len(c.hints) == 0 || c.hints[0].At.After(until) {
			c.hints = nil
			c.mu.Unlock()
			return
		}
		h := c.hints[0]
		c.hints = c.hints[1:]
		if h.At.After(c.now) {
			c.now = h.At
		}
		c.mu.Unlock()
		c.metered(1, func(ctx context.Context) {
			if err := c.engine.Handle(ctx, h.Key); err != nil {
				c.t.Fatal(err)
			}
		})
	}
}

// noise is what no compression makes shorter.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}

// orders is JSON as services send it: names repeat, values do not.
func orders(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	var list []map[string]any
	for size := 0; size < n; {
		order := map[string]any{"orderId": fmt.Sprintf("%016x", r.Uint64()), "customer": fmt.Sprintf("user-%d@example.com", r.IntN(1e6)),
			"amount": float64(r.IntN(1e6)) / 100, "currency": []string{"EUR", "USD", "GBP"}[r.IntN(3)],
			"createdAt": time.Unix(1_790_000_000+r.Int64N(1e6), 0).UTC(), "paid": r.IntN(2) == 0}
		text, err := json.Marshal(order)
		if err != nil {
			panic(err)
		}
		size += len(text) + 1
		list = append(list, order)
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestCostsAreAsTheTableSays(t *testing.T) {
	ok := func(o qstash.Options) func(*counter) {
		return func(c *counter) { c.publish(strings.Repeat("x", 300), o); c.deliver(c.now.Add(time.Hour)) }
	}
	rows := []struct {
		name     string
		messages int // that Upstash bills: each attempt is one
		run      func(*counter)
	}{
		{"a message of 300 bytes, delivered at once", 1, ok(qstash.Options{})},
		{"one of 10 KB of JSON", 1, func(c *counter) { c.publish(orders(10_000), qstash.Options{}); c.deliver(c.now) }},
		{"one of 6 KB that cannot be compressed", 1, func(c *counter) { c.publish(noise(6_000), qstash.Options{}); c.deliver(c.now) }},
		{dearest, 1, func(c *counter) { c.publish(noise(10_000), qstash.Options{}); c.deliver(c.now) }},
		{"delayed by 10 minutes", 1, ok(qstash.Options{Delay: 10 * time.Minute})},
		{"delayed by an hour", 1, ok(qstash.Options{Delay: time.Hour})},
		{"delivered at the second attempt", 2, func(c *counter) { c.status = 500; ok(qstash.Options{})(c) }},
		{"failed, into the dead letter queue", 1, func(c *counter) { c.status = 500; none := 0; ok(qstash.Options{Retries: &none})(c) }},
		{"with a deduplication id", 1, ok(qstash.Options{DedupID: "id"})},
		{"with a callback", 2, ok(qstash.Options{Callback: &qstash.Callback{URL: "https://example.com/cb"}})},
		{"through a queue", 1, ok(qstash.Options{Queue: "queue"})},
		{"with flow control", 1, ok(qstash.Options{Flow: &qstash.Flow{Key: "key", Parallelism: 10}})},
		{"of a schedule, every 10 minutes", 1, func(c *counter) { c.schedule("*/10 * * * *") }},
		{"of a schedule, every hour", 1, func(c *counter) { c.schedule("0 * * * *") }},
		{workflowStep, 1, func(c *counter) {
			c.steps(0)
			c.cost = cost{}
			c.publish(`{"stepId":1,"stepName":"one","stepType":"Run","out":"1","concurrent":1}`, qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1"}})
			c.deliver(c.now)
		}},
		{"a step that sleeps for 10 minutes", 1, func(c *counter) {
			c.steps(0)
			c.cost = cost{}
			c.publish(`{"stepId":1,"stepName":"one","stepType":"SleepFor","sleepFor":600,"concurrent":1}`,
				qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1"}, Delay: 10 * time.Minute})
			c.deliver(c.now.Add(time.Hour))
		}},
		{sweepLook, 0, func(c *counter) {
			c.steps(10)
			c.publish(`{"stepId":2,"sleepFor":3600}`, qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1"}, Delay: time.Hour})
			c.cost = cost{}
			c.sweep()
		}},
		{"the same, of a run that has ended", 0, func(c *counter) {
			c.steps(10)
			if err := c.engine.FinishRun(c.t.Context(), "acct", "wfr_1", nil); err != nil {
				c.t.Fatal(err)
			}
			c.cost = cost{}
			c.sweep()
		}},
	}
	of := map[string]float64{} // dollars, by name
	var table strings.Builder
	for _, row := range rows {
		st := dynamolocal.Open(t)
		c := &counter{t: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), status: 200}
		ids := rand.NewChaCha8([32]byte{}) // they say which partitions are written to
		c.engine = qstash.New(qstash.Config{Store: st, Sender: c, Waker: c, RecordTTL: recordTTL, Random: func(b []byte) { ids.Read(b) },
			Now: func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }})
		if _, err := c.engine.CreateAccount(t.Context(), "acct", qstash.Keys{}); err != nil {
			t.Fatal(err)
		}
		// Queue and key exist, as they mostly do.
		c.publish("", qstash.Options{Queue: "queue", Flow: &qstash.Flow{Key: "key", Parallelism: 10}})
		c.deliver(c.now)
		c.cost = cost{}
		row.run(c)
		k := c.cost
		dollars := k.writes*priceWrite + k.reads*priceRead + float64(3*k.wakes)*priceSQS + float64(k.schedules)*priceSchedule +
			float64(k.invocations[0]+k.invocations[1])*priceInvoke +
			(float64(k.invocations[0])*apiGBSeconds+float64(k.invocations[1])*deliverGBSeconds)*priceGBSecond
		of[row.name] = dollars
		if most := float64(row.messages) * priceUpstash; row.messages > 0 && dollars > most && row.name != dearest {
			t.Errorf("%s: %.2f dollars a million, Upstash bills %.2f", row.name, dollars, most)
		}
		fmt.Fprintf(&table, "| %s | %d | %g | %g | %d | %d | %d | %.2f | %.2f |\n", row.name, k.calls, k.writes, k.reads, k.wakes, k.schedules,
			k.invocations[0]+k.invocations[1], dollars, float64(row.messages)*priceUpstash)
	}
	step := of[workflowStep] + of[sweepLook]/11 // its part of what is done for eleven messages
	if step > priceUpstash {
		t.Errorf("a workflow step: %.2f dollars a million with its part of the sweep", step)
	}
	// What S3 bills for a PUT and a GET, instead of what DynamoDB does for the body.
	body, object := 10*priceWrite, 5.40
	if of[dearest]-body+object <= priceUpstash {
		t.Error("bodies in S3 would be worth while")
	}
	got := fmt.Sprintf(preface, step, of[dearest], body, object, of[dearest]-body+object) + table.String()
	if *update {
		if err := os.WriteFile("COSTS.md", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile("COSTS.md")
	if err != nil || string(want) != got {
		t.Errorf("COSTS.md is out of date (%v); run go test ./integration/bench/qstash -update\n%s", err, got)
	}
}

// Rows that are compared with what Upstash bills.
const (
	dearest      = "one of 10 KB that cannot be compressed"
	workflowStep = "a workflow step"
	sweepLook    = "the sweep's look at a run of ten steps that goes on"
)

const preface = `# What QStash costs on AWS

Counted by the tests of this folder, on DynamoDB Local; ` + "`go test ./integration/bench/qstash -update`" + ` writes the table anew.
Prices are those of us-east-1, on demand, in dollars for a million messages:

- DynamoDB: 0.625 for a million write units, 0.125 for a million read units. Each run reads the account, which it need not
  within a second of another one.
- SQS: 0.40 for a million requests, three for a wake-up (send, receive, delete), two more each time that it fails. Lambda receives up to ten at a time,
  so under load it is less than half. An idle queue is polled: about 0.26 dollars a month.
- A message that finds its queue busy, or its flow control key at its limit, is woken twice: 1.80 more.
- A host in trouble: where all is well this costs nothing. An attempt that takes longer than two seconds is noted and its note removed,
  two write units, once for all that a run has for the same host; its Lambda time is 13 dollars a million by then. While an account has hosts
  in trouble, each of its messages costs one read unit more, and each time that one is held a wake-up more.
- EventBridge Scheduler: 1.00 for a million late or repeated wake-ups. A schedule that is not due every 15 minutes is repeated
  by Scheduler: one invocation, one SQS message and one Lambda run, without which each run would have to create the next
  one's (one more API call, SQS message and Lambda run).
- Lambda on Arm with 512 MB: 0.20 for a million invocations, 13.33 for a million GB-seconds; a request to the API is taken to last
  15 ms, a wake-up 60 ms, most of which is the destination's. A slower destination costs more: 0.5 GB-seconds, or 6.67
  dollars a million, for each second of one delivery alone; up to ten share it.
- An attempt that begins more than ten seconds after its message's creation costs one write for the log, which is in order of time;
  a second one if it lasts longer than that.
- An attempt that takes longer than half a minute costs one write for each further half minute: its claim is renewed.
- The due entry of a workflow's message is removed by the sweep, which looks then whether the run goes on: see the last two
  rows. They stand for eleven messages, whose own rows lack that write.
- Upstash: 1 dollar for 100,000 messages, each attempt and each callback counting as one.
- Function URLs are free; an HTTP API adds 1.00 for a million requests. Counting usage adds 0.05 or less under load, see [../COSTS.md](../COSTS.md); ` + "`-c meter=false`" + ` leaves it out.

No message costs more than Upstash bills, a workflow step with its part of the sweep %.2f dollars, with one exception: 10 KB that cannot be compressed cost %.2f.
DynamoDB bills a write unit for each KB, so the body alone is ten of the fifteen units, %.2f dollars. An object in S3 would be %.2f (a PUT and a GET), so that
the sum would still be %.2f; and a message would be in two places that have to agree. Up to 6 KB of such bodies, and 10 KB of JSON, stay below.

| Message | DynamoDB calls | write units | read units | wake-ups | of them late | Lambda runs | AWS, $ per million | Upstash, $ per million |
|---|---|---|---|---|---|---|---|---|
`
