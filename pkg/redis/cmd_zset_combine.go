package redis

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// ZUNION, ZINTER, ZDIFF, ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE, ZINTERCARD. Plain sets are
// taken for sorted sets whose scores are all 1.

const (
	errWeight        Error = "ERR weight value is not a float"
	errLimitNegative Error = "ERR LIMIT can't be negative"
)

func zsetCombineCommands() []*command {
	sources := keySpec{numkeys: 1}
	store := keySpec{first: 1, last: 1, step: 1, numkeys: 2}
	return []*command{
		{name: "zunion", arity: -3, flags: readonly | movable, keys: sources, group: "sorted-set", since: "6.2.0", summary: "Returns the union of sorted sets.", run: zunion},
		{name: "zinter", arity: -3, flags: readonly | movable, keys: sources, group: "sorted-set", since: "6.2.0", summary: "Returns the intersection of sorted sets.", run: zinter},
		{name: "zdiff", arity: -3, flags: readonly | movable, keys: sources, group: "sorted-set", since: "6.2.0", summary: "Returns the difference of sorted sets.", run: zdiff},
		{name: "zunionstore", arity: -4, flags: write | denyoom | movable, keys: store, use: "OW update", then: "RO access", group: "sorted-set", since: "2.0.0", summary: "Stores the union of sorted sets.", run: zunionstore},
		{name: "zinterstore", arity: -4, flags: write | denyoom | movable, keys: store, use: "OW update", then: "RO access", group: "sorted-set", since: "2.0.0", summary: "Stores the intersection of sorted sets.", run: zinterstore},
		{name: "zdiffstore", arity: -4, flags: write | denyoom | movable, keys: store, use: "OW update", then: "RO access", group: "sorted-set", since: "6.2.0", summary: "Stores the difference of sorted sets.", run: zdiffstore},
		{name: "zintercard", arity: -3, flags: readonly | movable, keys: sources, group: "sorted-set", since: "7.0.0", summary: "Counts the members of the intersection of sorted sets.", run: zintercard},
	}
}

// zsource is one input. The same key may be several inputs, with different weights.
type zsource struct {
	*zinput
	weight float64
}

// zinput is the value of a key: a sorted set, a set, or nothing.
type zinput struct {
	tx    *Txn
	key   string
	zset  *ZSet
	set   *Set
	whole map[string]float64 // all of it, if it is to be read at once
}

func (s *zinput) len() int64 { return s.zset.Len() + s.set.Len() }

func (s *zinput) all() iter.Seq[ZMember] {
	if s.set == nil {
		return s.zset.All()
	}
	return func(yield func(ZMember) bool) {
		for m := range s.set.All() {
			if !yield(ZMember{m, 1}) {
				return
			}
		}
	}
}

// lookupFactor is the cost of one point read, counted in members of a range read.
const lookupFactor = 16

// prepare gets ready for n members to be looked up. If reading the whole set is cheaper than n
// point reads, it reads the set.
func (s *zinput) prepare(n int64) {
	if s.whole != nil || s.len() > n*lookupFactor {
		return
	}
	if s.tx.hold(elementMemory * s.len()); s.tx.Err() != nil {
		return
	}
	s.whole = make(map[string]float64, s.len())
	for m := range s.all() {
		s.whole[m.Name] = m.Score
	}
}

// fetch reads members that are about to be looked up, in one round.
func (s *zinput) fetch(members []ZMember) {
	if s.whole == nil {
		names := memberNames(members)
		s.zset.Fetch(names)
		s.set.Fetch(names)
	}
}

func (s *zinput) score(name string) (float64, bool) {
	switch {
	case s.whole != nil:
		s.tx.Spend(elementWork)
		score, ok := s.whole[name]
		return score, ok
	case s.set != nil:
		return 1, s.set.Has(name)
	}
	return s.zset.Score(name)
}

// weigh is a score by the source's weight; 0 * inf counts as 0.
func (s *zsource) weigh(score float64) float64 {
	if score *= s.weight; math.IsNaN(score) {
		return 0
	}
	return score
}

