package dynamo

import (
	"context"
	"time"
)

// NoPauses makes the store retry at once, as long as the context lasts, and
// count its pauses.
func (s *Store) NoPauses(pauses *int) {
	s.pause = func(ctx context.Context, _ time.Duration) bool {
		*pauses++
		return ctx.Err() == nil
	}
}

// MaxAttempts is how often a request is sent at most.
const MaxAttempts = maxAttempts
