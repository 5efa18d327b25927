package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/store/replicated"
)

// regions are a primary region and a read region with two instances.
type regions struct {
	t     rapid.TB
	link  *replicated.Store
	marks *faulty.Store
	clock *testClock
	home  *redis.Engine
	near  []*redis.Engine
}

func memory(t rapid.TB) store.Store {
	t.Helper()
	s, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newRegions makes regions with a database, which has arrived. Without a clock, time passes.
func newRegions(t rapid.TB, clock *testClock, options replicated.Options, recordTTL time.Duration) *regions {
	t.Helper()
	r := &regions{t: t, clock: clock, marks: faulty.New(memory(t), faulty.Plan{})}
	options.Failed = func(err error) { t.Error(err) }
	r.link = replicated.New(memory(t), memory(t), options)
	now := time.Now
	if clock != nil {
		now = clock.now
	}
	engine := func(region *redis.Region) *redis.Engine {
		return redis.New(redis.Config{Store: r.link, Now: now, RecordTTL: recordTTL, MaxBlock: time.Millisecond, Region: region})
	}
	r.home = engine(nil)
	region := &redis.Region{Replica: r.link.Replica(), Marks: r.marks}
	r.near = []*redis.Engine{engine(region), engine(region)}
	if _, err := r.home.CreateDatabase(context.Background(), redis.DatabaseOptions{ID: "test"}); err != nil {
		t.Fatal(err)
	}
	r.link.CatchUp()
	for _, e := range r.near {
		r.database(e)
	}
	return r
}

func (r *regions) close() {
	r.link.Close()
	r.marks.Close()
}

func standingClock() *testClock {
	return &testClock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (r *regions) database(e *redis.Engine) *redis.Database {
	r.t.Helper()
	db, err := e.Database(context.Background(), "test")
	if err != nil {
		r.t.Fatal(err)
	}
	return db
}

// run runs a command the way the REST API does, and reports whether the replica answered.
func (r *regions) run(e *redis.Engine, args ...string) (reply string, local bool) {
	r.t.Helper()
	var w resp.Writer
	if db, ok := e.ReplicaDatabase("test"); ok && e.ReadReplica(context.Background(), db, redis.Access{}, [][]string{args}, &w) {
		local = true
	} else if err := e.Do(context.Background(), r.database(e), redis.Access{}, args, &w); err != nil {
		r.t.Fatalf("%q: %v", args, err)
	}
	return string(w.Buf), local
}

// expect runs a command line and compares its reply and who gave it.
func (r *regions) expect(e *redis.Engine, line, want string, local bool) {
	r.t.Helper()
	got, nearby := r.run(e, strings.Fields(line)...)
	got = strings.ReplaceAll(strings.TrimSuffix(got, "\r\n"), "\r\n", " ")
	if got != want || nearby != local {
		r.t.Errorf("%s: got %q (local %t), want %q (local %t)", line, got, nearby, want, local)
	}
}

// TestReadRegionGoesNeverBack checks what a read region promises: whoever reads through it, on
// whichever instance, sees each key at least as new as anything that was read or written through the region before,
// whenever and in whatever order the items arrive there. Keys are also written in the primary region.
func TestReadRegionGoesNeverBack(t *testing.T) {
	var locals, reads atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		r := newRegions(t, standingClock(), replicated.Options{}, time.Second)
		defer r.close()
		keys := []string{"a", "b", "h", "l"}
		look := map[string][]string{
			"a": {"GET", "a"}, "b": {"GET", "b"}, "h": {"HMGET", "h", "0", "1", "2", "3", "4"}, "l": {"LRANGE", "l", "0", "-1"},
		}
		states := map[string][]string{} // of each key, in order
		known := map[string]int{}       // the oldest state that the region may still show
		var serial int
		now := func(key string) string {
			var w resp.Writer
			if err := r.home.Do(context.Background(), r.database(r.home), redis.Access{}, look[key], &w); err != nil {
				t.Fatal(err)
			}
			return string(w.Buf)
		}
		for _, key := range keys {
			states[key] = []string{now(key)}
		}
		wrote := func(here bool, changed ...string) {
			for _, key := range changed {
				states[key] = append(states[key], now(key))
				if here {
					known[key] = len(states[key]) - 1
				}
			}
		}
		read := func(key, got string) {
			i := slices.Index(states[key][known[key]:], got)
			if i < 0 {
				t.Fatalf("%s: the region shows %.80q after state %d of %.400q", key, got, known[key], states[key])
			}
			known[key] += i
		}
		write := func(t *rapid.T, e *redis.Engine, here bool) {
			do := func(args ...string) {
				if _, local := r.run(e, args...); local {
					t.Fatalf("%q was answered by the replica", args)
				}
			}
			serial++
			v := fmt.Sprint("v", serial)
			key := rapid.SampledFrom(keys[:2]).Draw(t, "key")
			field := fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "field"))
			switch rapid.IntRange(0, 11).Draw(t, "write") {
			case 0, 1:
				do("SET", key, v)
				wrote(here, key)
			case 2:
				do("DEL", key)
				wrote(here, key)
			case 3:
				do("APPEND", key, v)
				wrote(here, key)
			case 4:
				do("SET", key, strings.Repeat(v+".", 80_000)) // in chunks
				wrote(here, key)
			case 5:
				do("MSET", "a", v, "b", v)
				wrote(here, "a", "b")
			case 6:
				do("SET", "a", v)
				wrote(here, "a")
				do("RENAME", "a", "b")
				wrote(here, "a", "b")
			case 7, 8:
				do("HSET", "h", field, v+strings.Repeat("x", 1500)) // spread from the third field on
				wrote(here, "h")
			case 9:
				do("DEL", "h", "l")
				wrote(here, "h", "l")
			case 10:
				do("RPUSH", "l", v)
				wrote(here, "l")
			case 11:
				do("EVAL", "redis.call('SET','a',ARGV[1]) return redis.call('RPOP','l')", "1", "a", v)
				wrote(here, "a", "l")
			}
		}
		pick := func(t *rapid.T) *redis.Engine { return r.near[rapid.IntRange(0, 1).Draw(t, "instance")] }
		t.Repeat(map[string]func(*rapid.T){
			"written here":      func(t *rapid.T) { write(t, pick(t), true) },
			"written elsewhere": func(t *rapid.T) { write(t, r.home, false) },
			"read": func(t *rapid.T) {
				key := rapid.SampledFrom(keys).Draw(t, "key")
				got, local := r.run(pick(t), look[key]...)
				reads.Add(1)
				if local {
					locals.Add(1)
				}
				read(key, got)
			},
			"read several": func(t *rapid.T) {
				got, _ := r.run(pick(t), "MGET", "a", "b")
				_, rest, _ := strings.Cut(got, "\r\n")
				a, after, err := resp.Cut([]byte(rest))
				if err != nil {
					t.Fatal(err)
				}
				read("a", string(a))
				read("b", string(after))
			},
			"fail to write": func(t *rapid.T) {
				// That it fails says that there is a key.
				v := fmt.Sprint("n", serial)
				if got, _ := r.run(pick(t), "SET", "a", v, "NX", "GET"); strings.HasPrefix(got, "_") {
					wrote(true, "a")
				} else {
					read("a", got)
				}
			},
			"arrive": func(t *rapid.T) {
				for range rapid.IntRange(1, 6).Draw(t, "writes") {
					r.link.Step(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "item") })
				}
			},
			"all arrive": func(*rapid.T) { r.link.CatchUp() },
			"time passes": func(t *rapid.T) {
				r.clock.advance(time.Duration(rapid.IntRange(1, 50).Draw(t, "seconds")) * time.Second)
			},
		})
	})
	if n := locals.Load(); n*10 < reads.Load() {
		t.Errorf("only %d of %d reads were answered by the replica", n, reads.Load())
	}
}

