package kafka

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// auto are the defaults of the REST API, from the earliest message.
var auto = InstanceOptions{AutoCommit: true, AutoCommitInterval: 5 * time.Second, Reset: ResetEarliest, SessionTimeout: 2 * time.Minute}

func (o InstanceOptions) with(change func(*InstanceOptions)) InstanceOptions {
	change(&o)
	return o
}

var (
	manualCommit = auto.with(func(o *InstanceOptions) { o.AutoCommit = false })
	fromLatest   = auto.with(func(o *InstanceOptions) { o.Reset = ResetLatest })
	fromNone     = auto.with(func(o *InstanceOptions) { o.Reset = ResetNone })
)

func (w *world) consume(instance string, o InstanceOptions, topics ...string) []Message {
	w.Helper()
	got, err := w.e.Consume(w.Context(), w.cluster, "g", instance, topics, o, 0)
	if err != nil {
		w.Fatal(err)
	}
	return got
}

func (w *world) committed(topic string, partition int) int64 {
	w.Helper()
	got, err := w.e.Committed(w.Context(), w.cluster, "g", []TopicPartition{{topic, partition}})
	if err != nil {
		w.Fatal(err)
	}
	return got[0].Offset
}

// fill produces values and moves them into the log.
func (w *world) fill(topic string, values ...string) {
	w.Helper()
	w.produce(topic, values...)
	w.materialize(len(w.stream.records) - 1)
}

func (w *world) partitionsOf(instance string) (out []int) {
	w.Helper()
	groups, err := w.e.Groups(w.Context(), w.cluster)
	if err != nil {
		w.Fatal(err)
	}
	for _, g := range groups {
		for _, i := range g.Instances {
			for _, p := range i.Partitions {
				if i.Name == instance {
					out = append(out, p.Partition)
				}
			}
		}
	}
	return out
}

func TestPositionMovesWithoutCommit(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.fill("red", "a", "b")
		w.wantValues(w.consume("i", manualCommit, "red"), "a", "b")
		w.wantValues(w.consume("i", manualCommit, "red"))
		w.fill("red", "c")
		w.wantValues(w.consume("i", manualCommit, "red"), "c")
		if got := w.committed("red", 0); got != -1 {
			w.Errorf("committed %d", got)
		}
		// It goes on from the committed offset only once it has expired.
		w.clock.advance(3 * time.Minute)
		w.wantValues(w.consume("i", manualCommit, "red"), "a", "b", "c")
	})
}

func TestLatestIsPinnedWhenTheInstanceJoins(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.produce("red", "accepted before, but not yet in the log")
	w.wantValues(w.consume("i", fromLatest, "red"))
	w.produce("red", "after")
	w.materialize(0)
	w.wantValues(w.consume("i", fromLatest, "red"), "after")
}

func TestNoneNeedsACommittedOffset(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.fill("red", "a", "b")
	_, err := w.e.Consume(t.Context(), w.cluster, "g", "i", []string{"red"}, fromNone, 0)
	w.wantKind(err, Invalid)
	w.consume("other", auto, "red")
	if err := w.e.Commit(t.Context(), w.cluster, "g", "other", []TopicOffset{{TopicPartition{"red", 0}, 1}}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(3 * time.Minute)
	if err := w.e.DeleteInstance(t.Context(), w.cluster, "g", "other"); !IsKind(err, NotFound) {
		t.Errorf("deleting an expired instance: %v", err)
	}
	// Nobody knows whether the expired instance has had its answer, so that is not committed.
	if got := w.committed("red", 0); got != 1 {
		t.Errorf("committed %d", got)
	}
	w.fill("red", "c")
	w.wantValues(w.consume("i", fromNone, "red"), "b")
	w.wantValues(w.consume("i", fromNone, "red"), "c")
}

func TestAutomaticCommitIsOfWhatWasReadBefore(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.fill("red", "a")
		w.wantValues(w.consume("i", auto, "red"), "a")
		w.fill("red", "b")
		w.clock.advance(5 * time.Second)
		w.wantValues(w.consume("i", auto, "red"), "b")
		if got := w.committed("red", 0); got != 1 {
			w.Errorf("committed %d, want what was given out by the call before", got)
		}
		w.clock.advance(4 * time.Second)
		w.consume("i", auto, "red")
		if got := w.committed("red", 0); got != 1 {
			w.Errorf("committed %d before the interval has passed", got)
		}
		w.clock.advance(time.Second)
		w.consume("i", auto, "red")
		if got := w.committed("red", 0); got != 2 {
			w.Errorf("committed %d", got)
		}
	})
}

