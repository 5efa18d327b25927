package main

import (
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// sumsOf are the sums of the lines in a function's output, in order.
func sumsOf(t *testing.T, output string) (lines int, sums []meter.Entry) {
	t.Helper()
	for line := range strings.Lines(output) {
		if !strings.Contains(line, `"meter":2`) {
			continue
		}
		entries, err := meter.ParseLine([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines++
		sums = append(sums, entries...)
	}
	return lines, sums
}

func TestTheFirstRequestHasALineAndTheEndHasTheOthers(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), append(d.env, "METER=lines")...)
	for _, event := range []string{"redis/set.json", "redis/get.json", "redis/get.json", "redis/unauthorized.json", "redis/pipeline.json"} {
		invoke(t, fn, runtimetest.Event(t, event, "${TOKEN}", d.token))
	}
	output := fn.Shutdown()
	lines, got := sumsOf(t, output)
	if lines != 2 || len(got) != 3 {
		t.Fatalf("%d lines with %d sums of four requests for the database:\n%s", lines, len(got), output)
	}
	for i, want := range []struct {
		class              string
		requests, commands int64
		reads, writes      float64
	}{{meter.ClassWrite, 1, 1, 0, 1}, {meter.ClassRead, 2, 2, 2, 0}, {meter.ClassWrite, 1, 4, 0, 0}} {
		e := got[i]
		c := e.Sum.Counters
		if e.Instance == "" || e.Instance != got[0].Instance || e.Number != int64(i) || e.Sum.Resource != (meter.Resource{Product: "redis", ID: "first"}) ||
			e.Sum.Class != want.class || c.Requests != want.requests || c.Gateway != want.requests || c.Commands != want.commands || c.Busy <= 0 ||
			c.WriteUnits < want.writes || c.ReadUnits < want.reads || e.Sum.Latency.Count() != want.requests {
			t.Errorf("sum %d: %+v", i, e)
		}
	}
}

func TestFunctionsThatAreNotMeteredWriteNoLines(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), d.env...)
	invoke(t, fn, runtimetest.Event(t, "redis/get.json", "${TOKEN}", d.token))
	if lines, _ := sumsOf(t, fn.Shutdown()); lines != 0 {
		t.Errorf("%d lines", lines)
	}
}