func TestReplicaAnswersWhatItIsKnownToHave(t *testing.T) {
	r := newRegions(t, standingClock(), replicated.Options{}, time.Second)
	defer r.close()
	a, b := r.near[0], r.near[1]
	r.expect(a, "GET k", "_", true)
	r.expect(r.home, "SET k 1", "+OK", false)
	r.expect(a, "GET k", "_", true) // the past
	r.link.CatchUp()
	r.expect(a, "GET k", "$1 1", true)

	r.expect(a, "SET k 2", "+OK", false)
	r.expect(b, "GET k", "$1 2", false)
	r.expect(b, "GET k", "$1 2", false)
	r.link.CatchUp()
	r.expect(b, "GET k", "$1 2", true)
	r.expect(r.home, "SET k 3", "+OK", false)
	r.expect(b, "GET k", "$1 2", true)
	r.link.CatchUp()
	r.expect(b, "GET k", "$1 3", false) // it cannot be told from an older one
	r.expect(b, "GET k", "$1 3", true)

	// What another read has found in the primary region is not forgotten.
	r.expect(r.home, "SET k 4", "+OK", false)
	r.expect(a, "GET k", "$1 3", true)
	r.expect(a, "MGET k k", "*2 $1 4 $1 4", false)
	r.expect(b, "GET k", "$1 4", false)
	r.link.CatchUp()
	r.expect(b, "GET k", "$1 4", true)

	// That a key has gone cannot be told from its never having arrived.
	r.expect(a, "DEL k", ":1", false)
	r.link.CatchUp()
	r.expect(a, "GET k", "_", false)
	r.expect(a, "SET k 5", "+OK", false)
	r.link.CatchUp()
	r.expect(a, "GET k", "$1 5", false)
	r.expect(a, "GET k", "$1 5", true)
}

