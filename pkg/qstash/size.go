package qstash

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
)

// Size adds up what an account's messages take in the store, with those that are kept for their logs.
// It reads all of them, a read unit for each 4 KiB.
func (e *Engine) Size(ctx context.Context, acct string) (meter.Storage, error) {
	s := meter.Storage{At: e.now()}
	for shard := range byte(shards) {
		err := s.AddPartition(ctx, e.store, messagePartition(acct, shard), func(it store.Item) error {
			m, err := parseMessage(acct, it.Key.Sort, it.Attrs)
			if err != nil || m.rec.Chunks == 0 {
				return err
			}
			return s.AddPartition(ctx, e.store, part("b", acct, m.id), nil)
		})
		if err != nil {
			return s, fmt.Errorf("measuring account %s: %w", acct, err)
		}
	}
	return s, nil
}
