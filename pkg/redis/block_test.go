package redis_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/testenv/leaving"
)

// patient makes n engines over a store whose blocking commands wait longer than any test.
func patient(t *testing.T, st store.Store, recordTTL time.Duration, n int) []*testDB {
	t.Helper()
	var ds []*testDB
	for i := range n {
		e := redis.New(redis.Config{Store: st, RecordTTL: recordTTL, MaxBlock: time.Hour})
		t.Cleanup(e.Close)
		if i == 0 {
			if _, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"}); err != nil {
				t.Fatal(err)
			}
		}
		ds = append(ds, &testDB{t: t, e: e, id: "test", st: st})
	}
	return ds
}

// later runs a command in the background.
func (d *testDB) later(line string) <-chan string {
	d.t.Helper()
	db, reply := d.database(), make(chan string, 1)
	go func() {
		var w resp.Writer
		if err := d.e.Do(d.t.Context(), db, redis.Access{}, strings.Fields(line), &w); err != nil {
			reply <- err.Error()
			return
		}
		reply <- render(d.t, w.Buf)
	}()
	return reply
}

// within is the reply of a command that was started before.
func within(t *testing.T, reply <-chan string) string {
	t.Helper()
	select {
	case got := <-reply:
		return got
	case <-time.After(testTimeout):
		t.Fatal("no reply")
		return ""
	}
}

func TestBlockedCommandsAreWoken(t *testing.T) {
	for _, tt := range []struct{ blocked, write, want string }{
		{"blpop none l 0", "rpush l a b", `["l" "a"]`},
		{"brpop l none 100", "rpush l a b", `["l" "b"]`},
		{"blmove l to left right 0", "lpush l a", `"a"`},
		{"brpoplpush l to 0", "lpush l a", `"a"`},
		{"blmpop 0 2 none l right count 5", "rpush l a b", `["l" ["b" "a"]]`},
		{"bzpopmin z 0", "zadd z 2 b 1 a", `["z" "a" 1]`},
		{"bzpopmax none z 0", "zadd z 2 b 1 a", `["z" "b" 2]`},
		{"bzmpop 0 1 z min count 2", "zadd z 2 b 1 a", `["z" [["a" 1] ["b" 2]]]`},
		{"blpop l 0", "rename other l", `["l" "o"]`},
		{"blpop l 0", "lmove other l left left", `["l" "o"]`},
		{"blpop l 0", "copy other l", `["l" "o"]`},
		{"xread block 100000 streams s 0", "xadd s 7-1 f v", `[["s" [["7-1" ["f" "v"]]]]]`},
		{"xreadgroup group g c block 0 streams st >", "xadd st 7-1 f v", `[["st" [["7-1" ["f" "v"]]]]]`},
		{"xreadgroup group g c block 0 streams st >", "set st x", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"xreadgroup group g c block 0 streams st >", "del st", "(error) NOGROUP No such key 'st' or consumer group 'g' in XREADGROUP with GROUP option"},
		{"xreadgroup group g c block 0 streams st >", "flushall", "(error) NOGROUP No such key 'st' or consumer group 'g' in XREADGROUP with GROUP option"},
		{"brpoplpush l wrong 0", "rpush l a", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"blmove l wrong left left 0", "rpush l a", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"xreadgroup group g c block 0 streams st >", "xgroup destroy st g", "(error) NOGROUP No such key 'st' or consumer group 'g' in XREADGROUP with GROUP option"},
	} {
		for _, engines := range []int{1, 2} {
			ttl := time.Duration(0)
			if engines == 2 && tt.write == "flushall" {
				continue // it takes effect when every engine knows of it
			}
			if engines == 2 {
				ttl = time.Hour // they look for what others write
			}
			st := faulty.New(memoryStore(t), faulty.Plan{})
			ds := patient(t, st, ttl, engines)
			ds[0].cmd("rpush other o")
			ds[0].cmd("set wrong x")
			ds[0].cmd("xgroup create st g $ mkstream")
			d := ds[engines-1]
			d.database()
			before := st.Counts().Calls
			reply := ds[0].later(tt.blocked)
			// Once it has begun to look, it will be woken.
			for st.Counts().Calls < before+1 {
				runtime.Gosched()
			}
			select {
			case got := <-reply:
				t.Fatalf("%s does not wait: %s", tt.blocked, got)
			default:
			}
			d.cmd(tt.write)
			if got := within(t, reply); got != tt.want {
				t.Errorf("%s after %s: %s, want %s", tt.blocked, tt.write, got, tt.want)
			}
		}
	}
}

// FLUSHDB moves a database's keys, also from under the commands that wait for them.
func TestBlockedCommandOutlastsAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := patient(t, memoryStore(t), 0, 1)[0]
		reply := d.later("blpop l 0")
		synctest.Wait()
		d.cmd("flushdb")
		d.cmd("rpush l a")
		if got := within(t, reply); got != `["l" "a"]` {
			t.Errorf("got %s", got)
		}
	})
}

