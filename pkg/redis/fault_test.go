package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// fleet is several engines, as so many Lambda instances, on one store that fails.
type fleet struct {
	t       *testing.T
	id      string // of the database
	engines []*redis.Engine
	faults  *faulty.Store
	clock   *testClock
	unknown atomic.Int64 // commands whose outcome stayed unknown
}

func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	f := newFleetOn(t, st, "test", n)
	t.Cleanup(func() { f.faults.Close() })
	return f
}

// newFleetOn makes a fleet, with a database of its own, on a store that stays open.
func newFleetOn(t *testing.T, st store.Store, id string, n int) *fleet {
	t.Helper()
	clock := standingClock()
	f := &fleet{t: t, id: id, faults: faulty.New(st, faulty.Plan{}), clock: clock}
	for range n {
		f.engines = append(f.engines, redis.New(redis.Config{Store: f.faults, Now: f.clock.now, RecordTTL: 10_000 * time.Hour, Retry: brisk}))
	}
	if _, err := f.engines[0].CreateDatabase(context.Background(), redis.DatabaseOptions{ID: id}); err != nil {
		t.Fatal(err)
	}
	for _, e := range f.engines {
		if _, err := e.Database(context.Background(), id); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// brisk is the policy of engines on a store that answers a hundred times as fast as DynamoDB: the pauses between attempts
// are as much shorter.
var brisk = store.Retry{Sleep: func(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d / 50):
		return nil
	}
}}

// do runs a command, again and again while the failure says that nothing was done. It
// returns the rendered reply; not ok if the outcome stayed unknown.
func (f *fleet) do(engine int, cmds ...string) (string, bool) {
	e := f.engines[engine%len(f.engines)]
	db, err := e.Database(context.Background(), f.id)
	if err != nil {
		f.t.Error(err)
		return "", false
	}
	for {
		var w resp.Writer
		if len(cmds) == 1 {
			err = e.Do(context.Background(), db, redis.Access{}, strings.Fields(cmds[0]), &w)
		} else {
			var multi [][]string
			for _, c := range cmds {
				multi = append(multi, strings.Fields(c))
			}
			err = e.Multi(context.Background(), db, redis.Access{}, multi, &w)
		}
		switch {
		case err == nil && len(cmds) == 1:
			return render(f.t, w.Buf), true
		case err == nil:
			return string(w.Buf), true
		case errors.Is(err, store.ErrUnknownOutcome):
			f.unknown.Add(1)
			return "", false
		case errors.Is(err, store.ErrThrottled), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnavailable):
			continue
		default:
			f.t.Errorf("%q: %v", cmds, err)
			return "", false
		}
	}
}

// run has clients repeat something concurrently.
func (f *fleet) run(clients, times int, what func(client, i int)) {
	var wg sync.WaitGroup
	for c := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range times {
				what(c, i)
			}
		}()
	}
	wg.Wait()
}

var stormy = faulty.Plan{Seed: 7, Throttle: 0.03, Conflict: 0.03, LostApplied: 0.1, LostUnapplied: 0.05, LostLate: 0.02}

// Writes whose answers are lost take effect exactly once.
func TestLostAnswersAreAppliedOnce(t *testing.T) {
	const clients, times = 16, 40
	f := newFleet(t, 4)
	for _, c := range []string{"set n 0", "rpush l first", "rpush q first", "zadd z 0 m", "set a 0", "set b 0"} {
		if got, ok := f.do(0, c); !ok {
			t.Fatal(c, got)
		}
	}
	for i := range clients * times {
		f.do(0, fmt.Sprintf("rpush q %d", i))
	}
	f.clock.advance(time.Hour) // the keys are older than any attempt
	f.faults.SetPlan(stormy)
	var seen sync.Map
	var popped sync.Map
	f.run(clients, times, func(c, i int) {
		if got, ok := f.do(c, "incr n"); ok {
			if _, dup := seen.LoadOrStore(got, true); dup {
				t.Errorf("INCR replied %s twice", got)
			}
		}
		f.do(c, fmt.Sprintf("lpush l %d-%d", c, i))
		if got, ok := f.do(c, "lpop q"); ok {
			if _, dup := popped.LoadOrStore(got, true); dup {
				t.Errorf("LPOP replied %s twice", got)
			}
		}
		f.do(c, "zincrby z 1 m")
		f.do(c, "incrby a 2", "incrby b -2")
	})
	f.faults.SetPlan(faulty.Plan{})
	f.faults.Flush()
	counts := f.faults.Counts()
	if counts.LostApplied < 100 || counts.LostUnapplied < 50 || counts.LostLate < 10 {
		t.Errorf("too few faults to prove anything: %+v", counts)
	}
	if n := f.unknown.Load(); n != 0 {
		t.Errorf("%d commands of unknown outcome, want none on keys that nobody overwrites", n)
	}
	total := strconv.Itoa(clients * times)
	for _, want := range [][2]string{
		{"get n", strconv.Quote(total)},
		{"llen l", "(integer) " + strconv.Itoa(clients*times+1)},
		{"llen q", "(integer) 1"},
		{"zscore z m", total},
		{"get a", strconv.Quote(strconv.Itoa(2 * clients * times))},
		{"get b", strconv.Quote(strconv.Itoa(-2 * clients * times))},
	} {
		if got, _ := f.do(0, want[0]); got != want[1] {
			t.Errorf("%s: got %s, want %s", want[0], got, want[1])
		}
	}
}

