package resp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// encode writes a value of the kinds that Decode returns.
func encode(w *Writer, v any) {
	switch v := v.(type) {
	case nil:
		w.Null()
	case Simple:
		w.Simple(string(v))
	case Error:
		w.Error(string(v))
	case string:
		w.Bulk(v)
	case int64:
		w.Int(v)
	case int:
		w.Int(int64(v))
	case float64:
		w.Double(v)
	case bool:
		w.Bool(v)
	case []any:
		if v == nil {
			w.NullArray()
			return
		}
		w.Array(len(v))
		encodeAll(w, v)
	case Map:
		w.Map(len(v) / 2)
		encodeAll(w, v)
	case Set:
		w.Set(len(v))
		encodeAll(w, v)
	case Pairs:
		w.Pairs(len(v) / 2)
		encodeAll(w, v)
	case Rows:
		w.Rows(len(v))
		encodeAll(w, v)
	case Text:
		w.Verbatim(string(v))
	case Push:
		w.Push(len(v))
		encodeAll(w, v)
	default:
		panic(fmt.Sprintf("encode: %T", v))
	}
}

func encodeAll(w *Writer, vs []any) {
	for _, v := range vs {
		encode(w, v)
	}
}

func encoded(v any) []byte {
	var w Writer
	encode(&w, v)
	return w.Buf
}

// nested is an array in an array ..., with the given depth.
func nested(depth int) []byte {
	return append(bytes.Repeat([]byte("*1\r\n"), depth), "+x\r\n"...)
}

