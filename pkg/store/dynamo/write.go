package dynamo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/pkg/store"
)

// Apply carries out one operation; see store.Store.
func (s *Store) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	if _, err := checkOp(op); err != nil {
		return nil, err
	}
	switch op.Kind {
	case store.OpPut:
		return s.put(ctx, op)
	case store.OpUpdate:
		return s.update(ctx, op)
	case store.OpDelete:
		return s.remove(ctx, op)
	}
	old, err := s.Get(ctx, op.Key)
	if err == nil && !store.Holds(op.If, old) {
		return nil, &store.ConditionError{Old: old}
	}
	return old, err
}

func (s *Store) put(ctx context.Context, op store.Op) (store.Attrs, error) {
	cond, e, err := condition(op.If)
	if err != nil {
		return nil, err
	}
	in := dynamodb.PutItemInput{
		TableName: &s.table, Item: encodeItem(op.Key, op.Attrs), ReturnValues: types.ReturnValueAllOld,
		ConditionExpression: cond, ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: oldOnFailure(cond),
	}
	var out *dynamodb.PutItemOutput
	err = s.do(ctx, "PutItem", delicate, func(ctx context.Context) (err error) {
		out, err = s.client.PutItem(ctx, &in)
		return err
	})
	if err != nil {
		return nil, s.notApplied(ctx, "PutItem", op.Key, err)
	}
	return s.applied(ctx, op.Key, out.Attributes, func(store.Attrs) int { return sizeOf(op.Key, op.Attrs) })
}

func (s *Store) update(ctx context.Context, op store.Op) (store.Attrs, error) {
	cond, e, err := condition(op.If)
	if err != nil {
		return nil, err
	}
	e.update(op.Edits)
	changes, err := e.take()
	if err != nil {
		return nil, err
	}
	in := dynamodb.UpdateItemInput{
		TableName: &s.table, Key: encodeKey(op.Key), UpdateExpression: changes, ReturnValues: types.ReturnValueAllOld,
		ConditionExpression: cond, ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: oldOnFailure(cond),
	}
	var out *dynamodb.UpdateItemOutput
	err = s.do(ctx, "UpdateItem", delicate, func(ctx context.Context) (err error) {
		out, err = s.client.UpdateItem(ctx, &in)
		return err
	})
	if err != nil {
		return nil, s.notApplied(ctx, "UpdateItem", op.Key, err)
	}
	return s.applied(ctx, op.Key, out.Attributes, func(old store.Attrs) int { return updatedSize(op.Key, old, op.Edits) })
}

func (s *Store) remove(ctx context.Context, op store.Op) (store.Attrs, error) {
	cond, e, err := condition(op.If)
	if err != nil {
		return nil, err
	}
	in := dynamodb.DeleteItemInput{
		TableName: &s.table, Key: encodeKey(op.Key), ReturnValues: types.ReturnValueAllOld,
		ConditionExpression: cond, ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: oldOnFailure(cond),
	}
	var out *dynamodb.DeleteItemOutput
	err = s.do(ctx, "DeleteItem", delicate, func(ctx context.Context) (err error) {
		out, err = s.client.DeleteItem(ctx, &in)
		return err
	})
	if err != nil {
		return nil, s.notApplied(ctx, "DeleteItem", op.Key, err)
	}
	return s.applied(ctx, op.Key, out.Attributes, func(store.Attrs) int { return 0 })
}

// condition writes an operation's condition into a fresh expression.
func condition(c store.Cond) (*string, *expression, error) {
	e := new(expression)
	if c == nil {
		return nil, e, nil
	}
	e.condition(c, false)
	text, err := e.take()
	return text, e, err
}

func oldOnFailure(cond *string) types.ReturnValuesOnConditionCheckFailure {
	if cond == nil {
		return ""
	}
	return types.ReturnValuesOnConditionCheckFailureAllOld
}

// applied decodes the old item of a plain write and accounts for the write, by
// the larger of the old and the new item.
func (s *Store) applied(ctx context.Context, key store.Key, it item, newSize func(old store.Attrs) int) (store.Attrs, error) {
	old, err := decodeItem(it)
	if err != nil {
		return nil, err
	}
	recordWrite(ctx, units(max(sizeOf(key, old), newSize(old)), writeUnit))
	return old, nil
}

// notApplied translates what do returned for a plain write. A failed condition
// costs what a write of the item as it was found would cost.
func (s *Store) notApplied(ctx context.Context, what string, key store.Key, err error) error {
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return err
	}
	old, err := decodeItem(failed.Item)
	if err != nil {
		return fmt.Errorf("dynamo: %s: %w", what, err)
	}
	recordWrite(ctx, units(sizeOf(key, old), writeUnit))
	return &store.ConditionError{Old: old}
}

// Commit carries out operations, all or none; see store.Store.
func (s *Store) Commit(ctx context.Context, ops []store.Op) error {
	if len(ops) > store.MaxCommitOps {
		return tooLarge("commit of %d operations", len(ops))
	}
	total, writes := 0, 0
	for _, op := range ops {
		size, err := checkOp(op)
		if err != nil {
			return err
		}
		total += size
		if op.Kind != store.OpCheck {
			writes++
		}
	}
	if total > store.MaxCommitSize {
		return tooLarge("commit of %d bytes", total)
	}
	switch {
	case len(ops) == 0:
		return nil
	case len(ops) == 1:
		_, err := s.Apply(ctx, ops[0])
		return err
	case writes == 0:
		return s.check(ctx, ops)
	}
	return s.transact(ctx, ops)
}

