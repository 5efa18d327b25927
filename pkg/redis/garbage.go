package redis

import "context"

// Reclaim deletes garbage that is due: the elements of values that were deleted, overwritten or
// have expired, the expired fields of hashes, and everything in flushed and deleted databases. It
// returns the number of items deleted. It may run on any instance, several times and at once.
func (e *Engine) Reclaim(ctx context.Context) (int, error) { return e.keys.Reclaim(ctx) }

// ReclaimChange does the work of Reclaim for one change of the table: a note was written, or an
// expired head was deleted. It returns the number of items deleted. It ignores all other changes,
// and notes that are not due yet. Changes may be delivered late, several times and in any order.
func (e *Engine) ReclaimChange(ctx context.Context, c Change) (int, error) {
	return e.keys.ReclaimChange(ctx, c)
}
