package redis_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// spreadKeys makes a key of each type that is too large to be stored inline.
func (d *testDB) spreadKeys() {
	d.t.Helper()
	long := strings.Repeat("x", 100)
	l, h, s, z := []string{"rpush", "L"}, []string{"hset", "H"}, []string{"sadd", "S"}, []string{"zadd", "Z"}
	for i := range 60 {
		e := fmt.Sprintf("%s%03d", long, i)
		l, h, s, z = append(l, e), append(h, e, "v"+strconv.Itoa(i)), append(s, e), append(z, strconv.Itoa(i), e)
	}
	for _, args := range [][]string{l, h, s, z} {
		if got := d.do(args...); got != "(integer) 60" {
			d.t.Fatalf("%s: %s", args[0], got)
		}
	}
}

func TestDel(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"del a", "(integer) 0"},
		[2]string{"set a 1", "OK"},
		[2]string{"del a", "(integer) 1"},
		[2]string{"exists a", "(integer) 0"},
		[2]string{"mset a 1 b 2 c 3", "OK"},
		[2]string{"del a a b nosuch", "(integer) 2"},
		[2]string{"unlink c", "(integer) 1"},
		[2]string{"unlink", "(integer) 0"},
		[2]string{"del", "(error) ERR wrong number of arguments for 'del' command"},
	)
	d.spreadKeys()
	d.check(
		[2]string{"del L", "(integer) 1"},
		[2]string{"unlink H S Z", "(integer) 3"},
		[2]string{"exists L H S Z", "(integer) 0"},
		[2]string{"rpush L a", "(integer) 1"},
		[2]string{"lrange L 0 -1", `["a"]`},
	)
	d.check([2]string{"set a 1 px 10", "OK"})
	d.clock.advance(10 * time.Millisecond)
	d.check([2]string{"del a", "(integer) 0"})
}

func TestDelAndReadManyKeys(t *testing.T) {
	d := newTestEngine(t)
	del, exists := []string{"del"}, []string{"exists"}
	for i := range 250 {
		key := "k" + strconv.Itoa(i)
		d.do("set", key, "v")
		del, exists = append(del, key), append(exists, key)
	}
	if got := d.do(exists...); got != "(integer) 250" {
		t.Errorf("EXISTS of 250 keys: %s", got)
	}
	if got := d.do(del...); got != "(integer) 250" {
		t.Errorf("DEL of 250 keys: %s", got)
	}
	d.check([2]string{"dbsize", "(integer) 0"})
}

func TestExistsAndTouch(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"set a 1", "OK"},
		[2]string{"exists a a b", "(integer) 2"},
		[2]string{"touch a b", "(integer) 1"},
		[2]string{"exists", "(error) ERR wrong number of arguments for 'exists' command"},
	)
}

func TestType(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	d.check(
		[2]string{"set a 1", "OK"},
		[2]string{"type a", "string"},
		[2]string{"type L", "list"},
		[2]string{"type H", "hash"},
		[2]string{"type S", "set"},
		[2]string{"type Z", "zset"},
		[2]string{"type nosuch", "none"},
	)
}

func TestExpire(t *testing.T) {
	d := newTestEngine(t)
	now := d.clock.now().UnixMilli()
	d.check(
		[2]string{"expire a 10", "(integer) 0"},
		[2]string{"set a 1", "OK"},
		[2]string{"ttl a", "(integer) -1"},
		[2]string{"expiretime a", "(integer) -1"},
		[2]string{"ttl nosuch", "(integer) -2"},
		[2]string{"pexpiretime nosuch", "(integer) -2"},
		[2]string{"expire a 10", "(integer) 1"},
		[2]string{"ttl a", "(integer) 10"},
		[2]string{"pttl a", "(integer) 10000"},
		[2]string{"expiretime a", fmt.Sprintf("(integer) %d", now/1000+10)},
		[2]string{"pexpiretime a", fmt.Sprintf("(integer) %d", now+10000)},
		[2]string{"pexpire a 1499", "(integer) 1"},
		[2]string{"ttl a", "(integer) 1"},
		[2]string{"pexpire a 1500", "(integer) 1"},
		[2]string{"ttl a", "(integer) 2"},
		[2]string{fmt.Sprintf("expireat a %d", now/1000+100), "(integer) 1"},
		[2]string{"ttl a", "(integer) 100"},
		[2]string{fmt.Sprintf("pexpireat a %d", now+5000), "(integer) 1"},
		[2]string{"pttl a", "(integer) 5000"},
		[2]string{"persist a", "(integer) 1"},
		[2]string{"persist a", "(integer) 0"},
		[2]string{"persist nosuch", "(integer) 0"},
		[2]string{"ttl a", "(integer) -1"},
		[2]string{"get a", `"1"`},
	)
	for _, past := range []string{"expire a 0", "expire a -1", "pexpire a -5", "expireat a 0", "pexpireat a -1"} {
		d.check([2]string{"set a 1", "OK"}, [2]string{past, "(integer) 1"}, [2]string{"exists a", "(integer) 0"})
	}
}

