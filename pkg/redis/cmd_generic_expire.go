package redis

import (
	"math"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, PERSIST, TTL, PTTL, EXPIRETIME, PEXPIRETIME.

func expireCommands() []*command {
	const w, r = write | fast, readonly | fast
	return []*command{
		{name: "expire", arity: -3, flags: w, keys: oneKey, use: "RW update", group: "generic", since: "1.0.0", summary: "Makes a key expire after some seconds.", run: expire, direct: expireDirect},
		{name: "pexpire", arity: -3, flags: w, keys: oneKey, use: "RW update", group: "generic", since: "2.6.0", summary: "Makes a key expire after some milliseconds.", run: expire, direct: expireDirect},
		{name: "expireat", arity: -3, flags: w, keys: oneKey, use: "RW update", group: "generic", since: "1.2.0", summary: "Makes a key expire at a Unix time in seconds.", run: expire, direct: expireDirect},
		{name: "pexpireat", arity: -3, flags: w, keys: oneKey, use: "RW update", group: "generic", since: "2.6.0", summary: "Makes a key expire at a Unix time in milliseconds.", run: expire, direct: expireDirect},
		{name: "persist", arity: 2, flags: w, keys: oneKey, use: "RW update", group: "generic", since: "2.2.0", summary: "Keeps a key from expiring.", run: persist, direct: persistDirect},
		{name: "ttl", arity: 2, flags: r, keys: oneKey, tips: "nondeterministic_output", group: "generic", since: "1.0.0", summary: "Returns the seconds until a key expires.", run: ttl},
		{name: "pttl", arity: 2, flags: r, keys: oneKey, tips: "nondeterministic_output", group: "generic", since: "2.6.0", summary: "Returns the milliseconds until a key expires.", run: ttl},
		{name: "expiretime", arity: 2, flags: r, keys: oneKey, group: "generic", since: "7.0.0", summary: "Returns the Unix time in seconds at which a key expires.", run: ttl},
		{name: "pexpiretime", arity: 2, flags: r, keys: oneKey, group: "generic", since: "7.0.0", summary: "Returns the Unix time in milliseconds at which a key expires.", run: ttl},
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
		return x, errNotInteger
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
func expire(c *call) error {
	x, err := parseExpiry(c.cmd.name, c.args, c.tx.Now())
	if err != nil {
		return err
	}
	key := c.args[1]
	done := c.tx.Exists(key) && x.wants(c.tx.Expiry(key))
	switch {
	case done && x.at <= c.tx.Now():
		c.tx.Delete(key)
	case done:
		c.tx.SetExpiry(key, x.at)
	}
	c.w.IntBool(done)
	return nil
}

// expireDirect: NX, XX, GT or LT are the condition.
func expireDirect(d *direct) *plan {
	x, err := parseExpiry(strings.ToLower(d.args[0]), d.args, d.Now())
	if err != nil {
		return nil
	}
	p := d.Expire(x.at, ExpiryCond{None: x.nx, Some: x.xx, Later: x.gt, Sooner: x.lt})
	p.reply = d.unlessEmpty
	return p
}

// unlessEmpty replies 1, or 0 if the head turns out to be an empty collection's.
func (d *direct) unlessEmpty(old store.Attrs, w *resp.Writer) { w.IntBool(!d.WasEmpty(old)) }

// PERSIST key
func persist(c *call) error {
	had := c.tx.Expiry(c.args[1]) != 0
	if had {
		c.tx.SetExpiry(c.args[1], 0)
	}
	c.w.IntBool(had)
	return nil
}

func persistDirect(d *direct) *plan {
	p := d.Persist()
	p.reply = d.unlessEmpty
	return p
}

// TTL key
// PTTL key
// EXPIRETIME key
// PEXPIRETIME key
func ttl(c *call) error {
	at := c.tx.Expiry(c.args[1])
	switch {
	case !c.tx.Exists(c.args[1]):
		c.w.Int(-2)
		return nil
	case at == 0:
		c.w.Int(-1)
		return nil
	}
	name := c.cmd.name
	if name == "ttl" || name == "pttl" {
		at -= c.tx.Now()
	}
	if name == "ttl" || name == "expiretime" {
		at = at/1000 + (at%1000+500)/1000 // rounded; the sum could overflow
	}
	c.w.Int(at)
	return nil
}
