package aws_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
)

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestLaterHintsBecomeOneScheduleEach(t *testing.T) {
	c := newCloud(t)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	c.now = func() time.Time { return now }
	w := c.waker()
	late := wake.Hint{At: now.Add(15*time.Minute + time.Millisecond), Key: "m/acct/1"}
	for range 2 {
		if err := w.Wake(t.Context(), late, wake.Hint{At: now.Add(15 * time.Minute), Key: "m/acct/2"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.schedules) != 1 || len(c.queue) != 2 || c.queue[0].visible != now.Add(15*time.Minute) {
		t.Fatalf("%d schedules, queue %v", len(c.schedules), c.queue)
	}
	c.queue = nil
	for _, s := range c.schedules {
		if s.ScheduleExpression != "at(2026-11-24T12:13:00)" || s.ActionAfterCompletion != "DELETE" || s.FlexibleTimeWindow.Mode != "OFF" ||
			s.GroupName != "wake" || s.Target.Arn != "arn:aws:sqs:eu-central-1:123456789012:wake" || s.Target.RoleArn != "arn:aws:iam::123456789012:role/wake" {
			t.Errorf("schedule %+v", s)
		}
		now = now.Add(13*time.Minute + 59*time.Second) // Scheduler fires within the minute
		var handled []string
		handle := func(_ context.Context, key string) error { handled = append(handled, key); return nil }
		if err := w.Receive(t.Context(), s.Target.Input, handle); err != nil {
			t.Fatal(err)
		}
		if len(handled) != 0 || len(c.queue) != 1 || c.queue[0].visible != now.Add(62*time.Second) {
			t.Fatalf("early: handled %v, queue %v", handled, c.queue)
		}
		now = c.queue[0].visible
		if err := w.Receive(t.Context(), c.queue[0].body, handle); err != nil || len(handled) != 1 || handled[0] != "m/acct/1" {
			t.Errorf("in time: handled %v, %v", handled, err)
		}
	}
}

func TestRefusedMessagesAreAnError(t *testing.T) {
	c := newCloud(t)
	w := c.waker()
	c.failSends = 1
	if err := w.Wake(t.Context(), wake.Hint{Key: "m/acct/1"}, wake.Hint{Key: "m/acct/2"}); err == nil {
		t.Error("no error")
	}
	for _, body := range []string{"", "nonsense", "{}"} {
		if err := w.Receive(t.Context(), body, func(context.Context, string) error { return nil }); err == nil {
			t.Errorf("body %q is handled", body)
		}
	}
}