func TestExpireConditions(t *testing.T) {
	for _, key := range []string{"small", "L"} {
		t.Run(key, func(t *testing.T) {
			d := newTestEngine(t)
			d.spreadKeys()
			d.do("rpush", "small", "x")
			d.check(
				[2]string{"expire " + key + " 100 xx", "(integer) 0"},
				[2]string{"expire " + key + " 100 gt", "(integer) 0"},
				[2]string{"expire " + key + " -1 gt", "(integer) 0"},
				[2]string{"expire " + key + " 100 LT", "(integer) 1"},
				[2]string{"expire " + key + " 100 nx", "(integer) 0"},
				[2]string{"expire " + key + " -1 nx", "(integer) 0"},
				[2]string{"expire " + key + " 50 gt", "(integer) 0"},
				[2]string{"expire " + key + " 100 gt", "(integer) 0"},
				[2]string{"expire " + key + " 200 gt xx", "(integer) 1"},
				[2]string{"expire " + key + " 300 lt", "(integer) 0"},
				[2]string{"ttl " + key, "(integer) 200"},
				[2]string{"expire " + key + " 150 xx lt", "(integer) 1"},
				[2]string{"persist " + key, "(integer) 1"},
				[2]string{"expire " + key + " 9 lt xx", "(integer) 0"},
				[2]string{"expire " + key + " 9 nx", "(integer) 1"},
				[2]string{"ttl " + key, "(integer) 9"},
				[2]string{"expire " + key + " -9 lt", "(integer) 1"},
				[2]string{"exists " + key, "(integer) 0"},
			)
		})
	}
}

func TestExpireErrors(t *testing.T) {
	d := newTestEngine(t)
	d.do("set", "a", "1")
	const (
		notInt = "(error) ERR value is not an integer or out of range"
		nx     = "(error) ERR NX and XX, GT or LT options at the same time are not compatible"
		gtlt   = "(error) ERR GT and LT options at the same time are not compatible"
	)
	invalid := func(name string) string { return "(error) ERR invalid expire time in '" + name + "' command" }
	d.check(
		[2]string{"expire a", "(error) ERR wrong number of arguments for 'expire' command"},
		[2]string{"expire a x", notInt},
		[2]string{"expire a 1.5", notInt},
		[2]string{"expire a x foo", "(error) ERR Unsupported option foo"},
		[2]string{"expire a 1 nx xx", nx},
		[2]string{"expire a 1 gt nx", nx},
		[2]string{"expire a 1 gt lt", gtlt},
		[2]string{"expire a 9223372036854775807", invalid("expire")},
		[2]string{"expire a 9223372036854775", invalid("expire")},
		[2]string{"expire a -9223372036854776", invalid("expire")},
		[2]string{"EXPIREAT a 9223372036854776", invalid("expireat")},
		[2]string{"pexpire a 9223372036854775807", invalid("pexpire")},
		[2]string{"ttl a", "(integer) -1"},
		[2]string{"pexpireat a 9223372036854775807", "(integer) 1"},
		[2]string{"pexpiretime a", fmt.Sprintf("(integer) %d", int64(math.MaxInt64))},
	)
}

func TestExpiredKeyIsGone(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	for _, key := range []string{"L", "H", "S", "Z"} {
		d.check([2]string{"pexpire " + key + " 100", "(integer) 1"})
	}
	d.clock.advance(99 * time.Millisecond)
	d.check([2]string{"exists L H S Z", "(integer) 4"})
	d.clock.advance(time.Millisecond)
	d.check(
		[2]string{"exists L H S Z", "(integer) 0"},
		[2]string{"ttl L", "(integer) -2"},
		[2]string{"expire L 10", "(integer) 0"},
		[2]string{"persist L", "(integer) 0"},
		[2]string{"rename L x", "(error) ERR no such key"},
		[2]string{"keys *", "[]"},
		[2]string{"randomkey", "(nil)"},
	)
}

