package jsondoc

import (
	"errors"
	"strings"
	"testing"
)

const store = `{"book":[{"title":"A","price":8,"isbn":null},{"title":"B","price":12.5},{"title":"C","price":22,"tags":["x","yy"]}],
	"a.b":{"c d":1},"limit":10,"re":"^[ab]$","web-app":{"$x":true,"été":2},"":[7]}`

// selected are the texts of what a path matches.
func selected(t testing.TB, doc *Value, path string) string {
	t.Helper()
	p, err := ParsePath(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	matches, err := p.Select(doc, nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(AppendMatches(nil, Format{}, 0, matches))
}

func TestPaths(t *testing.T) {
	const nested = `{"a":2,"b":3,"nested":{"a":4,"b":null}}`
	for _, tt := range []struct{ doc, path, want string }{
		{nested, `$`, `[` + nested + `]`},
		{nested, `.`, `[` + nested + `]`},
		{nested, `$.a`, `[2]`},
		{nested, `a`, `[2]`},
		{nested, `.nested.a`, `[4]`},
		{nested, `nested["a"]`, `[4]`},
		{nested, `$['nested']["a"]`, `[4]`},
		{nested, `$.none`, `[]`},
		{nested, `$.a.b`, `[]`},
		{nested, `$.*`, `[2,3,{"a":4,"b":null}]`},
		{nested, `*`, `[2,3,{"a":4,"b":null}]`},
		{nested, `$["b","a"]`, `[3,2]`},
		{nested, `$. nested [ 'a' , 'b' ] `, `[4,null]`},

		// What lies deeper comes first.
		{nested, `$..b`, `[null,3]`},
		{nested, `..a`, `[4,2]`},
		{`{"a":{"a":{"a":1}}}`, `$..a`, `[1,{"a":1},{"a":{"a":1}}]`},
		{`[[1,[2]],3]`, `$..*`, `[2,1,[2],[1,[2]],3]`},
		{`[[1,[2]],3]`, `$..[0]`, `[2,1,[1,[2]]]`},
		{nested, `$..["a","b"]`, `[4,null,2,3]`},
		{nested, `$.nested..a`, `[4]`},

		{`[0,1,2,3,4]`, `[1]`, `[1]`},
		{`[0,1,2,3,4]`, `$.[1]`, `[1]`},
		{`[0,1,2,3,4]`, `$[-1]`, `[4]`},
		{`[0,1,2,3,4]`, `$[-6]`, `[]`},
		{`[0,1,2,3,4]`, `$[5]`, `[]`},
		{`[0,1,2,3,4]`, `$[4294967295]`, `[]`},
		{`[0,1,2,3,4]`, `$[99999999999999999999]`, `[]`},
		{`[0,1,2,3,4]`, `$[0,0,-1]`, `[0,0,4]`},
		{`[0,1,2,3,4]`, `$[1:3]`, `[1,2]`},
		{`[0,1,2,3,4]`, `$[:2]`, `[0,1]`},
		{`[0,1,2,3,4]`, `$[3:]`, `[3,4]`},
		{`[0,1,2,3,4]`, `$[-2:]`, `[3,4]`},
		{`[0,1,2,3,4]`, `$[-9:-3]`, `[0,1]`},
		{`[0,1,2,3,4]`, `$[::2]`, `[0,2,4]`},
		{`[0,1,2,3,4]`, `$[1:9:3]`, `[1,4]`},
		{`[0,1,2,3,4]`, `$[:]`, `[0,1,2,3,4]`},
		{`[0,1,2,3,4]`, `$[3:1]`, `[]`},
		{`{"0":1}`, `$[0]`, `[]`},
		{`{"0":1}`, `$.0`, `[1]`},
		{`[0,1,2]`, `$[0,1:,*]`, `[0,1,2,0,1,2]`},

		// Names.
		{store, `$.web-app.$x`, `[true]`},
		{store, `$.web-app.été`, `[2]`},
		{store, `$["a.b"]['c d']`, `[1]`},
		{store, `$[""][0]`, `[7]`},
		{`{"$":1,"$a":2,"a~b":3}`, `$a`, `[2]`},
		{`{"$":1,"$a":2,"a~b":3}`, `$.$`, `[1]`},
		{`{"$":1,"$a":2,"a~b":3}`, `$.a~b`, `[3]`},
		{`{"a\"b":1,"c'd":2,"e\\f":3,"\n":4,"é":5}`, `$["a\"b",'c\'d',"e\\f","\n","\u00e9"]`, `[1,2,3,4,5]`},

		// Conditions.
		{store, `$.book[?(@.price<10)].title`, `["A"]`},
		{store, `$.book[?@.price >= 12.5].title`, `["B","C"]`},
		{store, `$.book[?(@.price < $.limit)].title`, `["A"]`},
		{store, `$.book[?(@.isbn)].title`, `["A"]`},
		{store, `$.book[?(!@.isbn)].title`, `["B","C"]`},
		{store, `$.book[?(@.isbn == null)].title`, `["A"]`},
		{store, `$.book[?(@.isbn != null)].title`, `["B","C"]`},
		{store, `$.book[?(@.title == "A" || @.title == 'C')].price`, `[8,22]`},
		{store, `$.book[?(@.title == "A" || @.price > 9 && @.price < 20)].price`, `[8,12.5]`},
		{store, `$.book[?((@.title == "A" || @.price > 9) && @.price < 10)].price`, `[8]`},
		{store, `$.book[?(@.title > 'A')].title`, `["B","C"]`},
		{store, `$.book[?(@.title =~ "[BC]")].price`, `[12.5,22]`},
		{store, `$.book[?(@.title =~ "(?i)^b$")].price`, `[12.5]`},
		{store, `$.book[?(@.title =~ $.re)].price`, `[]`},
		{store, `$.book[?(@.title =~ "[")].price`, `[]`},
		{store, `$.book[?(@.price =~ "8")].price`, `[]`},
		{store, `$.book[?(@.tags[1] == "yy")].title`, `["C"]`},
		{store, `$.book[?(@..title == "B")].price`, `[12.5]`},
		{store, `$.book[?(@.title == 8 )]`, `[]`},
		{store, `$.book[?(@.title < 9 )]`, `[]`},
		{store, `$.book[?(@.none == @.nothing)]`, `[]`},
		{store, `$[?(@.$x == true)].été`, `[2]`},
		{store, `$..[?(@.price > 20)].tags[0]`, `["x"]`},
		{`{"a":{"x":{"i":10}},"b":{"x":{"i":20,"j":5}}}`, `$..x[?(@>10)]`, `[20]`},
		{`{"a":{"x":{"i":10}},"b":{"x":{"i":20,"j":5}}}`, `$..x[?($>10)]`, `[]`},
		{`["foo",["food","FoO"],"bar"]`, `$.*[?(@ =~ "(?i)^foo$")]`, `["foo","FoO"]`},
		{`[1,1.0,"1",true,null,[1],{"a":1}]`, `$[?(@ == 1)]`, `[1,1.0]`},
		{`[[1],[2]]`, `$[?(@ == $[1])]`, `[[2]]`},
		{`[9007199254740993,9007199254740992]`, `$[?(@ == 9007199254740993)]`, `[9007199254740993]`},
		{`[{"in":1},{"a-b":2}]`, `$[?(@.a-b==2)]`, `[{"a-b":2}]`},
		{`[1,2]`, `$[?(@ > -1 && @ < 1.5e0)]`, `[1]`},
	} {
		doc := mustParse(t, tt.doc)
		if got := selected(t, doc, tt.path); got != tt.want {
			t.Errorf("%s in %s: %s, want %s", tt.path, tt.doc, got, tt.want)
		}
	}
}

func TestInvalidPaths(t *testing.T) {
	for _, path := range []string{
		``, ` `, "\x00", "\n", `$.`, `.-foo.`, `$..`, `$...a`, `$.....a`, `."`, "foo\nbar", `$.a b`, `$[`, `$[]`, `$[a]`, `$["a`, `$["a\`, `$["\x"]`, `$['a'`, `$[1`, `$[1,]`, `$[-]`, `$[1:2:0]`, `$[1:2:-1]`,
		`$[?]`, `$[?(]`, `$[?(@.a]`, `$[?(@.a==)]`, `$[?(@.a===1)]`, `$[?(@.a & @.b)]`, `$[?(@.a==tru)]`, `$[?(@.a==01)]`, `$[?(@.a==1e999)]`, `a[-inf]`, `$.a]`, `$.a$[`, `$ x`,
		"$.\xff", "$." + strings.Repeat("a", maxPath), "$" + strings.Repeat("[?(", maxNesting+1) + "@" + strings.Repeat(")]", maxNesting+1), "$[?" + strings.Repeat("(", 10_000),
	} {
		if p, err := ParsePath(path); !errors.Is(err, ErrPath) || p != nil {
			t.Errorf("%.40q: %v", path, err)
		}
	}
}

func TestStaticPathsSplitIntoParentAndName(t *testing.T) {
	for _, tt := range []struct {
		path   string
		static bool
		name   string
		named  bool
	}{
		{`$.a`, true, "a", true},
		{`$.a.b`, true, "b", true},
		{`$.a["c d"]`, true, "c d", true},
		{`$.a[1]`, true, "", false},
		{`$.a[1].b`, true, "b", true},
		{`$..a`, false, "", false},
		{`$.*`, false, "", false},
		{`$["a","b"]`, false, "", false},
		{`$.a[1:2].b`, false, "", false},
		{`$.a[?(@.x)].b`, false, "", false},
	} {
		p, err := ParsePath(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if p.Static() != tt.static {
			t.Errorf("%s: static %v", tt.path, p.Static())
			continue
		}
		if !tt.static {
			continue
		}
		if _, name, named := p.Split(); name != tt.name || named != tt.named {
			t.Errorf("%s: %q, %v", tt.path, name, named)
		}
	}
}

func TestWorkIsBounded(t *testing.T) {
	depth := MaxDepth - 1
	doc := mustParse(t, strings.Repeat("[", depth)+strings.Repeat("]", depth))
	p, err := ParsePath("$" + strings.Repeat("..*", 12))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Select(doc, nil); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
}

func TestDistinctMatchesComeAfterAllBelowThem(t *testing.T) {
	doc := mustParse(t, `{"a":[{"a":[1,{"a":2}]},3],"b":{"a":{"a":{"b":{"a":4}}}}}`)
	for _, path := range []string{`$..a`, `$..*`, `$..a..a`, `$..*..*`, `$..a[*]..*`, `$..[?(@)]`, `$..b..[?(@.a)]..*`, `$..*..a..*`} {
		p, err := ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		matches, err := p.SelectDistinct(doc, nil)
		if err != nil || len(matches) == 0 {
			t.Fatalf("%s: %d, %v", path, len(matches), err)
		}
		seen := map[*Value]bool{}
		for _, m := range matches {
			if seen[m.Value] {
				t.Errorf("%s: %s twice", path, textOf(m.Value))
			}
			seen[m.Value] = true
			below(m.Value, func(v *Value) {
				if matched(matches, v) && !seen[v] {
					t.Errorf("%s: %s comes before %s", path, textOf(m.Value), textOf(v))
				}
			})
		}
	}
}

func below(v *Value, visit func(*Value)) {
	elems := v.Elements()
	for i := range elems {
		visit(&elems[i])
		below(&elems[i], visit)
	}
}

func matched(matches []Match, v *Value) bool {
	for _, m := range matches {
		if m.Value == v {
			return true
		}
	}
	return false
}

// FuzzPath checks that whatever parses can be evaluated, and matches parts of the document at
// their depth.
func FuzzPath(f *testing.F) {
	for _, path := range []string{`$..book[?(@.price<10 && !(@.isbn||@.x))].title`, `$[0,'a',*,1:2:3]..*`, `.a["b\u00e9"][-1]`, `$[?(@.title =~ "(?i)^b$")]`, `a.b[?@==$..limit]`, `$..[?(@..*>=-1.5e3)]`, `$['\\','\'']`} {
		f.Add(path)
	}
	doc := mustParse(f, store)
	depths := map[*Value]int{}
	var note func(v *Value, depth int)
	note = func(v *Value, depth int) {
		depths[v] = depth
		elems := v.Elements()
		for i := range elems {
			note(&elems[i], depth+1)
		}
	}
	note(doc, 0)
	f.Fuzz(func(t *testing.T, path string) {
		p, err := ParsePath(path)
		if err != nil {
			if !errors.Is(err, ErrPath) {
				t.Fatalf("%q: %v", path, err)
			}
			return
		}
		if strings.Count(path, "..") > 4 {
			return // may take long
		}
		matches, err := p.Select(doc, nil)
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		for _, m := range matches {
			if depth, ok := depths[m.Value]; !ok || depth != m.Depth {
				t.Fatalf("%q: match %s at depth %d, is at %d", path, textOf(m.Value), m.Depth, depth)
			}
		}
		first, err := p.First(doc, nil)
		if err != nil || (first == nil) != (len(matches) == 0) || first != nil && first != matches[0].Value {
			t.Fatalf("%q: first %v, %v", path, first, err)
		}
		if p.Static() && len(matches) > 1 {
			t.Fatalf("%q is static, but has %d matches", path, len(matches))
		}
	})
}
