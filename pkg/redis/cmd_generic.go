package redis

import (
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// DEL, UNLINK, EXISTS, TOUCH, TYPE, RENAME, RENAMENX, COPY, MOVE, WAIT, WAITAOF;
// cmd_generic_expire.go: the EXPIRE and TTL families, PERSIST;
// cmd_generic_scan.go: KEYS, SCAN, RANDOMKEY; cmd_generic_sort.go: SORT, SORT_RO;
// cmd_generic_dump.go: DUMP, RESTORE; cmd_generic_object.go: OBJECT.

func genericCommands() []*command {
	cmds := []*command{
		{name: "del", arity: -2, flags: write | divisible, keys: allKeys, use: "RM delete", tips: "request_policy:multi_shard response_policy:agg_sum", group: "generic", since: "1.0.0", summary: "Deletes keys.", run: del, direct: delDirect},
		{name: "unlink", arity: -1, flags: write | fast | divisible, keys: allKeys, use: "RM delete", tips: "request_policy:multi_shard response_policy:agg_sum", group: "generic", since: "4.0.0", summary: "Deletes keys; their memory is reclaimed later.", run: del, direct: delDirect},
		{name: "exists", arity: -2, flags: readonly | fast, keys: allKeys, use: "RO", tips: "request_policy:multi_shard response_policy:agg_sum", group: "generic", since: "1.0.0", summary: "Counts those of the given keys that exist.", run: exists},
		{name: "touch", arity: -2, flags: readonly | fast, keys: allKeys, use: "RO", tips: "request_policy:multi_shard response_policy:agg_sum", group: "generic", since: "3.2.1", summary: "Counts those of the given keys that exist.", run: exists},
		{name: "type", arity: 2, flags: readonly | fast, keys: oneKey, use: "RO", group: "generic", since: "1.0.0", summary: "Returns the type of a key's value.", run: typeOf},
		{name: "rename", arity: 3, flags: write, keys: twoKeys, use: "RW access delete", then: "OW update", group: "generic", since: "1.0.0", summary: "Renames a key and overwrites the destination.", run: rename},
		{name: "renamenx", arity: 3, flags: write | fast, keys: twoKeys, use: "RW access delete", then: "OW insert", group: "generic", since: "1.0.0", summary: "Renames a key unless the destination exists.", run: renamenx},
		{name: "copy", arity: -3, flags: write | denyoom, keys: twoKeys, use: "RO access", then: "OW update", group: "generic", since: "6.2.0", summary: "Copies a key's value and expiry to another key.", run: copyKey},
		{name: "move", arity: 3, flags: write | fast, keys: oneKey, group: "generic", since: "1.0.0", summary: "Moves a key to another database, of which there is none.", run: moveKey},
		{name: "wait", arity: 3, flags: noscript, tips: "request_policy:all_shards response_policy:agg_min", group: "generic", since: "3.0.0", summary: "Waits for replicas, of which a client sees none.", run: wait},
		{name: "waitaof", arity: 4, flags: noscript, group: "generic", since: "7.2.0", summary: "Waits for append-only files, of which there are none.", run: waitAOF},
	}
	cmds = append(cmds, expireCommands()...)
	cmds = append(cmds, keyspaceCommands()...)
	cmds = append(cmds, sortCommands()...)
	cmds = append(cmds, dumpCommands()...)
	return append(cmds, objectCommand())
}

const (
	errSameObject Error = "ERR source and destination objects are the same"
	errDBIndex    Error = "ERR DB index is out of range"
	errIntRange   Error = "ERR value is out of range, value must between -2147483648 and 2147483647"
)

// DEL key [key ...]
// UNLINK [key ...]
//
// More keys than fit one transaction are deleted some at a time.
func del(c *call) error {
	n := int64(0)
	for _, key := range c.args[1:] {
		if c.tx.Delete(key) {
			n++
		}
	}
	c.w.Int(n)
	return nil
}

// delDirect: one deletion of a key that leaves no generation behind.
func delDirect(d *direct) *plan {
	if len(d.args) != 2 {
		return nil
	}
	p := d.Delete()
	p.reply = func(old store.Attrs, w *resp.Writer) { w.IntBool(d.Existed(old)) }
	return p
}

// EXISTS key [key ...]
// TOUCH key [key ...]
func exists(c *call) error {
	n := int64(0)
	for _, key := range c.args[1:] {
		if c.tx.Exists(key) {
			n++
		}
	}
	c.w.Int(n)
	return nil
}

// TYPE key
func typeOf(c *call) error {
	c.w.Simple(c.tx.Type(c.args[1]))
	return nil
}

// RENAME key newkey
func rename(c *call) error {
	if !c.tx.Exists(c.args[1]) {
		return errNoKey
	}
	c.tx.Move(c.args[1], c.args[2])
	c.w.OK()
	return nil
}

// RENAMENX key newkey
func renamenx(c *call) error {
	if !c.tx.Exists(c.args[1]) {
		return errNoKey
	}
	free := !c.tx.Exists(c.args[2])
	if free {
		c.tx.Move(c.args[1], c.args[2])
	}
	c.w.IntBool(free)
	return nil
}

// COPY source destination [DB destination-db] [REPLACE]
//
// Copying a key onto itself does nothing, where Redis answers with an error.
func copyKey(c *call) error {
	replace := false
	for i := 3; i < len(c.args); i++ {
		switch {
		case c.is(i, "replace"):
			replace = true
		case c.is(i, "db") && i+1 < len(c.args):
			i++
			if err := c.onlyDB(i); err != nil {
				return err
			}
		default:
			return errSyntax
		}
	}
	from, to := c.args[1], c.args[2]
	if from == to || !c.tx.Exists(from) || !replace && c.tx.Exists(to) {
		c.w.Int(0)
		return nil
	}
	if err := c.tx.Copy(from, to); err != nil {
		return err
	}
	c.tx.SetExpiry(to, c.tx.Expiry(from))
	c.w.Int(1)
	return nil
}

// MOVE key db
func moveKey(c *call) error {
	if err := c.onlyDB(2); err != nil {
		return err
	}
	return errSameObject
}

// onlyDB checks that argument i is the number of the only database, 0.
func (c *call) onlyDB(i int) error {
	n, ok := num.ParseInt(c.args[i])
	switch {
	case !ok:
		return errNotInteger
	case n != int64(int32(n)):
		return errIntRange
	case n != 0:
		return errDBIndex
	}
	return nil
}

// WAIT numreplicas timeout
func wait(c *call) error {
	if _, err := c.int(1); err != nil {
		return err
	}
	if err := c.milliTimeout(2); err != nil {
		return err
	}
	c.w.Int(0)
	return nil
}

// WAITAOF numlocal numreplicas timeout
func waitAOF(c *call) error {
	local, err := c.int(1)
	if err != nil {
		return err
	}
	if local < 0 || local > 1 {
		return Error("ERR value is out of range, must be between 0 and 1")
	}
	replicas, err := c.int(2)
	if err != nil {
		return err
	}
	if replicas < 0 {
		return errNotPositive
	}
	if err := c.milliTimeout(3); err != nil {
		return err
	}
	c.w.Array(2)
	c.w.Int(0)
	c.w.Int(0)
	return nil
}

// milliTimeout checks that argument i is a timeout in milliseconds.
func (c *call) milliTimeout(i int) error {
	n, ok := num.ParseInt(c.args[i])
	switch {
	case !ok:
		return Error("ERR timeout is not an integer or out of range")
	case n < 0:
		return errNegTimeout
	}
	return nil
}
