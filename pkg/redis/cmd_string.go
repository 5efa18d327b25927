package redis

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// GET, SET, SETEX, PSETEX, SETNX, GETSET, GETDEL, GETEX, MGET, MSET, MSETNX, INCR, DECR,
// INCRBY, DECRBY, INCRBYFLOAT; the rest is in cmd_string_range.go.

func stringCommands() []*command {
	return append([]*command{
		{name: "get", arity: 2, flags: readonly | fast, keys: oneKey, group: "string", since: "1.0.0", summary: "Returns the value of a key.", run: get},
		{name: "set", arity: -3, flags: write | denyoom, keys: oneKey, use: "RW access update variable_flags", useIn: useOfSet, group: "string", since: "1.0.0", summary: "Sets the value of a key, on conditions and with an expiry if asked for.", run: set, direct: setDirect},
		{name: "setex", arity: 4, flags: write | denyoom, keys: oneKey, use: "OW update", group: "string", since: "2.0.0", summary: "Sets the value of a key that expires after some seconds.", run: setex, direct: setexDirect},
		{name: "psetex", arity: 4, flags: write | denyoom, keys: oneKey, use: "OW update", group: "string", since: "2.6.0", summary: "Sets the value of a key that expires after some milliseconds.", run: setex, direct: setexDirect},
		{name: "setnx", arity: 3, flags: write | denyoom | fast, keys: oneKey, use: "OW insert", group: "string", since: "1.0.0", summary: "Sets the value of a key that does not exist.", run: setnx, direct: setnxDirect},
		{name: "getset", arity: 3, flags: write | denyoom | fast, keys: oneKey, group: "string", since: "1.0.0", summary: "Sets the value of a key and returns the old one.", run: getset, direct: getsetDirect},
		{name: "getdel", arity: 2, flags: write | fast, keys: oneKey, use: "RW access delete", group: "string", since: "6.2.0", summary: "Returns the value of a key and deletes it.", run: getdel, direct: getdelDirect},
		{name: "getex", arity: -2, flags: write | fast, keys: oneKey, group: "string", since: "6.2.0", summary: "Returns the value of a key and changes its expiry.", run: getex, direct: getexDirect},
		{name: "mget", arity: -2, flags: readonly | fast, keys: allKeys, tips: "request_policy:multi_shard", group: "string", since: "1.0.0", summary: "Returns the values of several keys.", run: mget},
		{name: "mset", arity: -3, flags: write | denyoom | divisible, keys: pairKeys, use: "OW update", tips: "request_policy:multi_shard response_policy:all_succeeded", group: "string", since: "1.0.1", summary: "Sets the values of several keys.", run: mset, direct: msetDirect},
		{name: "msetnx", arity: -3, flags: write | denyoom, keys: pairKeys, use: "OW insert", tips: "request_policy:multi_shard response_policy:agg_min", group: "string", since: "1.0.1", summary: "Sets the values of several keys if none of them exists.", run: msetnx, direct: msetDirect},
		{name: "incr", arity: 2, flags: write | denyoom | fast, keys: oneKey, group: "string", since: "1.0.0", summary: "Adds one to an integer.", run: incr, direct: incrDirect},
		{name: "decr", arity: 2, flags: write | denyoom | fast, keys: oneKey, group: "string", since: "1.0.0", summary: "Subtracts one from an integer.", run: incr, direct: incrDirect},
		{name: "incrby", arity: 3, flags: write | denyoom | fast, keys: oneKey, group: "string", since: "1.0.0", summary: "Adds to an integer.", run: incr, direct: incrDirect},
		{name: "decrby", arity: 3, flags: write | denyoom | fast, keys: oneKey, group: "string", since: "1.0.0", summary: "Subtracts from an integer.", run: incr, direct: incrDirect},
		{name: "incrbyfloat", arity: 3, flags: write | denyoom | fast, keys: oneKey, group: "string", since: "2.6.0", summary: "Adds to a number.", run: incrbyfloat},
	}, stringRangeCommands()...)
}

// whole is the string at a key for a reply that holds all of it. One that no reply can hold is not read.
func (c *call) whole(key string) (s string, ok bool, err error) {
	n, err := c.tx.StringLen(key)
	if err != nil {
		return "", false, err
	}
	if err := c.fits(n); err != nil {
		return "", false, err
	}
	return c.tx.String(key)
}

// fits refuses a reply that is to hold a string of n bytes before that is read.
func (c *call) fits(n int64) error {
	if limit := c.host.maxReply; n > int64(limit) {
		return errReplySize(limit, int(n))
	}
	return nil
}

