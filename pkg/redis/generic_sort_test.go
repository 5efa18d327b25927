package redis_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestSort(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"rpush n 3 1 10 2", "(integer) 4"},
		[2]string{"rpush words b C a B", "(integer) 4"},
		[2]string{"sadd s 3 1 2", "(integer) 3"},
		[2]string{"zadd z 1 c 2 b 3 a", "(integer) 3"},
		[2]string{"rpush ids 1 2 3", "(integer) 3"},
	)
	for key, v := range map[string]string{"w_1": "30", "w_2": "10", "w_3": "20", "name_1": "one", "name_2": "two", "x_1_y": "suffix"} {
		d.do("set", key, v)
	}
	d.do("hset", "h_1", "w", "2", "name", "uno")
	d.do("hset", "h_2", "w", "3", "name", "dos")
	d.do("hset", "h_3", "w", "1")
	for _, tt := range []struct{ name, line, want string }{
		{"numbers", "sort n", `["1" "2" "3" "10"]`},
		{"descending", "sort n desc", `["10" "3" "2" "1"]`},
		{"the last of ASC and DESC counts", "sort n desc asc", `["1" "2" "3" "10"]`},
		{"alphabetical", "sort n alpha", `["1" "10" "2" "3"]`},
		{"words bytewise", "sort words alpha desc", `["b" "a" "C" "B"]`},
		{"limit", "sort n limit 1 2", `["2" "3"]`},
		{"limit beyond the end", "sort n limit 3 10", `["10"]`},
		{"limit outside", "sort n limit 9 1", `[]`},
		{"limit with negative offset", "sort n limit -5 1", `["1"]`},
		{"limit with negative count", "sort n limit 2 -1", `["3" "10"]`},
		{"limit 0 0", "sort n limit 0 0", `[]`},
		{"set", "sort s desc", `["3" "2" "1"]`},
		{"sorted set", "sort z alpha", `["a" "b" "c"]`},
		{"sorted set in its own order", "sort z by nosort", `["c" "b" "a"]`},
		{"sorted set in its reverse order", "sort z by nosort desc limit 0 2", `["a" "b"]`},
		{"list in its own order", "sort n by nosort", `["3" "1" "10" "2"]`},
		{"by weight", "sort ids by w_*", `["2" "3" "1"]`},
		{"by missing weights", "sort ids by nosuch_*", `["1" "2" "3"]`},
		{"by hash field", "sort ids by h_*->w", `["3" "1" "2"]`},
		{"by missing weight, alphabetical", "sort ids by name_* alpha", `["3" "1" "2"]`},
		{"get", "sort ids get name_*", `["one" "two" (nil)]`},
		{"get the element", "sort ids desc get # get w_*", `["3" "20" "2" "10" "1" "30"]`},
		{"get a hash field", "sort ids get h_*->name", `["uno" "dos" (nil)]`},
		{"get behind the star", "sort ids get x_*_y limit 0 1", `["suffix"]`},
		{"get a fixed key", "sort ids get w_1 limit 0 1", `[(nil)]`},
		{"get of a key of another type", "sort ids get h_* limit 0 1", `[(nil)]`},
		{"an arrow without a field is part of the key", "sort ids get w_*-> limit 0 1", `[(nil)]`},
		{"missing key", "sort nosuch", `[]`},
		{"read-only form", "sort_ro n limit 0 2", `["1" "2"]`},
		{"store", "sort n desc store dst", "(integer) 4"},
		{"what was stored", "lrange dst 0 -1", `["10" "3" "2" "1"]`},
		{"store with get, nothing for missing", "sort ids get name_* store dst", "(integer) 3"},
		{"what was stored with get", "lrange dst 0 -1", `["one" "two" ""]`},
		{"store of an unsorted set sorts alphabetically", "sort s by nosort desc store dst", "(integer) 3"},
		{"what was stored of a set", "lrange dst 0 -1", `["3" "2" "1"]`},
		{"store onto the source", "sort n store n", "(integer) 4"},
		{"the source is sorted", "lrange n 0 -1", `["1" "2" "3" "10"]`},
		{"store of nothing deletes", "sort nosuch store dst", "(integer) 0"},
		{"deleted", "exists dst", "(integer) 0"},
		{"not numbers", "sort words", "(error) ERR One or more scores can't be converted into double"},
		{"weights that are not numbers", "sort ids by name_*", "(error) ERR One or more scores can't be converted into double"},
		{"a string", "sort w_1", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"a hash", "sort_ro h_1", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		{"syntax before type", "sort w_1 foo", "(error) ERR syntax error"},
		{"limit is no number", "sort n limit x 1", "(error) ERR value is not an integer or out of range"},
		{"limit incomplete", "sort n limit 1", "(error) ERR syntax error"},
		{"the read-only form does not store", "sort_ro n store dst", "(error) ERR syntax error"},
	} {
		if got := d.cmd(tt.line); got != tt.want {
			t.Errorf("%s: %s: got %s, want %s", tt.name, tt.line, got, tt.want)
		}
	}
}

