package redis_test

import (
	"strconv"
	"strings"
	"testing"
)

func TestHashes(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.check(
			[2]string{"hset h a 1 b 2 a 3", "(integer) 2"},
			[2]string{"hmset h c x", "OK"},
		)
		spread("h")
		d.check(
			[2]string{"hset h a 3 d 4", "(integer) 1"},
			[2]string{"hmset h d 5 e 6", "OK"},
			[2]string{"hsetnx h d 7", "(integer) 0"},
			[2]string{"hsetnx h f 8", "(integer) 1"},
			[2]string{"hget h d", `"5"`},
			[2]string{"hget h none", "(nil)"},
			[2]string{"hmget h a none f a", `["3" (nil) "8" "3"]`},
			[2]string{"hlen h", "(integer) 6"},
			[2]string{"hexists h a", "(integer) 1"},
			[2]string{"hexists h none", "(integer) 0"},
			[2]string{"hstrlen h c", "(integer) 1"},
			[2]string{"hstrlen h none", "(integer) 0"},
			[2]string{"hdel h a none a", "(integer) 1"},
			[2]string{"hlen h", "(integer) 5"},
		)
		for line, want := range map[string]string{
			"hkeys h": `["b" "c" "d" "e" "f"]`,
			"hvals h": `["2" "5" "6" "8" "x"]`,
		} {
			if got := d.sorted(1, line); got != want {
				t.Errorf("%s: %s, want %s", line, got, want)
			}
		}
		if got, want := d.sorted(2, "hgetall h"), `["b" "2" "c" "x" "d" "5" "e" "6" "f" "8"]`; got != want {
			t.Errorf("hgetall: %s, want %s", got, want)
		}
		d.check(
			[2]string{"hdel h b c d e f", "(integer) 5"},
			[2]string{"exists h", "(integer) 0"},
		)
	})
}

func TestHashReadsOfNoKey(t *testing.T) {
	newTestEngine(t).check(
		[2]string{"hget h f", "(nil)"},
		[2]string{"hmget h f g", "[(nil) (nil)]"},
		[2]string{"hgetall h", "[]"},
		[2]string{"hkeys h", "[]"},
		[2]string{"hvals h", "[]"},
		[2]string{"hlen h", "(integer) 0"},
		[2]string{"hexists h f", "(integer) 0"},
		[2]string{"hstrlen h f", "(integer) 0"},
		[2]string{"hdel h f", "(integer) 0"},
		[2]string{"hrandfield h", "(nil)"},
		[2]string{"hrandfield h 3", "[]"},
		[2]string{"hrandfield h -3 withvalues", "[]"},
		[2]string{"hscan h 0", `["0" []]`},
		[2]string{"hscan h 0 nonsense", `["0" []]`},
		[2]string{"exists h", "(integer) 0"},
	)
}

func TestHashErrors(t *testing.T) {
	const wrongType = "(error) WRONGTYPE Operation against a key holding the wrong kind of value"
	d := newTestEngine(t)
	d.do("set", "s", "v")
	d.do("hset", "h", "f", "text", "max", "9223372036854775807")
	for _, line := range []string{
		"hset s f v", "hmset s f v", "hsetnx s f v", "hget s f", "hmget s f", "hgetall s", "hkeys s", "hvals s", "hlen s", "hexists s f",
		"hstrlen s f", "hdel s f", "hincrby s f 1", "hincrbyfloat s f 1", "hrandfield s", "hrandfield s 1", "hscan s 0",
		"hexpire s nonsense nonsense x x x", "httl s fields 1 f", "hpersist s fields 1 f", "hgetdel s fields 1 f",
		"hgetex s fields 1 f", "hsetex s fields 1 f v",
	} {
		d.check([2]string{line, wrongType})
	}
	d.check(
		[2]string{"hset h f", "(error) ERR wrong number of arguments for 'hset' command"},
		[2]string{"hset h f v g", "(error) ERR wrong number of arguments for 'hset' command"},
		[2]string{"hmset s f v g", "(error) ERR wrong number of arguments for 'hmset' command"},
		[2]string{"hincrby h f 1", "(error) ERR hash value is not an integer"},
		[2]string{"hincrby h f x", "(error) ERR value is not an integer or out of range"},
		[2]string{"hincrby h max 1", "(error) ERR increment or decrement would overflow"},
		[2]string{"hincrbyfloat h f 1", "(error) ERR hash value is not a float"},
		[2]string{"hincrbyfloat h f x", "(error) ERR value is not a valid float"},
		[2]string{"hincrbyfloat h f inf", "(error) ERR value is NaN or Infinity"},
		[2]string{"hrandfield h x", "(error) ERR value is not an integer or out of range"},
		[2]string{"hrandfield h 1 nonsense", "(error) ERR syntax error"},
		[2]string{"hrandfield h 1 withvalues x", "(error) ERR syntax error"},
		[2]string{"hrandfield h -9223372036854775808", "(error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"},
		[2]string{"hrandfield h -9223372036854775807 withvalues", "(error) ERR value is out of range"},
		[2]string{"hscan h x", "(error) ERR invalid cursor"},
		[2]string{"hscan h 0 count 0", "(error) ERR syntax error"},
		[2]string{"hget h f", `"text"`},
		[2]string{"hget h max", `"9223372036854775807"`},
	)
}

