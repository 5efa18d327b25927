package redis

import "github.com/skystash/skystash/pkg/redis/internal/rdb"

func (s *Stream) dump(fits func(n int) bool) rdb.Value {
	return rdb.Value{Kind: rdb.StreamKind, Stream: s.dumped(fits)}
}

func (s *Stream) dumped(fits func(n int) bool) *rdb.Stream {
	v := &rdb.Stream{Last: s.last.exported(), Removed: s.removed.exported(), Added: s.added}
	for e := range s.Range(streamID{}, maxStreamID, 0) {
		v.Entries = append(v.Entries, rdb.StreamEntry{ID: e.id.exported(), Pairs: e.pairs()})
		if !fits(len(e.data)) {
			return v
		}
	}
	for _, g := range s.Groups() {
		to := rdb.StreamGroup{Name: g.name, Last: g.last.exported(), Read: g.read}
		for p := range g.PendingRange(streamID{}, maxStreamID, 0) {
			to.Pending = append(to.Pending, rdb.StreamPending{ID: p.id.exported(), Consumer: p.consumer.name, At: p.at, Count: p.count})
			if !fits(2*16 + 8) {
				return v
			}
		}
		for _, c := range g.consumers {
			to.Consumers = append(to.Consumers, rdb.StreamConsumer{Name: c.name, Seen: c.seen, Active: c.active})
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
		s.first = s.entries.tail[0].id
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
			to.seen, to.active = c.Seen, c.Active
		}
		for _, p := range from.Pending {
			g.SetPending(pendingEntry{id: importID(p.ID), consumer: g.Consumer(p.Consumer), at: p.At, count: p.Count})
		}
	}
}

func (id streamID) exported() rdb.StreamID { return rdb.StreamID{Ms: id.ms, Seq: id.seq} }

func importID(id rdb.StreamID) streamID { return streamID{id.Ms, id.Seq} }
