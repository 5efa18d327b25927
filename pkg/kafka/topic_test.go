package kafka

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func (w *world) reclaim() {
	w.Helper()
	if _, err := w.e.Reclaim(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func TestTopicsAreListedDescribedAndDeleted(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{Partitions: 3, Retention: time.Hour, RetentionBytes: 5, MaxMessageBytes: 7, Compact: true})
		blue := w.topic("blue", TopicOptions{})
		topics, err := w.e.Topics(w.Context(), w.cluster)
		if err != nil || len(topics) != 2 || topics[0].Name != "blue" || topics[1].TopicOptions != (TopicOptions{3, time.Hour, 5, 7, true, false, ""}) {
			w.Errorf("topics %+v, %v", topics, err)
		}
		if topics[0].TopicOptions != (TopicOptions{1, DefaultRetention, 0, DefaultMaxMessageBytes, false, false, ""}) {
			w.Errorf("defaults are %+v", topics[0].TopicOptions)
		}
		_, err = w.e.CreateTopic(w.Context(), w.cluster, "red", TopicOptions{})
		w.wantKind(err, Exists)
		for _, name := range []string{"", ".", "..", "a b", "a/b", "ü", strings.Repeat("x", 250)} {
			_, err = w.e.CreateTopic(w.Context(), w.cluster, name, TopicOptions{})
			w.wantKind(err, Invalid)
		}
		_, err = w.e.CreateTopic(w.Context(), w.cluster, "many", TopicOptions{Partitions: 97})
		w.wantKind(err, Invalid)
		_, err = w.e.UpdateTopic(w.Context(), w.cluster, "red", func(o *TopicOptions) { o.Partitions = 2 })
		w.wantKind(err, Invalid)

		w.fill("blue", "a")
		if err := w.e.DeleteTopic(w.Context(), w.cluster, "blue"); err != nil {
			w.Fatal(err)
		}
		_, err = w.e.Topic(w.Context(), w.cluster, "blue")
		w.wantKind(err, NotFound)
		w.materialize(0) // what comes late has nowhere to go
		w.reclaim()
		if n := w.items(blue.log(0), "") + w.items(clusterPartition("c1"), "r"); n != 0 {
			w.Errorf("%d items are left", n)
		}
		w.topic("blue", TopicOptions{})
		w.wantValues(w.fetch("blue", 0))
	})
}

func TestAddingPartitionsAtOnceLeavesThemAsTheyAre(t *testing.T) {
	w := newWorld(t, openStore(t))
	stale, err := w.e.CreateTopic(t.Context(), w.cluster, "red", TopicOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.e.UpdateTopic(t.Context(), w.cluster, "red", func(o *TopicOptions) { o.Partitions = 2 }); err != nil {
		t.Fatal(err)
	}
	w.produceAll(NewMessage{Topic: "red", Partition: 1, Timestamp: -1, Value: []byte("a")})
	w.materialize(0)
	if err := w.e.addHeads(t.Context(), stale, 2); err != nil { // of somebody slower
		t.Fatal(err)
	}
	got, err := w.e.Fetch(t.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 1}, 0}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.wantValues(got, "a")
}

func TestMessagesExpire(t *testing.T) {
	w := newWorld(t, openStore(t))
	log := w.topic("red", TopicOptions{Retention: time.Hour}).log(0)
	w.fill("red", "a", "b")
	w.clock.advance(30 * time.Minute)
	w.fill("red", "c")
	w.clock.advance(30 * time.Minute)
	w.wantValues(w.fetch("red", 0), "c")
	got, err := w.e.Offsets(t.Context(), w.cluster, []TopicPartition{{"red", 0}}, Earliest, 0)
	if err != nil || got[0].Offset != 2 {
		t.Errorf("earliest %+v, %v", got, err)
	}
	// The store deletes them itself, by their TTL. A sweep that did would pay for it.
	w.reclaim()
	if h := w.head("red"); h.start != 2 || w.items(log, kindSegment) != 2 {
		t.Errorf("the log starts at %d, with %d segments in the store", h.start, w.items(log, kindSegment))
	}
	w.clock.advance(time.Hour)
	w.reclaim()
	w.wantValues(w.fetch("red", 0))
	w.fill("red", "d")
	w.wantValues(w.fetch("red", 0), "d")
}

func TestPartitionsBeyondTheirSizeLoseTheOldest(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{RetentionBytes: 2000})
	for i := range 10 {
		w.fill("red", fmt.Sprint(i)+strings.Repeat(string(rune('a'+i)), 400))
	}
	w.reclaim()
	got := w.fetch("red", 0)
	if len(got) < 4 || len(got) > 6 || got[len(got)-1].Offset != 9 {
		t.Errorf("%d messages are left", len(got))
	}
}

func TestCompactionKeepsTheLastOfEachKey(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{Compact: true})
		put := func(key, value string) {
			m := NewMessage{Topic: "red", Timestamp: -1, Key: []byte(key)}
			if value != "" {
				m.Value = []byte(value)
			}
			w.produceAll(m)
		}
		put("a", "1")
		put("b", "1")
		put("a", "2")
		w.materialize(0)
		put("a", "3")
		put("c", "1")
		put("b", "")
		w.materialize(3)
		w.reclaim()
		read := func() (out []string) {
			for next := int64(0); next < 6; {
				got := w.fetch("red", next)
				if len(got) == 0 {
					break
				}
				for _, m := range got {
					out = append(out, fmt.Sprintf("%d %s=%s", m.Offset, m.Key, m.Value))
				}
				next = got[len(got)-1].Offset + 1
			}
			return out
		}
		if got := fmt.Sprint(read()); got != "[3 a=3 4 c=1 5 b=]" {
			w.Errorf("left: %s", got)
		}
		w.clock.advance(25 * time.Hour)
		put("d", "1")
		w.materialize(6)
		w.reclaim()
		if got := fmt.Sprint(read()); got != "[3 a=3 4 c=1 6 d=1]" {
			w.Errorf("left: %s", got)
		}
	})
}

func TestIdleGroupsAreForgotten(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.fill("red", "a")
	w.consume("i", auto, "red")
	w.clock.advance(24 * time.Hour)
	w.reclaim()
	if g, err := w.e.loadGroup(t.Context(), "c1", "g"); err != nil || g.attrs == nil {
		t.Errorf("group %+v, %v", g, err)
	}
	w.clock.advance(7 * 24 * time.Hour)
	w.reclaim()
	if g, err := w.e.loadGroup(t.Context(), "c1", "g"); err != nil || g.attrs != nil {
		t.Errorf("group %+v, %v", g, err)
	}
	if names, err := w.e.groupNames(t.Context(), "c1"); err != nil || len(names) != 0 {
		t.Errorf("groups %v, %v", names, err)
	}
}
