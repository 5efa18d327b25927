package keyspace

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// ZSet is a transaction's view of a sorted set. A nil ZSet is an absent key: it
// reads as empty. Order is by score, then by member, bytewise.
type ZSet members

// ZMember is a member of a sorted set.
type ZMember struct {
	Name  string
	Score float64
}

// ZSet returns the sorted set at a key, nil if there is no such key.
func (tx *Txn) ZSet(key string) (*ZSet, error) {
	o, err := tx.typed(key, typeZSet)
	if o == nil {
		return nil, err
	}
	return o.value.(*ZSet), nil
}

// ZSetForUpdate returns the sorted set at a key, a new empty one if there is no
// such key. A sorted set that is left empty is no key.
func (tx *Txn) ZSetForUpdate(key string) (*ZSet, error) {
	z, err := tx.ZSet(key)
	if z == nil && err == nil {
		z = tx.NewZSet(key)
	}
	return z, err
}

// NewZSet makes the key hold a new empty sorted set, whatever it held before.
func (tx *Txn) NewZSet(key string) *ZSet {
	z := (*ZSet)(tx.newMembers(key, typeZSet))
	z.obj.value = z
	return z
}

func (z *ZSet) ms() *members { return (*members)(z) }

// Len is the number of members.
func (z *ZSet) Len() int64 { return z.ms().len() }

// Score returns a member's score.
func (z *ZSet) Score(member string) (float64, bool) {
	p, ok := z.ms().get(member)
	if !ok {
		return 0, false
	}
	return decodeScore(p.value.plain), true
}

// Fetch reads members that are about to be needed, in one round.
func (z *ZSet) Fetch(members []string) { z.ms().fetch(members) }

// Set gives a member a score, which is no NaN, and reports whether it is new.
func (z *ZSet) Set(member string, score float64) bool {
	v := encodeScore(score)
	if p, ok := z.ms().get(member); ok && p.value.plain == v {
		return false
	}
	return z.ms().put(member, v, 0)
}

// Remove removes a member and reports whether it was there.
func (z *ZSet) Remove(member string) bool { return z.ms().del(member) }

// RemoveFound removes members that an iteration over z has just yielded, without reading
// them again.
func (z *ZSet) RemoveFound(found []ZMember) {
	ms := z.ms()
	for _, m := range found {
		if ms.spread() && ms.m[m.Name] == nil {
			ms.note(m.Name, store.Attrs{{Name: AttrValue, Value: store.Bytes(encodeScore(m.Score))}})
		}
		ms.del(m.Name)
	}
}

// All iterates over the members in no particular order.
func (z *ZSet) All() iter.Seq[ZMember] {
	return func(yield func(ZMember) bool) {
		for p := range z.ms().all() {
			if !yield(zmember(p)) {
				return
			}
		}
	}
}

// Scan returns about count members from a cursor on, and the next cursor, 0 at the end.
func (z *ZSet) Scan(cursor uint64, count int) ([]ZMember, uint64) {
	ps, next := z.ms().scan(cursor, count)
	return zmembers(ps), next
}

// Random returns n distinct members, all if there are fewer.
func (z *ZSet) Random(n int64) []ZMember { return zmembers(z.ms().random(n)) }

// RandomOne returns a random member.
func (z *ZSet) RandomOne() (ZMember, bool) {
	p, ok := z.ms().randomOne()
	if !ok {
		return ZMember{}, false
	}
	return zmember(p), true
}

func zmember(p Field) ZMember { return ZMember{p.Name, decodeScore(p.value.plain)} }

func zmembers(ps []Field) []ZMember {
	out := make([]ZMember, len(ps))
	for i, p := range ps {
		out[i] = zmember(p)
	}
	return out
}

// CompareZ is the order of a sorted set.
func CompareZ(a, b ZMember) int {
	return cmp.Or(cmp.Compare(a.Score, b.Score), strings.Compare(a.Name, b.Name))
}