// TestWhatHasGoneDoesNotComeBack: a key is found to have gone before the replica has heard that there was one.
func TestWhatHasGoneDoesNotComeBack(t *testing.T) {
	r := newRegions(t, standingClock(), replicated.Options{}, time.Second)
	defer r.close()
	r.expect(r.home, "SET k 1", "+OK", false)
	r.expect(r.home, "DEL k", ":1", false)
	r.expect(r.near[0], "MGET k k", "*2 _ _", false)
	r.link.Step(func(int) int { return 0 })
	r.expect(r.near[1], "GET k", "_", false)
	r.link.CatchUp()
	r.expect(r.near[1], "GET k", "_", false)
}

// TestLateRemovalOfAMark: one read is about to take a mark away when another finds the
// key changed again. The second is the one that counts.
func TestLateRemovalOfAMark(t *testing.T) {
	r := newRegions(t, standingClock(), replicated.Options{}, time.Second)
	defer r.close()
	r.expect(r.near[0], "SET k 1", "+OK", false)
	r.link.CatchUp()
	type late struct{}
	removing, goOn := make(chan bool), make(chan bool)
	r.marks.SetPlan(faulty.Plan{Before: func(ctx context.Context, method string) {
		if ctx.Value(late{}) != nil && method == "Apply" {
			removing <- true
			<-goOn
		}
	}})
	done := make(chan error)
	go func() {
		var w resp.Writer
		db, err := r.near[1].Database(context.Background(), "test")
		if err == nil {
			err = r.near[1].Do(context.WithValue(context.Background(), late{}, true), db, redis.Access{}, []string{"GET", "k"}, &w)
		}
		done <- err
	}()
	<-removing
	r.expect(r.home, "SET k 2", "+OK", false)
	r.expect(r.near[0], "MGET k k", "*2 $1 2 $1 2", false)
	goOn <- true
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.expect(r.near[0], "GET k", "$1 2", false)
}

