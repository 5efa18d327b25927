package qstash_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

func TestPendingMessagesAreListedByTheirTime(t *testing.T) {
	w := newWorld(t)
	paused := true
	if err := w.engine.UpsertQueue(t.Context(), acct, "q", nil, &paused); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 12 {
		want = append(want, w.publish(fmt.Sprintf("https://%d.example", i), "body", qstash.Options{Delay: time.Duration(i+1) * time.Hour}))
	}
	var parked []string
	for i := range 4 {
		parked = append(parked, w.publish(fmt.Sprintf("https://parked.example/%d", i), "", qstash.Options{Queue: "q"}))
	}
	other := w.publish("https://other.example", "", qstash.Options{Queue: "r", Delay: 24 * time.Hour})
	want = append(append(want, parked...), other)
	sent := w.publish("https://sent.example", "", qstash.Options{})
	w.run(time.Minute)

	var got []string
	q := qstash.PendingQuery{Count: 3}
	for {
		page, next, err := w.engine.Pending(t.Context(), acct, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			switch {
			case m.Queue != "" && m.State != qstash.PendingParked,
				m.Queue == "" && (m.State != qstash.PendingDue || m.BodySize != 4 || m.Due.IsZero()):
				t.Errorf("%+v", m)
			}
			got = append(got, m.MessageID)
		}
		if q.Cursor = next; next == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	filtered, _, err := w.engine.Pending(t.Context(), acct, qstash.PendingQuery{Filter: qstash.Filter{Queue: []string{"q"}}, Count: 5})
	if err != nil || len(filtered) != 4 || filtered[0].MessageID != parked[0] {
		t.Errorf("of the queue: %+v, %v", filtered, err)
	}
	if m, err := w.engine.PendingMessage(t.Context(), acct, want[3]); err != nil || m.URL != "https://3.example" {
		t.Errorf("one of them: %+v, %v", m, err)
	}
	if _, err := w.engine.PendingMessage(t.Context(), acct, sent); err == nil {
		t.Error("a message that was delivered is pending")
	}
	if _, _, err := w.engine.Pending(t.Context(), acct, qstash.PendingQuery{Cursor: "!", Count: 5}); err == nil {
		t.Error("a cursor that is none is accepted")
	}
}
