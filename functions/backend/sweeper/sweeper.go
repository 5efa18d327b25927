// Package sweeper runs engines' reclaimers on a schedule.
package sweeper

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Margin is how long before Lambda ends a function a Sweeper stops by itself.
const Margin = 5 * time.Second

// Sweeper handles the events of a schedule by clearing away what is of no use any
// more. What its time does not suffice for, the next run goes on with.
type Sweeper struct {
	Engine interface {
		// Reclaim deletes what is due and returns the number of items deleted.
		Reclaim(ctx context.Context) (int, error)
	}
	Logger *slog.Logger
}

// Swept is a Sweeper's answer, for who starts the function by hand.
type Swept struct {
	Deleted  int  `json:"deleted"`  // items
	Finished bool `json:"finished"` // there was time for everything that is due
}

// Handle clears away what is due. The event says nothing that matters.
func (s *Sweeper) Handle(ctx context.Context) (Swept, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-Margin))
		defer cancel()
	}
	begin := time.Now()
	n, err := s.Engine.Reclaim(ctx)
	out := ctx.Err() != nil
	if err != nil && !out {
		return Swept{}, fmt.Errorf("sweep: after %d items: %w", n, err)
	}
	s.Logger.InfoContext(ctx, "swept", "deleted", n, "finished", !out, "duration_ms", time.Since(begin).Milliseconds())
	return Swept{Deleted: n, Finished: !out}, nil
}
