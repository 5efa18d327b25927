package command

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// GET, SET, SETEX, PSETEX, SETNX, GETSET, GETDEL, GETEX, MGET, MSET, MSETNX, INCR, DECR,
// INCRBY, DECRBY, INCRBYFLOAT; the rest is in cmd_string_range.go.

func stringCommands() []*Command {
	return append([]*Command{
		{Name: "get", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Group: "string", Since: "1.0.0", Summary: "Returns the value of a key.", Run: get},
		{Name: "set", Arity: -3, Flags: Write | DenyOOM, Keys: OneKey, Use: "RW access update variable_flags", UseIn: useOfSet, Group: "string", Since: "1.0.0", Summary: "Sets the value of a key, on conditions and with an expiry if asked for.", Run: set, Direct: setDirect},
		{Name: "setex", Arity: 4, Flags: Write | DenyOOM, Keys: OneKey, Use: "OW update", Group: "string", Since: "2.0.0", Summary: "Sets the value of a key that expires after some seconds.", Run: setex, Direct: setexDirect},
		{Name: "psetex", Arity: 4, Flags: Write | DenyOOM, Keys: OneKey, Use: "OW update", Group: "string", Since: "2.6.0", Summary: "Sets the value of a key that expires after some milliseconds.", Run: setex, Direct: setexDirect},
		{Name: "setnx", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "OW insert", Group: "string", Since: "1.0.0", Summary: "Sets the value of a key that does not exist.", Run: setnx, Direct: setnxDirect},
		{Name: "getset", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Group: "string", Since: "1.0.0", Summary: "Sets the value of a key and returns the old one.", Run: getset, Direct: getsetDirect},
		{Name: "getdel", Arity: 2, Flags: Write | Fast, Keys: OneKey, Use: "RW access delete", Group: "string", Since: "6.2.0", Summary: "Returns the value of a key and deletes it.", Run: getdel, Direct: getdelDirect},
		{Name: "getex", Arity: -2, Flags: Write | Fast, Keys: OneKey, Group: "string", Since: "6.2.0", Summary: "Returns the value of a key and changes its expiry.", Run: getex, Direct: getexDirect},
		{Name: "mget", Arity: -2, Flags: ReadOnly | Fast, Keys: AllKeys, Tips: "request_policy:multi_shard", Group: "string", Since: "1.0.0", Summary: "Returns the values of several keys.", Run: mget},
		{Name: "mset", Arity: -3, Flags: Write | DenyOOM | Divisible, Keys: PairKeys, Use: "OW update", Tips: "request_policy:multi_shard response_policy:all_succeeded", Group: "string", Since: "1.0.1", Summary: "Sets the values of several keys.", Run: mset, Direct: msetDirect},
		{Name: "msetnx", Arity: -3, Flags: Write | DenyOOM, Keys: PairKeys, Use: "OW insert", Tips: "request_policy:multi_shard response_policy:agg_min", Group: "string", Since: "1.0.1", Summary: "Sets the values of several keys if none of them exists.", Run: msetnx, Direct: msetDirect},
		{Name: "incr", Arity: 2, Flags: Write | DenyOOM | Fast, Keys: OneKey, Event: "incrby", Group: "string", Since: "1.0.0", Summary: "Adds one to an integer.", Run: incr, Direct: incrDirect},
		{Name: "decr", Arity: 2, Flags: Write | DenyOOM | Fast, Keys: OneKey, Event: "incrby", Group: "string", Since: "1.0.0", Summary: "Subtracts one from an integer.", Run: incr, Direct: incrDirect},
		{Name: "incrby", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Event: "incrby", Group: "string", Since: "1.0.0", Summary: "Adds to an integer.", Run: incr, Direct: incrDirect},
		{Name: "decrby", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Event: "incrby", Group: "string", Since: "1.0.0", Summary: "Subtracts from an integer.", Run: incr, Direct: incrDirect},
		{Name: "incrbyfloat", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Event: "incrbyfloat", Group: "string", Since: "2.6.0", Summary: "Adds to a number.", Run: incrbyfloat},
	}, stringRangeCommands()...)
}

// whole is the string at a key for a reply that holds all of it. One that no reply can hold is not read.
func (c *Call) whole(key string) (s string, ok bool, err error) {
	n, err := c.Txn.StringLen(key)
	if err != nil {
		return "", false, err
	}
	if err := c.fits(n); err != nil {
		return "", false, err
	}
	return c.Txn.String(key)
}

// fits refuses a reply that is to hold a string of n bytes before that is read.
func (c *Call) fits(n int64) error {
	if limit := c.Host.MaxReply; n > int64(limit) {
		return ErrReplySize(limit, int(n))
	}
	return nil
}

