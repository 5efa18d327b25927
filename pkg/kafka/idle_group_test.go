package kafka

import (
	"testing"
	"time"
)

// A group whose last instance has left keeps its committed offsets for a week, as one does whose
// instances have expired.
func TestCommittedOffsetsOutliveTheLastInstance(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		tp := TopicPartition{"red", 0}
		if _, err := w.e.Consume(w.Context(), w.cluster, "group", "one", []string{"red"}, InstanceOptions{Reset: ResetEarliest, SessionTimeout: time.Minute}, 0); err != nil {
			w.Fatal(err)
		}
		if err := w.e.Commit(w.Context(), w.cluster, "group", "one", []TopicOffset{{tp, 5}}); err != nil {
			w.Fatal(err)
		}
		if err := w.e.DeleteInstance(w.Context(), w.cluster, "group", "one"); err != nil {
			w.Fatal(err)
		}
		for _, row := range []struct {
			after time.Duration
			want  int64
		}{{0, 5}, {7*24*time.Hour - time.Minute, 5}, {2 * time.Minute, -1}} {
			w.clock.advance(row.after)
			if _, err := w.e.Reclaim(w.Context()); err != nil {
				w.Fatal(err)
			}
			got, err := w.e.Committed(w.Context(), w.cluster, "group", []TopicPartition{tp})
			if err != nil || got[0].Offset != row.want {
				w.Errorf("%v later: committed %v, %v, want %d", row.after, got, err, row.want)
			}
		}
	})
}
