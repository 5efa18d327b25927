package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// gatedStore has a key that is read only when the gate opens.
type gatedStore struct {
	store.Store
	reached chan struct{} // receives when somebody reads the key
	open    chan error    // what he then gets
	panics  bool
}

func (s *gatedStore) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	if strings.HasSuffix(key.Sort, "gate") {
		s.reached <- struct{}{}
		if err := <-s.open; err != nil {
			return nil, err
		}
		if s.panics {
			panic("the store is broken")
		}
	}
	return s.Store.Get(ctx, key)
}

// oneTurn is an engine with one turn, over a store with a gate.
func oneTurn(t *testing.T) (*testDB, *gatedStore) {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	gate := &gatedStore{Store: st, reached: make(chan struct{}), open: make(chan error)}
	return newTestEngineOf(t, redis.Config{Store: gate, Turns: 1}), gate
}

// Scripts that do more than a request does without a turn, and then, the first of them, wait at the gate.
const (
	longScript  = "for i = 1, 100000 do end return redis.call('incr', KEYS[1])"
	gatedScript = "for i = 1, 100000 do end return redis.call('get', 'gate')"
)

// background runs commands as a pipeline, and sends the rendered replies.
func (d *testDB) background(ctx context.Context, cmds ...[]string) <-chan string {
	d.t.Helper()
	db, reply := d.database(), make(chan string, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				reply <- fmt.Sprint(p)
			}
		}()
		var w resp.Writer
		d.e.Pipeline(ctx, db, redis.Access{}, cmds, &w)
		reply <- strings.Join(renderAll(d.t, w.Buf), " ")
	}()
	return reply
}

// waiting returns when so many requests wait for a turn.
func (d *testDB) waiting(n int) {
	d.t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, waiting := d.e.Turns(); waiting == n {
			return
		}
		if time.Since(begin) > testTimeout {
			d.t.Fatalf("there are never %d requests that wait for a turn", n)
		}
	}
}

func (d *testDB) want(reply <-chan string, want string) {
	d.t.Helper()
	if got := within(d.t, reply); got != want {
		d.t.Errorf("got %s, want %s", got, want)
	}
}

// allTurnsAreFree is what holds when all requests have ended.
func (d *testDB) allTurnsAreFree() {
	d.t.Helper()
	if free, waiting := d.e.Turns(); free != 1 || waiting != 0 {
		d.t.Errorf("%d turns are free, %d requests wait", free, waiting)
	}
}

// While a long request has the only turn, short ones are answered, and another long one waits.
func TestShortRequestsNeedNoTurn(t *testing.T) {
	d, gate := oneTurn(t)
	first := d.background(t.Context(), []string{"eval", gatedScript, "0"})
	<-gate.reached
	second := d.background(t.Context(), []string{"eval", longScript, "1", "n"})
	d.waiting(1)
	for range 100 {
		d.check([2]string{"set k v", "OK"}, [2]string{"get k", `"v"`})
	}
	if got, err := d.multi("rpush l a", "lrange l 0 -1"); err != nil || got != `(integer) 1 ["a"]` {
		t.Error(got, err)
	}
	gate.open <- nil
	d.want(first, "(nil)")
	d.want(second, "(integer) 1")
	d.allTurnsAreFree()
}

// A request that has ended while it waited for a turn has changed nothing, and the turn goes on.
func TestTurnOfAClientThatHasGone(t *testing.T) {
	d, gate := oneTurn(t)
	first := d.background(t.Context(), []string{"eval", gatedScript, "0"})
	<-gate.reached
	ctx, cancel := context.WithCancel(t.Context())
	second := d.background(ctx, []string{"eval", longScript, "1", "n"})
	d.waiting(1)
	third := d.background(t.Context(), []string{"eval", longScript, "1", "m"})
	d.waiting(2)
	cancel()
	d.want(second, "(error) ERR the command did not finish in time")
	gate.open <- nil
	d.want(first, "(nil)")
	d.want(third, "(integer) 1")
	d.check([2]string{"exists n", "(integer) 0"})
	d.allTurnsAreFree()
}

// However a request ends, its turn is free then.
func TestTurnsOfRequestsThatFail(t *testing.T) {
	d, gate := oneTurn(t)
	for _, tc := range []struct {
		name   string
		err    error
		panics bool
		want   string
	}{
		{"failure of the store", store.ErrUnavailable, false, "(error) ERR the database is temporarily unavailable, try again later"},
		{"panic", nil, true, "the store is broken"},
	} {
		gate.panics = tc.panics
		for _, cmds := range [][][]string{
			{{"eval", gatedScript, "0"}},
			{{"eval", "for i = 1, 100000 do end", "0"}, {"get", "gate"}}, // in a pipeline that has the turn
		} {
			reply := d.background(t.Context(), cmds...)
			<-gate.reached
			gate.open <- tc.err
			if got := within(t, reply); !strings.HasSuffix(got, tc.want) {
				t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
			}
			d.allTurnsAreFree()
		}
	}
	for _, args := range [][]string{
		{"eval", longScript + " + error('no')", "1", "n"},
		{"eval", longScript, "1"},
		append([]string{"mget"}, times(50_000, "k")...),
		append([]string{"hset", "h"}, named(2000)...),
	} {
		d.do(args...)
		d.allTurnsAreFree()
	}
}

// A pipeline keeps its turn from one member to the next, but not while it waits for a key that another
// request has locked: that one may wait for the turn.
func TestPipelinesGiveTheirTurnUpForLocks(t *testing.T) {
	d, gate := oneTurn(t)
	pipeline := d.background(t.Context(), []string{"eval", gatedScript, "0"}, []string{"eval", "return redis.call('incr', KEYS[1])", "1", "n"}, []string{"get", "n"})
	<-gate.reached
	other := d.background(t.Context(), []string{"eval", longScript, "1", "n"}) // locks n
	d.waiting(1)
	gate.open <- nil
	d.want(other, "(integer) 1")
	d.want(pipeline, `(nil) (integer) 2 "2"`)
	d.allTurnsAreFree()
}

// Nor while a command of it blocks.
func TestPipelinesGiveTheirTurnUpToBlock(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	e := redis.New(redis.Config{Store: st, MaxBlock: time.Hour, Turns: 1})
	t.Cleanup(e.Close)
	if _, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"}); err != nil {
		t.Fatal(err)
	}
	d := &testDB{t: t, e: e, id: "test", st: st}
	pipeline := d.background(t.Context(), []string{"eval", "for i = 1, 100000 do end return 'long'", "0"}, []string{"blpop", "l", "0"})
	d.want(d.background(t.Context(), []string{"eval", longScript, "1", "n"}), "(integer) 1")
	d.check([2]string{"rpush l v", "(integer) 1"})
	d.want(pipeline, `"long" ["l" "v"]`)
	d.allTurnsAreFree()
}
