package keyspace

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// StreamGroup is a consumer group.
type StreamGroup struct {
	s         *Stream
	name      string
	last      StreamID                   // delivered
	read      int64                      // how many entries had been added up to last; ReadUnknown
	consumers []*StreamConsumer          // in order of their names
	numbers   map[uint64]*StreamConsumer // as pending entries name them
	given     uint64                     // numbers of consumers given out
	pel       streamLog                  // of pending entries; those of deleted consumers are not counted
	own       bool                       // has an item of its own
	dirty     bool
}

// ReadUnknown is a group's counter when it cannot be told.
const ReadUnknown = -1

// StreamConsumer is a consumer of a group.
type StreamConsumer struct {
	Name    string
	num     uint64 // names it in pending entries
	Seen    int64  // when it last asked, Unix ms
	Active  int64  // when it last got something, Unix ms; -1: never
	Pending int64
}

// PendingEntry is an entry that was delivered and not acknowledged.
type PendingEntry struct {
	ID       StreamID
	Consumer *StreamConsumer
	At       int64 // of the last delivery, Unix ms
	Count    int64 // deliveries
}

// Name is the group's name.
func (g *StreamGroup) Name() string { return g.name }

// Stream is the stream whose group it is.
func (g *StreamGroup) Stream() *Stream { return g.s }

// Last is the id of the entry that was delivered last.
func (g *StreamGroup) Last() StreamID { return g.last }

// Read is how many entries had been added up to Last, or ReadUnknown.
func (g *StreamGroup) Read() int64 { return g.read }

// SetLast changes which entry was delivered last, and how many had been added up to it, or ReadUnknown.
func (g *StreamGroup) SetLast(id StreamID, read int64) {
	g.touch()
	g.last, g.read = id, read
}

// Consumers are the group's consumers in order of their names.
func (g *StreamGroup) Consumers() []*StreamConsumer { return g.consumers }

func groupSort(name string) string { return elemGroup + SortName(name) }

