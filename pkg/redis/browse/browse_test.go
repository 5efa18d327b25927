package browse_test

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/browse"
	"github.com/skystash/skystash/pkg/redis/cli"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// world is a browser of an empty database with a clock that stands still.
type world struct {
	*testing.T
	*browse.Browser
	engine *redis.Engine
	db     *redis.Database
}

func newWorld(t *testing.T) *world {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := redis.New(redis.Config{Store: st, Now: func() time.Time { return now }})
	db, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return &world{T: t, Browser: browse.New(e, db), engine: e, db: db}
}

// run runs a command and returns its reply as redis-cli shows it.
func (w *world) run(line string) string {
	w.Helper()
	args, err := cli.Split(line)
	if err != nil {
		w.Fatal(err)
	}
	var reply resp.Writer
	if err := w.engine.Do(w.Context(), w.db, redis.Access{}, args, &reply); err != nil {
		w.Fatal(err)
	}
	text, _ := cli.Format(reply.Buf, 1<<20)
	return strings.TrimSuffix(text, "\n")
}

// read reads a key's first page.
func (w *world) read(key string, q browse.ValueQuery) *browse.Value {
	w.Helper()
	if q.Count == 0 {
		q.Count = 100
	}
	if q.MaxText == 0 {
		q.MaxText = 1000
	}
	v, err := w.Value(w.Context(), key, q)
	if err != nil {
		w.Fatalf("reading %q: %v", key, err)
	}
	return v
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) refused(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("got %v, want %v", err, want)
	}
}

// names lists all keys that a query selects, page by page.
func (w *world) names(q browse.KeyQuery) []string {
	w.Helper()
	var out []string
	for {
		page, err := w.Keys(w.Context(), q)
		w.ok(err)
		for _, k := range page.Keys {
			out = append(out, k.Name)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			slices.Sort(out)
			return out
		}
	}
}

func TestKeysAreFoundByNameAndType(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.run(fmt.Sprintf("set user:%d:name x", i))
	}
	w.run("hset user:1 a b")
	w.run(`set "\x00\xff" bin`)
	w.run(`set "odd[key" x`)
	w.run(`set "back\\slash" x`)
	for name, tt := range map[string]struct {
		q    browse.KeyQuery
		want []string
	}{
		"a part of the name":         {browse.KeyQuery{Match: "ser:2:n"}, []string{"user:2:name"}},
		"the name itself, once":      {browse.KeyQuery{Match: "user:1", Type: browse.Hash}, []string{"user:1"}},
		"another type":               {browse.KeyQuery{Match: "user:1", Type: browse.List}, nil},
		"a pattern":                  {browse.KeyQuery{Match: "user:1?:name"}, []string{"user:10:name", "user:11:name", "user:12:name", "user:13:name", "user:14:name", "user:15:name", "user:16:name", "user:17:name", "user:18:name", "user:19:name"}},
		"a name that is no pattern":  {browse.KeyQuery{Match: "odd[key"}, []string{"odd[key"}},
		"backslashes are themselves": {browse.KeyQuery{Match: `back\sl`}, []string{`back\slash`}},
		"bytes":                      {browse.KeyQuery{Match: "\xff"}, []string{"\x00\xff"}},
		"a name too long":            {browse.KeyQuery{Match: strings.Repeat("x", 100_000)}, nil},
	} {
		tt.q.Count = 5
		if got := w.names(tt.q); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if got := len(w.names(browse.KeyQuery{Count: 7})); got != 34 {
		t.Errorf("all pages have %d keys, want 34", got)
	}
	if page, err := w.Keys(t.Context(), browse.KeyQuery{Count: 7}); err != nil || len(page.Keys) < 7 || len(page.Keys) > 20 || page.Next == "" {
		t.Errorf("a page has %d keys, %v", len(page.Keys), err)
	}
	page, err := w.Keys(t.Context(), browse.KeyQuery{Match: "user:1", Count: 5})
	w.ok(err)
	if page.Keys[0].Name != "user:1" || page.Keys[1].Name != "user:10:name" || page.Keys[2].Name != "user:11:name" {
		t.Errorf("the first page is %+v", page.Keys)
	}
	if n, err := w.CountKeys(t.Context()); err != nil || n != 34 {
		t.Errorf("counted %d keys, %v", n, err)
	}
}

