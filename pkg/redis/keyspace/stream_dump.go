package keyspace

import "github.com/skystash/skystash/pkg/redis/internal/rdb"

func (s *Stream) dump(fits func(n int) bool) rdb.Value {
	return rdb.Value{Kind: rdb.StreamKind, Stream: s.dumped(fits)}
}

func (s *Stream) dumped(fits func(n int) bool) *rdb.Stream {
	v := &rdb.Stream{Last: s.last.exported(), Removed: s.removed.exported(), Added: s.added}
	for e := range s.Range(StreamID{}, MaxStreamID, 0) {
		v.Entries = append(v.Entries, rdb.StreamEntry{ID: e.ID.exported(), Pairs: e.Pairs()})
		if !fits(len(e.data)) {
			return v
		}
	}
	for _, g := range s.Groups() {
		to := rdb.StreamGroup{Name: g.name, Last: g.last.exported(), Read: g.read}
		for p := range g.PendingRange(StreamID{}, MaxStreamID, 0) {
			to.Pending = append(to.Pending, rdb.StreamPending{ID: p.ID.exported(), Consumer: p.Consumer.Name, At: p.At, Count: p.Count})
			if !fits(2*16 + 8) {
				return v
			}
		}
		for _, c := range g.consumers {
			to.Consumers = append(to.Consumers, rdb.StreamConsumer{Name: c.Name, Seen: c.Seen, Active: c.Active})
		}
		v.Groups = append(v.Groups, to)
	}
	return v
}

// restore fills a new stream.
func (s *Stream) restore(v *rdb.Stream) {
	s.n, s.last, s.removed, s.added = int64(len(v.Entries)), importID(v.Last), importID(v.Removed), v.Added
	for _, e := range v.Entries {
		s.entries.tail = append(s.entries.tail, streamRecord{importID(e.ID), packFields(e.Pairs)})
	}
	if s.n > 0 {
		s.first = s.entries.tail[0].ID
	}
	if v.Old {
		s.added = s.n
	}
	for _, from := range v.Groups {
		g := s.NewGroup(from.Name, importID(from.Last), from.Read)
		if v.Old {
			g.read = s.addedUpTo(g.last)
		}
		for _, c := range from.Consumers {
			to := g.NewConsumer(c.Name)
			to.Seen, to.Active = c.Seen, c.Active
		}
		for _, p := range from.Pending {
			g.SetPending(PendingEntry{ID: importID(p.ID), Consumer: g.Consumer(p.Consumer), At: p.At, Count: p.Count})
		}
	}
}

func (id StreamID) exported() rdb.StreamID { return rdb.StreamID{Ms: id.Ms, Seq: id.Seq} }

func importID(id rdb.StreamID) StreamID { return StreamID{id.Ms, id.Seq} }
