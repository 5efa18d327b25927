package qstash

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// The log is in order of the events' times. Events are in their messages, and messages are in order of
// their creation, so most of the order comes for nothing: an event within logReach after its
// message's creation is found by the creation. Each later event has an anchor, an item of the log
// index with the event's time. An anchor stands for the events of the message within logReach after
// it, so that a late attempt, which begins and mostly ends within a second, needs one anchor.

// logReach is how long after an anchor events need no anchor of their own. A reader of the log reads the
// messages of so long a time in addition to a page.
const logReach = 10 * time.Second

func anchorPartition(acct string, shard byte) string { return part("t", acct, shardName(shard)) }

// anchorItem is the anchor of a message's event.
func (e *Engine) anchorItem(acct, id string, at time.Time) store.Item {
	expires := at.Add(max(e.limits.LogsFor, e.limits.DLQFor))
	return store.Item{Key: store.Key{Partition: anchorPartition(acct, shardOf(id)), Sort: timeKey(at) + id},
		Attrs: store.NewAttrs(store.Attr{Name: store.TTLAttr, Value: store.Int(expires.Unix())})}
}

// anchorClaim writes the anchor of the beginning of an attempt, if it needs one. The message was read
// before that, unless the attempt was taken over: then whoever has begun it may not have come to write the anchor.
// That may have been this engine, which did not hear that it had the claim.
func (e *Engine) anchorClaim(ctx context.Context, m *message) {
	last, begun := m.lastAnchor()
	switch events := m.events(); {
	case !begun:
		e.anchorAfter(ctx, m, last, m.claimedAt())
	case last == events[len(events)-1].At && last != idTime(m.id):
		e.putAnchor(ctx, m, time.UnixMilli(last))
	}
}

// anchor writes the anchor of an event that a message is about to get, if it needs one.
func (e *Engine) anchor(ctx context.Context, m *message, at time.Time) {
	last, begun := m.lastAnchor()
	if m.state == stateActive && !begun { // the message was read before its attempt began
		last = anchorOf(last, m.attrs.Get(attrClaimed).Num())
	}
	e.anchorAfter(ctx, m, last, at)
}

// anchorAfter writes an event's anchor, where last is the one before.
func (e *Engine) anchorAfter(ctx context.Context, m *message, last int64, at time.Time) {
	if needsAnchor(last, at.UnixMilli()) {
		e.putAnchor(ctx, m, at)
	}
}

// anchorTries is how often the writing of an anchor is tried, beside what the store does by itself.
const anchorTries = 5

// putAnchor writes an anchor. If that fails, its events are missing from the log, but not from the log of their message.
func (e *Engine) putAnchor(ctx context.Context, m *message, at time.Time) {
	it := e.anchorItem(m.acct, m.id, at)
	for try := 1; ; try++ {
		_, err := e.store.Apply(ctx, store.Put(it.Key, it.Attrs, nil))
		if err == nil {
			return
		}
		if try == anchorTries || ctx.Err() != nil {
			e.log.WarnContext(ctx, "an event is missing from the log", "message", m.id, "error", err)
			return
		}
	}
}

// needsAnchor reports whether an event needs an anchor of its own, where last is the one before. An
// event may be a bit earlier than that, as clocks of processes differ.
func needsAnchor(last, at int64) bool { return at < last || at-last > logReach.Milliseconds() }

// anchorOf is the anchor of an event, where last is the one before.
func anchorOf(last, at int64) int64 {
	if needsAnchor(last, at) {
		return at
	}
	return last
}

// events are those that a message has. What cannot be read is left out.
func (m *message) events() []event {
	texts := m.attrs.Get(attrEvents).Elems()
	list := make([]event, 0, len(texts))
	for _, text := range texts {
		var ev event
		if json.Unmarshal([]byte(text), &ev) == nil {
			list = append(list, ev)
		}
	}
	return list
}

// lastAnchor is the anchor of the last of a message's events, and whether that is the beginning of an attempt.
func (m *message) lastAnchor() (anchor int64, begun bool) {
	anchor = idTime(m.id)
	for _, ev := range m.events() {
		anchor, begun = anchorOf(anchor, ev.At), ev.State == EventActive
	}
	return anchor, begun
}