func TestBlindGenericWritesAreOneCall(t *testing.T) {
	d := newTestEngine(t)
	for _, line := range []string{"expire k 100", "pexpire k 5000", "expire k 10 nx", "persist k", "expireat k 99999999999 gt",
		"expire k 5 lt", "expire k -1", "del k", "unlink k"} {
		for _, create := range []string{"set k v ex 50", "rpush k a b", "hset k f v"} {
			d.do("del", "k")
			d.do(strings.Fields(create)...)
			if strings.HasPrefix(line, "persist") {
				d.do("expire", "k", "100")
			}
			u := d.usage(strings.Fields(line)...)
			if u.Calls != 1 {
				t.Errorf("%s after %s: %d calls", line, create, u.Calls)
			}
		}
	}
}

func TestRename(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	d.check(
		[2]string{"rename nosuch b", "(error) ERR no such key"},
		[2]string{"renamenx nosuch b", "(error) ERR no such key"},
		[2]string{"rename nosuch nosuch", "(error) ERR no such key"},
		[2]string{"set a 1 ex 100", "OK"},
		[2]string{"rename a a", "OK"},
		[2]string{"renamenx a a", "(integer) 0"},
		[2]string{"rename a b", "OK"},
		[2]string{"exists a", "(integer) 0"},
		[2]string{"ttl b", "(integer) 100"},
		[2]string{"set c 2", "OK"},
		[2]string{"renamenx b c", "(integer) 0"},
		[2]string{"renamenx b d", "(integer) 1"},
		[2]string{"rename c d", "OK"},
		[2]string{"get d", `"2"`},
		[2]string{"ttl d", "(integer) -1"},
		[2]string{"rename L d", "OK"},
		[2]string{"llen d", "(integer) 60"},
		[2]string{"rename H S", "OK"},
		[2]string{"hlen S", "(integer) 60"},
		[2]string{"renamenx Z z", "(integer) 1"},
		[2]string{"zcard z", "(integer) 60"},
		[2]string{"dbsize", "(integer) 3"},
	)
}

func TestRenamedKeySurvivesReclaiming(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	d.do("expire", "S", "60")
	d.check(
		[2]string{"rename L l1", "OK"}, [2]string{"rename l1 l2", "OK"},
		[2]string{"rename S s1", "OK"}, [2]string{"persist s1", "(integer) 1"},
		[2]string{"rename H h1", "OK"}, [2]string{"rename h1 H", "OK"},
		[2]string{"expire Z 60", "(integer) 1"}, [2]string{"rename Z z1", "OK"},
	)
	d.clock.advance(time.Hour)
	if _, err := d.e.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(strings.Fields(d.do("lrange", "l2", "0", "-1"))); got != 60 {
		t.Errorf("renamed list has %d elements", got)
	}
	if got := len(strings.Fields(d.do("smembers", "s1"))); got != 60 {
		t.Errorf("renamed set has %d members", got)
	}
	if got := len(strings.Fields(d.do("hgetall", "H"))); got != 120 {
		t.Errorf("hash renamed there and back has %d fields and values", got)
	}
	d.check([2]string{"exists z1", "(integer) 0"}, [2]string{"dbsize", "(integer) 3"})
}

