package jsondoc

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func mustParse(t testing.TB, text string) *Value {
	t.Helper()
	v, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &v
}

func textOf(v *Value) string { return string(v.AppendTo(nil)) }

func TestTextsSurvive(t *testing.T) {
	for _, tt := range []struct{ in, out string }{
		{`null`, `null`},
		{" [ true , false\t,\r\nnull ] ", `[true,false,null]`},
		{`{ "b" : 1 , "a" : { } , "" : [ ] }`, `{"b":1,"a":{},"":[]}`},
		{`"plain"`, `"plain"`},
		{`"\"\\\/\b\f\n\r\t"`, `"\"\\/\b\f\n\r\t"`},
		{`"\u2b50\u00e9\u0001"`, "\"⭐é\\u0001\""},
		{`"\ud83d\ude00"`, `"😀"`},
		{`"a\ud83d"`, "\"a\ufffd\""},
		{`"\ud83dx\ude00\ud83d\u0041"`, "\"\ufffdx\ufffd\ufffdA\""},
		{`"⭐"`, `"⭐"`},
		{`[0,-0,1.50,1e2,1E+2,-1.0e-7]`, `[0,-0,1.50,1e2,1E+2,-1.0e-7]`},
		{`[9223372036854775807,18446744073709551616,0.1234567890123456789012]`, `[9223372036854775807,18446744073709551616,0.1234567890123456789012]`},
		{`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
	} {
		if got := textOf(mustParse(t, tt.in)); got != tt.out {
			t.Errorf("%s: %s, want %s", tt.in, got, tt.out)
		}
	}
}

func TestObjectsOfManyMembersKeepTheLastOfAName(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"a":0`)
	for i := range 100 {
		b.WriteString(`,"n` + string(rune('a'+i%26)) + `":` + string(rune('0'+i%10)))
	}
	v := mustParse(t, b.String()+`}`)
	if v.Len() != 27 || v.Member("nv").Text() != "9" || v.Member("a").Text() != "0" {
		t.Errorf("%d members: %s", v.Len(), textOf(v))
	}
	v.DeleteMember("nb")
	v.SetMember("nc", NewInt(7))
	v.SetMember("new", NewInt(8))
	if v.Len() != 27 || v.Member("nb") != nil || v.Member("nc").Text() != "7" || v.Member("new").Text() != "8" || v.Member("nz").Text() != "7" {
		t.Error(textOf(v))
	}
}

func TestInvalidTexts(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{``, `unexpected end of JSON input`},
		{` `, `unexpected end of JSON input`},
		{`premium`, `invalid character 'p' looking for beginning of value`},
		{`{"a":1}x`, `invalid character 'x' after top-level value`},
		{`{"a":1`, `unexpected end of JSON input`},
		{`{"a" 1}`, `invalid character '1' after object key`},
		{`{"a":1 "b":2}`, `invalid character '"' after object key:value pair`},
		{`[1,]`, `invalid character ']' looking for beginning of value`},
		{`[1 2]`, `invalid character '2' after array element`},
		{`01`, `invalid character '1' after top-level value`},
		{`-`, `invalid character ' ' in numeric literal`},
		{`1.`, `invalid character ' ' after decimal point in numeric literal`},
		{`1.`, `invalid character ' ' after decimal point in numeric literal`},
		{`"\x"`, `invalid character 'x' in string escape code`},
		{`"\u12g4"`, `invalid character 'g' in \u hexadecimal character escape`},
		{"\"\n\"", `invalid character '\n' in string literal`},
		{"\"\\n\n\"", `invalid character '\n' in string literal`},
		{`"a`, `unexpected end of JSON input`},
		{`"a\`, `invalid character ' ' in string escape code`},
		{`trueabc`, `invalid character 'a' after top-level value`},
		{"\x00", `invalid character '\x00' looking for beginning of value`},
		{"\"\xff\"", `invalid UTF-8 in JSON text`},
		{`[1e999]`, `number out of range`},
		{`1` + strings.Repeat("0", 400), `number out of range`},
	} {
		_, err := Parse(tt.in)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.in, err, tt.want)
		}
	}
}

func TestDepthIsLimited(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if v := mustParse(t, nested(MaxDepth-1)); v.Depth() != MaxDepth-1 {
		t.Errorf("depth %d", v.Depth())
	}
	if _, err := Parse(nested(MaxDepth)); !errors.Is(err, ErrDepth) {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
	if _, err := Parse(strings.Repeat(`{"a":`, 1<<20)); !errors.Is(err, ErrDepth) {
		t.Errorf("a million levels: %v", err)
	}
}

func TestFormat(t *testing.T) {
	v := mustParse(t, `{"obj":{"f":"v"},"arr":[0,1],"empty":[],"none":{}}`)
	got := string(v.AppendAt(nil, Format{Indent: "  ", Newline: "\n", Space: " "}, 0))
	var want strings.Builder
	enc := json.NewEncoder(&want)
	enc.SetIndent("", "  ")
	if err := enc.Encode(json.RawMessage(textOf(v))); err != nil {
		t.Fatal(err)
	}
	if got != strings.TrimSuffix(want.String(), "\n") {
		t.Errorf("got %s", got)
	}
}

func TestFormatStopsAtItsLimit(t *testing.T) {
	v := mustParse(t, "["+strings.Repeat(`[[1],{"a":2}],`, 1000)+"3]")
	f := Format{Indent: strings.Repeat("x", 1000), Limit: 10_000}
	if n := len(v.AppendAt(nil, f, 0)); n <= f.Limit || n > 3*f.Limit {
		t.Errorf("%d bytes with a limit of %d", n, f.Limit)
	}
}

// FuzzParse compares with encoding/json and jsontext.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+7,"\u00e9\ud83d\ude00\n"],"b":{"":null,"x":true}}`, ` [ ] `, `"\ud800"`, `1e999`, "[1,\"\\\\\"]", `{"a":1,"a":2}`, `["\u0000\u001f\u007f\u2028\b\f\r\t/"]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if errors.Is(err, ErrDepth) || errors.Is(err, ErrRange) || errors.Is(err, ErrEncoding) {
			return
		}
		if (err == nil) != json.Valid([]byte(s)) {
			t.Fatalf("%q: %v, but encoding/json thinks otherwise", s, err)
		}
		if err != nil {
			return
		}
		text := textOf(&v)
		if n := v.TextLen(); n != len(text) {
			t.Fatalf("%q: TextLen is %d, but the text has %d bytes", s, n, len(text))
		}
		var want, got any
		decode(t, s, &want)
		decode(t, text, &got)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q", s, text)
		}
		again := mustParse(t, text)
		if !Equal(&v, again) || textOf(again) != text {
			t.Fatalf("%q became %q, then %q", s, text, textOf(again))
		}
		if raw := jsontext.Value(text); !raw.IsValid(jsontext.AllowDuplicateNames(false)) {
			t.Fatalf("%q became %q", s, text)
		}
	})
}

func decode(t *testing.T, s string, v *any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkParse(b *testing.B) {
	text := "[" + strings.Repeat(`{"name":"Wireless earbuds","price":64.99,"stock":17,"tags":["black","white"],"connection":{"wireless":true}},`, 100) + "null]"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
