package redis

import (
	"math"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/num"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// GET, SET, INCR.

func stringCommands() []*command {
	return []*command{
		{name: "get", arity: 2, flags: readonly | fast, keys: oneKey, group: "string", since: "1.0.0", summary: "Returns the value of a key.", run: get},
		{name: "set", arity: -3, flags: write | denyoom, keys: oneKey, group: "string", since: "1.0.0", summary: "Sets the value of a key.", run: set, direct: setDirect},
		{name: "incr", arity: 2, flags: write | fast | denyoom, keys: oneKey, group: "string", since: "1.0.0", summary: "Adds one to an integer.", run: incr, direct: incrDirect},
	}
}

// GET key
func get(c *call) error {
	s, ok, err := c.tx.String(c.args[1])
	if err != nil {
		return err
	}
	c.w.BulkOrNull(s, ok)
	return nil
}

// SET key value
func set(c *call) error {
	c.tx.SetString(c.args[1], c.args[2], false)
	c.w.OK()
	return nil
}

// setDirect: one put, which needs to know nothing but that no generation is left behind.
func setDirect(d *direct) *plan {
	if len(d.args) != 3 || len(d.args[2]) > inlineString {
		return nil
	}
	return &plan{
		op:    store.Put(d.key, stringHead(d.args[2], 0), store.Absent(attrGen)),
		fixed: true,
		reply: func(_ store.Attrs, w *resp.Writer) { w.OK() },
	}
}

// INCR key
func incr(c *call) error { return incrBy(c, 1) }

func incrBy(c *call, delta int64) error {
	s, ok, err := c.tx.String(c.args[1])
	if err != nil {
		return err
	}
	n := int64(0)
	if ok {
		if n, ok = num.ParseInt(s); !ok {
			return errNotInteger
		}
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return errOverflow
	}
	c.tx.SetString(c.args[1], strconv.FormatInt(n+delta, 10), true)
	c.w.Int(n + delta)
	return nil
}

func incrDirect(d *direct) *plan { return incrByDirect(d, 1) }

// incrByDirect: one update of a string that is an integer.
func incrByDirect(d *direct, delta int64) *plan {
	limit := store.Le(attrNumber, store.Int(math.MaxInt64-max(delta, 0)))
	if delta < 0 {
		limit = store.Ge(attrNumber, store.Int(math.MinInt64-delta))
	}
	cond := store.And{
		store.Or{store.Absent(attrType), store.And{store.Eq(attrType, store.Bytes(typeString)), limit}},
		d.live(),
	}
	return &plan{
		op:     store.Update(d.key, cond, store.Set(attrType, store.Bytes(typeString)), store.Add(attrNumber, attrNumber, delta)),
		trace:  store.Add("", attrNumber, delta),
		reply:  func(old store.Attrs, w *resp.Writer) { w.Int(old.Get(attrNumber).Num() + delta) },
		replay: func(result store.Value, w *resp.Writer) { w.Int(result.Num()) },
	}
}
