package redis_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"
)

// bothEncodings runs a test twice: with values as they are, and with those that the test hands to
// spread turned into the encoding of large ones.
func bothEncodings(t *testing.T, test func(t *testing.T, d *testDB, spread func(keys ...string))) {
	t.Helper()
	t.Run("inline", func(t *testing.T) {
		test(t, newTestEngine(t), func(...string) {})
	})
	t.Run("spread", func(t *testing.T) {
		d := newTestEngine(t)
		test(t, d, d.spreadOut)
	})
}

// spreadOut makes hashes, sets and sorted sets so large that they are spread, and takes the
// ballast away again, which leaves them so.
func (d *testDB) spreadOut(keys ...string) {
	d.t.Helper()
	for _, key := range keys {
		var add, remove []string
		switch typ := d.do("type", key); typ {
		case "hash":
			add, remove = []string{"hset", key}, []string{"hdel", key}
		case "set":
			add, remove = []string{"sadd", key}, []string{"srem", key}
		case "zset":
			add, remove = []string{"zadd", key}, []string{"zrem", key}
		case "stream":
			d.spreadStream(key)
			continue
		default:
			d.t.Fatalf("%s is of type %s", key, typ)
		}
		for i := range 50 {
			name := fmt.Sprintf("ballast %d %s", i, strings.Repeat("b", 100))
			remove = append(remove, name)
			switch add[0] {
			case "hset":
				add = append(add, name, "v")
			case "sadd":
				add = append(add, name)
			case "zadd":
				add = append(add, "1", name)
			}
		}
		for _, args := range [][]string{add, remove} {
			if got := d.do(args...); got != "(integer) 50" {
				d.t.Fatalf("%s %s: %s", args[0], key, got)
			}
		}
	}
}

// spreadStream is spreadOut for a stream that has had no entries yet.
func (d *testDB) spreadStream(key string) {
	d.t.Helper()
	d.do("xadd", key, "0-1", "ballast", strings.Repeat("b", 5000))
	d.check(
		[2]string{"xtrim " + key + " maxlen 0", "(integer) 1"},
		[2]string{"xsetid " + key + " 0-0 entriesadded 0", "OK"},
	)
}

// sorted runs a command line and sorts the n-tuples of its reply.
func (d *testDB) sorted(n int, line string) string {
	d.t.Helper()
	got := d.cmd(line)
	words := strings.Fields(strings.Trim(got, "[]"))
	if len(words)%n != 0 {
		d.t.Fatalf("%s: %s", line, got)
	}
	var tuples []string
	for ; len(words) > 0; words = words[n:] {
		tuples = append(tuples, strings.Join(words[:n], " "))
	}
	sort.Strings(tuples)
	return "[" + strings.Join(tuples, " ") + "]"
}

// costs checks how many store calls commands take.
func (d *testDB) costs(calls int, lines ...string) {
	d.t.Helper()
	for _, l := range lines {
		if got := d.usage(strings.Fields(l)...).Calls; got != calls {
			d.t.Errorf("%s: %d store calls, want %d", l, got, calls)
		}
	}
}
