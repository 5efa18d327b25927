package kafka

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
)

// Size adds up what a cluster's messages take in the store, and in objects. It reads all of them, a read unit for each 4 KiB.
func (e *Engine) Size(ctx context.Context, id string) (meter.Storage, error) {
	s := meter.Storage{At: e.now()}
	topics, err := e.Topics(ctx, &Cluster{ID: id})
	if err != nil {
		return s, err
	}
	for _, t := range topics {
		for p := range t.Partitions {
			err := s.AddPartition(ctx, e.store, t.log(p), func(it store.Item) error {
				s.Bytes += it.Attrs.Get(segLength).Num() // of its object
				return nil
			})
			if err != nil {
				return s, fmt.Errorf("measuring cluster %s: %w", id, err)
			}
		}
	}
	return s, nil
}

// TopicSize is how much a topic holds.
type TopicSize struct {
	Messages int64 // offsets that can be read, also of messages that compaction has removed
	Bytes    int64 // of the messages that can be read, as they are stored
}

// TopicSize reads how much a topic holds.
func (e *Engine) TopicSize(ctx context.Context, t *Topic) (TopicSize, error) {
	var size TopicSize
	logs := make([]string, t.Partitions)
	for p := range logs {
		logs[p] = t.log(p)
	}
	heads, err := e.heads(ctx, logs)
	if err != nil {
		return TopicSize{}, err
	}
	for i, h := range heads {
		if h == nil {
			continue
		}
		first, bytes, err := e.extent(ctx, logs[i], h)
		if err != nil {
			return TopicSize{}, err
		}
		size.Messages += h.mark - first
		size.Bytes += bytes
	}
	return size, nil
}

// extent is the first offset of a log that can be read, and the bytes of data from its segment on.
// Sweeps keep both in the head; only what has expired since the last is looked for in the log.
func (e *Engine) extent(ctx context.Context, log string, h *head) (first, bytes int64, err error) {
	r, err := e.removable(ctx, log, h, 0, e.nowMs())
	if err != nil {
		return 0, 0, err
	}
	if r == nil {
		return max(h.start, h.floor.base), h.liveBytes(), nil
	}
	return max(h.start, r.floor.base), r.bytes, nil
}
