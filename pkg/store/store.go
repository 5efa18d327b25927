package store

import (
	"context"
	"errors"
	"fmt"
)

// Limits that hold for every implementation; they are DynamoDB's.
const (
	MaxItemSize      = 400 << 10 // bytes of one item: names and values, see Attrs.Size
	MaxPartitionKey  = 2048      // bytes
	MaxSortKey       = 1024      // bytes
	MaxCommitOps     = 100       // operations of one Commit
	MaxCommitSize    = 4 << 20   // bytes of all items of one Commit
	MaxSnapshotItems = 100       // items that GetMany reads as one snapshot in a single call
)

// TTLAttr names the attribute that holds the time (Unix seconds) after which
// the store may reclaim an item.
const TTLAttr = "x"

// Key addresses an item. Both parts are arbitrary bytes and not empty.
type Key struct {
	Partition string
	Sort      string
}

// Item is an item with its key.
type Item struct {
	Key   Key
	Attrs Attrs // nil: there is no such item. An item without attributes is empty but not nil
}

// Store is the port. Implementations are safe for concurrent use.
type Store interface {
	// Get reads one item with strong consistency, unless under a context of Stale. The result is nil if
	// there is none.
	Get(ctx context.Context, key Key) (Attrs, error)

	// GetMany reads items; the result has one entry for each key, in order,
	// nil for those that do not exist. Keys may repeat. With snapshot, all
	// entries are as of one moment; without, each is strongly consistent by
	// itself (and costs half), unless under a context of Stale (half of that).
	GetMany(ctx context.Context, keys []Key, snapshot bool) ([]Attrs, error)

	// Query reads items of one partition in order of their sort keys
	// (bytewise), a page at a time; see Query.
	Query(ctx context.Context, q Query) (Page, error)

	// Apply carries out one operation as one plain call and returns the item
	// as it was before, nil if there was none. (An OpCheck reads.)
	Apply(ctx context.Context, op Op) (old Attrs, err error)

	// Commit carries out up to MaxCommitOps operations on distinct keys, all
	// or none. One operation alone is the same as Apply; several cost twice.
	Commit(ctx context.Context, ops []Op) error

	// Load writes and deletes any number of items without conditions, order or
	// atomicity. After an error any part of it may have been carried out.
	// It is for items that nobody can see yet, or any more.
	Load(ctx context.Context, puts []Item, deletes []Key) error

	// Close releases the store's resources. No other call may follow.
	Close() error
}

// OpKind says what an Op does.
type OpKind uint8

const (
	OpPut    OpKind = iota + 1 // replace the whole item by Attrs
	OpUpdate                   // change single attributes by Edits; creates the item if need be
	OpDelete                   // remove the item; not an error if there is none
	OpCheck                    // only check the condition
)

// Op is one write: an action on one item, carried out only if its condition holds.
type Op struct {
	Kind  OpKind
	Key   Key
	Attrs Attrs  // of OpPut
	Edits []Edit // of OpUpdate; each names another attribute
	If    Cond   // nil: no condition
}

// Put replaces the whole item.
func Put(key Key, attrs Attrs, cond Cond) Op {
	return Op{Kind: OpPut, Key: key, Attrs: attrs, If: cond}
}

// Update changes single attributes.
func Update(key Key, cond Cond, edits ...Edit) Op {
	return Op{Kind: OpUpdate, Key: key, Edits: edits, If: cond}
}

// Delete removes the item.
func Delete(key Key, cond Cond) Op { return Op{Kind: OpDelete, Key: key, If: cond} }

// Check only checks the condition.
func Check(key Key, cond Cond) Op { return Op{Kind: OpCheck, Key: key, If: cond} }

// Query names a range of one partition.
type Query struct {
	Partition string
	From      string // lowest sort key, inclusive; "" for no bound
	To        string // highest sort key, exclusive; "" for no bound
	Reverse   bool   // descending order
	Limit     int    // items evaluated (before Filter) at most; 0 for no limit but the page size
	Filter    Cond   // items that do not meet it are left out; they are read and paid for all the same
	CountOnly bool   // leave Page.Items empty, only count
}

// Page is one page of a query's result, at most about 1 MiB of items.
type Page struct {
	Items []Item
	Count int    // items that met the filter
	Last  string // sort key of the last item evaluated, if More
	More  bool   // there may be more behind Last
}

// Next is the query for what follows page p, which must have More set.
func (q Query) Next(p Page) Query {
	if q.Reverse {
		q.To = p.Last
	} else {
		q.From = p.Last + "\x00"
	}
	return q
}

// PrefixEnd is the least string greater than every string that starts with
// prefix; "" (no bound) if there is none. {From: p, To: PrefixEnd(p)} is the
// range of all sort keys with prefix p.
func PrefixEnd(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}

// Errors that callers tell apart with errors.Is. They arrive wrapped, with
// what was attempted.
var (
	// ErrConflict: a concurrent transaction kept holding an item. Nothing was written.
	ErrConflict = errors.New("store: conflict with a concurrent transaction")
	// ErrThrottled: the store's capacity was exceeded until the deadline. Nothing was written.
	ErrThrottled = errors.New("store: throttled")
	// ErrTooLarge: an item, a key or a commit is over its limit. Nothing was written.
	ErrTooLarge = errors.New("store: too large")
	// ErrUnavailable: the store could not be reached or failed. Nothing was written.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrUnknownOutcome: the write may have been applied, once, or not at all.
	ErrUnknownOutcome = errors.New("store: outcome of the write is unknown")
)

// ConditionError says that the condition of an operation was not met. Nothing was written.
type ConditionError struct {
	Index int   // of the first such operation of a Commit
	Old   Attrs // the item as it was found, nil if there was none
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("store: condition of operation %d not met", e.Index)
}
