package twoprocess

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"
)

// group is a Kafka group whose instances commit after they have processed. After an error, an
// instance leaves and another one goes on from what is committed: the lost answer may have had messages.
type group struct {
	p    *pair
	mu   sync.Mutex
	sent map[string]bool            // true: acknowledged
	at   map[partitionOffset]string // the value at an offset, as producers or instances were told
	seen map[string]int

	watching  sync.Mutex
	committed [partitions]int64
	watched   int
}

type partitionOffset struct {
	partition int
	offset    int64
}

type place struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
}

type message struct {
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Value     string `json:"value"`
}

const (
	groupName = "group"
	producers = 3
	instances = 2
)

func newGroup(p *pair) *group {
	return &group{p: p, sent: map[string]bool{}, at: map[partitionOffset]string{}, seen: map[string]int{}}
}

// begin commits the beginnings, so that no instance starts elsewhere.
func (w *group) begin(context.Context) {
	for i := range w.committed {
		w.committed[i] = -1
	}
}

func (w *group) workers() []func(context.Context) {
	var all []func(context.Context)
	for i := range producers {
		all = append(all, func(stop context.Context) { w.produce(stop, i) })
	}
	for i := range instances {
		all = append(all, func(stop context.Context) { w.consume(stop, strconv.Itoa(i), func() bool { return stop.Err() != nil }) })
	}
	return append(all, func(stop context.Context) {
		for wait(stop, 100*time.Millisecond) {
			w.watch(context.Background())
		}
	})
}

// where names a place in the history.
func where(partition int) string { return "partition " + strconv.Itoa(partition) }

func (w *group) produce(stop context.Context, producer int) {
	for i := 0; stop.Err() == nil; i++ {
		value := fmt.Sprintf("%d-%d", producer, i)
		w.mu.Lock()
		w.sent[value] = false
		w.mu.Unlock()
		partition := rand.IntN(partitions)
		var out []message
		err := w.p.kafka(context.Background(), "/produce", nil, []any{map[string]any{"topic": topic, "partition": partition, "value": value}}, &out)
		if err == nil && len(out) == 1 {
			w.mu.Lock()
			w.sent[value] = true
			w.mu.Unlock()
			w.p.history.add("producer", where(partition), "%s is at %d", value, out[0].Offset)
			w.isAt(partitionOffset{out[0].Partition, out[0].Offset}, value)
			continue
		}
		w.p.history.add("producer", where(partition), "%s: %v", value, outcome(err))
		if err == nil || w.p.again(stop, err) != nil && stop.Err() == nil {
			w.p.t.Errorf("produce: %v, answer %v", err, out)
			return
		}
	}
}

// isAt notes which value is at an offset. There is only one.
func (w *group) isAt(at partitionOffset, value string) {
	w.mu.Lock()
	old, known := w.at[at]
	w.at[at] = value
	w.mu.Unlock()
	if known && old != value {
		w.p.violated(where(at.partition), "offset %d of partition %d has %s, and had %s", at.offset, at.partition, value, old)
	}
}

// consume is an instance after the other, until enough says so.
func (w *group) consume(stop context.Context, name string, enough func() bool) {
	ctx := context.Background()
	header := map[string]string{"Kafka-Enable-Auto-Commit": "false", "Kafka-Auto-Offset-Reset": "earliest"}
	for life := 0; !enough(); life++ {
		instance := fmt.Sprintf("%s.%d", name, life)
		for !enough() {
			var got []message
			err := w.p.kafka(ctx, "/consume/"+groupName+"/"+instance, header, map[string]any{"topic": topic, "timeout": 200}, &got)
			if err == nil && len(got) > 0 {
				err = w.process(ctx, instance, got)
			}
			if err != nil {
				w.p.history.add("instance "+instance, "", "%s", outcome(err))
				break
			}
		}
		// It leaves. Whether it ever was there is not known.
		for {
			err := w.p.kafka(ctx, "/delete-consumer/"+groupName+"/"+instance, nil, nil, nil)
			if err == nil || w.p.again(ctx, err) != nil {
				break
			}
		}
	}
}

// process commits what it has noted: some instances by its offsets, others just as it was given out.
func (w *group) process(ctx context.Context, instance string, got []message) error {
	next := map[int]int64{}
	for _, m := range got {
		w.isAt(partitionOffset{m.Partition, m.Offset}, m.Value)
		w.mu.Lock()
		_, known := w.sent[m.Value]
		w.seen[m.Value]++
		w.mu.Unlock()
		if !known {
			w.p.violated(where(m.Partition), "nobody has sent %q, which is at %d", m.Value, m.Offset)
		}
		next[m.Partition] = max(next[m.Partition], m.Offset+1)
	}
	var offsets []place
	for partition, offset := range next {
		w.p.history.add("instance "+instance, where(partition), "has processed up to %d", offset)
		offsets = append(offsets, place{topic, partition, offset})
	}
	if rand.IntN(2) == 0 {
		return w.p.kafka(ctx, "/commit/"+groupName+"/"+instance, nil, offsets, nil)
	}
	return w.p.kafka(ctx, "/commit/"+groupName+"/"+instance, nil, nil, nil)
}

// watch looks whether committed offsets go back.
func (w *group) watch(ctx context.Context) [partitions]int64 {
	w.watching.Lock()
	defer w.watching.Unlock()
	var now []place
	for w.p.kafka(ctx, "/committed/"+groupName+"/watcher", nil, everyPartition(), &now) != nil {
		if !wait(ctx, 20*time.Millisecond) {
			return w.committed
		}
	}
	for _, c := range now {
		if c.Offset < w.committed[c.Partition] {
			w.p.violated(where(c.Partition), "the committed offset of partition %d goes back from %d to %d", c.Partition, w.committed[c.Partition], c.Offset)
		}
		w.committed[c.Partition] = c.Offset
	}
	w.watched++
	return w.committed
}

func everyPartition() []place {
	var all []place
	for i := range partitions {
		all = append(all, place{Topic: topic, Partition: i})
	}
	return all
}

// verify lets an instance read to the end, which is known when nobody produces any more.
func (w *group) verify(ctx context.Context) {
	var ends []place
	for w.p.kafka(ctx, "/offsets/latest", nil, everyPartition(), &ends) != nil {
		if !wait(ctx, 20*time.Millisecond) {
			w.p.t.Errorf("the test ends before the ends of %s are known", topic)
			return
		}
	}
	w.consume(ctx, "last", func() bool {
		committed := w.watch(ctx)
		return ctx.Err() != nil || !slices.ContainsFunc(ends, func(end place) bool { return max(committed[end.Partition], 0) < end.Offset })
	})
	acknowledged := 0
	for _, at := range slices.SortedFunc(maps.Keys(w.at), func(a, b partitionOffset) int { return int(a.offset - b.offset) }) {
		value := w.at[at]
		if w.sent[value] && w.seen[value] == 0 {
			w.p.violated(where(at.partition), "%s at %d of partition %d was acknowledged, and the group has missed it", value, at.offset, at.partition)
		}
	}
	again := 0
	for value, promised := range w.sent {
		if promised {
			acknowledged++
		}
		if w.seen[value] > 1 {
			again++
		}
	}
	w.p.t.Logf("%d messages were acknowledged, %d seen, %d of them more than once; committed offsets were read %d times", acknowledged, len(w.seen), again, w.watched)
}
