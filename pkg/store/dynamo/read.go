package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/pkg/store"
)

// Get reads one item; see store.Store.
func (s *Store) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	var out *dynamodb.GetItemOutput
	in := dynamodb.GetItemInput{TableName: &s.table, Key: encodeKey(key), ConsistentRead: aws.Bool(!store.IsStale(ctx))}
	err := s.do(ctx, "GetItem", harmless, func(ctx context.Context) (err error) {
		out, err = s.client.GetItem(ctx, &in)
		return err
	})
	if err != nil {
		return nil, err
	}
	attrs, err := decodeItem(out.Item)
	if err != nil {
		return nil, err
	}
	recordRead(ctx, staleHalf(ctx)*units(sizeOf(key, attrs), readUnit))
	return attrs, nil
}

// GetMany reads items; see store.Store. A snapshot of more than
// MaxSnapshotItems items, or 4 MB, is a pair of equal successive reads: it
// relies on items never returning to a former state, as those that carry a
// write id do not.
func (s *Store) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	unique, places, err := distinct(keys)
	if err != nil {
		return nil, err
	}
	var found []store.Attrs
	switch {
	case len(unique) == 0:
	case len(unique) == 1:
		found = make([]store.Attrs, 1)
		found[0], err = s.Get(ctx, unique[0])
	case snapshot:
		found, err = s.snapshot(ctx, unique)
	default:
		found, err = s.getAll(ctx, unique)
	}
	if err != nil {
		return nil, err
	}
	if len(unique) == len(keys) {
		return found, nil
	}
	out := make([]store.Attrs, len(keys))
	for i, place := range places {
		out[i] = found[place]
	}
	return out, nil
}

// distinct leaves out repetitions, which DynamoDB refuses; places tells where
// each of the keys went.
func distinct(keys []store.Key) (unique []store.Key, places []int, err error) {
	places = make([]int, len(keys))
	unique = make([]store.Key, 0, len(keys))
	seen := make(map[store.Key]int, len(keys))
	for i, k := range keys {
		if err := checkKey(k); err != nil {
			return nil, nil, err
		}
		place, ok := seen[k]
		if !ok {
			place = len(unique)
			seen[k] = place
			unique = append(unique, k)
		}
		places[i] = place
	}
	return unique, places, nil
}

func (s *Store) snapshot(ctx context.Context, keys []store.Key) ([]store.Attrs, error) {
	if len(keys) <= store.MaxSnapshotItems {
		found, err := s.transactGet(ctx, keys)
		if !errors.Is(err, errSnapshotTooLarge) {
			return found, err
		}
	}
	return s.readTwice(ctx, keys)
}

// errSnapshotTooLarge: the items are more than one TransactGetItems can return.
var errSnapshotTooLarge = errors.New("dynamo: snapshot too large for one call")

func (s *Store) transactGet(ctx context.Context, keys []store.Key) ([]store.Attrs, error) {
	in := dynamodb.TransactGetItemsInput{TransactItems: make([]types.TransactGetItem, len(keys))}
	for i, k := range keys {
		in.TransactItems[i].Get = &types.Get{TableName: &s.table, Key: encodeKey(k)}
	}
	var out *dynamodb.TransactGetItemsOutput
	err := s.do(ctx, "TransactGetItems", harmless, func(ctx context.Context) (err error) {
		out, err = s.client.TransactGetItems(ctx, &in)
		return err
	})
	var canceled *types.TransactionCanceledException
	switch {
	case errors.Is(err, store.ErrTooLarge):
		return nil, errSnapshotTooLarge
	case errors.As(err, &canceled) && reasonTooLarge(canceled.CancellationReasons):
		return nil, errSnapshotTooLarge
	case errors.As(err, &canceled) && classify(err) == refused:
		return nil, fmt.Errorf("dynamo: TransactGetItems: %w: %w", store.ErrUnavailable, err)
	case err != nil:
		return nil, err
	}
	if len(out.Responses) != len(keys) {
		return nil, fmt.Errorf("dynamo: TransactGetItems: %w: %d answers to %d keys", store.ErrUnavailable, len(out.Responses), len(keys))
	}
	found := make([]store.Attrs, len(keys))
	total := 0.0
	for i, r := range out.Responses {
		if found[i], err = decodeItem(r.Item); err != nil {
			return nil, err
		}
		total += 2 * units(sizeOf(keys[i], found[i]), readUnit)
	}
	recordRead(ctx, total)
	return found, nil
}

// snapshotRounds bounds readTwice where writers never pause.
const snapshotRounds = 20

// readTwice reads items again and again until nothing has changed from one time
// to the next: between the two, all of them were as read.
func (s *Store) readTwice(ctx context.Context, keys []store.Key) ([]store.Attrs, error) {
	last, err := s.getAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	for range snapshotRounds {
		next, err := s.getAll(ctx, keys)
		if err != nil {
			return nil, err
		}
		if allEqual(last, next) {
			return next, nil
		}
		last = next
	}
	return nil, fmt.Errorf("dynamo: reading %d items as a snapshot: %w", len(keys), store.ErrConflict)
}

