package kafka

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/store"
)

const (
	// maxCompactKeys bounds the keys that one compaction remembers, and with them its memory.
	maxCompactKeys = 500_000
	// keepTombstones is how long a message without a value stays readable after it was written, in ms.
	keepTombstones = 24 * 60 * 60 * 1000
)

// compact removes messages that a later one with the same key has replaced. The
// offsets of those that stay do not change, and segments stay where they are: who
// reads meanwhile sees either what was or what is left.
//
// It works on what is below the watermark when it begins, from the log's end
// back, so that of each key the last message is seen first. If there are too
// many keys, older messages of the rest stay until another time.
func (e *Engine) compact(ctx context.Context, log string, h *head) error {
	if h.mark <= h.compacted {
		return nil
	}
	seen := map[[16]byte]bool{}
	now := e.nowMs()
	q := store.Query{
		Partition: log, From: offsetKey(log, kindSegment, h.start).Sort, To: offsetKey(log, kindSegment, h.mark).Sort,
		Reverse: true, Limit: 64,
	}
	for {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("compacting: %w", err)
		}
		for _, it := range page.Items {
			if err := e.compactSegment(ctx, log, segmentOf(offsetOf(it.Key), it.Attrs), seen, now); err != nil {
				return fmt.Errorf("compacting: %w", err)
			}
		}
		if !page.More {
			break
		}
		q = q.Next(page)
	}
	_, err := e.store.Apply(ctx, store.Update(headKey(log), store.Exists(headNext), store.Set(headCompact, store.Int(h.mark))))
	if _, ok := unmet(err); ok {
		return nil
	}
	return err
}

func (e *Engine) compactSegment(ctx context.Context, log string, s *segment, seen map[[16]byte]bool, now int64) error {
	infos, err := e.batches(ctx, log, s)
	if err != nil {
		return err
	}
	changed := false
	parts := make([][]byte, len(infos))
	for i := len(infos) - 1; i >= 0; i-- {
		records, err := infos[i].Records()
		if err != nil {
			return err
		}
		var kept []batch.Record
		for j := len(records) - 1; j >= 0; j-- {
			r := records[j]
			sum := sha256.Sum256(r.Key)
			key := [16]byte(sum[:])
			replaced := seen[key]
			if !replaced && len(seen) < maxCompactKeys {
				seen[key] = true
			}
			if !replaced && (r.Value != nil || r.Timestamp > now-keepTombstones) {
				kept = append(kept, r)
			}
		}
		parts[i] = infos[i].Bytes
		if len(kept) == len(records) {
			continue
		}
		changed = true
		for a, b := 0, len(kept)-1; a < b; a, b = a+1, b-1 {
			kept[a], kept[b] = kept[b], kept[a]
		}
		parts[i] = nil
		if len(kept) > 0 {
			if parts[i], err = batch.Encode(kept, infos[i].Base, infos[i].Next); err != nil {
				return err
			}
		}
	}
	if !changed {
		return nil
	}
	next := *s
	next.data = nil
	for _, p := range parts {
		next.data = append(next.data, p...)
	}
	if len(next.data) > itemData {
		return nil // a large batch of which most is left: not worth the trouble
	}
	next.pieces = 0
	cond := store.And{store.Eq(segNext, store.Int(s.next)), store.Eq(segBytes, store.Int(s.bytes))}
	if _, err := e.store.Apply(ctx, store.Put(offsetKey(log, kindSegment, s.base), next.attrs(), cond)); err != nil {
		if _, ok := unmet(err); ok {
			return nil // deleted meanwhile
		}
		return err
	}
	if s.pieces > 0 {
		prefix := offsetKey(log, kindPiece, s.base).Sort
		_, err := e.deleteRange(ctx, store.Query{Partition: log, From: prefix, To: store.PrefixEnd(prefix)})
		return err
	}
	return nil
}
