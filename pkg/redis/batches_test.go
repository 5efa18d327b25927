package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// refusing refuses commits from one on.
type refusing struct {
	store.Store
	left atomic.Int64 // commits until then
	err  error
}

func (r *refusing) Commit(ctx context.Context, ops []store.Op) error {
	if r.left.Add(-1) < 0 {
		return r.err
	}
	return r.Store.Commit(ctx, ops)
}

// TestBatchesCutOffAreInDoubt: a client that hears of a failure which says that nothing was done
// sends its command again; after half of it was, that would give another reply.
func TestBatchesCutOffAreInDoubt(t *testing.T) {
	for _, cause := range []error{store.ErrThrottled, store.ErrUnavailable, store.ErrConflict, store.ErrUnknownOutcome} {
		for commits := range int64(2) {
			t.Run(fmt.Sprintf("%v after %d", cause, commits), func(t *testing.T) {
				st := &refusing{Store: newLedger(t).Store, err: cause}
				st.left.Store(1 << 30)
				d := newTestEngineOn(t, st)
				del := []string{"del"}
				for i := range 150 {
					key := fmt.Sprint("k", i)
					d.do("set", key, "v")
					del = append(del, key)
				}
				st.left.Store(commits)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if commits == 0 && errors.Is(cause, store.ErrConflict) {
					cancel() // or it is tried again and again
				}
				err := d.e.Do(ctx, d.database(), redis.Access{}, del, new(resp.Writer))
				want := cause
				if commits > 0 {
					want = store.ErrUnknownOutcome
				} else if ctx.Err() != nil {
					want = context.Canceled
				}
				if !errors.Is(err, want) || commits > 0 && errors.Is(err, store.ErrThrottled) {
					t.Errorf("error %v, want %v", err, want)
				}
				st.left.Store(1 << 30)
				if size := d.cmd("dbsize"); (size == "(integer) 150") != (commits == 0) {
					t.Errorf("%s keys are left after %d commits", size, commits)
				}
			})
		}
	}
}

// Keys that do not exist are no reason to refuse a command.
func TestManyKeysOfWhichFewExist(t *testing.T) {
	d := newTestEngine(t)
	for existing := range 3 {
		del := []string{"del"}
		for i := range 150 {
			del = append(del, fmt.Sprint("k", i))
			if i < existing {
				d.do("set", fmt.Sprint("k", i), "v")
			}
		}
		if got := d.do(del...); got != fmt.Sprintf("(integer) %d", existing) {
			t.Errorf("DEL of 150 keys of which %d exist: %s", existing, got)
		}
	}
}
