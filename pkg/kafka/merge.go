package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// DefaultMergeBytes is the size of the objects that old small segments are merged into.
const DefaultMergeBytes = 4 << 20

const (
	// mergeParts is how many parts an object of the largest size has at least that are read by themselves.
	mergeParts = 16
	// mergeLeast is the part of the largest size that a run of segments has at least, unless it can get no longer.
	mergeLeast = 4

	// mergeAge is how old segments are at least when they are merged, in ms. No writer can be as late as that, see maxApply.
	mergeAge = 24 * 60 * 60 * 1000
	// mergeEvery is how often a log is looked at for segments to merge, in ms.
	mergeEvery = 24 * 60 * 60 * 1000
	// mergeSpan is how far the first and the last segment of an object are apart at most in a log that expires, in ms. A
	// message is kept until the last one of its object expires. It is Kafka's default of segment.ms.
	mergeSpan = 7 * 24 * 60 * 60 * 1000
	// mergeTakes is after how long a merge that has begun counts as given up, in ms.
	mergeTakes = 30 * 60 * 1000
)

// merged is how far a log has been looked at for segments to merge: what headMerged says.
type merged struct {
	upTo  int64 // offset
	total int64 // bytes of data that were ever written below it
	at    int64 // Unix ms

	note store.Value // as it was read
}

func mergedOf(v store.Value) merged {
	n, ok := readVarints(v.Str(), 3)
	if !ok {
		return merged{note: v}
	}
	return merged{n[0], n[1], n[2], v}
}

func (m merged) value() store.Value { return varints(m.upTo, m.total, m.at) }

// merging is a merge that has begun: what headMerging says. Nothing else removes or compacts segments of
// the log meanwhile.
type merging struct {
	base, next int64 // of what becomes one segment
	at         int64 // Unix ms

	note store.Value // as it was read
}

func mergingOf(v store.Value) *merging {
	n, ok := readVarints(v.Str(), 3)
	if !ok {
		return nil
	}
	return &merging{n[0], n[1], n[2], v}
}

// merger merges old small segments of a log into objects.
//
// A merge makes one segment of a run of them, in the place of the first. Its steps are such that a crash between
// any two loses nothing:
//
//  1. The head says which run is merged. From now on no other sweep removes or compacts anything in the log.
//  2. The object is written. If nothing names it, it is an orphan.
//  3. The first segment's item is replaced, on the condition that it is as it was read. It now covers the run. Readers
//     that come from it pass over the other items; readers that come upon one of those read what they always did.
//  4. The other items are deleted. Whoever looks for one of them finds the segment that covers it, see segments.
//  5. The head says that the merge is done.
//
// Whoever finds a merge that was given up finishes steps 4 and 5, or fences step 3 and forgets the merge. Segments
// below the log's start are not merged, and a sweep moves the start up before it deletes anything, on
// the condition that no merge has begun: so both never have the same segments.
type merger struct {
	e     *Engine
	ctx   context.Context
	log   string
	h     *head
	note  merged
	now   int64
	spent bool // another process has changed the log: the next sweep goes on
}

// mergeSegments merges segments of a log where that pays.
func (e *Engine) mergeSegments(ctx context.Context, t *Topic, log string, h *head) error {
	now := e.nowMs()
	switch {
	case e.objects == nil || e.objectBytes < 0 || e.mergeBytes < 0, t.Compact, h.pass != nil, !h.extend.IsZero():
		return nil
	case t.RetentionBytes > 0: // nobody knows how long its messages are kept
		return nil
	case h.keep > 0 && h.keep < MinMergeRetention().Milliseconds(), h.bytes-h.merged.total < e.mergeLeast(), h.merged.at > now-mergeEvery:
		return nil
	}
	m := &merger{e: e, ctx: ctx, log: log, h: h, note: h.merged, now: now}
	if err := m.run(); err != nil {
		return fmt.Errorf("merging segments: %w", err)
	}
	return nil
}

func (e *Engine) mergeLeast() int64 { return int64(e.mergeBytes / mergeLeast) }

// run is what is merged into one object.
type run struct {
	segments []*segment
	bytes    int64 // of data
}

func (r *run) first() *segment { return r.segments[0] }
func (r *run) last() *segment  { return r.segments[len(r.segments)-1] }

