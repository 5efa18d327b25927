package redis_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// TestContentionOnDynamoDB has 64 clients write the same keys, each through an engine of its
// own, as a Lambda function serves one request at a time. All must succeed.
func TestContentionOnDynamoDB(t *testing.T) {
	t.Parallel()
	const clients = 64
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	engines := make([]*redis.Engine, clients)
	for i := range engines {
		st := dynamo.New(dynamolocal.Client(t), table)
		t.Cleanup(func() { st.Close() })
		engines[i] = redis.New(redis.Config{Store: st, RecordTTL: time.Hour, Retry: store.Retry{Patience: time.Hour}}) // how fast the machine is does not matter
	}
	if _, err := engines[0].CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		times int // that each client runs the commands
		cmds  []string
		check [][2]string // commands and their replies, with N for the number of runs
	}{
		{"INCR", 10, []string{"incr n"}, [][2]string{{"get n", `"N"`}}},
		{"MULTI of two keys", 3, []string{"incr a", "incr b"}, [][2]string{{"mget a b", `["N" "N"]`}}},
		{"HINCRBY", 5, []string{"hincrby h f 1"}, [][2]string{{"hget h f", `"N"`}}},
		{"RPUSH", 5, []string{"rpush l v"}, [][2]string{{"llen l", "(integer) N"}}},
		{"XADD", 3, []string{"xadd s * f v"}, [][2]string{{"xlen s", "(integer) N"}}},
		{"ZADD INCR, which takes a transaction", 3, []string{"zadd z incr 1 m"}, [][2]string{{"zscore z m", "N"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel() // they wait more than they work
			var meter store.Meter
			ctx := store.WithMeter(t.Context(), &meter)
			begin := time.Now()
			var longest time.Duration
			var mu sync.Mutex
			var running sync.WaitGroup
			for _, e := range engines {
				running.Go(func() {
					for range tc.times {
						begin := time.Now()
						if err := run(ctx, e, tc.cmds...); err != nil {
							t.Error(err)
						}
						mu.Lock()
						longest = max(longest, time.Since(begin))
						mu.Unlock()
					}
				})
			}
			running.Wait()
			n := clients * tc.times
			t.Logf("%d runs in %v, the longest in %v, %.1f calls each", n, time.Since(begin).Round(time.Millisecond),
				longest.Round(time.Millisecond), float64(meter.Total().Calls)/float64(n))
			d := &testDB{t: t, e: engines[0], id: "test"}
			for _, c := range tc.check {
				if got, want := d.cmd(c[0]), strings.ReplaceAll(c[1], "N", strconv.Itoa(n)); got != want {
					t.Errorf("%s: got %s, want %s", c[0], got, want)
				}
			}
		})
	}
}

// run runs a command or, if there are several, a transaction, and makes errors of
// Redis errors of Go.
func run(ctx context.Context, e *redis.Engine, lines ...string) error {
	db, err := e.Database(ctx, "test")
	if err != nil {
		return err
	}
	var cmds [][]string
	for _, l := range lines {
		cmds = append(cmds, strings.Fields(l))
	}
	var w resp.Writer
	if len(cmds) == 1 {
		err = e.Do(ctx, db, redis.Access{}, cmds[0], &w)
	} else {
		err = e.Multi(ctx, db, redis.Access{}, cmds, &w)
	}
	if text, failed := resp.ErrorText(w.Buf); err == nil && failed {
		return redis.Error(text)
	}
	return err
}