func TestWhatTheReplicaDoesNotAnswer(t *testing.T) {
	r := newRegions(t, standingClock(), replicated.Options{}, time.Second)
	defer r.close()
	ctx := context.Background()
	for _, line := range []string{
		"SET s v", "HSET h f v", "SADD set m", "ZADD z 1 m", "RPUSH l e", "XADD x 1-0 f v", "JSON.SET j $ 1",
		"HSET big f " + strings.Repeat("x", 5000), "RPUSH long " + strings.Repeat("x", 5000), "SET chunked " + strings.Repeat("x", 400<<10),
	} {
		if _, local := r.run(r.home, strings.Fields(line)...); local {
			t.Fatal(line)
		}
	}
	r.link.CatchUp()
	db, ok := r.near[0].ReplicaDatabase("test")
	if !ok {
		t.Fatal("the record is not known")
	}
	for line, want := range map[string]bool{
		"GET s": true, "TTL s": true, "TYPE s": true, "EXISTS s": true, "STRLEN s": true, "HGETALL h": true, "SMEMBERS set": true, "ZRANGE z 0 -1": true,
		"LRANGE l 0 -1": true, "XRANGE x - +": true, "JSON.GET j": true, "GET h": true, "TYPE big": true, "HLEN big": true, "STRLEN chunked": true, "HGET nothing f": true,
		"HGET big f": false, "LRANGE long 0 -1": false, "GET chunked": false,
		"MGET s": true, "MGET s h": false, "EXISTS s h": false, "SINTER set set": false, "SORT_RO l BY w_* GET # GET v_*": false,
		"SCAN 0": false, "KEYS *": false, "DBSIZE": false, "RANDOMKEY": false, "PING": false, "TIME": false, "NOSUCH s": false, "GET": false,
		"SET s w": false, "GETDEL s": false, "GETEX s": false, "XREAD STREAMS x 0": false, "EVAL_RO return(1) 0": false, "FLUSHDB": false, "MULTI": false,
		"PUBLISH c m": false, "PUBSUB CHANNELS": false, "ACL WHOAMI": false, "SCRIPT EXISTS x": false, "FCALL_RO f 0": false,
	} {
		var w resp.Writer
		w.OK()
		before := len(w.Buf)
		got := r.near[0].ReadReplica(ctx, db, redis.Access{}, [][]string{strings.Fields(line)}, &w)
		if got != want || got == (len(w.Buf) == before) {
			t.Errorf("%s: local %t with %d bytes, want %t", line, got, len(w.Buf)-before, want)
		}
	}
	// All of a pipeline or nothing.
	var w resp.Writer
	if !r.near[0].ReadReplica(ctx, db, redis.Access{}, [][]string{{"GET", "s"}, {"HGET", "h", "f"}, {"GET", "l"}}, &w) ||
		string(w.Buf) != "$1\r\nv\r\n$1\r\nv\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n" {
		t.Errorf("a pipeline of reads: %q", w.Buf)
	}
	w.Reset()
	if r.near[0].ReadReplica(ctx, db, redis.Access{}, [][]string{{"GET", "s"}, {"HGET", "big", "f"}}, &w) || len(w.Buf) > 0 {
		t.Errorf("a pipeline with a spread hash: %q", w.Buf)
	}
	if r.home.ReadReplica(ctx, db, redis.Access{}, [][]string{{"GET", "s"}}, &w) {
		t.Error("the primary region has a replica")
	}
}