// Group returns a group, nil if there is none.
func (s *Stream) Group(name string) *StreamGroup {
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
func (s *Stream) Groups() []*StreamGroup {
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
	groups := make([]*StreamGroup, 0, len(s.groups))
	for _, g := range s.groups {
		if g != nil {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b *StreamGroup) int { return strings.Compare(a.name, b.name) })
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
	r := packedReader{rest: as.Get(AttrValue).Str()}
	g := s.unpackGroup(&r)
	if r.bad {
		s.tx.Fail(errPacked)
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
	s.groups = map[string]*StreamGroup{}
	for r := (packedReader{rest: s.packed}); r.rest != ""; {
		g := s.unpackGroup(&r)
		if r.bad {
			s.tx.Fail(errPacked)
			return
		}
		s.groups[g.name] = g
	}
}

func (s *Stream) unpackGroup(r *packedReader) *StreamGroup {
	g := &StreamGroup{s: s, name: r.string(), last: r.id(), read: r.int() - 1, given: r.uint(), numbers: map[uint64]*StreamConsumer{}}
	for n := r.uint(); n > 0 && !r.bad; n-- {
		c := &StreamConsumer{Name: r.string(), num: r.uint(), Seen: r.int(), Active: r.int() - 1, Pending: r.int()}
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

func (g *StreamGroup) pack() []byte {
	b := appendID(appendPacked(nil, g.name), g.last)
	b = binary.AppendUvarint(b, uint64(g.read+1))
	b = binary.AppendUvarint(b, g.given)
	b = binary.AppendUvarint(b, uint64(len(g.consumers)))
	for _, c := range g.consumers {
		b = appendPacked(b, c.Name)
		for _, n := range []int64{int64(c.num), c.Seen, c.Active + 1, c.Pending} {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	b = appendID(binary.AppendUvarint(b, g.pel.num), g.pel.from)
	b = binary.AppendUvarint(b, uint64(g.pel.dense))
	return appendPacked(b, packRecords(g.pel.tail))
}

// NewGroup adds a group, of which there must be none of that name.
func (s *Stream) NewGroup(name string, last StreamID, read int64) *StreamGroup {
	s.unpackGroups()
	g := &StreamGroup{s: s, name: name, last: last, read: read, numbers: map[uint64]*StreamConsumer{}, dirty: true}
	g.pel = streamLog{s: s, num: s.nextLog()}
	s.groups[name] = g
	s.ent.change()
	return g
}

// touch notes that the group will be changed.
func (g *StreamGroup) touch() {
	g.dirty = true
	g.s.ent.change()
}

// Destroy removes the group; its pending entries are left to the reclaimer.
func (g *StreamGroup) Destroy() {
	s := g.s
	s.ent.change()
	s.groups[g.name] = nil
	if g.own {
		s.outside--
		s.destroyed = append(s.destroyed, g.name)
	}
	g.pel.clear()
	s.destroyedPages = append(s.destroyedPages, g.pel.gone...)
}

// Consumer returns a consumer, nil if there is none.
func (g *StreamGroup) Consumer(name string) *StreamConsumer {
	if i, ok := g.search(name); ok {
		return g.consumers[i]
	}
	return nil
}

func (g *StreamGroup) search(name string) (int, bool) {
	return slices.BinarySearchFunc(g.consumers, name, func(c *StreamConsumer, name string) int { return strings.Compare(c.Name, name) })
}

// NewConsumer adds a consumer, of which there must be none of that name.
func (g *StreamGroup) NewConsumer(name string) *StreamConsumer {
	i, _ := g.search(name)
	g.given++
	c := &StreamConsumer{Name: name, num: g.given, Seen: g.s.tx.Now(), Active: -1}
	g.consumers = slices.Insert(g.consumers, i, c)
	g.numbers[c.num] = c
	g.touch()
	return c
}

// seenResolution (ms) is the resolution of a consumer's "seen" time. A consumer that polls in vain
// more often than that causes no further writes.
const seenResolution = 1000

// See notes that a consumer asks for entries; one that is not known is added.
func (g *StreamGroup) See(name string) *StreamConsumer {
	c := g.Consumer(name)
	if c == nil {
		return g.NewConsumer(name)
	}
	now := g.s.tx.Now()
	if now-c.Seen >= seenResolution {
		g.touch()
	}
	c.Seen = now
	return c
}

// DeleteConsumer removes a consumer. Its entries are not pending any more. Their records stay in
// the store until the pages that hold them are written next.
func (g *StreamGroup) DeleteConsumer(c *StreamConsumer) {
	i, _ := g.search(c.Name)
	g.consumers = slices.Delete(g.consumers, i, i+1)
	delete(g.numbers, c.num)
	g.touch()
	if len(g.consumers) == 0 {
		g.pel.clear()
	}
}

// PendingLen is the number of pending entries.
func (g *StreamGroup) PendingLen() int64 {
	var n int64
	for _, c := range g.consumers {
		n += c.Pending
	}
	return n
}

// unpack reads a record of a pending entry; not ok if its consumer was deleted.
func (g *StreamGroup) unpack(rec streamRecord) (PendingEntry, bool) {
	r := packedReader{rest: rec.data}
	p := PendingEntry{ID: rec.ID, Consumer: g.numbers[r.uint()]}
	if len(r.rest) < 8 {
		return p, false
	}
	p.At = int64(GetUint64(r.rest))
	r.rest = r.rest[8:]
	p.Count = r.int()
	return p, p.Consumer != nil
}

// Pending returns a pending entry; readahead is how many from there on will be asked for.
func (g *StreamGroup) Pending(id StreamID, readahead int) (PendingEntry, bool) {
	data, ok := g.pel.get(id, readahead)
	if !ok {
		return PendingEntry{}, false
	}
	return g.unpack(streamRecord{id, data})
}

// PendingRange iterates over the pending entries from one id to another, both inclusive; readahead is how many
// the caller expects to look at, 0 for all.
func (g *StreamGroup) PendingRange(from, to StreamID, readahead int) iter.Seq[PendingEntry] {
	return func(yield func(PendingEntry) bool) {
		for r := range g.pel.ascend(from, to, readahead) {
			if p, ok := g.unpack(r); ok && !yield(p) {
				return
			}
		}
	}
}

// PendingOf iterates over the pending entries of a consumer, or of all if it is nil.
func (g *StreamGroup) PendingOf(c *StreamConsumer, from, to StreamID, readahead int) iter.Seq[PendingEntry] {
	if c == nil {
		return g.PendingRange(from, to, readahead)
	}
	return func(yield func(PendingEntry) bool) {
		left := c.Pending
		if left == 0 {
			return
		}
		for p := range g.PendingRange(from, to, readahead) {
			if p.Consumer != c {
				continue
			}
			if left--; !yield(p) || left == 0 {
				return
			}
		}
	}
}

// LastPending returns the id of the last pending entry.
func (g *StreamGroup) LastPending() StreamID {
	for r := range g.pel.descend(MaxStreamID, StreamID{}, 1) {
		if _, ok := g.unpack(r); ok {
			return r.ID
		}
	}
	return StreamID{}
}

// SetPending makes an entry pending as told; it may be pending already.
func (g *StreamGroup) SetPending(p PendingEntry) {
	g.touch()
	if before, ok := g.Pending(p.ID, 1); ok {
		before.Consumer.Pending--
	}
	p.Consumer.Pending++
	b := binary.AppendUvarint(make([]byte, 0, 16), p.Consumer.num)
	b = binary.BigEndian.AppendUint64(b, uint64(p.At))
	g.pel.put(p.ID, string(binary.AppendUvarint(b, uint64(p.Count))))
}

// Acknowledge makes an entry pending no more and reports whether it was; readahead is how many from
// there on will be acknowledged.
func (g *StreamGroup) Acknowledge(id StreamID, readahead int) bool {
	p, ok := g.Pending(id, readahead)
	if !ok {
		return false
	}
	g.touch()
	p.Consumer.Pending--
	return g.pel.del(id, readahead)
}

// forget removes all references to entries.
func (s *Stream) forget(ids []StreamID) {
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
func (s *Stream) referenced(id StreamID, readahead int) bool {
	for _, g := range s.Groups() {
		if g.last.Less(id) {
			return true
		}
		if _, ok := g.Pending(id, readahead); ok {
			return true
		}
	}
	return false
}

// Deliver notes that the group was given an entry behind its last one.
func (g *StreamGroup) Deliver(id StreamID) {
	g.touch()
	switch {
	case g.read != ReadUnknown && !g.s.gapAfter(g.last):
		g.read++
	case g.s.added > 0:
		g.read = g.s.addedUpTo(id)
	}
	g.last = id
}

// gapAfter reports whether an entry at an id or behind it was deleted.
func (s *Stream) gapAfter(id StreamID) bool {
	return s.n > 0 && !s.removed.IsZero() && !s.removed.Less(id)
}

// addedUpTo is how many entries had been added up to an id, as far as it can be told without
// counting; ReadUnknown if not.
func (s *Stream) addedUpTo(id StreamID) int64 {
	switch {
	case s.added == 0:
		return 0
	case s.n == 0 && !s.last.Less(id):
		return s.added
	case !id.IsZero() && id.Less(s.removed):
		return ReadUnknown
	case id == s.last:
		return s.added
	case s.last.Less(id):
		return ReadUnknown
	case !s.removed.IsZero() && !s.removed.Less(s.first):
		return ReadUnknown
	case id.Less(s.first):
		return s.added - s.n
	case id == s.first:
		return s.added - s.n + 1
	}
	return ReadUnknown
}

// Lag is how many entries have yet to be delivered; not ok if that cannot be told without counting.
func (g *StreamGroup) Lag() (lag int64, ok bool) {
	s := g.s
	switch {
	case s.added == 0 || s.n == 0:
		return 0, true
	case g.last.Less(s.first) && s.removed.Less(s.first):
		return s.n, true
	case g.read != ReadUnknown && !s.gapAfter(g.last):
		return s.added - g.read, true
	}
	if read := s.addedUpTo(g.last); read != ReadUnknown {
		return s.added - read, true
	}
	return 0, false
}
