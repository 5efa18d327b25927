package redis

// refPolicy says what becomes of the groups' references to entries that are removed.
type refPolicy uint8

const (
	keepRefs   refPolicy = iota // they stay pending
	deleteRefs                  // they are acknowledged
	ackedOnly                   // entries to which there are references are not removed
)

// streamTrim says which entries to remove from the start of a stream.
type streamTrim struct {
	by     trimBy
	approx bool
	limit  int64 // entries to remove at most; 0: no limit
	maxLen int64
	minID  streamID
	refs   refPolicy
}

type trimBy uint8

const (
	trimNot trimBy = iota
	trimMaxLen
	trimMinID
)

// slack is how many surplus entries an approximate trim (MAXLEN ~) leaves. Without it, every XADD
// to a full stream would remove one entry and look for the next first one.
func (t streamTrim) slack() int64 {
	if !t.approx {
		return 0
	}
	return 99 // as in Redis, whose nodes have 100 entries
}

// Trim removes entries and returns how many.
func (s *Stream) Trim(t streamTrim) int64 {
	surplus := s.n
	switch t.by {
	case trimNot:
		return 0
	case trimMaxLen:
		if surplus -= t.maxLen; surplus <= t.slack() {
			return 0
		}
	case trimMinID:
		if s.n == 0 || !s.first.less(t.minID) {
			return 0
		}
	}
	if t.limit > 0 {
		surplus = min(surplus, t.limit)
	}
	switch {
	case t.refs != keepRefs:
		return s.trimReferenced(t, surplus)
	case t.by == trimMinID:
		return s.trimBelow(t.minID, surplus)
	}
	s.dropFirst(surplus)
	return surplus
}

// trimBelow removes entries below an id, at most a number.
func (s *Stream) trimBelow(id streamID, most int64) int64 {
	var n int64
	for e := range s.Range(streamID{}, maxStreamID, 0) {
		if n == most || !e.id.less(id) {
			s.startAt(e.id, n, true)
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
		s.ent.dirty = true
		s.n = 0
		s.findFirst()
		return
	}
	i := int64(0)
	if left < n {
		for e := range s.ReverseRange(maxStreamID, streamID{}, int(min(left, maxScanCount))) {
			if i++; i == left {
				s.startAt(e.id, n, false)
				return
			}
		}
		return
	}
	for e := range s.Range(streamID{}, maxStreamID, int(min(n+1, maxScanCount))) {
		if i == n {
			s.startAt(e.id, n, true)
			return
		}
		i++
	}
}

// startAt makes an entry the first one, before which there were n. whole says that all of these were read.
func (s *Stream) startAt(id streamID, n int64, whole bool) {
	if n == 0 {
		return
	}
	s.ent.dirty = true
	s.entries.cut(id, whole)
	s.first = id
	s.n -= n
}

// trimReferenced removes up to n entries and the references to them, or only those to which
// there are none.
func (s *Stream) trimReferenced(t streamTrim, n int64) int64 {
	var gone []streamID
	for e := range s.Range(streamID{}, maxStreamID, 0) {
		if int64(len(gone)) == n || t.by == trimMinID && !e.id.less(t.minID) {
			break
		}
		if t.refs == ackedOnly && s.referenced(e.id, int(min(n, maxScanCount))) {
			continue
		}
		gone = append(gone, e.id)
	}
	if t.refs == deleteRefs {
		s.forget(gone)
	}
	run := 0 // those at the start of the stream go at once
	for e := range s.Range(streamID{}, maxStreamID, len(gone)) {
		if run == len(gone) || e.id != gone[run] {
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
		s.findFirst()
	}
	return int64(len(gone))
}

// What XDELEX and XACKDEL reply for an id.
const (
	idNotFound = -1
	idDeleted  = 1
	idKept     = 2
)

// deleteAs removes an entry as told by a policy; findFirst must follow.
func (s *Stream) deleteAs(id streamID, refs refPolicy, readahead int) int64 {
	if refs == ackedOnly && s.referenced(id, readahead) {
		return idKept
	}
	if refs == deleteRefs {
		s.forget([]streamID{id})
	}
	s.Delete(id, readahead)
	return idDeleted
}
