package meter_test

import (
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
)

// told counts what it is told.
type told struct{ records int }

func (t *told) Record(meter.Record) { t.records++ }

func TestLiveKeepsTheLastHourInStepsOfTenSeconds(t *testing.T) {
	now, next := noon, &told{}
	live := meter.NewLive(next, func() time.Time { return now })
	record := func(took time.Duration, ran ...meter.Ran) {
		r := meter.Record{Resource: db1, Class: meter.ClassRead, At: now, Duration: took, Status: 200, Commands: int64(len(ran)), ReadUnits: 1}
		r.Count(ran)
		live.Record(r)
	}
	wrong := meter.Ran{Command: "lpush", Error: "WRONGTYPE Operation against a key holding the wrong kind of value"}
	record(time.Millisecond, meter.Ran{Command: "get", Hits: 1}, meter.Ran{Command: "get", Misses: 1})
	now = now.Add(meter.LiveStep)
	record(100*time.Millisecond, wrong, wrong, meter.Ran{Command: "get", Hits: 1}, meter.Ran{Command: "mget", Hits: 2, Misses: 1})
	steps := live.Steps(db1, meter.LiveStep, 3)
	if got := []int64{steps[0].Counters.Requests, steps[1].Counters.Requests, steps[2].Counters.Requests}; got[0] != 0 || got[1] != 1 || got[2] != 1 {
		t.Errorf("requests of three steps: %v", got)
	}
	if c := steps[2].Counters; c.Errors != 2 || c.Hits != 3 || c.Misses != 1 || c.Commands != 4 || c.Refused != 0 {
		t.Errorf("the second step: %+v", c)
	}
	if p := steps[2].P99().Seconds(); p < 0.1*(1-meter.RelativeError) || p > 0.1*(1+meter.RelativeError) {
		t.Errorf("its p99 is %v", steps[2].P99())
	}
	if minute := live.Steps(db1, meter.LiveMinute, 1)[0]; minute.Counters.Commands != 6 {
		t.Errorf("the minute: %+v", minute.Counters)
	}
	commands := live.Commands(db1, 60)
	if len(commands) != 3 || commands[0].Command != "get" || commands[0].Calls != 3 || commands[0].Hits != 2 || commands[0].ReadUnits != 1.25 || commands[1].Errors != 2 {
		t.Errorf("commands %+v", commands)
	}
	failures := live.Failures(db1, 60)
	if len(failures) != 1 || failures[0].Count != 2 || failures[0].Text != wrong.Error || !failures[0].Last.Equal(now) {
		t.Errorf("failures %+v", failures)
	}
	now = now.Add(time.Hour)
	if left := live.Commands(db1, 60); len(left) != 0 {
		t.Errorf("an hour later: %+v", left)
	}
	if day := live.Steps(db1, meter.LiveMinute, 24*60); day[len(day)-61].Counters.Commands != 6 {
		t.Errorf("an hour later, the minute has %+v", day[len(day)-61].Counters)
	}
	if next.records != 2 {
		t.Errorf("%d records were passed on", next.records)
	}
}

func TestLiveForgetsResourcesThatAreNotUsed(t *testing.T) {
	live := meter.NewLive(&told{}, func() time.Time { return noon })
	for i := range 1000 {
		live.Record(meter.Record{Resource: meter.Resource{Product: "redis", ID: string(rune('a' + i))}, Class: meter.ClassRead, At: noon, Status: 200})
		live.Record(meter.Record{Resource: db1, Class: meter.ClassRead, At: noon, Status: 200})
	}
	if n := live.Steps(db1, meter.LiveStep, 1)[0].Counters.Requests; n != 1000 {
		t.Errorf("%d requests of a resource that is used are known", n)
	}
	if n := live.Steps(meter.Resource{Product: "redis", ID: "a"}, meter.LiveStep, 1)[0].Counters.Requests; n != 0 {
		t.Error("a resource that is not used is remembered for ever")
	}
}