// ScoreBound is one end of a range of scores.
type ScoreBound struct {
	Score     float64
	Exclusive bool
}

// ScoreRange is a range of scores.
type ScoreRange struct{ Min, Max ScoreBound }

// AllScores is the range that holds every score.
var AllScores = ScoreRange{Min: ScoreBound{Score: math.Inf(-1)}, Max: ScoreBound{Score: math.Inf(1)}}

func (r ScoreRange) below(s float64) bool { // s lies below the range
	return s < r.Min.Score || r.Min.Exclusive && s == r.Min.Score
}

func (r ScoreRange) above(s float64) bool {
	return s > r.Max.Score || r.Max.Exclusive && s == r.Max.Score
}

func (r ScoreRange) empty() bool {
	return r.Min.Score > r.Max.Score || r.Min.Score == r.Max.Score && (r.Min.Exclusive || r.Max.Exclusive)
}

// LexBound is one end of a range of members: a member, or an infinity.
type LexBound struct {
	Inf       int // -1: before all members, 1: behind all; 0: Member counts
	Member    string
	Exclusive bool
}

// LexRange is a range of members.
type LexRange struct{ Min, Max LexBound }

// AllMembers is the range that holds every member.
var AllMembers = LexRange{Min: LexBound{Inf: -1}, Max: LexBound{Inf: 1}}

func (r LexRange) below(m string) bool {
	switch r.Min.Inf {
	case -1:
		return false
	case 1:
		return true
	}
	return m < r.Min.Member || r.Min.Exclusive && m == r.Min.Member
}

func (r LexRange) above(m string) bool {
	switch r.Max.Inf {
	case -1:
		return true
	case 1:
		return false
	}
	return m > r.Max.Member || r.Max.Exclusive && m == r.Max.Member
}

// empty reports whether no member can be in the range.
func (r LexRange) empty() bool {
	switch {
	case r.Min.Inf == 1 || r.Max.Inf == -1:
		return true
	case r.Min.Inf == -1 || r.Max.Inf == 1:
		return false
	}
	return r.Min.Member > r.Max.Member || r.Min.Member == r.Max.Member && (r.Min.Exclusive || r.Max.Exclusive)
}

// Ordered iterates over the whole set in order, or in reverse order. readahead is how many members
// the caller expects to look at, 0 for all.
func (z *ZSet) Ordered(reverse bool, readahead int64) iter.Seq[ZMember] {
	return z.ByScore(AllScores, reverse, readahead)
}

// ByScore iterates over the members in a range of scores. readahead is how many the
// caller expects to look at, 0 for all.
func (z *ZSet) ByScore(r ScoreRange, reverse bool, readahead int64) iter.Seq[ZMember] {
	return func(yield func(ZMember) bool) {
		if z == nil || r.empty() {
			return
		}
		in := func(m ZMember) bool { return !r.below(m.Score) && !r.above(m.Score) }
		z.merge(scoreQuery(r), reverse, readahead, in, yield)
	}
}

// scoreQuery is the range of index items for a range of scores.
func scoreQuery(r ScoreRange) store.Query {
	from := elemScore + encodeScore(r.Min.Score)
	if r.Min.Exclusive {
		from = store.PrefixEnd(from)
	}
	to := elemScore + encodeScore(r.Max.Score)
	if !r.Max.Exclusive {
		to = store.PrefixEnd(to)
	}
	return store.Query{From: from, To: to}
}