// A change that is too large for one transaction is carried out in steps, each of them exactly once.
func TestStepsAreAppliedOnce(t *testing.T) {
	const size, rounds = 250, 15
	f := newFleet(t, 2)
	args := func(each string, from int) string {
		var b strings.Builder
		for i := range size {
			fmt.Fprintf(&b, strings.ReplaceAll(" "+each, "#", "%[1]d"), from+i)
		}
		return b.String()
	}
	pad := strings.Repeat("x", 40)
	for _, c := range [][2]string{{"rpush l", "old#"}, {"lpush r", "old#"}, {"hset h", "old# "}, {"sadd s", "old#"}, {"zadd z", "# old#"}} {
		f.do(0, c[0]+args(c[1]+pad, 0))
	}
	f.clock.advance(time.Hour)
	plan := stormy
	plan.LostApplied, plan.LostUnapplied, plan.LostLate = 0.2, 0.2, 0.2
	f.faults.SetPlan(plan)
	for i := range rounds {
		n := i * size
		for _, c := range [][2]string{
			{"rpush l" + args("#", n), fmt.Sprintf("(integer) %d", n+2*size)},
			{"lpush r" + args("#", n), fmt.Sprintf("(integer) %d", n+2*size)},
			{"hset h" + args("# #", n), fmt.Sprintf("(integer) %d", size)},
			{"sadd s" + args("#", n), fmt.Sprintf("(integer) %d", size)},
			{"zadd z" + args("# #", n), fmt.Sprintf("(integer) %d", size)},
			{"srem s" + args("#", n), fmt.Sprintf("(integer) %d", size)},
		} {
			if got, ok := f.do(i, c[0]); !ok || got != c[1] {
				t.Errorf("round %d: %.10s...: %s (known: %v), want %s", i, c[0], got, ok, c[1])
			}
		}
	}
	f.faults.SetPlan(faulty.Plan{})
	f.faults.Flush()
	if c := f.faults.Counts(); c.LostApplied < 50 || c.LostUnapplied < 50 || c.LostLate < 50 {
		t.Errorf("too few faults to prove anything: %+v", c)
	}
	total := (rounds + 1) * size
	for _, c := range []string{"llen l", "llen r", "hlen h", "zcard z"} {
		if got, _ := f.do(0, c); got != fmt.Sprintf("(integer) %d", total) {
			t.Errorf("%s: got %s, want %d", c, got, total)
		}
	}
	for _, c := range []struct {
		cmd   string
		lines int
	}{{"lrange l 0 -1", total}, {"lrange r 0 -1", total}, {"hkeys h", total}, {"zrange z 0 -1", total}, {"smembers s", size}} {
		got, _ := f.do(0, c.cmd)
		seen := map[string]bool{}
		for _, element := range strings.Fields(strings.Trim(got, "[]")) {
			seen[element] = true
		}
		if len(seen) != c.lines {
			t.Errorf("%s: %d different elements, want %d", c.cmd, len(seen), c.lines)
		}
	}
}

// Many clients, over several engines, on the same keys: all succeed, none is lost.
func TestContention(t *testing.T) {
	const clients, times = 64, 10
	f := newFleet(t, 4)
	f.run(clients, times, func(c, i int) {
		if _, ok := f.do(c, "incr hot"); !ok {
			t.Error("INCR failed")
		}
		if got, ok := f.do(c, "incr x", "hincrby h f 1", "rpush l v"); !ok || strings.Contains(got, "-ERR") {
			t.Errorf("MULTI: %q", got)
		}
		if got, ok := f.do(c, "hset big f"+strconv.Itoa(c*times+i)+" "+strings.Repeat("v", 100)); !ok || got != "(integer) 1" {
			t.Errorf("HSET: %s", got)
		}
	})
	n := strconv.Itoa(clients * times)
	for _, want := range [][2]string{
		{"get hot", strconv.Quote(n)}, {"get x", strconv.Quote(n)}, {"hget h f", strconv.Quote(n)},
		{"llen l", "(integer) " + n}, {"hlen big", "(integer) " + n},
	} {
		if got, _ := f.do(0, want[0]); got != want[1] {
			t.Errorf("%s: got %s, want %s", want[0], got, want[1])
		}
	}
}

// FLUSHDB empties the database for all engines at one moment, also for those that know an older record.
func TestFlushReachesAllInstances(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ctx := context.Background()
	var es []*redis.Engine
	for range 2 {
		es = append(es, redis.New(redis.Config{Store: st, RecordTTL: 50 * time.Millisecond}))
	}
	if _, err := es[0].CreateDatabase(ctx, redis.DatabaseOptions{ID: "test"}); err != nil {
		t.Fatal(err)
	}
	do := func(e *redis.Engine, line string) string {
		t.Helper()
		db, err := e.Database(ctx, "test")
		if err != nil {
			t.Fatal(err)
		}
		var w resp.Writer
		if err := e.Do(ctx, db, redis.Access{}, strings.Fields(line), &w); err != nil {
			t.Fatal(err)
		}
		return render(t, w.Buf)
	}
	for round := range 3 {
		do(es[0], "set k v")
		if got := do(es[1], "get k"); got != `"v"` {
			t.Fatalf("round %d: the other engine reads %s", round, got)
		}
		do(es[0], "flushdb")
		for i, e := range es {
			if got := do(e, "get k"); got != "(nil)" {
				t.Errorf("round %d: after FLUSHDB engine %d reads %s", round, i, got)
			}
		}
		do(es[1], "set k2 w")
		if got := do(es[0], "get k2"); got != `"w"` {
			t.Errorf("round %d: a key set after FLUSHDB reads %s", round, got)
		}
	}
}
