package jsondoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func number(text string) *Value { return &Value{kind: Number, text: text} }

func TestArithmetic(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   NumOp
		a, b string
		want string
	}{
		{"integers stay integers", Add, "2", "3", "5"},
		{"beyond the integers of floats", Add, "9007199254740992", "1", "9007199254740993"},
		{"down to the least", Add, "-9223372036854775807", "-1", "-9223372036854775808"},
		{"overflow", Add, "9223372036854775807", "1", "numeric overflow"},
		{"underflow", Add, "-9223372036854775808", "-1", "numeric overflow"},
		{"a float stays a float", Add, "5.0", "2", "7.0"},
		{"an integer becomes a float", Add, "2", "2.5", "4.5"},
		{"shortest digits", Add, "0.1", "0.2", "0.30000000000000004"},
		{"more than 64 bits", Add, "9223372036854775808", "1", "9.223372036854776e18"},
		{"infinite", Add, "1.6e308", "1.6e308", "result is not a number"},
		{"product", Mul, "-4", "5", "-20"},
		{"product of floats", Mul, "4", "2.5", "10.0"},
		{"product overflows", Mul, "9223372036854775807", "2", "numeric overflow"},
		{"product is the least", Mul, "-4611686018427387904", "2", "-9223372036854775808"},
		{"product is one too many", Mul, "4611686018427387904", "2", "numeric overflow"},
		{"least by -1", Mul, "-9223372036854775808", "-1", "numeric overflow"},
		{"power", Pow, "2", "62", "4611686018427387904"},
		{"power overflows", Pow, "2", "63", "numeric overflow"},
		{"power is the least", Pow, "-2", "63", "-9223372036854775808"},
		{"to the 0", Pow, "7", "0", "1"},
		{"0 to the 2", Pow, "0", "2", "0"},
		{"large power of 1", Pow, "-1", "9223372036854775807", "-1"},
		{"negative power of an integer", Pow, "2", "-1", "numeric overflow"},
		{"power of a float", Pow, "390625.0", "3", "5.960464477539062e16"},
		{"root", Pow, "16", "0.5", "4.0"},
		{"no number", Pow, "-16", "0.5", "result is not a number"},
		{"small", Add, "0.0000001", "0", "1e-7"},
		{"zero", Mul, "0.5", "0", "0.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := tt.op.Do(number(tt.a), number(tt.b))
			got := r.text
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%s and %s: %s, want %s", tt.a, tt.b, got, tt.want)
			}
		})
	}
}

func TestIntegerArithmeticIsExact(t *testing.T) {
	interesting := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-100, 100), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, math.MinInt64 + 1, 1 << 62}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := interesting.Draw(t, "a"), interesting.Draw(t, "b")
		exp := rapid.Int64Range(0, 80).Draw(t, "exp")
		x, y := big.NewInt(a), big.NewInt(b)
		for _, c := range []struct {
			op   NumOp
			b    int64
			want *big.Int
		}{
			{Add, b, new(big.Int).Add(x, y)},
			{Mul, b, new(big.Int).Mul(x, y)},
			{Pow, exp, new(big.Int).Exp(x, big.NewInt(exp), nil)},
		} {
			m, n := NewInt(a), NewInt(c.b)
			r, err := c.op.Do(&m, &n)
			if !c.want.IsInt64() {
				if !errors.Is(err, ErrOverflow) {
					t.Fatalf("%d, %d: %s, %v, want %s", a, c.b, r.text, err, c.want)
				}
			} else if err != nil || r.text != c.want.String() {
				t.Fatalf("%d, %d: %s, %v, want %s", a, c.b, r.text, err, c.want)
			}
		}
	})
}

func TestFloatsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		text := formatFloat(f)
		v, err := Parse(text)
		if err != nil || v.TypeName() != "number" || parseFloat(text) != f {
			t.Fatalf("%g became %s: %v", f, text, err)
		}
	})
}

