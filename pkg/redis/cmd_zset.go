package redis

import (
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
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

func zsetCommands() []*command {
	cmds := []*command{
		{name: "zadd", arity: -4, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "sorted-set", since: "1.2.0", summary: "Adds members to a sorted set, or changes their scores.", run: zadd, direct: zaddDirect},
		{name: "zincrby", arity: 4, flags: write | denyoom | fast, keys: oneKey, group: "sorted-set", since: "1.2.0", summary: "Adds to the score of a member.", run: zincrby},
		{name: "zcard", arity: 2, flags: readonly | fast, keys: oneKey, use: "RO", group: "sorted-set", since: "1.2.0", summary: "Returns the number of members.", run: zcard},
		{name: "zcount", arity: 4, flags: readonly | fast, keys: oneKey, group: "sorted-set", since: "2.0.0", summary: "Counts the members in a range of scores.", run: zcount},
		{name: "zlexcount", arity: 4, flags: readonly | fast, keys: oneKey, group: "sorted-set", since: "2.8.9", summary: "Counts the members in a lexicographical range.", run: zlexcount},
		{name: "zscore", arity: 3, flags: readonly | fast, keys: oneKey, group: "sorted-set", since: "1.2.0", summary: "Returns the score of a member.", run: zscore},
		{name: "zmscore", arity: -3, flags: readonly | fast, keys: oneKey, group: "sorted-set", since: "6.2.0", summary: "Returns the scores of members.", run: zmscore},
		{name: "zrank", arity: -3, flags: readonly | fast, keys: oneKey, group: "sorted-set", since: "2.0.0", summary: "Returns the rank of a member, by ascending score.", run: zrank},
		{name: "zrevrank", arity: -3, flags: readonly | fast, keys: oneKey, group: "sorted-set", since: "2.0.0", summary: "Returns the rank of a member, by descending score.", run: zrevrank},
		{name: "zrem", arity: -3, flags: write | fast, keys: oneKey, use: "RW delete", group: "sorted-set", since: "1.2.0", summary: "Removes members, and the sorted set with its last one.", run: zrem, direct: zremDirect},
		{name: "zrandmember", arity: -2, flags: readonly, keys: oneKey, tips: "nondeterministic_output", group: "sorted-set", since: "6.2.0", summary: "Returns random members.", run: zrandmember},
		{name: "zscan", arity: -3, flags: readonly, keys: oneKey, tips: "nondeterministic_output", group: "sorted-set", since: "2.8.0", summary: "Iterates over members and scores.", run: zscan},
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
func (c *call) zaddArgs() (f zaddFlags, members []ZMember, err error) {
	i := 2
options:
	for ; i < len(c.args); i++ {
		switch {
		case c.is(i, "nx"):
			f.nx = true
		case c.is(i, "xx"):
			f.xx = true
		case c.is(i, "gt"):
			f.gt = true
		case c.is(i, "lt"):
			f.lt = true
		case c.is(i, "ch"):
			f.ch = true
		case c.is(i, "incr"):
			f.incr = true
		default:
			break options
		}
	}
	pairs := c.args[i:]
	switch {
	case len(pairs) == 0 || len(pairs)%2 != 0:
		return f, nil, errSyntax
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
func scoredMembers(pairs []string) ([]ZMember, bool) {
	members := make([]ZMember, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		score, ok := num.ParseFloat(pairs[i])
		if !ok {
			return nil, false
		}
		members = append(members, ZMember{pairs[i+1], score})
	}
	return members, true
}

// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
func zadd(c *call) error {
	f, members, err := c.zaddArgs()
	if err != nil {
		return err
	}
	if f.incr {
		return c.incrScore(f, members[0].Name, members[0].Score)
	}
	n, err := c.addScores(f, members)
	if err != nil {
		return err
	}
	c.w.Int(n)
	return nil
}

// addScores gives members of the first key their scores, as the options allow, and returns
// how many are new or, with CH, have changed.
func (c *call) addScores(f zaddFlags, members []ZMember) (int64, error) {
	z, err := c.tx.ZSet(c.args[1])
	if err != nil || z == nil && f.xx {
		return 0, err
	}
	if z, err = c.tx.ZSetForUpdate(c.args[1]); err != nil {
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

func memberNames(members []ZMember) []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	return names
}

// zaddDirect: without options.
func zaddDirect(d *direct) *plan {
	pairs := d.args[2:]
	if len(pairs)%2 != 0 || !Small(pairs) {
		return nil
	}
	members, ok := scoredMembers(pairs)
	if !ok { // an option, or an error
		return nil
	}
	p, names := d.AddScores(members)
	p.reply = func(old store.Attrs, w *resp.Writer) { w.Int(int64(len(names)) - d.CountMembers(old, names)) }
	return p
}

// ZINCRBY key increment member
func zincrby(c *call) error {
	f, members, err := c.zaddArgs() // an option in place of the increment leaves no pair
	if err != nil {
		return err
	}
	return c.incrScore(f, members[0].Name, members[0].Score)
}

// incrScore adds to the score of a member of the first key, as the options allow.
func (c *call) incrScore(f zaddFlags, member string, delta float64) error {
	z, err := c.tx.ZSet(c.args[1])
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
		c.w.Null()
		return nil
	}
	if z, err = c.tx.ZSetForUpdate(c.args[1]); err != nil {
		return err
	}
	if !exists || old != score {
		z.Set(member, score)
	}
	c.w.Double(score)
	return nil
}

// ZCARD key
func zcard(c *call) error {
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	c.w.Int(z.Len())
	return nil
}

// ZCOUNT key min max
func zcount(c *call) error {
	r, err := c.scoreRange(2, 3)
	if err != nil {
		return err
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	if r == AllScores {
		c.w.Int(z.Len())
		return nil
	}
	c.w.Int(z.Count(r))
	return nil
}

// ZLEXCOUNT key min max
func zlexcount(c *call) error {
	r, err := c.lexRange(2, 3)
	if err != nil {
		return err
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	c.w.Int(z.LexCount(r))
	return nil
}

// ZSCORE key member
func zscore(c *call) error {
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	c.writeScore(z.Score(c.args[2]))
	return nil
}

func (c *call) writeScore(score float64, ok bool) {
	if !ok {
		c.w.Null()
		return
	}
	c.w.Double(score)
}

// ZMSCORE key member [member ...]
func zmscore(c *call) error {
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.args[2:])
	c.w.Array(len(c.args) - 2)
	for _, m := range c.args[2:] {
		c.writeScore(z.Score(m))
	}
	return nil
}

// ZRANK key member [WITHSCORE]
func zrank(c *call) error { return c.rank(false) }

// ZREVRANK key member [WITHSCORE]
func zrevrank(c *call) error { return c.rank(true) }

func (c *call) rank(reverse bool) error {
	withScore := len(c.args) == 4
	switch {
	case len(c.args) > 4:
		return errArity(c.cmd.name)
	case withScore && !c.is(3, "withscore"):
		return errSyntax
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	rank, score, ok := z.Rank(c.args[2], reverse)
	switch {
	case !ok && withScore:
		c.w.NullArray()
	case !ok:
		c.w.Null()
	case withScore:
		c.w.Array(2)
		c.w.Int(rank)
		c.w.Double(score)
	default:
		c.w.Int(rank)
	}
	return nil
}

// ZREM key member [member ...]
func zrem(c *call) error {
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	z.Fetch(c.args[2:])
	var n int64
	for _, m := range c.args[2:] {
		if z.Remove(m) {
			n++
		}
	}
	c.w.Int(n)
	return nil
}

func zremDirect(d *direct) *plan { return removeDirect(d, (*blind).RemoveScored) }

// ZRANDMEMBER key [count [WITHSCORES]]
func zrandmember(c *call) error {
	n, withScores, err := c.randomArgs("withscores")
	if err != nil {
		return err
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	if len(c.args) == 2 {
		m, ok := z.RandomOne()
		c.w.BulkOrNull(m.Name, ok)
		return nil
	}
	return writeRandom(c, z.Len(), z.Random, n, func(m ZMember) int {
		c.w.Bulk(m.Name)
		if !withScores {
			return 1
		}
		c.w.Double(m.Score)
		return 2
	})
}

// ZSCAN key cursor [MATCH pattern] [COUNT count]
func zscan(c *call) error {
	opts, perr := parseScan(c, 2)
	if perr == errCursor {
		return perr
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	if z == nil { // Redis looks for the key before it looks at the options
		c.w.Array(2)
		c.w.Bulk("0")
		c.w.Array(0)
		return nil
	}
	if perr != nil {
		return perr
	}
	members, next := z.Scan(opts.cursor, opts.count)
	c.w.Array(2)
	c.w.Bulk(formatCursor(next))
	mark, n := c.w.Mark(), 0
	for _, m := range members {
		if opts.matches(c.tx, m.Name) {
			c.w.Bulk(m.Name)
			c.w.Bulk(resp.FormatDouble(m.Score)) // in RESP3 too
			n += 2
		}
	}
	c.w.ArrayAt(mark, n)
	return nil
}
