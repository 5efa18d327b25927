package redis_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// Those who wait for a key are served in the order in which they came, whoever comes while elements do.
func TestBlockedCommandsAreServedInOrder(t *testing.T) {
	for _, tt := range []struct{ blocked, push, want string }{
		{"blpop q 0", "rpush q", `["q" %q]`},
		{"blmove q done left right 0", "rpush q", "%q"},
		{"bzpopmin q 0", "zadd q 1", `["q" %q 1]`},
	} {
		synctest.Test(t, func(t *testing.T) {
			const n = 20
			d := patient(t, memoryStore(t), 0, 1)[0]
			var replies []<-chan string
			for range n {
				replies = append(replies, d.later(tt.blocked))
				synctest.Wait() // it waits
			}
			for i := range n {
				d.cmd(fmt.Sprintf("%s e%02d", tt.push, i))
				if i%2 == 1 { // two at once
					synctest.Wait()
				}
			}
			for i, r := range replies {
				if got, want := within(t, r), fmt.Sprintf(tt.want, fmt.Sprintf("e%02d", i)); got != want {
					t.Errorf("%s: the %d. to come got %s, want %s", tt.blocked, i+1, got, want)
				}
			}
		})
	}
}

// One that waits for something else, or ends when it was just woken, does not hold up those behind it.
func TestBlockedCommandsHandOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := patient(t, memoryStore(t), 0, 1)[0]
		zset := d.later("bzpopmin k 0")
		synctest.Wait()
		stream := d.later("xread block 0 streams k 0")
		synctest.Wait()
		short := d.later("blpop k 0.05")
		synctest.Wait()
		first, second := d.later("blpop k other 0"), d.later("blpop k 0")
		synctest.Wait()
		d.cmd("rpush k a")
		if got := within(t, short); got != `["k" "a"]` {
			t.Errorf("the first that can take a list's element got %s", got)
		}
		time.Sleep(time.Second)
		d.cmd("rpush k b c")
		for _, r := range []<-chan string{first, second} {
			if got := within(t, r); got != `["k" "b"]` && got != `["k" "c"]` {
				t.Errorf("another got %s", got)
			}
		}
		d.cmd("xadd k 1-1 f v")
		if got := within(t, stream); got != `[["k" [["1-1" ["f" "v"]]]]]` {
			t.Errorf("who waits for a stream got %s", got)
		}
		d.cmd("del k")
		d.cmd("zadd k 1 m")
		if got := within(t, zset); got != `["k" "m" 1]` {
			t.Errorf("who waits for a sorted set got %s", got)
		}
	})
}

// Who comes when others wait makes no attempt, but is told of what is wrong with its arguments.
func TestBlockedCommandsCostNothingInLine(t *testing.T) {
	st := faulty.New(memoryStore(t), faulty.Plan{})
	d := patient(t, st, 0, 1)[0]
	d.database()
	before := st.Counts().Calls
	head := d.later("blpop q 0")
	for st.Counts().Calls == before {
		runtime.Gosched()
	}
	before = st.Counts().Calls
	for _, line := range [][2]string{
		{"blpop q 0.001", "(nil)"},
		{"blmove q to left right 0.001", "(nil)"},
		{"blpop q x", "(error) ERR timeout is not a float or out of range"},
		{"blpop q -1", "(error) ERR timeout is negative"},
	} {
		if got := d.cmd(line[0]); got != line[1] {
			t.Errorf("%s: %s, want %s", line[0], got, line[1])
		}
	}
	if n := st.Counts().Calls - before; n != 0 {
		t.Errorf("%d calls of the store", n)
	}
	d.cmd("rpush q a")
	if got := within(t, head); got != `["q" "a"]` {
		t.Error(got)
	}
}

// However many wait, and for however many keys, an engine looks once for all of them, and seldom when nothing happens.
func TestLookingForOthersWritesIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := faulty.New(memoryStore(t), faulty.Plan{})
		ds := patient(t, st, time.Hour, 2)
		ds[0].cmd("rpush other x")
		var replies []<-chan string
		for i := range 500 {
			replies = append(replies, ds[0].later(fmt.Sprintf("blpop q%d 0", i%50)))
		}
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		before := st.Counts().Calls
		time.Sleep(time.Minute)
		if n := st.Counts().Calls - before; n > 45 {
			t.Errorf("%d calls of the store in a minute", n)
		}
		for i := range 500 {
			ds[1].cmd(fmt.Sprintf("rpush q%d e", i%50))
		}
		start := time.Now()
		for _, r := range replies {
			if got := within(t, r); !strings.HasSuffix(got, `"e"]`) {
				t.Error(got)
			}
		}
		if waited := time.Since(start); waited > 3*time.Second {
			t.Errorf("woken after %v", waited)
		}
		// Soon after something was found, it looks often.
		reply := ds[0].later("blpop q0 0")
		time.Sleep(5 * time.Second)
		start = time.Now()
		ds[1].cmd("rpush q0 e")
		within(t, reply)
		if waited := time.Since(start); waited > 100*time.Millisecond {
			t.Errorf("woken after %v", waited)
		}
	})
}

// A caller on a connection is bounded by its own context, and ends early when it is told to.
func TestPatientCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := redis.New(redis.Config{Store: memoryStore(t)})
		t.Cleanup(e.Close)
		db, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"})
		if err != nil {
			t.Fatal(err)
		}
		ends := make(chan struct{})
		ctx := redis.WithCaller(t.Context(), &redis.Caller{Patient: true, Waits: t.Context(), Ends: ends})
		reply := make(chan string, 1)
		go func() {
			var w resp.Writer
			if err := e.Do(ctx, db, redis.Access{}, strings.Fields("BLPOP q 0"), &w); err != nil {
				t.Error(err)
			}
			reply <- render(t, w.Buf)
		}()
		time.Sleep(time.Hour)
		select {
		case got := <-reply:
			t.Fatalf("it ends by itself: %s", got)
		default:
		}
		close(ends)
		if got := <-reply; got != "(nil)" {
			t.Error(got)
		}
	})
}

// Who waits for several keys, and is woken for one, takes nothing of another that was meant for who waits longer for it.
func TestNobodyIsOvertakenAtAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := patient(t, memoryStore(t), 0, 1)[0]
		for range 100 {
			moves := d.later("brpoplpush a c 0")
			synctest.Wait()
			longer := d.later("blpop b 0")
			synctest.Wait()
			several := d.later("blmpop 0 2 b c left count 1")
			synctest.Wait()
			also := d.later("bzpopmin other c 0") // of another kind
			synctest.Wait()
			if _, err := d.multi("lpush a 1", "lpush b 2"); err != nil {
				t.Fatal(err)
			}
			for _, want := range []struct {
				reply <-chan string
				text  string
			}{{moves, `"1"`}, {longer, `["b" "2"]`}, {several, `["c" ["1"]]`}} {
				if got := within(t, want.reply); got != want.text {
					t.Fatalf("got %s, want %s", got, want.text)
				}
			}
			d.cmd("zadd other 1 m")
			within(t, also)
		}
	})
}
