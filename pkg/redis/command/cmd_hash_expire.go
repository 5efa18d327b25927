package command

import (
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME, HPERSIST,
// HGETDEL, HGETEX, HSETEX.

const (
	errFieldsMissing  Error = "ERR Mandatory argument FIELDS is missing or not at the right position"
	errNumFields      Error = "ERR The `numfields` parameter must match the number of arguments"
	errFieldsPositive Error = "ERR Number of fields must be a positive integer"
	errFieldsGreater0 Error = "ERR Parameter `numFields` should be greater than 0"
	errFieldsInvalid  Error = "ERR invalid number of fields"
	errFieldExpire    Error = "ERR invalid expire time, must be >= 0"
	errExpireMissing  Error = "ERR missing expire time"
	errTwoExpires     Error = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
	errTwoFieldConds  Error = "ERR Only one of FXX or FNX arguments can be specified"
)

// Replies for single fields.
const (
	fieldMissing    = -2
	fieldPersistent = -1 // it has no expiry
	fieldUnchanged  = 0  // the condition is not met
	fieldChanged    = 1
	fieldDeleted    = 2 // the time has passed
)

// maxFieldExpiry is the latest expiry of a field (Unix ms). Redis stops at 46 bits and so refuses
// milliseconds where it is seconds that are meant; clients of the service we imitate count on their being taken.
const maxFieldExpiry = 1<<62 - 1

func hashExpireCommands() []*Command {
	return []*Command{
		{Name: "hexpire", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Event: "hexpire", Group: "hash", Since: "7.4.0", Summary: "Sets the time to live of fields in seconds.", Run: hexpire},
		{Name: "hpexpire", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Event: "hexpire", Group: "hash", Since: "7.4.0", Summary: "Sets the time to live of fields in milliseconds.", Run: hpexpire},
		{Name: "hexpireat", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Event: "hexpire", Group: "hash", Since: "7.4.0", Summary: "Makes fields expire at a Unix time in seconds.", Run: hexpireat},
		{Name: "hpexpireat", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Event: "hexpire", Group: "hash", Since: "7.4.0", Summary: "Makes fields expire at a Unix time in milliseconds.", Run: hpexpireat},
		{Name: "httl", Arity: -5, Flags: ReadOnly | Fast, Keys: OneKey, Group: "hash", Since: "7.4.0", Summary: "Returns the time to live of fields in seconds.", Run: httl},
		{Name: "hpttl", Arity: -5, Flags: ReadOnly | Fast, Keys: OneKey, Group: "hash", Since: "7.4.0", Summary: "Returns the time to live of fields in milliseconds.", Run: hpttl},
		{Name: "hexpiretime", Arity: -5, Flags: ReadOnly | Fast, Keys: OneKey, Group: "hash", Since: "7.4.0", Summary: "Returns when fields expire as Unix times in seconds.", Run: hexpiretime},
		{Name: "hpexpiretime", Arity: -5, Flags: ReadOnly | Fast, Keys: OneKey, Group: "hash", Since: "7.4.0", Summary: "Returns when fields expire as Unix times in milliseconds.", Run: hpexpiretime},
		{Name: "hpersist", Arity: -5, Flags: Write | Fast, Keys: OneKey, Use: "RW update", Event: "hpersist", Group: "hash", Since: "7.4.0", Summary: "Removes the expiry of fields.", Run: hpersist},
		{Name: "hgetdel", Arity: -5, Flags: Write | Fast, Keys: OneKey, Use: "RW access delete", Event: "hdel", Group: "hash", Since: "8.0.0", Summary: "Returns the values of fields and deletes them.", Run: hgetdel},
		{Name: "hgetex", Arity: -5, Flags: Write | Fast, Keys: OneKey, Group: "hash", Since: "8.0.0", Summary: "Returns the values of fields and changes their expiry.", Run: hgetex},
		{Name: "hsetex", Arity: -6, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW update", Group: "hash", Since: "8.0.0", Summary: "Sets fields with an expiry.", Run: hsetex},
	}
}

// fieldArgs reads "FIELDS n field [field ...]" from argument i to the end.
func (c *Call) fieldArgs(i int, invalid Error) ([]string, error) {
	if i >= len(c.Args) || !c.Is(i, "fields") {
		return nil, errFieldsMissing
	}
	if i+1 >= len(c.Args) {
		return nil, errNumFields
	}
	n, ok := num.ParseInt(c.Args[i+1])
	if !ok || n < 1 {
		return nil, invalid
	}
	fields := c.Args[i+2:]
	if n != int64(len(fields)) {
		return nil, errNumFields
	}
	return fields, nil
}

// fieldExpireTime reads an expiry of fields: a number of units (ms) after a base (Unix ms).
func (c *Call) fieldExpireTime(i int, unit, base int64) (int64, error) {
	n, err := c.Int(i)
	if err != nil {
		return 0, err
	}
	switch {
	case n < 0:
		return 0, errFieldExpire
	case n > maxFieldExpiry/unit || n*unit > maxFieldExpiry-base:
		return 0, errExpire(c.Command.Name)
	}
	return base + n*unit, nil
}

// expireOption is the unit (ms) and base (Unix ms) of the expiry that an option EX, PX, EXAT
// or PXAT announces; not ok if argument i is none of them.
func (c *Call) expireOption(i int) (unit, base int64, ok bool) {
	switch {
	case c.Is(i, "ex"):
		return 1000, c.Txn.Now(), true
	case c.Is(i, "px"):
		return 1, c.Txn.Now(), true
	case c.Is(i, "exat"):
		return 1000, 0, true
	case c.Is(i, "pxat"):
		return 1, 0, true
	}
	return 0, 0, false
}

// expireField makes an existing field expire, at once if the time has passed.
func (c *Call) expireField(h *keyspace.Hash, f keyspace.Field, at int64) int64 {
	if at <= c.Txn.Now() {
		h.Delete(f.Name)
		return fieldDeleted
	}
	if f.Expires != at {
		h.SetExpiry(f, at)
	}
	return fieldChanged
}

// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
func hexpire(c *Call) error { return c.expireFields(1000, c.Txn.Now()) }

// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
func hpexpire(c *Call) error { return c.expireFields(1, c.Txn.Now()) }

// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
func hexpireat(c *Call) error { return c.expireFields(1000, 0) }

// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
func hpexpireat(c *Call) error { return c.expireFields(1, 0) }

func (c *Call) expireFields(unit, base int64) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	at, err := c.fieldExpireTime(2, unit, base)
	if err != nil {
		return err
	}
	i, allowed := 3, func(keyspace.Field) bool { return true }
	switch {
	case c.Is(i, "nx"):
		i, allowed = 4, func(f keyspace.Field) bool { return f.Expires == 0 }
	case c.Is(i, "xx"):
		i, allowed = 4, func(f keyspace.Field) bool { return f.Expires != 0 }
	case c.Is(i, "gt"):
		i, allowed = 4, func(f keyspace.Field) bool { return f.Expires != 0 && at > f.Expires }
	case c.Is(i, "lt"):
		i, allowed = 4, func(f keyspace.Field) bool { return f.Expires == 0 || at < f.Expires }
	}
	fields, err := c.fieldArgs(i, errFieldsGreater0)
	if err != nil {
		return err
	}
	h.Fetch(fields)
	c.W.Array(len(fields))
	for _, name := range fields {
		switch f, ok := h.Get(name); {
		case !ok:
			c.W.Int(fieldMissing)
		case !allowed(f):
			c.W.Int(fieldUnchanged)
		default:
			c.W.Int(c.expireField(h, f, at))
		}
	}
	return nil
}

// HTTL key FIELDS numfields field [field ...]
func httl(c *Call) error {
	return c.fieldTimes(func(at int64) int64 { return (at - c.Txn.Now() + 999) / 1000 })
}

// HPTTL key FIELDS numfields field [field ...]
func hpttl(c *Call) error {
	return c.fieldTimes(func(at int64) int64 { return at - c.Txn.Now() })
}

// HEXPIRETIME key FIELDS numfields field [field ...]
//
// It rounds down, as Upstash does and EXPIRETIME does not: a client compares with its own clock's second.
func hexpiretime(c *Call) error {
	return c.fieldTimes(func(at int64) int64 { return at / 1000 })
}

// HPEXPIRETIME key FIELDS numfields field [field ...]
func hpexpiretime(c *Call) error { return c.fieldTimes(func(at int64) int64 { return at }) }

// fieldTimes replies with each field's expiry (Unix ms), as show makes it.
func (c *Call) fieldTimes(show func(at int64) int64) error {
	return c.eachExpiry(func(_ *keyspace.Hash, f keyspace.Field) int64 { return show(f.Expires) })
}

// HPERSIST key FIELDS numfields field [field ...]
func hpersist(c *Call) error {
	return c.eachExpiry(func(h *keyspace.Hash, f keyspace.Field) int64 {
		h.SetExpiry(f, 0)
		return fieldChanged
	})
}

// eachExpiry replies with an integer for each field that is given: reply's, if it expires.
func (c *Call) eachExpiry(reply func(h *keyspace.Hash, f keyspace.Field) int64) error {
	return c.givenFields(func(h *keyspace.Hash, _ string, f keyspace.Field, ok bool) {
		switch {
		case !ok:
			c.W.Int(fieldMissing)
		case f.Expires == 0:
			c.W.Int(fieldPersistent)
		default:
			c.W.Int(reply(h, f))
		}
	})
}

// givenFields replies for each of the fields that FIELDS names, in HTTL and its like.
func (c *Call) givenFields(reply func(h *keyspace.Hash, name string, f keyspace.Field, ok bool)) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	fields, err := c.fieldArgs(2, errFieldsPositive)
	if err != nil {
		return err
	}
	h.Fetch(fields)
	c.W.Array(len(fields))
	for _, name := range fields {
		f, ok := h.Get(name)
		reply(h, name, f, ok)
	}
	return nil
}

