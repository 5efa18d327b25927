package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// allocated is how many bytes fn allocates, garbage included.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func repeat(n int, args func(i int) []string) [][]string {
	out := make([][]string, n)
	for i := range out {
		out[i] = args(i)
	}
	return out
}

// smallBudget is a twentieth of the default, for attacks that are as much smaller: they end in the same way, and
// sooner.
var smallBudget = redis.Budget{
	Work:    redis.DefaultBudget.Work / 20,
	Memory:  redis.DefaultBudget.Memory / 20,
	Replies: redis.DefaultBudget.Replies / 20,
}

// bigString is the longest string of the tests of smallBudget, as 100 MB are of the default.
const bigString = "5242850"

// Each attack was found to take seconds or hundreds of megabytes, with strings of 100 MB. Now it ends with an
// error, and what its keys held before is still there.
func TestBudgetOfAttacks(t *testing.T) {
	const tooMuchWork, tooMuchMemory = "ERR max request work exceeded", "ERR max request memory exceeded"
	big := func(d *testDB) { d.do("setrange", "bk", bigString, "x") }
	for _, tc := range []struct {
		name  string
		setup func(d *testDB)
		args  func() []string
		want  string
		most  uint64 // bytes that it may allocate, MiB
	}{
		{"bitcounts in a script", big, func() []string {
			return []string{"eval", "for i = 1, 3000 do redis.call('bitcount', 'bk') end redis.call('set', 'made', 'x')", "0"}
		}, tooMuchWork, 30},
		{"large strings made and deleted in a script", big, func() []string {
			return []string{"eval", "for i = 1, 100 do redis.call('setrange', 'made', " + bigString + ", 'x') redis.call('del', 'made') end", "0"}
		}, tooMuchWork, 400},
		{"ranges in a script", func(d *testDB) {
			d.do(append([]string{"rpush", "l"}, named(5000)...)...)
		}, func() []string {
			return []string{"eval_ro", "for i = 1, 1000 do redis.call('lrange', 'l', 0, -1) end", "0"}
		}, tooMuchWork, 200},
		{"BITOP of one key many times", big, func() []string {
			return append([]string{"bitop", "xor", "made"}, times(5000, "bk")...)
		}, tooMuchWork, 30},
		{"DEL of many names", nil, func() []string {
			return append([]string{"del"}, named(700_000)...)
		}, "ERR max number of arguments exceeded", 64},
		{"a path that matches everything again and again", func(d *testDB) {
			d.do("json.set", "j", "$", strings.Repeat(`{"a":`, 60)+"[1,2,3,4,5,6,7,8]"+strings.Repeat("}", 60))
		}, func() []string {
			return []string{"json.get", "j", "$..*..*..*..*..*"}
		}, "ERR", 128},
		{"BITOP of large keys", func(d *testDB) {
			big(d)
			d.do("setrange", "bl", bigString, "y")
		}, func() []string { return []string{"bitop", "xor", "made", "bk", "bl"} }, tooMuchMemory, 45},
		{"one set in a union many times", func(d *testDB) {
			d.do(append([]string{"sadd", "s"}, named(500)...)...)
		}, func() []string {
			return append([]string{"sunion"}, times(100_000, "s")...)
		}, tooMuchWork, 60},
		{"one sorted set in an intersection many times", func(d *testDB) {
			d.do(append([]string{"zadd", "z"}, each(1000, func(i int) []string { return []string{strconv.Itoa(i), word(i)} })...)...)
		}, func() []string {
			return append([]string{"zinterstore", "made", "100000"}, times(100_000, "z")...)
		}, tooMuchWork, 24},
		{"many patterns that no key is found by", func(d *testDB) {
			d.do(append([]string{"rpush", "l"}, named(1000)...)...)
		}, func() []string {
			return append([]string{"sort", "l", "by", "nosuch", "store", "made"}, times(20_000, "get", "nosuch")...)
		}, tooMuchWork, 64},
		{"a pattern that tries everything on a long member", func(d *testDB) {
			d.do("sadd", "s", x(300_000))
		}, func() []string {
			return []string{"sscan", "s", "0", "match", "*" + x(100_000) + "y*"}
		}, tooMuchWork, 24},
		{"a long suffix for many strings of a document", func(d *testDB) {
			d.do("json.set", "j", "$", "["+strings.Repeat(`"",`, 99)+`""]`)
		}, func() []string {
			return []string{"json.strappend", "j", "$.*", `"` + x(45_000) + `"`}
		}, tooMuchMemory, 2},
		{"a path that searches a document many times", func(d *testDB) {
			d.do("json.set", "j", "$", "["+strings.Repeat("1,", 20_000)+"1]")
		}, func() []string {
			return append(append([]string{"json.mget"}, times(10_000, "j")...), "$..x")
		}, tooMuchWork, 32},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newBoundedEngine(t, smallBudget)
			if tc.setup != nil {
				tc.setup(d)
			}
			args, got := tc.args(), ""
			used := allocated(func() { got = d.do(args...) })
			if !strings.HasPrefix(got, "(error) "+tc.want) {
				t.Errorf("got %.200s, want %s", got, tc.want)
			}
			if got := d.do("exists", "made"); got != "(integer) 0" {
				t.Errorf("a key was made: %s", got)
			}
			if used > tc.most<<20 {
				t.Errorf("%d MiB were allocated", used>>20)
			}
		})
	}
}