// GET key
func get(c *call) error {
	s, ok, err := c.whole(c.args[1])
	if err != nil {
		return err
	}
	c.w.BulkOrNull(s, ok)
	return nil
}

// SET key value [NX | XX | IFEQ v | IFNE v | IFDEQ digest | IFDNE digest] [GET]
// [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
func set(c *call) error {
	o, err := parseSet(c.args, c.tx.Now())
	if err != nil {
		return err
	}
	return c.setString(c.args[2], o)
}

// useOfSet: without GET, it tells nothing of what the key holds.
func useOfSet(args []string) string {
	if slices.ContainsFunc(args[min(3, len(args)):], func(a string) bool { return strings.EqualFold(a, "get") }) {
		return "RW access update"
	}
	return "OW update"
}

// setString is SET for all commands that are a form of it.
func (c *call) setString(value string, o setOptions) error {
	key := c.args[1]
	if int64(len(value)) > maxRecord {
		return errRecordSize(int64(len(value)))
	}
	var old string
	exists := c.tx.Exists(key)
	if o.get || o.comparesValue() {
		read := c.tx.String
		if o.get {
			read = c.whole
		}
		s, ok, err := read(key)
		if err != nil {
			return err
		}
		old, exists = s, ok
	}
	met := o.met(exists, old)
	if met {
		c.tx.SetString(key, value, o.keepTTL)
		if o.at != 0 {
			c.tx.SetExpiry(key, o.at)
		}
	}
	switch {
	case o.get:
		c.w.BulkOrNull(old, exists)
	case o.reply01:
		c.w.IntBool(met)
	case met:
		c.w.OK()
	default:
		c.w.Null()
	}
	return nil
}

func setDirect(d *direct) *plan {
	o, err := parseSet(d.args, d.Now())
	if err != nil {
		return nil
	}
	return d.setString(d.args[2], o)
}

// setString is SET for all commands that are a form of it.
func (d *direct) setString(value string, o setOptions) *plan {
	if o.at != 0 && o.at <= d.Now() || o.comparesValue() {
		return nil
	}
	put := StringPut{Expires: o.at, KeepTTL: o.keepTTL, Known: o.get, New: o.cond == setNX, Existing: o.cond == setXX}
	p := d.SetString(value, put)
	if p == nil {
		return nil
	}
	p.fixed = !o.get
	p.reply = func(old store.Attrs, w *resp.Writer) {
		switch {
		case o.get:
			d.oldString(old, w)
		case o.reply01:
			w.Int(1)
		default:
			w.OK()
		}
	}
	return p
}

// oldString replies the live string in a head that is known to be inline, or null.
func (d *direct) oldString(old store.Attrs, w *resp.Writer) {
	s, ok, err := d.OldString(old)
	if err != nil {
		w.Error(errInternal.Error())
		return
	}
	w.BulkOrNull(s, ok)
}

// SETEX key seconds value
// PSETEX key milliseconds value
func setex(c *call) error {
	at, err := parseRelative(c.cmd.name, c.args[2], c.tx.Now())
	if err != nil {
		return err
	}
	return c.setString(c.args[3], setOptions{at: at})
}

func setexDirect(d *direct) *plan {
	at, err := parseRelative(d.cmd.name, d.args[2], d.Now())
	if err != nil {
		return nil
	}
	return d.setString(d.args[3], setOptions{at: at})
}

// SETNX key value
func setnx(c *call) error { return c.setString(c.args[2], setOptions{cond: setNX, reply01: true}) }

func setnxDirect(d *direct) *plan {
	return d.setString(d.args[2], setOptions{cond: setNX, reply01: true})
}

// GETSET key value
func getset(c *call) error { return c.setString(c.args[2], setOptions{get: true}) }

func getsetDirect(d *direct) *plan { return d.setString(d.args[2], setOptions{get: true}) }

// GETDEL key
func getdel(c *call) error {
	s, ok, err := c.whole(c.args[1])
	if err != nil {
		return err
	}
	c.tx.Delete(c.args[1])
	c.w.BulkOrNull(s, ok)
	return nil
}

func getdelDirect(d *direct) *plan {
	p := d.DeleteString()
	p.reply = d.oldString
	return p
}

// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
func getex(c *call) error {
	o, err := parseGetex(c.args)
	if err != nil {
		return err
	}
	s, ok, err := c.whole(c.args[1])
	if err != nil {
		return err
	}
	if !ok {
		c.w.Null()
		return nil
	}
	at, err := o.at(c.tx.Now())
	if err != nil {
		return err
	}
	if at != 0 || o.persist {
		c.tx.SetExpiry(c.args[1], at)
	}
	c.w.Bulk(s)
	return nil
}

func getexDirect(d *direct) *plan {
	o, err := parseGetex(d.args)
	if err != nil {
		return nil
	}
	at, err := o.at(d.Now())
	if err != nil || !o.persist && at <= d.Now() {
		return nil
	}
	if o.persist {
		at = 0
	}
	p := d.ExpireString(at)
	p.reply = d.oldString
	return p
}

// MGET key [key ...]
func mget(c *call) error {
	c.w.Array(len(c.args) - 1)
	mark := c.w.Mark()
	for _, key := range c.args[1:] {
		n, _ := c.tx.StringLen(key) // another type reads as nil
		if err := c.fits(n); err != nil {
			return err
		}
		s, ok, err := c.tx.String(key)
		c.w.BulkOrNull(s, ok && err == nil)
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	return nil
}

// MSET key value [key value ...]
func mset(c *call) error {
	if len(c.args)%2 == 0 {
		return errArity(c.args[0])
	}
	for i := 1; i < len(c.args); i += 2 {
		c.tx.SetString(c.args[i], c.args[i+1], false)
	}
	c.w.OK()
	return nil
}

// MSETNX key value [key value ...]
func msetnx(c *call) error {
	if len(c.args)%2 == 0 {
		return errArity(c.args[0])
	}
	for i := 1; i < len(c.args); i += 2 {
		if c.tx.Exists(c.args[i]) {
			c.w.Int(0)
			return nil
		}
	}
	for i := 1; i < len(c.args); i += 2 {
		c.tx.SetString(c.args[i], c.args[i+1], false)
	}
	c.w.Int(1)
	return nil
}

func msetDirect(d *direct) *plan {
	if len(d.args)%2 == 0 || len(d.args)/2 > store.MaxCommitOps {
		return nil
	}
	nx := d.cmd.name == "msetnx"
	last := make(map[string]string, len(d.args)/2) // of a key named twice, the last value counts
	for i := 1; i < len(d.args); i += 2 {
		last[d.args[i]] = d.args[i+1]
	}
	p := d.SetStrings(last, nx)
	if p == nil {
		return nil
	}
	p.reply = func(_ store.Attrs, w *resp.Writer) {
		if nx {
			w.Int(1)
		} else {
			w.OK()
		}
	}
	return p
}

// INCR key
// DECR key
// INCRBY key increment
// DECRBY key decrement
func incr(c *call) error {
	delta, err := incrDelta(c.cmd.name, c.args)
	if err != nil {
		return err
	}
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
	n, ok = num.AddInt(n, delta)
	if !ok {
		return errOverflow
	}
	c.tx.SetString(c.args[1], strconv.FormatInt(n, 10), true)
	c.w.Int(n)
	return nil
}

// incrDelta is what a command of the INCR family adds.
func incrDelta(name string, args []string) (int64, error) {
	delta := int64(1)
	if len(args) == 3 {
		n, ok := num.ParseInt(args[2])
		if !ok {
			return 0, errNotInteger
		}
		delta = n
	}
	if name == "decr" || name == "decrby" {
		if delta == math.MinInt64 {
			return 0, Error("ERR decrement would overflow")
		}
		delta = -delta
	}
	return delta, nil
}

func incrDirect(d *direct) *plan {
	delta, err := incrDelta(d.cmd.name, d.args)
	if err != nil {
		return nil
	}
	p := d.Add(delta)
	p.reply = func(old store.Attrs, w *resp.Writer) { w.Int(d.Number(old) + delta) }
	p.replay = func(result store.Value, w *resp.Writer) { w.Int(result.Num()) }
	return p
}

// INCRBYFLOAT key increment
func incrbyfloat(c *call) error {
	s, ok, err := c.tx.String(c.args[1])
	if err != nil {
		return err
	}
	if !ok {
		s = "0"
	}
	old, ok := num.ParseLongDouble(s)
	if !ok {
		return errNotFloat
	}
	by, ok := num.ParseLongDouble(c.args[2])
	if !ok {
		return errNotFloat
	}
	sum, err := old.Add(by)
	if err != nil || sum.IsInf() {
		return Error("ERR increment would produce NaN or Infinity")
	}
	c.tx.SetString(c.args[1], sum.String(), true)
	c.w.Bulk(sum.String())
	return nil
}
