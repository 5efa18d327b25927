package command

import (
	"slices"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// SADD, SREM, SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SMOVE, SPOP, SRANDMEMBER,
// SINTER, SINTERCARD, SINTERSTORE, SUNION, SUNIONSTORE, SDIFF, SDIFFSTORE, SSCAN.

func setCommands() []*Command {
	return []*Command{
		{Name: "sadd", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW insert", Event: "sadd", Group: "set", Since: "1.0.0", Summary: "Adds members to a set.", Run: sadd, Direct: saddDirect},
		{Name: "srem", Arity: -3, Flags: Write | Fast, Keys: OneKey, Use: "RW delete", Event: "srem", Group: "set", Since: "1.0.0", Summary: "Removes members from a set.", Run: srem, Direct: sremDirect},
		{Name: "scard", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "set", Since: "1.0.0", Summary: "Returns the number of members.", Run: scard},
		{Name: "sismember", Arity: 3, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "set", Since: "1.0.0", Summary: "Tells whether a member belongs to a set.", Run: sismember},
		{Name: "smismember", Arity: -3, Flags: ReadOnly | Fast, Keys: OneKey, Group: "set", Since: "6.2.0", Summary: "Tells of several members whether they belong to a set.", Run: smismember},
		{Name: "smembers", Arity: 2, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output_order", Group: "set", Since: "1.0.0", Summary: "Returns all members.", Run: smembers},
		{Name: "smove", Arity: 4, Flags: Write | Fast, Keys: TwoKeys, Use: "RW access delete", UseThen: "RW insert", Group: "set", Since: "1.0.0", Summary: "Moves a member from one set to another.", Run: smove},
		{Name: "spop", Arity: -2, Flags: Write | Fast, Keys: OneKey, Use: "RW access delete", Tips: "nondeterministic_output", Event: "spop", Group: "set", Since: "1.0.0", Summary: "Removes and returns random members.", Run: spop},
		{Name: "srandmember", Arity: -2, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output", Group: "set", Since: "1.0.0", Summary: "Returns random members.", Run: srandmember},
		{Name: "sinter", Arity: -2, Flags: ReadOnly, Keys: AllKeys, Tips: "nondeterministic_output_order", Group: "set", Since: "1.0.0", Summary: "Returns the intersection of sets.", Run: sinter},
		{Name: "sintercard", Arity: -3, Flags: ReadOnly | Movable, Keys: KeySpec{Numkeys: 1}, Group: "set", Since: "7.0.0", Summary: "Returns the size of the intersection of sets.", Run: sintercard},
		{Name: "sinterstore", Arity: -3, Flags: Write | DenyOOM, Keys: AllKeys, Use: "RW update", UseThen: "RO access", Event: "sinterstore", Group: "set", Since: "1.0.0", Summary: "Stores the intersection of sets.", Run: sinterstore},
		{Name: "sunion", Arity: -2, Flags: ReadOnly, Keys: AllKeys, Tips: "nondeterministic_output_order", Group: "set", Since: "1.0.0", Summary: "Returns the union of sets.", Run: sunion},
		{Name: "sunionstore", Arity: -3, Flags: Write | DenyOOM, Keys: AllKeys, Use: "OW update", UseThen: "RO access", Event: "sunionstore", Group: "set", Since: "1.0.0", Summary: "Stores the union of sets.", Run: sunionstore},
		{Name: "sdiff", Arity: -2, Flags: ReadOnly, Keys: AllKeys, Tips: "nondeterministic_output_order", Group: "set", Since: "1.0.0", Summary: "Returns the members of the first set that are in none of the others.", Run: sdiff},
		{Name: "sdiffstore", Arity: -3, Flags: Write | DenyOOM, Keys: AllKeys, Use: "OW update", UseThen: "RO access", Event: "sdiffstore", Group: "set", Since: "1.0.0", Summary: "Stores the difference of sets.", Run: sdiffstore},
		{Name: "sscan", Arity: -3, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output", Group: "set", Since: "2.8.0", Summary: "Iterates over the members of a set.", Run: sscan},
	}
}

// SADD key member [member ...]
func sadd(c *Call) error {
	s, err := c.Txn.SetForUpdate(c.Args[1])
	if err != nil {
		return err
	}
	s.Fetch(c.Args[2:])
	var n int64
	for _, m := range c.Args[2:] {
		if s.Add(m) {
			n++
		}
	}
	c.W.Int(n)
	return nil
}

// Distinct lists strings without repetitions, in order.
func Distinct(ss []string) []string {
	if len(ss) == 1 {
		return ss
	}
	seen := make(map[string]bool, len(ss))
	out := make([]string, 0, len(ss))
	for _, s := range ss {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func saddDirect(d *Direct) *keyspace.Plan {
	members := Distinct(d.Args[2:])
	p := d.AddMembers(members)
	if p != nil {
		p.Reply = func(old store.Attrs) { d.W.Int(int64(len(members)) - d.CountMembers(old, members)) }
	}
	return p
}

// SREM key member [member ...]
func srem(c *Call) error {
	s, err := c.Txn.Set(c.Args[1])
	if err != nil {
		return err
	}
	s.Fetch(c.Args[2:])
	var n int64
	for _, m := range c.Args[2:] {
		if s.Remove(m) {
			n++
		}
	}
	c.W.Int(n)
	return nil
}

func sremDirect(d *Direct) *keyspace.Plan { return removeDirect(d, (*keyspace.Blind).RemoveMembers) }

func removeDirect(d *Direct, remove func(*keyspace.Blind, []string) *keyspace.Plan) *keyspace.Plan {
	members := Distinct(d.Args[2:])
	p := remove(&d.Blind, members)
	if p != nil {
		p.Reply = func(old store.Attrs) { d.W.Int(d.CountMembers(old, members)) }
	}
	return p
}

// SCARD key
func scard(c *Call) error {
	s, err := c.Txn.Set(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Int(s.Len())
	return nil
}

// SISMEMBER key member
func sismember(c *Call) error {
	s, err := c.Txn.Set(c.Args[1])
	if err != nil {
		return err
	}
	c.W.IntBool(s.Has(c.Args[2]))
	return nil
}

// SMISMEMBER key member [member ...]
func smismember(c *Call) error {
	s, err := c.Txn.Set(c.Args[1])
	if err != nil {
		return err
	}
	s.Fetch(c.Args[2:])
	c.W.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		c.W.IntBool(s.Has(m))
	}
	return nil
}

// SMEMBERS key
func smembers(c *Call) error {
	s, err := c.Txn.Set(c.Args[1])
	if err != nil {
		return err
	}
	mark, n := c.W.Mark(), 0
	for m := range s.All() {
		c.W.Bulk(m)
		n++
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	c.W.SetAt(mark, n)
	return nil
}

// SMOVE source destination member
func smove(c *Call) error {
	if !c.Txn.Exists(c.Args[1]) {
		c.W.Int(0) // whatever the destination is
		return nil
	}
	src, err := c.Txn.Set(c.Args[1])
	if err != nil {
		return err
	}
	if _, err := c.Txn.Set(c.Args[2]); err != nil {
		return err
	}
	m := c.Args[3]
	if !src.Has(m) {
		c.W.Int(0)
		return nil
	}
	if c.Args[1] != c.Args[2] {
		dst, err := c.Txn.SetForUpdate(c.Args[2])
		if err != nil {
			return err
		}
		src.Remove(m)
		c.event("srem", c.Args[1])
		if src.Len() == 0 {
			c.Txn.Delete(c.Args[1])
		}
		if dst.Add(m) {
			c.event("sadd", c.Args[2])
		}
	}
	c.W.Int(1)
	return nil
}

// SPOP key [count]
func spop(c *Call) error {
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	if len(c.Args) == 2 {
		s, err := c.Txn.Set(c.Args[1])
		if err != nil {
			return err
		}
		m, ok := s.RandomOne()
		if ok {
			s.Remove(m)
		}
		c.W.BulkOrNull(m, ok)
		return nil
	}
	n, err := c.Int(2)
	if err != nil || n < 0 {
		return errNotPositive
	}
	s, err := c.Txn.Set(c.Args[1])
	if err != nil {
		return err
	}
	out := s.Random(n)
	if int64(len(out)) == s.Len() {
		if s != nil {
			c.event("spop", c.Args[1])
		}
		c.Txn.Delete(c.Args[1])
	} else {
		s.Fetch(out)
		for _, m := range out {
			s.Remove(m)
		}
	}
	c.writeSet(out)
	return nil
}

// SRANDMEMBER key [count]
func srandmember(c *Call) error {
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	s, err := c.Txn.Set(c.Args[1])
	if len(c.Args) == 2 {
		if err != nil {
			return err
		}
		m, ok := s.RandomOne()
		c.W.BulkOrNull(m, ok)
		return nil
	}
	n, nerr := c.Int(2)
	if nerr != nil {
		return nerr
	}
	if n < -(1 << 62) {
		return Error("ERR value is out of range")
	}
	if err != nil {
		return err
	}
	return writeRandom(c, s.Len(), s.Random, n, func(member string) int {
		c.W.Bulk(member)
		return 1
	})
}

// sets are the sets at keys, nil where there is none.
func (c *Call) sets(keys []string) ([]*keyspace.Set, error) {
	out := make([]*keyspace.Set, len(keys))
	for i, k := range keys {
		s, err := c.Txn.Set(k)
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

// fetchChunk is how many members of one set are looked up in another at a time.
const fetchChunk = 500

// intersect calls yield for each member of the intersection until it returns false.
func intersect(tx *keyspace.Txn, sets []*keyspace.Set, yield func(string) bool) {
	if len(sets) == 0 {
		return
	}
	sets = slices.Clone(sets)
	slices.SortStableFunc(sets, func(a, b *keyspace.Set) int { return int(min(max(a.Len()-b.Len(), -1), 1)) })
	if sets[0].Len() == 0 {
		return
	}
	eachChunk(sets[0], func(chunk []string) bool {
		for _, other := range sets[1:] {
			if len(chunk) == 0 || tx.Err() != nil {
				break
			}
			other.Fetch(chunk)
			chunk = slices.DeleteFunc(chunk, func(m string) bool { return !other.Has(m) })
		}
		for _, m := range chunk {
			if !yield(m) {
				return false
			}
		}
		return tx.Err() == nil
	})
}

// eachChunk calls f with the members of a set, some at a time.
func eachChunk(s *keyspace.Set, f func([]string) bool) {
	chunk := make([]string, 0, fetchChunk)
	for m := range s.All() {
		if chunk = append(chunk, m); len(chunk) == fetchChunk {
			if !f(chunk) {
				return
			}
			chunk = make([]string, 0, fetchChunk)
		}
	}
	f(chunk)
}

// union lists the members of the union, each once.
func union(tx *keyspace.Txn, sets []*keyspace.Set) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range sets {
		if tx.Err() != nil {
			break
		}
		for m := range s.All() {
			tx.Spend(2 * keyspace.ElementWork) // with an access to a large map
			if !seen[m] {
				seen[m] = true
				tx.Hold(keyspace.ElementMemory + int64(len(m)))
				out = append(out, m)
			}
		}
	}
	return out
}

// difference lists the members of the first set that are in no other.
func difference(tx *keyspace.Txn, sets []*keyspace.Set) []string {
	var out []string
	eachChunk(sets[0], func(chunk []string) bool {
		for _, other := range sets[1:] {
			if len(chunk) == 0 || tx.Err() != nil {
				break
			}
			if other != nil {
				other.Fetch(chunk)
				chunk = slices.DeleteFunc(chunk, func(m string) bool { return other.Has(m) })
			}
		}
		out = append(out, chunk...)
		if len(chunk) > 0 {
			tx.Hold(keyspace.ElementMemory * int64(len(chunk)))
		}
		return true
	})
	return out
}

func intersection(tx *keyspace.Txn, sets []*keyspace.Set) []string {
	var out []string
	intersect(tx, sets, func(m string) bool { out = append(out, m); return true })
	return out
}

// combine runs a set operation over the sets at keys.
func (c *Call) combine(keys []string, op func(*keyspace.Txn, []*keyspace.Set) []string) ([]string, error) {
	sets, err := c.sets(keys)
	if err != nil {
		return nil, err
	}
	return op(c.Txn, sets), nil
}

func (c *Call) combineAll(op func(*keyspace.Txn, []*keyspace.Set) []string) error {
	out, err := c.combine(c.Args[1:], op)
	if err != nil {
		return err
	}
	c.writeSet(out)
	return nil
}

func (c *Call) combineStore(op func(*keyspace.Txn, []*keyspace.Set) []string) error {
	out, err := c.combine(c.Args[2:], op)
	if err != nil {
		return err
	}
	c.missedSources()
	c.storeSet(c.Args[1], out)
	c.W.Int(int64(len(out)))
	return nil
}

// storeSet makes a key hold distinct members; no members, no key.
func (c *Call) storeSet(key string, members []string) {
	if len(members) == 0 {
		c.Txn.Delete(key)
		return
	}
	s := c.Txn.NewSet(key)
	for _, m := range members {
		s.Add(m)
	}
}

func (c *Call) writeSet(members []string) {
	c.W.Set(len(members))
	for _, m := range members {
		c.W.Bulk(m)
	}
}

// SINTER key [key ...]
func sinter(c *Call) error { return c.combineAll(intersection) }

// SINTERCARD numkeys key [key ...] [LIMIT limit]
func sintercard(c *Call) error {
	n, ok := num.ParseInt(c.Args[1])
	if !ok || n < 1 {
		return Error("ERR numkeys should be greater than 0")
	}
	if n > int64(len(c.Args)-2) {
		return Error("ERR Number of keys can't be greater than number of args")
	}
	limit := int64(0)
	for i := 2 + int(n); i < len(c.Args); i += 2 {
		if !c.Is(i, "limit") || i+1 >= len(c.Args) {
			return ErrSyntax
		}
		if limit, ok = num.ParseInt(c.Args[i+1]); !ok || limit < 0 {
			return Error("ERR LIMIT can't be negative")
		}
	}
	sets, err := c.sets(c.Args[2 : 2+n])
	if err != nil {
		return err
	}
	count := int64(0)
	intersect(c.Txn, sets, func(string) bool { count++; return count != limit })
	c.W.Int(count)
	return nil
}

// SINTERSTORE destination key [key ...]
func sinterstore(c *Call) error { return c.combineStore(intersection) }

// SUNION key [key ...]
func sunion(c *Call) error { return c.combineAll(union) }

// SUNIONSTORE destination key [key ...]
func sunionstore(c *Call) error { return c.combineStore(union) }

// SDIFF key [key ...]
func sdiff(c *Call) error { return c.combineAll(difference) }

// SDIFFSTORE destination key [key ...]
func sdiffstore(c *Call) error { return c.combineStore(difference) }

// SSCAN key cursor [MATCH pattern] [COUNT count]
func sscan(c *Call) error {
	return scanValue(c, c.Txn.Set, (*keyspace.Set).Scan, func(member string, opts *scanOptions) int {
		if !opts.matches(c.Txn, member) {
			return 0
		}
		c.W.Bulk(member)
		return 1
	})
}