func TestReplicaIsNotAskedOnAnOldRecord(t *testing.T) {
	r := newRegions(t, standingClock(), replicated.Options{}, time.Second)
	defer r.close()
	near := r.near[0]
	r.expect(near, "GET k", "_", true)
	// Nobody has asked the primary region for a minute.
	r.clock.advance(time.Minute)
	r.expect(near, "GET k", "_", false)
	r.expect(near, "GET k", "_", false) // for it is marked now
	r.expect(near, "GET other", "_", true)

	// A revocation counts when it arrives, even while the primary region need not be asked.
	if err := r.home.RevokeCredential(context.Background(), "test", "c", time.Time{}); err != nil {
		t.Fatal(err)
	}
	r.expect(near, "GET other", "_", true)
	r.link.CatchUp()
	r.clock.advance(2 * time.Second)
	r.expect(near, "GET other", "_", false)
	r.expect(near, "GET third", "_", true)
}

func TestMonitorSeesWhatIsReadNearby(t *testing.T) {
	r := newRegions(t, nil, replicated.Options{}, time.Millisecond)
	defer r.close()
	sub, err := r.home.Monitor(context.Background(), r.database(r.home), redis.Access{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	r.link.CatchUp()
	if _, local := r.run(r.near[0], "GET", "k"); local {
		t.Error("a monitored database was read from the replica")
	}
}

// TestCostsInAReadRegion: the region's own calls are cheap and near; one goes to the primary region at most.
func TestCostsInAReadRegion(t *testing.T) {
	r := newRegions(t, standingClock(), replicated.Options{}, time.Second)
	defer r.close()
	near := r.near[0]
	r.expect(r.home, "SET k v", "+OK", false)
	r.expect(r.home, "SET l v", "+OK", false)
	r.link.CatchUp()
	for _, tc := range []struct {
		what string
		args [][]string
		want store.Usage
	}{
		{"a read from the replica: mark, record and head", [][]string{{"GET", "k"}}, store.Usage{Calls: 2, ReadUnits: 3}},
		{"a pipeline of them: the record once", [][]string{{"GET", "k"}, {"GET", "l"}, {"GET", "m"}}, store.Usage{Calls: 2, ReadUnits: 7}},
		{"a write: and a mark", [][]string{{"SET", "k", "w"}}, store.Usage{Calls: 2, WriteUnits: 2}},
		{"the first read after it: mark twice, head there and here, record, and the mark made exact", [][]string{{"GET", "k"}}, store.Usage{Calls: 5, ReadUnits: 5, WriteUnits: 1}},
	} {
		var m store.Meter
		ctx := store.WithMeter(context.Background(), &m)
		var w resp.Writer
		if db := r.database(near); !near.ReadReplica(ctx, db, redis.Access{}, tc.args, &w) {
			near.Pipeline(ctx, db, redis.Access{}, tc.args, &w)
		}
		if got := m.Total(); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.what, got, tc.want)
		}
	}
}

// TestFlushFromAReadRegion: a flush is answered once the replica has it too.
func TestFlushFromAReadRegion(t *testing.T) {
	r := newRegions(t, nil, replicated.Options{}, 10*time.Millisecond)
	defer r.close()
	a, b := r.near[0], r.near[1]
	if reply, _ := r.run(r.home, "SET", "k", "v"); reply != "+OK\r\n" {
		t.Fatal(reply)
	}
	r.link.CatchUp()
	r.expect(b, "GET k", "$1 v", true)
	done := make(chan string)
	go func() {
		reply, _ := r.run(a, "FLUSHDB")
		done <- reply
	}()
	select {
	case reply := <-done:
		t.Fatalf("answered %q before the replica had it", reply)
	case <-time.After(150 * time.Millisecond): // long after it is done in the primary region
	}
	r.link.CatchUp()
	if reply := <-done; reply != "+OK\r\n" {
		t.Fatal(reply)
	}
	for _, e := range []*redis.Engine{a, b, a, b} {
		if got, _ := r.run(e, "GET", "k"); got != "_\r\n" {
			t.Errorf("after the flush: %q", got)
		}
	}
	r.expect(b, "GET k2", "_", true)

	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	var w resp.Writer
	if err := a.Do(ctx, r.database(a), redis.Access{}, []string{"FLUSHALL"}, &w); !errors.Is(err, store.ErrUnknownOutcome) {
		t.Errorf("a flush that does not arrive: %v, %q", err, w.Buf)
	}
	w.Reset()
	if err := a.Multi(context.Background(), r.database(a), redis.Access{}, [][]string{{"FLUSHDB"}}, &w); err != nil || !strings.Contains(string(w.Buf), "not available in transactions") {
		t.Errorf("a flush in a transaction: %v, %q", err, w.Buf)
	}
}

