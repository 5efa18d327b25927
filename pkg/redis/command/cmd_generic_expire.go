package command

import (
	"math"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, PERSIST, TTL, PTTL, EXPIRETIME, PEXPIRETIME.

func expireCommands() []*Command {
	const w, r = Write | Fast, ReadOnly | Fast
	return []*Command{
		{Name: "expire", Arity: -3, Flags: w, Keys: OneKey, Use: "RW update", Group: "generic", Since: "1.0.0", Summary: "Makes a key expire after some seconds.", Run: expire, Direct: expireDirect},
		{Name: "pexpire", Arity: -3, Flags: w, Keys: OneKey, Use: "RW update", Group: "generic", Since: "2.6.0", Summary: "Makes a key expire after some milliseconds.", Run: expire, Direct: expireDirect},
		{Name: "expireat", Arity: -3, Flags: w, Keys: OneKey, Use: "RW update", Group: "generic", Since: "1.2.0", Summary: "Makes a key expire at a Unix time in seconds.", Run: expire, Direct: expireDirect},
		{Name: "pexpireat", Arity: -3, Flags: w, Keys: OneKey, Use: "RW update", Group: "generic", Since: "2.6.0", Summary: "Makes a key expire at a Unix time in milliseconds.", Run: expire, Direct: expireDirect},
		{Name: "persist", Arity: 2, Flags: w, Keys: OneKey, Use: "RW update", Event: "persist", Group: "generic", Since: "2.2.0", Summary: "Keeps a key from expiring.", Run: persist, Direct: persistDirect},
		{Name: "ttl", Arity: 2, Flags: r, Keys: OneKey, Tips: "nondeterministic_output", Group: "generic", Since: "1.0.0", Summary: "Returns the seconds until a key expires.", Run: ttl},
		{Name: "pttl", Arity: 2, Flags: r, Keys: OneKey, Tips: "nondeterministic_output", Group: "generic", Since: "2.6.0", Summary: "Returns the milliseconds until a key expires.", Run: ttl},
		{Name: "expiretime", Arity: 2, Flags: r, Keys: OneKey, Group: "generic", Since: "7.0.0", Summary: "Returns the Unix time in seconds at which a key expires.", Run: ttl},
		{Name: "pexpiretime", Arity: 2, Flags: r, Keys: OneKey, Group: "generic", Since: "7.0.0", Summary: "Returns the Unix time in milliseconds at which a key expires.", Run: ttl},
	}
}

// expiry is what the EXPIRE family asks for.
type expiry struct {
	at             int64 // Unix ms, possibly in the past
	nx, xx, gt, lt bool
}

// parseExpiry reads the arguments of the command called name, "expire" and so on.
func parseExpiry(name string, args []string, now int64) (expiry, error) {
	var x expiry
	for _, word := range args[3:] {
		switch strings.ToLower(word) {
		case "nx":
			x.nx = true
		case "xx":
			x.xx = true
		case "gt":
			x.gt = true
		case "lt":
			x.lt = true
		default:
			return x, Error("ERR Unsupported option " + word)
		}
	}
	switch {
	case x.nx && (x.xx || x.gt || x.lt):
		return x, Error("ERR NX and XX, GT or LT options at the same time are not compatible")
	case x.gt && x.lt:
		return x, Error("ERR GT and LT options at the same time are not compatible")
	}
	n, ok := num.ParseInt(args[2])
	if !ok {
		return x, ErrNotInteger
	}
	if name == "expire" || name == "expireat" {
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return x, errExpire(name)
		}
		n *= 1000
	}
	if name == "expireat" || name == "pexpireat" {
		now = 0
	}
	if n > math.MaxInt64-now {
		return x, errExpire(name)
	}
	x.at = n + now
	return x, nil
}

// wants reports whether a key with the given expiry, 0 for none, is to get the new one.
// No expiry counts as later than any.
func (x expiry) wants(current int64) bool {
	switch {
	case x.nx && current != 0, x.xx && current == 0:
		return false
	case x.gt && (current == 0 || x.at <= current):
		return false
	case x.lt && current != 0 && x.at >= current:
		return false
	}
	return true
}

// EXPIRE key seconds [NX | XX | GT | LT]
// PEXPIRE key milliseconds [NX | XX | GT | LT]
// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
func expire(c *Call) error {
	x, err := parseExpiry(c.Command.Name, c.Args, c.Txn.Now())
	if err != nil {
		return err
	}
	key := c.Args[1]
	done := c.Txn.Exists(key) && x.wants(c.Txn.Expiry(key))
	switch {
	case done && x.at <= c.Txn.Now():
		c.Txn.Delete(key)
	case done:
		c.Txn.SetExpiry(key, x.at)
		c.event("expire", key)
	}
	c.W.IntBool(done)
	return nil
}

// expireDirect: NX, XX, GT or LT are the condition.
func expireDirect(d *Direct) *keyspace.Plan {
	x, err := parseExpiry(strings.ToLower(d.Args[0]), d.Args, d.Now())
	if err != nil {
		return nil
	}
	p := d.Expire(x.at, keyspace.ExpiryCond{None: x.nx, Some: x.xx, Later: x.gt, Sooner: x.lt})
	p.Reply = d.unlessEmpty
	return p
}

// unlessEmpty replies 1, or 0 if the head turns out to be an empty collection's.
func (d *Direct) unlessEmpty(old store.Attrs) { d.W.IntBool(!d.WasEmpty(old)) }

// PERSIST key
func persist(c *Call) error {
	had := c.Txn.Expiry(c.Args[1]) != 0
	if had {
		c.Txn.SetExpiry(c.Args[1], 0)
	}
	c.W.IntBool(had)
	return nil
}

func persistDirect(d *Direct) *keyspace.Plan {
	p := d.Persist()
	p.Reply = d.unlessEmpty
	return p
}

// TTL key
// PTTL key
// EXPIRETIME key
// PEXPIRETIME key
func ttl(c *Call) error {
	at := c.Txn.Expiry(c.Args[1])
	switch {
	case !c.Txn.Exists(c.Args[1]):
		c.W.Int(-2)
		return nil
	case at == 0:
		c.W.Int(-1)
		return nil
	}
	name := c.Command.Name
	if name == "ttl" || name == "pttl" {
		at -= c.Txn.Now()
	}
	if name == "ttl" || name == "expiretime" {
		at = at/1000 + (at%1000+500)/1000 // rounded; the sum could overflow
	}
	c.W.Int(at)
	return nil
}