// ByLex iterates over the members in a range of members, which makes sense if
// all scores are equal: the set's order is by score first. Where they differ, as in Redis, these
// are the members from the first one not before the range up to one behind it.
func (z *ZSet) ByLex(r LexRange, reverse bool, readahead int64) iter.Seq[ZMember] {
	return func(yield func(ZMember) bool) {
		if z == nil || r.empty() {
			return
		}
		low, ok1 := z.first()
		high, ok2 := z.last()
		if !ok1 || !ok2 || r.below(high.Name) || r.above(low.Name) {
			return
		}
		before, behind := r.below, r.above
		if reverse {
			before, behind = r.above, r.below
		}
		begun := false
		z.merge(lexQuery(r, low, high), reverse, readahead, func(ZMember) bool { return true }, func(m ZMember) bool {
			if !begun && before(m.Name) {
				return true
			}
			begun = true
			return !behind(m.Name) && yield(m)
		})
	}
}

// lexQuery is the range of index items for a range of members in a set from low to high.
func lexQuery(r LexRange, low, high ZMember) store.Query {
	if low.Score != high.Score {
		return scoreQuery(AllScores)
	}
	p := elemScore + encodeScore(low.Score)
	q := store.Query{From: p, To: store.PrefixEnd(p)}
	// Members that are cut in their sort keys are out of order behind the cut.
	if r.Min.Inf == 0 {
		q.From = p + r.Min.Member[:min(len(r.Min.Member), longName)]
	}
	if r.Max.Inf == 0 && len(r.Max.Member) < longName {
		q.To = p + r.Max.Member + "\x00"
	} else if r.Max.Inf == 0 {
		q.To = store.PrefixEnd(p + r.Max.Member[:longName])
	}
	return q
}

func (z *ZSet) first() (ZMember, bool) { return z.end(false) }
func (z *ZSet) last() (ZMember, bool)  { return z.end(true) }

func (z *ZSet) end(reverse bool) (ZMember, bool) {
	for m := range z.Ordered(reverse, 1) {
		return m, true
	}
	return ZMember{}, false
}

// merge yields, in order, what the store's index has in a range and what the
// transaction knows better.
func (z *ZSet) merge(q store.Query, reverse bool, readahead int64, in func(ZMember) bool, yield func(ZMember) bool) {
	ms := z.ms()
	ms.decode()
	order := CompareZ
	if reverse {
		order = func(a, b ZMember) int { return CompareZ(b, a) }
	}
	var known []ZMember
	for name, e := range ms.m {
		if m := (ZMember{name, decodeScoreOr0(e.value.plain)}); e.live && in(m) {
			known = append(known, m)
		}
	}
	slices.SortFunc(known, order)
	if ms.spread() && !ms.obj.fresh {
		q.Partition = ElemPartition(ms.tx.view.db, ms.obj.gen)
		q.Reverse = reverse
		for it := range ms.scorePages(q, readahead) {
			m := memberOfIndex(it)
			if ms.m[m.Name] != nil || !in(m) {
				continue
			}
			for len(known) > 0 && order(known[0], m) < 0 {
				if !yield(known[0]) {
					return
				}
				known = known[1:]
			}
			if !yield(m) {
				return
			}
		}
	}
	for _, m := range known {
		if !yield(m) {
			return
		}
	}
}

func decodeScoreOr0(v string) float64 {
	if len(v) != 8 {
		return 0
	}
	return decodeScore(v)
}

// scorePages queries the index, a page of about readahead items at a time.
func (ms *members) scorePages(q store.Query, readahead int64) iter.Seq[store.Item] {
	if readahead <= 0 || readahead > 10_000 {
		return ms.tx.query(q)
	}
	q.Limit = int(readahead) + len(ms.m)
	return func(yield func(store.Item) bool) {
		for {
			n, last := 0, ""
			for it := range ms.tx.query(q) {
				n, last = n+1, it.Key.Sort
				if !yield(it) {
					return
				}
			}
			if n < q.Limit {
				return
			}
			q = q.Next(store.Page{Last: last, More: true})
			q.Limit = min(q.Limit*4, 1000)
		}
	}
}

// memberOfIndex is the member that an index item stands for.
func memberOfIndex(it store.Item) ZMember {
	return ZMember{Name: nameOfItem(it, 9), Score: decodeScore(it.Key.Sort[1:])}
}