func TestCopy(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	d.check(
		[2]string{"copy nosuch b", "(integer) 0"},
		[2]string{"set a 1 ex 100", "OK"},
		[2]string{"copy a a", "(integer) 0"},
		[2]string{"copy a b", "(integer) 1"},
		[2]string{"get b", `"1"`},
		[2]string{"ttl b", "(integer) 100"},
		[2]string{"set c 2", "OK"},
		[2]string{"copy c b", "(integer) 0"},
		[2]string{"copy c b db 0 replace", "(integer) 1"},
		[2]string{"get b", `"2"`},
		[2]string{"ttl b", "(integer) -1"},
		[2]string{"copy a b db x", "(error) ERR value is not an integer or out of range"},
		[2]string{"copy a b db 1", "(error) ERR DB index is out of range"},
		[2]string{"copy a b db 99999999999", "(error) ERR value is out of range, value must between -2147483648 and 2147483647"},
		[2]string{"copy a b db", "(error) ERR syntax error"},
		[2]string{"copy a b foo", "(error) ERR syntax error"},
	)
	d.do("hset", "h", "f", "v", "g", "w")
	d.check(
		[2]string{"copy h h2", "(integer) 1"},
		[2]string{"hset h2 f changed", "(integer) 0"},
		[2]string{"hget h f", `"v"`},
		[2]string{"hget h2 g", `"w"`},
	)
	for _, key := range []string{"L", "H", "S", "Z"} {
		d.check([2]string{"copy " + key + " " + key + "2", "(integer) 1"})
	}
	read := map[string]string{"L": "lrange %s 0 -1", "H": "hgetall %s", "S": "smembers %s", "Z": "zrange %s 0 -1 withscores"}
	before := map[string]string{}
	for key, line := range read {
		before[key] = d.cmd(fmt.Sprintf(line, key))
		if got := d.cmd(fmt.Sprintf(line, key+"2")); got != before[key] {
			t.Errorf("copy of %s differs: %s", key, got)
		}
		d.check([2]string{"del " + key, "(integer) 1"})
	}
	d.clock.advance(time.Hour)
	if _, err := d.e.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, line := range read {
		if got := d.cmd(fmt.Sprintf(line, key+"2")); got != before[key] {
			t.Errorf("copy of %s is damaged after the original was reclaimed: %s", key, got)
		}
	}
}

func TestCommandsForSeveralDatabases(t *testing.T) {
	d := newTestEngine(t)
	const outOfRange = "(error) ERR DB index is out of range"
	d.check(
		[2]string{"select 0", "OK"},
		[2]string{"select 1", outOfRange},
		[2]string{"select x", "(error) ERR value is not an integer or out of range"},
		[2]string{"move a 0", "(error) ERR source and destination objects are the same"},
		[2]string{"move a 1", outOfRange},
		[2]string{"swapdb 0 0", "OK"},
		[2]string{"swapdb 0 1", outOfRange},
		[2]string{"swapdb x 1", "(error) ERR invalid first DB index"},
		[2]string{"swapdb 0 x", "(error) ERR invalid second DB index"},
	)
}

func TestWait(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"wait 1 100", "(integer) 0"},
		[2]string{"wait x 100", "(error) ERR value is not an integer or out of range"},
		[2]string{"wait 1 x", "(error) ERR timeout is not an integer or out of range"},
		[2]string{"wait 1 -1", "(error) ERR timeout is negative"},
		[2]string{"waitaof 1 0 100", "[(integer) 0 (integer) 0]"},
		[2]string{"waitaof 2 0 100", "(error) ERR value is out of range, must be between 0 and 1"},
		[2]string{"waitaof 0 -1 100", "(error) ERR value is out of range, must be positive"},
	)
}

func TestKeys(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	d.do("mset", "user:1", "a", "user:2", "b", "other", "c", "a*b", "d")
	for _, tt := range []struct {
		pattern string
		want    []string
	}{
		{"*", []string{"H", "L", "S", "Z", "a*b", "other", "user:1", "user:2"}},
		{"user:*", []string{"user:1", "user:2"}},
		{"user:[^1]", []string{"user:2"}},
		{"other", []string{"other"}},
		{`a\*b`, []string{"a*b"}},
		{"nosuch", nil},
		{"nosuch*", nil},
	} {
		if got := words(d.do("keys", tt.pattern)); !slices.Equal(got, tt.want) {
			t.Errorf("KEYS %s: %q, want %q", tt.pattern, got, tt.want)
		}
	}
}

// words are the strings of a rendered array of simple words, sorted.
func words(rendered string) []string {
	ws := strings.Fields(strings.Trim(rendered, "[]"))
	for i, w := range ws {
		ws[i], _ = strconv.Unquote(w)
	}
	slices.Sort(ws)
	if len(ws) == 0 {
		return nil
	}
	return ws
}