// idTime is the time that an id begins with, in ms; 0: it begins with none.
func idTime(id string) int64 {
	digits, ok := strings.CutPrefix(id, messagePrefix)
	if !ok || len(digits) != idLength {
		return 0
	}
	var hi, lo uint64
	for _, c := range []byte(digits) {
		d := strings.IndexByte(alphabet, c)
		if d < 0 {
			return 0
		}
		hi, lo = times58(hi, lo, uint64(d))
	}
	return int64(hi >> 16)
}

// logPlace orders the events of an account.
type logPlace struct {
	at int64 // ms
	id string
	n  int // of the message's events
}

func (p logPlace) compare(q logPlace) int {
	switch {
	case p.at != q.at:
		return int(min(1, max(-1, p.at-q.at)))
	case p.id != q.id:
		return strings.Compare(p.id, q.id)
	}
	return p.n - q.n
}

// String is the place as a cursor.
func (p logPlace) String() string { return fmt.Sprintf("%d:%s:%d", p.at, p.id, p.n) }

func parseLogPlace(cursor string) (*logPlace, error) {
	if cursor == "" {
		return nil, nil
	}
	var p logPlace
	var id string
	if n, err := fmt.Sscanf(strings.ReplaceAll(cursor, ":", " "), "%d %s %d", &p.at, &id, &p.n); n != 3 || err != nil || !strings.HasPrefix(id, messagePrefix) {
		return nil, invalid("invalid cursor")
	}
	p.id = id
	return &p, nil
}

// placed is an event at its place.
type placed struct {
	logPlace
	m  *message
	ev event
}

// placedHeap has the next event first.
type placedHeap struct {
	list     []placed
	earliest bool
}

func (h *placedHeap) Len() int { return len(h.list) }
func (h *placedHeap) Less(i, j int) bool {
	return (h.list[i].compare(h.list[j].logPlace) < 0) == h.earliest
}
func (h *placedHeap) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *placedHeap) Push(x any)    { h.list = append(h.list, x.(placed)) }
func (h *placedHeap) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// anchored is a message at one of its anchors; the creation is the first one.
type anchored struct {
	at int64
	m  *message
}

// anchorStream reads the anchors of a shard: those of the index, or the creations.
type anchorStream struct {
	e       *Engine
	acct    string
	index   bool
	q       store.Query
	more    bool
	waiting []anchored
}

func (s *anchorStream) fill(ctx context.Context) error {
	for len(s.waiting) == 0 && s.more {
		s.q.Limit = streamPage
		page, err := s.e.store.Query(ctx, s.q)
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		s.more = page.More
		if page.More {
			s.q = s.q.Next(page)
		}
		if err := s.read(ctx, page.Items); err != nil {
			return err
		}
	}
	return nil
}

