package command

import (
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// ZADD, ZINCRBY, ZCARD, ZCOUNT, ZLEXCOUNT, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZREM, ZRANDMEMBER,
// ZSCAN. Ranges are in cmd_zset_range.go, pops in cmd_zset_pop.go, unions, intersections
// and differences in cmd_zset_combine.go.

const (
	errNXAndXX     Error = "ERR XX and NX options at the same time are not compatible"
	errGTLTAndNX   Error = "ERR GT, LT, and/or NX options at the same time are not compatible"
	errIncrOnePair Error = "ERR INCR option supports a single increment-element pair"
)

func zsetCommands() []*Command {
	cmds := []*Command{
		{Name: "zadd", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Event: "zadd", Group: "sorted-set", Since: "1.2.0", Summary: "Adds members to a sorted set, or changes their scores.", Run: zadd, Direct: zaddDirect},
		{Name: "zincrby", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: OneKey, Event: "zincr", Group: "sorted-set", Since: "1.2.0", Summary: "Adds to the score of a member.", Run: zincrby},
		{Name: "zcard", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "sorted-set", Since: "1.2.0", Summary: "Returns the number of members.", Run: zcard},
		{Name: "zcount", Arity: 4, Flags: ReadOnly | Fast, Keys: OneKey, Group: "sorted-set", Since: "2.0.0", Summary: "Counts the members in a range of scores.", Run: zcount},
		{Name: "zlexcount", Arity: 4, Flags: ReadOnly | Fast, Keys: OneKey, Group: "sorted-set", Since: "2.8.9", Summary: "Counts the members in a lexicographical range.", Run: zlexcount},
		{Name: "zscore", Arity: 3, Flags: ReadOnly | Fast, Keys: OneKey, Group: "sorted-set", Since: "1.2.0", Summary: "Returns the score of a member.", Run: zscore},
		{Name: "zmscore", Arity: -3, Flags: ReadOnly | Fast, Keys: OneKey, Group: "sorted-set", Since: "6.2.0", Summary: "Returns the scores of members.", Run: zmscore},
		{Name: "zrank", Arity: -3, Flags: ReadOnly | Fast, Keys: OneKey, Group: "sorted-set", Since: "2.0.0", Summary: "Returns the rank of a member, by ascending score.", Run: zrank},
		{Name: "zrevrank", Arity: -3, Flags: ReadOnly | Fast, Keys: OneKey, Group: "sorted-set", Since: "2.0.0", Summary: "Returns the rank of a member, by descending score.", Run: zrevrank},
		{Name: "zrem", Arity: -3, Flags: Write | Fast, Keys: OneKey, Use: "RW delete", Event: "zrem", Group: "sorted-set", Since: "1.2.0", Summary: "Removes members, and the sorted set with its last one.", Run: zrem, Direct: zremDirect},
		{Name: "zrandmember", Arity: -2, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output", Group: "sorted-set", Since: "6.2.0", Summary: "Returns random members.", Run: zrandmember},
		{Name: "zscan", Arity: -3, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output", Group: "sorted-set", Since: "2.8.0", Summary: "Iterates over members and scores.", Run: zscan},
	}
	cmds = append(cmds, zsetRangeCommands()...)
	cmds = append(cmds, zsetPopCommands()...)
	return append(cmds, zsetCombineCommands()...)
}

// zaddFlags are the options of ZADD.
type zaddFlags struct{ nx, xx, gt, lt, ch, incr bool }

// allow reports whether the options let a member change from its score, if it exists, to another.
func (f zaddFlags) allow(exists bool, from, to float64) bool {
	switch {
	case !exists:
		return !f.xx
	case f.nx, f.gt && to <= from, f.lt && to >= from:
		return false
	}
	return true
}

// zaddArgs reads the options and (score, member) pairs from argument 2 on.
func (c *Call) zaddArgs() (f zaddFlags, members []keyspace.ZMember, err error) {
	i := 2
options:
	for ; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "nx"):
			f.nx = true
		case c.Is(i, "xx"):
			f.xx = true
		case c.Is(i, "gt"):
			f.gt = true
		case c.Is(i, "lt"):
			f.lt = true
		case c.Is(i, "ch"):
			f.ch = true
		case c.Is(i, "incr"):
			f.incr = true
		default:
			break options
		}
	}
	pairs := c.Args[i:]
	switch {
	case len(pairs) == 0 || len(pairs)%2 != 0:
		return f, nil, ErrSyntax
	case f.nx && f.xx:
		return f, nil, errNXAndXX
	case f.gt && f.nx, f.lt && f.nx, f.gt && f.lt:
		return f, nil, errGTLTAndNX
	case f.incr && len(pairs) > 2:
		return f, nil, errIncrOnePair
	}
	members, ok := scoredMembers(pairs)
	if !ok {
		return f, nil, errNotFloat
	}
	return f, members, nil
}

// scoredMembers reads pairs of score and member.
func scoredMembers(pairs []string) ([]keyspace.ZMember, bool) {
	members := make([]keyspace.ZMember, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		score, ok := num.ParseFloat(pairs[i])
		if !ok {
			return nil, false
		}
		members = append(members, keyspace.ZMember{Name: pairs[i+1], Score: score})
	}
	return members, true
}

// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
func zadd(c *Call) error {
	f, members, err := c.zaddArgs()
	if err != nil {
		return err
	}
	if f.incr {
		c.Event = "zincr"
		return c.incrScore(f, members[0].Name, members[0].Score)
	}
	n, err := c.addScores(f, members)
	if err != nil {
		return err
	}
	c.W.Int(n)
	return nil
}