// scanAll iterates with SCAN and options and returns what it found, sorted, and the number of calls.
func (d *testDB) scanAll(options string) (found []string, calls int) {
	d.t.Helper()
	cursor := "0"
	for {
		reply := d.cmd("scan " + cursor + " " + options)
		head, list, ok := strings.Cut(strings.TrimPrefix(reply, "["), " ")
		if !ok {
			d.t.Fatalf("SCAN %s: %s", options, reply)
		}
		found = append(found, words(strings.TrimSuffix(list, "]"))...)
		calls++
		if cursor, _ = strconv.Unquote(head); cursor == "0" {
			slices.Sort(found)
			return found, calls
		}
		if calls > 1000 {
			d.t.Fatalf("SCAN %s does not end", options)
		}
	}
}

func TestScan(t *testing.T) {
	d := newTestEngine(t)
	var all []string
	for i := range 50 {
		key := fmt.Sprintf("key%02d", i)
		all = append(all, key)
		d.do("set", key, "v")
	}
	for _, options := range []string{"", "count 1", "count 7", "COUNT 1000000000", "match * count 20", "type string"} {
		got, calls := d.scanAll(options)
		if got = slices.Compact(got); !slices.Equal(got, all) {
			t.Errorf("SCAN %s: %q", options, got)
		}
		if options == "count 1" && calls < 50 {
			t.Errorf("SCAN COUNT 1 took %d calls for 50 keys: COUNT is how many keys are examined", calls)
		}
	}
	if _, calls := d.scanAll(""); calls != 1 {
		t.Errorf("SCAN of 50 keys without COUNT took %d calls", calls)
	}
	d.do("lpush", "list", "x")
	if got, _ := d.scanAll("type LIST"); !slices.Equal(got, []string{"list"}) {
		t.Errorf("SCAN TYPE: %q", got)
	}
	if got, calls := d.scanAll("match key1* count 3"); len(got) != 10 || calls < 10 {
		t.Errorf("SCAN MATCH: %d keys in %d calls", len(got), calls)
	}
	if got, _ := d.scanAll("type nosuch"); len(got) != 0 {
		t.Errorf("SCAN of an unknown type: %q", got)
	}
	d.check(
		[2]string{"scan 0 match list withtype count 100", `["0" ["list" "list"]]`},
		[2]string{"scan x", "(error) ERR invalid cursor"},
		[2]string{"scan -1", "(error) ERR invalid cursor"},
		[2]string{"scan 0 count 0", "(error) ERR syntax error"},
		[2]string{"scan 0 count x", "(error) ERR value is not an integer or out of range"},
		[2]string{"scan 0 match", "(error) ERR syntax error"},
		[2]string{"scan 0 foo", "(error) ERR syntax error"},
		[2]string{"scan", "(error) ERR wrong number of arguments for 'scan' command"},
	)
}

func TestRandomKey(t *testing.T) {
	d := newTestEngine(t)
	d.check([2]string{"randomkey", "(nil)"}, [2]string{"set only 1", "OK"}, [2]string{"randomkey", `"only"`})
}

func TestGenericCommandsInsideTransaction(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"reads see writes", []string{"set a 1", "expire a 10", "ttl a", "rename a b", "exists a b", "type b"}, "OK (integer) 1 (integer) 10 OK (integer) 1 string"},
		{"keyspace shows changes", []string{"del L H S Z b", "set x 1", "keys *", "dbsize", "scan 0", "randomkey"}, `(integer) 5 OK ["x"] (integer) 1 ["0" ["x"]] "x"`},
		{"flush", []string{"set y 1", "flushdb", "dbsize", "set z 1", "keys *"}, `OK OK (integer) 0 OK ["z"]`},
		{"copy of what was changed", []string{"rpush l a b", "copy l m", "rpush m c", "lrange m 0 -1", "lrange l 0 -1"}, `(integer) 2 (integer) 1 (integer) 3 ["a" "b" "c"] ["a" "b"]`},
		{"expiry in the past", []string{"expire l -1", "exists l", "persist m"}, "(integer) 1 (integer) 0 (integer) 0"},
		{"a failing command leaves the rest", []string{"rename nosuch m", "del m", "unlink"}, "(error) ERR no such key (integer) 1 (integer) 0"},
	} {
		got, err := d.multi(tt.lines...)
		if err != nil || got != tt.want {
			t.Errorf("%s: %s (%v), want %s", tt.name, got, err, tt.want)
		}
	}
	d.check([2]string{"keys *", `["z"]`})
}
