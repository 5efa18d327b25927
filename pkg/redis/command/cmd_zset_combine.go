package command

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// ZUNION, ZINTER, ZDIFF, ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE, ZINTERCARD. Plain sets are
// taken for sorted sets whose scores are all 1.

const (
	errWeight        Error = "ERR weight value is not a float"
	errLimitNegative Error = "ERR LIMIT can't be negative"
)

func zsetCombineCommands() []*Command {
	sources := KeySpec{Numkeys: 1}
	store := KeySpec{First: 1, Last: 1, Step: 1, Numkeys: 2}
	return []*Command{
		{Name: "zunion", Arity: -3, Flags: ReadOnly | Movable, Keys: sources, Group: "sorted-set", Since: "6.2.0", Summary: "Returns the union of sorted sets.", Run: zunion},
		{Name: "zinter", Arity: -3, Flags: ReadOnly | Movable, Keys: sources, Group: "sorted-set", Since: "6.2.0", Summary: "Returns the intersection of sorted sets.", Run: zinter},
		{Name: "zdiff", Arity: -3, Flags: ReadOnly | Movable, Keys: sources, Group: "sorted-set", Since: "6.2.0", Summary: "Returns the difference of sorted sets.", Run: zdiff},
		{Name: "zunionstore", Arity: -4, Flags: Write | DenyOOM | Movable, Keys: store, Use: "OW update", UseThen: "RO access", Event: "zunionstore", Group: "sorted-set", Since: "2.0.0", Summary: "Stores the union of sorted sets.", Run: zunionstore},
		{Name: "zinterstore", Arity: -4, Flags: Write | DenyOOM | Movable, Keys: store, Use: "OW update", UseThen: "RO access", Event: "zinterstore", Group: "sorted-set", Since: "2.0.0", Summary: "Stores the intersection of sorted sets.", Run: zinterstore},
		{Name: "zdiffstore", Arity: -4, Flags: Write | DenyOOM | Movable, Keys: store, Use: "OW update", UseThen: "RO access", Event: "zdiffstore", Group: "sorted-set", Since: "6.2.0", Summary: "Stores the difference of sorted sets.", Run: zdiffstore},
		{Name: "zintercard", Arity: -3, Flags: ReadOnly | Movable, Keys: sources, Group: "sorted-set", Since: "7.0.0", Summary: "Counts the members of the intersection of sorted sets.", Run: zintercard},
	}
}

// zsource is one input. The same key may be several inputs, with different weights.
type zsource struct {
	*zinput
	weight float64
}

// zinput is the value of a key: a sorted set, a set, or nothing.
type zinput struct {
	tx    *keyspace.Txn
	key   string
	zset  *keyspace.ZSet
	set   *keyspace.Set
	whole map[string]float64 // all of it, if it is to be read at once
}

func (s *zinput) len() int64 { return s.zset.Len() + s.set.Len() }

