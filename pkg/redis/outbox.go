package redis

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// outbox is what a transaction sends when it commits, by writes in the same commit.
type outbox interface {
	// operations are those writes, for a transaction of an id and a time (Unix ms). What is too large for
	// a commit is written before they are returned.
	operations(ctx context.Context, id writeID, nowMs int64) ([]store.Op, error)
	// sent follows a commit that has taken effect. item is what its write left if it was the only one, else nil.
	sent(ctx context.Context, item store.Attrs)
	// refused follows a commit that has failed because of an item, which is given as it was found.
	refused(ctx context.Context, op store.Op, found store.Attrs)
	// resolve finds out whether a commit of an id has taken effect though its answer was lost. If it has not,
	// it never will.
	resolve(ctx context.Context, id writeID) (outcome, error)
}

// outgoing are the operations of a commit that send what the transaction sends.
func (tx *Txn) outgoing() ([]store.Op, error) {
	if tx.outbox == nil {
		return nil, nil
	}
	return tx.outbox.operations(tx.ctx, tx.id, tx.now)
}

// resolveSent goes on after a commit that sends something and whose answer was lost.
func (tx *Txn) resolveSent() error {
	state, err := tx.outbox.resolve(tx.ctx, tx.id)
	if err != nil {
		return err
	}
	if state == applied {
		tx.done()
		return nil
	}
	return fmt.Errorf("a write was lost: %w", store.ErrConflict)
}