func TestCommitStoresWhatItIsGiven(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{Partitions: 2})
		w.fill("red", "a", "b", "c")
		commit := func(instance string, offsets ...TopicOffset) error {
			return w.e.Commit(w.Context(), w.cluster, "g", instance, offsets)
		}
		w.wantKind(commit("i"), NotFound)
		n := len(w.consume("i", manualCommit, "red"))
		if n != 3 {
			w.Fatalf("%d messages", n)
		}
		p := w.fetchPartition("red")
		for _, offset := range []int64{2, 0, 1} {
			if err := commit("i", TopicOffset{TopicPartition{"red", p}, offset}); err != nil {
				w.Fatal(err)
			}
			if got := w.committed("red", p); got != offset {
				w.Errorf("committed %d, want %d", got, offset)
			}
		}
		if err := commit("i"); err != nil || w.committed("red", p) != 3 {
			w.Errorf("committed %d, %v: want the position", w.committed("red", p), err)
		}
		w.wantKind(commit("i", TopicOffset{TopicPartition{"red", 2}, 0}), Invalid)
		w.wantKind(commit("i", TopicOffset{TopicPartition{"blue", 0}, 0}), NotFound)
		w.wantKind(commit("i", TopicOffset{TopicPartition{"red", 0}, -1}), Invalid)
		w.consume("j", manualCommit, "red")
		// Each offset is stored or refused by itself.
		err := commit("i", TopicOffset{TopicPartition{"red", 1}, 0}, TopicOffset{TopicPartition{"red", 0}, 7})
		w.wantKind(err, Lost)
		var partly *CommitError
		if !errors.As(err, &partly) || len(partly.Results) != 2 || partly.Results[0].Err == nil || partly.Results[1].Err != nil || w.committed("red", 0) != 7 {
			w.Errorf("commit of another's partition and of its own: %v, committed %d", err, w.committed("red", 0))
		}
		w.clock.advance(3 * time.Minute)
		w.wantKind(commit("i"), Lost)
	})
}

// fetchPartition is the partition of a topic that has messages.
func (w *world) fetchPartition(topic string) int {
	w.Helper()
	for p := range 2 {
		got, err := w.e.Fetch(w.Context(), w.cluster, []TopicOffset{{TopicPartition{topic, p}, 0}}, 0)
		if err != nil {
			w.Fatal(err)
		}
		if len(got) > 0 {
			return p
		}
	}
	w.Fatal("no messages")
	return 0
}

func TestInstancesShareAndTakeOverPartitions(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("cities", TopicOptions{Partitions: 6})
		for p := range 6 {
			w.produceAll(NewMessage{Topic: "cities", Partition: p, Timestamp: -1, Value: fmt.Append(nil, p)})
		}
		w.materialize(0)
		if got := w.consume("a", manualCommit, "cities"); len(got) != 6 {
			w.Fatalf("%d messages", len(got))
		}
		// a is asked for the half that is to be b's. Its next call gives it up, and gets at what a has kept: nothing new.
		if got := w.consume("b", manualCommit, "cities"); len(got) != 0 {
			w.Fatalf("b gets %d messages that a is busy with", len(got))
		}
		if got := w.consume("a", manualCommit, "cities"); len(got) != 0 {
			w.Errorf("%d messages again", len(got))
		}
		// b begins its half with nothing committed: from the start.
		if got := w.consume("b", manualCommit, "cities"); len(got) != 3 {
			w.Fatalf("%d messages", len(got))
		}
		if a, b := w.partitionsOf("a"), w.partitionsOf("b"); !slices.Equal(a, []int{0, 1, 2}) || !slices.Equal(b, []int{3, 4, 5}) {
			w.Errorf("a has %v, b %v", a, b)
		}
		// a has kept the position of its half.
		if got := w.consume("a", manualCommit, "cities"); len(got) != 0 {
			w.Errorf("%d messages again", len(got))
		}
		if err := w.e.DeleteInstance(w.Context(), w.cluster, "g", "b"); err != nil {
			w.Fatal(err)
		}
		if got := w.consume("a", manualCommit, "cities"); len(got) != 3 {
			w.Errorf("%d messages of b's, which committed nothing", len(got))
		}
		w.wantKind(w.e.DeleteInstance(w.Context(), w.cluster, "g", "b"), NotFound)
		if got := w.partitionsOf("a"); len(got) != 6 {
			w.Errorf("a has %v", got)
		}
	})
}