func TestConversions(t *testing.T) {
	for _, tc := range []struct {
		name   string
		reply  any
		resp2  string
		json   string
		base64 string
	}{
		{"null", nil, "$-1\r\n", `null`, `null`},
		{"null array", []any(nil), "*-1\r\n", `null`, `null`},
		{"OK alone stays plain in base64", Simple("OK"), "+OK\r\n", `"OK"`, `"OK"`},
		{"other simple string", Simple("PONG"), "+PONG\r\n", `"PONG"`, `"UE9ORw=="`},
		{"stored OK is a value", "OK", "$2\r\nOK\r\n", `"OK"`, `"T0s="`},
		{"OK within an array is encoded", []any{Simple("OK")}, "*1\r\n+OK\r\n", `["OK"]`, `["T0s="]`},
		{"OK deeper is encoded", []any{[]any{Simple("OK"), "OK"}}, "*1\r\n*2\r\n+OK\r\n$2\r\nOK\r\n", `[["OK","OK"]]`, `[["T0s=","T0s="]]`},
		{"empty string", "", "$0\r\n\r\n", `""`, `""`},
		{"integer", int64(42), ":42\r\n", `42`, `42`},
		{"negative integer", int64(-1), ":-1\r\n", `-1`, `-1`},
		{"largest integer has all its digits", int64(math.MaxInt64), ":9223372036854775807\r\n", `9223372036854775807`, `9223372036854775807`},
		{"smallest integer", int64(math.MinInt64), ":-9223372036854775808\r\n", `-9223372036854775808`, `-9223372036854775808`},
		{"push", Push{"message", "c", "v"}, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nv\r\n", `["message","c","v"]`, `["bWVzc2FnZQ==","Yw==","dg=="]`},
		{"double is a string", 99.5, "$4\r\n99.5\r\n", `"99.5"`, `"OTkuNQ=="`},
		{"infinity", math.Inf(-1), "$4\r\n-inf\r\n", `"-inf"`, `"LWluZg=="`},
		{"true", true, ":1\r\n", `1`, `1`},
		{"false", false, ":0\r\n", `0`, `0`},
		{"map is flat", Map{"f", "v", "g", int64(1)}, "*4\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\ng\r\n:1\r\n", `["f","v","g",1]`, `["Zg==","dg==","Zw==",1]`},
		{"empty map", Map{}, "*0\r\n", `[]`, `[]`},
		{"set is an array", Set{"a", "b"}, "*2\r\n$1\r\na\r\n$1\r\nb\r\n", `["a","b"]`, `["YQ==","Yg=="]`},
		{"empty array", []any{}, "*0\r\n", `[]`, `[]`},
		{"pairs are flat", Pairs{"a", 1.5, "b", 2.0}, "*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\nb\r\n$1\r\n2\r\n", `["a","1.5","b","2"]`, `["YQ==","MS41","Yg==","Mg=="]`},
		{"rows are arrays", Rows{[]any{"s", []any{}}}, "*1\r\n*2\r\n$1\r\ns\r\n*0\r\n", `[["s",[]]]`, `[["cw==",[]]]`},
		{"a text for people", Text("a: 1\r\n"), "$6\r\na: 1\r\n\r\n", `"a: 1\r\n"`, `"YTogMQ0K"`},
		{"nulls within", []any{nil, []any(nil), "a"}, "*3\r\n$-1\r\n*-1\r\n$1\r\na\r\n", `[null,null,"a"]`, `[null,null,"YQ=="]`},
		{"error within an array", []any{Error("ERR x"), int64(1)}, "*2\r\n-ERR x\r\n:1\r\n", `["ERR x",1]`, `["RVJSIHg=",1]`},
		{"mixed nesting", []any{Map{"k", []any{true, 1.5}}, Set{nil}}, "*2\r\n*2\r\n$1\r\nk\r\n*2\r\n:1\r\n$3\r\n1.5\r\n*1\r\n$-1\r\n", `[["k",[1,"1.5"]],[null]]`, `[["aw==",[1,"MS41"]],[null]]`},
		{"bytes that are not UTF-8", "a\xff\xc3(z", "$5\r\na\xff\xc3(z\r\n", "\"a\uFFFD\uFFFD(z\"", `"Yf/DKHo="`},
		{"an encoded surrogate is not UTF-8", "\xed\xa0\x80", "$3\r\n\xed\xa0\x80\r\n", "\"\uFFFD\uFFFD\uFFFD\"", `"7aCA"`},
		{"U+FFFD itself stays", "\uFFFD", "$3\r\n\uFFFD\r\n", "\"\uFFFD\"", `"77+9"`},
		{"cut off at the end", "12345678\xe2\x82", "$10\r\n12345678\xe2\x82\r\n", "\"12345678\uFFFD\uFFFD\"", `"MTIzNDU2Nzjigg=="`},
		{"escapes", "\x00\x1f\"\\/\b\f\n\r\t\x7f", "$11\r\n\x00\x1f\"\\/\b\f\n\r\t\x7f\r\n", `"\u0000\u001f\"\\/\u0008\u000c\n\r\t` + "\x7f\"", `"AB8iXC8IDAoNCX8="`},
		{"markup is not escaped", "<a&b>\u2028", "$8\r\n<a&b>\u2028\r\n", "\"<a&b>\u2028\"", `"PGEmYj7igKg="`},
		{"four-byte runes", "né 😀", "$8\r\nné 😀\r\n", `"né 😀"`, `"bsOpIPCfmIA="`},
		{"line breaks in a bulk string", "\r\n$3\r\n", "$6\r\n\r\n$3\r\n\r\n", `"\r\n$3\r\n"`, `"DQokMw0K"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reply := encoded(tc.reply)
			if err := Check(reply); err != nil {
				t.Fatalf("Check: %v", err)
			}
			got, err := AppendRESP2([]byte("before "), reply)
			if err != nil || string(got) != "before "+tc.resp2 {
				t.Errorf("AppendRESP2: %q, %v; want %q", got, err, "before "+tc.resp2)
			}
			got, err = AppendJSON([]byte("before "), reply, JSONOptions{})
			if err != nil || string(got) != "before "+tc.json {
				t.Errorf("AppendJSON: %s, %v; want %s", got, err, "before "+tc.json)
			}
			got, err = AppendJSON([]byte("before "), reply, JSONOptions{Base64: true})
			if err != nil || string(got) != "before "+tc.base64 {
				t.Errorf("AppendJSON base64: %s, %v; want %s", got, err, "before "+tc.base64)
			}
			v, err := Decode(reply)
			if err != nil || !reflect.DeepEqual(v, tc.reply) {
				t.Errorf("Decode: %#v, %v; want %#v", v, err, tc.reply)
			}
		})
	}
}

func TestReadersRefuseWhatAWriterNeverWrites(t *testing.T) {
	for name, reply := range map[string]string{
		"nothing":                      "",
		"unknown type":                 "?x\r\n",
		"line without end":             "+OK",
		"line with LF only":            "+OK\n",
		"CR within a line":             "+O\rK\r\n",
		"integer without digits":       ":\r\n",
		"integer with plus":            ":+1\r\n",
		"integer with leading zero":    ":01\r\n",
		"negative zero":                ":-0\r\n",
		"integer with blank":           ": 1\r\n",
		"integer too large":            ":9223372036854775808\r\n",
		"integer too small":            ":-9223372036854775809\r\n",
		"integer of 20 digits":         ":18446744073709551616\r\n",
		"integer cut off":              ":12\r",
		"bulk without length":          "$\r\n\r\n",
		"negative bulk length":         "$-1\r\n",
		"bulk length leading zero":     "$01\r\na\r\n",
		"bulk length too large":        "$99999999999999999999\r\na\r\n",
		"bulk cut off":                 "$3\r\nab\r\n",
		"bulk length too short":        "$1\r\nab\r\n",
		"bulk without end":             "$1\r\na",
		"array cut off":                "*2\r\n+a\r\n",
		"array promising far too much": "*1000000000\r\n+a\r\n",
		"null array of RESP2":          "*-1\r\n",
		"map with a key only":          "%1\r\n+a\r\n",
		"map promising too much":       "%4611686018427387904\r\n",
		"null with text":               "_x\r\n",
		"bool other than t and f":      "#x\r\n",
		"empty bool":                   "#\r\n",
		"double without digits":        ",\r\n",
		"double with plus":             ",+1\r\n",
		"double with hex":              ",0x1p-2\r\n",
		"double with bare exponent":    ",1e5\r\n",
		"double ending in point":       ",1.\r\n",
		"negative nan":                 ",-nan\r\n",
		"two replies":                  "+a\r\n+b\r\n",
		"trailing byte":                ":1\r\n ",
	} {
		t.Run(name, func(t *testing.T) {
			b := []byte(reply)
			if err := Check(b); !errors.Is(err, ErrMalformed) {
				t.Errorf("Check: %v", err)
			}
			for how, got := range map[string]func() ([]byte, error){
				"AppendRESP2": func() ([]byte, error) { return AppendRESP2([]byte("x"), b) },
				"AppendJSON":  func() ([]byte, error) { return AppendJSON([]byte("x"), b, JSONOptions{}) },
			} {
				if out, err := got(); !errors.Is(err, ErrMalformed) || string(out) != "x" {
					t.Errorf("%s: %q, %v; want the buffer as it was and ErrMalformed", how, out, err)
				}
			}
			if v, err := Decode(b); !errors.Is(err, ErrMalformed) {
				t.Errorf("Decode: %v, %v", v, err)
			}
		})
	}
}

func TestNestingIsLimited(t *testing.T) {
	if err := Check(nested(MaxDepth)); err != nil {
		t.Errorf("depth %d: %v", MaxDepth, err)
	}
	deep := nested(MaxDepth + 1)
	if err := Check(deep); !errors.Is(err, ErrMalformed) {
		t.Errorf("Check of depth %d: %v", MaxDepth+1, err)
	}
	if _, err := AppendJSON(nil, deep, JSONOptions{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("AppendJSON of depth %d: %v", MaxDepth+1, err)
	}
	if _, err := AppendRESP2(nil, deep); !errors.Is(err, ErrMalformed) {
		t.Errorf("AppendRESP2 of depth %d: %v", MaxDepth+1, err)
	}
	if _, err := Decode(deep); !errors.Is(err, ErrMalformed) {
		t.Errorf("Decode of depth %d: %v", MaxDepth+1, err)
	}
}

func TestCutSplitsReplies(t *testing.T) {
	replies := []any{Simple("OK"), []any{"a", Map{"k", nil}}, int64(7), Error("ERR no"), Set{}}
	var w Writer
	encodeAll(&w, replies)
	rest := w.Buf
	for i, want := range replies {
		var reply []byte
		var err error
		reply, rest, err = Cut(rest)
		if err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
		if !bytes.Equal(reply, encoded(want)) {
			t.Errorf("reply %d: %q, want %q", i, reply, encoded(want))
		}
	}
	if len(rest) != 0 {
		t.Errorf("%q is left", rest)
	}
	if _, _, err := Cut(rest); !errors.Is(err, ErrMalformed) {
		t.Errorf("Cut of nothing: %v", err)
	}
}

func TestKindsOfReplies(t *testing.T) {
	for _, tc := range []struct {
		reply                       any
		isError, isNull, ok, isAggr bool
	}{
		{reply: Error("ERR x"), isError: true},
		{reply: nil, isNull: true},
		{reply: []any(nil), isNull: true},
		{reply: Simple("OK"), ok: true},
		{reply: Simple("OKAY")},
		{reply: "OK"},
		{reply: int64(1)},
		{reply: []any{Error("ERR x")}, isAggr: true},
		{reply: Map{}, isAggr: true},
		{reply: Set{}, isAggr: true},
	} {
		b := encoded(tc.reply)
		if IsError(b) != tc.isError || IsNull(b) != tc.isNull || IsOK(b) != tc.ok || IsAggregate(b) != tc.isAggr {
			t.Errorf("%q: error %v, null %v, OK %v, aggregate %v", b, IsError(b), IsNull(b), IsOK(b), IsAggregate(b))
		}
	}
	if text, ok := ErrorText(encoded(Error("WRONGTYPE no"))); !ok || text != "WRONGTYPE no" {
		t.Errorf("ErrorText: %q, %v", text, ok)
	}
	if text, ok := ErrorText(encoded("ERR")); ok {
		t.Errorf("ErrorText of a bulk string: %q", text)
	}
	if IsError(nil) || IsNull(nil) || IsAggregate(nil) {
		t.Error("no reply is of some kind")
	}
}

func TestWriterKeepsTextsOnOneLine(t *testing.T) {
	var w Writer
	w.Array(2)
	w.Simple("a\r\nb")
	w.Error("ERR c\nd")
	v, err := Decode(w.Buf)
	want := []any{Simple("a  b"), Error("ERR c d")}
	if err != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("%#v, %v; want %#v", v, err, want)
	}
}

func TestWriterInsertsHeads(t *testing.T) {
	var w Writer
	w.OK()
	outer := w.Mark()
	w.Bulk("k")
	inner := w.Mark()
	for i := range 12 {
		w.Int(int64(i))
	}
	w.ArrayAt(inner, 12)
	w.MapAt(outer, 1)
	_, rest, err := Cut(w.Buf)
	if err != nil {
		t.Fatal(err)
	}
	got, err := AppendJSON(nil, rest, JSONOptions{})
	if want := `["k",[0,1,2,3,4,5,6,7,8,9,10,11]]`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

// resp2OfRESP3 is the plain meaning of AppendRESP2, by way of the decoder.
func resp2OfRESP3(w *Writer, v any) {
	list := func(vs []any) {
		w.Array(len(vs))
		for _, v := range vs {
			resp2OfRESP3(w, v)
		}
	}
	switch v := v.(type) {
	case nil:
		w.Buf = append(w.Buf, "$-1\r\n"...)
	case float64:
		w.Bulk(FormatDouble(v))
	case bool:
		w.IntBool(v)
	case Map:
		list(v)
	case Set:
		list(v)
	case Pairs:
		list(v)
	case Rows:
		list(v)
	case Push:
		list(v)
	case Text:
		w.Bulk(string(v))
	case []any:
		if v == nil {
			w.Buf = append(w.Buf, "*-1\r\n"...)
			return
		}
		list(v)
	default:
		encode(w, v)
	}
}

func FuzzReaders(f *testing.F) {
	for _, v := range []any{nil, []any(nil), Simple("OK"), Error("ERR x"), "a\xff\"", int64(-5), 1.5, true,
		Map{"k", []any{"v", nil}}, Set{"a", 2.25}, Pairs{"a", "b"}, Rows{[]any{"k", "v"}}, Text("t"), Push{}, Push{"message", "c"}, []any{}, []any{[]any{Simple("OK")}}} {
		f.Add(encoded(v))
	}
	f.Add([]byte("*2\r\n$1\r\na\r\n"))
	f.Add([]byte("%1\r\n+a\r\n,1e+20\r\n"))
	f.Add(nested(40))
	f.Fuzz(func(t *testing.T, b []byte) {
		reply, rest, err := Cut(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if !bytes.Equal(slices.Concat(reply, rest), b) {
			t.Fatalf("%q was cut into %q and %q", b, reply, rest)
		}
		plain, err := AppendJSON(nil, reply, JSONOptions{})
		if err != nil || !json.Valid(plain) || !utf8.Valid(plain) {
			t.Fatalf("%q: JSON %q, %v", reply, plain, err)
		}
		coded, err := AppendJSON(nil, reply, JSONOptions{Base64: true})
		if err != nil || !json.Valid(coded) {
			t.Fatalf("%q: base64 JSON %q, %v", reply, coded, err)
		}
		v, err := Decode(reply)
		if err != nil {
			// Only a double that overflows has the right form and no value.
			if !bytes.Contains(reply, []byte(",")) {
				t.Fatalf("%q: Decode: %v", reply, err)
			}
			return
		}
		got, err := AppendRESP2(nil, reply)
		if err != nil {
			t.Fatalf("%q: AppendRESP2: %v", reply, err)
		}
		if bytes.Contains(reply, []byte(",")) {
			return // doubles of other precision than ours are kept as they are
		}
		if again := encoded(v); !bytes.Equal(again, reply) {
			t.Fatalf("%q decoded and encoded is %q", reply, again)
		}
		var want Writer
		resp2OfRESP3(&want, v)
		if !bytes.Equal(got, want.Buf) {
			t.Fatalf("%q: RESP2 %q, want %q", reply, got, want.Buf)
		}
	})
}

func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "a", "plain text of some length", "\"\\\n\x00", "né\xff\xed\xa0\x80😀", "1234567\"12345678\x1f", strings.Repeat("é", 20)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := AppendJSONString(nil, b)
		if s := AppendJSONString(nil, string(b)); !bytes.Equal(s, got) {
			t.Fatalf("as bytes %s, as a string %s", got, s)
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q: %s: %v", b, got, err)
		}
		if want := string([]rune(string(b))); back != want {
			t.Fatalf("%q reads back as %q, want %q", b, back, want)
		}
		var coded Writer
		coded.Bulk(string(b))
		out, err := AppendJSON(nil, coded.Buf, JSONOptions{Base64: true})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.Trim(string(out), `"`))
		if err != nil || !bytes.Equal(raw, b) {
			t.Fatalf("base64 of %q gives back %q, %v", b, raw, err)
		}
	})
}

func benchmarkReplies() map[string][]byte {
	hash := Map{}
	for i := range 20 {
		hash = append(hash, fmt.Sprintf("field-%02d", i), strings.Repeat("x", 100))
	}
	scores := []any{}
	for i := range 100 {
		scores = append(scores, fmt.Sprintf("member-%d", i), float64(i)+0.5)
	}
	return map[string][]byte{
		"get":          encoded("some-value"),
		"hgetall-20":   encoded(hash),
		"zrange-100":   encoded(scores),
		"string-100kB": encoded(strings.Repeat("0123456789abcdef", 6400)),
		"utf8-100kB":   encoded(strings.Repeat("žluťoučký", 6400)),
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	for name, reply := range benchmarkReplies() {
		for mode, o := range map[string]JSONOptions{"plain": {}, "base64": {Base64: true}} {
			b.Run(name+"/"+mode, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(reply)))
				buf, err := AppendJSON(nil, reply, o)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					buf, _ = AppendJSON(buf[:0], reply, o)
				}
			})
		}
	}
}

func BenchmarkAppendRESP2(b *testing.B) {
	for name, reply := range benchmarkReplies() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(reply)))
			buf, err := AppendRESP2(nil, reply)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				buf, _ = AppendRESP2(buf[:0], reply)
			}
		})
	}
}

func BenchmarkCut(b *testing.B) {
	for name, reply := range benchmarkReplies() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Cut(reply); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
