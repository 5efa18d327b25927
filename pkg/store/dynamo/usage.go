package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/pkg/store"
)

const (
	readUnit  = 4 << 10 // bytes of a strongly consistent read unit
	writeUnit = 1 << 10 // bytes of a write unit
)

// units is the number of started units of so many bytes, at least one.
func units(size, unit int) float64 {
	return float64(max(1, (size+unit-1)/unit))
}

// sizeOf is the size of an item that may not exist.
func sizeOf(key store.Key, attrs store.Attrs) int {
	if attrs == nil {
		return 0
	}
	return store.Item{Key: key, Attrs: attrs}.Size()
}

// staleHalf is the part of a strongly consistent read's price that a read under the context costs.
func staleHalf(ctx context.Context) float64 {
	if store.IsStale(ctx) {
		return 0.5
	}
	return 1
}

func recordRead(ctx context.Context, units float64) {
	store.Record(ctx, store.Usage{ReadUnits: units})
}

func recordWrite(ctx context.Context, units float64) {
	store.Record(ctx, store.Usage{WriteUnits: units})
}

// reported is what DynamoDB says that a request consumed.
func reported(consumed []types.ConsumedCapacity) float64 {
	sum := 0.0
	for _, c := range consumed {
		if c.CapacityUnits != nil {
			sum += *c.CapacityUnits
		}
	}
	return sum
}

// updatedSize is the size of an item after an update. It saves building the
// new item; edits of a wrong type, which DynamoDB refuses, count anyhow.
func updatedSize(key store.Key, old store.Attrs, edits []store.Edit) int {
	size := store.Item{Key: key, Attrs: old}.Size()
	for _, ed := range edits {
		cur := old.Get(ed.Name)
		curSize := 0
		if !cur.IsZero() {
			curSize = len(ed.Name) + cur.Size()
		}
		switch ed.Kind {
		case store.EditSet:
			size -= curSize
			if !ed.Value.IsZero() {
				size += len(ed.Name) + ed.Value.Size()
			}
		case store.EditDefault:
			if cur.IsZero() && !ed.Value.IsZero() {
				size += len(ed.Name) + ed.Value.Size()
			}
		case store.EditRemove:
			size -= curSize
		case store.EditAdd:
			size += len(ed.Name) + store.Int(old.Get(ed.From).Num()+ed.Value.Num()).Size() - curSize
		case store.EditAppend, store.EditPrepend:
			size += ed.Value.Size()
			if cur.IsZero() {
				size += len(ed.Name)
			} else {
				size -= store.List(nil).Size() // counted twice
			}
		case store.EditRemoveFirst:
			if list := cur.Elems(); len(list) > 0 {
				size -= store.List(list[:1]).Size() - store.List(nil).Size()
			}
		case store.EditCopyFirst:
			if list := old.Get(ed.From).Elems(); len(list) > 0 {
				size += len(ed.Name) + len(list[0]) - curSize
			}
		}
	}
	return size
}
