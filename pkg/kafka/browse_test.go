package kafka

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestMessagesAreLookedAtByPage(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{Partitions: 2})
		for i := range 10 {
			w.produce("red", fmt.Sprintf("%d-a", i), fmt.Sprintf("%d-b", i))
		}
		w.materialize(0)
		tp := TopicPartition{"red", 0}
		var seen []string
		for from := int64(3); from < 15; {
			messages, next, err := w.e.Look(w.Context(), w.cluster, TopicOffset{tp, from}, 15, 4)
			if err != nil || next <= from || len(messages) > 4 {
				w.Fatalf("from %d: %d messages, next %d, %v", from, len(messages), next, err)
			}
			for _, m := range messages {
				seen = append(seen, string(m.Value))
			}
			from = next
		}
		want := []string{"1-b", "2-a", "2-b", "3-a", "3-b", "4-a", "4-b", "5-a", "5-b", "6-a", "6-b", "7-a"}
		if !slices.Equal(seen, want) {
			w.Errorf("got %q, want %q", seen, want)
		}
		if messages, next, err := w.e.Look(w.Context(), w.cluster, TopicOffset{tp, 20}, 100, 4); err != nil || len(messages) > 0 || next != 20 {
			w.Errorf("behind the end: %d messages, next %d, %v", len(messages), next, err)
		}
		if _, _, err := w.e.Look(w.Context(), w.cluster, TopicOffset{TopicPartition{"red", 7}, 0}, 100, 4); !IsKind(err, Invalid) {
			w.Errorf("a partition that is none: %v", err)
		}
		ranges, err := w.e.Ranges(w.Context(), w.cluster, "red")
		if err != nil || len(ranges) != 2 || ranges[0].Start != 0 || ranges[0].End != 20 || ranges[1].End != 0 || ranges[0].Bytes == 0 {
			w.Errorf("ranges %+v, %v", ranges, err)
		}
		if _, err := w.e.Ranges(w.Context(), w.cluster, "none"); !IsKind(err, NotFound) {
			w.Errorf("a topic that is none: %v", err)
		}
	})
}

func TestGroupsTellTheirLag(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{Partitions: 2})
		w.topic("blue", TopicOptions{})
		w.produce("red", "a", "b", "c")
		w.produce("blue", "x")
		w.materialize(0)
		o := InstanceOptions{Reset: ResetEarliest, SessionTimeout: time.Minute}
		if _, err := w.e.Consume(w.Context(), w.cluster, "g", "i", []string{"red"}, o, 0); err != nil {
			w.Fatal(err)
		}
		place := TopicOffset{TopicPartition{"red", 0}, 1}
		if err := w.e.Commit(w.Context(), w.cluster, "g", "i", []TopicOffset{place}); err != nil {
			w.Fatal(err)
		}
		g, err := w.e.Lag(w.Context(), w.cluster, "g")
		if err != nil {
			w.Fatal(err)
		}
		want := []PartitionLag{
			{TopicPartition{"red", 0}, "i", 1, 3, 0, 3, 2},
			{TopicPartition{"red", 1}, "i", -1, 0, 0, 0, -1},
		}
		if !slices.Equal(g.Partitions, want) || g.Lag() != 2 || !slices.Equal(g.Instances, []string{"i"}) || !g.UsedAt.Equal(w.clock.now()) {
			w.Errorf("got %+v, want %+v", g, want)
		}
		w.clock.advance(time.Hour)
		all, err := w.e.Lags(w.Context(), w.cluster)
		if err != nil || len(all) != 1 || len(all[0].Instances) != 0 || all[0].Lag() != 2 || all[0].Partitions[0].Instance != "" {
			w.Errorf("without instances: %+v, %v", all, err)
		}
		if err := w.e.DeleteTopic(w.Context(), w.cluster, "red"); err != nil {
			w.Fatal(err)
		}
		if g, err = w.e.Lag(w.Context(), w.cluster, "g"); err != nil || len(g.Partitions) != 0 {
			w.Errorf("without the topic: %+v, %v", g, err)
		}
		if _, err := w.e.Lag(w.Context(), w.cluster, "none"); !IsKind(err, NotFound) {
			w.Errorf("a group that is none: %v", err)
		}
	})
}
