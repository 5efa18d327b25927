package command

import (
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// DEL, UNLINK, EXISTS, TOUCH, TYPE, RENAME, RENAMENX, COPY, MOVE, WAIT, WAITAOF;
// cmd_generic_expire.go: the EXPIRE and TTL families, PERSIST;
// cmd_generic_scan.go: KEYS, SCAN, RANDOMKEY; cmd_generic_sort.go: SORT, SORT_RO;
// cmd_generic_dump.go: DUMP, RESTORE; cmd_generic_object.go: OBJECT.

func genericCommands() []*Command {
	cmds := []*Command{
		{Name: "del", Arity: -2, Flags: Write | Divisible, Keys: AllKeys, Use: "RM delete", Tips: "request_policy:multi_shard response_policy:agg_sum", Group: "generic", Since: "1.0.0", Summary: "Deletes keys.", Run: del, Direct: delDirect},
		{Name: "unlink", Arity: -1, Flags: Write | Fast | Divisible, Keys: AllKeys, Use: "RM delete", Tips: "request_policy:multi_shard response_policy:agg_sum", Group: "generic", Since: "4.0.0", Summary: "Deletes keys; their memory is reclaimed later.", Run: del, Direct: delDirect},
		{Name: "exists", Arity: -2, Flags: ReadOnly | Fast, Keys: AllKeys, Use: "RO", Tips: "request_policy:multi_shard response_policy:agg_sum", Group: "generic", Since: "1.0.0", Summary: "Counts those of the given keys that exist.", Run: exists},
		{Name: "touch", Arity: -2, Flags: ReadOnly | Fast, Keys: AllKeys, Use: "RO", Tips: "request_policy:multi_shard response_policy:agg_sum", Group: "generic", Since: "3.2.1", Summary: "Counts those of the given keys that exist.", Run: exists},
		{Name: "type", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "generic", Since: "1.0.0", Summary: "Returns the type of a key's value.", Run: typeOf},
		{Name: "rename", Arity: 3, Flags: Write, Keys: TwoKeys, Use: "RW access delete", UseThen: "OW update", Group: "generic", Since: "1.0.0", Summary: "Renames a key and overwrites the destination.", Run: rename},
		{Name: "renamenx", Arity: 3, Flags: Write | Fast, Keys: TwoKeys, Use: "RW access delete", UseThen: "OW insert", Group: "generic", Since: "1.0.0", Summary: "Renames a key unless the destination exists.", Run: renamenx},
		{Name: "copy", Arity: -3, Flags: Write | DenyOOM, Keys: TwoKeys, Use: "RO access", UseThen: "OW update", Event: "copy_to", Group: "generic", Since: "6.2.0", Summary: "Copies a key's value and expiry to another key.", Run: copyKey},
		{Name: "move", Arity: 3, Flags: Write | Fast, Keys: OneKey, Group: "generic", Since: "1.0.0", Summary: "Moves a key to another database, of which there is none.", Run: moveKey},
		{Name: "wait", Arity: 3, Tips: "request_policy:all_shards response_policy:agg_min", Group: "generic", Since: "3.0.0", Summary: "Waits for replicas, of which a client sees none.", Run: wait},
		{Name: "waitaof", Arity: 4, Flags: NoScript, Group: "generic", Since: "7.2.0", Summary: "Waits for append-only files, of which there are none.", Run: waitAOF},
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
func del(c *Call) error {
	if len(c.Args) == 1 && c.Native() {
		return errArity(c.Command.Name)
	}
	n := int64(0)
	for _, key := range c.Args[1:] {
		if c.Txn.Delete(key) {
			n++
		}
	}
	c.W.Int(n)
	return nil
}

// delDirect: one deletion of a key that leaves no generation behind.
func delDirect(d *Direct) *keyspace.Plan {
	if len(d.Args) != 2 {
		return nil
	}
	p := d.Delete()
	p.Reply = func(old store.Attrs) { d.W.IntBool(d.Existed(old)) }
	return p
}

// EXISTS key [key ...]
// TOUCH key [key ...]
func exists(c *Call) error {
	n := int64(0)
	for _, key := range c.Args[1:] {
		if c.Txn.Exists(key) {
			n++
		}
	}
	c.W.Int(n)
	return nil
}

// TYPE key
func typeOf(c *Call) error {
	c.W.Simple(c.Txn.Type(c.Args[1]))
	return nil
}

// RENAME key newkey
func rename(c *Call) error {
	if !c.Txn.Exists(c.Args[1]) {
		return errNoKey
	}
	c.move(c.Args[1], c.Args[2])
	c.W.OK()
	return nil
}

// move gives a key another name.
func (c *Call) move(from, to string) {
	c.Txn.Move(from, to)
	c.Txn.NotifyNew(to)
	c.event("rename_from", from)
	c.event("rename_to", to)
}

// RENAMENX key newkey
func renamenx(c *Call) error {
	if !c.Txn.Exists(c.Args[1]) {
		return errNoKey
	}
	free := !c.Txn.Exists(c.Args[2])
	if free {
		c.move(c.Args[1], c.Args[2])
	}
	c.W.IntBool(free)
	return nil
}

// COPY source destination [DB destination-db] [REPLACE]
//
// Copying a key onto itself does nothing, where Redis answers with an error.
func copyKey(c *Call) error {
	replace := false
	for i := 3; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "replace"):
			replace = true
		case c.Is(i, "db") && i+1 < len(c.Args):
			i++
			if err := c.onlyDB(i); err != nil {
				return err
			}
		default:
			return ErrSyntax
		}
	}
	from, to := c.Args[1], c.Args[2]
	c.Txn.NotifyMissed(from)
	if from == to && c.Native() {
		return errSameObject
	}
	if from == to || !c.Txn.Exists(from) || !replace && c.Txn.Exists(to) {
		c.W.Int(0)
		return nil
	}
	if err := c.Txn.Copy(from, to); err != nil {
		return err
	}
	c.Txn.SetExpiry(to, c.Txn.Expiry(from))
	c.Txn.NotifyNew(to)
	c.W.Int(1)
	return nil
}

