package redis

import (
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// HSET, HGET.

func hashCommands() []*command {
	return []*command{
		{name: "hset", arity: -4, flags: write | fast | denyoom, keys: oneKey, group: "hash", since: "2.0.0", summary: "Sets fields of a hash.", run: hset, direct: hsetDirect},
		{name: "hget", arity: 3, flags: readonly | fast, keys: oneKey, group: "hash", since: "2.0.0", summary: "Returns the value of a field.", run: hget},
	}
}

// HSET key field value [field value ...]
func hset(c *call) error {
	if len(c.args)%2 != 0 {
		return errArity(c.args[0])
	}
	h, err := c.tx.HashForUpdate(c.args[1])
	if err != nil {
		return err
	}
	added := int64(0)
	for i := 2; i < len(c.args); i += 2 {
		if h.Set(c.args[i], c.args[i+1], 0) {
			added++
		}
	}
	c.w.Int(added)
	return nil
}

// hsetDirect: one update of an inline hash, however many fields it has.
func hsetDirect(d *direct) *plan {
	if len(d.args)%2 != 0 || !d.small(d.args[2:]) {
		return nil
	}
	edits := []store.Edit{store.Set(attrType, store.Bytes(typeHash))}
	fields := map[string]bool{}
	for i := 2; i < len(d.args); i += 2 {
		if fields[d.args[i]] {
			return nil
		}
		fields[d.args[i]] = true
		edits = append(edits, store.Set(memberAttr(d.args[i]), store.Bytes(d.args[i+1])), store.Remove(fieldExpAttr(d.args[i])))
	}
	return &plan{
		op:         store.Update(d.key, d.liveOr(typeHash), edits...),
		collection: true,
		reply: func(old store.Attrs, w *resp.Writer) {
			added := int64(0)
			for field := range fields {
				attr := memberAttr(field)
				if !old.Has(attr) || fieldExpired(old, attr, d.now) {
					added++
				}
			}
			w.Int(added)
		},
	}
}

// HGET key field
func hget(c *call) error {
	h, err := c.tx.Hash(c.args[1])
	if err != nil {
		return err
	}
	f, ok := h.Get(c.args[2])
	c.w.BulkOrNull(f.Value, ok)
	return nil
}
