package kafka

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// floor is the first segment of a log that has something to read, and what is before it. It is kept
// in the head, so that a sweep need not read a log to see that there is nothing to remove.
type floor struct {
	base, next int64 // of the segment
	appended   int64 // as the segment has it
	expires    int64
	below      int64 // bytes of data that were written before it
	data       int64 // bytes of its own
}

func floorOf(v store.Value) *floor {
	n, ok := readVarints(v.Str(), 6)
	if !ok {
		return nil
	}
	return &floor{n[0], n[1], n[2], n[3], n[4], n[5]}
}

func (f *floor) value() store.Value {
	return varints(f.base, f.next, f.appended, f.expires, f.below, f.data)
}

// goneAt is when what was appended at a time and expires at another, is not read any more: Unix ms, 0
// for never. The topic's retention of now holds, but nothing is read once the store may delete it.
func (h *head) goneAt(appended, expires int64) int64 {
	if h.keep > 0 && appended > 0 && (expires == 0 || appended+h.keep < expires) {
		return appended + h.keep
	}
	return expires
}

func (h *head) isGone(s *segment, now int64) bool {
	at := h.goneAt(s.appended, s.expires)
	return at > 0 && at <= now
}

// liveBytes are the bytes of data from the floor up to the watermark.
func (h *head) liveBytes() int64 {
	base, below := h.start, int64(0)
	if h.floor != nil {
		base, below = h.floor.base, h.floor.below
	}
	if h.cleaned.at == 0 || base >= h.cleaned.upTo {
		return max(0, h.bytes-below)
	}
	return max(0, h.cleaned.left+h.bytes-h.cleaned.total)
}

// first is where reading begins.
func (h *head) first() cursor {
	switch {
	case h.floor != nil && h.floor.base >= h.start:
		return cursor{h.floor.base, h.floor.base}
	case h.start == 0:
		return cursor{0, 0}
	}
	return cursor{h.start, unknownSegment} // DeleteRecords may have cut a segment
}

// firstBase is an offset that no segment with something to read begins below.
func (h *head) firstBase() int64 {
	if h.floor == nil {
		return 0
	}
	return h.floor.base
}

// removable is the part at a log's beginning that nobody is to read any more.
type removable struct {
	floor   floor // of what is left
	cleaned int64 // bytes of data removed below cleaned.upTo
	bytes   int64 // bytes of data from the new floor on
	delete  []*segment
	objects []string
	begun   bool
}

// maxRemoved bounds the segments that one sweep deletes from a log.
const maxRemoved = 2000

// removable finds what is below the log's start, has expired, or is beyond a size in bytes (0: no
// limit). nil: nothing, and the floor is known.
func (e *Engine) removable(ctx context.Context, log string, h *head, size, now int64) (*removable, error) {
	if f := h.floor; f != nil {
		gone := h.goneAt(f.appended, f.expires)
		first := h.start < f.next && (gone == 0 || gone > now) && (size == 0 || h.liveBytes()-f.data < size)
		if first || f.base == h.mark {
			return nil, nil
		}
	}
	r := &removable{floor: floor{base: h.mark, next: h.mark, below: h.bytes}, bytes: h.liveBytes()}
	q := store.Query{Partition: log, From: kindSegment, To: offsetKey(log, kindSegment, h.mark).Sort, Limit: 1}
	if h.floor != nil {
		q.From = offsetKey(log, kindSegment, h.floor.base).Sort
	}
	for more := true; more; {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("finding the start of a log: %w", err)
		}
		for _, it := range page.Items {
			s := segmentOf(offsetOf(it.Key), it.Attrs)
			if more = r.take(h, s, size, now); !more {
				break
			}
		}
		if more = more && page.More; more {
			q = q.Next(page)
			q.Limit = 64
		}
	}
	return r, nil
}