// GET key
func get(c *Call) error {
	s, ok, err := c.whole(c.Args[1])
	if err != nil {
		return err
	}
	c.W.BulkOrNull(s, ok)
	return nil
}

// SET key value [NX | XX | IFEQ v | IFNE v | IFDEQ digest | IFDNE digest] [GET]
// [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
func set(c *Call) error {
	o, err := parseSet(c.Args, c.Txn.Now())
	if err != nil {
		return err
	}
	return c.setString(c.Args[2], o)
}

// expireAt makes an existing key expire at a time (Unix ms). A time that has passed deletes the key.
func (c *Call) expireAt(key string, at int64) {
	c.Txn.SetExpiry(key, at)
	if at > c.Txn.Now() {
		c.genericEvent("expire", key)
	}
}

// useOfSet: without GET, it tells nothing of what the key holds.
func useOfSet(args []string) string {
	if slices.ContainsFunc(args[min(3, len(args)):], func(a string) bool { return strings.EqualFold(a, "get") }) {
		return "RW access update"
	}
	return "OW update"
}

// setString is SET for all commands that are a form of it.
func (c *Call) setString(value string, o setOptions) error {
	key := c.Args[1]
	if int64(len(value)) > keyspace.MaxRecord {
		return keyspace.ErrRecordSize(int64(len(value)))
	}
	var old string
	exists := c.Txn.Exists(key)
	if o.get || o.comparesValue() {
		read := c.Txn.String
		if o.get {
			read = c.whole
		}
		s, ok, err := read(key)
		if err != nil {
			return err
		}
		old, exists = s, ok
		c.Txn.NotifyMissed(key)
	}
	met := o.met(exists, old)
	if met {
		c.Txn.SetString(key, value, o.keepTTL)
		c.event("set", key)
		if o.at != 0 {
			c.expireAt(key, o.at)
		}
	}
	switch {
	case o.get:
		c.W.BulkOrNull(old, exists)
	case o.reply01:
		c.W.IntBool(met)
	case met:
		c.W.OK()
	default:
		c.W.Null()
	}
	return nil
}

func setDirect(d *Direct) *keyspace.Plan {
	o, err := parseSet(d.Args, d.Now())
	if err != nil {
		return nil
	}
	return d.setString(d.Args[2], o)
}

// setString is SET for all commands that are a form of it.
func (d *Direct) setString(value string, o setOptions) *keyspace.Plan {
	if o.at != 0 && o.at <= d.Now() || o.comparesValue() {
		return nil
	}
	put := keyspace.StringPut{Expires: o.at, KeepTTL: o.keepTTL, Known: o.get, New: o.cond == setNX, Existing: o.cond == setXX}
	p := d.SetString(value, put)
	if p == nil {
		return nil
	}
	p.Fixed = !o.get
	p.Reply = func(old store.Attrs) {
		switch {
		case o.get:
			d.oldString(old)
		case o.reply01:
			d.W.Int(1)
		default:
			d.W.OK()
		}
	}
	return p
}

// oldString replies the live string in a head that is known to be inline, or null.
func (d *Direct) oldString(old store.Attrs) {
	s, ok, err := d.OldString(old)
	if err != nil {
		d.W.Error(ErrInternal.Error())
		return
	}
	d.W.BulkOrNull(s, ok)
}

// SETEX key seconds value
// PSETEX key milliseconds value
func setex(c *Call) error {
	at, err := parseRelative(c.Command.Name, c.Args[2], c.Txn.Now())
	if err != nil {
		return err
	}
	return c.setString(c.Args[3], setOptions{at: at})
}

func setexDirect(d *Direct) *keyspace.Plan {
	at, err := parseRelative(d.Command.Name, d.Args[2], d.Now())
	if err != nil {
		return nil
	}
	return d.setString(d.Args[3], setOptions{at: at})
}

// SETNX key value
func setnx(c *Call) error { return c.setString(c.Args[2], setOptions{cond: setNX, reply01: true}) }

func setnxDirect(d *Direct) *keyspace.Plan {
	return d.setString(d.Args[2], setOptions{cond: setNX, reply01: true})
}

// GETSET key value
func getset(c *Call) error { return c.setString(c.Args[2], setOptions{get: true}) }

func getsetDirect(d *Direct) *keyspace.Plan { return d.setString(d.Args[2], setOptions{get: true}) }

// GETDEL key
func getdel(c *Call) error {
	s, ok, err := c.whole(c.Args[1])
	if err != nil {
		return err
	}
	c.Txn.NotifyMissed(c.Args[1])
	c.Txn.Delete(c.Args[1])
	c.W.BulkOrNull(s, ok)
	return nil
}

func getdelDirect(d *Direct) *keyspace.Plan {
	p := d.DeleteString()
	p.Reply = d.oldString
	return p
}

// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
func getex(c *Call) error {
	o, err := parseGetex(c.Args)
	if err != nil {
		return err
	}
	s, ok, err := c.whole(c.Args[1])
	if err != nil {
		return err
	}
	if !ok {
		c.Txn.NotifyMissed(c.Args[1])
		c.W.Null()
		return nil
	}
	at, err := o.at(c.Txn.Now())
	if err != nil {
		return err
	}
	switch {
	case at != 0:
		c.expireAt(c.Args[1], at)
	case o.persist && c.Txn.Expiry(c.Args[1]) != 0:
		c.Txn.SetExpiry(c.Args[1], 0)
		c.genericEvent("persist", c.Args[1])
	}
	c.W.Bulk(s)
	return nil
}

func getexDirect(d *Direct) *keyspace.Plan {
	o, err := parseGetex(d.Args)
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
	p.Reply = d.oldString
	return p
}

// MGET key [key ...]
func mget(c *Call) error {
	c.W.Array(len(c.Args) - 1)
	mark := c.W.Mark()
	for _, key := range c.Args[1:] {
		n, _ := c.Txn.StringLen(key) // another type reads as nil
		if err := c.fits(n); err != nil {
			return err
		}
		s, ok, err := c.Txn.String(key)
		c.W.BulkOrNull(s, ok && err == nil)
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	return nil
}

// MSET key value [key value ...]
func mset(c *Call) error {
	if len(c.Args)%2 == 0 {
		return errArity(c.Args[0])
	}
	for i := 1; i < len(c.Args); i += 2 {
		c.Txn.SetString(c.Args[i], c.Args[i+1], false)
		c.event("set", c.Args[i])
	}
	c.W.OK()
	return nil
}

// MSETNX key value [key value ...]
func msetnx(c *Call) error {
	if len(c.Args)%2 == 0 {
		return errArity(c.Args[0])
	}
	for i := 1; i < len(c.Args); i += 2 {
		if c.Txn.Exists(c.Args[i]) {
			c.W.Int(0)
			return nil
		}
	}
	for i := 1; i < len(c.Args); i += 2 {
		c.Txn.SetString(c.Args[i], c.Args[i+1], false)
		c.event("set", c.Args[i])
	}
	c.W.Int(1)
	return nil
}

func msetDirect(d *Direct) *keyspace.Plan {
	if len(d.Args)%2 == 0 || len(d.Args)/2 > store.MaxCommitOps {
		return nil
	}
	nx := d.Command.Name == "msetnx"
	last := make(map[string]string, len(d.Args)/2) // of a key named twice, the last value counts
	for i := 1; i < len(d.Args); i += 2 {
		last[d.Args[i]] = d.Args[i+1]
	}
	p := d.SetStrings(last, nx)
	if p == nil {
		return nil
	}
	p.Reply = func(_ store.Attrs) {
		if nx {
			d.W.Int(1)
		} else {
			d.W.OK()
		}
	}
	return p
}

// INCR key
// DECR key
// INCRBY key increment
// DECRBY key decrement
func incr(c *Call) error {
	delta, err := incrDelta(c.Command.Name, c.Args)
	if err != nil {
		return err
	}
	s, ok, err := c.Txn.String(c.Args[1])
	if err != nil {
		return err
	}
	n := int64(0)
	if ok {
		if n, ok = num.ParseInt(s); !ok {
			return ErrNotInteger
		}
	}
	n, ok = num.AddInt(n, delta)
	if !ok {
		return errOverflow
	}
	c.Txn.SetString(c.Args[1], strconv.FormatInt(n, 10), true)
	c.W.Int(n)
	return nil
}

// incrDelta is what a command of the INCR family adds.
func incrDelta(name string, args []string) (int64, error) {
	delta := int64(1)
	if len(args) == 3 {
		n, ok := num.ParseInt(args[2])
		if !ok {
			return 0, ErrNotInteger
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

func incrDirect(d *Direct) *keyspace.Plan {
	delta, err := incrDelta(d.Command.Name, d.Args)
	if err != nil {
		return nil
	}
	p := d.Add(delta)
	p.Reply = func(old store.Attrs) { d.W.Int(d.Number(old) + delta) }
	p.Replay = func(result store.Value) { d.W.Int(result.Num()) }
	return p
}

// INCRBYFLOAT key increment
func incrbyfloat(c *Call) error {
	s, ok, err := c.Txn.String(c.Args[1])
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
	by, ok := num.ParseLongDouble(c.Args[2])
	if !ok {
		return errNotFloat
	}
	sum, err := old.Add(by)
	if err != nil || sum.IsInf() {
		return Error("ERR increment would produce NaN or Infinity")
	}
	c.Txn.SetString(c.Args[1], sum.String(), true)
	c.W.Bulk(sum.String())
	return nil
}
