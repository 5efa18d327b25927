package command

import (
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP, LLEN, LINDEX, LRANGE, LSET, LINSERT, LREM,
// LTRIM, LPOS, LMOVE, RPOPLPUSH, LMPOP, and the blocking BLPOP, BRPOP, BLMOVE, BRPOPLPUSH,
// BLMPOP, which wait, see Call.block.

func listCommands() []*Command {
	return []*Command{
		{Name: "lpush", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW insert", Event: "lpush", Group: "list", Since: "1.0.0", Summary: "Puts elements in front of a list.", Run: lpush, Direct: lpushDirect},
		{Name: "rpush", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW insert", Event: "rpush", Group: "list", Since: "1.0.0", Summary: "Appends elements to a list.", Run: rpush, Direct: rpushDirect},
		{Name: "lpushx", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW insert", Event: "lpush", Group: "list", Since: "2.2.0", Summary: "Puts elements in front of a list if it exists.", Run: lpush, Direct: lpushDirect},
		{Name: "rpushx", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW insert", Event: "rpush", Group: "list", Since: "2.2.0", Summary: "Appends elements to a list if it exists.", Run: rpush, Direct: rpushDirect},
		{Name: "lpop", Arity: -2, Flags: Write | Fast, Keys: OneKey, Use: "RW access delete", Event: "lpop", Group: "list", Since: "1.0.0", Summary: "Removes and returns the first elements.", Run: lpop, Direct: lpopDirect},
		{Name: "rpop", Arity: -2, Flags: Write | Fast, Keys: OneKey, Use: "RW access delete", Event: "rpop", Group: "list", Since: "1.0.0", Summary: "Removes and returns the last elements.", Run: rpop},
		{Name: "llen", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "list", Since: "1.0.0", Summary: "Returns the length of a list.", Run: llen},
		{Name: "lindex", Arity: 3, Flags: ReadOnly, Keys: OneKey, Group: "list", Since: "1.0.0", Summary: "Returns an element by its index.", Run: lindex},
		{Name: "lrange", Arity: 4, Flags: ReadOnly, Keys: OneKey, Group: "list", Since: "1.0.0", Summary: "Returns a range of elements.", Run: lrange},
		{Name: "lset", Arity: 4, Flags: Write | DenyOOM, Keys: OneKey, Use: "RW update", Event: "lset", Group: "list", Since: "1.0.0", Summary: "Sets an element by its index.", Run: lset},
		{Name: "linsert", Arity: 5, Flags: Write | DenyOOM, Keys: OneKey, Use: "RW insert", Event: "linsert", Group: "list", Since: "2.2.0", Summary: "Inserts an element before or after another.", Run: linsert},
		{Name: "lrem", Arity: 4, Flags: Write, Keys: OneKey, Use: "RW delete", Event: "lrem", Group: "list", Since: "1.0.0", Summary: "Removes elements by their value.", Run: lrem},
		{Name: "ltrim", Arity: 4, Flags: Write, Keys: OneKey, Use: "RW delete", Group: "list", Since: "1.0.0", Summary: "Removes the elements outside a range.", Run: ltrim},
		{Name: "lpos", Arity: -3, Flags: ReadOnly, Keys: OneKey, Group: "list", Since: "6.0.6", Summary: "Returns the index of matching elements.", Run: lpos},
		{Name: "lmove", Arity: 5, Flags: Write | DenyOOM, Keys: TwoKeys, Use: "RW access delete", UseThen: "RW insert", Group: "list", Since: "6.2.0", Summary: "Moves an element from one list to another.", Run: lmove},
		{Name: "rpoplpush", Arity: 3, Flags: Write | DenyOOM, Keys: TwoKeys, Use: "RW access delete", UseThen: "RW insert", Group: "list", Since: "1.2.0", Summary: "Moves the last element of a list to the front of another.", Run: rpoplpush},
		{Name: "lmpop", Arity: -4, Flags: Write | Movable, Keys: KeySpec{Numkeys: 1}, Use: "RW access delete", Group: "list", Since: "7.0.0", Summary: "Removes and returns elements of the first list that has any.", Run: lmpop},
		{Name: "blpop", Arity: -3, Flags: Write | Blocking, Keys: KeySpec{First: 1, Last: -2, Step: 1}, Use: "RW access delete", Event: "lpop", Group: "list", Since: "2.0.0", Summary: "LPOP of the first list that has elements; waits for elements.", Run: blpop},
		{Name: "brpop", Arity: -3, Flags: Write | Blocking, Keys: KeySpec{First: 1, Last: -2, Step: 1}, Use: "RW access delete", Event: "rpop", Group: "list", Since: "2.0.0", Summary: "RPOP of the first list that has elements; waits for elements.", Run: brpop},
		{Name: "blmove", Arity: 6, Flags: Write | DenyOOM | Blocking, Keys: TwoKeys, Use: "RW access delete", UseThen: "RW insert", Group: "list", Since: "6.2.0", Summary: "LMOVE; waits for elements.", Run: blmove},
		{Name: "brpoplpush", Arity: 4, Flags: Write | DenyOOM | Blocking, Keys: TwoKeys, Use: "RW access delete", UseThen: "RW insert", Group: "list", Since: "2.2.0", Summary: "RPOPLPUSH; waits for elements.", Run: brpoplpush},
		{Name: "blmpop", Arity: -5, Flags: Write | Blocking | Movable, Keys: KeySpec{Numkeys: 2}, Use: "RW access delete", Group: "list", Since: "7.0.0", Summary: "LMPOP; waits for elements.", Run: blmpop},
	}
}

// LPUSH key element [element ...], LPUSHX
func lpush(c *Call) error { return c.push((*keyspace.List).PushLeft) }

// RPUSH key element [element ...], RPUSHX
func rpush(c *Call) error { return c.push((*keyspace.List).PushRight) }

func (c *Call) push(where func(*keyspace.List, ...string)) error {
	get := c.Txn.ListForUpdate
	if strings.HasSuffix(c.Command.Name, "x") {
		get = c.Txn.List
	}
	l, err := get(c.Args[1])
	if err != nil {
		return err
	}
	if l != nil {
		where(l, c.Args[2:]...)
	}
	c.W.Int(l.Len())
	return nil
}

func lpushDirect(d *Direct) *keyspace.Plan { return pushDirect(d, true) }

func rpushDirect(d *Direct) *keyspace.Plan { return pushDirect(d, false) }

func pushDirect(d *Direct, left bool) *keyspace.Plan {
	values := d.Args[2:]
	existing := strings.HasSuffix(strings.ToLower(d.Args[0]), "x")
	p := d.Push(values, left, existing)
	if p == nil {
		return nil
	}
	p.Reply = func(old store.Attrs) { d.W.Int(d.ListLen(old) + int64(len(values))) }
	p.Replay = func(result store.Value) { d.W.Int(result.Num()) }
	return p
}

// LPOP key [count]
func lpop(c *Call) error { return c.pop((*keyspace.List).PopLeft) }

// RPOP key [count]
func rpop(c *Call) error { return c.pop((*keyspace.List).PopRight) }

func (c *Call) pop(where func(*keyspace.List, int64) []string) error {
	if len(c.Args) > 3 {
		return errArity(c.Args[0])
	}
	n := int64(1)
	if len(c.Args) == 3 {
		var ok bool
		if n, ok = num.ParseInt(c.Args[2]); !ok || n < 0 {
			return errNotPositive
		}
	}
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	switch {
	case l == nil && len(c.Args) == 3:
		c.W.NullArray()
	case l == nil:
		c.W.Null()
	case len(c.Args) == 3:
		c.W.Strings(where(l, n))
	default:
		popped := where(l, 1)
		if len(popped) == 0 {
			c.W.Null()
			return nil
		}
		c.W.Bulk(popped[0])
	}
	return nil
}

func lpopDirect(d *Direct) *keyspace.Plan {
	if len(d.Args) != 2 {
		return nil
	}
	p := d.PopLeft()
	p.Reply = func(old store.Attrs) { d.W.Bulk(d.ListFirst(old)) }
	p.Replay = func(result store.Value) { d.W.Bulk(result.Str()) }
	return p
}

// LLEN key
func llen(c *Call) error {
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Int(l.Len())
	return nil
}

// LINDEX key index
func lindex(c *Call) error {
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	if l == nil {
		c.W.Null()
		return nil
	}
	i, err := c.Int(2)
	if err != nil {
		return err
	}
	if i < 0 {
		i += l.Len()
	}
	v, ok := l.Index(i)
	c.W.BulkOrNull(v, ok)
	return nil
}

// clampRange turns Redis's start and stop, which may count from the end, into
// indexes within n elements; start > stop if nothing is left.
func clampRange(start, stop, n int64) (int64, int64) {
	if start < 0 {
		start = max(start+n, 0)
	}
	if stop < 0 {
		stop += n
	}
	stop = min(stop, n-1)
	if start > stop || start >= n || stop < 0 {
		return 0, -1
	}
	return start, stop
}

// LRANGE key start stop
func lrange(c *Call) error {
	start, err := c.Int(2)
	if err != nil {
		return err
	}
	stop, err := c.Int(3)
	if err != nil {
		return err
	}
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	start, stop = clampRange(start, stop, l.Len())
	mark, n := c.W.Mark(), int64(0)
	if want := stop - start + 1; want > 0 {
		for v := range l.From(start, want) {
			c.W.Bulk(v)
			if err := c.bounded(mark); err != nil {
				return err
			}
			if n++; n == want {
				break
			}
		}
	}
	c.W.ArrayAt(mark, int(n))
	return nil
}

// LSET key index element
func lset(c *Call) error {
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	if l == nil {
		return errNoKey
	}
	i, err := c.Int(2)
	if err != nil {
		return err
	}
	if i < 0 {
		i += l.Len()
	}
	if i < 0 || i >= l.Len() {
		return errIndexRange
	}
	l.Set(i, c.Args[3])
	c.W.OK()
	return nil
}

// LINSERT key BEFORE|AFTER pivot element
func linsert(c *Call) error {
	after := int64(0)
	switch {
	case c.Is(2, "after"):
		after = 1
	case !c.Is(2, "before"):
		return ErrSyntax
	}
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	if l == nil {
		c.W.Int(0)
		return nil
	}
	i := int64(0)
	for v := range l.From(0, 0) {
		if v == c.Args[3] {
			l.Insert(i+after, c.Args[4])
			c.W.Int(l.Len())
			return nil
		}
		i++
	}
	c.W.Int(-1)
	return nil
}

// LREM key count element
func lrem(c *Call) error {
	count, err := c.Int(2)
	if err != nil {
		return err
	}
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	if l == nil {
		c.W.Int(0)
		return nil
	}
	all := slices.Collect(l.From(0, 0))
	kept := make([]string, 0, len(all))
	limit := count
	if count <= 0 {
		limit = -count
	}
	if count < 0 {
		slices.Reverse(all)
	}
	removed := int64(0)
	for _, v := range all {
		if v == c.Args[3] && (limit == 0 || removed < limit) {
			removed++
			continue
		}
		kept = append(kept, v)
	}
	if removed > 0 {
		if count < 0 {
			slices.Reverse(kept)
		}
		l.Replace(kept)
	}
	c.W.Int(removed)
	return nil
}

// LTRIM key start stop
func ltrim(c *Call) error {
	start, err := c.Int(2)
	if err != nil {
		return err
	}
	stop, err := c.Int(3)
	if err != nil {
		return err
	}
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	if l != nil {
		start, stop = clampRange(start, stop, l.Len())
		if stop-start+1 != l.Len() {
			l.Keep(start, stop)
		}
		c.event("ltrim", c.Args[1])
	}
	c.W.OK()
	return nil
}
