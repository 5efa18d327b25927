package command

import (
	"errors"

	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// DUMP, RESTORE.

func dumpCommands() []*Command {
	return []*Command{
		{Name: "dump", Arity: 2, Flags: ReadOnly, Keys: OneKey, Tips: "nondeterministic_output", Group: "generic", Since: "2.6.0", Summary: "Returns a serialized copy of a key's value.", Run: dump},
		{Name: "restore", Arity: -4, Flags: Write | DenyOOM, Keys: OneKey, Use: "OW update", Event: "restore", Group: "generic", Since: "2.6.0", Summary: "Creates a key from a serialized value.", Run: restore},
	}
}

const (
	errBusyKey    Error = "BUSYKEY Target key name already exists."
	ErrBadPayload Error = "ERR DUMP payload version or checksum are wrong"
	errBadFormat  Error = "ERR Bad data format"
)

// DUMP key
func dump(c *Call) error {
	// All of the value is read, as long as it may fit into a reply.
	limit, size := c.Host.MaxReply, 0
	v, ok, err := c.Txn.Dump(c.Args[1], func(n int) bool {
		size += n
		return size <= limit
	})
	switch {
	case err != nil:
		return err
	case !ok:
		c.W.Null()
		return nil
	case size > limit:
		return ErrReplySize(limit, size)
	}
	c.W.Bulk(rdb.Dump(v))
	return nil
}

// decodeWork is what a byte costs that a dump decodes to, in units of work. An element counts as 240 of them.
const decodeWork = 1

// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
//
// Idle time and frequency are checked but not recorded.
func restore(c *Call) error {
	o, err := parseRestore(c)
	if err != nil {
		return err
	}
	key := c.Args[1]
	if !o.replace && c.Txn.Exists(key) {
		return errBusyKey
	}
	ttl, err := c.Int(2)
	if err != nil {
		return err
	}
	if ttl < 0 {
		return Error("ERR Invalid TTL value, must be >= 0")
	}
	decoded := int64(0)
	v, err := rdb.LoadWithin(c.Args[3], func(bytes int) bool {
		decoded += int64(bytes)
		c.Txn.Hold(int64(bytes))
		return c.Txn.Spend(decodeWork*int64(bytes)) == nil
	})
	switch {
	case c.Txn.Err() != nil:
		return c.Txn.Err()
	case errors.Is(err, rdb.ErrFormat):
		return errBadFormat
	case err != nil:
		return ErrBadPayload
	}
	if v.Kind == rdb.JSON {
		if size := int64(len(v.JSON)); size > keyspace.MaxRecord {
			return keyspace.ErrRecordSize(size)
		}
		if c.Txn.SpendParsing(v.JSON); !c.Txn.Room(2 * int64(len(v.JSON))) { // of the document, and of its text
			return c.Txn.Err()
		}
		doc, err := jsondoc.Parse(v.JSON)
		if err != nil {
			return errBadFormat
		}
		v.JSON = string(doc.AppendTo(nil))
	}
	at := ttl
	if ttl != 0 && !o.absolute {
		if at += c.Txn.Now(); at < 0 {
			return errExpire("restore")
		}
	}
	if ttl != 0 && at <= c.Txn.Now() {
		c.Txn.Delete(key)
	} else {
		if v.Kind == rdb.String {
			c.Txn.Hold(-decoded) // the value is this string, and is counted as any other
		}
		c.Txn.Restore(key, v)
		c.Txn.SetExpiry(key, at)
	}
	c.W.OK()
	return nil
}

type restoreOptions struct{ replace, absolute bool }

func parseRestore(c *Call) (restoreOptions, error) {
	var o restoreOptions
	idle, freq := false, false
	for i := 4; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch {
		case c.Is(i, "replace"):
			o.replace = true
		case c.Is(i, "absttl"):
			o.absolute = true
		case c.Is(i, "idletime") && more && !freq:
			i++
			n, err := c.Int(i)
			if err != nil {
				return o, err
			}
			if n < 0 {
				return o, Error("ERR Invalid IDLETIME value, must be >= 0")
			}
			idle = true
		case c.Is(i, "freq") && more && !idle:
			i++
			n, err := c.Int(i)
			if err != nil {
				return o, err
			}
			if n < 0 || n > 255 {
				return o, Error("ERR Invalid FREQ value, must be >= 0 and <= 255")
			}
			freq = true
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}
