package redis

import "github.com/skystash/skystash/pkg/redis/internal/num"

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

func hashExpireCommands() []*command {
	return []*command{
		{name: "hexpire", arity: -6, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "hash", since: "7.4.0", summary: "Sets the time to live of fields in seconds.", run: hexpire},
		{name: "hpexpire", arity: -6, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "hash", since: "7.4.0", summary: "Sets the time to live of fields in milliseconds.", run: hpexpire},
		{name: "hexpireat", arity: -6, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "hash", since: "7.4.0", summary: "Makes fields expire at a Unix time in seconds.", run: hexpireat},
		{name: "hpexpireat", arity: -6, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "hash", since: "7.4.0", summary: "Makes fields expire at a Unix time in milliseconds.", run: hpexpireat},
		{name: "httl", arity: -5, flags: readonly | fast, keys: oneKey, group: "hash", since: "7.4.0", summary: "Returns the time to live of fields in seconds.", run: httl},
		{name: "hpttl", arity: -5, flags: readonly | fast, keys: oneKey, group: "hash", since: "7.4.0", summary: "Returns the time to live of fields in milliseconds.", run: hpttl},
		{name: "hexpiretime", arity: -5, flags: readonly | fast, keys: oneKey, group: "hash", since: "7.4.0", summary: "Returns when fields expire as Unix times in seconds.", run: hexpiretime},
		{name: "hpexpiretime", arity: -5, flags: readonly | fast, keys: oneKey, group: "hash", since: "7.4.0", summary: "Returns when fields expire as Unix times in milliseconds.", run: hpexpiretime},
		{name: "hpersist", arity: -5, flags: write | fast, keys: oneKey, use: "RW update", group: "hash", since: "7.4.0", summary: "Removes the expiry of fields.", run: hpersist},
		{name: "hgetdel", arity: -5, flags: write | fast, keys: oneKey, use: "RW access delete", group: "hash", since: "8.0.0", summary: "Returns the values of fields and deletes them.", run: hgetdel},
		{name: "hgetex", arity: -5, flags: write | fast, keys: oneKey, group: "hash", since: "8.0.0", summary: "Returns the values of fields and changes their expiry.", run: hgetex},
		{name: "hsetex", arity: -6, flags: write | denyoom | fast, keys: oneKey, use: "RW update", group: "hash", since: "8.0.0", summary: "Sets fields with an expiry.", run: hsetex},
	}
}

// fieldArgs reads "FIELDS n field [field ...]" from argument i to the end.
func (c *call) fieldArgs(i int, invalid Error) ([]string, error) {
	if i >= len(c.args) || !c.is(i, "fields") {
		return nil, errFieldsMissing
	}
	if i+1 >= len(c.args) {
		return nil, errNumFields
	}
	n, ok := num.ParseInt(c.args[i+1])
	if !ok || n < 1 {
		return nil, invalid
	}
	fields := c.args[i+2:]
	if n != int64(len(fields)) {
		return nil, errNumFields
	}
	return fields, nil
}

// fieldExpireTime reads an expiry of fields: a number of units (ms) after a base (Unix ms).
func (c *call) fieldExpireTime(i int, unit, base int64) (int64, error) {
	n, err := c.int(i)
	if err != nil {
		return 0, err
	}
	switch {
	case n < 0:
		return 0, errFieldExpire
	case n > maxFieldExpiry/unit || n*unit > maxFieldExpiry-base:
		return 0, errExpire(c.cmd.name)
	}
	return base + n*unit, nil
}

// expireOption is the unit (ms) and base (Unix ms) of the expiry that an option EX, PX, EXAT
// or PXAT announces; not ok if argument i is none of them.
func (c *call) expireOption(i int) (unit, base int64, ok bool) {
	switch {
	case c.is(i, "ex"):
		return 1000, c.tx.Now(), true
	case c.is(i, "px"):
		return 1, c.tx.Now(), true
	case c.is(i, "exat"):
		return 1000, 0, true
	case c.is(i, "pxat"):
		return 1, 0, true
	}
	return 0, 0, false
}

// expireField makes an existing field expire, at once if the time has passed.
func (c *call) expireField(h *Hash, f Field, at int64) int64 {
	if at <= c.tx.Now() {
		h.Delete(f.Name)
		return fieldDeleted
	}
	if f.Expires != at {
		h.SetExpiry(f, at)
	}
	return fieldChanged
}

// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
func hexpire(c *call) error { return c.expireFields(1000, c.tx.Now()) }

// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
func hpexpire(c *call) error { return c.expireFields(1, c.tx.Now()) }

// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
func hexpireat(c *call) error { return c.expireFields(1000, 0) }

// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
func hpexpireat(c *call) error { return c.expireFields(1, 0) }

func (c *call) expireFields(unit, base int64) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	at, err := c.fieldExpireTime(2, unit, base)
	if err != nil {
		return err
	}
	i, allowed := 3, func(Field) bool { return true }
	switch {
	case c.is(i, "nx"):
		i, allowed = 4, func(f Field) bool { return f.Expires == 0 }
	case c.is(i, "xx"):
		i, allowed = 4, func(f Field) bool { return f.Expires != 0 }
	case c.is(i, "gt"):
		i, allowed = 4, func(f Field) bool { return f.Expires != 0 && at > f.Expires }
	case c.is(i, "lt"):
		i, allowed = 4, func(f Field) bool { return f.Expires == 0 || at < f.Expires }
	}
	fields, err := c.fieldArgs(i, errFieldsGreater0)
	if err != nil {
		return err
	}
	h.Fetch(fields)
	c.w.Array(len(fields))
	for _, name := range fields {
		switch f, ok := h.Get(name); {
		case !ok:
			c.w.Int(fieldMissing)
		case !allowed(f):
			c.w.Int(fieldUnchanged)
		default:
			c.w.Int(c.expireField(h, f, at))
		}
	}
	return nil
}

