package rdb

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func decode(t testing.TB, payload string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		t.Fatalf("golden payload: %v", err)
	}
	return string(b)
}

// payload makes a payload of a type byte and value.
func payload(body string) string {
	b := binary.LittleEndian.AppendUint16([]byte(body), versionPlain)
	return string(binary.LittleEndian.AppendUint64(b, checksum(b)))
}

func TestLoadGolden(t *testing.T) {
	for _, tt := range goldens {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Load(decode(t, tt.payload))
			if err != nil {
				t.Fatalf("Load: %v", err)
			}
			if !reflect.DeepEqual(got, tt.value) {
				t.Errorf("got %+v, want %+v", got, tt.value)
			}
		})
	}
}

// Servers wrote these in versions that are hard to come by; Redis 6.2 restores them.
func TestLoadOldTypes(t *testing.T) {
	tests := []struct {
		name, body string
		want       Value
	}{
		{
			"list ziplist", "\x0a\x10\x10\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\xf2\xff",
			Value{Kind: List, List: []string{"a", "1"}},
		},
		{
			"sorted set with scores as text", "\x03\x03\x01a\x031.5\x01b\xff\x01c\xfe",
			Value{Kind: ZSet, ZSet: []Member{{"a", 1.5}, {"b", math.Inf(-1)}, {"c", math.Inf(1)}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Load(payload(tt.body))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// Above 65534 elements, the header does not tell how many.
func TestLoadPackedOfUnknownCount(t *testing.T) {
	const n = 70_000
	want := make([]string, n)
	entries := make([]byte, 0, 2*n)
	for i := range want {
		want[i] = strconv.Itoa(i % 100)
		entries = append(entries, byte(i%100), 1)
	}
	lp := binary.LittleEndian.AppendUint32(nil, uint32(4+2+len(entries)+1))
	lp = append(append(append(lp, 0xff, 0xff), entries...), packedEnd)
	body := appendLen([]byte{typeListQuicklist2, 1, 2}, uint64(len(lp)))
	got, err := Load(payload(string(append(body, lp...))))
	if err != nil || !reflect.DeepEqual(got.List, want) {
		t.Errorf("%d elements, %v, want %d", len(got.List), err, n)
	}
}

func TestDumpRoundTrip(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	tests := []struct {
		name  string
		value Value
	}{
		{"empty string", Value{}},
		{"binary string", Value{String: "\x00\xff\xc3"}},
		{"string of 63 bytes", Value{String: long[:63]}},
		{"string of 64 bytes", Value{String: long[:64]}},
		{"string of 16383 bytes", Value{String: long[:16383]}},
		{"string of 16384 bytes", Value{String: long[:16384]}},
		{"long string", Value{String: long}},
		{"integers", Value{Kind: List, List: []string{
			"0", "-1", "127", "128", "-128", "-129", "32767", "32768", "-32768", "-32769", "2147483647", "2147483648",
			"-2147483648", "-2147483649", "9223372036854775807", "-0", "007", "+1", "1.0", "",
		}}},
		{"list with repetitions", Value{Kind: List, List: []string{"a", "a", "", ""}}},
		{"set", Value{Kind: Set, Set: []string{"b", "", "1"}}},
		{"hash", Value{Kind: Hash, Hash: []Field{{"f", "v", 0}, {"", "", 0}, {"7", "8", 0}}}},
		{"hash with expiring fields", Value{Kind: Hash, Hash: []Field{
			{"a", "1", 1900000000500}, {"b", "2", 0}, {"c", "3", 1900000000000}, {"d", "4", math.MaxInt64},
		}}},
		{"sorted set", Value{Kind: ZSet, ZSet: []Member{
			{"a", 1}, {"b", math.Copysign(0, -1)}, {"c", math.Inf(1)}, {"d", math.Inf(-1)}, {"e", math.SmallestNonzeroFloat64}, {"f", .1},
		}}},
		{"JSON document", Value{Kind: JSON, JSON: `{"a":[1,null,"` + long[:300] + `"]}`}},
		{"JSON document that is an integer", Value{Kind: JSON, JSON: `300`}},
	}
	tests = append(tests, struct {
		name  string
		value Value
	}{"stream", Value{Kind: StreamKind, Stream: testStream()}}, struct {
		name  string
		value Value
	}{"empty stream", Value{Kind: StreamKind, Stream: &Stream{}}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Load(Dump(tt.value))
			if err != nil || !reflect.DeepEqual(got, tt.value) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.value)
			}
		})
	}
}

// Redis 6.2 writes these strings the same way, in the same version.
func TestDumpIsRedisToTheByte(t *testing.T) {
	tests := map[string]string{
		"hello":  "AAVoZWxsbwkAs4COujGyQ7s=",
		"-5":     "AMD7CQCZNpc4g6Bc2Q==",
		"300":    "AMEsAQkARbAwPjEEP6E=",
		"100000": "AMKghgEACQAh1lKcO6nFxQ==",
	}
	for s, want := range tests {
		if got := base64.StdEncoding.EncodeToString([]byte(Dump(Value{String: s}))); got != want {
			t.Errorf("Dump(%q) = %s, want %s", s, got, want)
		}
	}
}

// RedisJSON's id as it is in its snapshots: the name ReJSON-RL in 6 bits each, encoding 3.
func TestDumpOfJSON(t *testing.T) {
	payload := Dump(Value{Kind: JSON, JSON: `{"a":1}`})
	const want = "\x07\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x05\x07{\"a\":1}\x00\x09\x00"
	if got := payload[:len(payload)-8]; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Older versions of RedisJSON left a place for an index.
func TestLoadOldJSON(t *testing.T) {
	head := string(appendLen([]byte{typeModule2}, moduleID(jsonModule, jsonTextIndex))) + "\x05\x02[]"
	for _, tail := range []string{"\x02\x00\x00", "\x02\x01\x05\x01i\x05\x01p\x00"} {
		if v, err := Load(payload(head + tail)); err != nil || v.JSON != "[]" {
			t.Errorf("%q: %+v, %v", tail, v, err)
		}
	}
}

func TestLoadRefusesFooters(t *testing.T) {
	good := Dump(Value{String: "hello"})
	tests := []struct {
		name, payload string
		want          error
	}{
		{"empty", "", ErrChecksum},
		{"shorter than a footer", good[:9], ErrChecksum},
		{"cut short", good[:len(good)-1], ErrVersion}, // a byte of the value is taken for the version's
		{"changed value", strings.Replace(good, "hello", "hallo", 1), ErrChecksum},
		{"changed checksum", good[:len(good)-1] + "\x00", ErrChecksum},
		{"later version", good[:len(good)-10] + "\xff\x00" + good[len(good)-8:], ErrVersion},
		{"footer alone", payload(""), ErrFormat},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v, err := Load(tt.payload); !errors.Is(err, tt.want) {
				t.Errorf("Load = %+v, %v, want %v", v, err, tt.want)
			}
		})
	}
}

func TestLoadRefusesBodies(t *testing.T) {
	tests := []struct{ name, body string }{
		{"unknown type", "\x63\x01a"},
		{"stream cut short", decode(t, goldens[len(goldens)-1].payload)[:20]},
		{"bytes after the value", "\x00\x01ab"},
		{"string cut short", "\x00\x05abc"},
		{"string without length", "\x00"},
		{"string of unknown encoding", "\x00\xc4\x00"},
		{"integer cut short", "\x00\xc2\x01"},
		{"length cut short", "\x00\x40"},
		{"length of unknown form", "\x00\x82\x00\x00\x00\x01a"},
		{"huge string", "\x00\x81\xff\xff\xff\xff\xff\xff\xff\xffa"},
		{"huge compressed string", "\x00\xc3\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xffa"},
		{"compressed string of a wrong length", "\x00\xc3\x02\x05\x00a"},
		{"empty list", "\x01\x00"},
		{"huge list", "\x01\x81\x00\x00\x00\xff\xff\xff\xff\xff\x01a"},
		{"encoding as a count", "\x01\xc0\x01\x01a"},
		{"set with a repeated member", "\x02\x02\x01a\x01a"},
		{"set with an integer repeated as text", "\x02\x02\xc0\x05\x015"},
		{"hash with a repeated field", "\x04\x02\x01a\x01b\x01a\x01c"},
		{"hash without the last value", "\x04\x02\x01a\x01b\x01c"},
		{"sorted set with a repeated member", "\x05\x02\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"score that is not a number", "\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f"},
		{"text score that is not a number", "\x03\x01\x01a\xfd"},
		{"text score that is no number", "\x03\x01\x01a\x03abc"},
		{"expiry out of range", "\x18\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x03\x01a\x01b"},
		{"intset of odd size", "\x0b\x0b\x03\x00\x00\x00\x01\x00\x00\x00abc"},
		{"intset of a wrong count", "\x0b\x0a\x02\x00\x00\x00\x02\x00\x00\x00ab"},
		{"empty intset", "\x0b\x08\x02\x00\x00\x00\x00\x00\x00\x00"},
		{"intset with a repeated member", "\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x01\x00"},
		{"empty listpack", "\x10\x07\x07\x00\x00\x00\x00\x00\xff"},
		{"listpack of a wrong size", "\x14\x09\x0a\x00\x00\x00\x01\x00\x01\x01\xff"},
		{"listpack of a wrong count", "\x14\x09\x09\x00\x00\x00\x02\x00\x01\x01\xff"},
		{"listpack without end", "\x14\x08\x08\x00\x00\x00\x01\x00\x01\x01"},
		{"listpack with bytes after its end", "\x14\x0a\x0a\x00\x00\x00\x01\x00\x01\x01\xff\x00"},
		{"listpack entry of unknown kind", "\x14\x09\x09\x00\x00\x00\x01\x00\xf5\x01\xff"},
		{"listpack entry beyond the end", "\x14\x09\x09\x00\x00\x00\x01\x00\x8f\x01\xff"},
		{"hash listpack of one element", "\x10\x09\x09\x00\x00\x00\x01\x00\x01\x01\xff"},
		{"sorted set listpack with a score that is none", "\x11\x0c\x0c\x00\x00\x00\x02\x00\x01\x01\x81a\x02\xff"},
		{"ziplist of a wrong size", "\x0a\x0e\x0f\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x01a\xff"},
		{"ziplist entry of unknown kind", "\x0a\x0d\x0d\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\xff\xff"},
		{"list node of unknown kind", "\x12\x01\x03\x01a"},
		{"another module", "\x07\x81\x00\x00\x00\x00\x00\x00\x04\x03\x05\x01a\x00"},
		{"JSON document of an unknown encoding", string(appendLen([]byte{typeModule2}, moduleID(jsonModule, 4))) + "\x05\x01a\x00"},
		{"JSON document without end", string(appendLen([]byte{typeModule2}, moduleID(jsonModule, 3))) + "\x05\x01a"},
		{"JSON document that is a number", string(appendLen([]byte{typeModule2}, moduleID(jsonModule, 3))) + "\x02\x01\x00"},
		{"list of empty nodes", "\x12\x01\x02\x07\x07\x00\x00\x00\x00\x00\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := Load(payload(tt.body))
			if !errors.Is(err, ErrFormat) {
				t.Errorf("Load = %+v, %v, want ErrFormat", v, err)
			}
		})
	}
}

// A few bytes must not become gigabytes.
func TestLoadBoundsMemory(t *testing.T) {
	blocks := 600_000 // of LZF, 3 bytes for 264
	lp := "\x01\x00\x00" + strings.Repeat("\xe0\xff\x01", blocks)
	body := appendLen([]byte{typeListQuicklist2, 1, 2, stringLZF}, uint64(len(lp)))
	body = appendLen(body, uint64(2+264*blocks))
	if v, err := Load(payload(string(body) + lp)); !errors.Is(err, ErrFormat) {
		t.Errorf("Load = %d elements, %v, want ErrFormat", len(v.List), err)
	}
	many := appendLen([]byte{typeList}, 3_000_000)
	if v, err := Load(payload(string(many) + strings.Repeat("\x00", 3_000_000))); !errors.Is(err, ErrFormat) {
		t.Errorf("Load = %d elements, %v, want ErrFormat", len(v.List), err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, tt := range goldens {
		payload := decode(f, tt.payload)
		f.Add(payload[:len(payload)-footerLen])
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, err := Load(payload(body))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("Load: %v, want ErrFormat", err)
			}
			return
		}
		back, err := Load(Dump(v))
		if err != nil || !reflect.DeepEqual(back, v) {
			t.Fatalf("%+v came back as %+v, %v", v, back, err)
		}
	})
}

func BenchmarkDump(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Dump(goldens[8].value)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, tt := range goldens {
		payload := decode(b, tt.payload)
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