func TestAutomaticCommitWhenPartitionsAreTakenAway(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Partitions: 2})
	for p := range 2 {
		w.produceAll(NewMessage{Topic: "red", Partition: p, Timestamp: -1, Value: []byte("x")})
	}
	w.materialize(0)
	if got := w.consume("a", auto, "red"); len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	if got := w.consume("a", auto, "red"); len(got) != 0 {
		t.Fatalf("%d messages again", len(got))
	}
	if got := w.consume("b", auto, "red"); len(got) != 0 {
		t.Errorf("%d messages given out again", len(got))
	}
	if got := w.committed("red", 1); got != 1 {
		t.Errorf("committed %d", got)
	}
}

func TestAddedPartitionsAndSubscriptionsAreSeen(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.topic("blue", TopicOptions{})
	w.consume("i", auto, "red")
	if _, err := w.e.UpdateTopic(t.Context(), w.cluster, "red", func(o *TopicOptions) { o.Partitions = 3 }); err != nil {
		t.Fatal(err)
	}
	w.produceAll(NewMessage{Topic: "red", Partition: 2, Timestamp: -1, Value: []byte("new")})
	w.materialize(0)
	w.wantValues(w.consume("i", auto, "red"), "new")
	w.fill("blue", "other")
	w.wantValues(w.consume("i", auto, "red", "blue"), "other")
	if err := w.e.DeleteTopic(t.Context(), w.cluster, "blue"); err != nil {
		t.Fatal(err)
	}
	_, err := w.e.Consume(t.Context(), w.cluster, "g", "i", []string{"red", "blue"}, auto, 0)
	w.wantKind(err, NotFound)
	if got := w.consume("i", auto, "red"); len(got) != 0 {
		t.Errorf("%d messages given out again", len(got))
	}
}

func TestInstancesOfAClusterAreBounded(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Partitions: 2})
	for i := range 2 + spareInstances {
		w.consume(fmt.Sprintf("i%03d", i), auto, "red")
	}
	for _, group := range []string{"g", "other"} {
		_, err := w.e.Consume(t.Context(), w.cluster, group, "c", []string{"red"}, auto, 0)
		w.wantKind(err, Invalid)
	}
	w.clock.advance(3 * time.Minute)
	w.consume("c", auto, "red")
	if got := w.partitionsOf("c"); len(got) != 2 {
		t.Errorf("c has %v", got)
	}
}

// The successor of an instance that has crashed does not know when the session of that ends.
func TestSuccessorOfACrashedInstanceIsTakenInAtOnce(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.fill("red", "a")
	w.wantValues(w.consume("crashed", auto, "red"), "a")
	w.wantValues(w.consume("successor", auto, "red"))
	w.clock.advance(3 * time.Minute)
	w.wantValues(w.consume("successor", auto, "red"), "a")
}

func TestConcurrentCallsNeverGetTheSameMessages(t *testing.T) {
	onEachStore(t, func(w *world) {
		const count, instances, calls = 300, 3, 4
		w.topic("red", TopicOptions{Partitions: 6})
		var ms []NewMessage
		for i := range count {
			ms = append(ms, NewMessage{Topic: "red", Partition: i % 6, Timestamp: -1, Value: fmt.Append(nil, i)})
		}
		w.produceAll(ms...)
		w.materialize(0)
		for i := range instances { // so that nothing is rebalanced any more
			w.consume(fmt.Sprint(i), fromLatest, "red")
		}
		w.produceAll(ms...)
		w.materialize(6)
		var mu sync.Mutex
		seen := map[string]int{}
		var readers sync.WaitGroup
		for i := range instances * calls {
			readers.Go(func() {
				for {
					got, err := w.e.Consume(w.Context(), w.cluster, "g", fmt.Sprint(i%instances), []string{"red"}, fromLatest, 0)
					if err != nil {
						w.Error(err)
					}
					if len(got) == 0 {
						return
					}
					mu.Lock()
					for _, m := range got {
						seen[fmt.Sprint(m.Partition, "/", m.Offset)]++
					}
					mu.Unlock()
				}
			})
		}
		readers.Wait()
		for m, n := range seen {
			if n != 1 {
				w.Errorf("%s was given out %d times", m, n)
			}
		}
		if len(seen) < count {
			w.Errorf("%d messages, want %d", len(seen), count)
		}
	})
}

