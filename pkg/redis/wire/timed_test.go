package wire

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestTimedContextEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := new(timed)
		ctx.begin(t.Context(), time.Now, time.Second)
		defer ctx.end()
		if err := ctx.Err(); err != nil {
			t.Errorf("at first: %v", err)
		}
		time.Sleep(time.Second)
		var err error
		for range askClock {
			if err = ctx.Err(); err != nil {
				break
			}
		}
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("after its time: %v, then %v", err, ctx.Err())
		}
	})
}

func TestTimedContextIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx := new(timed)
		ctx.begin(t.Context(), time.Now, time.Second)
		defer ctx.end()
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		<-derived.Done()
		if took := time.Since(begun); took != time.Second || !errors.Is(derived.Err(), context.DeadlineExceeded) || ctx.Err() == nil {
			t.Errorf("after %v: %v, %v", took, derived.Err(), ctx.Err())
		}
	})
}

func TestTimedContextCanBeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, waits := range []bool{true, false} {
			ctx := new(timed)
			ctx.begin(t.Context(), time.Now, time.Second)
			if waits {
				derived, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				ctx.end()
				<-derived.Done()
			} else {
				ctx.end()
			}
			<-ctx.Done()
			if err := ctx.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("waited for: %v; its end is %v", waits, err)
			}
		}
	})
}
