package redis

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// streamGroup is a consumer group.
type streamGroup struct {
	s         *Stream
	name      string
	last      streamID                   // delivered
	read      int64                      // how many entries had been added up to last; readUnknown
	consumers []*streamConsumer          // in order of their names
	numbers   map[uint64]*streamConsumer // as pending entries name them
	given     uint64                     // numbers of consumers given out
	pel       streamLog                  // of pending entries; those of deleted consumers are not counted
	own       bool                       // has an item of its own
	dirty     bool
}

// readUnknown is a group's counter when it cannot be told.
const readUnknown = -1

type streamConsumer struct {
	name    string
	num     uint64 // names it in pending entries
	seen    int64  // when it last asked, Unix ms
	active  int64  // when it last got something, Unix ms; -1: never
	pending int64
}

// pendingEntry is an entry that was delivered and not acknowledged.
type pendingEntry struct {
	id       streamID
	consumer *streamConsumer
	at       int64 // of the last delivery, Unix ms
	count    int64 // deliveries
}

// Name is the group's name.
func (g *streamGroup) Name() string { return g.name }

// Stream is the stream whose group it is.
func (g *streamGroup) Stream() *Stream { return g.s }

// Last is the id of the entry that was delivered last.
func (g *streamGroup) Last() streamID { return g.last }

// Read is how many entries had been added up to Last, or readUnknown.
func (g *streamGroup) Read() int64 { return g.read }

// SetLast changes which entry was delivered last, and how many had been added up to it, or readUnknown.
func (g *streamGroup) SetLast(id streamID, read int64) {
	g.touch()
	g.last, g.read = id, read
}

// Consumers are the group's consumers in order of their names.
func (g *streamGroup) Consumers() []*streamConsumer { return g.consumers }

func groupSort(name string) string { return elemGroup + sortName(name) }

// Group returns a group, nil if there is none.
func (s *Stream) Group(name string) *streamGroup {
	if s == nil {
		return nil
	}
	s.unpackGroups()
	if g, ok := s.groups[name]; ok || s.outside == 0 || s.all {
		return g
	}
	s.searched = true
	if as := s.tx.elements(s.obj.gen, []string{groupSort(name)})[0]; as != nil {
		s.readGroup(as)
	} else {
		s.groups[name] = nil
	}
	return s.groups[name]
}

// Groups returns all groups in order of their names.
func (s *Stream) Groups() []*streamGroup {
	if s == nil {
		return nil
	}
	s.unpackGroups()
	if s.outside > 0 && !s.all {
		s.searched = true
		q := store.Query{Partition: s.partition(), From: elemGroup, To: store.PrefixEnd(elemGroup)}
		for it := range s.tx.query(q) {
			s.readGroup(it.Attrs)
		}
	}
	s.all = true
	groups := make([]*streamGroup, 0, len(s.groups))
	for _, g := range s.groups {
		if g != nil {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b *streamGroup) int { return strings.Compare(a.name, b.name) })
	return groups
}

// GroupCount is the number of groups.
func (s *Stream) GroupCount() int64 {
	s.unpackGroups()
	n := s.outside
	for _, g := range s.groups {
		if g != nil && !g.own {
			n++
		}
	}
	return n
}

// readGroup adds a group that has an item, unless it is known already.
func (s *Stream) readGroup(as store.Attrs) {
	r := packedReader{rest: as.Get(attrValue).Str()}
	g := s.unpackGroup(&r)
	if r.bad {
		s.tx.fail(errPacked)
		return
	}
	g.own = true
	if _, known := s.groups[g.name]; !known {
		s.groups[g.name] = g
	}
}

// unpackGroups takes apart the groups in the head.
func (s *Stream) unpackGroups() {
	if s.groups != nil {
		return
	}
	s.groups = map[string]*streamGroup{}
	for r := (packedReader{rest: s.packed}); r.rest != ""; {
		g := s.unpackGroup(&r)
		if r.bad {
			s.tx.fail(errPacked)
			return
		}
		s.groups[g.name] = g
	}
}

func (s *Stream) unpackGroup(r *packedReader) *streamGroup {
	g := &streamGroup{s: s, name: r.string(), last: r.id(), read: r.int() - 1, given: r.uint(), numbers: map[uint64]*streamConsumer{}}
	for n := r.uint(); n > 0 && !r.bad; n-- {
		c := &streamConsumer{name: r.string(), num: r.uint(), seen: r.int(), active: r.int() - 1, pending: r.int()}
		g.consumers = append(g.consumers, c)
		g.numbers[c.num] = c
	}
	g.pel = streamLog{s: s, num: r.uint(), from: r.id(), dense: int(r.uint())}
	var err error
	if g.pel.tail, err = unpackRecords(r.string()); err != nil {
		r.bad = true
	}
	return g
}

