package redis

import (
	"iter"
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// ZRANGE, ZRANGESTORE, ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZRANGEBYLEX, ZREVRANGEBYLEX,
// ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

const (
	errLimitNeedsBy    Error = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
	errScoresWithByLex Error = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
)

func zsetRangeCommands() []*command {
	return []*command{
		{name: "zrange", arity: -4, flags: readonly, keys: oneKey, group: "sorted-set", since: "1.2.0", summary: "Returns a range of members, by rank, score or name.", run: zrange},
		{name: "zrangestore", arity: -5, flags: write | denyoom, keys: twoKeys, use: "OW update", then: "RO access", group: "sorted-set", since: "6.2.0", summary: "Stores a range of members in another key.", run: zrangestore},
		{name: "zrevrange", arity: -4, flags: readonly, keys: oneKey, group: "sorted-set", since: "1.2.0", summary: "Returns members by rank, the highest score first.", run: zrevrange},
		{name: "zrangebyscore", arity: -4, flags: readonly, keys: oneKey, group: "sorted-set", since: "1.0.5", summary: "Returns the members in a range of scores.", run: zrangebyscore},
		{name: "zrevrangebyscore", arity: -4, flags: readonly, keys: oneKey, group: "sorted-set", since: "2.2.0", summary: "Returns the members in a range of scores, the highest first.", run: zrevrangebyscore},
		{name: "zrangebylex", arity: -4, flags: readonly, keys: oneKey, group: "sorted-set", since: "2.8.9", summary: "Returns the members in a lexicographical range.", run: zrangebylex},
		{name: "zrevrangebylex", arity: -4, flags: readonly, keys: oneKey, group: "sorted-set", since: "2.8.9", summary: "Returns the members in a lexicographical range, the last first.", run: zrevrangebylex},
		{name: "zremrangebyrank", arity: 4, flags: write, keys: oneKey, use: "RW delete", group: "sorted-set", since: "2.0.0", summary: "Removes the members in a range of ranks.", run: zremrangebyrank},
		{name: "zremrangebyscore", arity: 4, flags: write, keys: oneKey, use: "RW delete", group: "sorted-set", since: "1.2.0", summary: "Removes the members in a range of scores.", run: zremrangebyscore},
		{name: "zremrangebylex", arity: 4, flags: write, keys: oneKey, use: "RW delete", group: "sorted-set", since: "2.8.9", summary: "Removes the members in a lexicographical range.", run: zremrangebylex},
	}
}

// scoreRange reads a range of scores from two arguments.
func (c *call) scoreRange(min, max int) (r ScoreRange, err error) {
	var ok1, ok2 bool
	r.Min.Score, r.Min.Exclusive, ok1 = num.ParseScoreBound(c.args[min])
	r.Max.Score, r.Max.Exclusive, ok2 = num.ParseScoreBound(c.args[max])
	if !ok1 || !ok2 {
		return r, errMinMaxFloat
	}
	return r, nil
}

// lexRange reads a lexicographical range from two arguments.
func (c *call) lexRange(min, max int) (r LexRange, err error) {
	var ok1, ok2 bool
	r.Min, ok1 = parseLexBound(c.args[min])
	r.Max, ok2 = parseLexBound(c.args[max])
	if !ok1 || !ok2 {
		return r, errMinMaxLex
	}
	return r, nil
}

// parseLexBound reads -, +, [member or (member.
func parseLexBound(s string) (LexBound, bool) {
	switch {
	case s == "-":
		return LexBound{Inf: -1}, true
	case s == "+":
		return LexBound{Inf: 1}, true
	case s != "" && s[0] == '[':
		return LexBound{Member: s[1:]}, true
	case s != "" && s[0] == '(':
		return LexBound{Member: s[1:], Exclusive: true}, true
	}
	return LexBound{}, false
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
	scores      ScoreRange
	lex         LexRange
}

// rangeArgs reads min, max and options from argument i on. q has what the command itself
// says; ZRANGE and ZRANGESTORE leave the kind open.
func (c *call) rangeArgs(i int, q rangeQuery, store bool) (rangeQuery, error) {
	open := q.kind == anyKind
	q.limit = -1
	for j := i + 2; j < len(c.args); j++ {
		switch {
		case !store && c.is(j, "withscores"):
			q.withScores = true
		case c.is(j, "limit") && j+2 < len(c.args):
			var err error
			if q.offset, err = c.int(j + 1); err != nil {
				return q, err
			}
			if q.limit, err = c.int(j + 2); err != nil {
				return q, err
			}
			q.limited = true
			j += 2
		case open && !q.reverse && c.is(j, "rev"):
			q.reverse = true
		case q.kind == anyKind && c.is(j, "bylex"):
			q.kind = byLex
		case q.kind == anyKind && c.is(j, "byscore"):
			q.kind = byScore
		default:
			return q, errSyntax
		}
	}
	if q.kind == anyKind {
		q.kind = byRank
	}
	if q.kind == byRank && q.limit == -1 {
		q.offset = 0 // as Redis, which takes this for no LIMIT at all
	}
	switch {
	case q.kind == byRank && q.limit != -1 && !open:
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
		if q.start, err = c.int(low); err != nil {
			return q, err
		}
		q.stop, err = c.int(high)
	case byScore:
		q.scores, err = c.scoreRange(low, high)
	case byLex:
		q.lex, err = c.lexRange(low, high)
	}
	return q, err
}

// members iterates over the members in the range.
func (q rangeQuery) members(z *ZSet) iter.Seq[ZMember] {
	return func(yield func(ZMember) bool) {
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
			z.ranks(start, stop, q.reverse)(yield)
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
func (c *call) writeMembers(members iter.Seq[ZMember], withScores bool) error {
	mark, n := c.w.Mark(), 0
	for m := range members {
		c.w.Bulk(m.Name)
		n++
		if withScores {
			c.w.Double(m.Score)
		}
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	if withScores {
		c.w.PairsAt(mark, n)
	} else {
		c.w.ArrayAt(mark, n)
	}
	return nil
}

// replyRange is ZRANGE and all of its relatives that reply with members.
func (c *call) replyRange(q rangeQuery) error {
	q, err := c.rangeArgs(2, q, false)
	if err != nil {
		return err
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	return c.writeMembers(q.members(z), q.withScores)
}

// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
//
// Redis refuses LIMIT for a range of ranks; here it applies to that range.
func zrange(c *call) error { return c.replyRange(rangeQuery{}) }

// ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
func zrangestore(c *call) error {
	q, err := c.rangeArgs(3, rangeQuery{}, true)
	if err != nil {
		return err
	}
	z, err := c.tx.ZSet(c.args[2])
	if err != nil {
		return err
	}
	var members []ZMember
	for m := range q.members(z) {
		members = append(members, m)
	}
	c.w.Int(c.storeMembers(c.args[1], members))
	return nil
}

// storeMembers makes a key hold a sorted set, or nothing if there are no members, and
// returns their number.
func (c *call) storeMembers(key string, members []ZMember) int64 {
	if len(members) == 0 {
		c.tx.Delete(key)
		return 0
	}
	z := c.tx.NewZSet(key)
	for _, m := range members {
		z.Set(m.Name, m.Score)
	}
	return int64(len(members))
}

// ZREVRANGE key start stop [WITHSCORES]
func zrevrange(c *call) error { return c.replyRange(rangeQuery{kind: byRank, reverse: true}) }

// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
func zrangebyscore(c *call) error { return c.replyRange(rangeQuery{kind: byScore}) }

// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
func zrevrangebyscore(c *call) error { return c.replyRange(rangeQuery{kind: byScore, reverse: true}) }

// ZRANGEBYLEX key min max [LIMIT offset count]
func zrangebylex(c *call) error { return c.replyRange(rangeQuery{kind: byLex}) }

// ZREVRANGEBYLEX key max min [LIMIT offset count]
func zrevrangebylex(c *call) error { return c.replyRange(rangeQuery{kind: byLex, reverse: true}) }

// ZREMRANGEBYRANK key start stop
func zremrangebyrank(c *call) error { return c.removeRange(rangeQuery{kind: byRank}) }

// ZREMRANGEBYSCORE key min max
func zremrangebyscore(c *call) error { return c.removeRange(rangeQuery{kind: byScore}) }

// ZREMRANGEBYLEX key min max
func zremrangebylex(c *call) error { return c.removeRange(rangeQuery{kind: byLex}) }

func (c *call) removeRange(q rangeQuery) error {
	q, err := c.rangeArgs(2, q, false)
	if err != nil {
		return err
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	if q.everything(z) { // needs no look at the members
		c.w.Int(z.Len())
		c.tx.Delete(c.args[1])
		return nil
	}
	var found []ZMember
	for m := range q.members(z) {
		found = append(found, m)
	}
	z.RemoveFound(found)
	c.w.Int(int64(len(found)))
	return nil
}

// everything reports whether the range holds the whole sorted set for certain.
func (q rangeQuery) everything(z *ZSet) bool {
	switch {
	case q.limited:
		return false
	case q.kind == byRank:
		start, stop := clampRange(q.start, q.stop, z.Len())
		return start == 0 && stop == z.Len()-1
	case q.kind == byScore:
		return q.scores == AllScores
	}
	return q.lex == AllMembers
}