// TestWriteWithoutMark: a write whose mark cannot be made is not answered as if it could be read.
func TestWriteWithoutMark(t *testing.T) {
	r := newRegions(t, standingClock(), replicated.Options{}, time.Second)
	defer r.close()
	near := r.near[0]
	r.marks.SetPlan(faulty.Plan{Unavailable: 1})
	for _, args := range [][]string{{"SET", "k", "v"}, {"MSET", "k", "w", "l", "w"}, {"RPOP", "k"}, {"GET", "k"}} {
		var w resp.Writer
		if err := near.Do(context.Background(), r.database(near), redis.Access{}, args, &w); err == nil {
			t.Errorf("%q: %q without a mark", args, w.Buf)
		}
		if near.ReadReplica(context.Background(), r.database(near), redis.Access{}, [][]string{{"GET", "k"}}, &w) {
			t.Error("read without looking for a mark")
		}
	}
}

// TestConcurrentSessionsOverALaggingReplica runs sessions on both instances, each of which counts up a key of its own
// and reads it and those of others, while marks and primary fail at times.
func TestConcurrentSessionsOverALaggingReplica(t *testing.T) {
	r := newRegions(t, nil, replicated.Options{Lag: func() time.Duration { return rand.N(8 * time.Millisecond) }}, 50*time.Millisecond)
	defer r.close()
	r.marks.SetPlan(faulty.Plan{Seed: 1, Throttle: 0.01})
	const sessions, steps = 6, 150
	var wg sync.WaitGroup
	for s := range sessions {
		wg.Go(func() {
			e := r.near[s%2]
			seen := make([]int, sessions)
			for i := range steps {
				if i%3 == 0 {
					w := resp.Writer{}
					db, err := e.Database(context.Background(), "test")
					if err == nil {
						err = e.Do(context.Background(), db, redis.Access{}, []string{"INCR", fmt.Sprint(s)}, &w)
					}
					if err == nil {
						fmt.Sscanf(string(w.Buf), ":%d", &seen[s])
					}
				}
				key := rand.N(sessions)
				if i%3 < 2 {
					key = s
				}
				args := [][]string{{"GET", fmt.Sprint(key)}}
				w := resp.Writer{}
				db, ok := e.ReplicaDatabase("test")
				if ok = ok && e.ReadReplica(context.Background(), db, redis.Access{}, args, &w); !ok {
					db, err := e.Database(context.Background(), "test")
					if err != nil || e.Do(context.Background(), db, redis.Access{}, args[0], &w) != nil {
						continue
					}
				}
				var length, n int
				fmt.Sscanf(string(w.Buf), "$%d\r\n%d", &length, &n)
				if n < seen[key] {
					t.Errorf("session %d: key %d went from %d back to %d (local %t)", s, key, seen[key], n, ok)
					return
				}
				seen[key] = n
				if i%10 == 0 {
					time.Sleep(time.Millisecond) // or nothing ever arrives
				}
			}
		})
	}
	wg.Wait()
	// At rest, the replica answers again.
	r.marks.SetPlan(faulty.Plan{})
	r.link.CatchUp()
	for s := range sessions {
		want, _ := r.run(r.near[0], "GET", fmt.Sprint(s))
		if got, local := r.run(r.near[1], "GET", fmt.Sprint(s)); got != want || !local {
			t.Errorf("key %d: %q (local %t), want %q from the replica", s, got, local, want)
		}
	}
}
