package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/skystash/skystash/pkg/store"
)

// newsAbove is the number of partitions above which a topic has news: an item with a counter for each
// partition, which whoever moves messages into logs raises behind the watermarks. Those who wait read
// it in place of the heads: half a read unit, whatever the number of partitions.
const newsAbove = 1

// newsOf is the item, and the attribute of it, that tell of a log.
func newsOf(log string) (item store.Key, counter string) {
	cluster, rest, _ := strings.Cut(strings.TrimPrefix(log, "l"), "/")
	topic, partition, _ := strings.Cut(rest, "/")
	return store.Key{Partition: clusterPartition(cluster), Sort: "n" + topic}, "c" + partition
}

// spread raises the counters of logs, so that those who wait elsewhere look.
func (e *Engine) spread(ctx context.Context, logs []string) error {
	edits := map[store.Key][]store.Edit{}
	for _, log := range logs {
		item, counter := newsOf(log)
		edits[item] = append(edits[item], store.Add(counter, counter, 1))
	}
	for item, all := range edits {
		for part := range slices.Chunk(all, maxTouched) {
			// Raised twice because an answer was lost, a counter does no harm.
			err := e.repeat(ctx, func() error { _, err := e.store.Apply(ctx, store.Update(item, nil, part...)); return err })
			if err != nil {
				return fmt.Errorf("telling the news of a topic: %w", err)
			}
		}
	}
	return nil
}

// seenLog is what was last seen of a log's end.
type seenLog struct {
	hasNews bool
	mark    int64 // nothing was at or behind it
	counter int64 // when the news said this
}

// unknownCounter is the counter of news that were not read.
const unknownCounter = -1

// seenLogs remembers what was seen of logs.
type seenLogs struct {
	mu sync.Mutex
	m  map[string]seenLog
}

// get is what was last seen of a log; nothing, if it is not known.
func (s *seenLogs) get(log string) seenLog {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen, ok := s.m[log]; ok {
		return seen
	}
	return seenLog{counter: unknownCounter}
}

func (s *seenLogs) set(log string, seen seenLog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil || len(s.m) >= maxRecords {
		s.m = map[string]seenLog{}
	}
	s.m[log] = seen
}