func TestTypeNames(t *testing.T) {
	for text, want := range map[string]string{
		`null`: "null", `true`: "boolean", `"x"`: "string", `[]`: "array", `{}`: "object",
		`0`: "integer", `-7`: "integer", `18446744073709551615`: "integer", `18446744073709551616`: "number", `1.0`: "number", `1e2`: "number", `-0`: "number",
	} {
		if got := mustParse(t, text).TypeName(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1`, true}, {`1`, `1.0`, false}, {`1.0`, `10e-1`, true}, {`1`, `"1"`, false}, {`null`, `false`, false},
		{`"a"`, `"\u0061"`, true}, {`[1,2]`, `[1,2]`, true}, {`[1,2]`, `[2,1]`, false}, {`[1]`, `[1,2]`, false},
		{`{"a":1,"b":[2]}`, `{"b":[2],"a":1}`, true}, {`{"a":1}`, `{"b":1}`, false}, {`{"a":1}`, `{"a":2}`, false}, {`{}`, `[]`, false},
	} {
		if got := Equal(mustParse(t, tt.a), mustParse(t, tt.b)); got != tt.want {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}

func TestDelete(t *testing.T) {
	for _, tt := range []struct {
		doc, path string
		n         int
		want      string
	}{
		{`{"a":1,"nested":{"a":2,"b":3}}`, `$..a`, 2, `{"nested":{"b":3}}`},
		{`{"a":{"a":2,"b":3},"b":["a","b"],"nested":{"b":[true,"a","b"]}}`, `$..a`, 1, `{"b":["a","b"],"nested":{"b":[true,"a","b"]}}`},
		{`[1,2,3]`, `$[*]`, 3, `[]`},
		{`[1,2,3]`, `$[1,2,0]`, 3, `[]`},
		{`[1,2,3]`, `$[0,0]`, 1, `[2,3]`},
		{`[true,{"answer":42},null]`, `[-1]`, 1, `[true,{"answer":42}]`},
		{`[[1],[1,2,3]]`, `$..[0]`, 2, `[[2,3]]`},
		{`{"a":[[1],[1,2,3,[4,5,[{"a":6},7,8]]],[10,{"11":11}],["12","13"]],"b":[[1,2],{"a":[3,4,5]}]}`, `$..[0]`, 8, `{"a":[[2,3,[5,[7,8]]],[{"11":11}],["13"]],"b":[{"a":[4,5]}]}`},
		{`{"x":{"b":[1,2,3],"c":[1]},"b":[1]}`, `$..x.b[1,0,2]`, 3, `{"x":{"b":[],"c":[1]},"b":[1]}`},
		{`{"a":1}`, `$`, 0, `{"a":1}`},
		{`{"a":1}`, `$.b`, 0, `{"a":1}`},
	} {
		doc := mustParse(t, tt.doc)
		p, err := ParsePath(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		matches, err := p.Select(doc, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := Delete(doc, matches); n != tt.n || textOf(doc) != tt.want {
			t.Errorf("%s of %s: %d, %s", tt.path, tt.doc, n, textOf(doc))
		}
	}
}

// The examples of RFC 7396, appendix A.
func TestMerge(t *testing.T) {
	for _, tt := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		v := mustParse(t, tt.target)
		v.Merge(mustParse(t, tt.patch))
		if textOf(v) != tt.want {
			t.Errorf("%s and %s: %s", tt.target, tt.patch, textOf(v))
		}
	}
}

// anyJSON draws what encoding/json makes of JSON texts.
func anyJSON(depth int) *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), toAny[bool]), rapid.Map(rapid.SampledFrom([]string{"", "a", "b", "é\n"}), toAny[string]),
		rapid.Map(rapid.IntRange(-3, 3), func(n int) any { return json.Number(fmt.Sprint(n)) }))
	if depth == 0 {
		return scalar
	}
	child := anyJSON(depth - 1)
	return rapid.OneOf(scalar,
		rapid.Map(rapid.SliceOfN(child, 0, 4), toAny[[]any]),
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", ""}), child, 0, 4), toAny[map[string]any]))
}

func toAny[T any](v T) any { return v }

// plain turns a value into what encoding/json would make of it.
func plainOf(v *Value) any {
	switch v.Kind() {
	case Array:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plainOf(&v.Elements()[i])
		}
		return out
	case Object:
		out := map[string]any{}
		for name, m := range v.Members() {
			out[name] = plainOf(m)
		}
		return out
	case String:
		return v.Text()
	case Number:
		return json.Number(v.Text())
	case Bool:
		return v.True()
	}
	return nil
}

func fromPlain(t *rapid.T, v any) *Value {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return &doc
}

// TestUpdatesOfRandomDocuments compares with the same changes of maps and slices.
func TestUpdatesOfRandomDocuments(t *testing.T) {
	paths := []string{`$..a`, `$.*`, `$..*`, `$..[0]`, `$..[-1]`, `$..[1:]`, `$..['a','b']`, `$.a..b`, `$..[?(@.a)]`, `$[?(@ == 1)]`}
	rapid.Check(t, func(t *rapid.T) {
		model := anyJSON(4).Draw(t, "doc")
		doc := fromPlain(t, model)
		text := textOf(doc)
		path := rapid.SampledFrom(paths).Draw(t, "path")
		p, err := ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		matches, err := p.SelectDistinct(doc, nil)
		if err != nil {
			t.Fatal(err)
		}
		marks := map[*Value]bool{}
		for _, m := range matches {
			marks[m.Value] = true
		}
		switch rapid.SampledFrom([]string{"delete", "set", "append", "merge"}).Draw(t, "operation") {
		case "delete":
			n := 0
			want := rebuild(doc, marks, false, func(*Value) (any, bool) { n++; return nil, false })
			if got := Delete(doc, matches); got != n || !reflect.DeepEqual(plainOf(doc), want) {
				t.Fatalf("%s of %s: %d, %s, want %d, %v", path, text, got, textOf(doc), n, want)
			}
		case "set":
			want := rebuild(doc, marks, true, func(*Value) (any, bool) { return "new", true })
			for _, m := range matches {
				*m.Value = NewString("new")
			}
			if !reflect.DeepEqual(plainOf(doc), want) {
				t.Fatalf("%s of %s: %s, want %v", path, text, textOf(doc), want)
			}
		case "append":
			var model func(v *Value) any
			model = func(v *Value) any {
				out := rebuild(v, nil, true, nil, model)
				if elems, ok := out.([]any); ok && marks[v] {
					return append(elems, "new")
				}
				return out
			}
			want := model(doc)
			for _, m := range matches {
				if m.Value.Kind() == Array {
					m.Value.Insert(m.Value.Len(), NewString("new"))
				}
			}
			if !reflect.DeepEqual(plainOf(doc), want) {
				t.Fatalf("%s of %s: %s, want %v", path, text, textOf(doc), want)
			}
		case "merge":
			patch := anyJSON(3).Draw(t, "patch")
			want := mergePlain(plainOf(doc), patch)
			doc.Merge(fromPlain(t, patch))
			if !reflect.DeepEqual(plainOf(doc), want) {
				t.Fatalf("%s and %v: %s, want %v", text, patch, textOf(doc), want)
			}
		}
		if again := mustParseText(t, textOf(doc)); !Equal(again, doc) {
			t.Fatalf("%s reads as %s", textOf(doc), textOf(again))
		}
	})
}

func mustParseText(t *rapid.T, text string) *Value {
	v, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &v
}

// rebuild is plainOf with marked values below, or with root also v itself, replaced. child, if given,
// rebuilds children.
func rebuild(v *Value, marks map[*Value]bool, root bool, replace func(*Value) (any, bool), child ...func(*Value) any) any {
	if root && marks[v] {
		out, _ := replace(v)
		return out
	}
	next := func(v *Value) (any, bool) {
		if marks[v] {
			return replace(v)
		}
		if len(child) > 0 {
			return child[0](v), true
		}
		return rebuild(v, marks, false, replace), true
	}
	switch v.Kind() {
	case Array:
		out := []any{}
		for i := range v.Elements() {
			if e, keep := next(&v.Elements()[i]); keep {
				out = append(out, e)
			}
		}
		return out
	case Object:
		out := map[string]any{}
		for name, m := range v.Members() {
			if e, keep := next(m); keep {
				out[name] = e
			}
		}
		return out
	}
	return plainOf(v)
}

func mergePlain(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out := map[string]any{}
	if m, ok := target.(map[string]any); ok {
		for name, v := range m {
			out[name] = v
		}
	}
	for name, v := range p {
		if v == nil {
			delete(out, name)
		} else {
			out[name] = mergePlain(out[name], v)
		}
	}
	return out
}
