package qstash

import (
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// runTTL is how long the items of a run are kept without being written again: for the longest delay
// and the longest wait behind a flow control key after it.
func (e *Engine) runTTL() time.Duration { return e.limits.MaxDelay + maxWait }

// keepMargin is how long before it would be needed the time of a run's items is put off.
const keepMargin = 30 * 24 * time.Hour

// keepRun puts off the time at which the items of a run expire, if a delay that begins now could end
// after it. Otherwise a run that sleeps for years, a few months at a time, would lose its first steps. The
// supervisor calls it for each run that goes on. Of a run that lasts less than a year nothing is written.
func (e *Engine) keepRun(ctx context.Context, r *run) error {
	now := e.now()
	if time.Unix(r.attrs.Get(store.TTLAttr).Num(), 0).After(now.Add(e.limits.MaxDelay + keepMargin)) {
		return nil
	}
	until := store.Int(now.Add(e.runTTL()).Unix())
	keep := func(key store.Key) error {
		_, err := e.store.Apply(ctx, store.Update(key, store.Exists(store.TTLAttr), store.Set(store.TTLAttr, until)))
		if _, unmet := unmetCondition(err); err == nil || unmet {
			return nil
		}
		return fmt.Errorf("keeping workflow run %s: %w", r.id, err)
	}
	err := e.each(ctx, store.Query{Partition: runPartition(r.acct, r.id)}, func(it store.Item) (bool, error) {
		if it.Key == runKey(r.acct, r.id) {
			return true, nil
		}
		for i := range int(it.Attrs.Get(stepChunks).Num()) {
			if err := keep(chunkKey(r.acct, it.Attrs.Get(attrMessage).Str()+"/step", i)); err != nil {
				return false, err
			}
		}
		return true, keep(it.Key)
	})
	if err != nil {
		return err
	}
	if err := keep(runIndexKey(r.acct, r.CreatedAt, r.id)); err != nil {
		return err
	}
	return keep(runKey(r.acct, r.id)) // last: its time says that the others are kept
}