func (g *streamGroup) pack() []byte {
	b := appendID(appendPacked(nil, g.name), g.last)
	b = binary.AppendUvarint(b, uint64(g.read+1))
	b = binary.AppendUvarint(b, g.given)
	b = binary.AppendUvarint(b, uint64(len(g.consumers)))
	for _, c := range g.consumers {
		b = appendPacked(b, c.name)
		for _, n := range []int64{int64(c.num), c.seen, c.active + 1, c.pending} {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	b = appendID(binary.AppendUvarint(b, g.pel.num), g.pel.from)
	b = binary.AppendUvarint(b, uint64(g.pel.dense))
	return appendPacked(b, packRecords(g.pel.tail))
}

// NewGroup adds a group, of which there must be none of that name.
func (s *Stream) NewGroup(name string, last streamID, read int64) *streamGroup {
	s.unpackGroups()
	g := &streamGroup{s: s, name: name, last: last, read: read, numbers: map[uint64]*streamConsumer{}, dirty: true}
	g.pel = streamLog{s: s, num: s.nextLog()}
	s.groups[name] = g
	s.ent.dirty = true
	return g
}

// touch notes that the group will be changed.
func (g *streamGroup) touch() { g.dirty, g.s.ent.dirty = true, true }

// Destroy removes the group; its pending entries are left to the reclaimer.
func (g *streamGroup) Destroy() {
	s := g.s
	s.ent.dirty = true
	s.groups[g.name] = nil
	if g.own {
		s.outside--
		s.destroyed = append(s.destroyed, g.name)
	}
	g.pel.clear()
	s.destroyedPages = append(s.destroyedPages, g.pel.gone...)
}

// Consumer returns a consumer, nil if there is none.
func (g *streamGroup) Consumer(name string) *streamConsumer {
	if i, ok := g.search(name); ok {
		return g.consumers[i]
	}
	return nil
}

func (g *streamGroup) search(name string) (int, bool) {
	return slices.BinarySearchFunc(g.consumers, name, func(c *streamConsumer, name string) int { return strings.Compare(c.name, name) })
}

// NewConsumer adds a consumer, of which there must be none of that name.
func (g *streamGroup) NewConsumer(name string) *streamConsumer {
	i, _ := g.search(name)
	g.given++
	c := &streamConsumer{name: name, num: g.given, seen: g.s.tx.Now(), active: -1}
	g.consumers = slices.Insert(g.consumers, i, c)
	g.numbers[c.num] = c
	g.touch()
	return c
}

// seenResolution (ms) is the resolution of a consumer's "seen" time. A consumer that polls in vain
// more often than that causes no further writes.
const seenResolution = 1000

// see notes that a consumer asks for entries; one that is not known is added.
func (g *streamGroup) see(name string) *streamConsumer {
	c := g.Consumer(name)
	if c == nil {
		return g.NewConsumer(name)
	}
	now := g.s.tx.Now()
	if now-c.seen >= seenResolution {
		g.touch()
	}
	c.seen = now
	return c
}

// DeleteConsumer removes a consumer. Its entries are not pending any more. Their records stay in
// the store until the pages that hold them are written next.
func (g *streamGroup) DeleteConsumer(c *streamConsumer) {
	i, _ := g.search(c.name)
	g.consumers = slices.Delete(g.consumers, i, i+1)
	delete(g.numbers, c.num)
	g.touch()
	if len(g.consumers) == 0 {
		g.pel.clear()
	}
}

// PendingLen is the number of pending entries.
func (g *streamGroup) PendingLen() int64 {
	var n int64
	for _, c := range g.consumers {
		n += c.pending
	}
	return n
}

// unpack reads a record of a pending entry; not ok if its consumer was deleted.
func (g *streamGroup) unpack(rec streamRecord) (pendingEntry, bool) {
	r := packedReader{rest: rec.data}
	p := pendingEntry{id: rec.id, consumer: g.numbers[r.uint()]}
	if len(r.rest) < 8 {
		return p, false
	}
	p.at = int64(getUint64(r.rest))
	r.rest = r.rest[8:]
	p.count = r.int()
	return p, p.consumer != nil
}

// Pending returns a pending entry; readahead is how many from there on will be asked for.
func (g *streamGroup) Pending(id streamID, readahead int) (pendingEntry, bool) {
	data, ok := g.pel.get(id, readahead)
	if !ok {
		return pendingEntry{}, false
	}
	return g.unpack(streamRecord{id, data})
}

// PendingRange iterates over the pending entries from one id to another, both inclusive; readahead is how many
// the caller expects to look at, 0 for all.
func (g *streamGroup) PendingRange(from, to streamID, readahead int) iter.Seq[pendingEntry] {
	return func(yield func(pendingEntry) bool) {
		for r := range g.pel.ascend(from, to, readahead) {
			if p, ok := g.unpack(r); ok && !yield(p) {
				return
			}
		}
	}
}

// PendingOf iterates over the pending entries of a consumer, or of all if it is nil.
func (g *streamGroup) PendingOf(c *streamConsumer, from, to streamID, readahead int) iter.Seq[pendingEntry] {
	if c == nil {
		return g.PendingRange(from, to, readahead)
	}
	return func(yield func(pendingEntry) bool) {
		left := c.pending
		if left == 0 {
			return
		}
		for p := range g.PendingRange(from, to, readahead) {
			if p.consumer != c {
				continue
			}
			if left--; !yield(p) || left == 0 {
				return
			}
		}
	}
}

// lastPending returns the id of the last pending entry.
func (g *streamGroup) lastPending() streamID {
	for r := range g.pel.descend(maxStreamID, streamID{}, 1) {
		if _, ok := g.unpack(r); ok {
			return r.id
		}
	}
	return streamID{}
}

// SetPending makes an entry pending as told; it may be pending already.
func (g *streamGroup) SetPending(p pendingEntry) {
	g.touch()
	if before, ok := g.Pending(p.id, 1); ok {
		before.consumer.pending--
	}
	p.consumer.pending++
	b := binary.AppendUvarint(make([]byte, 0, 16), p.consumer.num)
	b = binary.BigEndian.AppendUint64(b, uint64(p.at))
	g.pel.put(p.id, string(binary.AppendUvarint(b, uint64(p.count))))
}

// Acknowledge makes an entry pending no more and reports whether it was; readahead is how many from
// there on will be acknowledged.
func (g *streamGroup) Acknowledge(id streamID, readahead int) bool {
	p, ok := g.Pending(id, readahead)
	if !ok {
		return false
	}
	g.touch()
	p.consumer.pending--
	return g.pel.del(id, readahead)
}

// forget removes all references to entries.
func (s *Stream) forget(ids []streamID) {
	if len(ids) == 0 {
		return
	}
	for _, g := range s.Groups() {
		for _, id := range ids {
			g.Acknowledge(id, len(ids))
		}
	}
}

// referenced reports whether an entry is pending in a group or has yet to be delivered to it;
// readahead is how many from there on will be asked about.
func (s *Stream) referenced(id streamID, readahead int) bool {
	for _, g := range s.Groups() {
		if g.last.less(id) {
			return true
		}
		if _, ok := g.Pending(id, readahead); ok {
			return true
		}
	}
	return false
}

// deliver notes that the group was given an entry behind its last one.
func (g *streamGroup) deliver(id streamID) {
	g.touch()
	switch {
	case g.read != readUnknown && !g.s.gapAfter(g.last):
		g.read++
	case g.s.added > 0:
		g.read = g.s.addedUpTo(id)
	}
	g.last = id
}

// gapAfter reports whether an entry at an id or behind it was deleted.
func (s *Stream) gapAfter(id streamID) bool {
	return s.n > 0 && !s.removed.isZero() && !s.removed.less(id)
}

// addedUpTo is how many entries had been added up to an id, as far as it can be told without
// counting; readUnknown if not.
func (s *Stream) addedUpTo(id streamID) int64 {
	switch {
	case s.added == 0:
		return 0
	case s.n == 0 && !s.last.less(id):
		return s.added
	case !id.isZero() && id.less(s.removed):
		return readUnknown
	case id == s.last:
		return s.added
	case s.last.less(id):
		return readUnknown
	case !s.removed.isZero() && !s.removed.less(s.first):
		return readUnknown
	case id.less(s.first):
		return s.added - s.n
	case id == s.first:
		return s.added - s.n + 1
	}
	return readUnknown
}

// Lag is how many entries have yet to be delivered; not ok if that cannot be told without counting.
func (g *streamGroup) Lag() (lag int64, ok bool) {
	s := g.s
	switch {
	case s.added == 0 || s.n == 0:
		return 0, true
	case g.last.less(s.first) && s.removed.less(s.first):
		return s.n, true
	case g.read != readUnknown && !s.gapAfter(g.last):
		return s.added - g.read, true
	}
	if read := s.addedUpTo(g.last); read != readUnknown {
		return s.added - read, true
	}
	return 0, false
}