// addScores gives members of the first key their scores, as the options allow, and returns
// how many are new or, with CH, have changed.
func (c *Call) addScores(f zaddFlags, members []keyspace.ZMember) (int64, error) {
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil || z == nil && f.xx {
		return 0, err
	}
	if z, err = c.Txn.ZSetForUpdate(c.Args[1]); err != nil {
		return 0, err
	}
	z.Fetch(memberNames(members))
	var n int64
	for _, m := range members {
		old, exists := z.Score(m.Name)
		if exists && old == m.Score || !f.allow(exists, old, m.Score) {
			continue
		}
		z.Set(m.Name, m.Score)
		if !exists || f.ch {
			n++
		}
	}
	return n, nil
}

func memberNames(members []keyspace.ZMember) []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	return names
}

// zaddDirect: without options.
func zaddDirect(d *Direct) *keyspace.Plan {
	pairs := d.Args[2:]
	if len(pairs)%2 != 0 || !keyspace.Small(pairs) {
		return nil
	}
	members, ok := scoredMembers(pairs)
	if !ok { // an option, or an error
		return nil
	}
	p, names := d.AddScores(members)
	p.Reply = func(old store.Attrs) { d.W.Int(int64(len(names)) - d.CountMembers(old, names)) }
	return p
}

// ZINCRBY key increment member
func zincrby(c *Call) error {
	f, members, err := c.zaddArgs() // an option in place of the increment leaves no pair
	if err != nil {
		return err
	}
	return c.incrScore(f, members[0].Name, members[0].Score)
}

// incrScore adds to the score of a member of the first key, as the options allow.
func (c *Call) incrScore(f zaddFlags, member string, delta float64) error {
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	old, exists := z.Score(member)
	score := delta
	if exists && !f.nx {
		if score = old + delta; math.IsNaN(score) {
			return errNaN
		}
	}
	if !f.allow(exists, old, score) {
		c.W.Null()
		return nil
	}
	if z, err = c.Txn.ZSetForUpdate(c.Args[1]); err != nil {
		return err
	}
	if !exists || old != score {
		z.Set(member, score)
	}
	c.W.Double(score)
	return nil
}

// ZCARD key
func zcard(c *Call) error {
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Int(z.Len())
	return nil
}

// ZCOUNT key min max
func zcount(c *Call) error {
	r, err := c.scoreRange(2, 3)
	if err != nil {
		return err
	}
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	if r == keyspace.AllScores {
		c.W.Int(z.Len())
		return nil
	}
	c.W.Int(z.Count(r))
	return nil
}

// ZLEXCOUNT key min max
func zlexcount(c *Call) error {
	r, err := c.lexRange(2, 3)
	if err != nil {
		return err
	}
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Int(z.LexCount(r))
	return nil
}

// ZSCORE key member
func zscore(c *Call) error {
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	c.writeScore(z.Score(c.Args[2]))
	return nil
}

func (c *Call) writeScore(score float64, ok bool) {
	if !ok {
		c.W.Null()
		return
	}
	c.W.Double(score)
}

// ZMSCORE key member [member ...]
func zmscore(c *Call) error {
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.Args[2:])
	c.W.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		c.writeScore(z.Score(m))
	}
	return nil
}

// ZRANK key member [WITHSCORE]
func zrank(c *Call) error { return c.rank(false) }

// ZREVRANK key member [WITHSCORE]
func zrevrank(c *Call) error { return c.rank(true) }

func (c *Call) rank(reverse bool) error {
	withScore := len(c.Args) == 4
	switch {
	case len(c.Args) > 4:
		return errArity(c.Command.Name)
	case withScore && !c.Is(3, "withscore"):
		return ErrSyntax
	}
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	rank, score, ok := z.Rank(c.Args[2], reverse)
	switch {
	case !ok && withScore:
		c.W.NullArray()
	case !ok:
		c.W.Null()
	case withScore:
		c.W.Array(2)
		c.W.Int(rank)
		c.W.Double(score)
	default:
		c.W.Int(rank)
	}
	return nil
}

// ZREM key member [member ...]
func zrem(c *Call) error {
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.Args[2:])
	var n int64
	for _, m := range c.Args[2:] {
		if z.Remove(m) {
			n++
		}
	}
	c.W.Int(n)
	return nil
}

func zremDirect(d *Direct) *keyspace.Plan { return removeDirect(d, (*keyspace.Blind).RemoveScored) }

// ZRANDMEMBER key [count [WITHSCORES]]
func zrandmember(c *Call) error {
	n, withScores, err := c.randomArgs("withscores")
	if err != nil {
		return err
	}
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	if len(c.Args) == 2 {
		m, ok := z.RandomOne()
		c.W.BulkOrNull(m.Name, ok)
		return nil
	}
	return writeRandom(c, z.Len(), z.Random, n, func(m keyspace.ZMember) int {
		c.W.Bulk(m.Name)
		if !withScores {
			return 1
		}
		c.W.Double(m.Score)
		return 2
	})
}

// ZSCAN key cursor [MATCH pattern] [COUNT count]
func zscan(c *Call) error {
	return scanValue(c, c.Txn.ZSet, (*keyspace.ZSet).Scan, func(m keyspace.ZMember, opts *scanOptions) int {
		if !opts.matches(c.Txn, m.Name) {
			return 0
		}
		c.W.Bulk(m.Name)
		c.W.Bulk(resp.FormatDouble(m.Score)) // in RESP3 too
		return 2
	})
}
