package pubsub_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/command/commandtest"
	"github.com/skystash/skystash/pkg/redis/internal/duties"
	"github.com/skystash/skystash/pkg/redis/pubsub"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// When thousands of subscribers are cut off at once, publishers count them no more right afterwards, and the store is not asked for each.
func TestManySubscriptionsThatEndAtOnceAreForgotten(t *testing.T) {
	const n = 10_000
	for _, tt := range []struct {
		name    string
		channel func(i int) string
		most    int           // calls
		within  time.Duration // with a store that takes 5 ms
	}{
		{"one channel", func(int) string { return "c" }, 20, time.Second},
		{"a channel each", func(i int) string { return fmt.Sprint("c", i) }, 3 * n, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := false
				st := faulty.New(commandtest.Memory(t), faulty.Plan{Before: func(context.Context, string) {
					if slow {
						time.Sleep(5 * time.Millisecond)
					}
				}})
				duty := duties.New()
				defer duty.Close()
				clock := commandtest.NewClock()
				db := commandtest.New(t, st, clock, "test")
				broker := pubsub.New(pubsub.Config{Store: st, Now: clock.Now, Log: slog.Default(), Retry: store.Retry{}.WithClock(clock.Now), Duties: duty, Alone: true})
				var subs []*pubsub.Subscription
				for i := range n {
					s, err := broker.Subscribe(t.Context(), db.Database, command.Access{}, []string{tt.channel(i)}, nil)
					if err != nil {
						t.Fatal(err)
					}
					subs = append(subs, s)
				}
				db.Table.Add(broker.Commands())
				last := tt.channel(n - 1)
				if got := db.Line("PUBSUB NUMSUB " + last); got == fmt.Sprintf("[%q 0]", last) {
					t.Fatalf("PUBSUB NUMSUB: %s", got)
				}
				slow = true
				before, began := st.Counts().Calls, time.Now()
				var ends sync.WaitGroup
				for _, s := range subs {
					ends.Go(s.Close)
				}
				ends.Wait()
				if calls, took := st.Counts().Calls-before, time.Since(began); calls > tt.most || took > tt.within {
					t.Errorf("%d calls, %v", calls, took)
				}
				slow = false
				if got := db.Line("PUBSUB CHANNELS"); got != "[]" {
					t.Errorf("PUBSUB CHANNELS: %.100s", got)
				}
			})
		})
	}
}
