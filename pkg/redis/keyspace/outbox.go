package keyspace

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// Outbox is what a transaction sends when it commits, by writes in the same commit.
type Outbox interface {
	// Operations are those writes, for a transaction of an id and a time (Unix ms). What is too large for
	// a commit is written before they are returned.
	Operations(ctx context.Context, id WriteID, nowMs int64) ([]store.Op, error)
	// Sent follows a commit that has taken effect. item is what its write left if it was the only one, else nil.
	Sent(ctx context.Context, item store.Attrs)
	// Refused follows a commit that has failed because of an item, which is given as it was found.
	Refused(ctx context.Context, op store.Op, found store.Attrs)
	// Resolve finds out whether a commit of an id has taken effect though its answer was lost. If it has not,
	// it never will.
	Resolve(ctx context.Context, id WriteID) (Outcome, error)
}

// outgoing are the operations of a commit that send what the transaction sends.
func (tx *Txn) outgoing() ([]store.Op, error) {
	if tx.Outbox == nil {
		return nil, nil
	}
	return tx.Outbox.Operations(tx.ctx, tx.writeID(), tx.now)
}

// resolveSent goes on after a commit that sends something and whose answer was lost.
func (tx *Txn) resolveSent() error {
	state, err := tx.Outbox.Resolve(tx.ctx, tx.writeID())
	if err != nil {
		return err
	}
	if state == Applied {
		tx.done()
		return nil
	}
	return fmt.Errorf("a write was lost: %w", store.ErrConflict)
}