func allEqual(a, b []store.Attrs) bool {
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// getAll reads distinct keys, each by itself.
func (s *Store) getAll(ctx context.Context, keys []store.Key) ([]store.Attrs, error) {
	found := make([]store.Attrs, len(keys))
	err := inParallel(ctx, len(keys), maxBatchGet, func(ctx context.Context, from, to int) error {
		return s.batchGet(ctx, keys[from:to], found[from:to])
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// batchGet reads up to maxBatchGet distinct keys into found.
func (s *Store) batchGet(ctx context.Context, keys []store.Key, found []store.Attrs) error {
	places := make(map[store.Key]int, len(keys))
	left := make([]item, len(keys))
	for i, k := range keys {
		places[k] = i
		left[i] = encodeKey(k)
	}
	for attempt := 0; len(left) > 0; attempt++ {
		in := dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			s.table: {Keys: left, ConsistentRead: aws.Bool(!store.IsStale(ctx))},
		}}
		var out *dynamodb.BatchGetItemOutput
		err := s.do(ctx, "BatchGetItem", harmless, func(ctx context.Context) (err error) {
			out, err = s.client.BatchGetItem(ctx, &in)
			return err
		})
		if err != nil {
			return err
		}
		for _, it := range out.Responses[s.table] {
			key, err := decodeKey(it)
			if err != nil {
				return err
			}
			place, asked := places[key]
			if !asked {
				return errors.New("dynamo: BatchGetItem returned an item that was not asked for")
			}
			if found[place], err = decodeItem(it); err != nil {
				return err
			}
		}
		rest := out.UnprocessedKeys[s.table].Keys
		// What was not returned and is not left over does not exist.
		total := float64(len(left) - len(rest))
		for _, it := range out.Responses[s.table] {
			key, _ := decodeKey(it)
			total += units(sizeOf(key, found[places[key]]), readUnit) - 1
		}
		recordRead(ctx, staleHalf(ctx)*total)
		if len(rest) > 0 && len(rest) < len(left) {
			attempt = -1 // progress: an answer holds 16 MB at most
		}
		left = rest
		if len(left) > 0 && !s.backOff(ctx, max(attempt, 0)) {
			return fmt.Errorf("dynamo: BatchGetItem left %d keys: %w", len(left), store.ErrThrottled)
		}
	}
	return nil
}

// Query reads a page of items; see store.Store.
func (s *Store) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if q.Partition == "" {
		return store.Page{}, errors.New("dynamo: query without a partition")
	}
	if len(q.Partition) > store.MaxPartitionKey {
		return store.Page{}, tooLarge("partition key of %d bytes", len(q.Partition))
	}
	if q.Limit < 0 {
		return store.Page{}, fmt.Errorf("dynamo: query with limit %d", q.Limit)
	}
	r := keyRange(q.From, q.To)
	if r.empty {
		return store.Page{}, nil
	}
	in, err := s.queryInput(q, r)
	if err != nil {
		return store.Page{}, err
	}
	var out *dynamodb.QueryOutput
	err = s.do(ctx, "Query", harmless, func(ctx context.Context) (err error) {
		out, err = s.client.Query(ctx, in)
		return err
	})
	if err != nil {
		return store.Page{}, err
	}
	return s.page(ctx, q, out)
}

func (s *Store) queryInput(q store.Query, r sortRange) (*dynamodb.QueryInput, error) {
	var e expression
	e.write(partitionAttr + "=" + e.bind(binary(q.Partition)))
	switch {
	case r.prefix:
		e.write(" AND begins_with(" + sortAttr + "," + e.bind(binary(r.low)) + ")")
	case r.low != "" && r.high != "":
		e.write(" AND " + sortAttr + " BETWEEN " + e.bind(binary(r.low)) + " AND " + e.bind(binary(r.high)))
	case r.low != "":
		e.write(" AND " + sortAttr + ">=" + e.bind(binary(r.low)))
	case r.high != "":
		e.write(" AND " + sortAttr + "<=" + e.bind(binary(r.high)))
	}
	in := dynamodb.QueryInput{
		TableName:        &s.table,
		ConsistentRead:   aws.Bool(true),
		ScanIndexForward: aws.Bool(!q.Reverse),
		// What the page cost cannot be told from items that were left out or only counted.
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	var err error
	if in.KeyConditionExpression, err = e.take(); err != nil {
		return nil, err
	}
	if q.Filter != nil {
		e.condition(q.Filter, false)
		if in.FilterExpression, err = e.take(); err != nil {
			return nil, err
		}
	}
	if q.Limit > 0 {
		in.Limit = aws.Int32(int32(min(q.Limit, 1<<30)))
	}
	if q.CountOnly {
		in.Select = types.SelectCount
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	return &in, nil
}

func (s *Store) page(ctx context.Context, q store.Query, out *dynamodb.QueryOutput) (store.Page, error) {
	p := store.Page{Count: int(out.Count)}
	size := 0
	if len(out.Items) > 0 {
		p.Items = make([]store.Item, len(out.Items))
	}
	for i, it := range out.Items {
		key, err := decodeKey(it)
		if err != nil {
			return store.Page{}, err
		}
		key.Partition = q.Partition
		attrs, err := decodeItem(it)
		if err != nil {
			return store.Page{}, err
		}
		p.Items[i] = store.Item{Key: key, Attrs: attrs}
		size += p.Items[i].Size()
	}
	if len(out.LastEvaluatedKey) > 0 {
		last, err := decodeKey(out.LastEvaluatedKey)
		if err != nil {
			return store.Page{}, err
		}
		p.Last, p.More = last.Sort, true
	}
	total := units(size, readUnit)
	if out.ConsumedCapacity != nil {
		if u := reported([]types.ConsumedCapacity{*out.ConsumedCapacity}); u > 0 {
			total = u
		}
	}
	recordRead(ctx, total)
	return p, nil
}
