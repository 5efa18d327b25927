package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
)

// closeTime bounds how long a producer whose batch was refused is busy with the gap it leaves.
const closeTime = 2 * time.Second

// isRefused reports whether a put that failed has left nothing in the stream for certain.
func isRefused(err error) bool {
	return errors.Is(err, ingest.ErrThrottled) || errors.Is(err, ingest.ErrTooLarge) || errors.Is(err, store.ErrUnavailable)
}

// closeRefused closes the gaps that records leave which the stream has refused for certain: what was
// reserved for them is void. Otherwise readers would wait until it is old enough to be given up. If
// that fails they do.
func (e *Engine) closeRefused(ctx context.Context, records []ingest.Record, errs []error) {
	var voids map[string][]arrival
	for i, err := range errs {
		if err == nil || !isRefused(err) {
			continue
		}
		v, err := decodeEnvelope(records[i].Data)
		if err != nil {
			continue // it was encoded a moment ago
		}
		if voids == nil {
			voids = map[string][]arrival{}
		}
		void := envelope{base: v.base, next: v.next, reserved: v.reserved}
		voids[records[i].Key] = append(voids[records[i].Key], arrival{envelope: void})
	}
	// The producer's time may be over: that is why the stream has refused.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	var calls sync.WaitGroup
	for log, v := range voids {
		calls.Go(func() {
			news, err := e.apply(ctx, log, v, false)
			if err == nil && news {
				err = e.spread(ctx, []string{log})
			}
			if err != nil {
				e.log.WarnContext(ctx, "a gap is closed later", "log", log, "error", err)
			}
		})
	}
	calls.Wait()
}

// CloseGaps makes void what was reserved and is not in the stream, in all logs. It must be called
// before anything is produced, by the only process that uses the stream and before Run: so nothing can
// come any more for what another run of the process has left.
func (e *Engine) CloseGaps(ctx context.Context) error {
	clusters, err := e.Clusters(ctx)
	if err != nil {
		return err
	}
	read := false
	for _, id := range clusters {
		topics, err := e.Topics(ctx, &Cluster{ID: id})
		if err != nil {
			return err
		}
		for _, t := range topics {
			logs := make([]string, t.Partitions)
			for p := range logs {
				logs[p] = t.log(p)
			}
			heads, err := e.heads(ctx, logs)
			if err != nil {
				return err
			}
			for i, h := range heads {
				if h == nil || h.next == h.mark {
					continue
				}
				if !read { // all that the stream has, once
					if err := e.drain(ctx); err != nil {
						return err
					}
					read = true
				}
				if _, err := e.applyBelow(ctx, logs[i], nil, false, h.next); err != nil {
					return fmt.Errorf("closing gaps of %s/%d: %w", t.Name, i, err)
				}
			}
		}
	}
	return nil
}

// drain materializes what the stream has.
func (e *Engine) drain(ctx context.Context) error {
	err := e.stream.Tail(ctx, "", time.Time{}, func(ds []ingest.Delivery) error {
		_, err := e.materialize(ctx, ds, false)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading what the stream has: %w", err)
	}
	return nil
}