// Aggregates.

func sumScores(a, b float64) float64 {
	if sum := a + b; !math.IsNaN(sum) {
		return sum
	}
	return 0 // inf - inf
}

func minScore(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func maxScore(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// combination is what ZUNION and its relatives are asked for.
type combination struct {
	tx         *Txn
	sources    []*zsource
	aggregate  func(a, b float64) float64
	withScores bool
	limit      int64 // of ZINTERCARD; 0: none
}

// combinationOptions says which options a command has.
type combinationOptions struct{ weights, withScores, limit bool }

// combination reads numkeys key [key ...] and options from argument i on.
func (c *call) combination(i int, has combinationOptions) (*combination, error) {
	numkeys, err := c.int(i)
	if err != nil {
		return nil, err
	}
	if numkeys < 1 {
		return nil, Error("ERR at least 1 input key is needed for '" + c.cmd.name + "' command")
	}
	if numkeys > int64(len(c.args)-i-1) {
		return nil, errSyntax
	}
	i++
	q := &combination{tx: c.tx, aggregate: sumScores}
	inputs := map[string]*zinput{}
	for _, key := range c.args[i : i+int(numkeys)] {
		in := inputs[key]
		if in == nil {
			if in, err = c.zinput(key); err != nil {
				return nil, err
			}
			inputs[key] = in
		}
		q.sources = append(q.sources, &zsource{in, 1})
	}
	for i += int(numkeys); i < len(c.args); i++ {
		left := len(c.args) - i - 1
		switch {
		case has.weights && left >= len(q.sources) && c.is(i, "weights"):
			for _, src := range q.sources {
				i++
				var ok bool
				if src.weight, ok = num.ParseFloat(c.args[i]); !ok {
					return nil, errWeight
				}
			}
		case has.weights && left >= 1 && c.is(i, "aggregate"):
			i++
			switch {
			case c.is(i, "sum"):
				q.aggregate = sumScores
			case c.is(i, "min"):
				q.aggregate = minScore
			case c.is(i, "max"):
				q.aggregate = maxScore
			default:
				return nil, errSyntax
			}
		case has.withScores && c.is(i, "withscores"):
			q.withScores = true
		case has.limit && left >= 1 && c.is(i, "limit"):
			i++
			var ok bool
			if q.limit, ok = num.ParseInt(c.args[i]); !ok || q.limit < 0 {
				return nil, errLimitNegative
			}
		default:
			return nil, errSyntax
		}
	}
	return q, nil
}

// zinput opens an input.
func (c *call) zinput(key string) (*zinput, error) {
	in := &zinput{tx: c.tx, key: key}
	var err error
	if c.tx.Type(key) == "set" {
		in.set, err = c.tx.Set(key)
	} else {
		in.zset, err = c.tx.ZSet(key)
	}
	return in, err
}

// bySize sorts the sources by size, the smallest first.
func (q *combination) bySize() {
	slices.SortStableFunc(q.sources, func(a, b *zsource) int { return cmp.Compare(a.len(), b.len()) })
}

// union is the union in the order of sorted sets.
func (q *combination) union() []ZMember {
	q.bySize()
	scores := map[string]float64{}
	for _, src := range q.sources {
		if q.tx.Err() != nil {
			return nil
		}
		for m := range src.all() {
			q.tx.Spend(3 * elementWork) // with two accesses to a large map
			score := src.weigh(m.Score)
			if old, ok := scores[m.Name]; ok {
				score = q.aggregate(old, score)
			} else {
				q.tx.hold(2*elementMemory + int64(len(m.Name))) // in the map, and in the list
			}
			scores[m.Name] = score
		}
	}
	members := make([]ZMember, 0, len(scores))
	for name, score := range scores {
		members = append(members, ZMember{name, score})
	}
	slices.SortFunc(members, compareZ)
	return members
}

// intersect calls yield for each member of the intersection until it returns false.
func (q *combination) intersect(yield func(ZMember) bool) {
	q.bySize()
	first, others := q.sources[0], q.sources[1:]
	if first.len() == 0 {
		return
	}
	for _, src := range others {
		if src.prepare(first.len()); q.tx.Err() != nil {
			return
		}
	}
	for chunk := range chunks(first.all(), fetchChunk) {
		for i := range chunk {
			chunk[i].Score = first.weigh(chunk[i].Score)
		}
		for _, src := range others {
			if q.tx.Err() != nil || len(chunk) == 0 {
				break
			}
			src.fetch(chunk)
			both := chunk[:0]
			for _, m := range chunk {
				if score, ok := src.score(m.Name); ok {
					both = append(both, ZMember{m.Name, q.aggregate(m.Score, score*src.weight)})
				}
			}
			chunk = both
		}
		for _, m := range chunk {
			if !yield(m) {
				return
			}
		}
	}
}

// chunks hands on the members of a sequence up to n at a time. A chunk may be changed, and is
// only valid until the next.
func chunks(seq iter.Seq[ZMember], n int) iter.Seq[[]ZMember] {
	return func(yield func([]ZMember) bool) {
		buf := make([]ZMember, 0, n)
		for m := range seq {
			if buf = append(buf, m); len(buf) == n {
				if !yield(buf) {
					return
				}
				buf = buf[:0]
			}
		}
		if len(buf) > 0 {
			yield(buf)
		}
	}
}

// intersection is the intersection in the order of sorted sets.
func (q *combination) intersection() []ZMember {
	var members []ZMember
	for m := range q.intersect {
		members = append(members, m)
		q.tx.hold(elementMemory)
	}
	slices.SortFunc(members, compareZ)
	return members
}

// difference is what the first source has and no other, in the order of sorted sets.
func (q *combination) difference() []ZMember {
	first, others := q.sources[0], q.sources[1:]
	for _, src := range others {
		if src.key == first.key {
			return nil
		}
		if src.prepare(first.len()); q.tx.Err() != nil {
			return nil
		}
	}
	var members []ZMember
	for chunk := range chunks(first.all(), fetchChunk) {
		for _, src := range others {
			if q.tx.Err() != nil || len(chunk) == 0 {
				break
			}
			src.fetch(chunk)
			chunk = slices.DeleteFunc(chunk, func(m ZMember) bool {
				_, ok := src.score(m.Name)
				return ok
			})
		}
		members = append(members, chunk...)
		q.tx.hold(elementMemory * int64(len(chunk)))
	}
	slices.SortFunc(members, compareZ)
	return members
}

// replyCombination runs a command that replies with the result.
func (c *call) replyCombination(op func(*combination) []ZMember, weights bool) error {
	q, err := c.combination(1, combinationOptions{weights: weights, withScores: true})
	if err != nil {
		return err
	}
	return c.writeMembers(slices.Values(op(q)), q.withScores)
}

// storeCombination runs a command that stores the result.
func (c *call) storeCombination(op func(*combination) []ZMember, weights bool) error {
	q, err := c.combination(2, combinationOptions{weights: weights})
	if err != nil {
		return err
	}
	c.w.Int(c.storeMembers(c.args[1], op(q)))
	return nil
}

// ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
func zunion(c *call) error { return c.replyCombination((*combination).union, true) }

// ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
func zinter(c *call) error { return c.replyCombination((*combination).intersection, true) }

// ZDIFF numkeys key [key ...] [WITHSCORES]
func zdiff(c *call) error { return c.replyCombination((*combination).difference, false) }

// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]
func zunionstore(c *call) error { return c.storeCombination((*combination).union, true) }

// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]
func zinterstore(c *call) error { return c.storeCombination((*combination).intersection, true) }

// ZDIFFSTORE destination numkeys key [key ...]
func zdiffstore(c *call) error { return c.storeCombination((*combination).difference, false) }

// ZINTERCARD numkeys key [key ...] [LIMIT limit]
func zintercard(c *call) error {
	q, err := c.combination(1, combinationOptions{limit: true})
	if err != nil {
		return err
	}
	var n int64
	for range q.intersect {
		if n++; n == q.limit {
			break
		}
	}
	c.w.Int(n)
	return nil
}
