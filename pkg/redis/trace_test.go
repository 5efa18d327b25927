package redis_test

import (
	"fmt"
	"strings"
	"testing"
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
