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
	o := c.tx.entry(c.args[1]).obj
	if o == nil {
		c.w.Null()
		return nil
	}
	v, err := c.dumpValue(o)
	if err != nil {
		return err
	}
	c.w.Bulk(rdb.Dump(v))
	return nil
}

// dumpValue reads all of a value, as long as it may fit into a reply.
func (c *call) dumpValue(o *object) (v rdb.Value, err error) {
	limit, size := c.host.maxReply, 0
	fits := func(n int) bool {
		if size += n; size > limit {
			err = errReplySize(limit, size)
		}
		return err == nil
	}
	switch o.typ {
	case typeString:
		if fits(int(o.str.size)) {
			v = rdb.Value{Kind: rdb.String, String: c.tx.stringOf(o)}
		}
	case typeList:
		v.Kind = rdb.List
		for e := range o.list.From(0, o.list.Len()) {
			if v.List = append(v.List, e); !fits(len(e)) {
				break
			}
		}
	case typeSet:
		v.Kind = rdb.Set
		for p := range o.members.all() {
			if v.Set = append(v.Set, p.Name); !fits(len(p.Name)) {
				break
			}
		}
	case typeHash:
		v.Kind = rdb.Hash
		for p := range o.members.all() {
			if !fits(len(p.Name) + p.value.len()) {
				break
			}
			v.Hash = append(v.Hash, rdb.Field{Name: p.Name, Value: c.tx.open(p.value), ExpireAt: p.Expires})
		}
	case typeZSet:
		v.Kind = rdb.ZSet
		for m := range (*ZSet)(o.members).Ordered(true, 0) { // the order in which Redis writes them
			if v.ZSet = append(v.ZSet, rdb.Member(m)); !fits(len(m.Name) + 8) {
				break
			}
		}
	case typeStream:
		v.Kind, v.Stream = rdb.StreamKind, o.stream.dump(fits)
	case typeJSON:
		if fits(int(o.str.size)) {
			v = rdb.Value{Kind: rdb.JSON, JSON: c.tx.stringOf(o)}
		}
	default:
		return v, errWrongType
	}
	return v, err
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
		c.tx.storeValue(key, v)
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

// storeValue makes a key hold a value. Fields of a hash that have expired are left out.
func (tx *Txn) storeValue(key string, v rdb.Value) {
	switch v.Kind {
	case rdb.String:
		tx.SetString(key, v.String, false)
	case rdb.List:
		tx.NewList(key).PushRight(v.List...)
	case rdb.Set:
		dest := tx.newMembers(key, typeSet)
		for _, name := range v.Set {
			dest.put(name, "", 0)
		}
	case rdb.Hash:
		dest := tx.NewHash(key)
		for _, f := range v.Hash {
			if f.ExpireAt == 0 || f.ExpireAt > tx.now {
				dest.Set(f.Name, f.Value, f.ExpireAt)
			}
		}
	case rdb.ZSet:
		dest := tx.NewZSet(key)
		for _, m := range v.ZSet {
			dest.Set(m.Name, m.Score)
		}
	case rdb.StreamKind:
		tx.NewStream(key).restore(v.Stream)
	case rdb.JSON:
		tx.setJSONText(key, v.JSON, nil)
	}
}
