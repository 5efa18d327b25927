package kafka

import (
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/store"
)

// segment compacts a segment. It returns the bytes of data that it had, and that are left.
func (c *compactor) segment(s *segment) (before, after int, err error) {
	data, err := c.e.segmentData(c.ctx, c.log, s)
	if err != nil {
		return 0, 0, err
	}
	next := *s
	next.data, next.pieces, next.due, next.object, next.objectBytes, next.index = nil, 0, 0, "", 0, ""
	infos, err := splitBatches(data)
	if err != nil {
		c.undecodable(s.base, err)
		return len(data), len(data), nil
	}
	changed := false
	for _, info := range infos {
		left, tombs, err := c.batch(s, info)
		if err != nil {
			return 0, 0, err
		}
		changed = changed || len(left) != len(info.Bytes)
		next.data = append(next.data, left...)
		if tombs {
			next.due = s.due
			if s.due == 0 {
				next.due, changed = c.now+c.when.tombstones, true
			}
		}
	}
	after = len(next.data)
	if changed {
		if err := c.rewrite(s, &next); err != nil {
			return 0, 0, err
		}
	}
	if next.due > 0 {
		c.pass.noteTombs(s.base, next.due)
	}
	return len(data), after, nil
}

// batch returns what is left of a batch of a segment, and whether there are tombstones in it. A batch
// of which something was removed ends with its last message, so that readers of whole batches never
// look for what is not there.
func (c *compactor) batch(s *segment, info batch.Info) (left []byte, tombs bool, err error) {
	records, err := info.Records()
	if err != nil {
		c.undecodable(info.Base, err)
		return info.Bytes, false, nil
	}
	kept := make([]batch.Record, 0, len(records))
	for _, r := range records {
		keep, err := c.keeps(s, &r)
		if err != nil {
			return nil, false, err
		}
		if keep {
			kept = append(kept, r)
			tombs = tombs || r.Value == nil
		}
	}
	switch len(kept) {
	case len(records):
		return info.Bytes, tombs, nil
	case 0:
		return nil, false, nil
	}
	left, err = batch.Encode(kept, info.Base, kept[len(kept)-1].Offset+1)
	return left, tombs, err
}

// keeps reports whether a message stays. The log's last segment with data keeps what would go without
// a successor, so that the end of the log's data never moves back.
func (c *compactor) keeps(s *segment, r *batch.Record) (bool, error) {
	if last, ok := c.keys[hashKey(r.Key)]; ok && last > r.Offset {
		return false, nil
	}
	clean := s.next <= c.h.cleaned.upTo
	gone := r.Value == nil && clean && s.due > 0 && s.due <= c.now
	if r.Key != nil && !gone {
		return true, nil
	}
	if !c.hasLast {
		if err := c.findLast(); err != nil {
			return false, err
		}
	}
	return s.base >= c.last, nil
}

// findLast finds the last segment that has data.
func (c *compactor) findLast() error {
	s, err := c.e.lastData(c.ctx, c.log, c.h.mark)
	if err != nil {
		return err
	}
	if s != nil {
		c.last = s.base
	}
	c.hasLast = true
	return nil
}

// rewrite puts a segment in the place of what it was.
func (c *compactor) rewrite(was, next *segment) error {
	next.write = writeID()
	var pieces []store.Key
	if c.e.inObject(len(next.data)) {
		if err := c.e.putObject(c.ctx, c.log, next); err != nil {
			return err
		}
	} else if len(next.data) > itemData {
		items := next.cut(c.log)
		if err := c.e.store.Load(c.ctx, items, nil); err != nil {
			return fmt.Errorf("writing a large batch: %w", err)
		}
		for _, it := range items {
			pieces = append(pieces, it.Key)
		}
	}
	written, err := c.replace(was, next)
	switch {
	case err != nil && !errors.Is(err, errOvertaken):
		return err
	case !written: // nobody knows of the pieces, or the object
		if next.object != "" {
			c.e.deleteObjects(c.ctx, next.object)
		}
		return errors.Join(err, c.e.store.Load(c.ctx, nil, pieces))
	case was.object != "":
		c.e.deleteObjects(c.ctx, was.object)
	case was.pieces > 0:
		return c.deletePieces(next)
	}
	return nil
}

// replace writes a segment's item on the condition that it is as it was read. It reports false
// without an error if the segment was deleted meanwhile.
func (c *compactor) replace(was, next *segment) (written bool, err error) {
	op := store.Put(offsetKey(c.log, kindSegment, was.base), next.attrs(), was.asRead())
	err = c.e.repeat(c.ctx, func() error { _, err := c.e.store.Apply(c.ctx, op); return err })
	ce, ok := unmet(err)
	switch {
	case !ok && err != nil:
		return false, fmt.Errorf("writing a compacted segment: %w", err)
	case !ok, ce.Old.Get(segWrite).Str() == next.write: // perhaps it was sent twice on its way
		return true, nil
	case ce.Old == nil:
		return false, nil
	}
	return false, errOvertaken
}

// deletePieces deletes all pieces in the place of a segment but its own.
func (c *compactor) deletePieces(s *segment) error {
	all := &segment{base: s.base}
	items, err := c.e.queryAll(c.ctx, all.pieceRange(c.log))
	if err != nil {
		return err
	}
	own := map[store.Key]bool{}
	for n := range s.pieces {
		own[s.pieceKey(c.log, n)] = true
	}
	var old []store.Key
	for _, it := range items {
		if !own[it.Key] {
			old = append(old, it.Key)
		}
	}
	if err := c.e.store.Load(c.ctx, nil, old); err != nil {
		return fmt.Errorf("deleting a large batch that was compacted: %w", err)
	}
	return nil
}
