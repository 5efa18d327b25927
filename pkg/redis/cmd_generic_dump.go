package redis

import (
	"errors"

	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// DUMP, RESTORE.

func dumpCommands() []*command {
	return []*command{
		{name: "dump", arity: 2, flags: readonly, keys: oneKey, tips: "nondeterministic_output", group: "generic", since: "2.6.0", summary: "Returns a serialized copy of a key's value.", run: dump},
		{name: "restore", arity: -4, flags: write | denyoom, keys: oneKey, use: "OW update", group: "generic", since: "2.6.0", summary: "Creates a key from a serialized value.", run: restore},
	}
}

const (
	errBusyKey    Error = "BUSYKEY Target key name already exists."
	errBadPayload Error = "ERR DUMP payload version or checksum are wrong"
	errBadFormat  Error = "ERR Bad data format"
)

// DUMP key
func dump(c *call) error {
	// All of the value is read, as long as it may fit into a reply.
	limit, size := c.host.maxReply, 0
	v, ok, err := c.tx.Dump(c.args[1], func(n int) bool {
		size += n
		return size <= limit
	})
	switch {
	case err != nil:
		return err
	case !ok:
		c.w.Null()
		return nil
	case size > limit:
		return errReplySize(limit, size)
	}
	c.w.Bulk(rdb.Dump(v))
	return nil
}

// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
//
// Idle time and frequency are checked but not recorded.
func restore(c *call) error {
	o, err := parseRestore(c)
	if err != nil {
		return err
	}
	key := c.args[1]
	if !o.replace && c.tx.Exists(key) {
		return errBusyKey
	}
	ttl, err := c.int(2)
	if err != nil {
		return err
	}
	if ttl < 0 {
		return Error("ERR Invalid TTL value, must be >= 0")
	}
	v, err := rdb.Load(c.args[3])
	switch {
	case errors.Is(err, rdb.ErrFormat):
		return errBadFormat
	case err != nil:
		return errBadPayload
	}
	if v.Kind == rdb.JSON {
		doc, err := jsondoc.Parse(v.JSON)
		if err != nil {
			return errBadFormat
		}
		v.JSON = string(doc.AppendTo(nil))
	}
	at := ttl
	if ttl != 0 && !o.absolute {
		if at += c.tx.Now(); at < 0 {
			return errExpire("restore")
		}
	}
	if ttl != 0 && at <= c.tx.Now() {
		c.tx.Delete(key)
	} else {
		c.tx.Restore(key, v)
		c.tx.SetExpiry(key, at)
	}
	c.w.OK()
	return nil
}

type restoreOptions struct{ replace, absolute bool }

func parseRestore(c *call) (restoreOptions, error) {
	var o restoreOptions
	idle, freq := false, false
	for i := 4; i < len(c.args); i++ {
		more := i+1 < len(c.args)
		switch {
		case c.is(i, "replace"):
			o.replace = true
		case c.is(i, "absttl"):
			o.absolute = true
		case c.is(i, "idletime") && more && !freq:
			i++
			n, err := c.int(i)
			if err != nil {
				return o, err
			}
			if n < 0 {
				return o, Error("ERR Invalid IDLETIME value, must be >= 0")
			}
			idle = true
		case c.is(i, "freq") && more && !idle:
			i++
			n, err := c.int(i)
			if err != nil {
				return o, err
			}
			if n < 0 || n > 255 {
				return o, Error("ERR Invalid FREQ value, must be >= 0 and <= 255")
			}
			freq = true
		default:
			return o, errSyntax
		}
	}
	return o, nil
}
