package redis

import "github.com/skystash/skystash/pkg/store"

// direct is a command that is about to be tried as one blind write of its first key.
type direct struct {
	cmd  *command
	args []string
	now  int64     // Unix ms
	key  store.Key // of the head
	name string    // the user's key
	work int64     // units, of compressing and decompressing; see Budget
}

// Conditions that blind writes share.

// live: the key, if there is one, has not expired.
func (d *direct) live() store.Cond {
	return store.Or{store.Absent(attrExpiry), store.Gt(attrExpiry, store.Int(d.now))}
}

// liveOr: there is no key, or a live one of the given (inline) type.
func (d *direct) liveOr(typ string) store.Cond {
	return store.And{store.Or{store.Absent(attrType), store.Eq(attrType, store.Bytes(typ))}, d.live()}
}

// small reports whether values are few and short enough for one update: DynamoDB
// limits an expression to 4 KB, and a large value is better spread.
func (d *direct) small(values []string) bool {
	n := 0
	for _, v := range values {
		n += len(v)
	}
	return len(values) <= 128 && n <= inlineLimit-1024
}