func TestSortReadsNumbersAsC(t *testing.T) {
	d := newTestEngine(t)
	d.do("rpush", "l", " 2", "", "-inf", "1e1", "0x1p1")
	if got, want := d.do("sort", "l"), `["-inf" "" " 2" "0x1p1" "1e1"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, bad := range []string{"nan", " ", "1 ", "1e999"} {
		d.do("del", "l")
		d.do("rpush", "l", bad)
		if got := d.do("sort", "l"); !strings.HasPrefix(got, "(error)") {
			t.Errorf("%q: %s", bad, got)
		}
	}
}

func TestSortLargeValues(t *testing.T) {
	d := newTestEngine(t)
	add := map[string][]string{"l": {"rpush", "l"}, "s": {"sadd", "s"}, "z": {"zadd", "z"}}
	var want []string
	for i := range 700 {
		e := strconv.Itoa((i*7919 + 13) % 700)
		want = append(want, strconv.Quote(strconv.Itoa(i)))
		add["l"], add["s"], add["z"] = append(add["l"], e), append(add["s"], e), append(add["z"], "0", e)
		d.do("set", "w"+e, e)
	}
	slices.Reverse(want)
	for key, args := range add {
		d.do(args...)
		for _, line := range []string{"sort " + key + " desc", "sort_ro " + key + " by w* desc"} {
			if got := d.cmd(line); got != fmt.Sprint(want) {
				t.Errorf("%s: %.200s", line, got)
			}
		}
		d.check([2]string{"sort " + key + " desc store dst", "(integer) 700"})
		if got := d.cmd("lrange dst 0 -1"); got != fmt.Sprint(want) {
			t.Errorf("stored from %s: %.200s", key, got)
		}
	}
}

func TestObject(t *testing.T) {
	d := newTestEngine(t)
	long := strings.Repeat("x", 65)
	many := func(name, arg string, n int) []string {
		args := []string{name, "k"}
		for i := range n {
			switch arg {
			case "pair":
				args = append(args, strconv.Itoa(i), "m"+strconv.Itoa(i))
			case "int":
				args = append(args, strconv.Itoa(i))
			case "long":
				args = append(args, long+strconv.Itoa(i))
			default:
				args = append(args, "m"+strconv.Itoa(i))
			}
		}
		return args
	}
	for _, tt := range []struct {
		create []string
		want   string
	}{
		{[]string{"set", "k", "12"}, "int"},
		{[]string{"set", "k", "9223372036854775807"}, "int"},
		{[]string{"set", "k", "012"}, "embstr"},
		{[]string{"set", "k", strings.Repeat("x", 44)}, "embstr"},
		{[]string{"set", "k", strings.Repeat("x", 45)}, "raw"},
		{many("rpush", "", 100), "listpack"},
		{many("rpush", "long", 200), "quicklist"},
		{many("hset", "pair", 512), "listpack"},
		{many("hset", "pair", 513), "hashtable"},
		{[]string{"hset", "k", "f", long}, "hashtable"},
		{many("sadd", "int", 512), "intset"},
		{many("sadd", "int", 513), "hashtable"},
		{many("sadd", "", 128), "listpack"},
		{many("sadd", "", 129), "hashtable"},
		{[]string{"sadd", "k", long}, "hashtable"},
		{many("zadd", "pair", 128), "listpack"},
		{many("zadd", "pair", 129), "skiplist"},
		{[]string{"zadd", "k", "1", long}, "skiplist"},
	} {
		d.do("del", "k")
		d.do(tt.create...)
		if got := d.do("object", "ENCODING", "k"); got != strconv.Quote(tt.want) {
			t.Errorf("%.40q: %s, want %s", tt.create, got, tt.want)
		}
	}
	d.check(
		[2]string{"object encoding nosuch", "(nil)"},
		[2]string{"object refcount nosuch", "(nil)"},
		[2]string{"object refcount k", "(integer) 1"},
		[2]string{"object idletime k", "(integer) 0"},
		[2]string{"object freq nosuch", "(nil)"},
		[2]string{"object foo k", "(error) ERR unknown subcommand 'foo'. Try OBJECT HELP."},
		[2]string{"object", "(error) ERR wrong number of arguments for 'object' command"},
		[2]string{"object encoding", "(error) ERR wrong number of arguments for 'object|encoding' command"},
	)
	if got := d.cmd("object freq k"); !strings.HasPrefix(got, "(error) ERR An LFU maxmemory policy is not selected") {
		t.Error(got)
	}
	if got := d.cmd("object help"); !strings.Contains(got, "OBJECT <subcommand>") || !strings.Contains(got, "REFCOUNT <key>") {
		t.Error(got)
	}
}