// An engine whose configuration names no budget has the default one.
func TestBudgetByDefault(t *testing.T) {
	d := newTestEngine(t)
	d.do("setrange", "long", "68000000", "x")
	d.do("hset", "h", "f", x(300_000))
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"append", "long", "x"}, "(error) ERR max request memory exceeded. Limit: 134217728 bytes"},
		{append([]string{"hmget", "h"}, times(10_000, "f")...), "(error) ERR max request work exceeded. Limit: 2000000000 units"},
		{append([]string{"del"}, named(131_072)...), "(error) ERR max number of arguments exceeded. Limit: 131072, Actual: 131073"},
	} {
		if got := d.do(tc.args...); got != tc.want {
			t.Errorf("%s: got %.200s, want %s", tc.args[0], got, tc.want)
		}
	}
	if got := d.do("strlen", "long"); got != "(integer) 68000001" {
		t.Error(got)
	}
}

// What is within the budget takes no more memory than it must.
func TestBudgetOfWorkThatIsDone(t *testing.T) {
	d := newTestEngine(t)
	d.do("set", "b", "x")
	if got := d.do(append([]string{"bitfield", "b"}, times(40_000, "get", "u8", "0")...)...); !strings.HasPrefix(got, "[(integer) 120") {
		t.Errorf("BITFIELD: %.80s", got)
	}
	d.do("json.set", "j", "$", "["+strings.TrimSuffix(strings.Repeat(`"",`, 100), ",")+"]")
	var got string
	used := allocated(func() { got = d.do("json.strappend", "j", "$.*", strconv.Quote(x(9000))) })
	if !strings.HasPrefix(got, "[(integer) 9000") || used > 20<<20 {
		t.Errorf("JSON.STRAPPEND: %.80s, %d MiB", got, used>>20)
	}
}

// A transaction that cannot be committed is refused before it runs, or as soon as that is known.
func TestBudgetOfTransactions(t *testing.T) {
	d := newTestEngine(t)
	multi := func(cmds [][]string) error {
		var w resp.Writer
		return d.e.Multi(context.Background(), d.database(), redis.Access{}, cmds, &w)
	}
	for _, tc := range []struct {
		name string
		cmds [][]string
		want string
	}{
		{"many SETs", repeat(20_000, func(i int) []string { return []string{"set", strconv.Itoa(i), "x"} }), "ERR transaction too large"},
		{"many INCRs", repeat(20_000, func(i int) []string { return []string{"incr", strconv.Itoa(i)} }), "ERR transaction too large"},
		{"too many commands", repeat(100_000, func(int) []string { return []string{"ping"} }), "ERR max number of commands exceeded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var err error
			used := allocated(func() { err = multi(tc.cmds) })
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) || used > 128<<20 {
				t.Errorf("got %v, %d MiB", err, used>>20)
			}
			if got := d.do("dbsize"); got != "(integer) 0" {
				t.Errorf("%s keys", got)
			}
		})
	}
	many := repeat(20_000, func(int) []string { return []string{"incr", "n"} })
	if err := multi(many); err != nil || d.do("get", "n") != `"20000"` {
		t.Errorf("%v, %s", err, d.do("get", "n"))
	}
}