// run goes over what has become old since the last sweep.
func (m *merger) run() error {
	r := &run{}
	from := max(m.note.upTo, m.h.firstBase(), m.h.start)
	q := store.Query{
		Partition: m.log, From: offsetKey(m.log, kindSegment, from).Sort, To: offsetKey(m.log, kindSegment, m.h.mark).Sort, Limit: compactPage,
	}
	for more := true; more && !m.spent; {
		page, err := m.e.store.Query(m.ctx, q)
		if err != nil {
			return err
		}
		for _, it := range page.Items {
			s := segmentOf(offsetOf(it.Key), it.Attrs)
			if s.appended > m.now-mergeAge {
				return m.finish(r)
			}
			if len(r.segments) > 0 && !m.continues(r, s) {
				if err := m.take(r); err != nil || m.spent {
					return err
				}
				r = &run{}
			}
			if m.isSmall(s) {
				r.segments, r.bytes = append(r.segments, s), r.bytes+s.size()
			} else {
				m.note.upTo, m.note.total = s.next, s.bytes
			}
		}
		if more = page.More; more {
			q = q.Next(page)
		}
	}
	return m.finish(r)
}

// isSmall reports whether a segment may become part of a run. Voids stay as they are: producers ask for them.
func (m *merger) isSmall(s *segment) bool {
	return s.appended > 0 && s.size() <= m.e.mergeLeast() && (!s.isVoid() || s.write != "")
}

// continues reports whether a segment belongs to the run before it.
func (m *merger) continues(r *run, s *segment) bool {
	first := r.first()
	return m.isSmall(s) && s.base == r.last().next && r.bytes+s.size() <= int64(m.e.mergeBytes) &&
		(first.expires == 0) == (s.expires == 0) && (s.expires == 0 || s.appended-first.appended <= mergeSpan) &&
		s.base != m.h.cleaned.upTo && !m.h.isGone(first, m.now)
}

// finish takes the last run, if it is long enough, and notes how far the log has been looked at.
func (m *merger) finish(r *run) error {
	if !m.spent && len(r.segments) > 0 && r.bytes >= m.e.mergeLeast() {
		if err := m.take(r); err != nil {
			return err
		}
	}
	if m.spent {
		return nil
	}
	next := m.note
	next.at = m.now
	return m.update(store.And{store.Same(headMerged, m.note.note), store.Absent(headMerging), store.Absent(headPass)}, store.Set(headMerged, next.value()))
}

// update changes the head. If it is not as it was read, another sweep is at the same.
func (m *merger) update(cond store.And, edits ...store.Edit) error {
	cond = append(cond, store.Exists(headNext))
	err := m.e.repeat(m.ctx, func() error {
		_, err := m.e.store.Apply(m.ctx, store.Update(headKey(m.log), cond, edits...))
		return err
	})
	if ce, ok := unmet(err); ok {
		m.spent = !hasAll(ce.Old, edits) // else it was sent twice on its way
		return nil
	}
	return err
}

// hasAll reports whether an item is as edits make it that set or remove attributes.
func hasAll(as store.Attrs, edits []store.Edit) bool {
	return as != nil && !slices.ContainsFunc(edits, func(e store.Edit) bool { return !as.Get(e.Name).Equal(e.Value) })
}

// take merges a run, or passes over it if that would not pay.
func (m *merger) take(r *run) error {
	after := m.note
	after.upTo, after.total, after.at = r.last().next, r.last().bytes, 0
	if len(r.segments) < 2 || !m.e.mergePays(m.h, r, m.now) {
		m.note.upTo, m.note.total = after.upTo, after.total
		return nil
	}
	begun := varints(r.first().base, r.last().next, m.now)
	err := m.update(store.And{
		store.Absent(headMerging), store.Absent(headPass), store.Same(headCleaned, m.h.cleaned.note), store.Same(headMerged, m.note.note),
		store.Or{store.Absent(headStart), store.Le(headStart, store.Int(r.first().base))},
	}, store.Set(headMerging, begun))
	if err != nil || m.spent {
		return err
	}
	written, err := m.replace(r)
	if err != nil {
		return err
	}
	if written {
		if err := m.e.dropMerged(m.ctx, m.log, r.segments[1:], r.first()); err != nil {
			return err
		}
	} else {
		after = m.note
		m.spent = true
	}
	spent := m.spent
	if err := m.update(store.And{store.Eq(headMerging, begun)}, store.Remove(headMerging), store.Set(headMerged, after.value())); err != nil {
		return err
	}
	m.note = after
	m.note.note = after.value()
	m.spent = m.spent || spent
	return nil
}

