package keyspace

import (
	"iter"
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// MaxScanCount bounds how many keys or elements are read at a time, so that a page stays a page.
const MaxScanCount = 1 << 20

// KeyInfo is a key as a walk over the keyspace finds it.
type KeyInfo struct {
	Name string
	Type string // as TYPE replies it
}

// Keys iterates over the database's keys in order of their hashes, from a hash
// on, including what this transaction has changed. readahead is how many keys the caller
// expects to look at, 0 for all. Nothing is promised about keys that others
// change meanwhile.
func (tx *Txn) Keys(hash uint64, readahead int) iter.Seq[KeyInfo] {
	return func(yield func(KeyInfo) bool) {
		tx.relaxed = tx.relaxed || !tx.mode.Write
		mine := tx.changedKeys(hash)
		for item := range tx.headItems(hash, readahead) {
			name := item.Attrs.Get(attrKey).Str()
			if name == "" {
				name = item.Key.Sort[8:]
			}
			if ent := tx.known(name); ent != nil && ent.dirty {
				continue
			}
			if expired(item.Attrs, tx.now) || emptyHead(item.Attrs, tx.now) && !item.Attrs.Has(AttrGen) {
				continue
			}
			for len(mine) > 0 && lessByHash(mine[0].Name, name) {
				if !yield(mine[0]) {
					return
				}
				mine = mine[1:]
			}
			if !yield(KeyInfo{name, typeName(lowerType(item.Attrs))}) {
				return
			}
		}
		for _, k := range mine {
			if !yield(k) {
				return
			}
		}
	}
}

// changedKeys are the existing keys among those this transaction has changed.
func (tx *Txn) changedKeys(hash uint64) []KeyInfo {
	var out []KeyInfo
	for ent := range tx.all() {
		if ent.dirty && ent.obj != nil && !ent.obj.value.empty() && HashOf(ent.key) >= hash {
			out = append(out, KeyInfo{ent.key, typeName(ent.obj.typ)})
		}
	}
	slices.SortFunc(out, func(a, b KeyInfo) int {
		if lessByHash(a.Name, b.Name) {
			return -1
		}
		return 1
	})
	return out
}

// headItems iterates over the heads of all slots from a hash on.
func (tx *Txn) headItems(hash uint64, readahead int) iter.Seq[store.Item] {
	return func(yield func(store.Item) bool) {
		for slot := tx.view.slotOf(hash); slot < len(tx.view.Partitions); slot++ {
			q := store.Query{Partition: tx.view.Partitions[slot], From: PutUint64(hash)}
			if readahead > 0 {
				q.Limit = readahead + 8
			}
			for {
				n, last := 0, ""
				for it := range tx.query(q) {
					n, last = n+1, it.Key.Sort
					if !yield(it) {
						return
					}
				}
				if q.Limit == 0 || n < q.Limit || tx.err != nil {
					break
				}
				q.From = last + "\x00"
			}
		}
	}
}

func expired(as store.Attrs, now int64) bool {
	e := as.Get(attrExpiry).Num()
	return e != 0 && e <= now
}

// lowerType is a head's type, whatever its encoding.
func lowerType(as store.Attrs) string {
	if t := as.Get(attrType).Str(); t != "" {
		return string(t[0] | 0x20)
	}
	return ""
}

// ScanKeys returns about count keys from a cursor on, and the next cursor, 0 at the end.
func (tx *Txn) ScanKeys(cursor uint64, count int) ([]KeyInfo, uint64) {
	var out []KeyInfo
	var last uint64
	for k := range tx.Keys(cursor<<(64-CursorBits), count) {
		c := HashOf(k.Name) >> (64 - CursorBits)
		if len(out) >= count && c != last {
			return out, c
		}
		out, last = append(out, k), c
	}
	return out, 0
}

// RandomKey returns a random key.
func (tx *Txn) RandomKey() (string, bool) {
	var run []string
	for _, start := range []uint64{tx.space.random.Uint64(), 0} {
		for k := range tx.Keys(start, randomRun) {
			if run = append(run, k.Name); len(run) == randomRun {
				break
			}
		}
		if len(run) > 0 {
			return run[tx.space.random.IntN(len(run))], true
		}
	}
	return "", false
}

// CountKeys is the number of keys.
func (tx *Txn) CountKeys() int64 {
	for ent := range tx.all() {
		if ent.dirty {
			n := int64(0)
			for range tx.Keys(0, 0) {
				n++
			}
			return n
		}
	}
	tx.relaxed = tx.relaxed || !tx.mode.Write
	var n int64
	for _, p := range tx.view.Partitions {
		n += tx.count(store.Query{Partition: p, Filter: store.And{
			store.Exists(attrType),
			store.Or{store.Absent(attrExpiry), store.Gt(attrExpiry, store.Int(tx.now))},
		}})
	}
	return n
}

// DeleteAll deletes every key, as far as a transaction can.
func (tx *Txn) DeleteAll() {
	for k := range tx.Keys(0, 0) {
		tx.Delete(k.Name)
	}
}

// CountExpiring counts the keys and those among them that expire. It gives up, not
// ok, beyond limit keys; 0 is no limit.
func (tx *Txn) CountExpiring(limit int64) (keys, expires int64, ok bool) {
	tx.relaxed = tx.relaxed || !tx.mode.Write
	count := func(expiry int64) bool {
		keys++
		if expiry != 0 {
			expires++
		}
		return limit == 0 || keys <= limit
	}
	for _, k := range tx.changedKeys(0) {
		if !count(tx.Expiry(k.Name)) {
			return keys, expires, false
		}
	}
	for it := range tx.headItems(0, int(limit)) {
		if ent := tx.known(headName(it)); ent != nil && ent.dirty {
			continue
		}
		if expired(it.Attrs, tx.now) || emptyHead(it.Attrs, tx.now) && !it.Attrs.Has(AttrGen) {
			continue
		}
		if !count(it.Attrs.Get(attrExpiry).Num()) {
			return keys, expires, false
		}
	}
	return keys, expires, true
}

// headName is the user's key of a head.
func headName(it store.Item) string { return nameOfItem(it, 8) }
