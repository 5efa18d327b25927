package keyspace

import (
	"encoding/binary"
	"iter"

	"github.com/skystash/skystash/pkg/store"
)

// Stream is a transaction's view of a stream. A nil Stream is an absent key: it reads as empty.
//
// Inline, all is in the head: what is known of the stream as a whole, its entries, and its
// groups with their pending entries. Spread, the head keeps the newest entries and small groups;
// the other entries are in pages (see streamLog), and so are pending entries; a group that has
// grown has an item of its own. To add an entry, to deliver or to acknowledge
// some thus reads and writes few items, however long the stream is.
type Stream struct {
	tx  *Txn
	ent *entry
	obj *object

	n       int64
	last    StreamID // the highest id ever
	removed StreamID // the highest id that was ever deleted, not counting trimmed entries
	first   StreamID // of the first entry; zero if there is none
	added   int64    // entries ever added
	entries streamLog
	logs    uint64 // numbers of logs given out

	beheaded bool // the first entry was deleted, and findFirst has not found the next one yet

	packed  string                  // the groups in the head
	groups  map[string]*StreamGroup // that are known, nil for one there is not; a nil map: still packed
	outside int64                   // groups that have items of their own
	all     bool                    // these have all been read

	shape    string // changes with what is stored of older entries
	searched bool   // more was read than the head and entries

	destroyed      []string   // groups whose items are to be deleted
	destroyedPages []string   // pages of their pending entries, by sort keys
	discards       []keyRange // sort keys of which all is garbage
}

// keyRange are the sort keys from one up to, but not including, another.
type keyRange struct{ from, to string }

// Stream returns the stream at a key, nil if there is no such key.
func (tx *Txn) Stream(key string) (*Stream, error) {
	o, err := tx.typed(key, typeStream)
	if o == nil {
		return nil, err
	}
	return o.value.(*Stream), nil
}

// NewStream makes the key hold a new empty stream, whatever it held before. Unlike other
// collections, a stream may be empty.
func (tx *Txn) NewStream(key string) *Stream {
	ent := tx.entry(key)
	o := &object{typ: typeStream}
	s := &Stream{tx: tx, ent: ent, obj: o, groups: map[string]*StreamGroup{}}
	s.entries.s = s
	o.value = s
	tx.abandon(ent.obj)
	ent.obj = o
	ent.change()
	return s
}

func (s *Stream) belongTo(ent *entry) { s.ent = ent }
func (s *Stream) empty() bool         { return false }
func (s *Stream) materialise()        {}
func (s *Stream) encoding() string    { return "stream" }

func (s *Stream) size(samples int64) int64 { return estimate(s.n, samples, s.sizes) }

func (s *Stream) partition() string { return ElemPartition(s.tx.view.db, s.obj.gen) }

// nextLog numbers a new log.
func (s *Stream) nextLog() uint64 {
	s.logs++
	return s.logs
}

// discard leaves items to the reclaimer.
func (s *Stream) discard(from, to string) { s.discards = append(s.discards, keyRange{from, to}) }

// Len is the number of entries.
func (s *Stream) Len() int64 {
	if s == nil {
		return 0
	}
	return s.n
}

// LastID is the highest id that the stream has ever had.
func (s *Stream) LastID() StreamID { return s.last }

// FirstID is the id of the first entry, zero if there is none.
func (s *Stream) FirstID() StreamID { return s.first }

// MaxDeletedID is the highest id that was ever deleted, not counting trimmed entries.
func (s *Stream) MaxDeletedID() StreamID { return s.removed }

// Added is how many entries were ever added.
func (s *Stream) Added() int64 { return s.added }

// SetID changes the highest id and, unless it is negative, the number of entries ever added; removed, unless it is
// zero, is the highest id that counts as deleted.
func (s *Stream) SetID(last StreamID, added int64, removed StreamID) {
	s.ent.change()
	s.last = last
	if added >= 0 {
		s.added = added
	}
	if !removed.IsZero() {
		s.removed = removed
	}
}

// StreamEntry is an entry with its fields and values, see entryFields.
type StreamEntry streamRecord

// packFields is an entry's data: the number of fields, their names, their values. Names come
// first, for records share the beginnings of their data.
func packFields(pairs []string) string {
	size := 2
	for _, s := range pairs {
		size += len(s) + 2
	}
	b := binary.AppendUvarint(make([]byte, 0, size), uint64(len(pairs)/2))
	for i := 0; i < len(pairs); i += 2 {
		b = appendPacked(b, pairs[i])
	}
	for i := 1; i < len(pairs); i += 2 {
		b = appendPacked(b, pairs[i])
	}
	return string(b)
}

// Pairs are the fields and values of an entry in turn.
func (e StreamEntry) Pairs() []string {
	r := packedReader{rest: e.data}
	n := int(min(r.uint(), uint64(len(r.rest)/2)))
	pairs := make([]string, 2*n)
	for i := range n {
		pairs[2*i] = r.string()
	}
	for i := range n {
		pairs[2*i+1] = r.string()
	}
	return pairs
}

