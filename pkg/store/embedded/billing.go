package embedded

import (
	"context"
	"encoding/binary"

	"github.com/skystash/skystash/pkg/store"
)

// What calls would cost on DynamoDB: a read unit for each 4 KiB begun of a
// strongly consistent read, a write unit for each KiB begun of the larger of old
// and new item, at least one each; twice that in transactions. Failed conditions
// and missing items are not free.
// (docs.aws.amazon.com/amazondynamodb, "Read/write capacity mode" and
// "Consumed capacity of write operations".)

const (
	readUnitSize  = 4 << 10
	writeUnitSize = 1 << 10

	keyOverhead = 2 // the one-letter names of the two key attributes

	batchGetItems   = 100 // keys of a BatchGetItem
	batchWriteItems = 25  // writes of a BatchWriteItem
)

func readUnits(bytes int) float64  { return units(bytes, readUnitSize) }
func writeUnits(bytes int) float64 { return units(bytes, writeUnitSize) }

func units(bytes, unit int) float64 { return float64(max(1, (bytes+unit-1)/unit)) }

// itemSize is the billed size of an item, 0 if there is none.
func itemSize(key store.Key, as store.Attrs) int {
	if as == nil {
		return 0
	}
	return store.Item{Key: key, Attrs: as}.Size()
}

// staleHalf halves the price of a read that need not be consistent.
func staleHalf(ctx context.Context, u store.Usage) store.Usage {
	if store.IsStale(ctx) {
		u.ReadUnits /= 2
	}
	return u
}

// getManyUsage bills BatchGetItem calls, which read a repeated key once, or one
// TransactGetItems.
func getManyUsage(keys []store.Key, items []store.Attrs, snapshot bool) store.Usage {
	var u store.Usage
	seen := make(map[store.Key]bool, len(keys))
	for i, k := range keys {
		if !seen[k] {
			seen[k] = true
			u.ReadUnits += readUnits(itemSize(k, items[i]))
		}
	}
	u.Calls = (len(seen) + batchGetItems - 1) / batchGetItems
	if snapshot && len(seen) > 1 {
		u.ReadUnits *= 2
	}
	return u
}

// writeUsage bills one operation as a plain call, several as a transaction.
// changes may be incomplete if the operations were not carried out.
func writeUsage(ops []store.Op, changes []change) store.Usage {
	u := store.Usage{Calls: 1}
	for i := range changes {
		k := ops[i].Key
		size := max(itemSize(k, changes[i].old), itemSize(k, changes[i].next))
		if len(ops) == 1 && ops[i].Kind == store.OpCheck {
			u.ReadUnits += readUnits(size)
		} else {
			u.WriteUnits += writeUnits(size)
		}
	}
	if len(ops) > 1 {
		u.WriteUnits *= 2
	}
	return u
}

// loadUsage bills BatchWriteItem calls. Only if somebody counts, it reads what
// is overwritten.
func (s *Store) loadUsage(ctx context.Context, dataKeys [][]byte, puts []store.Item, deletes []store.Key) (store.Usage, error) {
	var u store.Usage
	if !store.Metered(ctx) {
		return u, nil
	}
	u.Calls = (len(dataKeys) + batchWriteItems - 1) / batchWriteItems
	for i, dataKey := range dataKeys {
		var it store.Item
		if i < len(puts) {
			it = puts[i]
		} else {
			it.Key = deletes[i-len(puts)]
		}
		old, err := load(s.db, dataKey)
		if err != nil {
			return u, err
		}
		u.WriteUnits += writeUnits(max(itemSize(it.Key, old), itemSize(it.Key, it.Attrs)))
	}
	return u, nil
}

// storedSize is store.Attrs.Size of encoded attributes.
func storedSize(val []byte) (int, error) {
	if len(val) == 0 || val[0] != codecVersion {
		_, err := decodeAttrs(string(val))
		return 0, err
	}
	rest, size, ok := val[1:], 0, true
	uvarint := func() uint64 {
		x, n := binary.Uvarint(rest)
		if n <= 0 {
			ok = false
			return 0
		}
		rest = rest[n:]
		return x
	}
	skip := func(n uint64) int {
		if !ok || n > uint64(len(rest)) {
			ok = false
			return 0
		}
		rest = rest[n:]
		return int(n)
	}
	for count := uvarint(); ok && count > 0; count-- {
		head := uvarint()
		size += skip(head >> 2)
		switch store.Kind(head & 3) {
		case store.KindBytes:
			size += skip(uvarint())
		case store.KindInt:
			x, n := binary.Varint(rest)
			ok = ok && n > 0
			skip(uint64(max(n, 0)))
			size += store.Int(x).Size()
		case store.KindList:
			size += listOverhead
			for elems := uvarint(); ok && elems > 0; elems-- {
				size += elemOverhead + skip(uvarint())
			}
		default:
			ok = false
		}
	}
	if !ok {
		return 0, errCorrupt
	}
	return size, nil
}

// The parts of a list that store.Value.Size counts besides its bytes.
const (
	listOverhead = 3
	elemOverhead = 1
)
