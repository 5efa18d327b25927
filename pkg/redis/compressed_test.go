package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/ledger"
)

// document is a JSON document of about n bytes, as applications have them.
func document(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString(`{"items":[`)
	for i := 0; b.Len() < n-120; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"customer %d","email":"user%d@example.com","active":%t,"balance":%.2f}`, r.IntN(1e6), r.IntN(1000), r.IntN(1e5), r.IntN(2) == 0, r.Float64()*1000)
	}
	b.WriteString("]}")
	return b.String()
}

// noise are n bytes that do not compress.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

// A JSON text of 10 KB compresses to less than 2.
func TestLongValuesCostLess(t *testing.T) {
	d := newTestEngine(t)
	doc := document(10 << 10)
	big := strings.Repeat("f", 5000) // makes collections spread
	d.do("hset", "h", "big", big)
	d.do("rpush", "l", big, "x", "y")
	d.do("xadd", "s", "1", "f", big)
	for _, tc := range []struct {
		name   string
		writes float64 // units of the write, at most
		write  []string
		reads  float64 // and of the read
		read   []string
		want   string
	}{
		{"a string", 3, []string{"set", "k", doc}, 1, []string{"get", "k"}, strconv.Quote(doc)},
		{"a string that expires", 3, []string{"set", "k", doc, "ex", "100"}, 1, []string{"getrange", "k", "2", "6"}, `"items"`},
		{"a string that keeps its expiry", 3, []string{"set", "k", doc, "keepttl"}, 1, []string{"ttl", "k"}, "(integer) 100"},
		{"one that is the old one", 3, []string{"set", "k", doc, "get"}, 1, []string{"strlen", "k"}, fmt.Sprintf("(integer) %d", len(doc))},
		{"a part", 3, []string{"setrange", "k", "2", "other"}, 1, []string{"getrange", "k", "1", "7"}, strconv.Quote(`"other"`)},
		{"a bit", 3, []string{"setbit", "k", "3", "1"}, 1, []string{"getbit", "k", "3"}, "(integer) 1"},
		{"what is appended", 3, []string{"append", "k", "!"}, 1, []string{"getrange", "k", "-2", "-1"}, `"}!"`},
		{"a JSON document", 3, []string{"json.set", "j", "$", doc}, 1, []string{"json.get", "j", "$.items.length()"}, ""},
		{"a change in one", 3, []string{"json.set", "j", "$.new", "1"}, 1, []string{"json.get", "j", "$.new"}, `"[1]"`},
		{"a field", 6, []string{"hset", "h", "f", doc}, 2, []string{"hget", "h", "f"}, strconv.Quote(doc)},
		{"an element", 6, []string{"rpush", "l", doc}, 4, []string{"lindex", "l", "-1"}, strconv.Quote(doc)},
		{"an entry", 8, []string{"xadd", "s", "2", "f", doc}, 3, []string{"xrange", "s", "2", "2"}, `[["2-0" ["f" ` + strconv.Quote(doc) + "]]]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if u := d.usage(tc.write...); u.WriteUnits > tc.writes || u.WriteUnits == 0 {
				t.Errorf("%s costs %v write units, want at most %v", tc.write[0], u.WriteUnits, tc.writes)
			}
			if tc.want == "" {
				return
			}
			if got := d.do(tc.read...); got != tc.want {
				t.Errorf("%s: got %.200s, want %.200s", tc.read[0], got, tc.want)
			}
			if u := d.usage(tc.read...); u.ReadUnits > tc.reads {
				t.Errorf("%s costs %v read units, want at most %v", tc.read[0], u.ReadUnits, tc.reads)
			}
		})
	}
}

// Commands on a compressed value answer what they answer on one that is not.
func TestCompressedValuesReadAsOthers(t *testing.T) {
	doc := document(6 << 10)
	key := store.Key{}
	for _, typ := range []string{"string", "json"} {
		commands := []string{
			"get k", "strlen k", "getrange k 10 20", "getrange k -5 -1", "getrange k 0 -1", "getrange k 99999 -1", "substr k 0 3", "getbit k 77", "getbit k 999999", "bitcount k", "bitcount k 5 -5", "bitpos k 0",
			"bitfield k get u8 16", "bitfield_ro k get i16 #3", "digest k", "lcs k other len", "object encoding k", "type k", "exists k", "memory usage k", "ttl k", "dump k", "incr k", "incrbyfloat k 1", "hget k f", "json.get k",
			"mget k other k", "eval return{redis.call('get',KEYS[1]),redis.call('strlen',KEYS[1]),redis.call('get',KEYS[1])} 1 k", "sort k", "pfcount k", "expire k 100", "get k", "persist k", "get k", "copy k k2", "get k2", "rename k2 k3",
			"get k3", "set k new nx", "set k new ifeq nothing", "getex k ex 50", "append k x", "setrange k 3 abc", "bitop not k4 k", "get k4", "bitfield k set u8 0 7", "setbit k 100000 1", "get k", "set k small get", "get k",
			"set k 7", "incr k", "getdel k3", "delex k4 ifne x", "dbsize",
		}
		if typ == "json" {
			commands = []string{
				"json.get k", "json.get k $.items[0].name", "json.type k $.items", "json.arrlen k $.items", "json.objkeys k", "json.mget k other $.items[1].id", "json.debug memory k", "type k", "get k", "object encoding k", "dump k", "memory usage k",
				"expire k 100", "json.get k $", "copy k k2", "json.get k2", "rename k2 k3", "json.get k3", "json.numincrby k $.items[0].id 1", "json.get k", "json.del k $.items[0]", "json.get k", "json.merge k $ {\"x\":1}", "json.get k",
				"json.set k $ 5", "json.get k", "json.set k3 $ 1 nx", "json.del k3", "dbsize",
			}
		}
		plain, packed := newTestEngineOn(t, newLedger(t)), newTestEngineOn(t, newLedger(t))
		for _, d := range []*testDB{plain, packed} {
			d.do("set", "other", strings.Repeat("name customer ", 300))
			if typ == "json" {
				d.do("json.set", "k", "$", doc)
			} else {
				d.do("set", "k", doc)
			}
		}
		for _, k := range plain.st.(*ledger.Store).Keys() {
			if strings.HasSuffix(k.Sort, "k") && k.Partition[0] == 'k' {
				key = k
			}
		}
		// As an older build has written it.
		head, err := plain.st.Get(context.Background(), key)
		if err != nil || !head.Has("r") || head.Size() > 3<<10 {
			t.Fatalf("the head has %d bytes, error %v", head.Size(), err)
		}
		old := head.With("r", store.Value{}).With("v", store.Bytes(doc))
		if _, err := plain.st.Apply(context.Background(), store.Put(key, old, nil)); err != nil {
			t.Fatal(err)
		}
		for _, line := range commands {
			args := strings.Fields(line)
			got, want := packed.do(args...), plain.do(args...)
			if got != want {
				t.Errorf("%s, %s: got %.300s, want %.300s", typ, line, got, want)
			}
		}
		got, err1 := packed.multi("set k "+strings.Repeat("ab", 2000), "append k c", "strlen k", "getrange k 3998 4005", "copy k m", "get m")
		want, err2 := plain.multi("set k "+strings.Repeat("ab", 2000), "append k c", "strlen k", "getrange k 3998 4005", "copy k m", "get m")
		if got != want || err1 != nil || err2 != nil {
			t.Errorf("a transaction: got %.300s, want %.300s, errors %v and %v", got, want, err1, err2)
		}
	}
}

// A string of several chunks is compressed chunk by chunk, so that a part of it is read alone.
func TestCompressedChunks(t *testing.T) {
	d := newTestEngine(t)
	text := document(2 << 20)
	if u := d.usage("set", "k", text); u.WriteUnits > 900 {
		t.Errorf("%d bytes cost %v write units", len(text), u.WriteUnits)
	}
	if got := d.do("get", "k"); got != strconv.Quote(text) {
		t.Errorf("it has come back as %d bytes", len(got))
	}
	for _, at := range []int{0, 350<<10 - 3, 1 << 20, len(text) - 10} {
		args := []string{"getrange", "k", fmt.Sprint(at), fmt.Sprint(at + 9)}
		if got := d.do(args...); got != strconv.Quote(text[at:at+10]) {
			t.Errorf("%q: got %s", args, got)
		}
		if u := d.usage(args...); u.ReadUnits > 60 {
			t.Errorf("%q costs %v read units", args, u.ReadUnits)
		}
	}
	if u := d.usage("strlen", "k"); u.ReadUnits > 1 {
		t.Errorf("STRLEN costs %v read units", u.ReadUnits)
	}
}

// Elements of collections: those that are moved, copied and expired are not changed.
func TestCompressedElements(t *testing.T) {
	d := newTestEngine(t)
	doc, other := document(5<<10), document(3<<10)
	long := strings.Repeat("long ", 1000)
	d.do("hset", "h", "doc", doc, "other", other, "long", long, "short", "x")
	d.do("rpush", "l", doc, other, long, "x")
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"hstrlen", "h", "doc"}, fmt.Sprintf("(integer) %d", len(doc))},
		{[]string{"hexpire", "h", "100", "fields", "1", "doc"}, "[(integer) 1]"},
		{[]string{"hget", "h", "doc"}, strconv.Quote(doc)},
		{[]string{"hpersist", "h", "fields", "1", "doc"}, "[(integer) 1]"},
		{[]string{"hmget", "h", "other", "doc", "none", "doc"}, "[" + strconv.Quote(other) + " " + strconv.Quote(doc) + " (nil) " + strconv.Quote(doc) + "]"},
		{[]string{"hdel", "h", "long", "short", "none"}, "(integer) 2"},
		{[]string{"copy", "h", "h2"}, "(integer) 1"},
		{[]string{"hdel", "h2", "doc"}, "(integer) 1"},
		{[]string{"hgetall", "h2"}, `["other" ` + strconv.Quote(other) + "]"},
		{[]string{"copy", "h2", "h3"}, "(integer) 1"}, // which is inline
		{[]string{"hset", "h3", "f", "v"}, "(integer) 1"},
		{[]string{"hget", "h3", "other"}, strconv.Quote(other)},
		{[]string{"hincrby", "h", "doc", "1"}, "(error) ERR hash value is not an integer"},
		{[]string{"eval", "local n = 0 for i = 1, 500 do n = n + #redis.call('hget', 'h', 'doc') end return n / 500", "0"}, fmt.Sprintf("(integer) %d", len(doc))},
		{[]string{"lpos", "l", other}, "(integer) 1"},
		{[]string{"linsert", "l", "before", other, "y"}, "(integer) 5"},
		{[]string{"lrange", "l", "0", "-1"}, "[" + strconv.Quote(doc) + ` "y" ` + strconv.Quote(other) + " " + strconv.Quote(long) + ` "x"]`},
		{[]string{"lmove", "l", "l2", "left", "right"}, strconv.Quote(doc)},
		{[]string{"lindex", "l2", "0"}, strconv.Quote(doc)},
		{[]string{"lset", "l", "0", long}, "OK"},
		{[]string{"lrem", "l", "0", long}, "(integer) 2"},
		{[]string{"lrange", "l", "0", "-1"}, "[" + strconv.Quote(other) + ` "x"]`},
	} {
		if got := d.do(step.args...); got != step.want {
			t.Errorf("%.100q: got %.200s, want %.200s", step.args, got, step.want)
		}
	}
	for _, key := range []string{"h", "l"} {
		dumped := d.raw("dump", key)
		payload := string(dumped[strings.IndexByte(string(dumped), '\n')+1 : len(dumped)-2])
		if got := d.do("restore", key+" again", "0", payload); got != "OK" {
			t.Fatalf("RESTORE: %s", got)
		}
	}
	if got, want := d.do("hgetall", "h again"), d.do("hgetall", "h"); got != want {
		t.Errorf("restored: %.200s, want %.200s", got, want)
	}
	if got, want := d.do("lrange", "l again", "0", "-1"), d.do("lrange", "l", "0", "-1"); got != want {
		t.Errorf("restored: %.200s, want %.200s", got, want)
	}
}

// A compressed value that is damaged is an error of the commands that need it, and of no others.
func TestDamagedCompressedValue(t *testing.T) {
	st := newLedger(t)
	d := newTestEngineOn(t, st)
	d.do("hset", "h", "f", document(5<<10), "g", "v", "h", strings.Repeat("x", 4096))
	d.do("set", "s", document(5<<10))
	n := 0
	for _, k := range st.Keys() {
		as, err := st.Get(context.Background(), k)
		if err != nil {
			t.Fatal(err)
		}
		if v := as.Get("r"); !v.IsZero() && k.Partition[0] != 'd' {
			n++
			b := []byte(v.Str())
			b[len(b)/2] ^= 0xff
			if _, err := st.Apply(context.Background(), store.Put(k, as.With("r", store.Bytes(string(b))), nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n < 3 {
		t.Fatalf("%d values are compressed", n)
	}
	for _, tc := range [][2]string{
		{"get s", "fails"}, {"append s x", "fails"}, {"getrange s 0 5", "fails"}, {"set s x ifeq y", "fails"}, {"strlen s", "(integer) " + fmt.Sprint(len(document(5<<10)))}, {"exists s", "(integer) 1"}, {"type s", "string"},
		{"expire s 100", "(integer) 1"}, {"hget h f", "fails"}, {"hgetall h", "fails"}, {"hget h g", `"v"`}, {"hlen h", "(integer) 3"}, {"hkeys h", ""}, {"hdel h f", "(integer) 1"}, {"hexists h f", "(integer) 0"},
		{"getdel s", `(error) ERR internal error`}, {"exists s", "(integer) 0"},
	} {
		var w resp.Writer
		err := d.e.Do(context.Background(), d.database(), redis.Access{}, strings.Fields(tc[0]), &w)
		switch {
		case tc[1] == "fails":
			if err == nil || len(w.Buf) > 0 {
				t.Errorf("%s: %.100q", tc[0], w.Buf)
			}
		case err != nil:
			t.Errorf("%s: %v", tc[0], err)
		case tc[1] != "" && render(t, w.Buf) != tc[1]:
			t.Errorf("%s: got %.100s, want %s", tc[0], render(t, w.Buf), tc[1])
		}
	}
}

// What takes little room in the store, and much when it is read, is counted when it is read.
func TestCompressedValuesAreBounded(t *testing.T) {
	d := newBoundedEngine(t, smallBudget)
	zeros := strings.Repeat("0", 300<<10)
	for i := range 50 { // 15 MB, which take 5 KB
		d.do("hset", "h", fmt.Sprint("f", i), zeros)
		d.do("rpush", "l", zeros)
		d.do("set", fmt.Sprint("k", i), zeros)
		d.do("xadd", "s", "*", "f", zeros+fmt.Sprint(i))
	}
	fields := func(n int) []string { return each(n, func(i int) []string { return []string{fmt.Sprint("f", i)} }) }
	keys := each(50, func(i int) []string { return []string{fmt.Sprint("k", i)} })
	for _, args := range [][]string{
		append([]string{"hmget", "h"}, fields(50)...), {"hgetall", "h"}, {"hvals", "h"}, {"hscan", "h", "0", "count", "1000"}, {"hrandfield", "h", "40", "withvalues"}, {"hrandfield", "h", "-1000", "withvalues"}, {"dump", "h"},
		{"lrange", "l", "0", "-1"}, {"lpos", "l", "x"}, {"dump", "l"}, {"linsert", "l", "before", "none", "x"}, {"sort", "l", "alpha"}, {"ltrim", "l", "10", "20"}, append([]string{"mget"}, keys...), append([]string{"bitop", "or", "made"}, keys...),
		{"xrange", "s", "-", "+"}, {"xrevrange", "s", "+", "-"}, {"xread", "count", "100", "streams", "s", "0"}, {"dump", "s"}, {"copy", "h", "h2"}, {"copy", "l", "l2"}, {"copy", "s", "s2"},
		{"eval", "for i = 0, 49 do redis.call('get', 'k' .. i) end", "0"}, {"eval", "for i = 1, 1000 do redis.call('hvals', 'h') end", "0"}, {"eval", "for i = 1, 1000 do redis.call('hget', 'h', 'f' .. i % 50) end", "0"},
		{"eval", "for i = 1, 1000 do redis.call('lrange', 'l', 0, -1) end", "0"}, {"eval", "for i = 1, 1000 do redis.call('lindex', 'l', i % 50) end", "0"}, {"eval", "for i = 1, 300 do redis.call('xrange', 's', '-', '+') end", "0"},
	} {
		var w resp.Writer
		var err error
		used := allocated(func() { err = d.e.Do(context.Background(), d.database(), redis.Access{}, args, &w) })
		if err != nil {
			t.Errorf("%.80q: %v", args, err)
		}
		if used > 100<<20 {
			t.Errorf("%.80q: takes %d MiB, reply %.100q", args, used>>20, w.Buf)
		}
	}
	// These need no values.
	d.check([2]string{"hlen h", "(integer) 50"}, [2]string{"llen l", "(integer) 11"}, [2]string{"xlen s", "(integer) 50"}, [2]string{"hstrlen h f7", "(integer) 307200"}, [2]string{"strlen k7", "(integer) 307200"})
	if units, err := d.e.Counted(context.Background(), d.database(), [][]string{{"hkeys", "h"}}, new(resp.Writer)); err != nil || units > 1_000_000 {
		t.Errorf("HKEYS: %d units, error %v", units, err)
	}
}
