package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/store/embedded"
)

func TestStrings(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"set a 1", "OK"},
		[2]string{"set a 2 nx", "(nil)"},
		[2]string{"set a 2 xx", "OK"},
		[2]string{"set b 2 xx", "(nil)"},
		[2]string{"set a 3 get", `"2"`},
		[2]string{"set a 4 nx get", `"3"`},
		[2]string{"set c 4 nx get", `(nil)`},
		[2]string{"get c", `"4"`},
		[2]string{"set a x ex 10", "OK"},
		[2]string{"ttl a", "(integer) 10"},
		[2]string{"set a y keepttl", "OK"},
		[2]string{"ttl a", "(integer) 10"},
		[2]string{"set a 7 keepttl", "OK"},
		[2]string{"get a", `"7"`},
		[2]string{"incrby a 5", "(integer) 12"},
		[2]string{"ttl a", "(integer) 10"},
		[2]string{"set a z", "OK"},
		[2]string{"ttl a", "(integer) -1"},
		[2]string{"set a z ex 0", "(error) ERR invalid expire time in 'set' command"},
		[2]string{"set a z ex 1 px 1", "(error) ERR syntax error"},
		[2]string{"set a z ex x ex 30 xx xx", "OK"},
		[2]string{"getex a ex 0 ex 20", `"z"`},
		[2]string{"ttl a", "(integer) 20"},
		[2]string{"getex a ex 20 ex x", "(error) ERR value is not an integer or out of range"},
		[2]string{"getex a ex 20 px 20", "(error) ERR syntax error"},
		[2]string{"getex a ex 20 persist", "(error) ERR syntax error"},
		[2]string{"getex a persist ex 20", "(error) ERR syntax error"},
		[2]string{"getex a ex 20 ex", "(error) ERR syntax error"},
		[2]string{"getex a persist persist", `"z"`},
		[2]string{"set a z keepttl keepttl get get", `"z"`},
		[2]string{"set a z nx xx", "(error) ERR syntax error"},
		[2]string{"set a z ex x", "(error) ERR value is not an integer or out of range"},
		[2]string{"set a z exat 1", "OK"},
		[2]string{"get a", "(nil)"},
		[2]string{"setex a 10 v", "OK"},
		[2]string{"setex a 0 v", "(error) ERR invalid expire time in 'setex' command"},
		[2]string{"psetex a 10 v", "OK"},
		[2]string{"setnx a w", "(integer) 0"},
		[2]string{"setnx n w", "(integer) 1"},
		[2]string{"getset n 5", `"w"`},
		[2]string{"getdel n", `"5"`},
		[2]string{"getdel n", `(nil)`},
		[2]string{"getex a ex 100", `"v"`},
		[2]string{"ttl a", "(integer) 100"},
		[2]string{"getex a persist", `"v"`},
		[2]string{"ttl a", "(integer) -1"},
		[2]string{"getex a", `"v"`},
		[2]string{"getex nope ex 5", `(nil)`},
		[2]string{"mset k1 1 k2 2 k1 3", "OK"},
		[2]string{"mget k1 k2 k3 k1", `["3" "2" (nil) "3"]`},
		[2]string{"msetnx k3 1 k2 2", "(integer) 0"},
		[2]string{"msetnx k3 1 k4 2", "(integer) 1"},
		[2]string{"mset a", "(error) ERR wrong number of arguments for 'mset' command"},
		[2]string{"mset a b c", "(error) ERR wrong number of arguments for 'mset' command"},
		[2]string{"decr k1", "(integer) 2"},
		[2]string{"decrby k1 -9223372036854775808", "(error) ERR decrement would overflow"},
		[2]string{"set big 9223372036854775807", "OK"},
		[2]string{"incr big", "(error) ERR increment or decrement would overflow"},
		[2]string{"incrby big -1", "(integer) 9223372036854775806"},
		[2]string{"incr a", "(error) ERR value is not an integer or out of range"},
		[2]string{"incrbyfloat k1 0.5", `"2.5"`},
		[2]string{"incr k1", "(error) ERR value is not an integer or out of range"},
		[2]string{"append k1 xy", "(integer) 5"},
		[2]string{"strlen k1", "(integer) 5"},
		[2]string{"getrange k1 0 1", `"2."`},
		[2]string{"getrange k1 -2 -1", `"xy"`},
		[2]string{"setrange k1 7 z", "(integer) 8"},
		[2]string{"get k1", `"2.5xy\x00\x00z"`},
		[2]string{"lpush l 1", "(integer) 1"},
		[2]string{"get l", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		[2]string{"set l x get", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		[2]string{"incr l", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		[2]string{"set l x", "OK"},
		[2]string{"set e v", "OK"},
		[2]string{"set e w ifeq x", "(nil)"},
		[2]string{"set e w ifeq v", "OK"},
		[2]string{"set e x ifne w", "(nil)"},
		[2]string{"set dg abc", "OK"},
		[2]string{"digest dg", `"78af5f94892f3950"`}, // the algorithm's published test vector
		[2]string{"delex e ifeq q", "(integer) 0"},
		[2]string{"delex e ifeq w", "(integer) 1"},
		[2]string{"mset lcs1 ohmytext lcs2 mynewtext", "OK"},
		[2]string{"lcs lcs1 lcs2", `"mytext"`},
		[2]string{"lcs lcs1 lcs2 len", `(integer) 6`},
		[2]string{"lcs lcs1 lcs2 idx minmatchlen 4 withmatchlen", `["matches" [[[(integer) 4 (integer) 7] [(integer) 5 (integer) 8] (integer) 4]] "len" (integer) 6]`},
		[2]string{"setbit bm 7 1", "(integer) 0"},
		[2]string{"getbit bm 7", "(integer) 1"},
		[2]string{"bitcount bm", "(integer) 1"},
		[2]string{"bitpos bm 1", "(integer) 7"},
		[2]string{"bitpos none 1", "(integer) -1"},
		[2]string{"bitpos none 0", "(integer) 0"},
		[2]string{"bitfield bf incrby u2 100 1 overflow sat incrby u2 102 1 get u4 0", "[(integer) 1 (integer) 1 (integer) 0]"},
		[2]string{"bitop not dest bm", "(integer) 1"},
		[2]string{"get dest", `"\xfe"`},
		[2]string{"pfadd h a b c d e", "(integer) 1"},
		[2]string{"pfadd h a", "(integer) 0"},
		[2]string{"pfcount h", "(integer) 5"},
		[2]string{"pfadd bm a", "(error) WRONGTYPE Key is not a valid HyperLogLog string value."},
	)
}

func TestExpiryIsExact(t *testing.T) {
	d := newTestEngine(t)
	d.cmd("set a v px 1500")
	d.cmd("hset h f v")
	d.cmd("pexpire h 1500")
	d.clock.advance(1499 * time.Millisecond)
	d.check([2]string{"get a", `"v"`}, [2]string{"pttl h", "(integer) 1"}, [2]string{"dbsize", "(integer) 2"})
	d.clock.advance(time.Millisecond)
	d.check(
		[2]string{"get a", "(nil)"}, [2]string{"hget h f", "(nil)"}, [2]string{"exists a h", "(integer) 0"}, [2]string{"dbsize", "(integer) 0"},
		// What comes after must not inherit anything.
		[2]string{"hset h g w", "(integer) 1"}, [2]string{"hgetall h", `["g" "w"]`}, [2]string{"ttl h", "(integer) -1"},
		[2]string{"incr a", "(integer) 1"}, [2]string{"ttl a", "(integer) -1"},
	)
}

func TestLargeStrings(t *testing.T) {
	d := newTestEngine(t)
	big := strings.Repeat("0123456789", 100_000) // a million bytes
	d.do("set", "s", big)
	if got := d.do("get", "s"); got != fmt.Sprintf("%q", big) {
		t.Fatal("a large string did not come back")
	}
	d.check(
		[2]string{"strlen s", "(integer) 1000000"},
		[2]string{"getrange s 358395 358404", `"5678901234"`},
		[2]string{"getrange s -3 -1", `"789"`},
		[2]string{"setrange s 500000 abc", "(integer) 1000000"},
		[2]string{"getrange s 499999 500003", `"9abc3"`},
		[2]string{"append s end", "(integer) 1000003"},
		[2]string{"expire s 100", "(integer) 1"},
		[2]string{"rename s t", "OK"},
		[2]string{"ttl t", "(integer) 100"},
		[2]string{"getrange t 999998 -1", `"89end"`},
		[2]string{"copy t u", "(integer) 1"},
		[2]string{"set t small", "OK"},
		[2]string{"get t", `"small"`},
		[2]string{"strlen u", "(integer) 1000003"},
		[2]string{"del u", "(integer) 1"},
		[2]string{"setrange v 104857600 x", "(error) ERR max single record size exceeded. Limit: 104857600 bytes, Actual: 104857601 bytes"},
	)
}

func TestMultiKeyWritesBeyondOneTransaction(t *testing.T) {
	d := newTestEngine(t)
	args := []string{"mset"}
	for _, k := range numbered("k", 0, 350) {
		args = append(args, k, "v"+k)
	}
	if got := d.do(args...); got != "OK" {
		t.Fatal(got)
	}
	d.check([2]string{"dbsize", "(integer) 350"}, [2]string{"get k000349", `"vk000349"`})
	if got := d.do(append([]string{"del"}, numbered("k", 0, 350)...)...); got != "(integer) 350" {
		t.Fatal(got)
	}
	d.check([2]string{"dbsize", "(integer) 0"})
	var lines []string
	for i := range 150 {
		lines = append(lines, fmt.Sprintf("set q%d v", i))
	}
	_, err := d.multi(lines...)
	if _, ok := err.(redis.Error); !ok {
		t.Fatalf("a MULTI of 150 keys: %v, want a Redis error", err)
	}
	d.check([2]string{"dbsize", "(integer) 0"})
}

// A string that is appended to again and again within a transaction is what it should be at every moment, also where
// copies of it are appended to as well.
func TestAppendsInOneTransaction(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	d := newTestEngineOf(t, redis.Config{Store: st, Scripts: script.Limits{Time: time.Hour}}) // on any machine
	d.check(
		[2]string{"set a one", "OK"},
		[2]string{"pexpireat a 99999999999999", "(integer) 1"},
	)
	got := d.do("eval", `
		local function append(k, v) return redis.call('append', k, v) end
		local function get(k) return redis.call('get', k) end
		append('a', '-two') append('a', '-three')
		local before = get('a')
		redis.call('copy', 'a', 'b')
		append('a', '-A') append('b', '-B') append('a', '-C') append('b', '-D')
		redis.call('rename', 'b', 'c')
		append('c', '-E') append('b', 'new') append('a', '')
		redis.call('setrange', 'c', 0, 'ONE')
		append('c', '-F') append('a', '-G')
		return {before, get('a'), get('b'), get('c'), redis.call('pexpiretime', 'a')}`, "0")
	want := `["one-two-three" "one-two-three-A-C-G" "new" "ONE-two-three-B-D-E-F" (integer) 99999999999999]`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	d.check(
		[2]string{"mget a b c", `["one-two-three-A-C-G" "new" "ONE-two-three-B-D-E-F"]`},
		[2]string{"pexpiretime a", "(integer) 99999999999999"},
	)

	// 100,000 of them are within a request's budget.
	got = d.do("eval", "for i = 1, 100000 do redis.call('append', KEYS[1], i % 10) end return redis.call('strlen', KEYS[1])", "1", "long")
	if got != "(integer) 100000" || d.do("getrange", "long", "99990", "-1") != `"1234567890"` {
		t.Error(got)
	}

	// A transaction that is undone leaves nothing.
	got = d.do("eval", "redis.call('append', KEYS[1], 'x') redis.call('append', KEYS[1], 'y') error('no')", "1", "a")
	if !strings.HasPrefix(got, "(error)") {
		t.Error(got)
	}
	d.check([2]string{"get a", `"one-two-three-A-C-G"`})
}
