package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/skystash/skystash/pkg/store"
)

const (
	// pageSize is the number of bytes after which a page ends.
	pageSize = 1 << 20
	// queryCheck is the number of items between two looks at the context.
	queryCheck = 256
)

// Query implements store.Store. A page is a snapshot. As in DynamoDB, a page
// that ends because of its Limit has More set even if nothing follows.
func (s *Store) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if err := checkKey(store.Key{Partition: q.Partition, Sort: "-"}); err != nil {
		return store.Page{}, err
	}
	if err := s.begin(ctx, "query", false); err != nil {
		return store.Page{}, err
	}
	defer s.calls.leave()
	var page store.Page
	var bytes int // as DynamoDB counts them
	if q.To == "" || q.From < q.To {
		var err error
		if page, bytes, err = s.scan(ctx, q); err != nil {
			return store.Page{}, err
		}
		if err := s.ensureDurable(ctx, s.syncer.unsynced.Load() > 0); err != nil {
			return store.Page{}, unavailable(fmt.Sprintf("query %q", q.Partition), err)
		}
	}
	if store.Metered(ctx) {
		store.Record(ctx, store.Usage{Calls: 1, ReadUnits: readUnits(bytes)})
	}
	return page, nil
}

// scan reads a page; bytes is its size as DynamoDB counts it, if metered.
func (s *Store) scan(ctx context.Context, q store.Query) (page store.Page, bytes int, err error) {
	fail := func(err error) (store.Page, int, error) {
		return store.Page{}, 0, unavailable(fmt.Sprintf("query %q", q.Partition), err)
	}
	sc := scratchPool.Get().(*scratch)
	defer sc.release()
	lower, upper := appendRange(sc.key[:0], q.Partition, q.From, q.To)
	sc.key = lower[:0]
	head := len(lower) - len(q.From)
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fail(err)
	}
	defer it.Close()

	metered := store.Metered(ctx)
	var ok bool
	if q.Reverse {
		ok = it.Last()
	} else {
		ok = it.First()
	}
	read, raw := 0, 0
	for ok {
		if read > 0 && (read == q.Limit || raw >= pageSize) {
			break
		}
		if read%queryCheck == queryCheck-1 && ctx.Err() != nil {
			return fail(ctx.Err())
		}
		sort := it.Key()[head:]
		val, err := it.ValueAndErr()
		if err != nil {
			return fail(err)
		}
		read++
		raw += len(q.Partition) + len(sort) + len(val)
		sc.idx = append(sc.idx[:0], sort...)
		if metered {
			n, err := storedSize(val)
			if err != nil {
				return fail(err)
			}
			bytes += keyOverhead + len(q.Partition) + len(sort) + n
		}
		if q.CountOnly && q.Filter == nil {
			page.Count++
		} else {
			// One string holds the sort key and the value.
			sc.val = append(append(sc.val[:0], sort...), val...)
			both := string(sc.val)
			as, err := decodeAttrs(both[len(sort):])
			if err != nil {
				return fail(err)
			}
			if store.Holds(q.Filter, as) {
				page.Count++
				if !q.CountOnly {
					key := store.Key{Partition: q.Partition, Sort: both[:len(sort)]}
					page.Items = append(page.Items, store.Item{Key: key, Attrs: as})
				}
			}
		}
		if q.Reverse {
			ok = it.Prev()
		} else {
			ok = it.Next()
		}
	}
	if err := it.Error(); err != nil {
		return fail(err)
	}
	if ok || read > 0 && read == q.Limit {
		page.More, page.Last = true, string(sc.idx)
	}
	return page, bytes, nil
}
