package redis

import (
	"slices"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// SADD, SREM, SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SMOVE, SPOP, SRANDMEMBER,
// SINTER, SINTERCARD, SINTERSTORE, SUNION, SUNIONSTORE, SDIFF, SDIFFSTORE, SSCAN.

func setCommands() []*command {
	return []*command{
		{name: "sadd", arity: -3, flags: write | denyoom | fast, keys: oneKey, use: "RW insert", group: "set", since: "1.0.0", summary: "Adds members to a set.", run: sadd, direct: saddDirect},
		{name: "srem", arity: -3, flags: write | fast, keys: oneKey, use: "RW delete", group: "set", since: "1.0.0", summary: "Removes members from a set.", run: srem, direct: sremDirect},
		{name: "scard", arity: 2, flags: readonly | fast, keys: oneKey, use: "RO", group: "set", since: "1.0.0", summary: "Returns the number of members.", run: scard},
		{name: "sismember", arity: 3, flags: readonly | fast, keys: oneKey, use: "RO", group: "set", since: "1.0.0", summary: "Tells whether a member belongs to a set.", run: sismember},
		{name: "smismember", arity: -3, flags: readonly | fast, keys: oneKey, group: "set", since: "6.2.0", summary: "Tells of several members whether they belong to a set.", run: smismember},
		{name: "smembers", arity: 2, flags: readonly, keys: oneKey, tips: "nondeterministic_output_order", group: "set", since: "1.0.0", summary: "Returns all members.", run: smembers},
		{name: "smove", arity: 4, flags: write | fast, keys: twoKeys, use: "RW access delete", then: "RW insert", group: "set", since: "1.0.0", summary: "Moves a member from one set to another.", run: smove},
		{name: "spop", arity: -2, flags: write | fast, keys: oneKey, use: "RW access delete", tips: "nondeterministic_output", group: "set", since: "1.0.0", summary: "Removes and returns random members.", run: spop},
		{name: "srandmember", arity: -2, flags: readonly, keys: oneKey, tips: "nondeterministic_output", group: "set", since: "1.0.0", summary: "Returns random members.", run: srandmember},
		{name: "sinter", arity: -2, flags: readonly, keys: allKeys, tips: "nondeterministic_output_order", group: "set", since: "1.0.0", summary: "Returns the intersection of sets.", run: sinter},
		{name: "sintercard", arity: -3, flags: readonly | movable, keys: keySpec{numkeys: 1}, group: "set", since: "7.0.0", summary: "Returns the size of the intersection of sets.", run: sintercard},
		{name: "sinterstore", arity: -3, flags: write | denyoom, keys: allKeys, use: "RW update", then: "RO access", group: "set", since: "1.0.0", summary: "Stores the intersection of sets.", run: sinterstore},
		{name: "sunion", arity: -2, flags: readonly, keys: allKeys, tips: "nondeterministic_output_order", group: "set", since: "1.0.0", summary: "Returns the union of sets.", run: sunion},
		{name: "sunionstore", arity: -3, flags: write | denyoom, keys: allKeys, use: "OW update", then: "RO access", group: "set", since: "1.0.0", summary: "Stores the union of sets.", run: sunionstore},
		{name: "sdiff", arity: -2, flags: readonly, keys: allKeys, tips: "nondeterministic_output_order", group: "set", since: "1.0.0", summary: "Returns the members of the first set that are in none of the others.", run: sdiff},
		{name: "sdiffstore", arity: -3, flags: write | denyoom, keys: allKeys, use: "OW update", then: "RO access", group: "set", since: "1.0.0", summary: "Stores the difference of sets.", run: sdiffstore},
		{name: "sscan", arity: -3, flags: readonly, keys: oneKey, tips: "nondeterministic_output", group: "set", since: "2.8.0", summary: "Iterates over the members of a set.", run: sscan},
	}
}

// SADD key member [member ...]
func sadd(c *call) error {
	s, err := c.tx.SetForUpdate(c.args[1])
	if err != nil {
		return err
	}
	s.Fetch(c.args[2:])
	var n int64
	for _, m := range c.args[2:] {
		if s.Add(m) {
			n++
		}
	}
	c.w.Int(n)
	return nil
}

// distinct lists strings without repetitions, in order.
func distinct(ss []string) []string {
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

func saddDirect(d *direct) *plan {
	members := distinct(d.args[2:])
	p := d.AddMembers(members)
	if p != nil {
		p.reply = func(old store.Attrs, w *resp.Writer) { w.Int(int64(len(members)) - d.CountMembers(old, members)) }
	}
	return p
}

// SREM key member [member ...]
func srem(c *call) error {
	s, err := c.tx.Set(c.args[1])
	if err != nil {
		return err
	}
	s.Fetch(c.args[2:])
	var n int64
	for _, m := range c.args[2:] {
		if s.Remove(m) {
			n++
		}
	}
	c.w.Int(n)
	return nil
}

func sremDirect(d *direct) *plan { return removeDirect(d, (*blind).RemoveMembers) }

func removeDirect(d *direct, remove func(*blind, []string) *plan) *plan {
	members := distinct(d.args[2:])
	p := remove(&d.blind, members)
	if p != nil {
		p.reply = func(old store.Attrs, w *resp.Writer) { w.Int(d.CountMembers(old, members)) }
	}
	return p
}

// SCARD key
func scard(c *call) error {
	s, err := c.tx.Set(c.args[1])
	if err != nil {
		return err
	}
	c.w.Int(s.Len())
	return nil
}

// SISMEMBER key member
func sismember(c *call) error {
	s, err := c.tx.Set(c.args[1])
	if err != nil {
		return err
	}
	c.w.IntBool(s.Has(c.args[2]))
	return nil
}

// SMISMEMBER key member [member ...]
func smismember(c *call) error {
	s, err := c.tx.Set(c.args[1])
	if err != nil {
		return err
	}
	s.Fetch(c.args[2:])
	c.w.Array(len(c.args) - 2)
	for _, m := range c.args[2:] {
		c.w.IntBool(s.Has(m))
	}
	return nil
}

// SMEMBERS key
func smembers(c *call) error {
	s, err := c.tx.Set(c.args[1])
	if err != nil {
		return err
	}
	mark, n := c.w.Mark(), 0
	for m := range s.All() {
		c.w.Bulk(m)
		n++
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	c.w.SetAt(mark, n)
	return nil
}

// SMOVE source destination member
func smove(c *call) error {
	if !c.tx.Exists(c.args[1]) {
		c.w.Int(0) // whatever the destination is
		return nil
	}
	src, err := c.tx.Set(c.args[1])
	if err != nil {
		return err
	}
	if _, err := c.tx.Set(c.args[2]); err != nil {
		return err
	}
	m := c.args[3]
	if !src.Has(m) {
		c.w.Int(0)
		return nil
	}
	if c.args[1] != c.args[2] {
		dst, err := c.tx.SetForUpdate(c.args[2])
		if err != nil {
			return err
		}
		src.Remove(m)
		dst.Add(m)
	}
	c.w.Int(1)
	return nil
}

// SPOP key [count]
func spop(c *call) error {
	if len(c.args) > 3 {
		return errSyntax
	}
	if len(c.args) == 2 {
		s, err := c.tx.Set(c.args[1])
		if err != nil {
			return err
		}
		m, ok := s.RandomOne()
		if ok {
			s.Remove(m)
		}
		c.w.BulkOrNull(m, ok)
		return nil
	}
	n, err := c.int(2)
	if err != nil || n < 0 {
		return errNotPositive
	}
	s, err := c.tx.Set(c.args[1])
	if err != nil {
		return err
	}
	out := s.Random(n)
	if int64(len(out)) == s.Len() {
		c.tx.Delete(c.args[1])
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
func srandmember(c *call) error {
	if len(c.args) > 3 {
		return errSyntax
	}
	s, err := c.tx.Set(c.args[1])
	if len(c.args) == 2 {
		if err != nil {
			return err
		}
		m, ok := s.RandomOne()
		c.w.BulkOrNull(m, ok)
		return nil
	}
	n, nerr := c.int(2)
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
		c.w.Bulk(member)
		return 1
	})
}

// sets are the sets at keys, nil where there is none.
func (c *call) sets(keys []string) ([]*Set, error) {
	out := make([]*Set, len(keys))
	for i, k := range keys {
		s, err := c.tx.Set(k)
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
func intersect(tx *Txn, sets []*Set, yield func(string) bool) {
	if len(sets) == 0 {
		return
	}
	sets = slices.Clone(sets)
	slices.SortStableFunc(sets, func(a, b *Set) int { return int(min(max(a.Len()-b.Len(), -1), 1)) })
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
func eachChunk(s *Set, f func([]string) bool) {
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
func union(tx *Txn, sets []*Set) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range sets {
		if tx.Err() != nil {
			break
		}
		for m := range s.All() {
			tx.Spend(2 * elementWork) // with an access to a large map
			if !seen[m] {
				seen[m] = true
				tx.hold(elementMemory + int64(len(m)))
				out = append(out, m)
			}
		}
	}
	return out
}

// difference lists the members of the first set that are in no other.
func difference(tx *Txn, sets []*Set) []string {
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
			tx.hold(elementMemory * int64(len(chunk)))
		}
		return true
	})
	return out
}

func intersection(tx *Txn, sets []*Set) []string {
	var out []string
	intersect(tx, sets, func(m string) bool { out = append(out, m); return true })
	return out
}

// combine runs a set operation over the sets at keys.
func (c *call) combine(keys []string, op func(*Txn, []*Set) []string) ([]string, error) {
	sets, err := c.sets(keys)
	if err != nil {
		return nil, err
	}
	return op(c.tx, sets), nil
}

func (c *call) combineAll(op func(*Txn, []*Set) []string) error {
	out, err := c.combine(c.args[1:], op)
	if err != nil {
		return err
	}
	c.writeSet(out)
	return nil
}

func (c *call) combineStore(op func(*Txn, []*Set) []string) error {
	out, err := c.combine(c.args[2:], op)
	if err != nil {
		return err
	}
	c.storeSet(c.args[1], out)
	c.w.Int(int64(len(out)))
	return nil
}

// storeSet makes a key hold distinct members; no members, no key.
func (c *call) storeSet(key string, members []string) {
	if len(members) == 0 {
		c.tx.Delete(key)
		return
	}
	s := c.tx.NewSet(key)
	for _, m := range members {
		s.Add(m)
	}
}

func (c *call) writeSet(members []string) {
	c.w.Set(len(members))
	for _, m := range members {
		c.w.Bulk(m)
	}
}

// SINTER key [key ...]
func sinter(c *call) error { return c.combineAll(intersection) }

// SINTERCARD numkeys key [key ...] [LIMIT limit]
func sintercard(c *call) error {
	n, ok := num.ParseInt(c.args[1])
	if !ok || n < 1 {
		return Error("ERR numkeys should be greater than 0")
	}
	if n > int64(len(c.args)-2) {
		return Error("ERR Number of keys can't be greater than number of args")
	}
	limit := int64(0)
	for i := 2 + int(n); i < len(c.args); i += 2 {
		if !c.is(i, "limit") || i+1 >= len(c.args) {
			return errSyntax
		}
		if limit, ok = num.ParseInt(c.args[i+1]); !ok || limit < 0 {
			return Error("ERR LIMIT can't be negative")
		}
	}
	sets, err := c.sets(c.args[2 : 2+n])
	if err != nil {
		return err
	}
	count := int64(0)
	intersect(c.tx, sets, func(string) bool { count++; return count != limit })
	c.w.Int(count)
	return nil
}

// SINTERSTORE destination key [key ...]
func sinterstore(c *call) error { return c.combineStore(intersection) }

// SUNION key [key ...]
func sunion(c *call) error { return c.combineAll(union) }

// SUNIONSTORE destination key [key ...]
func sunionstore(c *call) error { return c.combineStore(union) }

// SDIFF key [key ...]
func sdiff(c *call) error { return c.combineAll(difference) }

// SDIFFSTORE destination key [key ...]
func sdiffstore(c *call) error { return c.combineStore(difference) }

// SSCAN key cursor [MATCH pattern] [COUNT count]
func sscan(c *call) error {
	opts, perr := parseScan(c, 2)
	if perr == errCursor {
		return perr
	}
	s, err := c.tx.Set(c.args[1])
	if err != nil {
		return err
	}
	if s == nil { // Redis looks for the key before it looks at the options
		c.w.Array(2)
		c.w.Bulk("0")
		c.w.Array(0)
		return nil
	}
	if perr != nil {
		return perr
	}
	members, next := s.Scan(opts.cursor, opts.count)
	members = slices.DeleteFunc(members, func(m string) bool { return !opts.matches(c.tx, m) })
	c.w.Array(2)
	c.w.Bulk(formatCursor(next))
	c.w.Strings(members)
	return nil
}
