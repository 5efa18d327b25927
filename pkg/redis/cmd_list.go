package redis

import (
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP, LLEN, LINDEX, LRANGE, LSET, LINSERT, LREM,
// LTRIM, LPOS, LMOVE, RPOPLPUSH, LMPOP, and the blocking BLPOP, BRPOP, BLMOVE, BRPOPLPUSH,
// BLMPOP, which wait as block.go says.

func listCommands() []*command {
	return []*command{
		{name: "lpush", arity: -3, flags: write | denyoom | fast, keys: oneKey, use: "RW insert", group: "list", since: "1.0.0", summary: "Puts elements in front of a list.", run: lpush, direct: lpushDirect},
		{name: "rpush", arity: -3, flags: write | denyoom | fast, keys: oneKey, use: "RW insert", group: "list", since: "1.0.0", summary: "Appends elements to a list.", run: rpush, direct: rpushDirect},
		{name: "lpushx", arity: -3, flags: write | denyoom | fast, keys: oneKey, use: "RW insert", group: "list", since: "2.2.0", summary: "Puts elements in front of a list if it exists.", run: lpush, direct: lpushDirect},
		{name: "rpushx", arity: -3, flags: write | denyoom | fast, keys: oneKey, use: "RW insert", group: "list", since: "2.2.0", summary: "Appends elements to a list if it exists.", run: rpush, direct: rpushDirect},
		{name: "lpop", arity: -2, flags: write | fast, keys: oneKey, use: "RW access delete", group: "list", since: "1.0.0", summary: "Removes and returns the first elements.", run: lpop, direct: lpopDirect},
		{name: "rpop", arity: -2, flags: write | fast, keys: oneKey, use: "RW access delete", group: "list", since: "1.0.0", summary: "Removes and returns the last elements.", run: rpop},
		{name: "llen", arity: 2, flags: readonly | fast, keys: oneKey, use: "RO", group: "list", since: "1.0.0", summary: "Returns the length of a list.", run: llen},
		{name: "lindex", arity: 3, flags: readonly, keys: oneKey, group: "list", since: "1.0.0", summary: "Returns an element by its index.", run: lindex},
		{name: "lrange", arity: 4, flags: readonly, keys: oneKey, group: "list", since: "1.0.0", summary: "Returns a range of elements.", run: lrange},
		{name: "lset", arity: 4, flags: write | denyoom, keys: oneKey, use: "RW update", group: "list", since: "1.0.0", summary: "Sets an element by its index.", run: lset},
		{name: "linsert", arity: 5, flags: write | denyoom, keys: oneKey, use: "RW insert", group: "list", since: "2.2.0", summary: "Inserts an element before or after another.", run: linsert},
		{name: "lrem", arity: 4, flags: write, keys: oneKey, use: "RW delete", group: "list", since: "1.0.0", summary: "Removes elements by their value.", run: lrem},
		{name: "ltrim", arity: 4, flags: write, keys: oneKey, use: "RW delete", group: "list", since: "1.0.0", summary: "Removes the elements outside a range.", run: ltrim},
		{name: "lpos", arity: -3, flags: readonly, keys: oneKey, group: "list", since: "6.0.6", summary: "Returns the index of matching elements.", run: lpos},
		{name: "lmove", arity: 5, flags: write | denyoom, keys: twoKeys, use: "RW access delete", then: "RW insert", group: "list", since: "6.2.0", summary: "Moves an element from one list to another.", run: lmove},
		{name: "rpoplpush", arity: 3, flags: write | denyoom, keys: twoKeys, use: "RW access delete", then: "RW insert", group: "list", since: "1.2.0", summary: "Moves the last element of a list to the front of another.", run: rpoplpush},
		{name: "lmpop", arity: -4, flags: write | movable, keys: keySpec{numkeys: 1}, use: "RW access delete", group: "list", since: "7.0.0", summary: "Removes and returns elements of the first list that has any.", run: lmpop},
		{name: "blpop", arity: -3, flags: write | blocking, keys: keySpec{first: 1, last: -2, step: 1}, use: "RW access delete", group: "list", since: "2.0.0", summary: "LPOP of the first list that has elements; waits for elements.", run: blpop},
		{name: "brpop", arity: -3, flags: write | blocking, keys: keySpec{first: 1, last: -2, step: 1}, use: "RW access delete", group: "list", since: "2.0.0", summary: "RPOP of the first list that has elements; waits for elements.", run: brpop},
		{name: "blmove", arity: 6, flags: write | denyoom | blocking, keys: twoKeys, use: "RW access delete", then: "RW insert", group: "list", since: "6.2.0", summary: "LMOVE; waits for elements.", run: blmove},
		{name: "brpoplpush", arity: 4, flags: write | denyoom | blocking, keys: twoKeys, use: "RW access delete", then: "RW insert", group: "list", since: "2.2.0", summary: "RPOPLPUSH; waits for elements.", run: brpoplpush},
		{name: "blmpop", arity: -5, flags: write | blocking | movable, keys: keySpec{numkeys: 2}, use: "RW access delete", group: "list", since: "7.0.0", summary: "LMPOP; waits for elements.", run: blmpop},
	}
}

// LPUSH key element [element ...], LPUSHX
func lpush(c *call) error { return c.push((*List).PushLeft) }

// RPUSH key element [element ...], RPUSHX
func rpush(c *call) error { return c.push((*List).PushRight) }

func (c *call) push(where func(*List, ...string)) error {
	get := c.tx.ListForUpdate
	if strings.HasSuffix(c.cmd.name, "x") {
		get = c.tx.List
	}
	l, err := get(c.args[1])
	if err != nil {
		return err
	}
	if l != nil {
		where(l, c.args[2:]...)
	}
	c.w.Int(l.Len())
	return nil
}

func lpushDirect(d *direct) *plan { return pushDirect(d, true) }

func rpushDirect(d *direct) *plan { return pushDirect(d, false) }

func pushDirect(d *direct, left bool) *plan {
	values := d.args[2:]
	existing := strings.HasSuffix(strings.ToLower(d.args[0]), "x")
	p := d.Push(values, left, existing)
	if p == nil {
		return nil
	}
	p.reply = func(old store.Attrs, w *resp.Writer) { w.Int(d.ListLen(old) + int64(len(values))) }
	p.replay = func(result store.Value, w *resp.Writer) { w.Int(result.Num()) }
	return p
}

// LPOP key [count]
func lpop(c *call) error { return c.pop((*List).PopLeft) }

// RPOP key [count]
func rpop(c *call) error { return c.pop((*List).PopRight) }

func (c *call) pop(where func(*List, int64) []string) error {
	if len(c.args) > 3 {
		return errArity(c.args[0])
	}
	n := int64(1)
	if len(c.args) == 3 {
		var ok bool
		if n, ok = num.ParseInt(c.args[2]); !ok || n < 0 {
			return errNotPositive
		}
	}
	l, err := c.tx.List(c.args[1])
	if err != nil {
		return err
	}
	switch {
	case l == nil && len(c.args) == 3:
		c.w.NullArray()
	case l == nil:
		c.w.Null()
	case len(c.args) == 3:
		c.w.Strings(where(l, n))
	default:
		popped := where(l, 1)
		if len(popped) == 0 {
			c.w.Null()
			return nil
		}
		c.w.Bulk(popped[0])
	}
	return nil
}

func lpopDirect(d *direct) *plan {
	if len(d.args) != 2 {
		return nil
	}
	p := d.PopLeft()
	p.reply = func(old store.Attrs, w *resp.Writer) { w.Bulk(d.ListFirst(old)) }
	p.replay = func(result store.Value, w *resp.Writer) { w.Bulk(result.Str()) }
	return p
}

// LLEN key
func llen(c *call) error {
	l, err := c.tx.List(c.args[1])
	if err != nil {
		return err
	}
	c.w.Int(l.Len())
	return nil
}

// LINDEX key index
func lindex(c *call) error {
	l, err := c.tx.List(c.args[1])
	if err != nil {
		return err
	}
	if l == nil {
		c.w.Null()
		return nil
	}
	i, err := c.int(2)
	if err != nil {
		return err
	}
	if i < 0 {
		i += l.Len()
	}
	v, ok := l.Index(i)
	c.w.BulkOrNull(v, ok)
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
func lrange(c *call) error {
	start, err := c.int(2)
	if err != nil {
		return err
	}
	stop, err := c.int(3)
	if err != nil {
		return err
	}
	l, err := c.tx.List(c.args[1])
	if err != nil {
		return err
	}
	start, stop = clampRange(start, stop, l.Len())
	mark, n := c.w.Mark(), int64(0)
	if want := stop - start + 1; want > 0 {
		for v := range l.From(start, want) {
			c.w.Bulk(v)
			if err := c.bounded(mark); err != nil {
				return err
			}
			if n++; n == want {
				break
			}
		}
	}
	c.w.ArrayAt(mark, int(n))
	return nil
}

// LSET key index element
func lset(c *call) error {
	l, err := c.tx.List(c.args[1])
	if err != nil {
		return err
	}
	if l == nil {
		return errNoKey
	}
	i, err := c.int(2)
	if err != nil {
		return err
	}
	if i < 0 {
		i += l.Len()
	}
	if i < 0 || i >= l.Len() {
		return errIndexRange
	}
	l.Set(i, c.args[3])
	c.w.OK()
	return nil
}

// LINSERT key BEFORE|AFTER pivot element
func linsert(c *call) error {
	after := int64(0)
	switch {
	case c.is(2, "after"):
		after = 1
	case !c.is(2, "before"):
		return errSyntax
	}
	l, err := c.tx.List(c.args[1])
	if err != nil {
		return err
	}
	if l == nil {
		c.w.Int(0)
		return nil
	}
	i := int64(0)
	for v := range l.From(0, 0) {
		if v == c.args[3] {
			l.Insert(i+after, c.args[4])
			c.w.Int(l.Len())
			return nil
		}
		i++
	}
	c.w.Int(-1)
	return nil
}

// LREM key count element
func lrem(c *call) error {
	count, err := c.int(2)
	if err != nil {
		return err
	}
	l, err := c.tx.List(c.args[1])
	if err != nil {
		return err
	}
	if l == nil {
		c.w.Int(0)
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
		if v == c.args[3] && (limit == 0 || removed < limit) {
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
	c.w.Int(removed)
	return nil
}

// LTRIM key start stop
func ltrim(c *call) error {
	start, err := c.int(2)
	if err != nil {
		return err
	}
	stop, err := c.int(3)
	if err != nil {
		return err
	}
	l, err := c.tx.List(c.args[1])
	if err != nil {
		return err
	}
	if l != nil {
		start, stop = clampRange(start, stop, l.Len())
		if stop-start+1 != l.Len() {
			l.Keep(start, stop)
		}
	}
	c.w.OK()
	return nil
}
