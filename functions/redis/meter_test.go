package main

import (
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

func TestRequestsLeaveALineEach(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), append(d.env, "METER=lines")...)
	for _, event := range []string{"redis/set.json", "redis/get.json", "redis/unauthorized.json", "redis/pipeline.json"} {
		invoke(t, fn, runtimetest.Event(t, event, "${TOKEN}", d.token))
	}
	output := fn.Kill()
	var got []meter.Entry
	for line := range strings.Lines(output) {
		if !strings.Contains(line, `"meter":1`) {
			continue
		}
		e, err := meter.ParseLine([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, e)
	}
	if len(got) != 3 {
		t.Fatalf("%d lines of three requests for the database:\n%s", len(got), output)
	}
	for i, want := range []struct {
		class         string
		commands      int64
		reads, writes float64
	}{{meter.ClassWrite, 1, 0, 1}, {meter.ClassRead, 1, 1, 0}} {
		e := got[i]
		c := e.Sum.Counters
		if e.Instance == "" || e.Instance != got[0].Instance || e.Number != int64(i) || e.Sum.Resource != (meter.Resource{Product: "redis", ID: "first"}) ||
			e.Sum.Class != want.class || c.Requests != 1 || c.Gateway != 1 || c.Commands != want.commands || c.Busy <= 0 || c.WriteUnits != want.writes || c.ReadUnits < want.reads {
			t.Errorf("line %d: %+v", i, e)
		}
	}
	if got[2].Sum.Counters.Commands != 4 {
		t.Errorf("the pipeline of four: %+v", got[2])
	}
}
