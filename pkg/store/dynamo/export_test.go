package dynamo

import (
	"context"
	"sync/atomic"
	"time"
)

// NoPauses makes the store retry at once, as long as the context lasts, and
// count its pauses.
func (s *Store) NoPauses(pauses *atomic.Int32) {
	s.pause = func(ctx context.Context, _ time.Duration) bool {
		pauses.Add(1)
		return ctx.Err() == nil
	}
}

// MaxAttempts is how often a request is sent at most.
const MaxAttempts = maxAttempts