func TestHashIncrements(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("hset", "h", "n", "5", "f", "0.1")
		spread("h")
		d.check(
			[2]string{"hincrby h n -7", "(integer) -2"},
			[2]string{"hincrby h new 3", "(integer) 3"},
			[2]string{"hincrbyfloat h f 0.2", `"0.3"`},
			[2]string{"hincrbyfloat h n 1e3", `"998"`},
			[2]string{"hincrbyfloat h other 3.0e-2", `"0.03"`},
			[2]string{"hincrby h n 2", "(integer) 1000"},
			[2]string{"hmget h n new f other", `["1000" "3" "0.3" "0.03"]`},
		)
	})
}

func TestHashRandomFields(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("hset", "h", "a", "1", "b", "2", "c", "3")
		spread("h")
		if got := d.cmd("hrandfield h"); !strings.Contains(`"a""b""c"`, got) {
			t.Errorf("hrandfield: %s", got)
		}
		if got := d.sorted(2, "hrandfield h 5 withvalues"); got != `["a" "1" "b" "2" "c" "3"]` {
			t.Errorf("hrandfield 5: %s", got)
		}
		if got := d.sorted(1, "hrandfield h 3"); got != `["a" "b" "c"]` {
			t.Errorf("hrandfield 3: %s", got)
		}
		seen := map[string]bool{}
		for _, f := range strings.Fields(strings.Trim(d.cmd("hrandfield h -200"), "[]")) {
			seen[f] = true
		}
		if len(seen) != 3 {
			t.Errorf("200 random fields are %v", seen)
		}
		if got := strings.Fields(d.cmd("hrandfield h -4 withvalues")); len(got) != 8 {
			t.Errorf("hrandfield -4 withvalues: %s", got)
		}
		d.check([2]string{"hrandfield h 0", "[]"})
	})
}

func TestHashScan(t *testing.T) {
	d := newTestEngine(t)
	d.do("hset", "h", "a1", "x", "a2", "y", "b1", "z")
	for line, want := range map[string]string{
		"hscan h 0 match a*":          `["0" ["a1" "x" "a2" "y"]]`,
		"hscan h 0 match b* novalues": `["0" ["b1"]]`,
		"hscan h 0 match x count 100": `["0" []]`,
	} {
		got := d.cmd(line)
		if alt := strings.Replace(want, `"a1" "x" "a2" "y"`, `"a2" "y" "a1" "x"`, 1); got != want && got != alt {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	// A large one in pages.
	args := []string{"hset", "big"}
	for i := range 300 {
		args = append(args, "field-"+strconv.Itoa(i), strings.Repeat("v", 30))
	}
	d.do(args...)
	seen := map[string]int{}
	pages := 0
	for cursor := "0"; pages == 0 || cursor != "0"; pages++ {
		words := strings.Fields(d.do("hscan", "big", cursor, "count", "20", "novalues"))
		cursor = strings.Trim(words[0], `["`)
		for _, w := range words[1:] {
			seen[strings.Trim(w, "[]")]++
		}
	}
	if len(seen) != 300 || pages < 10 {
		t.Errorf("%d fields in %d pages", len(seen), pages)
	}
	for f, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", f, n)
		}
	}
}

func TestHashBinaryNames(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		names := []string{"", "\x00", "\xff\xfe", "a\nb", strings.Repeat("long", 400), strings.Repeat("long", 400) + "x", "ž"}
		for i, n := range names {
			if got := d.do("hset", "h", n, strconv.Itoa(i)); got != "(integer) 1" {
				t.Errorf("hset %.20q: %s", n, got)
			}
		}
		spread("h")
		for i, n := range names {
			if got := d.do("hget", "h", n); got != strconv.Quote(strconv.Itoa(i)) {
				t.Errorf("hget %.20q: %s", n, got)
			}
			if got := d.do("hset", "h", n, ""); got != "(integer) 0" {
				t.Errorf("hset %.20q again: %s", n, got)
			}
		}
		if got := d.cmd("hlen h"); got != "(integer) 7" {
			t.Errorf("hlen: %s", got)
		}
		if got := d.do(append([]string{"hdel", "h"}, names...)...); got != "(integer) 7" {
			t.Errorf("hdel: %s", got)
		}
	})
}

func TestHashesInTransactions(t *testing.T) {
	d := newTestEngine(t)
	got, err := d.multi("hset h a 1 b 2", "hincrby h a 5", "hdel h a b", "exists h", "hset h c 3", "ttl h", "hgetall h", "hdel h c", "hsetnx h d 4", "hgetall h")
	want := `(integer) 2 (integer) 6 (integer) 2 (integer) 0 (integer) 1 (integer) -1 ["c" "3"] (integer) 1 (integer) 1 ["d" "4"]`
	if err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestHashWritesTakeOneCall(t *testing.T) {
	d := newTestEngine(t)
	d.costs(1,
		"hset h a 1", "hset h a 2 b 3", "hmset h b 4 c 5", "hsetnx h d 6", "hsetnx h d 7",
		"hdel h a", "hdel h a none", "hdel none f", "hget h b", "hgetall h", "hlen h")
	d.costs(2, "hincrby h b 1", "hexpire h 100 fields 1 b")
	d.check([2]string{"hmget h a b c d", `[(nil) "5" "5" "6"]`})
}
