package wire

import (
	"testing"
	"time"
)

func TestSoftLimitsHoldAfterTheirTime(t *testing.T) {
	limit := OutputLimit{HardBytes: 100, SoftBytes: 10, SoftTime: 5 * time.Second}
	start := time.Unix(1000, 0)
	var since time.Time
	for i, step := range []struct {
		at      time.Duration
		pending int
		want    bool
	}{
		{0, 10, false},
		{1 * time.Second, 11, false},
		{5 * time.Second, 100, false},
		{5900 * time.Millisecond, 11, false},
		{5950 * time.Millisecond, 10, false}, // it has read: the time begins anew
		{6 * time.Second, 11, false},
		{10 * time.Second, 11, false},
		{11 * time.Second, 11, true},
		{12 * time.Second, 101, true},
	} {
		if got := limit.exceeds(step.pending, &since, start.Add(step.at)); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	since = time.Time{}
	for range 2 {
		if (OutputLimit{}).exceeds(1<<30, &since, start) {
			t.Error("no limit is a limit")
		}
	}
}