func TestManyPartitionsAreReadAndCommitted(t *testing.T) {
	onEachStore(t, func(w *world) {
		const partitions = 300
		big, err := w.e.CreateCluster(w.Context(), ClusterOptions{ID: "big", MaxPartitions: partitions})
		if err != nil {
			w.Fatal(err)
		}
		w.cluster = big
		w.topic("red", TopicOptions{Partitions: partitions})
		var ms []NewMessage
		for p := range partitions {
			ms = append(ms, NewMessage{Topic: "red", Partition: p, Timestamp: -1, Value: []byte("x")})
		}
		w.produceAll(ms...)
		w.materialize(0)
		seen := 0
		for range 20 {
			seen += len(w.consume("i", auto, "red"))
			w.clock.advance(6 * time.Second)
		}
		if seen != partitions {
			w.Errorf("%d messages", seen)
		}
		for p := range partitions {
			if got := w.committed("red", p); got != 1 {
				w.Fatalf("partition %d: committed %d", p, got)
			}
		}
		if err := w.e.Commit(w.Context(), w.cluster, "g", "i", nil); err != nil {
			w.Error(err)
		}
		w.consume("j", auto, "red")
		if i, j := w.partitionsOf("i"), w.partitionsOf("j"); len(i) != partitions/2 || len(j) != partitions/2 {
			w.Errorf("i has %d, j %d partitions", len(i), len(j))
		}
	})
}

func TestGroupsAndTopicsNeverMixBetweenClusters(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.fill("red", "secret")
	w.consume("i", auto, "red")
	other, err := w.e.CreateCluster(t.Context(), ClusterOptions{ID: "c2"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.e.Consume(t.Context(), other, "g", "i", []string{"red"}, auto, 0)
	w.wantKind(err, NotFound)
	if _, err := w.e.CreateTopic(t.Context(), other, "red", TopicOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := w.e.Consume(t.Context(), other, "g", "j", []string{"red"}, auto, 0)
	if err != nil || len(got) != 0 {
		t.Errorf("%d messages, %v", len(got), err)
	}
	groups, err := w.e.Groups(t.Context(), w.cluster)
	if err != nil || len(groups) != 1 || len(groups[0].Instances) != 1 {
		t.Errorf("groups %+v, %v", groups, err)
	}
}

// What is produced to a partition before the group notices it is not skipped.
func TestNewPartitionsAreReadFromTheirStart(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.fill("red", "before the group")
		w.wantValues(w.consume("i", fromLatest, "red"))
		if _, err := w.e.UpdateTopic(w.Context(), w.cluster, "red", func(o *TopicOptions) { o.Partitions = 2 }); err != nil {
			w.Fatal(err)
		}
		w.produceAll(NewMessage{Topic: "red", Partition: 1, Timestamp: -1, Value: []byte("in a new partition")})
		w.materialize(1)
		w.wantValues(w.consume("i", fromLatest, "red"), "in a new partition")
		w.wantValues(w.consume("i", fromLatest, "red"))
		if err := w.e.DeleteInstance(w.Context(), w.cluster, "g", "i"); err != nil {
			w.Fatal(err)
		}
		if err := w.e.DeleteTopic(w.Context(), w.cluster, "red"); err != nil {
			w.Fatal(err)
		}
		w.topic("red", TopicOptions{})
		w.produce("red", "in the topic made anew")
		w.materialize(2)
		w.wantValues(w.consume("j", fromLatest, "red"), "in the topic made anew")
		// Another group begins at the end, as it wants to.
		if got, err := w.e.Consume(w.Context(), w.cluster, "other", "k", []string{"red"}, fromLatest, 0); err != nil || len(got) != 0 {
			w.Errorf("a new group gets %d messages, %v", len(got), err)
		}
	})
}