// take adds a segment to what is to be removed. If the segment is to stay, take makes it the floor
// and reports false.
func (r *removable) take(h *head, s *segment, size, now int64) bool {
	data := s.size()
	if !r.begun && h.floor == nil && h.cleaned.at == 0 {
		r.bytes = h.bytes - max(0, s.bytes-data)
	}
	r.begun = true
	beyond := size > 0 && r.bytes-data >= size
	if len(r.delete) == maxRemoved || len(r.objects) == maxRemoved || s.next > h.start && !h.isGone(s, now) && !beyond && !s.isVoid() {
		r.floor = floor{s.base, s.next, s.appended, s.expires, max(0, s.bytes-data), data}
		return false
	}
	r.bytes = max(0, r.bytes-data)
	if s.next <= h.cleaned.upTo {
		r.cleaned += data
	}
	if s.object != "" {
		r.objects = append(r.objects, s.object)
	}
	if s.expires == 0 || s.expires > now {
		r.delete = append(r.delete, &segment{base: s.base, pieces: s.pieces})
	}
	return true
}

// raise removes what is at the log's beginning and is not to be read any more. It reports whether it
// has changed anything, and how many items it has deleted. Segments that have expired are left to the store: it deletes them by their
// time (store.TTLAttr) at no price, where a deletion is paid like a write.
func (e *Engine) raise(ctx context.Context, t *Topic, log string, h *head) (changed bool, deleted int, err error) {
	size := t.RetentionBytes
	if !t.expires() {
		size = 0
	}
	r, err := e.removable(ctx, log, h, size, e.nowMs())
	if err != nil || r == nil {
		return false, 0, err
	}
	// First nobody reads it any more, then it goes, and only then it is forgotten.
	if r.floor.base > h.start {
		if moved, err := e.moveStart(ctx, log, r.floor.base, store.Absent(headMerging)); err != nil || !moved {
			return false, 0, err
		}
	}
	e.deleteObjects(ctx, r.objects...)
	if deleted, err = e.deleteSegments(ctx, log, r.delete); err != nil {
		return true, deleted, err
	}
	cond := store.And{store.Exists(headNext), store.Same(headFloor, h.floorNote)}
	edits := []store.Edit{store.Set(headFloor, r.floor.value())}
	if h.cleaned.at > 0 && r.cleaned > 0 {
		left := h.cleaned
		left.left = max(0, left.left-r.cleaned)
		cond = append(cond, store.Same(headCleaned, left.note))
		edits = append(edits, left.edits()...)
	}
	_, err = e.store.Apply(ctx, store.Update(headKey(log), cond, edits...))
	if _, ok := unmet(err); ok {
		return true, deleted, nil // somebody else has done the same
	}
	if err != nil {
		return true, deleted, fmt.Errorf("noting a log's start: %w", err)
	}
	return true, deleted, nil
}

