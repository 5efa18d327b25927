package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/pkg/store"
)

// Load writes and deletes items in bulk; see store.Store. Of several writes to
// one key the last stays, a delete of it being later than a put.
func (s *Store) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	writes := make([]types.WriteRequest, 0, len(puts)+len(deletes))
	places := make(map[store.Key]int, len(puts)+len(deletes))
	add := func(k store.Key, w types.WriteRequest) {
		if place, ok := places[k]; ok {
			writes[place] = w
			return
		}
		places[k] = len(writes)
		writes = append(writes, w)
	}
	for _, it := range puts {
		if _, err := checkItem(it); err != nil {
			return err
		}
		add(it.Key, types.WriteRequest{PutRequest: &types.PutRequest{Item: encodeItem(it.Key, it.Attrs)}})
	}
	for _, k := range deletes {
		if err := checkKey(k); err != nil {
			return err
		}
		add(k, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: encodeKey(k)}})
	}
	return inParallel(ctx, len(writes), maxBatchWrite, func(ctx context.Context, from, to int) error {
		return s.batchWrite(ctx, writes[from:to])
	})
}

// batchWrite carries out up to maxBatchWrite writes of distinct items.
func (s *Store) batchWrite(ctx context.Context, left []types.WriteRequest) error {
	for attempt := 0; len(left) > 0; attempt++ {
		in := dynamodb.BatchWriteItemInput{
			RequestItems:           map[string][]types.WriteRequest{s.table: left},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		}
		var out *dynamodb.BatchWriteItemOutput
		err := s.do(ctx, "BatchWriteItem", harmless, func(ctx context.Context) (err error) {
			out, err = s.client.BatchWriteItem(ctx, &in)
			return err
		})
		if err != nil {
			return err
		}
		recordWrite(ctx, reported(out.ConsumedCapacity))
		rest := out.UnprocessedItems[s.table]
		if len(rest) > 0 && len(rest) < len(left) {
			attempt = -1 // progress
		}
		left = rest
		if len(left) > 0 && !s.backOff(ctx, max(attempt, 0)) {
			return fmt.Errorf("dynamo: BatchWriteItem left %d writes: %w", len(left), store.ErrThrottled)
		}
	}
	return nil
}