// MOVE key db
func moveKey(c *Call) error {
	if err := c.onlyDB(2); err != nil {
		return err
	}
	return errSameObject
}

// onlyDB checks that argument i is the number of the only database, 0.
func (c *Call) onlyDB(i int) error {
	n, ok := num.ParseInt(c.Args[i])
	switch {
	case !ok:
		return ErrNotInteger
	case n != int64(int32(n)):
		return errIntRange
	case n != 0:
		return errDBIndex
	}
	return nil
}

// WAIT numreplicas timeout
func wait(c *Call) error {
	if _, err := c.Int(1); err != nil {
		return err
	}
	if err := c.milliTimeout(2); err != nil {
		return err
	}
	c.W.Int(0)
	return nil
}

// WAITAOF numlocal numreplicas timeout
func waitAOF(c *Call) error {
	local, err := c.Int(1)
	if err != nil {
		return err
	}
	if local < 0 || local > 1 {
		return Error("ERR value is out of range, must be between 0 and 1")
	}
	replicas, err := c.Int(2)
	if err != nil {
		return err
	}
	if replicas < 0 {
		return errNotPositive
	}
	if err := c.milliTimeout(3); err != nil {
		return err
	}
	c.W.Array(2)
	c.W.Int(0)
	c.W.Int(0)
	return nil
}

// milliTimeout checks that argument i is a timeout in milliseconds.
func (c *Call) milliTimeout(i int) error {
	n, ok := num.ParseInt(c.Args[i])
	switch {
	case !ok:
		return Error("ERR timeout is not an integer or out of range")
	case n < 0:
		return errNegTimeout
	}
	return nil
}
