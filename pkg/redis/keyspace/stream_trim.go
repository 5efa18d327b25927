package keyspace

// RefPolicy says what becomes of the groups' references to entries that are removed.
type RefPolicy uint8

const (
	KeepRefs   RefPolicy = iota // they stay pending
	DeleteRefs                  // they are acknowledged
	AckedOnly                   // entries to which there are references are not removed
)

// StreamTrim says which entries to remove from the start of a stream.
type StreamTrim struct {
	By     TrimBy
	Approx bool
	Limit  int64 // entries to remove at most; 0: no limit
	MaxLen int64
	MinID  StreamID
	Refs   RefPolicy
}

type TrimBy uint8

const (
	TrimNot TrimBy = iota
	TrimMaxLen
	TrimMinID
)

// slack is how many surplus entries an approximate trim (MAXLEN ~) leaves. Without it, every XADD
// to a full stream would remove one entry and look for the next first one.
func (t StreamTrim) slack() int64 {
	if !t.Approx {
		return 0
	}
	return 99 // as in Redis, whose nodes have 100 entries
}

// Trim removes entries and returns how many.
func (s *Stream) Trim(t StreamTrim) int64 {
	surplus := s.n
	switch t.By {
	case TrimNot:
		return 0
	case TrimMaxLen:
		if surplus -= t.MaxLen; surplus <= t.slack() {
			return 0
		}
	case TrimMinID:
		if s.n == 0 || !s.first.Less(t.MinID) {
			return 0
		}
	}
	if t.Limit > 0 {
		surplus = min(surplus, t.Limit)
	}
	switch {
	case t.Refs != KeepRefs:
		return s.trimReferenced(t, surplus)
	case t.By == TrimMinID:
		return s.trimBelow(t.MinID, surplus)
	}
	s.dropFirst(surplus)
	return surplus
}

// trimBelow removes entries below an id, at most a number.
func (s *Stream) trimBelow(id StreamID, most int64) int64 {
	var n int64
	for e := range s.Range(StreamID{}, MaxStreamID, 0) {
		if n == most || !e.ID.Less(id) {
			s.startAt(e.ID, n, true)
			return n
		}
		n++
	}
	s.dropFirst(s.n)
	return n
}

// dropFirst removes the first n entries. The entry after them is looked for from the nearer end.
func (s *Stream) dropFirst(n int64) {
	left := s.n - n
	if left <= 0 {
		s.ent.change()
		s.n = 0
		s.FindFirst()
		return
	}
	i := int64(0)
	if left < n {
		for e := range s.ReverseRange(MaxStreamID, StreamID{}, int(min(left, MaxScanCount))) {
			if i++; i == left {
				s.startAt(e.ID, n, false)
				return
			}
		}
		return
	}
	for e := range s.Range(StreamID{}, MaxStreamID, int(min(n+1, MaxScanCount))) {
		if i == n {
			s.startAt(e.ID, n, true)
			return
		}
		i++
	}
}

// startAt makes an entry the first one, before which there were n. whole says that all of these were read.
func (s *Stream) startAt(id StreamID, n int64, whole bool) {
	if n == 0 {
		return
	}
	s.ent.change()
	s.entries.cut(id, whole)
	s.first = id
	s.n -= n
}

// trimReferenced removes up to n entries and the references to them, or only those to which
// there are none.
func (s *Stream) trimReferenced(t StreamTrim, n int64) int64 {
	var gone []StreamID
	for e := range s.Range(StreamID{}, MaxStreamID, 0) {
		if int64(len(gone)) == n || t.By == TrimMinID && !e.ID.Less(t.MinID) {
			break
		}
		if t.Refs == AckedOnly && s.referenced(e.ID, int(min(n, MaxScanCount))) {
			continue
		}
		gone = append(gone, e.ID)
	}
	if t.Refs == DeleteRefs {
		s.forget(gone)
	}
	run := 0 // those at the start of the stream go at once
	for e := range s.Range(StreamID{}, MaxStreamID, len(gone)) {
		if run == len(gone) || e.ID != gone[run] {
			break
		}
		run++
	}
	s.dropFirst(int64(run))
	removed := s.removed
	for _, id := range gone[run:] {
		s.Delete(id, len(gone))
	}
	s.removed = removed // what trimming removes is no gap
	if run < len(gone) {
		s.FindFirst()
	}
	return int64(len(gone))
}

// What XDELEX and XACKDEL reply for an id.
const (
	IDNotFound = -1
	IDDeleted  = 1
	IDKept     = 2
)

// DeleteAs removes an entry as told by a policy; findFirst must follow.
func (s *Stream) DeleteAs(id StreamID, refs RefPolicy, readahead int) int64 {
	if refs == AckedOnly && s.referenced(id, readahead) {
		return IDKept
	}
	if refs == DeleteRefs {
		s.forget([]StreamID{id})
	}
	s.Delete(id, readahead)
	return IDDeleted
}
