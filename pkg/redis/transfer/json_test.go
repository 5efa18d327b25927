package transfer

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// entries are of every type, with text and with other bytes.
func entries() []Entry {
	stream := &rdb.Stream{
		Entries: []rdb.StreamEntry{{ID: rdb.StreamID{Ms: 1, Seq: 2}, Pairs: []string{"f", "v", "g", "w"}}, {ID: rdb.StreamID{Ms: 3}, Pairs: []string{"f", ""}}},
		Last:    rdb.StreamID{Ms: 7}, Removed: rdb.StreamID{Ms: 2}, Added: 9,
		Groups: []rdb.StreamGroup{{
			Name: "g", Last: rdb.StreamID{Ms: 1, Seq: 2}, Read: -1,
			Pending:   []rdb.StreamPending{{ID: rdb.StreamID{Ms: 1, Seq: 2}, Consumer: "c", At: 1767225600000, Count: 3}},
			Consumers: []rdb.StreamConsumer{{Name: "c", Seen: 1767225600001, Active: 1767225600000}, {Name: "idle", Seen: 5, Active: -1}},
		}, {Name: "empty", Read: 4}},
	}
	var all []Entry
	for i, v := range []rdb.Value{
		{Kind: rdb.String, String: "\u2028 \" \\ snow ☃"}, {Kind: rdb.String}, {Kind: rdb.String, String: "\xff\x00"},
		{Kind: rdb.List, List: []string{"a", "", "a"}}, {Kind: rdb.Set, Set: []string{"b", "a"}}, {Kind: rdb.Set, Set: []string{"\xfe", "�"}},
		{Kind: rdb.Hash, Hash: []rdb.Field{{Name: "", Value: "x"}, {Name: "\xff", Value: "y", ExpireAt: 8}, {Name: "\xfe", Value: "z"}}},
		{Kind: rdb.Hash, Hash: []rdb.Field{{Name: "b", Value: "1"}, {Name: "a", Value: "2", ExpireAt: 4102444800000}}},
		{Kind: rdb.ZSet, ZSet: []rdb.Member{{Name: "m", Score: 0.1}, {Name: "n", Score: -1e300}}},
		{Kind: rdb.StreamKind, Stream: stream},
		{Kind: rdb.JSON, JSON: `{"a":[1,2.50,"ü"],"b":null}`},
	} {
		all = append(all, Entry{Key: string(rune('a' + i)), ExpireAt: int64(i) * 1000, Payload: rdb.Dump(v)})
	}
	return all
}

func TestLinesRoundTrip(t *testing.T) {
	var b bytes.Buffer
	w := NewJSONWriter(&b)
	want := entries()
	for _, e := range want {
		if skipped, err := w.Write(e); err != nil || len(skipped) > 0 {
			t.Fatal(skipped, err)
		}
	}
	for _, place := range []string{"", "3"} {
		r, err := NewJSONReader(bytes.NewReader(b.Bytes()), place)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left := want[len(want)-len(batch.Entries):]
		if place == "" && len(left) != len(want) || place == "3" && len(left) != len(want)-3 {
			t.Fatalf("%d entries behind place %q", len(left), place)
		}
		for i, e := range batch.Entries {
			if e != left[i] {
				t.Errorf("%+v becomes %+v", left[i], e)
			}
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
	if !strings.Contains(b.String(), `{"key":"h","type":"hash","expireAt":7000,"value":{"b":"1","a":"2"},"fieldExpireAt":{"a":4102444800000}}`) {
		t.Error(b.String())
	}
}

func TestSame(t *testing.T) {
	of := func(v rdb.Value) Entry { return Entry{Key: "k", Payload: rdb.Dump(v)} }
	set := func(members ...string) Entry { return of(rdb.Value{Kind: rdb.Set, Set: members}) }
	hash := func(at int64) Entry {
		return of(rdb.Value{Kind: rdb.Hash, Hash: []rdb.Field{{Name: "f", Value: "v", ExpireAt: at}}})
	}
	for _, c := range []struct {
		name string
		a, b Entry
		same bool
	}{
		{"order of a set", set("a", "b"), set("b", "a"), true},
		{"another member", set("a", "b"), set("a", "c"), false},
		{"bytes that are no text", set("\xff"), set("\xfe"), false},
		{"expiry of a field", hash(5), hash(6), false},
		{"order of a list", of(rdb.Value{Kind: rdb.List, List: []string{"a", "b"}}), of(rdb.Value{Kind: rdb.List, List: []string{"b", "a"}}), false},
		{"another type", of(rdb.Value{Kind: rdb.List, List: []string{"a"}}), set("a"), false},
		{"white space of a document", of(rdb.Value{Kind: rdb.JSON, JSON: `{ "a": 1 }`}), of(rdb.Value{Kind: rdb.JSON, JSON: `{"a":1}`}), true},
		{"expiry", Entry{Key: "k", Payload: set("a").Payload, ExpireAt: 1}, set("a"), false},
	} {
		if same, err := Same(c.a, c.b); err != nil || same != c.same {
			t.Errorf("%s: %v, %v", c.name, same, err)
		}
	}
}

func TestLinesThatAreNone(t *testing.T) {
	for _, line := range []string{
		`{}`, `[]`, `null`, `{"key":"k","type":"string","value":1}`, `{"key":"k","type":"what","value":"v"}`, `{"key":"k","type":"string"}`,
		`{"key":"k","type":"string","value":"v","ttl":5}`, `{"key":"k","type":"string","value":"v","encoding":"hex"}`,
		`{"key":"k","type":"string","value":"*","encoding":"base64"}`, `{"key":"k","type":"set","value":["a","a"]}`,
		`{"key":"k","type":"hash","value":{"a":"b","a":"c"}}`, `{"key":"k","type":"hash","value":{}}`, `{"key":"k","type":"hash","value":{"a":1}}`,
		`{"key":"k","type":"zset","value":[["a"]]}`, `{"key":"k","type":"zset","value":[["a","nan"]]}`, `{"key":"k","type":"zset","value":[["a",1],["a",2]]}`,
		`{"key":"k","type":"stream","value":{"entries":[["1-1","f"]],"last":"1-1"}}`, `{"key":"k","type":"stream","value":{"last":"x"}}`,
		`{"key":"k","type":"string","value":"v"`, `{"key":"k","type":"string","value":"v"} {}`, `{"key":"k","type":"string","value":"v","expireAt":-1}`,
	} {
		r, err := NewJSONReader(strings.NewReader(line), "")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := r.Next(t.Context()); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s is read as %+v", line, b)
		}
	}
}

// FuzzLine: what can be read can be written, and is then read as the same.
func FuzzLine(f *testing.F) {
	for _, e := range entries() {
		v, err := e.value()
		if err != nil {
			f.Fatal(err)
		}
		line, err := appendLine(nil, e, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := parseLine(line)
		if err != nil {
			return
		}
		v, err := e.value()
		if err != nil {
			return // lines may say what Redis refuses, such as a stream out of order
		}
		again, err := appendLine(nil, e, v)
		if err != nil {
			t.Fatal(err)
		}
		other, err := parseLine(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if same, err := Same(e, other); err != nil || !same {
			t.Fatalf("%s becomes %s: %v", line, again, err)
		}
	})
}
