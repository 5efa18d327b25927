package redis_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// streamsInBothEncodings runs a test with an empty stream s that has a group g.
func streamsInBothEncodings(t *testing.T, test func(t *testing.T, d *testDB)) {
	t.Helper()
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(keys ...string)) {
		d.check([2]string{"xgroup create s g 0 mkstream", "OK"})
		spread("s")
		test(t, d)
	})
}

func TestStreamEntries(t *testing.T) {
	streamsInBothEncodings(t, func(t *testing.T, d *testDB) {
		d.check(
			[2]string{"type s", "stream"},
			[2]string{"object encoding s", `"stream"`},
			[2]string{"xlen s", "(integer) 0"},
			[2]string{"xrange s - +", "[]"},
			[2]string{"xadd s 1-1 f v g w", `"1-1"`},
			[2]string{"xadd s 1-* f v", `"1-2"`},
			[2]string{"xadd s 3 f v", `"3-0"`},
			[2]string{"xadd s 3-0 f v", "(error) ERR The ID specified in XADD is equal or smaller than the target stream top item"},
			[2]string{"xadd s 0-0 f v", "(error) ERR The ID specified in XADD must be greater than 0-0"},
			[2]string{"xadd s 0-* f v", "(error) ERR The ID specified in XADD is equal or smaller than the target stream top item"},
			[2]string{"xadd s 4-1 f", "(error) ERR wrong number of arguments for 'xadd' command"},
			[2]string{"xadd s - f v", "(error) ERR Invalid stream ID specified as stream command argument"},
			[2]string{"xlen s", "(integer) 3"},
			[2]string{"xrange s - +", `[["1-1" ["f" "v" "g" "w"]] ["1-2" ["f" "v"]] ["3-0" ["f" "v"]]]`},
			[2]string{"xrange s 1 1", `[["1-1" ["f" "v" "g" "w"]] ["1-2" ["f" "v"]]]`},
			[2]string{"xrange s (1-1 + count 1", `[["1-2" ["f" "v"]]]`},
			[2]string{"xrange s - + count 0", "(nil)"},
			[2]string{"xrevrange s + -", `[["3-0" ["f" "v"]] ["1-2" ["f" "v"]] ["1-1" ["f" "v" "g" "w"]]]`},
			[2]string{"xrevrange s (3-0 -", `[["1-2" ["f" "v"]] ["1-1" ["f" "v" "g" "w"]]]`},
			[2]string{"xread streams s 1-2", `[["s" [["3-0" ["f" "v"]]]]]`},
			[2]string{"xread count 1 streams s none 1-1 0", `[["s" [["1-2" ["f" "v"]]]]]`},
			[2]string{"xread streams s +", `[["s" [["3-0" ["f" "v"]]]]]`},
			[2]string{"xread block 100 streams s $", "(nil)"},
			[2]string{"xread block -1 streams s $", "(error) ERR timeout is negative"},
			[2]string{"xread streams s t 0", "(error) ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified."},
			[2]string{"xadd s 18446744073709551615-18446744073709551615 f v", `"18446744073709551615-18446744073709551615"`},
			[2]string{"xadd s * f v", "(error) ERR The stream has exhausted the last possible ID, unable to add more items"},
			[2]string{"xread streams s 3", `[["s" [["18446744073709551615-18446744073709551615" ["f" "v"]]]]]`},
			[2]string{"xdel s 1-1 1-1 9-9 18446744073709551615-18446744073709551615", "(integer) 2"},
			[2]string{"xrange s - +", `[["1-2" ["f" "v"]] ["3-0" ["f" "v"]]]`},
			[2]string{"get s", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		)
	})
}

func TestStreamIDsFollowTheClock(t *testing.T) {
	streamsInBothEncodings(t, func(t *testing.T, d *testDB) {
		now := d.clock.now().UnixMilli()
		d.check(
			[2]string{"xadd none nomkstream * f v", "(nil)"},
			[2]string{"exists none", "(integer) 0"},
			[2]string{"xadd s * f v", fmt.Sprintf(`"%d-0"`, now)},
			[2]string{"xadd s * f v", fmt.Sprintf(`"%d-1"`, now)},
		)
		d.clock.advance(-time.Minute) // another instance's clock
		d.check([2]string{"xadd s * f v", fmt.Sprintf(`"%d-2"`, now)})
		d.clock.advance(2 * time.Minute)
		d.check([2]string{"xadd s * f v", fmt.Sprintf(`"%d-0"`, now+60_000)})
		d.cmd("xsetid s 18446744073709551615-5")
		d.check([2]string{"xadd s * f v", `"18446744073709551615-6"`})
	})
}

func TestStreamTrims(t *testing.T) {
	streamsInBothEncodings(t, func(t *testing.T, d *testDB) {
		for i := range 10 {
			d.do("xadd", "s", fmt.Sprintf("%d-0", i+1), "f", strings.Repeat("v", 100*i))
		}
		d.check(
			[2]string{"xtrim s", "(error) ERR wrong number of arguments for 'xtrim' command"},
			[2]string{"xtrim s limit 1", "(error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"},
			[2]string{"xtrim s maxlen 3 limit 5", "(error) ERR syntax error, LIMIT cannot be used without the special ~ option"},
			[2]string{"xtrim s maxlen 3 minid 5", "(error) ERR syntax error, MAXLEN and MINID options at the same time are not compatible"},
			[2]string{"xtrim s maxlen -1", "(error) ERR The MAXLEN argument must be >= 0."},
			[2]string{"xtrim s maxlen ~ 0 limit 2", "(integer) 0"},
			[2]string{"xtrim s maxlen 8", "(integer) 2"},
			[2]string{"xtrim s minid 4", "(integer) 1"},
			[2]string{"xtrim s minid = 4", "(integer) 0"},
			[2]string{"xtrim s maxlen 6", "(integer) 1"},
			[2]string{"xlen s", "(integer) 6"},
			[2]string{"xrange s - 5 ", `[["5-0" ["f" "` + strings.Repeat("v", 400) + `"]]]`},
			[2]string{"xadd s maxlen 2 11 f v", `"11-0"`},
			[2]string{"xlen s", "(integer) 2"},
			[2]string{"xread streams s 10", `[["s" [["11-0" ["f" "v"]]]]]`},
			[2]string{"xtrim s maxlen 0", "(integer) 2"},
			[2]string{"exists s", "(integer) 1"},
			// Lower ids may come again.
			[2]string{"xsetid s 3", "OK"},
			[2]string{"xadd s 4 f v", `"4-0"`},
			[2]string{"xrange s - +", `[["4-0" ["f" "v"]]]`},
		)
		d.clock.advance(time.Hour)
		d.reclaim()
		d.check([2]string{"xrange s - +", `[["4-0" ["f" "v"]]]`})
	})
}

// A stream that is kept at a length is looked at for the entry to drop only now and then.
func TestApproximateTrimsAreNear(t *testing.T) {
	d := newTestEngine(t)
	var lines []string
	for range 2000 {
		lines = append(lines, "xadd s maxlen ~ 1000 * field some-value")
	}
	if _, err := d.multi(lines...); err != nil {
		t.Fatal(err)
	}
	if n := d.cmd("xlen s"); n < "(integer) 1000" || n > "(integer) 1099" {
		t.Errorf("length %s", n)
	}
	d.check(
		[2]string{"xtrim s maxlen ~ 30", "(integer) " + fmt.Sprint(d.length("s")-30)},
		[2]string{"xlen s", "(integer) 30"},
	)
}

func (d *testDB) length(key string) (n int) {
	d.t.Helper()
	if _, err := fmt.Sscanf(d.cmd("xlen "+key), "(integer) %d", &n); err != nil {
		d.t.Fatal(err)
	}
	return n
}

func TestStreamReferences(t *testing.T) {
	streamsInBothEncodings(t, func(t *testing.T, d *testDB) {
		d.check(
			[2]string{"xadd s 1 f v", `"1-0"`},
			[2]string{"xadd s 2 f v", `"2-0"`},
			[2]string{"xadd s 3 f v", `"3-0"`},
			[2]string{"xadd s 4 f v", `"4-0"`},
			[2]string{"xreadgroup group g c count 3 streams s >", `[["s" [["1-0" ["f" "v"]] ["2-0" ["f" "v"]] ["3-0" ["f" "v"]]]]]`},
			[2]string{"xack s g 1", "(integer) 1"},
			[2]string{"xdelex s acked ids 4 1 2 4 9", "[(integer) 1 (integer) 2 (integer) 2 (integer) -1]"},
			[2]string{"xdelex s ids 2 1", "(error) ERR The `numids` parameter must match the number of arguments"},
			[2]string{"xdelex s ids x 1", "(error) ERR Number of IDs must be a positive integer"},
			[2]string{"xdelex s ids 1 x", "(error) ERR Invalid stream ID specified as stream command argument"},
			[2]string{"xdelex s ids 1 1 keepref acked", "(error) ERR syntax error"},
			[2]string{"xdelex none ids 1 1", "[(integer) -1]"},
			[2]string{"xackdel s g acked ids 2 2 1", "[(integer) 1 (integer) -1]"},
			[2]string{"xackdel s none ids 1 3", "[(integer) -1]"},
			[2]string{"xdelex s delref ids 1 3", "[(integer) 1]"},
			[2]string{"xpending s g", "[(integer) 0 (nil) (nil) (nil)]"},
			[2]string{"xgroup create s h 0", "OK"},
			[2]string{"xreadgroup group g c streams s >", `[["s" [["4-0" ["f" "v"]]]]]`},
			[2]string{"xackdel s g acked ids 1 4", "[(integer) 2]"}, // the other group has not got it yet
			[2]string{"xtrim s acked maxlen 0", "(integer) 0"},
			[2]string{"xreadgroup group h c streams s >", `[["s" [["4-0" ["f" "v"]]]]]`},
			[2]string{"xtrim s acked maxlen 0", "(integer) 0"},
			[2]string{"xtrim s delref maxlen 0", "(integer) 1"},
			[2]string{"xpending s h", "[(integer) 0 (nil) (nil) (nil)]"},
		)
	})
}

func TestConsumerGroups(t *testing.T) {
	streamsInBothEncodings(t, func(t *testing.T, d *testDB) {
		now := d.clock.now().UnixMilli()
		d.check(
			[2]string{"xgroup create s g 0", "(error) BUSYGROUP Consumer Group name already exists"},
			[2]string{"xgroup create none g 0", "(error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."},
			[2]string{"xgroup setid s none 0", "(error) NOGROUP No such consumer group 'none' for key name 's'"},
			[2]string{"xgroup nosuch s g", "(error) ERR unknown subcommand 'nosuch'. Try XGROUP HELP."},
			[2]string{"xadd s 1 f v", `"1-0"`},
			[2]string{"xadd s 2 f v", `"2-0"`},
			// Without acknowledgement, a new consumer leaves no trace.
			[2]string{"xreadgroup group g silent count 1 noack streams s >", `[["s" [["1-0" ["f" "v"]]]]]`},
			[2]string{"xinfo consumers s g", "[]"},
			[2]string{"xinfo groups s", `[["name" "g" "consumers" (integer) 0 "pending" (integer) 0 "last-delivered-id" "1-0" "entries-read" (integer) 1 "lag" (integer) 1]]`},
			[2]string{"xgroup createconsumer s g c", "(integer) 1"},
			[2]string{"xgroup createconsumer s g c", "(integer) 0"},
			[2]string{"xinfo consumers s g", `[["name" "c" "pending" (integer) 0 "idle" (integer) 0 "inactive" (integer) -1]]`},
			[2]string{"xreadgroup group g c streams s >", `[["s" [["2-0" ["f" "v"]]]]]`},
			[2]string{"xreadgroup group g c streams s >", "(nil)"},
			[2]string{"xreadgroup group g c streams s 0", `[["s" [["2-0" ["f" "v"]]]]]`},
			[2]string{"xreadgroup group g c streams s 2", `[["s" []]]`},
			[2]string{"xreadgroup group g c streams s $", "(error) ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."},
			[2]string{"xreadgroup group none c streams s >", "(error) NOGROUP No such key 's' or consumer group 'none' in XREADGROUP with GROUP option"},
			[2]string{"xpending s g - + 10", `[["2-0" "c" (integer) 0 (integer) 2]]`},
			[2]string{"xinfo stream s full", fmt.Sprintf(`["length" (integer) 2 "radix-tree-keys" (integer) 1 "radix-tree-nodes" (integer) 2 "last-generated-id" "2-0" "max-deleted-entry-id" "0-0" "entries-added" (integer) 2 "recorded-first-entry-id" "1-0" `+
				`"entries" [["1-0" ["f" "v"]] ["2-0" ["f" "v"]]] "groups" [["name" "g" "last-delivered-id" "2-0" "entries-read" (integer) 2 "lag" (integer) 0 "pel-count" (integer) 1 "pending" [["2-0" "c" (integer) %[1]d (integer) 2]] `+
				`"consumers" [["name" "c" "seen-time" (integer) %[1]d "active-time" (integer) %[1]d "pel-count" (integer) 1 "pending" [["2-0" (integer) %[1]d (integer) 2]]]]]]]`, now)},
		)
		d.clock.advance(5 * time.Second)
		d.check(
			[2]string{"xinfo consumers s g", `[["name" "c" "pending" (integer) 1 "idle" (integer) 5000 "inactive" (integer) 5000]]`},
			[2]string{"xreadgroup group g c streams s >", "(nil)"}, // has asked, got nothing
			[2]string{"xinfo consumers s g", `[["name" "c" "pending" (integer) 1 "idle" (integer) 0 "inactive" (integer) 5000]]`},
			[2]string{"xpending s g idle 5001 - + 10", "[]"},
			[2]string{"xpending s g idle 5000 - + 10 c", `[["2-0" "c" (integer) 5000 (integer) 2]]`},
			[2]string{"xpending s g - + 10 none", "[]"},
			[2]string{"xclaim s g d 5001 2", "[]"},
			[2]string{"xclaim s g d 5000 2 retrycount 7", `[["2-0" ["f" "v"]]]`},
			[2]string{"xclaim s g d 0 1 justid", "[]"},
			[2]string{"xclaim s g d 0 1 justid force", `["1-0"]`},
			[2]string{"xclaim s g d 0 1 nosuch", "(error) ERR Unrecognized XCLAIM option 'nosuch'"},
			[2]string{"xpending s g", `[(integer) 2 "1-0" "2-0" [["d" "2"]]]`},
			[2]string{"xpending s g - + 10 d", `[["1-0" "d" (integer) 0 (integer) 1] ["2-0" "d" (integer) 0 (integer) 7]]`},
			[2]string{"xautoclaim s g c 1 0", `["0-0" [] []]`},
			[2]string{"xautoclaim s g c 0 0 count 1 justid", `["2-0" ["1-0"] []]`},
			[2]string{"xdel s 2", "(integer) 1"},
			[2]string{"xreadgroup group g d streams s 0", `[["s" [["2-0" (nil)]]]]`},
			[2]string{"xautoclaim s g c 0 2", `["0-0" [] ["2-0"]]`},
			[2]string{"xgroup delconsumer s g c", "(integer) 1"},
			[2]string{"xpending s g", "[(integer) 0 (nil) (nil) (nil)]"},
			[2]string{"xgroup setid s g 0 entriesread 0", "OK"},
			[2]string{"xreadgroup group g d streams s >", `[["s" [["1-0" ["f" "v"]]]]]`},
			[2]string{"xack s g 1 1 5", "(integer) 1"},
			[2]string{"xack s none 1", "(integer) 0"},
			[2]string{"xgroup destroy s g", "(integer) 1"},
			[2]string{"xgroup destroy s g", "(integer) 0"},
			[2]string{"xpending s g", "(error) NOGROUP No such key 's' or consumer group 'g'"},
			[2]string{"xinfo stream s", `["length" (integer) 1 "radix-tree-keys" (integer) 1 "radix-tree-nodes" (integer) 2 "last-generated-id" "2-0" "max-deleted-entry-id" "2-0" "entries-added" (integer) 2 "recorded-first-entry-id" "1-0" ` +
				`"groups" (integer) 0 "first-entry" ["1-0" ["f" "v"]] "last-entry" ["1-0" ["f" "v"]]]`},
			[2]string{"xinfo stream none", "(error) ERR no such key"},
			[2]string{"xinfo stream s all", "(error) ERR unknown subcommand or wrong number of arguments for 'stream'. Try XINFO HELP."},
		)
	})
}

// Many groups, long names and many consumers have items of their own.
func TestManyGroups(t *testing.T) {
	led := newLedger(t)
	d := newTestEngineOn(t, led)
	d.check([2]string{"xadd s 1 f " + strings.Repeat("v", 5000), `"1-0"`})
	var names []string
	for i := range 30 {
		name := fmt.Sprintf("group%03d%s", i, strings.Repeat("g", i*40))
		names = append(names, name)
		d.check([2]string{"xgroup create s " + name + " 0", "OK"})
		for c := range 5 {
			d.check([2]string{fmt.Sprintf("xgroup createconsumer s %s consumer%d", name, c), "(integer) 1"})
		}
	}
	got := d.cmd("xinfo groups s")
	at := 0
	for _, name := range names {
		i := strings.Index(got[at:], `"`+name+`" "consumers" (integer) 5`)
		if i < 0 {
			t.Fatalf("%.20s is missing, or out of order", name)
		}
		at += i
	}
	d.check([2]string{"xinfo groups nosuch", "(error) ERR no such key"})
	for _, name := range names {
		d.check(
			[2]string{"xreadgroup group " + name + " consumer3 streams s >", `[["s" [["1-0" ["f" "` + strings.Repeat("v", 5000) + `"]]]]]`},
			[2]string{"xack s " + name + " 1", "(integer) 1"},
			[2]string{"xgroup destroy s " + name, "(integer) 1"},
		)
	}
	d.clock.advance(time.Hour)
	d.reclaim()
	if left := left(led); len(left) != 2 {
		t.Errorf("%d items, want the head and a page: %.1000q", len(left), left)
	}
}

// What a trim cuts off is deleted by the reclaimer, as are the pending entries of a group that is destroyed.
func TestTrimmedEntriesAreReclaimed(t *testing.T) {
	led := newLedger(t)
	d := newTestEngineOn(t, led)
	d.cmd("xgroup create s g 0 mkstream")
	d.addEntries("s", 1, 10_001, true)
	full := len(left(led))
	if full < 100 {
		t.Fatalf("only %d items", full)
	}
	d.costs(3, "xtrim s maxlen 5") // the head, the last page, the head
	d.check(
		[2]string{"xlen s", "(integer) 5"},
		[2]string{"xpending s g - + 1", `[["1-0" "c" (integer) 0 (integer) 1]]`},
		[2]string{"xgroup destroy s g", "(integer) 1"},
	)
	if n := len(left(led)); n < full-2 {
		t.Errorf("%d items, want about %d before the reclaimer comes", n, full)
	}
	d.reclaim() // too soon
	if n := len(left(led)); n < full-2 {
		t.Errorf("%d items, want about %d before their time has come", n, full)
	}
	d.clock.advance(time.Hour)
	d.reclaim()
	if left := left(led); len(left) > 2 {
		t.Errorf("%d items are left, want the head and a page at most: %.500q", len(left), left)
	}
	d.check(
		[2]string{"xlen s", "(integer) 5"},
		[2]string{"xrange s - + count 1", `[["9996-0" ["field" "value-of-9996"]]]`},
	)
}

// addEntries adds the entries from-0 to (to-1)-0 to a stream and has them delivered to the group g, if there is one.
func (d *testDB) addEntries(key string, from, to int, group bool) {
	d.t.Helper()
	for ; from < to; from += 1000 {
		var cmds [][]string
		for i := from; i < min(from+1000, to); i++ {
			cmds = append(cmds, []string{"xadd", key, fmt.Sprintf("%d-0", i), "field", fmt.Sprintf("value-of-%d", i)})
		}
		if group {
			cmds = append(cmds, []string{"xreadgroup", "group", "g", "c", "streams", key, ">"})
		}
		var w resp.Writer
		if err := d.e.Multi(d.t.Context(), d.database(), redis.Access{}, cmds, &w); err != nil {
			d.t.Fatal(err)
		}
	}
}

// hookedStore calls a function after each query.
type hookedStore struct {
	store.Store
	afterQuery func()
}

func (s *hookedStore) Query(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := s.Store.Query(ctx, q)
	s.afterQuery()
	return page, err
}

// Reading old entries is not disturbed by new ones, but by deletions.
func TestStreamsGrowWhileTheyAreRead(t *testing.T) {
	d := newTestEngine(t)
	d.addEntries("s", 1, 2001, false)
	before := d.usage("xrange", "s", "5", "5").Calls
	n := 0
	st := &hookedStore{Store: d.st, afterQuery: func() {
		if n++; n <= 3 {
			d.cmd("xadd s * field value")
		}
	}}
	other := &testDB{t: t, e: redis.New(redis.Config{Store: st, Now: d.clock.now}), id: d.id, st: st, clock: d.clock}
	if got := other.usage("xrange", "s", "5", "5").Calls; got != before || n == 0 {
		t.Errorf("%d calls while the stream grew %d times, want %d", got, n, before)
	}
	d.cmd("copy s t")
	line := strings.Fields("xread count 1 streams s t 5 6")
	before, n = other.usage(line...).Calls, 0
	if got := other.usage(line...).Calls; got != before {
		t.Errorf("%d calls while one of two streams grew, want %d", got, before)
	}
	n = 0
	st.afterQuery = func() {
		if n++; n == 1 {
			d.cmd("xdel s 5")
		}
	}
	if got := other.cmd("xrange s 5 5"); got != "[]" {
		t.Errorf("an entry that was deleted meanwhile: %s", got)
	}
	if n < 2 {
		t.Error("the command did not run again")
	}
}

// A reply that is too large is refused, and what it would have delivered stays undelivered.
func TestLargeStreamReplies(t *testing.T) {
	d := newTestEngine(t)
	d.cmd("xgroup create s g 0 mkstream")
	for range 12 {
		d.do("xadd", "s", "*", "f", strings.Repeat("v", 300_000))
	}
	small := redis.New(redis.Config{Store: d.st, Now: d.clock.now, MaxReplyBytes: 1 << 20})
	for _, line := range []string{"xrange s - +", "xrevrange s + -", "xread streams s 0", "xreadgroup group g c streams s >", "xinfo stream s full"} {
		var w resp.Writer
		if err := small.Do(t.Context(), d.database(), redis.Access{}, strings.Fields(line), &w); err != nil {
			t.Fatal(err)
		}
		if text, failed := resp.ErrorText(w.Buf); !failed || !strings.HasPrefix(text, "ERR max request size exceeded") {
			t.Errorf("%s: %.100q", line, w.Buf)
		}
	}
	if got := d.cmd("xinfo groups s"); !strings.Contains(got, `"last-delivered-id" "0-0"`) {
		t.Errorf("a refused XREADGROUP has delivered entries: %s", got)
	}
}

// Many entries of a run are deleted at once, and many first ones; of entries that are scattered over
// more pages than a transaction takes, none.
func TestManyEntriesAreDeleted(t *testing.T) {
	led := newLedger(t)
	d := newTestEngineOn(t, led)
	d.cmd("xgroup create s g 0 mkstream")
	d.addEntries("s", 1, 20_001, true)
	ids := func(from, to, step int) string {
		var b strings.Builder
		for i := from; i < to; i += step {
			fmt.Fprintf(&b, " %d", i)
		}
		return b.String()
	}
	const refused = "(error) ERR transaction too large"
	if got := d.cmd("xdel s" + ids(1, 20_000, 130)); !strings.HasPrefix(got, refused) {
		t.Errorf("XDEL of scattered entries: %s", got)
	}
	d.check(
		[2]string{"xlen s", "(integer) 20000"},
		[2]string{"xack s g" + ids(1, 20_000, 400), "(integer) 50"},
		[2]string{"xack s g" + ids(2, 6000, 1), "(integer) 5984"},
		[2]string{"xdel s" + ids(1, 10_000, 1), "(integer) 9999"},
		[2]string{"xrange s - + count 1", `[["10000-0" ["field" "value-of-10000"]]]`},
		[2]string{"xdel s" + ids(11_000, 14_000, 1), "(integer) 3000"},
		[2]string{"xlen s", "(integer) 7001"},
		[2]string{"xrange s 10999 14001", `[["10999-0" ["field" "value-of-10999"]] ["14000-0" ["field" "value-of-14000"]] ["14001-0" ["field" "value-of-14001"]]]`},
		[2]string{"xpending s g - + 1", `[["6000-0" "c" (integer) 0 (integer) 1]]`},
	)
	before := len(left(led))
	d.clock.advance(time.Hour)
	d.reclaim()
	if after := len(left(led)); after > before-40 {
		t.Errorf("%d items before the reclaimer came, %d after", before, after)
	}
	d.check([2]string{"xlen s", "(integer) 7001"}, [2]string{"xrange s - 10000", `[["10000-0" ["field" "value-of-10000"]]]`})
}

func TestStreamsAsKeys(t *testing.T) {
	streamsInBothEncodings(t, func(t *testing.T, d *testDB) {
		d.check(
			[2]string{"xadd s 1 f v", `"1-0"`},
			[2]string{"xreadgroup group g c streams s >", `[["s" [["1-0" ["f" "v"]]]]]`},
			[2]string{"expire s 100", "(integer) 1"},
			[2]string{"copy s t", "(integer) 1"},
			[2]string{"rename t u", "OK"},
			[2]string{"xadd u 2 f w", `"2-0"`},
			[2]string{"xadd s 3 f x", `"3-0"`},
			[2]string{"xread streams s u 0 0", `[["s" [["1-0" ["f" "v"]] ["3-0" ["f" "x"]]]] ["u" [["1-0" ["f" "v"]] ["2-0" ["f" "w"]]]]]`},
			[2]string{"xpending u g", `[(integer) 1 "1-0" "1-0" [["c" "1"]]]`},
			[2]string{"ttl u", "(integer) 100"},
			[2]string{"scan 0 type string", `["0" []]`},
			[2]string{"command getkeys xread count 1 streams a b 0 0", `["a" "b"]`},
			[2]string{"command getkeys xreadgroup group g c noack streams a >", `["a"]`},
		)
		if n := d.cmd("memory usage s"); n != "(integer) 107" {
			t.Errorf("memory usage %s", n)
		}
		d.clock.advance(101 * time.Second)
		d.check([2]string{"exists s u", "(integer) 0"}, [2]string{"xadd s 1 f v", `"1-0"`})
	})
}

// A copy, and what RESTORE makes of a dump, is the same to the last detail.
func TestStreamsAreCopiedWhole(t *testing.T) {
	streamsInBothEncodings(t, func(t *testing.T, d *testDB) {
		for i := range 300 {
			d.do("xadd", "s", fmt.Sprintf("%d-1", i+1), "number", fmt.Sprint(i), "pad", strings.Repeat("p", i))
		}
		d.cmd("xreadgroup group g alice count 200 streams s >")
		d.clock.advance(time.Minute)
		d.cmd("xreadgroup group g bob count 20 streams s >")
		d.clock.advance(time.Minute)
		d.cmd("xreadgroup group g alice streams s 500")
		d.cmd("xgroup createconsumer s g carol")
		d.cmd("xgroup create s " + strings.Repeat("h", 950) + " 5-5")
		d.cmd("xack s g 5-1 6-1 100-1")
		d.cmd("xdel s 1-1 7-1 150-1 300-1")
		d.cmd("xtrim s maxlen 290")
		want := d.cmd("xinfo stream s full count 0")
		d.cmd("copy s t")
		var w resp.Writer
		if err := d.e.Do(t.Context(), d.database(), redis.Access{}, []string{"dump", "s"}, &w); err != nil {
			t.Fatal(err)
		}
		payload, err := resp.Decode(w.Buf)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.do("restore", "u", "0", payload.(string)); got != "OK" {
			t.Fatal(got)
		}
		for _, key := range []string{"t", "u"} {
			if got := d.cmd("xinfo stream " + key + " full count 0"); got != want {
				t.Errorf("%s: got %.3000s\nwant %.3000s", key, got, want)
			}
		}
	})
}

// XREAD from $ waits for what is added after it was called, however often it has looked; without
// BLOCK, and in a transaction, it does not wait.
func TestBlockedReadFromTheEnd(t *testing.T) {
	st := faulty.New(memoryStore(t), faulty.Plan{})
	d := patient(t, st, time.Hour, 1)[0]
	d.cmd("xadd s 1 f v")
	d.check(
		[2]string{"xread streams s $", "(nil)"},
		[2]string{"xread block 1 streams s $", "(nil)"},
		[2]string{"xgroup create s g $", "OK"},
		[2]string{"xreadgroup group g c block 1 streams s >", "(nil)"},
	)
	if got := d.cmd("xinfo consumers s g"); !strings.Contains(got, `"name" "c"`) {
		t.Errorf("consumers %s", got)
	}
	if got, err := d.multi("xread block 0 streams s $", "xreadgroup group g c block 0 streams s >"); got != "(nil) (nil)" || err != nil {
		t.Errorf("in a transaction: %s, %v", got, err)
	}
	before := st.Counts().Calls
	reply := d.later("xread block 0 count 1 streams none s 0 $")
	for st.Counts().Calls < before+2 { // by then it has looked once
		runtime.Gosched()
	}
	d.check([2]string{"xadd s 2 f v", `"2-0"`})
	if got := within(t, reply); got != `[["s" [["2-0" ["f" "v"]]]]]` {
		t.Error(got)
	}
}

// What a second official client expects where Redis does something else.
func TestStreamsAsUpstashHasThem(t *testing.T) {
	streamsInBothEncodings(t, func(t *testing.T, d *testDB) {
		d.check(
			[2]string{"xadd s 1 f v", `"1-0"`},
			[2]string{"xadd s 2 f v", `"2-0"`},
			[2]string{"xinfo consumers s none", "[]"},
			[2]string{"xgroup create s workers 0", "OK"},
			[2]string{"xreadgroup group workers c count 1 streams s >", `[["s" [["1-0" ["f" "v"]]]]]`},
			[2]string{"xack s workers 1", "(integer) 1"},
			[2]string{"xackdel s workers ids 2 1 2", "[(integer) 1 (integer) -1]"}, // acknowledged before, and not delivered yet
			[2]string{"xackdel s workers ids 1 1", "[(integer) -1]"},
			[2]string{"xlen s", "(integer) 1"},
		)
	})
}
