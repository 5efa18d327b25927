package redis

import (
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/glob"
)

// KEYS, SCAN, RANDOMKEY.

func keyspaceCommands() []*command {
	const f = readonly | walks
	return []*command{
		{name: "keys", arity: 2, flags: f, tips: "request_policy:all_shards nondeterministic_output_order", group: "generic", since: "1.0.0", summary: "Returns all keys that match a pattern.", run: keys},
		{name: "scan", arity: -2, flags: f, tips: "nondeterministic_output request_policy:special", group: "generic", since: "2.8.0", summary: "Iterates over the keys.", run: scan},
		{name: "randomkey", arity: 1, flags: f, tips: "request_policy:all_shards nondeterministic_output", group: "generic", since: "1.0.0", summary: "Returns a random key.", run: randomKey},
	}
}

// KEYS pattern
func keys(c *call) error {
	pattern := c.args[1]
	mark, n := c.w.Mark(), 0
	if name, exact := glob.Literal(pattern); exact {
		if len(name) <= maxKeySize && c.tx.Exists(name) {
			c.w.Bulk(name)
			n++
		}
		c.w.ArrayAt(mark, n)
		return nil
	}
	for k := range c.tx.Keys(0, 0) {
		if !c.tx.matches(pattern, k.Name) {
			continue
		}
		c.w.Bulk(k.Name)
		n++
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	c.w.ArrayAt(mark, n)
	return nil
}

// scanStep is how many keys SCAN asks for at once. A page ends early, between two
// steps, when its reply has become large.
const scanStep = 1000

// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] [WITHTYPE]
//
// COUNT is how many keys are examined. WITHTYPE puts its type behind each key.
func scan(c *call) error {
	o, err := parseScan(c, 1)
	if err != nil {
		return err
	}
	var names []string
	size := 0
	cursor := o.cursor
	for left := o.count; left > 0 && size < c.host.maxReply/2; {
		step := min(left, scanStep)
		var found []KeyInfo
		found, cursor = c.tx.ScanKeys(cursor, step)
		for _, k := range found {
			if !o.matches(c.tx, k.Name) || o.typ != "" && !strings.EqualFold(o.typ, k.Type) {
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
	c.w.Array(2)
	c.w.Bulk(formatCursor(cursor))
	c.w.Strings(names)
	return nil
}

// RANDOMKEY
func randomKey(c *call) error {
	c.w.BulkOrNull(c.tx.RandomKey())
	return nil
}