func TestKeysAreDescribed(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{
		"set s hello ex 60", "hset h a 1 b 2", "rpush l a b c", "sadd u a", "zadd z 1 a 2 b", "xadd x * f v", `json.set j $ '{"a":1}'`,
	} {
		w.run(line)
	}
	for _, want := range []browse.Key{
		{"s", browse.String, time.Minute, 5}, {"h", browse.Hash, browse.NoExpiry, 2}, {"l", browse.List, browse.NoExpiry, 3},
		{"u", browse.Set, browse.NoExpiry, 1}, {"z", browse.SortedSet, browse.NoExpiry, 2}, {"x", browse.Stream, browse.NoExpiry, 1},
	} {
		if got, err := w.Key(t.Context(), want.Name); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	if got, err := w.Key(t.Context(), "j"); err != nil || got.Type != browse.JSON || got.Size == 0 {
		t.Errorf("document: %+v, %v", got, err)
	}
	_, err := w.Key(t.Context(), "none")
	w.refused(err, browse.ErrNoKey)
}

func TestElementsArePaged(t *testing.T) {
	w := newWorld(t)
	const n = 250
	for i := range n {
		w.run(fmt.Sprintf("rpush l v%03d", i))
		w.run(fmt.Sprintf("zadd z %d v%03d", i, i))
		w.run(fmt.Sprintf("sadd u v%03d", i))
		w.run(fmt.Sprintf("hset h v%03d x", i))
		w.run(fmt.Sprintf("xadd x %d-1 f v%03d", i+1, i))
	}
	for _, tt := range []struct {
		key     string
		reverse bool
		first   string
	}{
		{"l", false, "0"}, {"l", true, "249"}, {"z", false, "v000"}, {"z", true, "v249"},
		{"x", false, "250-1"}, {"x", true, "1-1"}, {"u", false, ""}, {"h", false, ""},
	} {
		q := browse.ValueQuery{Count: 40, Reverse: tt.reverse}
		seen := map[string]bool{}
		for {
			v := w.read(tt.key, q)
			for _, el := range v.Elements {
				seen[el.Name] = true
			}
			if q.Cursor == "" && tt.first != "" && v.Elements[0].Name != tt.first {
				t.Errorf("%s (reverse %v) begins with %s, want %s", tt.key, tt.reverse, v.Elements[0].Name, tt.first)
			}
			if q.Cursor = v.Next; q.Cursor == "" {
				break
			}
		}
		if len(seen) != n {
			t.Errorf("%s (reverse %v): %d elements, want %d", tt.key, tt.reverse, len(seen), n)
		}
	}
	for _, key := range []string{"h", "u", "z"} {
		v := w.read(key, browse.ValueQuery{Match: "v24", Count: 100})
		if len(v.Elements) != 10 {
			t.Errorf("%s: %d elements match, want 10", key, len(v.Elements))
		}
	}
}

func TestTextsAreCutAndReadInFull(t *testing.T) {
	w := newWorld(t)
	w.run("set s " + strings.Repeat("x", 500))
	w.run(`json.set j $ '["` + strings.Repeat("y", 500) + `"]'`)
	w.run(`hset h "\xff" "\x00"`)
	w.run("rpush l a b")
	for key, size := range map[string]int{"s": 500, "j": 504} {
		v := w.read(key, browse.ValueQuery{MaxText: 100})
		if len(v.Text) != 100 || !v.Cut {
			t.Errorf("%s: %d bytes, cut %v", key, len(v.Text), v.Cut)
		}
		if raw, err := w.Raw(t.Context(), key, ""); err != nil || len(raw) != size {
			t.Errorf("%s: %d bytes in full, %v", key, len(raw), err)
		}
	}
	for _, tt := range [][3]string{{"h", "\xff", "\x00"}, {"l", "1", "b"}} {
		if raw, err := w.Raw(t.Context(), tt[0], tt[1]); err != nil || raw != tt[2] {
			t.Errorf("%q: %q, %v", tt, raw, err)
		}
	}
	for _, tt := range [][2]string{{"none", ""}, {"h", "none"}, {"l", "7"}} {
		_, err := w.Raw(t.Context(), tt[0], tt[1])
		w.refused(err, browse.ErrNoKey)
	}
}

// Whoever saves what has changed since it was shown overwrites nothing.
func TestEditsOfWhatHasChangedAreRefused(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, line := range []string{
		"set s old ex 60", `json.set j $ '{"a":1}'`, "hset h f old", "rpush l a b c", "zadd z 1 m",
	} {
		w.run(line)
	}
	element := func(key string, i int) browse.Element { return w.read(key, browse.ValueQuery{}).Elements[i] }
	text := func(key string) browse.Digest { return w.read(key, browse.ValueQuery{}).Digest }
	item := element("l", 1)
	for name, edit := range map[string]func(seen browse.Digest) error{
		"s": func(d browse.Digest) error { return w.SetString(ctx, "s", "new", d) },
		"j": func(d browse.Digest) error { return w.SetJSON(ctx, "j", `{"a":2}`, d) },
		"h": func(d browse.Digest) error { return w.SetField(ctx, "h", "f", "new", d) },
		"l": func(d browse.Digest) error { return w.SetItem(ctx, "l", "1", "new", d) },
		"z": func(d browse.Digest) error { return w.SetScore(ctx, "z", "m", "2.5", d) },
	} {
		w.refused(edit(browse.DigestOf("something else")), browse.ErrChanged)
		seen := text(name)
		if els := w.read(name, browse.ValueQuery{}).Elements; len(els) > 0 {
			seen = els[min(1, len(els)-1)].Digest
		}
		w.ok(edit(seen))
		w.refused(edit(seen), browse.ErrChanged)
	}
	w.refused(w.RemoveItem(ctx, "l", "1", item.Digest), browse.ErrChanged)
	w.ok(w.RemoveItem(ctx, "l", "1", browse.DigestOf("new")))
	w.run("del s")
	w.refused(w.SetString(ctx, "s", "back again", browse.DigestOf("new")), browse.ErrChanged)
	for line, want := range map[string]string{
		"exists s": "(integer) 0", "json.get j": `"{\"a\":2}"`, "hget h f": `"new"`,
		"lrange l 0 -1": "1) \"a\"\n2) \"c\"", "zscore z m": `"2.5"`,
	} {
		if got := w.run(line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// What the browser does leaves nothing of its own in the database.
func TestEditsKeepNoScript(t *testing.T) {
	w := newWorld(t)
	w.ok(w.Create(t.Context(), browse.NewKey{Name: "k", Type: browse.String, Value: "1"}))
	w.ok(w.SetString(t.Context(), "k", "2", browse.DigestOf("1")))
	sum := sha1.Sum([]byte(browse.Guard))
	sha := hex.EncodeToString(sum[:])
	if got := w.run("script exists " + sha); got != "1) (integer) 0" {
		t.Errorf("SCRIPT EXISTS says %s", got)
	}
	if got := w.run("evalsha " + sha + " 0"); !strings.Contains(got, "NOSCRIPT") {
		t.Errorf("EVALSHA says %s", got)
	}
}

func TestStringsKeepTheirTimeToLive(t *testing.T) {
	w := newWorld(t)
	w.run("set s old ex 60")
	w.ok(w.SetString(t.Context(), "s", "new", browse.DigestOf("old")))
	if got := w.run("pttl s"); got != "(integer) 60000" {
		t.Errorf("pttl: %s", got)
	}
}

func TestElementsAreAddedAndRemoved(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, n := range []browse.NewKey{
		{Name: "s", Type: browse.String, Value: "v", TTL: time.Hour}, {Name: "h", Type: browse.Hash, Field: "f", Value: "v"},
		{Name: "l", Type: browse.List, Value: "b"}, {Name: "u", Type: browse.Set, Value: "m"},
		{Name: "z", Type: browse.SortedSet, Value: "m", Score: "2"}, {Name: "x", Type: browse.Stream, Field: "f", Value: "v"},
		{Name: "j", Type: browse.JSON, Value: `{"a":[1]}`},
	} {
		w.ok(w.Create(ctx, n))
		w.refused(w.Create(ctx, n), browse.ErrExists)
	}
	w.refused(w.AddField(ctx, "h", "f", "other"), browse.ErrExists)
	w.ok(w.AddField(ctx, "h", "g", "\xff"))
	w.ok(w.Push(ctx, "l", "a", true))
	w.ok(w.Push(ctx, "l", "c", false))
	w.ok(w.AddMember(ctx, "u", "n"))
	w.refused(w.AddMember(ctx, "u", "n"), browse.ErrExists)
	w.ok(w.AddScored(ctx, "z", "n", "-inf"))
	w.refused(w.AddScored(ctx, "z", "n", "1"), browse.ErrExists)
	w.ok(w.AddEntry(ctx, "x", "9999999999999-1", "a", "1", "b", "2"))
	for _, err := range []error{
		w.AddField(ctx, "s", "f", "v"), w.Push(ctx, "none", "v", true), w.AddMember(ctx, "l", "m"), w.AddScored(ctx, "u", "m", "1"),
		w.AddEntry(ctx, "none", "", "f", "v"), w.Remove(ctx, "none", "m"), w.Remove(ctx, "s", "m"), w.Remove(ctx, "h", "none"),
	} {
		w.refused(err, browse.ErrNoKey)
	}
	if got := w.run("lrange l 0 -1"); got != "1) \"a\"\n2) \"b\"\n3) \"c\"" {
		t.Error(got)
	}
	if got := w.read("x", browse.ValueQuery{}).Elements[0]; got.Name != "9999999999999-1" || len(got.Pairs) != 2 || got.Pairs[1] != [2]string{"b", "2"} {
		t.Errorf("%+v", got)
	}
	for key, element := range map[string]string{"h": "g", "u": "n", "z": "n", "x": "9999999999999-1"} {
		w.ok(w.Remove(ctx, key, element))
		if n := len(w.read(key, browse.ValueQuery{}).Elements); n != 1 {
			t.Errorf("%s has %d elements left", key, n)
		}
	}
	var refused redis.Error
	if err := w.Create(ctx, browse.NewKey{Name: "bad", Type: browse.JSON, Value: "{"}); !errors.As(err, &refused) {
		t.Errorf("a malformed document: %v", err)
	}
	if err := w.Create(ctx, browse.NewKey{Name: "bad", Type: browse.SortedSet, Value: "m", Score: "x"}); !errors.As(err, &refused) {
		t.Errorf("a score that is no number: %v", err)
	}
	if w.run("exists bad") != "(integer) 0" {
		t.Error("a refused key is there")
	}
}

func TestKeysAreRenamedExpiredAndDeleted(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.run("mset a 1 b 2 c 3")
	w.ok(w.Rename(ctx, "a", "a2"))
	w.refused(w.Rename(ctx, "a2", "b"), browse.ErrExists)
	w.refused(w.Rename(ctx, "a", "b2"), browse.ErrNoKey)
	w.ok(w.Expire(ctx, "b", 1500*time.Millisecond))
	if k, _ := w.Key(ctx, "b"); k.TTL != 1500*time.Millisecond {
		t.Errorf("ttl %v", k.TTL)
	}
	w.ok(w.Expire(ctx, "b", browse.NoExpiry))
	if k, _ := w.Key(ctx, "b"); k.TTL != browse.NoExpiry {
		t.Errorf("ttl %v", k.TTL)
	}
	w.refused(w.Expire(ctx, "none", time.Second), browse.ErrNoKey)
	w.refused(w.Expire(ctx, "none", browse.NoExpiry), browse.ErrNoKey)
	w.run("hset h f v")
	w.ok(w.ExpireField(ctx, "h", "f", time.Minute))
	if el := w.read("h", browse.ValueQuery{}).Elements[0]; el.TTL != time.Minute {
		t.Errorf("field's ttl %v", el.TTL)
	}
	w.ok(w.ExpireField(ctx, "h", "f", browse.NoExpiry))
	w.refused(w.ExpireField(ctx, "h", "none", time.Minute), browse.ErrNoKey)
	w.refused(w.ExpireField(ctx, "none", "none", time.Minute), browse.ErrNoKey)
	if n, err := w.Delete(ctx, "a2", "b", "none"); err != nil || n != 2 {
		t.Errorf("deleted %d, %v", n, err)
	}
	var many []string
	for i := range 300 {
		w.run("set k" + strconv.Itoa(i) + " v")
		many = append(many, "k"+strconv.Itoa(i))
	}
	if n, err := w.Delete(ctx, many...); err != nil || n != 300 {
		t.Errorf("deleted %d, %v", n, err)
	}
}
