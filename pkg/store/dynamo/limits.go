package dynamo

import (
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// Limits of single requests, besides those of package store.
const (
	maxName       = 1<<16 - 1 // bytes of an attribute's name
	maxExpression = 4 << 10   // bytes of an expression's text
	maxOperators  = 300       // operators and functions in an expression
	maxEdits      = 1 << 20   // bytes of the names and values of an update
	maxBatchGet   = 100       // keys of a BatchGetItem
	maxBatchWrite = 25        // writes of a BatchWriteItem
)

func tooLarge(format string, args ...any) error {
	return fmt.Errorf("dynamo: %w: %s", store.ErrTooLarge, fmt.Sprintf(format, args...))
}

func checkKey(k store.Key) error {
	switch {
	case k.Partition == "" || k.Sort == "":
		return errors.New("dynamo: empty partition or sort key")
	case len(k.Partition) > store.MaxPartitionKey:
		return tooLarge("partition key of %d bytes", len(k.Partition))
	case len(k.Sort) > store.MaxSortKey:
		return tooLarge("sort key of %d bytes", len(k.Sort))
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("dynamo: attribute without a name")
	case name == partitionAttr || name == sortAttr || name == noAttr:
		return fmt.Errorf("dynamo: attribute name %q is reserved", name)
	case len(name) > maxName:
		return tooLarge("attribute name of %d bytes", len(name))
	}
	return nil
}

// checkItem checks an item that is to be written, and tells its size.
func checkItem(it store.Item) (size int, err error) {
	if err := checkKey(it.Key); err != nil {
		return 0, err
	}
	for _, a := range it.Attrs {
		if err := checkName(a.Name); err != nil {
			return 0, err
		}
	}
	if size = it.Size(); size > store.MaxItemSize {
		return 0, tooLarge("item of %d bytes", size)
	}
	return size, nil
}

// checkOp checks an operation, and tells the size of what it carries.
func checkOp(op store.Op) (size int, err error) {
	switch op.Kind {
	case store.OpPut:
		return checkItem(store.Item{Key: op.Key, Attrs: op.Attrs})
	case store.OpUpdate:
		size = store.Item{Key: op.Key}.Size()
		for _, ed := range op.Edits {
			if err := checkName(ed.Name); err != nil {
				return 0, err
			}
			size += len(ed.Name) + ed.Value.Size()
		}
		if size > maxEdits {
			return 0, tooLarge("update of %d bytes", size)
		}
	case store.OpDelete, store.OpCheck:
		size = store.Item{Key: op.Key}.Size()
	default:
		return 0, fmt.Errorf("dynamo: unknown kind of operation: %d", op.Kind)
	}
	return size, checkKey(op.Key)
}