// check evaluates conditions on a snapshot of their items.
func (s *Store) check(ctx context.Context, ops []store.Op) error {
	keys := make([]store.Key, len(ops))
	for i, op := range ops {
		keys[i] = op.Key
	}
	found, err := s.GetMany(ctx, keys, true)
	if err != nil {
		return err
	}
	for i, op := range ops {
		if !store.Holds(op.If, found[i]) {
			return &store.ConditionError{Index: i, Old: found[i]}
		}
	}
	return nil
}

func (s *Store) transact(ctx context.Context, ops []store.Op) error {
	in := dynamodb.TransactWriteItemsInput{
		// One token for all attempts: the transaction happens once. DynamoDB
		// remembers it for ten minutes.
		ClientRequestToken:     aws.String(rand.Text()),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		TransactItems:          make([]types.TransactWriteItem, len(ops)),
	}
	for i, op := range ops {
		var err error
		if in.TransactItems[i], err = s.transactItem(op); err != nil {
			return err
		}
	}
	var out *dynamodb.TransactWriteItemsOutput
	err := s.do(ctx, "TransactWriteItems", tokened, func(ctx context.Context) (err error) {
		out, err = s.client.TransactWriteItems(ctx, &in)
		return err
	})
	var canceled *types.TransactionCanceledException
	switch {
	case errors.As(err, &canceled) && classify(canceled) == refused:
		return canceledError(ctx, ops, canceled)
	case err != nil:
		return err
	}
	recordWrite(ctx, max(reported(out.ConsumedCapacity), transactUnits(ops, nil)))
	return nil
}

func (s *Store) transactItem(op store.Op) (types.TransactWriteItem, error) {
	if op.Kind == store.OpCheck && op.If == nil {
		op.If = always // DynamoDB wants a condition
	}
	cond, e, err := condition(op.If)
	if err != nil {
		return types.TransactWriteItem{}, err
	}
	onFailure := oldOnFailure(cond)
	var it types.TransactWriteItem
	switch op.Kind {
	case store.OpPut:
		it.Put = &types.Put{
			TableName: &s.table, Item: encodeItem(op.Key, op.Attrs), ConditionExpression: cond,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: onFailure,
		}
	case store.OpUpdate:
		e.update(op.Edits)
		if len(e.text) == 0 {
			e.update([]store.Edit{store.Remove(noAttr)})
		}
		changes, err := e.take()
		if err != nil {
			return types.TransactWriteItem{}, err
		}
		it.Update = &types.Update{
			TableName: &s.table, Key: encodeKey(op.Key), UpdateExpression: changes, ConditionExpression: cond,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: onFailure,
		}
	case store.OpDelete:
		it.Delete = &types.Delete{
			TableName: &s.table, Key: encodeKey(op.Key), ConditionExpression: cond,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: onFailure,
		}
	case store.OpCheck:
		it.ConditionCheck = &types.ConditionCheck{
			TableName: &s.table, Key: encodeKey(op.Key), ConditionExpression: cond,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: onFailure,
		}
	}
	return it, nil
}

// canceledError translates the reasons for which a transaction was refused.
func canceledError(ctx context.Context, ops []store.Op, canceled *types.TransactionCanceledException) error {
	var failed *store.ConditionError
	found := make([]store.Attrs, len(ops))
	for i, r := range canceled.CancellationReasons {
		if aws.ToString(r.Code) != "ConditionalCheckFailed" || i >= len(ops) {
			continue
		}
		old, err := decodeItem(r.Item)
		if err != nil {
			return fmt.Errorf("dynamo: TransactWriteItems: %w", err)
		}
		found[i] = old
		if failed == nil {
			failed = &store.ConditionError{Index: i, Old: old}
		}
	}
	recordWrite(ctx, transactUnits(ops, found))
	if failed != nil {
		return failed
	}
	if reasonTooLarge(canceled.CancellationReasons) {
		return fmt.Errorf("dynamo: TransactWriteItems: %w: %w", store.ErrTooLarge, canceled)
	}
	return fmt.Errorf("dynamo: TransactWriteItems: %w", canceled)
}

func reasonTooLarge(reasons []types.CancellationReason) bool {
	for _, r := range reasons {
		if isTooLarge(aws.ToString(r.Code), aws.ToString(r.Message)) {
			return true
		}
	}
	return false
}

// transactUnits is what a transaction costs at least, given what is known of
// the items as they were before.
func transactUnits(ops []store.Op, found []store.Attrs) float64 {
	total := 0.0
	for i, op := range ops {
		size := sizeOf(op.Key, op.Attrs)
		if found != nil {
			size = max(size, sizeOf(op.Key, found[i]))
		}
		if op.Kind == store.OpUpdate {
			size = max(size, updatedSize(op.Key, nil, op.Edits))
		}
		total += 2 * units(size, writeUnit)
	}
	return total
}
