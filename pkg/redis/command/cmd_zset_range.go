package command

import (
	"iter"
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// ZRANGE, ZRANGESTORE, ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZRANGEBYLEX, ZREVRANGEBYLEX,
// ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

const (
	errLimitNeedsBy    Error = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
	errScoresWithByLex Error = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
)

func zsetRangeCommands() []*Command {
	return []*Command{
		{Name: "zrange", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "sorted-set", Since: "1.2.0", Summary: "Returns a range of members, by rank, score or name.", Run: zrange},
		{Name: "zrangestore", Arity: -5, Flags: Write | DenyOOM, Keys: TwoKeys, Use: "OW update", UseThen: "RO access", Event: "zrangestore", Group: "sorted-set", Since: "6.2.0", Summary: "Stores a range of members in another key.", Run: zrangestore},
		{Name: "zrevrange", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "sorted-set", Since: "1.2.0", Summary: "Returns members by rank, the highest score first.", Run: zrevrange},
		{Name: "zrangebyscore", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "sorted-set", Since: "1.0.5", Summary: "Returns the members in a range of scores.", Run: zrangebyscore},
		{Name: "zrevrangebyscore", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "sorted-set", Since: "2.2.0", Summary: "Returns the members in a range of scores, the highest first.", Run: zrevrangebyscore},
		{Name: "zrangebylex", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "sorted-set", Since: "2.8.9", Summary: "Returns the members in a lexicographical range.", Run: zrangebylex},
		{Name: "zrevrangebylex", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "sorted-set", Since: "2.8.9", Summary: "Returns the members in a lexicographical range, the last first.", Run: zrevrangebylex},
		{Name: "zremrangebyrank", Arity: 4, Flags: Write, Keys: OneKey, Use: "RW delete", Event: "zremrangebyrank", Group: "sorted-set", Since: "2.0.0", Summary: "Removes the members in a range of ranks.", Run: zremrangebyrank},
		{Name: "zremrangebyscore", Arity: 4, Flags: Write, Keys: OneKey, Use: "RW delete", Event: "zremrangebyscore", Group: "sorted-set", Since: "1.2.0", Summary: "Removes the members in a range of scores.", Run: zremrangebyscore},
		{Name: "zremrangebylex", Arity: 4, Flags: Write, Keys: OneKey, Use: "RW delete", Event: "zremrangebylex", Group: "sorted-set", Since: "2.8.9", Summary: "Removes the members in a lexicographical range.", Run: zremrangebylex},
	}
}

// scoreRange reads a range of scores from two arguments.
func (c *Call) scoreRange(min, max int) (r keyspace.ScoreRange, err error) {
	var ok1, ok2 bool
	r.Min.Score, r.Min.Exclusive, ok1 = num.ParseScoreBound(c.Args[min])
	r.Max.Score, r.Max.Exclusive, ok2 = num.ParseScoreBound(c.Args[max])
	if !ok1 || !ok2 {
		return r, errMinMaxFloat
	}
	return r, nil
}

// lexRange reads a lexicographical range from two arguments.
func (c *Call) lexRange(min, max int) (r keyspace.LexRange, err error) {
	var ok1, ok2 bool
	r.Min, ok1 = parseLexBound(c.Args[min])
	r.Max, ok2 = parseLexBound(c.Args[max])
	if !ok1 || !ok2 {
		return r, errMinMaxLex
	}
	return r, nil
}

// parseLexBound reads -, +, [member or (member.
func parseLexBound(s string) (keyspace.LexBound, bool) {
	switch {
	case s == "-":
		return keyspace.LexBound{Inf: -1}, true
	case s == "+":
		return keyspace.LexBound{Inf: 1}, true
	case s != "" && s[0] == '[':
		return keyspace.LexBound{Member: s[1:]}, true
	case s != "" && s[0] == '(':
		return keyspace.LexBound{Member: s[1:], Exclusive: true}, true
	}
	return keyspace.LexBound{}, false
}

// rangeKind is what a range is a range of.
type rangeKind int

const (
	anyKind rangeKind = iota // of ZRANGE, until its options tell
	byRank
	byScore
	byLex
)

// rangeQuery is a range of a sorted set as ZRANGE and its relatives describe it.
type rangeQuery struct {
	kind        rangeKind
	reverse     bool
	withScores  bool
	limited     bool
	offset      int64
	limit       int64 // negative: none
	start, stop int64
	scores      keyspace.ScoreRange
	lex         keyspace.LexRange
}

// rangeArgs reads min, max and options from argument i on. q has what the command itself
// says; ZRANGE and ZRANGESTORE leave the kind open.
func (c *Call) rangeArgs(i int, q rangeQuery, store bool) (rangeQuery, error) {
	open := q.kind == anyKind
	q.limit = -1
	for j := i + 2; j < len(c.Args); j++ {
		switch {
		case !store && c.Is(j, "withscores"):
			q.withScores = true
		case c.Is(j, "limit") && j+2 < len(c.Args):
			var err error
			if q.offset, err = c.Int(j + 1); err != nil {
				return q, err
			}
			if q.limit, err = c.Int(j + 2); err != nil {
				return q, err
			}
			q.limited = true
			j += 2
		case open && !q.reverse && c.Is(j, "rev"):
			q.reverse = true
		case q.kind == anyKind && c.Is(j, "bylex"):
			q.kind = byLex
		case q.kind == anyKind && c.Is(j, "byscore"):
			q.kind = byScore
		default:
			return q, ErrSyntax
		}
	}
	if q.kind == anyKind {
		q.kind = byRank
	}
	if q.kind == byRank && q.limit == -1 {
		q.offset = 0 // as Redis, which takes this for no LIMIT at all
	}
	switch {
	case q.kind == byRank && q.limit != -1 && (!open || c.Native()):
		return q, errLimitNeedsBy
	case q.kind == byLex && q.withScores:
		return q, errScoresWithByLex
	}
	low, high := i, i+1
	if q.reverse && q.kind != byRank {
		low, high = high, low
	}
	var err error
	switch q.kind {
	case byRank:
		if q.start, err = c.Int(low); err != nil {
			return q, err
		}
		q.stop, err = c.Int(high)
	case byScore:
		q.scores, err = c.scoreRange(low, high)
	case byLex:
		q.lex, err = c.lexRange(low, high)
	}
	return q, err
}

// members iterates over the members in the range.
func (q rangeQuery) members(z *keyspace.ZSet) iter.Seq[keyspace.ZMember] {
	return func(yield func(keyspace.ZMember) bool) {
		if z == nil || q.limit == 0 || q.offset < 0 {
			return
		}
		skip, left := q.offset, q.limit
		if left < 0 {
			left = math.MaxInt64
		}
		if q.kind == byRank {
			start, stop := clampRange(q.start, q.stop, z.Len())
			if skip > stop-start {
				return
			}
			start += skip
			stop = min(stop, start+min(left, stop-start+1)-1)
			z.Ranks(start, stop, q.reverse)(yield)
			return
		}
		readahead := int64(0) // all of the range
		if q.limit > 0 && skip < math.MaxInt64-left {
			readahead = skip + left
		}
		seq := z.ByScore(q.scores, q.reverse, readahead)
		if q.kind == byLex {
			seq = z.ByLex(q.lex, q.reverse, readahead)
		}
		for m := range seq {
			if skip > 0 {
				skip--
				continue
			}
			if !yield(m) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

// writeMembers replies with members, each followed by its score if asked for.
func (c *Call) writeMembers(members iter.Seq[keyspace.ZMember], withScores bool) error {
	mark, n := c.W.Mark(), 0
	for m := range members {
		c.W.Bulk(m.Name)
		n++
		if withScores {
			c.W.Double(m.Score)
		}
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	if withScores {
		c.W.PairsAt(mark, n)
	} else {
		c.W.ArrayAt(mark, n)
	}
	return nil
}

// replyRange is ZRANGE and all of its relatives that reply with members.
func (c *Call) replyRange(q rangeQuery) error {
	q, err := c.rangeArgs(2, q, false)
	if err != nil {
		return err
	}
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	return c.writeMembers(q.members(z), q.withScores)
}

// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
//
// Redis refuses LIMIT for a range of ranks; here it applies to that range.
func zrange(c *Call) error { return c.replyRange(rangeQuery{}) }

// ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
func zrangestore(c *Call) error {
	q, err := c.rangeArgs(3, rangeQuery{}, true)
	if err != nil {
		return err
	}
	z, err := c.Txn.ZSet(c.Args[2])
	if err != nil {
		return err
	}
	var members []keyspace.ZMember
	for m := range q.members(z) {
		members = append(members, m)
	}
	c.missedSources()
	c.W.Int(c.storeMembers(c.Args[1], members))
	return nil
}

// storeMembers makes a key hold a sorted set, or nothing if there are no members, and
// returns their number.
func (c *Call) storeMembers(key string, members []keyspace.ZMember) int64 {
	if len(members) == 0 {
		c.Txn.Delete(key)
		return 0
	}
	z := c.Txn.NewZSet(key)
	for _, m := range members {
		z.Set(m.Name, m.Score)
	}
	return int64(len(members))
}

// ZREVRANGE key start stop [WITHSCORES]
func zrevrange(c *Call) error { return c.replyRange(rangeQuery{kind: byRank, reverse: true}) }

// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
func zrangebyscore(c *Call) error { return c.replyRange(rangeQuery{kind: byScore}) }

// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
func zrevrangebyscore(c *Call) error { return c.replyRange(rangeQuery{kind: byScore, reverse: true}) }

// ZRANGEBYLEX key min max [LIMIT offset count]
func zrangebylex(c *Call) error { return c.replyRange(rangeQuery{kind: byLex}) }

// ZREVRANGEBYLEX key max min [LIMIT offset count]
func zrevrangebylex(c *Call) error { return c.replyRange(rangeQuery{kind: byLex, reverse: true}) }

// ZREMRANGEBYRANK key start stop
func zremrangebyrank(c *Call) error { return c.removeRange(rangeQuery{kind: byRank}) }

// ZREMRANGEBYSCORE key min max
func zremrangebyscore(c *Call) error { return c.removeRange(rangeQuery{kind: byScore}) }

// ZREMRANGEBYLEX key min max
func zremrangebylex(c *Call) error { return c.removeRange(rangeQuery{kind: byLex}) }

func (c *Call) removeRange(q rangeQuery) error {
	q, err := c.rangeArgs(2, q, false)
	if err != nil {
		return err
	}
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	if q.everything(z) { // needs no look at the members
		c.W.Int(z.Len())
		if z != nil {
			c.event(c.Command.Event, c.Args[1])
		}
		c.Txn.Delete(c.Args[1])
		return nil
	}
	var found []keyspace.ZMember
	for m := range q.members(z) {
		found = append(found, m)
	}
	z.RemoveFound(found)
	c.W.Int(int64(len(found)))
	return nil
}

// everything reports whether the range holds the whole sorted set for certain.
func (q rangeQuery) everything(z *keyspace.ZSet) bool {
	switch {
	case q.limited:
		return false
	case q.kind == byRank:
		start, stop := clampRange(q.start, q.stop, z.Len())
		return start == 0 && stop == z.Len()-1
	case q.kind == byScore:
		return q.scores == keyspace.AllScores
	}
	return q.lex == keyspace.AllMembers
}