// HTTL key FIELDS numfields field [field ...]
func httl(c *call) error {
	return c.fieldTimes(func(at int64) int64 { return (at - c.tx.Now() + 999) / 1000 })
}

// HPTTL key FIELDS numfields field [field ...]
func hpttl(c *call) error {
	return c.fieldTimes(func(at int64) int64 { return at - c.tx.Now() })
}

// HEXPIRETIME key FIELDS numfields field [field ...]
//
// It rounds down, as Upstash does and EXPIRETIME does not: a client compares with its own clock's second.
func hexpiretime(c *call) error {
	return c.fieldTimes(func(at int64) int64 { return at / 1000 })
}

// HPEXPIRETIME key FIELDS numfields field [field ...]
func hpexpiretime(c *call) error { return c.fieldTimes(func(at int64) int64 { return at }) }

// fieldTimes replies with each field's expiry (Unix ms), as show makes it.
func (c *call) fieldTimes(show func(at int64) int64) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	fields, err := c.fieldArgs(2, errFieldsPositive)
	if err != nil {
		return err
	}
	h.Fetch(fields)
	c.w.Array(len(fields))
	for _, name := range fields {
		switch f, ok := h.Get(name); {
		case !ok:
			c.w.Int(fieldMissing)
		case f.Expires == 0:
			c.w.Int(fieldPersistent)
		default:
			c.w.Int(show(f.Expires))
		}
	}
	return nil
}

// HPERSIST key FIELDS numfields field [field ...]
func hpersist(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	fields, err := c.fieldArgs(2, errFieldsPositive)
	if err != nil {
		return err
	}
	h.Fetch(fields)
	c.w.Array(len(fields))
	for _, name := range fields {
		switch f, ok := h.Get(name); {
		case !ok:
			c.w.Int(fieldMissing)
		case f.Expires == 0:
			c.w.Int(fieldPersistent)
		default:
			h.SetExpiry(f, 0)
			c.w.Int(fieldChanged)
		}
	}
	return nil
}

// HGETDEL key FIELDS numfields field [field ...]
func hgetdel(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	fields, err := c.fieldArgs(2, errFieldsPositive)
	if err != nil {
		return err
	}
	h.Fetch(fields)
	c.w.Array(len(fields))
	for _, name := range fields {
		f, ok := h.Get(name)
		c.w.BulkOrNull(h.Text(f), ok)
		h.Delete(name)
	}
	return nil
}

// HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]
func hgetex(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	i, at := 2, int64(0)
	unit, base, expire := c.expireOption(i)
	persist := c.is(i, "persist")
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
	c.w.Array(len(fields))
	for _, name := range fields {
		f, ok := h.Get(name)
		c.w.BulkOrNull(h.Text(f), ok)
		switch {
		case ok && expire:
			c.expireField(h, f, at)
		case ok && persist && f.Expires != 0:
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

func (c *call) hsetexArgs() (a hsetexArgs, err error) {
	for i := 2; i < len(c.args); i++ {
		unit, base, expire := c.expireOption(i)
		switch {
		case c.is(i, "fields"):
			if i >= len(c.args)-3 {
				return a, errArity(c.args[0])
			}
			n, ok := num.ParseInt(c.args[i+1])
			if !ok || n < 1 || n > 1<<31-1 {
				return a, errFieldsInvalid
			}
			a.pairs = c.args[i+2:]
			if int64(len(a.pairs)) != 2*n {
				return a, errArity(c.args[0])
			}
			return a, nil
		case expire:
			if a.expire || a.keepTTL {
				return a, errTwoExpires
			}
			if i++; i >= len(c.args) {
				return a, errExpireMissing
			}
			a.expire = true
			if a.at, err = c.fieldExpireTime(i, unit, base); err != nil {
				return a, err
			}
		case c.is(i, "keepttl"):
			if a.expire || a.keepTTL {
				return a, errTwoExpires
			}
			a.keepTTL = true
		case c.is(i, "fxx") || c.is(i, "fnx"):
			if a.fxx || a.fnx {
				return a, errTwoFieldConds
			}
			a.fxx, a.fnx = c.is(i, "fxx"), c.is(i, "fnx")
		default:
			return a, Error("ERR unknown argument: " + c.args[i])
		}
	}
	return a, errFieldsMissing
}

// HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]
func hsetex(c *call) error {
	a, err := c.hsetexArgs()
	if err != nil {
		return err
	}
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	names := evenArgs(a.pairs)
	h.Fetch(names)
	if a.fnx || a.fxx {
		for _, name := range names {
			if _, ok := h.Get(name); ok != a.fxx {
				c.w.Int(0)
				return nil
			}
		}
	}
	if a.expire && a.at <= c.tx.Now() {
		for _, name := range names {
			h.Delete(name)
		}
		c.w.Int(1)
		return nil
	}
	if h, err = c.tx.HashForUpdate(c.args[1]); err != nil {
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
	c.w.Int(1)
	return nil
}
