package redis

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// Size adds up what a database's keys take in the store. It reads all of them, a read unit for each
// 4 KiB; what has been deleted and not been cleared away yet, scripts and messages of channels are not counted.
func (e *Engine) Size(ctx context.Context, id string) (meter.Storage, error) {
	s := meter.Storage{At: e.now()}
	d, err := e.Database(ctx, id)
	if err != nil {
		return s, err
	}
	for _, partition := range d.At(e.nowMs()).Partitions {
		err := s.AddPartition(ctx, e.store, partition, func(head store.Item) error {
			if gen := head.Attrs.Get(keyspace.AttrGen).Str(); gen != "" {
				return s.AddPartition(ctx, e.store, keyspace.ElemPartition(id, gen), nil)
			}
			return nil
		})
		if err != nil {
			return s, fmt.Errorf("measuring database %s: %w", id, err)
		}
	}
	return s, nil
}