func (s *anchorStream) read(ctx context.Context, items []store.Item) error {
	if !s.index {
		for _, it := range items {
			m, err := parseMessage(s.acct, it.Key.Sort, it.Attrs)
			if err != nil {
				return err
			}
			s.waiting = append(s.waiting, anchored{idTime(m.id), m})
		}
		return nil
	}
	var keys []store.Key
	var times []int64
	for _, it := range items {
		if at, ok := parseTimeKey(it.Key.Sort); ok {
			keys, times = append(keys, messageKey(s.acct, it.Key.Sort[8:])), append(times, at)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := s.e.store.GetMany(ctx, keys, false)
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	for i, attrs := range found {
		m, err := parseFound(s.acct, keys[i].Sort, attrs)
		if err != nil {
			return err
		}
		if m != nil {
			s.waiting = append(s.waiting, anchored{times[i], m})
		}
	}
	return nil
}

// logReader calls f with the events that a query asks for, in their order.
type logReader struct {
	e       *Engine
	acct    string
	q       *LogQuery
	after   *logPlace // nil: from the beginning
	streams []*anchorStream
	events  placedHeap
}

// logs calls f with the events that a query selects, in order, from behind a place, until it returns false.
func (e *Engine) logs(ctx context.Context, acct string, q *LogQuery, after *logPlace, f func(placed) (bool, error)) error {
	r := &logReader{e: e, acct: acct, q: q, after: after, events: placedHeap{earliest: q.Earliest}}
	if len(q.Filter.MessageIDs) > 0 {
		return r.named(ctx, f)
	}
	r.open()
	for {
		next, err := r.peek(ctx)
		if err != nil {
			return err
		}
		for r.events.Len() > 0 && (next == nil || r.settled(r.events.list[0].at, next.waiting[0].at)) {
			if more, err := f(heap.Pop(&r.events).(placed)); err != nil || !more {
				return err
			}
		}
		if next == nil {
			return nil
		}
		a := next.waiting[0]
		next.waiting = next.waiting[1:]
		if q.Filter.matchRecord(&a.m.rec) {
			r.push(a)
		}
	}
}

// settled reports whether no event comes before one at a time any more, where the next anchor is known.
func (r *logReader) settled(at, anchor int64) bool {
	if r.q.Earliest {
		return at < anchor
	}
	return at > anchor+logReach.Milliseconds()
}

// open begins to read the shards, within the bounds of the query.
func (r *logReader) open() {
	from, to := r.q.Filter.From, r.q.Filter.To // inclusive
	if r.after != nil && r.q.Earliest {
		from = max(from, r.after.at)
	} else if r.after != nil && (to == 0 || r.after.at < to) {
		to = r.after.at
	}
	from = max(0, from-logReach.Milliseconds())
	for shard := range byte(shards) {
		created := store.Query{Partition: messagePartition(r.acct, shard), Reverse: !r.q.Earliest}
		index := store.Query{Partition: anchorPartition(r.acct, shard), Reverse: !r.q.Earliest}
		if from > 0 {
			created.From, index.From = idAt(messagePrefix, time.UnixMilli(from), [10]byte{}), timeKey(time.UnixMilli(from))
		}
		if to > 0 {
			created.To, index.To = idAt(messagePrefix, time.UnixMilli(to+1), [10]byte{}), timeKey(time.UnixMilli(to+1))
		}
		r.streams = append(r.streams, &anchorStream{e: r.e, acct: r.acct, q: created, more: true},
			&anchorStream{e: r.e, acct: r.acct, q: index, index: true, more: true})
	}
}

// peek is the stream with the next anchor, nil if there is none.
func (r *logReader) peek(ctx context.Context) (next *anchorStream, err error) {
	for _, s := range r.streams {
		if err := s.fill(ctx); err != nil {
			return nil, err
		}
		if len(s.waiting) > 0 && (next == nil || s.waiting[0].at != next.waiting[0].at && (s.waiting[0].at < next.waiting[0].at) == r.q.Earliest) {
			next = s
		}
	}
	return next, nil
}

// push adds the events that an anchor stands for.
func (r *logReader) push(a anchored) {
	anchor := idTime(a.m.id)
	for n, ev := range a.m.events() {
		if anchor = anchorOf(anchor, ev.At); anchor == a.at {
			r.add(a.m, n, ev)
		}
	}
}

// add adds an event if the query asks for it and it is behind the place.
func (r *logReader) add(m *message, n int, ev event) {
	p := placed{logPlace{ev.At, m.id, n}, m, ev}
	if !r.q.Filter.matchEvent(&ev) ||
		r.after != nil && (p.at == r.after.at && p.compare(*r.after) == 0 || (p.compare(*r.after) < 0) == r.q.Earliest) {
		return
	}
	heap.Push(&r.events, p)
}

// named is logs for a query that names its messages.
func (r *logReader) named(ctx context.Context, f func(placed) (bool, error)) error {
	err := r.e.namedMessages(ctx, r.acct, &r.q.Filter, "", r.q.Earliest, func(m *message) (bool, error) {
		for n, ev := range m.events() {
			r.add(m, n, ev)
		}
		return true, nil
	})
	for more := true; err == nil && more && r.events.Len() > 0; {
		more, err = f(heap.Pop(&r.events).(placed))
	}
	return err
}