// Add appends an entry, whose id must be higher than the last one.
func (s *Stream) Add(id StreamID, pairs []string) {
	s.ent.change()
	s.entries.put(id, packFields(pairs))
	if s.n == 0 {
		s.first = id
	}
	s.n++
	s.added++
	s.last = id
}

// NextID is the id of an entry that is added now; not ok if there is none left.
func (s *Stream) NextID() (StreamID, bool) {
	if now := uint64(s.tx.Now()); now > s.last.Ms {
		return StreamID{now, 0}, true
	}
	return s.last.Next()
}

// Get returns an entry; readahead is how many from there on will be asked for.
func (s *Stream) Get(id StreamID, readahead int) (StreamEntry, bool) {
	if s.n == 0 || id.Less(s.first) {
		return StreamEntry{}, false
	}
	data, ok := s.entries.get(id, readahead)
	return StreamEntry{id, data}, ok
}

// Range iterates over the entries from one id to another, both inclusive; readahead is how many the
// caller expects to look at, 0 for all.
func (s *Stream) Range(from, to StreamID, readahead int) iter.Seq[StreamEntry] {
	return func(yield func(StreamEntry) bool) {
		if s.Len() == 0 {
			return
		}
		if from.Less(s.first) {
			from = s.first
		}
		for r := range s.entries.ascend(from, to, readahead) {
			if !yield(StreamEntry(r)) {
				return
			}
		}
	}
}

// ReverseRange is Range from the higher id down to the lower one.
func (s *Stream) ReverseRange(from, to StreamID, readahead int) iter.Seq[StreamEntry] {
	return func(yield func(StreamEntry) bool) {
		if s.Len() == 0 {
			return
		}
		if to.Less(s.first) {
			to = s.first
		}
		for r := range s.entries.descend(from, to, readahead) {
			if !yield(StreamEntry(r)) {
				return
			}
		}
	}
}

// Last returns the id of the last entry; not ok if there is none.
func (s *Stream) Last() (StreamID, bool) {
	for e := range s.ReverseRange(MaxStreamID, StreamID{}, 1) {
		return e.ID, true
	}
	return StreamID{}, false
}

// Delete removes an entry and reports whether it was there; readahead is how many from there on will
// be deleted. When all are, findFirst must follow.
func (s *Stream) Delete(id StreamID, readahead int) bool {
	if s.n == 0 || id.Less(s.first) || !s.entries.del(id, readahead) {
		return false
	}
	s.ent.change()
	s.n--
	s.beheaded = s.beheaded || id == s.first
	if s.removed.Less(id) {
		s.removed = id
	}
	return true
}

// FindFirst finds the first entry after some were deleted.
func (s *Stream) FindFirst() {
	headless := s.beheaded
	s.beheaded = false
	if s.n == 0 {
		s.first = StreamID{}
		s.entries.clear()
		return
	}
	if !headless {
		return
	}
	for r := range s.entries.ascend(s.first, MaxStreamID, 1) {
		s.first = r.ID
		s.entries.cut(s.first, true) // what lies before it was read, and is empty
		return
	}
}

// sizes iterates over the sizes of entries; readahead is how many the caller expects to look at.
func (s *Stream) sizes(readahead int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for e := range s.Range(StreamID{}, MaxStreamID, ReadaheadOf(readahead)) {
			if !yield(int64(len(e.data))) {
				return
			}
		}
	}
}

func (s *Stream) copyTo(key string) {
	dest := s.tx.NewStream(key)
	dest.n, dest.last, dest.removed, dest.first, dest.added = s.n, s.last, s.removed, s.first, s.added
	for e := range s.Range(StreamID{}, MaxStreamID, 0) {
		dest.entries.tail = append(dest.entries.tail, streamRecord(e))
	}
	for _, g := range s.Groups() {
		to := dest.NewGroup(g.name, g.last, g.read)
		for _, c := range g.consumers {
			twin := to.NewConsumer(c.Name)
			twin.Seen, twin.Active = c.Seen, c.Active
		}
		for p := range g.PendingRange(StreamID{}, MaxStreamID, 0) {
			p.Consumer = to.Consumer(p.Consumer.Name)
			to.SetPending(p)
		}
	}
}

// steady reports whether entries that were read are still right for a newer version of the head.
// They are if nothing has happened since but that entries were added.
func (s *Stream) steady(head store.Attrs) bool {
	if s.searched || head.Get(AttrGen).Str() != s.obj.gen || s.obj.gen == "" || head.Get(attrType).Str() != spreadStream {
		return false
	}
	shape, ok := streamShape(head)
	return ok && shape == s.shape
}

// ReadaheadOf is the readahead for a command that looks at count entries.
func ReadaheadOf(count int64) int { return int(min(count, MaxScanCount)) }

// Acknowledged reports whether an entry that is not pending for a group is there and has been delivered to it.
// XACKDEL deletes it, too: Redis 8.2 does not, but Upstash does, and a worker that tries again wants it gone.
func (s *Stream) Acknowledged(g *StreamGroup, id StreamID, readahead int) bool {
	if g.last.Less(id) {
		return false
	}
	_, ok := s.Get(id, readahead)
	return ok
}
