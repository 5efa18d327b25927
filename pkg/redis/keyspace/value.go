package keyspace

import (
	"iter"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/store"
)

// value is what a key holds, as a transaction sees it. Each type of values implements it, in a file of its own;
// decodeValue and Txn.Restore list the types.
type value interface {
	// belongTo tells the value that another entry holds it now.
	belongTo(ent *entry)
	// empty reports whether the value is a collection without elements, which is no key.
	empty() bool
	// materialise takes the value out of the attributes that it is lazily read from.
	materialise()
	// encode adds to an update the attributes of the value's head, but for those that all heads have, and the
	// writes of its elements. It reports whether the value is spread.
	encode(u *update) (spread bool)
	// copyTo makes a key hold the same, whatever it held before.
	copyTo(key string)
	// dump is the value as DUMP writes it, as long as it fits: fits is told how many bytes come on top.
	dump(fits func(n int) bool) rdb.Value
	// size estimates the bytes that the value takes, from some of its elements; samples 0: from all.
	size(samples int64) int64
	// encoding is the name of the encoding that Redis 7.2 would have chosen, with its default configuration.
	encoding() string
}

// decodeValue is the value in a head.
func decodeValue(tx *Txn, ent *entry, o *object, as store.Attrs) value {
	switch o.typ {
	case typeString:
		return decodeString(tx, o, as)
	case typeJSON:
		return decodeDocument(tx, o, as)
	case typeList:
		return decodeList(tx, ent, o, as)
	case typeStream:
		return decodeStream(tx, ent, o, as)
	case typeHash:
		return (*Hash)(decodeMembers(tx, ent, o, as))
	case typeZSet:
		return (*ZSet)(decodeMembers(tx, ent, o, as))
	}
	return (*Set)(decodeMembers(tx, ent, o, as)) // or something of a later build, see Txn.whatever
}

// Restore makes a key hold a value that was dumped. Fields of a hash that have expired are left out.
func (tx *Txn) Restore(key string, v rdb.Value) {
	switch v.Kind {
	case rdb.String:
		tx.SetString(key, v.String, false)
	case rdb.JSON:
		tx.setJSONText(key, v.JSON, nil)
	case rdb.List:
		tx.NewList(key).PushRight(v.List...)
	case rdb.StreamKind:
		tx.NewStream(key).restore(v.Stream)
	case rdb.Hash:
		tx.NewHash(key).restore(v.Hash)
	case rdb.Set:
		tx.NewSet(key).restore(v.Set)
	case rdb.ZSet:
		tx.NewZSet(key).restore(v.ZSet)
	}
}

// Dump is the value of a key as DUMP writes it, as long as it fits: fits is told how many bytes come on top. It is not
// ok if there is no such key.
func (tx *Txn) Dump(key string, fits func(n int) bool) (v rdb.Value, ok bool, err error) {
	o, err := tx.whatever(key)
	if o == nil {
		return v, false, err
	}
	return o.value.dump(fits), true, nil
}

// Copy writes the value of an existing key to another one.
func (tx *Txn) Copy(from, to string) error {
	o, err := tx.whatever(from)
	if err == nil {
		o.value.copyTo(to)
	}
	return err
}

// whatever is the key's object if it is of a type that there is, nil if there is no such key, or ErrWrongType: it is
// of a type of a later build.
func (tx *Txn) whatever(key string) (*object, error) {
	o := tx.entry(key).obj
	if o != nil && typeName(o.typ) == "none" {
		return nil, ErrWrongType
	}
	return o, nil
}

// Bytes estimates what a key's value takes, from some of its elements; samples 0: from all. It is not ok if there is
// no such key.
func (tx *Txn) Bytes(key string, samples int64) (n int64, ok bool) {
	o := tx.entry(key).obj
	if o == nil {
		return 0, false
	}
	return o.value.size(samples), true
}

// Encoding is the name of the encoding that Redis 7.2 would have chosen for a key's value, with its default
// configuration. It is not ok if there is no such key.
func (tx *Txn) Encoding(key string) (name string, ok bool) {
	o := tx.entry(key).obj
	if o == nil {
		return "", false
	}
	return o.value.encoding(), true
}

// elementOverhead is about what an element takes in Redis besides its text, in bytes.
const elementOverhead = 16

// estimate projects the sizes of some elements to all n of them. sizes iterates over the sizes of elements; readahead
// is how many the caller expects to look at.
func estimate(n, samples int64, sizes func(readahead int64) iter.Seq[int64]) int64 {
	if samples == 0 || samples > n {
		samples = n
	}
	var seen, sum int64
	for size := range sizes(samples) {
		seen++
		if sum += size + elementOverhead; seen >= samples {
			break
		}
	}
	if seen == 0 {
		return 0
	}
	return int64(float64(sum) / float64(seen) * float64(n))
}

// Redis's default thresholds between compact and general encodings.
const (
	embstrLimit        = 44      // bytes of a string allocated together with its object
	listpackListBytes  = 8 << 10 // list-max-listpack-size -2
	listpackHashLen    = 512     // hash-max-listpack-entries
	listpackSetLen     = 128     // set-max-listpack-entries
	listpackZSetLen    = 128     // zset-max-listpack-entries
	listpackEntryBytes = 64      // *-max-listpack-value
	intsetLen          = 512     // set-max-intset-entries
)