func (e *Engine) deleteSegments(ctx context.Context, log string, segments []*segment) (deleted int, err error) {
	keys := make([]store.Key, len(segments))
	for i, s := range segments {
		keys[i] = offsetKey(log, kindSegment, s.base)
		if s.pieces == 0 {
			continue
		}
		prefix := offsetKey(log, kindPiece, s.base).Sort
		n, err := e.deleteRange(ctx, store.Query{Partition: log, From: prefix, To: store.PrefixEnd(prefix)})
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	if err := e.store.Load(ctx, nil, keys); err != nil {
		return deleted, fmt.Errorf("deleting segments: %w", err)
	}
	return deleted + len(keys), nil
}

// moveStart moves the log's start up on a condition, if nobody has moved it further. It reports whether
// the start is there now.
func (e *Engine) moveStart(ctx context.Context, log string, start int64, cond store.Cond) (moved bool, err error) {
	all := store.And{store.Exists(headNext), store.Or{store.Absent(headStart), store.Lt(headStart, store.Int(start))}, cond}
	_, err = e.store.Apply(ctx, store.Update(headKey(log), all, store.Set(headStart, store.Int(start))))
	e.recent.Forget(log)
	if ce, ok := unmet(err); ok {
		return ce.Old == nil || ce.Old.Get(headStart).Num() >= start, nil
	}
	if err != nil {
		return false, fmt.Errorf("moving a log's start: %w", err)
	}
	return true, nil
}

// DeleteRecords makes what is below some offsets unreadable, at once; Reclaim deletes it. An offset of
// -1 stands for the end of what can be read now. It returns where the logs start then. The error is of
// kind Invalid for an offset beyond that end, and for a topic whose messages only compaction removes.
func (e *Engine) DeleteRecords(ctx context.Context, c *Cluster, below []TopicOffset) ([]TopicOffset, error) {
	tps := make([]TopicPartition, len(below))
	for i, b := range below {
		tps[i] = b.TopicPartition
	}
	logs, err := e.findLogs(ctx, c, tps)
	if err != nil || len(logs) == 0 {
		return nil, err
	}
	heads, err := e.heads(ctx, logs)
	if err != nil {
		return nil, err
	}
	out := make([]TopicOffset, len(below))
	for i, b := range below {
		t, err := e.Topic(ctx, c, b.Topic)
		switch {
		case err != nil:
			return nil, err
		case heads[i] == nil:
			return nil, refuse(NotFound, "no topic %q", b.Topic)
		case !t.expires():
			return nil, refuse(Invalid, "topic %q has the cleanup policy compact: its records are not deleted by offset", b.Topic)
		case b.Offset < -1 || b.Offset > heads[i].mark:
			return nil, refuse(Invalid, "offset %d of %s/%d: its records end at %d", b.Offset, b.Topic, b.Partition, heads[i].mark)
		}
		out[i] = TopicOffset{b.TopicPartition, b.Offset}
		if b.Offset == -1 {
			out[i].Offset = heads[i].mark
		}
		out[i].Offset = max(out[i].Offset, heads[i].start)
	}
	for i, o := range out {
		if o.Offset > heads[i].start {
			if _, err := e.moveStart(ctx, logs[i], o.Offset, store.And{}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// extendAfter is how long after a change of a topic's retention nothing is written any more by who
// does not know of it, in ms.
const extendAfter = 60 * 1000

// setKeep makes a topic's retention hold in a log whose head says another, or none: then it was what
// was says. If messages are to be kept longer than before, Reclaim has to tell the store so.
func (e *Engine) setKeep(ctx context.Context, log string, h *head, was, keep int64) error {
	if !h.keepNote.IsZero() {
		was = h.keep
	}
	edits := []store.Edit{store.Set(headKeep, store.Int(keep))}
	if was > 0 && (keep == 0 || keep > was) {
		edits = append(edits, store.Set(headExtend, varints(0, e.nowMs())))
	}
	cond := store.And{store.Exists(headNext), store.Same(headKeep, h.keepNote)}
	_, err := e.store.Apply(ctx, store.Update(headKey(log), cond, edits...))
	if _, ok := unmet(err); ok {
		return nil // the next sweep looks again
	}
	if err != nil {
		return fmt.Errorf("setting a log's retention: %w", err)
	}
	return nil
}

// extend gives segments that were written when the topic's retention was shorter the time that they
// have now. A write unit for each KiB is the price.
func (e *Engine) extend(ctx context.Context, log string, h *head) error {
	n, ok := readVarints(h.extend.Str(), 2)
	if !ok || n[1] > e.nowMs()-extendAfter {
		return nil // not yet
	}
	from, note := n[0], h.extend
	q := store.Query{
		Partition: log, From: offsetKey(log, kindSegment, from).Sort, To: offsetKey(log, kindSegment, h.mark).Sort,
	}
	for from < h.mark {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("extending a log's retention: %w", err)
		}
		for _, it := range page.Items {
			s := segmentOf(offsetOf(it.Key), it.Attrs)
			if err := e.extendSegment(ctx, log, s, h.keep); err != nil {
				return fmt.Errorf("extending a log's retention: %w", err)
			}
			from = s.next
		}
		if !page.More {
			break
		}
		q = q.Next(page)
		next := varints(from, n[1])
		if err := e.noteExtend(ctx, log, note, store.Set(headExtend, next)); err != nil {
			return err
		}
		note = next
	}
	return e.noteExtend(ctx, log, note, store.Remove(headExtend))
}

func (e *Engine) noteExtend(ctx context.Context, log string, note store.Value, edit store.Edit) error {
	_, err := e.store.Apply(ctx, store.Update(headKey(log), store.And{store.Exists(headNext), store.Same(headExtend, note)}, edit))
	if _, ok := unmet(err); ok || err == nil {
		return nil
	}
	return fmt.Errorf("noting how far a log's retention is extended: %w", err)
}

func (e *Engine) extendSegment(ctx context.Context, log string, s *segment, keep int64) error {
	until := int64(0)
	if keep > 0 {
		until = s.appended + keep
	}
	if s.expires == 0 || keep > 0 && (s.appended == 0 || until <= s.expires) {
		return nil
	}
	edits := []store.Edit{store.Remove(segExpires), store.Remove(store.TTLAttr)}
	if until > 0 {
		edits = edits[:0]
		for _, a := range expiry(until) {
			edits = append(edits, store.Set(a.Name, a.Value))
		}
	}
	for n := range s.pieces {
		_, err := e.store.Apply(ctx, store.Update(s.pieceKey(log, n), store.Exists(segData), edits...))
		if _, ok := unmet(err); err != nil && !ok {
			return err
		}
	}
	cond := store.And{store.Eq(segExpires, store.Int(s.expires)), s.asWritten()}
	_, err := e.store.Apply(ctx, store.Update(offsetKey(log, kindSegment, s.base), cond, edits...))
	if ce, ok := unmet(err); ok && ce.Old == nil {
		return nil // deleted meanwhile
	} else if ok {
		return store.ErrConflict
	}
	return err
}

// reclaimLog removes what a log does not keep any more, and compacts it if the topic wants it.
func (e *Engine) reclaimLog(ctx context.Context, t *Topic, log string, h *head) (deleted int, err error) {
	changed := false
	if t.Partitions > newsAbove && !h.hasNews { // the topic had fewer partitions before
		_, err := e.store.Apply(ctx, store.Update(headKey(log), store.Exists(headNext), store.Set(headNews, store.Int(1))))
		if _, ok := unmet(err); err != nil && !ok {
			return 0, fmt.Errorf("giving a topic news: %w", err)
		}
	}
	if h.keepNote.IsZero() || h.keep != t.keepMs() {
		changed, err = true, e.setKeep(ctx, log, h, t.keepMs(), t.keepMs())
	} else if !h.extend.IsZero() {
		changed, err = true, e.extend(ctx, log, h)
	}
	if h, err = e.again(ctx, log, h, changed, err); err != nil || h == nil {
		return 0, err
	}
	if h.merging != nil {
		settled, err := e.settleMerge(ctx, log, h)
		if err != nil || !settled {
			return 0, err // it is under way; what is left to do has time
		}
		if h, err = e.again(ctx, log, h, true, nil); err != nil || h == nil {
			return 0, err
		}
	}
	changed, deleted, err = e.raise(ctx, t, log, h)
	if h, err = e.again(ctx, log, h, changed, err); err != nil || h == nil {
		return deleted, err
	}
	if e.objects != nil && h.mark > 0 && h.objectsAt <= e.nowMs()-orphansEvery {
		n, err := e.orphans(ctx, log, h)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	if !t.Compact {
		return deleted, e.mergeSegments(ctx, t, log, h)
	}
	return deleted, e.compact(ctx, log, h, t.compaction())
}

// again reads a head again if it was changed without an error.
func (e *Engine) again(ctx context.Context, log string, h *head, changed bool, err error) (*head, error) {
	if err != nil || !changed {
		return h, err
	}
	heads, err := e.heads(ctx, []string{log})
	if err != nil {
		return nil, err
	}
	return heads[0], nil
}
