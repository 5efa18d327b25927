package command

import (
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/glob"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// KEYS, SCAN, RANDOMKEY.

func keyspaceCommands() []*Command {
	const f = ReadOnly | Walks
	return []*Command{
		{Name: "keys", Arity: 2, Flags: f, Tips: "request_policy:all_shards nondeterministic_output_order", Group: "generic", Since: "1.0.0", Summary: "Returns all keys that match a pattern.", Run: keys},
		{Name: "scan", Arity: -2, Flags: f, Tips: "nondeterministic_output request_policy:special", Group: "generic", Since: "2.8.0", Summary: "Iterates over the keys.", Run: scan},
		{Name: "randomkey", Arity: 1, Flags: f, Tips: "request_policy:all_shards nondeterministic_output", Group: "generic", Since: "1.0.0", Summary: "Returns a random key.", Run: randomKey},
	}
}

// KEYS pattern
func keys(c *Call) error {
	pattern := c.Args[1]
	mark, n := c.W.Mark(), 0
	if name, exact := glob.Literal(pattern); exact {
		if len(name) <= keyspace.MaxKeySize && c.Txn.Exists(name) {
			c.W.Bulk(name)
			n++
		}
		c.W.ArrayAt(mark, n)
		return nil
	}
	for k := range c.Txn.Keys(0, 0) {
		if !c.Txn.Matches(pattern, k.Name) {
			continue
		}
		c.W.Bulk(k.Name)
		n++
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	c.W.ArrayAt(mark, n)
	return nil
}

// scanStep is how many keys SCAN asks for at once. A page ends early, between two
// steps, when its reply has become large.
const scanStep = 1000

// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] [WITHTYPE]
//
// COUNT is how many keys are examined. WITHTYPE puts its type behind each key.
func scan(c *Call) error {
	o, err := parseScan(c, 1)
	if err != nil {
		return err
	}
	var names []string
	size := 0
	cursor := o.cursor
	for left := o.count; left > 0 && size < c.Host.MaxReply/2; {
		step := min(left, scanStep)
		var found []keyspace.KeyInfo
		found, cursor = c.Txn.ScanKeys(cursor, step)
		for _, k := range found {
			if !o.matches(c.Txn, k.Name) || o.typ != "" && !strings.EqualFold(o.typ, k.Type) {
				continue
			}
			names = append(names, k.Name)
			if o.withType {
				names = append(names, k.Type)
			}
			size += len(k.Name) + 32
		}
		if left -= step; cursor == 0 {
			break
		}
	}
	c.W.Array(2)
	c.W.Bulk(formatCursor(cursor))
	c.W.Strings(names)
	return nil
}

// RANDOMKEY
func randomKey(c *Call) error {
	c.W.BulkOrNull(c.Txn.RandomKey())
	return nil
}