// HGETDEL key FIELDS numfields field [field ...]
func hgetdel(c *Call) error {
	return c.givenFields(func(h *keyspace.Hash, name string, f keyspace.Field, ok bool) {
		c.W.BulkOrNull(h.Text(f), ok)
		h.Delete(name)
	})
}

// HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]
func hgetex(c *Call) error {
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	i, at := 2, int64(0)
	unit, base, expire := c.expireOption(i)
	persist := c.Is(i, "persist")
	switch {
	case expire:
		if at, err = c.fieldExpireTime(3, unit, base); err != nil {
			return err
		}
		i = 4
	case persist:
		i = 3
	}
	fields, err := c.fieldArgs(i, errFieldsPositive)
	if err != nil {
		return err
	}
	h.Fetch(fields)
	c.W.Array(len(fields))
	for _, name := range fields {
		f, ok := h.Get(name)
		c.W.BulkOrNull(h.Text(f), ok)
		switch {
		case ok && expire:
			c.Event = "hexpire"
			c.expireField(h, f, at)
		case ok && persist && f.Expires != 0:
			c.Event = "hpersist"
			h.SetExpiry(f, 0)
		}
	}
	return nil
}

// hsetexArgs are the arguments of HSETEX.
type hsetexArgs struct {
	fnx, fxx bool
	expire   bool
	at       int64 // Unix ms
	keepTTL  bool
	pairs    []string // field, value, ...
}

