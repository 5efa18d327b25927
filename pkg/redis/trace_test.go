package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
)

// The clock stands still, so no trace ever becomes old enough to be dropped for its age.
func TestTracesOfAnsweredWritesDoNotPileUp(t *testing.T) {
	d := newTestEngine(t)
	large := []string{"hset", "spread"}
	for i := range 500 {
		large = append(large, fmt.Sprintf("field%03d", i), "value")
	}
	d.do(large...)
	d.cmd("rpush l a b c")
	for _, lines := range [][]string{
		{"incr n"},
		{"hincrby h f 1"},
		{"hset h f 1", "hincrby h f 1"}, // blind and not, in turns
		{"zincrby z 1 m"},
		{"rpoplpush l l"},
		{"hset spread field007 x"},
		{"hincrby spread n 1", "hset spread field007 x"},
	} {
		last := lines[len(lines)-1]
		for _, line := range lines {
			d.cmd(line)
		}
		first := d.usage(strings.Fields(last)...)
		for range 100 {
			for _, line := range lines {
				d.cmd(line)
			}
		}
		if u := d.usage(strings.Fields(last)...); u != first {
			t.Errorf("%s: %+v at first, %+v after many", lines, first, u)
		}
	}
}

// Each instance leaves the trace of its last write to a key that it never writes again.
func TestTracesOfGoneInstancesDoNotStay(t *testing.T) {
	for _, line := range []string{"incr n", "hincrby h f 1", "hset h f 1", "lpush l x", "zincrby z 1 m"} {
		t.Run(line, func(t *testing.T) {
			d := newTestEngine(t)
			cmd := strings.Fields(line)
			d.do(cmd...)
			first := d.usage(cmd...)
			for range 100 {
				d.clock.advance(time.Minute)
				d.e = redis.New(redis.Config{Store: d.st, Now: d.clock.now})
				d.do(cmd...)
				d.do(cmd...)
			}
			if strings.HasPrefix(line, "lpush") {
				d.cmd("ltrim l 0 1")
			}
			if u := d.usage(cmd...); u != first {
				t.Errorf("%+v at first, %+v after 100 instances", first, u)
			}
		})
	}
}