// The members of a pipeline share one budget; each has a reply.
func TestBudgetOfPipelines(t *testing.T) {
	d := newBoundedEngine(t, smallBudget)
	pipeline := func(cmds [][]string) (replies int, last string) {
		var w resp.Writer
		d.e.Pipeline(context.Background(), d.database(), redis.Access{}, cmds, &w)
		for rest := w.Buf; len(rest) > 0; replies++ {
			reply, after, err := resp.Cut(rest)
			if err != nil {
				t.Fatal(err)
			}
			last, rest = string(reply), after
		}
		return replies, last
	}
	d.do("set", "k", strings.Repeat("x", 1<<20))
	for _, tc := range []struct {
		name string
		n    int
		args []string
		want string
	}{
		{"too many members", 100_000, []string{"nosuch"}, "-ERR max number of commands exceeded"},
		{"replies", 50, []string{"get", "k"}, "-ERR max size of all replies exceeded"},
		{"work", 500, []string{"eval", "for i = 1, 100000 do end", "0"}, "-ERR max request work exceeded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, last := pipeline(repeat(tc.n, func(int) []string { return tc.args }))
			if n != tc.n || !strings.HasPrefix(last, tc.want) {
				t.Errorf("%d replies, the last one %.80s", n, last)
			}
		})
	}
}

// A request ends when its context does, also in the middle of a command.
func TestBudgetEndsWithContext(t *testing.T) {
	d := newTestEngine(t)
	d.do("setrange", "k", "10000000", "x")
	db := d.database()
	for _, args := range [][]string{
		{"eval", "while true do end", "0"},
		append([]string{"bitop", "xor", "made"}, strings.Fields(strings.Repeat("k ", 50))...),
	} {
		ctx := &endingContext{Context: context.Background(), left: 2}
		var w resp.Writer
		err := d.e.Do(ctx, db, redis.Access{}, args, &w)
		if err == nil || ctx.left >= 0 || len(w.Buf) > 0 {
			t.Errorf("%s: %v, %q", args[0], err, w.Buf)
		}
	}
	if got := d.do("exists", "made"); got != "(integer) 0" {
		t.Error(got)
	}
}

// endingContext is canceled after it was asked a number of times.
type endingContext struct {
	context.Context
	left int
}

func (c *endingContext) Err() error {
	if c.left--; c.left < 0 {
		return fmt.Errorf("the client is gone: %w", context.Canceled)
	}
	return nil
}

// That a client has gone is no failure of ours: a server's log of errors would have as many lines as impatient clients.
func TestClientsThatHaveGoneAreNoErrors(t *testing.T) {
	var log bytes.Buffer
	d := newTestEngineOf(t, redis.Config{Store: memoryStore(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	db := d.database()
	cancel()
	var w resp.Writer
	d.e.Pipeline(ctx, db, redis.Access{}, [][]string{{"set", "k", "v"}, {"incr", "n"}}, &w)
	if got := log.String(); strings.Contains(got, "level=ERROR") || !strings.Contains(got, "level=INFO") {
		t.Errorf("the log is %q", got)
	}
}

// A transaction that pushes on both sides again and again copies the list a few times, not once for each push.
func TestPushesCopyListsSeldom(t *testing.T) {
	const n = 4000
	d := newTestEngine(t)
	var want []string
	cmds := repeat(n, func(i int) []string {
		if v := word(i); i%3 == 0 {
			want = append(want, v)
			return []string{"rpush", "l", v}
		} else {
			want = slices.Insert(want, 0, v, v)
			return []string{"lpush", "l", v, v}
		}
	})
	var w resp.Writer
	units, err := d.e.Counted(t.Context(), d.database(), cmds, &w)
	if err != nil {
		t.Fatal(err)
	}
	if each := (units - 2*n*5000) / n; each > 5000 { // elements that are written cost 4,000 and more
		t.Errorf("%d units for each of %d commands", each, n)
	}
	reply, err := resp.Decode(d.raw("lrange", "l", "0", "-1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(reply); got != fmt.Sprint(want) {
		t.Errorf("the list is %.200s, want %.200s", got, fmt.Sprint(want))
	}
}

// A string that no reply can hold is not read for one.
func TestStringsThatNoReplyHoldsAreNotRead(t *testing.T) {
	d := newTestEngine(t)
	d.do("setrange", "big", "11000000", "x")
	for _, args := range [][]string{
		{"get", "big"}, {"getset", "big", "x"}, {"set", "big", "x", "get"}, {"getdel", "big"}, {"getex", "big"}, {"mget", "n", "big"}, {"getrange", "big", "0", "-1"},
	} {
		var w resp.Writer
		units, err := d.e.Counted(t.Context(), d.database(), [][]string{args}, &w)
		if err != nil {
			t.Fatal(err)
		}
		if text, failed := resp.ErrorText(w.Buf); !failed || !strings.HasPrefix(text, "ERR max request size exceeded") {
			t.Errorf("%s: %.200s", args, w.Buf)
		}
		if units > 100_000 {
			t.Errorf("%s: %d units", args, units)
		}
	}
	if got := d.do("strlen", "big"); got != "(integer) 11000001" {
		t.Errorf("the string has %s bytes now", got)
	}
}