func (c *Call) hsetexArgs() (a hsetexArgs, err error) {
	for i := 2; i < len(c.Args); i++ {
		unit, base, expire := c.expireOption(i)
		switch {
		case c.Is(i, "fields"):
			if i >= len(c.Args)-3 {
				return a, errArity(c.Args[0])
			}
			n, ok := num.ParseInt(c.Args[i+1])
			if !ok || n < 1 || n > 1<<31-1 {
				return a, errFieldsInvalid
			}
			a.pairs = c.Args[i+2:]
			if int64(len(a.pairs)) != 2*n {
				return a, errArity(c.Args[0])
			}
			return a, nil
		case expire:
			if a.expire || a.keepTTL {
				return a, errTwoExpires
			}
			if i++; i >= len(c.Args) {
				return a, errExpireMissing
			}
			a.expire = true
			if a.at, err = c.fieldExpireTime(i, unit, base); err != nil {
				return a, err
			}
		case c.Is(i, "keepttl"):
			if a.expire || a.keepTTL {
				return a, errTwoExpires
			}
			a.keepTTL = true
		case c.Is(i, "fxx") || c.Is(i, "fnx"):
			if a.fxx || a.fnx {
				return a, errTwoFieldConds
			}
			a.fxx, a.fnx = c.Is(i, "fxx"), c.Is(i, "fnx")
		default:
			return a, Error("ERR unknown argument: " + c.Args[i])
		}
	}
	return a, errFieldsMissing
}

// HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]
func hsetex(c *Call) error {
	a, err := c.hsetexArgs()
	if err != nil {
		return err
	}
	h, err := c.Txn.Hash(c.Args[1])
	if err != nil {
		return err
	}
	names := evenArgs(a.pairs)
	h.Fetch(names)
	if a.fnx || a.fxx {
		for _, name := range names {
			if _, ok := h.Get(name); ok != a.fxx {
				c.W.Int(0)
				return nil
			}
		}
	}
	if a.expire && a.at <= c.Txn.Now() {
		for _, name := range names {
			h.Delete(name)
		}
		c.W.Int(1)
		return nil
	}
	if h, err = c.Txn.HashForUpdate(c.Args[1]); err != nil {
		return err
	}
	for i, name := range names {
		at := a.at
		if a.keepTTL {
			f, _ := h.Get(name)
			at = f.Expires
		}
		h.Set(name, a.pairs[2*i+1], at)
	}
	c.event("hset", c.Args[1])
	if a.expire {
		c.event("hexpire", c.Args[1])
	}
	c.W.Int(1)
	return nil
}
