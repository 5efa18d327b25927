package kafka

import (
	"math/rand/v2"
	"testing"
)

func TestSizeIsThatOfTheClustersMessages(t *testing.T) {
	onEachStore(t, func(w *world) {
		size := func(id string) (bytes, items int64) {
			t.Helper()
			s, err := w.e.Size(w.Context(), id)
			if err != nil || !s.At.Equal(w.clock.now()) {
				t.Fatalf("%+v, %v", s, err)
			}
			return s.Bytes, s.Items
		}
		want := func(what string, payload, wantItems int64) {
			t.Helper()
			bytes, items := size("c1")
			if most := payload + 400*wantItems; items != wantItems || bytes < payload || bytes > most {
				t.Errorf("%s: %d items of %d bytes, want %d of %d to %d", what, items, bytes, wantItems, payload, most)
			}
		}
		want("no topics", 0, 0)
		w.topic("red", TopicOptions{Partitions: 2})
		w.topic("blue", TopicOptions{Partitions: 1})
		want("no messages", 0, 3) // but heads
		value := make([]byte, 10_000)
		rand.NewChaCha8([32]byte{}).Read(value) // what no compression makes smaller
		w.produceAll(
			NewMessage{Topic: "red", Partition: 0, Timestamp: -1, Value: value},
			NewMessage{Topic: "red", Partition: 1, Timestamp: -1, Value: value},
			NewMessage{Topic: "blue", Partition: 0, Timestamp: -1, Value: value},
		)
		w.materialize(0)
		want("a message in each of three partitions", 30_000, 6) // heads and segments
		if _, err := w.e.CreateCluster(w.Context(), ClusterOptions{ID: "c2"}); err != nil {
			t.Fatal(err)
		}
		if bytes, items := size("c2"); bytes != 0 || items != 0 {
			t.Errorf("another cluster: %d items of %d bytes", items, bytes)
		}
		if err := w.e.DeleteTopic(w.Context(), w.cluster, "red"); err != nil {
			t.Fatal(err)
		}
		want("a topic is deleted", 10_000, 2)
	})
}
