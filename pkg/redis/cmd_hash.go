package redis

import (
	"math"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
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

func hashCommands() []*command {
	return append([]*command{
		{name: "hset", arity: -4, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "hash", since: "2.0.0", summary: "Sets fields of a hash.", run: hset, direct: hsetDirect},
		{name: "hmset", arity: -4, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "hash", since: "2.0.0", summary: "Sets fields of a hash.", run: hmset, direct: hmsetDirect},
		{name: "hsetnx", arity: 4, flags: write | denyoom | fast, keys: oneKey, use: "RW insert", group: "hash", since: "2.0.0", summary: "Sets a field if it does not exist.", run: hsetnx, direct: hsetnxDirect},
		{name: "hget", arity: 3, flags: readonly | fast, keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns the value of a field.", run: hget},
		{name: "hmget", arity: -3, flags: readonly | fast, keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns the values of fields.", run: hmget},
		{name: "hgetall", arity: 2, flags: readonly, keys: oneKey, tips: "nondeterministic_output_order", group: "hash", since: "2.0.0", summary: "Returns all fields and values.", run: hgetall},
		{name: "hkeys", arity: 2, flags: readonly, keys: oneKey, tips: "nondeterministic_output_order", group: "hash", since: "2.0.0", summary: "Returns all fields.", run: hkeys},
		{name: "hvals", arity: 2, flags: readonly, keys: oneKey, tips: "nondeterministic_output_order", group: "hash", since: "2.0.0", summary: "Returns all values.", run: hvals},
		{name: "hlen", arity: 2, flags: readonly | fast, keys: oneKey, use: "RO", group: "hash", since: "2.0.0", summary: "Returns the number of fields.", run: hlen},
		{name: "hexists", arity: 3, flags: readonly | fast, keys: oneKey, use: "RO", group: "hash", since: "2.0.0", summary: "Tells whether a field exists.", run: hexists},
		{name: "hstrlen", arity: 3, flags: readonly | fast, keys: oneKey, use: "RO", group: "hash", since: "3.2.0", summary: "Returns the length of a field's value.", run: hstrlen},
		{name: "hdel", arity: -3, flags: write | fast, keys: oneKey, use: "RW delete", group: "hash", since: "2.0.0", summary: "Deletes fields, and the hash with its last one.", run: hdel, direct: hdelDirect},
		{name: "hincrby", arity: 4, flags: write | denyoom | fast, keys: oneKey, group: "hash", since: "2.0.0", summary: "Adds to the integer in a field.", run: hincrby},
		{name: "hincrbyfloat", arity: 4, flags: write | denyoom | fast, keys: oneKey, group: "hash", since: "2.6.0", summary: "Adds to the number in a field.", run: hincrbyfloat},
		{name: "hrandfield", arity: -2, flags: readonly, keys: oneKey, tips: "nondeterministic_output", group: "hash", since: "6.2.0", summary: "Returns random fields.", run: hrandfield},
		{name: "hscan", arity: -3, flags: readonly, keys: oneKey, tips: "nondeterministic_output", group: "hash", since: "2.8.0", summary: "Iterates over fields and values.", run: hscan},
	}, hashExpireCommands()...)
}

// HSET key field value [field value ...]
func hset(c *call) error {
	added, err := c.setFields()
	if err != nil {
		return err
	}
	c.w.Int(added)
	return nil
}

// HMSET key field value [field value ...]
func hmset(c *call) error {
	if _, err := c.setFields(); err != nil {
		return err
	}
	c.w.OK()
	return nil
}

// setFields sets the fields in the arguments and returns how many are new.
func (c *call) setFields() (added int64, err error) {
	if len(c.args)%2 != 0 {
		return 0, errArity(c.args[0])
	}
	h, err := c.tx.HashForUpdate(c.args[1])
	if err != nil {
		return 0, err
	}
	h.Fetch(evenArgs(c.args[2:]))
	for i := 2; i < len(c.args); i += 2 {
		if h.Set(c.args[i], c.args[i+1], 0) {
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

func hsetDirect(d *direct) *plan {
	p := d.SetFields(d.args[2:])
	if p == nil {
		return nil
	}
	p.reply = func(old store.Attrs, w *resp.Writer) {
		fields := distinct(evenArgs(d.args[2:]))
		w.Int(int64(len(fields)) - d.CountFields(old, fields))
	}
	return p
}

func hmsetDirect(d *direct) *plan {
	p := d.SetFields(d.args[2:])
	if p != nil {
		p.fixed, p.reply = true, func(_ store.Attrs, w *resp.Writer) { w.OK() }
	}
	return p
}

// HSETNX key field value
func hsetnx(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	if _, exists := h.Get(c.args[2]); exists {
		c.w.Int(0)
		return nil
	}
	if h, err = c.tx.HashForUpdate(c.args[1]); err != nil {
		return err
	}
	h.Set(c.args[2], c.args[3], 0)
	c.w.Int(1)
	return nil
}

// hsetnxDirect: where the field exists, the failed condition is all there is to pay.
func hsetnxDirect(d *direct) *plan {
	p := d.SetNewField(d.args[2], d.args[3])
	if p != nil {
		p.fixed, p.reply = true, func(_ store.Attrs, w *resp.Writer) { w.Int(1) }
	}
	return p
}

// HGET key field
func hget(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	f, ok := h.Get(c.args[2])
	c.w.BulkOrNull(h.Text(f), ok)
	return nil
}

// HMGET key field [field ...]
func hmget(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	c.writeFields(h, c.args[2:])
	return nil
}

// writeFields replies with an array of the values of fields.
func (c *call) writeFields(h *Hash, fields []string) {
	h.Fetch(fields)
	c.w.Array(len(fields))
	for _, name := range fields {
		f, ok := h.Get(name)
		c.w.BulkOrNull(h.Text(f), ok)
	}
}

// HGETALL key
func hgetall(c *call) error {
	mark := c.w.Mark()
	n, err := c.eachField(func(f Field) {
		c.w.Bulk(f.Name)
		c.w.Bulk(c.tx.FieldText(f))
	})
	if err != nil {
		return err
	}
	c.w.MapAt(mark, n)
	return nil
}

// HKEYS key
func hkeys(c *call) error {
	mark := c.w.Mark()
	n, err := c.eachField(func(f Field) { c.w.Bulk(f.Name) })
	if err != nil {
		return err
	}
	c.w.ArrayAt(mark, n)
	return nil
}

// HVALS key
func hvals(c *call) error {
	mark := c.w.Mark()
	n, err := c.eachField(func(f Field) { c.w.Bulk(c.tx.FieldText(f)) })
	if err != nil {
		return err
	}
	c.w.ArrayAt(mark, n)
	return nil
}

// eachField calls f, which writes its part of the reply, with each field of the hash.
func (c *call) eachField(f func(Field)) (n int, err error) {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return 0, err
	}
	mark := c.w.Mark()
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
func hlen(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	c.w.Int(h.Len())
	return nil
}

// HEXISTS key field
func hexists(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	_, ok := h.Get(c.args[2])
	c.w.IntBool(ok)
	return nil
}

// HSTRLEN key field
func hstrlen(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	f, _ := h.Get(c.args[2])
	c.w.Int(int64(f.ValueLen()))
	return nil
}

// HDEL key field [field ...]
func hdel(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	h.Fetch(c.args[2:])
	var n int64
	for _, name := range c.args[2:] {
		if h.Delete(name) {
			n++
		}
	}
	c.w.Int(n)
	return nil
}

func hdelDirect(d *direct) *plan {
	fields := distinct(d.args[2:])
	p := d.DeleteFields(fields)
	if p != nil {
		p.reply = func(old store.Attrs, w *resp.Writer) { w.Int(d.CountFields(old, fields)) }
	}
	return p
}

// HINCRBY key field increment
func hincrby(c *call) error {
	delta, err := c.int(3)
	if err != nil {
		return err
	}
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	n := int64(0)
	f, ok := h.Get(c.args[2])
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
	c.w.Int(n + delta)
	return nil
}

// HINCRBYFLOAT key field increment
func hincrbyfloat(c *call) error {
	delta, ok := num.ParseLongDouble(c.args[3])
	if !ok {
		return errNotFloat
	}
	if delta.IsInf() {
		return errNaNOrInfinity
	}
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	var n num.LongDouble
	f, ok := h.Get(c.args[2])
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
	c.w.Bulk(sum.String())
	return nil
}

// setField sets the field in argument 2, with an expiry (Unix ms) or 0.
func (c *call) setField(value string, expires int64) error {
	h, err := c.tx.HashForUpdate(c.args[1])
	if err != nil {
		return err
	}
	h.Set(c.args[2], value, expires)
	return nil
}

// HRANDFIELD key [count [WITHVALUES]]
func hrandfield(c *call) error {
	n, withValues, err := c.randomArgs("withvalues")
	if err != nil {
		return err
	}
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	if len(c.args) == 2 {
		f, ok := h.RandomOne()
		c.w.BulkOrNull(f.Name, ok)
		return nil
	}
	return writeRandom(c, h.Len(), h.Random, n, func(f Field) int {
		c.w.Bulk(f.Name)
		if !withValues {
			return 1
		}
		c.w.Bulk(c.tx.FieldText(f))
		return 2
	})
}

// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
func hscan(c *call) error {
	opts, perr := parseScan(c, 2)
	if perr == errCursor {
		return perr
	}
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	if h == nil { // Redis looks for the key before it looks at the options
		c.w.Array(2)
		c.w.Bulk("0")
		c.w.Array(0)
		return nil
	}
	if perr != nil {
		return perr
	}
	fields, next := h.Scan(opts.cursor, opts.count)
	c.w.Array(2)
	c.w.Bulk(formatCursor(next))
	mark, n := c.w.Mark(), 0
	for _, f := range fields {
		if !opts.matches(c.tx, f.Name) {
			continue
		}
		c.w.Bulk(f.Name)
		n++
		if !opts.noValues {
			c.w.Bulk(c.tx.FieldText(f))
			n++
		}
	}
	c.w.ArrayAt(mark, n)
	return nil
}