func (s *zinput) all() iter.Seq[keyspace.ZMember] {
	if s.set == nil {
		return s.zset.All()
	}
	return func(yield func(keyspace.ZMember) bool) {
		for m := range s.set.All() {
			if !yield(keyspace.ZMember{Name: m, Score: 1}) {
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
	if s.tx.Hold(keyspace.ElementMemory * s.len()); s.tx.Err() != nil {
		return
	}
	s.whole = make(map[string]float64, s.len())
	for m := range s.all() {
		s.whole[m.Name] = m.Score
	}
}

// fetch reads members that are about to be looked up, in one round.
func (s *zinput) fetch(members []keyspace.ZMember) {
	if s.whole == nil {
		names := memberNames(members)
		s.zset.Fetch(names)
		s.set.Fetch(names)
	}
}

func (s *zinput) score(name string) (float64, bool) {
	switch {
	case s.whole != nil:
		s.tx.Spend(keyspace.ElementWork)
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
	tx         *keyspace.Txn
	sources    []*zsource
	aggregate  func(a, b float64) float64
	withScores bool
	limit      int64 // of ZINTERCARD; 0: none
}

// combinationOptions says which options a command has.
type combinationOptions struct{ weights, withScores, limit bool }

// combination reads numkeys key [key ...] and options from argument i on.
func (c *Call) combination(i int, has combinationOptions) (*combination, error) {
	numkeys, err := c.Int(i)
	if err != nil {
		return nil, err
	}
	if numkeys < 1 {
		return nil, Error("ERR at least 1 input key is needed for '" + c.Command.Name + "' command")
	}
	if numkeys > int64(len(c.Args)-i-1) {
		return nil, ErrSyntax
	}
	i++
	q := &combination{tx: c.Txn, aggregate: sumScores}
	inputs := map[string]*zinput{}
	for _, key := range c.Args[i : i+int(numkeys)] {
		in := inputs[key]
		if in == nil {
			if in, err = c.zinput(key); err != nil {
				return nil, err
			}
			inputs[key] = in
		}
		q.sources = append(q.sources, &zsource{in, 1})
	}
	for i += int(numkeys); i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch {
		case has.weights && left >= len(q.sources) && c.Is(i, "weights"):
			for _, src := range q.sources {
				i++
				var ok bool
				if src.weight, ok = num.ParseFloat(c.Args[i]); !ok {
					return nil, errWeight
				}
			}
		case has.weights && left >= 1 && c.Is(i, "aggregate"):
			i++
			switch {
			case c.Is(i, "sum"):
				q.aggregate = sumScores
			case c.Is(i, "min"):
				q.aggregate = minScore
			case c.Is(i, "max"):
				q.aggregate = maxScore
			default:
				return nil, ErrSyntax
			}
		case has.withScores && c.Is(i, "withscores"):
			q.withScores = true
		case has.limit && left >= 1 && c.Is(i, "limit"):
			i++
			var ok bool
			if q.limit, ok = num.ParseInt(c.Args[i]); !ok || q.limit < 0 {
				return nil, errLimitNegative
			}
		default:
			return nil, ErrSyntax
		}
	}
	return q, nil
}

// zinput opens an input.
func (c *Call) zinput(key string) (*zinput, error) {
	in := &zinput{tx: c.Txn, key: key}
	var err error
	if c.Txn.Type(key) == "set" {
		in.set, err = c.Txn.Set(key)
	} else {
		in.zset, err = c.Txn.ZSet(key)
	}
	return in, err
}

// bySize sorts the sources by size, the smallest first.
func (q *combination) bySize() {
	slices.SortStableFunc(q.sources, func(a, b *zsource) int { return cmp.Compare(a.len(), b.len()) })
}

// union is the union in the order of sorted sets.
func (q *combination) union() []keyspace.ZMember {
	q.bySize()
	scores := map[string]float64{}
	for _, src := range q.sources {
		if q.tx.Err() != nil {
			return nil
		}
		for m := range src.all() {
			q.tx.Spend(3 * keyspace.ElementWork) // with two accesses to a large map
			score := src.weigh(m.Score)
			if old, ok := scores[m.Name]; ok {
				score = q.aggregate(old, score)
			} else {
				q.tx.Hold(2*keyspace.ElementMemory + int64(len(m.Name))) // in the map, and in the list
			}
			scores[m.Name] = score
		}
	}
	members := make([]keyspace.ZMember, 0, len(scores))
	for name, score := range scores {
		members = append(members, keyspace.ZMember{Name: name, Score: score})
	}
	slices.SortFunc(members, keyspace.CompareZ)
	return members
}

// intersect calls yield for each member of the intersection until it returns false.
func (q *combination) intersect(yield func(keyspace.ZMember) bool) {
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
					both = append(both, keyspace.ZMember{Name: m.Name, Score: q.aggregate(m.Score, score*src.weight)})
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
func chunks(seq iter.Seq[keyspace.ZMember], n int) iter.Seq[[]keyspace.ZMember] {
	return func(yield func([]keyspace.ZMember) bool) {
		buf := make([]keyspace.ZMember, 0, n)
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
func (q *combination) intersection() []keyspace.ZMember {
	var members []keyspace.ZMember
	for m := range q.intersect {
		members = append(members, m)
		q.tx.Hold(keyspace.ElementMemory)
	}
	slices.SortFunc(members, keyspace.CompareZ)
	return members
}

// difference is what the first source has and no other, in the order of sorted sets.
func (q *combination) difference() []keyspace.ZMember {
	first, others := q.sources[0], q.sources[1:]
	for _, src := range others {
		if src.key == first.key {
			return nil
		}
		if src.prepare(first.len()); q.tx.Err() != nil {
			return nil
		}
	}
	var members []keyspace.ZMember
	for chunk := range chunks(first.all(), fetchChunk) {
		for _, src := range others {
			if q.tx.Err() != nil || len(chunk) == 0 {
				break
			}
			src.fetch(chunk)
			chunk = slices.DeleteFunc(chunk, func(m keyspace.ZMember) bool {
				_, ok := src.score(m.Name)
				return ok
			})
		}
		members = append(members, chunk...)
		q.tx.Hold(keyspace.ElementMemory * int64(len(chunk)))
	}
	slices.SortFunc(members, keyspace.CompareZ)
	return members
}

// replyCombination runs a command that replies with the result.
func (c *Call) replyCombination(op func(*combination) []keyspace.ZMember, weights bool) error {
	q, err := c.combination(1, combinationOptions{weights: weights, withScores: true})
	if err != nil {
		return err
	}
	return c.writeMembers(slices.Values(op(q)), q.withScores)
}

// storeCombination runs a command that stores the result.
func (c *Call) storeCombination(op func(*combination) []keyspace.ZMember, weights bool) error {
	q, err := c.combination(2, combinationOptions{weights: weights})
	if err != nil {
		return err
	}
	members := op(q)
	c.missedSources()
	c.W.Int(c.storeMembers(c.Args[1], members))
	return nil
}

// ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
func zunion(c *Call) error { return c.replyCombination((*combination).union, true) }

// ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
func zinter(c *Call) error { return c.replyCombination((*combination).intersection, true) }

// ZDIFF numkeys key [key ...] [WITHSCORES]
func zdiff(c *Call) error { return c.replyCombination((*combination).difference, false) }

// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]
func zunionstore(c *Call) error { return c.storeCombination((*combination).union, true) }

// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]
func zinterstore(c *Call) error { return c.storeCombination((*combination).intersection, true) }

// ZDIFFSTORE destination numkeys key [key ...]
func zdiffstore(c *Call) error { return c.storeCombination((*combination).difference, false) }

// ZINTERCARD numkeys key [key ...] [LIMIT limit]
func zintercard(c *Call) error {
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
	c.W.Int(n)
	return nil
}