func TestBlockedCommandEnds(t *testing.T) {
	d := patient(t, memoryStore(t), 0, 1)[0]
	d.check(
		[2]string{"blpop l 0.01", "(nil)"},
		[2]string{"blmove a b left left 0.01", "(nil)"},
		[2]string{"bzmpop 0.01 1 z max", "(nil)"},
		[2]string{"set s x", "OK"},
		[2]string{"blpop l s 0", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		[2]string{"blpop l -1", "(error) ERR timeout is negative"},
		[2]string{"blpop l x", "(error) ERR timeout is not a float or out of range"},
	)
	ctx, cancel := context.WithCancel(t.Context())
	db, done := d.database(), make(chan error)
	go func() {
		var w resp.Writer
		done <- d.e.Do(ctx, db, redis.Access{}, []string{"BLPOP", "l", "0"}, &w)
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// Config bounds the wait, and a transaction does not wait at all.
	bounded := newTestEngine(t)
	bounded.check([2]string{"blpop l 0", "(nil)"}, [2]string{"blpop l 1000", "(nil)"})
	if got, err := d.multi("blpop l 0", "blmove a b left right 0", "bzpopmin z 0", "rpush l x", "blpop l 0"); err != nil || got != `(nil) (nil) (nil) (integer) 1 ["l" "x"]` {
		t.Errorf("in a transaction: %s, %v", got, err)
	}
	var w resp.Writer
	d.e.Pipeline(t.Context(), db, redis.Access{}, [][]string{{"RPUSH", "l", "y"}, {"BLPOP", "l", "0"}, {"BLPOP", "l", "0.01"}, {"PING"}}, &w)
	if got := strings.Count(string(w.Buf), "\r\n"); !strings.Contains(string(w.Buf), "PONG") || got < 4 {
		t.Errorf("in a pipeline: %q", w.Buf)
	}
}

func TestNothingIsPoppedForAClientThatHasGone(t *testing.T) {
	for _, recordTTL := range []time.Duration{0, time.Second} {
		for _, tt := range []struct{ blocked, write, left string }{
			{"BLPOP l 0", "RPUSH l x", "LLEN l"},
			{"BLMOVE l to LEFT RIGHT 0", "RPUSH l x", "LLEN l"},
			{"BZPOPMIN z 0", "ZADD z 1 x", "ZCARD z"},
		} {
			synctest.Test(t, func(t *testing.T) {
				d := patient(t, memoryStore(t), recordTTL, 1)[0]
				db := d.database()
				begin := func() (*leaving.Context, <-chan error) {
					ctx, done := &leaving.Context{Context: t.Context()}, make(chan error, 1)
					go func() {
						var w resp.Writer
						done <- d.e.Do(ctx, db, redis.Access{}, strings.Fields(tt.blocked), &w)
					}()
					synctest.Wait()
					return ctx, done
				}
				ctx, done := begin()
				ctx.Gone.Store(true)
				d.cmd(tt.write)
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("%s ends with %v", tt.blocked, err)
				}
				if got := d.cmd(tt.left); got != "(integer) 1" {
					t.Errorf("after %s of a client that has gone: %s", tt.blocked, got)
				}
				d.cmd("DEL l z")
				ctx, done = begin()
				ctx.Gone.Store(true)
				start := time.Now()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("%s ends with %v", tt.blocked, err)
				}
				if waited := time.Since(start); waited > time.Second {
					t.Errorf("%s goes on for %v after its client has gone", tt.blocked, waited)
				}
			})
		}
	}
}

// Many wait for the same list: each element goes to one of them.
func TestBlockedCommandsShareOut(t *testing.T) {
	const n = 50
	ds := patient(t, memoryStore(t), time.Hour, 3)
	var replies []<-chan string
	for i := range n {
		replies = append(replies, ds[i%3].later("blpop q 0"))
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { ds[i%3].cmd("rpush q " + strconv.Itoa(i)) })
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, r := range replies {
		seen[within(t, r)] = true
	}
	if len(seen) != n {
		t.Errorf("%d different elements, want %d", len(seen), n)
	}
}

// A database that is flushed keeps its keys elsewhere from then on. Who waits follows it there.
func TestBlockedCommandsOutliveAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ds := patient(t, memoryStore(t), time.Second, 2)
		here, there := ds[0].later("blpop a 0"), ds[1].later("bzpopmin z 0")
		synctest.Wait()
		ds[0].cmd("flushall")
		time.Sleep(10 * time.Minute)
		ds[0].cmd("rpush a x")
		if got := within(t, here); got != `["a" "x"]` {
			t.Error(got)
		}
		ds[0].cmd("zadd z 1 m")
		if got := within(t, there); got != `["z" "m" 1]` {
			t.Error(got)
		}
	})
}
