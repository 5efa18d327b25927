package kafka

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/meter"
)

// Size adds up what a cluster's messages take in the store. It reads all of them, a read unit for each 4 KiB.
func (e *Engine) Size(ctx context.Context, id string) (meter.Storage, error) {
	s := meter.Storage{At: e.now()}
	topics, err := e.Topics(ctx, &Cluster{ID: id})
	if err != nil {
		return s, err
	}
	for _, t := range topics {
		for p := range t.Partitions {
			if err := s.AddPartition(ctx, e.store, t.log(p), nil); err != nil {
				return s, fmt.Errorf("measuring cluster %s: %w", id, err)
			}
		}
	}
	return s, nil
}
