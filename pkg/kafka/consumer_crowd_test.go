package kafka

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// Two hundred members of several processes join at once, and come to have a part each.
func TestManyConsumersJoinAtOnce(t *testing.T) {
	const members = 200
	inClassicBubble(t, 2, members, func(w *classicWorld) {
		w.store.Reset()
		all := make([]*servedMember, members)
		var living sync.WaitGroup
		for i := range all {
			all[i] = w.served(i%2, fmt.Sprintf("m%03d", i))
			living.Go(func() {
				for range 6 {
					if err := all[i].beat(w.Context()); err != nil {
						w.Errorf("%s: %v", all[i].id, err)
					}
					time.Sleep(5 * time.Second)
				}
			})
		}
		living.Wait()
		joined := w.store.Counts()
		w.Logf("joining: %v read and %v write units", joined.ReadUnits, joined.WriteUnits)
		sizes := make([]int, members)
		for i := range sizes {
			sizes[i] = 1
		}
		w.wantShares(all, sizes...)

		w.store.Reset()
		for i := range all {
			living.Go(func() {
				for range 12 {
					if err := all[i].beat(w.Context()); err != nil {
						w.Errorf("%s: %v", all[i].id, err)
					}
					time.Sleep(5 * time.Second)
				}
			})
		}
		living.Wait()
		idle := w.store.Counts()
		w.Logf("a minute in peace: %v read and %v write units", idle.ReadUnits, idle.WriteUnits)
		if idle.WriteUnits > 200 || idle.ReadUnits > 2000 {
			w.Errorf("a minute in peace: %v read and %v write units", idle.ReadUnits, idle.WriteUnits)
		}
	})
}
