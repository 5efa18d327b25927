package command

import (
	"math"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// HSET, HMSET, HSETNX, HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN, HDEL,
// HINCRBY, HINCRBYFLOAT, HRANDFIELD, HSCAN. Those about the expiry of fields are in
// cmd_hash_expire.go.

const (
	errHashNotInteger Error = "ERR hash value is not an integer"
	errHashNotFloat   Error = "ERR hash value is not a float"
	errNaNOrInfinity  Error = "ERR value is NaN or Infinity"
	errNotFinite      Error = "ERR increment would produce NaN or Infinity"
)

func hashCommands() []*Command {
	return append([]*Command{
		{Name: "hset", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Event: "hset", Group: "hash", Since: "2.0.0", Summary: "Sets fields of a hash.", Run: hset, Direct: hsetDirect},
		{Name: "hmset", Arity: -4, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Event: "hset", Group: "hash", Since: "2.0.0", Summary: "Sets fields of a hash.", Run: hmset, Direct: hmsetDirect},
		{Name: "hsetnx", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW insert", Event: "hset", Group: "hash", Since: "2.0.0", Summary: "Sets a field if it does not exist.", Run: hsetnx, Direct: hsetnxDirect},
		{Name: "hget", Arity: 3, Flags: ReadOnly | Fast, Keys: OneKey, Group: "hash", Since: "2.0.0", Summary: "Returns the value of a field.", Run: hget},
		{Name: "hmget", Arity: -3, Flags: ReadOnly | Fast, Keys: OneKey, Group: "hash", Since: "2.0.0", Summary: "Returns the values of fields.", Run: hmget},
		{Name: "hgetall", Arity: 2, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output_order", Group: "hash", Since: "2.0.0", Summary: "Returns all fields and values.", Run: hgetall},
		{Name: "hkeys", Arity: 2, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output_order", Group: "hash", Since: "2.0.0", Summary: "Returns all fields.", Run: hkeys},
		{Name: "hvals", Arity: 2, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output_order", Group: "hash", Since: "2.0.0", Summary: "Returns all values.", Run: hvals},
		{Name: "hlen", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "hash", Since: "2.0.0", Summary: "Returns the number of fields.", Run: hlen},
		{Name: "hexists", Arity: 3, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "hash", Since: "2.0.0", Summary: "Tells whether a field exists.", Run: hexists},
		{Name: "hstrlen", Arity: 3, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "hash", Since: "3.2.0", Summary: "Returns the length of a field's value.", Run: hstrlen},
		{Name: "hdel", Arity: -3, Flags: Write | Fast, Keys: OneKey, Use: "RW delete", Event: "hdel", Group: "hash", Since: "2.0.0", Summary: "Deletes fields, and the hash with its last one.", Run: hdel, Direct: hdelDirect},
		{Name: "hincrby", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: OneKey, Event: "hincrby", Group: "hash", Since: "2.0.0", Summary: "Adds to the integer in a field.", Run: hincrby},
		{Name: "hincrbyfloat", Arity: 4, Flags: Write | DenyOOM | Fast, Keys: OneKey, Event: "hincrbyfloat", Group: "hash", Since: "2.6.0", Summary: "Adds to the number in a field.", Run: hincrbyfloat},
		{Name: "hrandfield", Arity: -2, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output", Group: "hash", Since: "6.2.0", Summary: "Returns random fields.", Run: hrandfield},
		{Name: "hscan", Arity: -3, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output", Group: "hash", Since: "2.8.0", Summary: "Iterates over fields and values.", Run: hscan},
	}, hashExpireCommands()...)
}

// HSET key field value [field value ...]
func hset(c *Call) error {
	added, err := c.setFields()
	if err != nil {
		return err
	}
	c.W.Int(added)
	return nil
}

// HMSET key field value [field value ...]
func hmset(c *Call) error {
	if _, err := c.setFields(); err != nil {
		return err
	}
	c.W.OK()
	return nil
}

// setFields sets the fields in the arguments and returns how many are new.
func (c *Call) setFields() (added int64, err error) {
	if len(c.Args)%2 != 0 {
		return 0, errArity(c.Args[0])
	}
	h, err := c.Txn.HashForUpdate(c.Args[1])
	if err != nil {
		return 0, err
	}
	h.Fetch(evenArgs(c.Args[2:]))
	for i := 2; i < len(c.Args); i += 2 {
		if h.Set(c.Args[i], c.Args[i+1], 0) {
			added++
		}
	}
	return added, nil
}

// evenArgs are the arguments at indexes 0, 2, 4 ...
func evenArgs(args []string) []string {
	out := make([]string, 0, (len(args)+1)/2)
	for i := 0; i < len(args); i += 2 {
		out = append(out, args[i])
	}
	return out
}

func hsetDirect(d *Direct) *keyspace.Plan {
	p := d.SetFields(d.Args[2:])
	if p == nil {
		return nil
	}
	p.Reply = func(old store.Attrs) {
		fields := Distinct(evenArgs(d.Args[2:]))
		d.W.Int(int64(len(fields)) - d.CountFields(old, fields))
	}
	return p
}

func hmsetDirect(d *Direct) *keyspace.Plan {
	p := d.SetFields(d.Args[2:])
	if p != nil {
		p.Fixed, p.Reply = true, func(_ store.Attrs) { d.W.OK() }
	}
	return p
}

// HSETNX key field value
func hsetnx(c *Call) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if _, exists := h.Get(c.Args[2]); exists {
		c.W.Int(0)
		return nil
	}
	if h, err = c.Txn.HashForUpdate(c.Args[1]); err != nil {
		return err
	}
	h.Set(c.Args[2], c.Args[3], 0)
	c.W.Int(1)
	return nil
}

// hsetnxDirect: where the field exists, the failed condition is all there is to pay.
func hsetnxDirect(d *Direct) *keyspace.Plan {
	p := d.SetNewField(d.Args[2], d.Args[3])
	if p != nil {
		p.Fixed, p.Reply = true, func(_ store.Attrs) { d.W.Int(1) }
	}
	return p
}

// HGET key field
func hget(c *Call) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	f, ok := h.Get(c.Args[2])
	c.W.BulkOrNull(h.Text(f), ok)
	return nil
}

// HMGET key field [field ...]
func hmget(c *Call) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	c.writeFields(h, c.Args[2:])
	return nil
}

// writeFields replies with an array of the values of fields.
func (c *Call) writeFields(h *keyspace.Hash, fields []string) {
	h.Fetch(fields)
	c.W.Array(len(fields))
	for _, name := range fields {
		f, ok := h.Get(name)
		c.W.BulkOrNull(h.Text(f), ok)
	}
}

// HGETALL key
func hgetall(c *Call) error {
	mark := c.W.Mark()
	n, err := c.eachField(func(f keyspace.Field) {
		c.W.Bulk(f.Name)
		c.W.Bulk(c.Txn.FieldText(f))
	})
	if err != nil {
		return err
	}
	c.W.MapAt(mark, n)
	return nil
}

// HKEYS key
func hkeys(c *Call) error {
	mark := c.W.Mark()
	n, err := c.eachField(func(f keyspace.Field) { c.W.Bulk(f.Name) })
	if err != nil {
		return err
	}
	c.W.ArrayAt(mark, n)
	return nil
}

// HVALS key
func hvals(c *Call) error {
	mark := c.W.Mark()
	n, err := c.eachField(func(f keyspace.Field) { c.W.Bulk(c.Txn.FieldText(f)) })
	if err != nil {
		return err
	}
	c.W.ArrayAt(mark, n)
	return nil
}

// eachField calls f, which writes its part of the reply, with each field of the hash.
func (c *Call) eachField(f func(keyspace.Field)) (n int, err error) {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return 0, err
	}
	mark := c.W.Mark()
	for field := range h.All() {
		f(field)
		n++
		if err := c.bounded(mark); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// HLEN key
func hlen(c *Call) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Int(h.Len())
	return nil
}

// HEXISTS key field
func hexists(c *Call) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	_, ok := h.Get(c.Args[2])
	c.W.IntBool(ok)
	return nil
}

// HSTRLEN key field
func hstrlen(c *Call) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	f, _ := h.Get(c.Args[2])
	c.W.Int(int64(f.ValueLen()))
	return nil
}

// HDEL key field [field ...]
func hdel(c *Call) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	h.Fetch(c.Args[2:])
	var n int64
	for _, name := range c.Args[2:] {
		if h.Delete(name) {
			n++
		}
	}
	c.W.Int(n)
	return nil
}

func hdelDirect(d *Direct) *keyspace.Plan {
	fields := Distinct(d.Args[2:])
	p := d.DeleteFields(fields)
	if p != nil {
		p.Reply = func(old store.Attrs) { d.W.Int(d.CountFields(old, fields)) }
	}
	return p
}

// HINCRBY key field increment
func hincrby(c *Call) error {
	delta, err := c.Int(3)
	if err != nil {
		return err
	}
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	n := int64(0)
	f, ok := h.Get(c.Args[2])
	if ok {
		if n, ok = num.ParseInt(h.Text(f)); !ok {
			return errHashNotInteger
		}
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return errOverflow
	}
	if err := c.setField(strconv.FormatInt(n+delta, 10), f.Expires); err != nil {
		return err
	}
	c.W.Int(n + delta)
	return nil
}

// HINCRBYFLOAT key field increment
func hincrbyfloat(c *Call) error {
	delta, ok := num.ParseLongDouble(c.Args[3])
	if !ok {
		return errNotFloat
	}
	if delta.IsInf() {
		return errNaNOrInfinity
	}
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	var n num.LongDouble
	f, ok := h.Get(c.Args[2])
	if ok {
		if n, ok = num.ParseLongDouble(h.Text(f)); !ok {
			return errHashNotFloat
		}
	}
	sum, err := n.Add(delta)
	if err != nil {
		return errNotFinite
	}
	if err := c.setField(sum.String(), f.Expires); err != nil {
		return err
	}
	c.W.Bulk(sum.String())
	return nil
}

// setField sets the field in argument 2, with an expiry (Unix ms) or 0.
func (c *Call) setField(value string, expires int64) error {
	h, err := c.Txn.HashForUpdate(c.Args[1])
	if err != nil {
		return err
	}
	h.Set(c.Args[2], value, expires)
	return nil
}

// HRANDFIELD key [count [WITHVALUES]]
func hrandfield(c *Call) error {
	n, withValues, err := c.randomArgs("withvalues")
	if err != nil {
		return err
	}
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	if len(c.Args) == 2 {
		f, ok := h.RandomOne()
		c.W.BulkOrNull(f.Name, ok)
		return nil
	}
	return writeRandom(c, h.Len(), h.Random, n, func(f keyspace.Field) int {
		c.W.Bulk(f.Name)
		if !withValues {
			return 1
		}
		c.W.Bulk(c.Txn.FieldText(f))
		return 2
	})
}

// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
func hscan(c *Call) error {
	return scanValue(c, c.Txn.Hash, (*keyspace.Hash).Scan, func(f keyspace.Field, opts *scanOptions) int {
		switch {
		case !opts.matches(c.Txn, f.Name):
			return 0
		case opts.noValues:
			c.W.Bulk(f.Name)
			return 1
		}
		c.W.Bulk(f.Name)
		c.W.Bulk(c.Txn.FieldText(f))
		return 2
	})
}
