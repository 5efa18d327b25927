package pubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// monitorBeat is how often the mark of a monitor is renewed.
const monitorBeat = 20 * time.Second

// Monitor begins to receive the lines that Log logs in a database. mark tells those who may log that somebody reads: it
// is called before Monitor returns, then every 20 seconds until the subscription is closed.
func (b *Broker) Monitor(ctx context.Context, db *keyspace.Database, mark func(context.Context) error) (*Subscription, error) {
	if err := mark(ctx); err != nil {
		return nil, err
	}
	s := &Subscription{hub: b.hubOf(db), monitors: true, wake: make(chan struct{}, 1)}
	if err := s.join(ctx, map[messageLog]bool{{db.ID, monitorLog}: true}); err != nil {
		s.Close()
		return nil, err
	}
	s.stopBeat = b.duties.Run(func(beat context.Context) {
		tick := time.NewTicker(monitorBeat)
		defer tick.Stop()
		for {
			select {
			case <-beat.Done():
				return
			case <-tick.C:
				if err := mark(beat); err != nil && beat.Err() == nil {
					b.log.Warn("renewing a monitor", "error", err)
				}
			}
		}
	})
	return s, nil
}

// Log logs lines for the monitors of a database, in order.
func (b *Broker) Log(ctx context.Context, db *keyspace.Database, lines []string) error {
	l := messageLog{db.ID, monitorLog}
	for len(lines) > 0 {
		n := min(len(lines), maxInlined)
		batch := make([]publication, n)
		for i, line := range lines[:n] {
			batch[i].payload = line
		}
		if err := b.logLines(ctx, l, batch); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

func (b *Broker) logLines(ctx context.Context, l messageLog, lines []publication) error {
	attempts := b.retry.Begin()
	for {
		now := b.nowMs()
		ops, bodies := appendToLogs(keyspace.NewWriteID(now), now, func(string) messageLog { return l }, lines)
		if len(bodies) > 0 {
			if err := b.store.Load(ctx, bodies, nil); err != nil {
				return fmt.Errorf("writing long lines: %w", err)
			}
		}
		old, err := b.store.Apply(ctx, ops[0])
		var full *store.ConditionError
		if errors.As(err, &full) {
			b.tidyLog(ctx, l, full.Old)
			if err = attempts.Wait(ctx, err); err == nil {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("appending lines: %w", err)
		}
		b.published(l)
		if head, ok := store.ApplyEdits(old, ops[0].Edits); ok {
			b.tidyLog(ctx, l, head)
		}
		return nil
	}
}