// dirty reports whether this transaction has changed members of a spread set.
func (ms *members) changed() bool {
	for _, e := range ms.m {
		if e.dirty {
			return true
		}
	}
	return false
}

// Ranks iterates over the members at ranks start to stop, as Range has them.
func (z *ZSet) Ranks(start, stop int64, reverse bool) iter.Seq[ZMember] {
	if z == nil || z.Len()-1-stop < start {
		return slices.Values(z.Range(start, stop, reverse))
	}
	return func(yield func(ZMember) bool) {
		rank := int64(0)
		for m := range z.Ordered(reverse, stop+1) {
			if rank > stop || rank >= start && !yield(m) {
				return
			}
			if rank++; rank > stop {
				return
			}
		}
	}
}

// Range returns the members at ranks start to stop, both inclusive, counted
// from 0 in the order asked for; they must lie within the set.
func (z *ZSet) Range(start, stop int64, reverse bool) []ZMember {
	n := stop - start + 1
	if z == nil || n <= 0 {
		return nil
	}
	// From the nearer end.
	if fromEnd := z.Len() - 1 - stop; fromEnd < start {
		out := z.take(fromEnd, n, !reverse)
		slices.Reverse(out)
		return out
	}
	return z.take(start, n, reverse)
}

func (z *ZSet) take(skip, n int64, reverse bool) []ZMember {
	out := make([]ZMember, 0, min(n, 1024))
	for m := range z.Ordered(reverse, skip+n) {
		if skip > 0 {
			skip--
			continue
		}
		if out = append(out, m); int64(len(out)) == n {
			break
		}
	}
	return out
}

// Rank returns a member's rank and score.
func (z *ZSet) Rank(member string, reverse bool) (rank int64, score float64, ok bool) {
	score, ok = z.Score(member)
	if !ok {
		return 0, 0, false
	}
	self := ZMember{member, score}
	ms := z.ms()
	if ms.spread() && !ms.obj.fresh && !ms.changed() {
		at := scoreSort(score, member)
		q := store.Query{Partition: ElemPartition(ms.tx.view.db, ms.obj.gen), From: elemScore, To: at}
		if reverse {
			q.From, q.To = at+"\x00", store.PrefixEnd(elemScore)
		}
		return ms.tx.count(q), score, true
	}
	for m := range z.Ordered(reverse, 0) {
		if m == self {
			break
		}
		rank++
	}
	return rank, score, true
}

// Count is the number of members in a range of scores.
func (z *ZSet) Count(r ScoreRange) int64 {
	if z == nil || r.empty() {
		return 0
	}
	ms := z.ms()
	if ms.spread() && !ms.obj.fresh && !ms.changed() {
		q := scoreQuery(r)
		q.Partition = ElemPartition(ms.tx.view.db, ms.obj.gen)
		return ms.tx.count(q)
	}
	var n int64
	for range z.ByScore(r, false, 0) {
		n++
	}
	return n
}

// LexCount is the number of members in a range of members, see ByLex.
func (z *ZSet) LexCount(r LexRange) int64 {
	if z == nil || r.empty() {
		return 0
	}
	if r == AllMembers {
		return z.Len()
	}
	ms := z.ms()
	if ms.spread() && !ms.obj.fresh && !ms.changed() && len(r.Min.Member) < longName && len(r.Max.Member) < longName {
		low, ok1 := z.first()
		high, ok2 := z.last()
		if ok1 && ok2 && low.Score == high.Score {
			q := lexQuery(r, low, high)
			if r.Min.Exclusive {
				q.From += "\x00"
			}
			if r.Max.Exclusive {
				q.To = strings.TrimSuffix(q.To, "\x00")
			}
			q.Partition = ElemPartition(ms.tx.view.db, ms.obj.gen)
			return ms.tx.count(q)
		}
	}
	var n int64
	for range z.ByLex(r, false, 0) {
		n++
	}
	return n
}