// replace writes the object, and the segment that names it in the place of the run's first. It reports false if
// that has changed meanwhile.
func (m *merger) replace(r *run) (written bool, err error) {
	was, last := r.first(), r.last()
	s := &segment{
		base: was.base, next: last.next, maxTime: last.maxTime, bytes: last.bytes, appended: last.appended, write: writeID(),
	}
	for _, part := range r.segments {
		data, err := m.e.segmentData(m.ctx, m.log, part)
		if err != nil {
			return false, err
		}
		if part.pieces == 0 && int64(len(data)) != part.size() {
			return false, nil
		}
		s.data = append(s.data, data...)
		s.expires, s.due, s.appended = max(s.expires, part.expires), max(s.due, part.due), max(s.appended, part.appended)
	}
	if err := m.e.putObject(m.ctx, m.log, s); err != nil {
		return false, err
	}
	cond := append(was.asRead(), store.Same(segFence, was.fence))
	err = m.e.repeat(m.ctx, func() error {
		_, err := m.e.store.Apply(m.ctx, store.Put(offsetKey(m.log, kindSegment, s.base), s.attrs(), cond))
		return err
	})
	ce, ok := unmet(err)
	switch {
	case ok && ce.Old.Get(segWrite).Str() != s.write:
		m.e.deleteObjects(m.ctx, s.object)
		return false, nil
	case !ok && err != nil:
		return false, fmt.Errorf("writing a merged segment: %w", err)
	}
	return true, nil
}

// dropMerged deletes what a merged segment has replaced: other items, and what else had the data. first is what was in
// its place; without an object if that is not known.
func (e *Engine) dropMerged(ctx context.Context, log string, others []*segment, first *segment) error {
	var objects []string
	for _, s := range slices.Concat(others, []*segment{first}) {
		if s.object != "" {
			objects = append(objects, s.object)
		}
	}
	if _, err := e.deleteSegments(ctx, log, others); err != nil {
		return err
	}
	// The merged segment has no pieces: those in its place were its predecessor's.
	prefix := offsetKey(log, kindPiece, first.base).Sort
	if _, err := e.deleteRange(ctx, store.Query{Partition: log, From: prefix, To: store.PrefixEnd(prefix)}); err != nil {
		return err
	}
	e.deleteObjects(ctx, objects...)
	return nil
}

// leftBy are the segments that a merged one has replaced, and whose items are still there.
func (e *Engine) leftBy(ctx context.Context, log string, s *segment) (left []*segment, err error) {
	items, err := e.queryAll(ctx, store.Query{Partition: log, From: offsetKey(log, kindSegment, s.base+1).Sort, To: offsetKey(log, kindSegment, s.next).Sort})
	for _, it := range items {
		left = append(left, segmentOf(offsetOf(it.Key), it.Attrs))
	}
	return left, err
}

// settleMerge finishes a merge that was given up, or forgets it. It reports false if the merge may still be under way.
func (e *Engine) settleMerge(ctx context.Context, log string, h *head) (settled bool, err error) {
	g := h.merging
	if g.at > e.nowMs()-mergeTakes {
		return false, nil
	}
	key := offsetKey(log, kindSegment, g.base)
	attrs, err := e.store.Get(ctx, key)
	if err != nil {
		return false, fmt.Errorf("reading a merged segment: %w", err)
	}
	edits := []store.Edit{store.Remove(headMerging)}
	switch s := segmentOf(g.base, attrs); {
	case attrs == nil:
	case s.next == g.next:
		edits = append(edits, store.Set(headMerged, merged{upTo: s.next, total: s.bytes}.value()))
		left, err := e.leftBy(ctx, log, s)
		if err == nil {
			err = e.dropMerged(ctx, log, left, &segment{base: s.base})
		}
		if err != nil {
			return false, fmt.Errorf("finishing a merge: %w", err)
		}
	default: // whoever has begun it must not go on
		_, err := e.store.Apply(ctx, store.Update(key, append(s.asRead(), store.Same(segFence, s.fence)), store.Set(segFence, store.Bytes(writeID()))))
		if _, ok := unmet(err); ok || errors.Is(err, store.ErrUnknownOutcome) {
			return false, nil // the next sweep looks again
		}
		if err != nil {
			return false, fmt.Errorf("giving up a merge: %w", err)
		}
	}
	cond := store.And{store.Exists(headNext), store.Eq(headMerging, g.note)}
	err = e.repeat(ctx, func() error {
		_, err := e.store.Apply(ctx, store.Update(headKey(log), cond, edits...))
		return err
	})
	if _, ok := unmet(err); err != nil && !ok {
		return false, fmt.Errorf("noting that a merge is done: %w", err)
	}
	return true, nil
}
