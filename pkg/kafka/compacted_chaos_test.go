package kafka

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// compactedChaos is the compacted topic of the chaos of groups. Of each key, one producer knows what it has sent
// last. Whoever reads the topic, and when, finds that or something later.
type compactedChaos struct {
	g     *groupChaos
	topic *Topic
	mu    sync.Mutex
	acked map[string]change          // by key: the last one that was acknowledged
	sent  map[string]map[string]bool // by key: values
	views map[string]int64           // by key: greatest offset that the group views has got
	n     int                        // messages that were acknowledged
	scans int
}

// change is a message with a key.
type change struct {
	offset  int64
	deletes bool
}

const (
	compactedTopic = "state"
	viewsGroup     = "views" // reads it
)

func newCompactedChaos(g *groupChaos) *compactedChaos {
	return &compactedChaos{g: g, acked: map[string]change{}, sent: map[string]map[string]bool{}, views: map[string]int64{}}
}

// create makes the topic. Tombstones go after a minute.
func (c *compactedChaos) create(ctx context.Context, t *testing.T) {
	o := compacted(settingTombstones, "60000")
	o.Partitions = 3
	var err error
	if c.topic, err = c.g.engines[0].CreateTopic(ctx, c.g.c, compactedTopic, o); err != nil {
		t.Fatal(err)
	}
}

// produce changes the keys of one producer.
func (c *compactedChaos) produce(ctx context.Context, producer, messages int) {
	const keys = 60
	size := max(5, messages/500)
	for sent := 0; sent < messages; sent += size {
		ms := make([]NewMessage, size)
		for i := range ms {
			key := fmt.Sprintf("%d-%d", producer, c.g.roll(keys))
			ms[i] = NewMessage{Topic: compactedTopic, Partition: AnyPartition, Timestamp: -1, Key: []byte(key)}
			if c.g.roll(10) > 0 {
				ms[i].Value = fmt.Appendf(nil, "%s is %d", key, sent+i)
			}
		}
		c.mu.Lock()
		for _, m := range ms {
			if c.sent[string(m.Key)] == nil {
				c.sent[string(m.Key)] = map[string]bool{}
			}
			c.sent[string(m.Key)][string(m.Value)] = true
		}
		c.mu.Unlock()
		got, err := c.g.engine().Produce(ctx, c.g.c, ms)
		c.mu.Lock()
		for i, p := range got {
			if err == nil && p.Err == nil {
				c.n++
				c.acked[string(ms[i].Key)] = change{p.Offset, ms[i].Value == nil}
			}
		}
		c.mu.Unlock()
		time.Sleep(time.Duration(c.g.roll(1000)) * time.Millisecond)
	}
}

// received is what the group that reads the topic has got.
func (c *compactedChaos) received(got []Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range got {
		c.views[string(m.Key)] = max(c.views[string(m.Key)], m.Offset)
	}
}

// missing is how many keys the group does not have the last value of.
func (c *compactedChaos) missing() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, last := range c.acked {
		if got, ok := c.views[key]; !last.deletes && (!ok || got < last.offset) {
			n++
		}
	}
	return n
}

// scan reads the topic from its beginning, while it is compacted. It returns the number of messages.
func (c *compactedChaos) scan(ctx context.Context) (messages int) {
	c.mu.Lock()
	acked := map[string]change{}
	for key, last := range c.acked {
		acked[key] = last
	}
	c.mu.Unlock()
	got := map[string]Message{}
	for p := range c.topic.Partitions {
		all, err := c.read(ctx, c.topic.log(p), p)
		if err != nil {
			return 0 // the test is over
		}
		messages += len(all)
		for _, m := range all {
			got[string(m.Key)] = m
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scans++
	for key, last := range acked {
		m, ok := got[key]
		if ok && m.Offset < last.offset || !ok && !last.deletes {
			c.g.Errorf("key %s: %+v was acknowledged, and a reader finds %v: offset %d, %q", key, last, ok, m.Offset, m.Value)
		}
	}
	for key, m := range got {
		if !c.sent[key][string(m.Value)] {
			c.g.Errorf("key %s has the value %q, which nobody has sent", key, m.Value)
		}
	}
	return messages
}

// read reads a partition as far as offsets are reserved now, as consumers do. A producer whose reservation was lost
// holds that up for a while.
func (c *compactedChaos) read(ctx context.Context, log string, partition int) (all []Message, err error) {
	e := c.g.engine()
	end, at := int64(-1), cursor{0, unknownSegment}
	for end < 0 || at.offset < end {
		heads, err := e.heads(ctx, []string{log})
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			continue
		case end < 0:
			end = heads[0].next
			continue
		case at.offset >= heads[0].mark:
			time.Sleep(100 * time.Millisecond)
			continue
		}
		records, next, err := e.readLog(ctx, log, at, heads[0], newBudget())
		if err != nil {
			continue
		}
		for _, r := range records {
			all = append(all, Message{compactedTopic, partition, r})
		}
		at = next
	}
	return all, nil
}
