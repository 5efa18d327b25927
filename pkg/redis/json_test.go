package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// jsonCase runs commands, given as arguments separated by blanks (JSON has none), on a document at
// doc, and then compares the document.
type jsonCase struct {
	name  string
	doc   string
	lines [][2]string
	after string // "": as it was
}

const (
	noPath     = "(error) ERR Path does not exist"
	noDocument = "(error) ERR could not perform this operation on a key that doesn't exist"
	wrongType  = "(error) WRONGTYPE Operation against a key holding the wrong kind of value"
)

func runJSON(t *testing.T, cases []jsonCase) {
	t.Helper()
	d := newTestEngine(t)
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			d := *d
			d.t = t
			if got := d.do("json.set", "doc", "$", tt.doc); got != "OK" {
				t.Fatal(got)
			}
			d.check(tt.lines...)
			want := tt.after
			if want == "" {
				want = strings.ReplaceAll(tt.doc, " ", "")
			}
			if got := d.do("json.get", "doc"); got != bulk(want) {
				t.Errorf("the document is %s, want %s", got, want)
			}
			if text, err := strconv.Unquote(d.do("json.get", "doc", "$")); err != nil || text != "["+want+"]" {
				t.Errorf("at $ it is %s", text)
			}
		})
	}
}

func TestJSONGet(t *testing.T) {
	runJSON(t, []jsonCase{
		{"one path", `{"a":2,"b":3,"nested":{"a":4,"b":null}}`, [][2]string{
			{"json.get doc $.a", bulk(`[2]`)},
			{"json.get doc a", bulk(`2`)},
			{"json.get doc .nested", bulk(`{"a":4,"b":null}`)},
			{"json.get doc $..b", bulk(`[null,3]`)},
			{"json.get doc ..b", bulk(`null`)},
			{"json.get doc $.none", bulk(`[]`)},
			{"json.get doc .none", noPath},
			{"JSON.GET doc $..[?(@.a>3)].b", bulk(`[null]`)},
			{"json.get none", "(nil)"},
			{"json.get none $..a", "(nil)"},
			{"json.get doc $[", "(error) ERR invalid path: error at position 2, expected a number, a string, '*', ':' or '?'"},
			{"json.get", "(error) ERR wrong number of arguments for 'json.get' command"},
		}, ""},
		{"several paths", `{"a":2,"b":3,"nested":{"a":4,"b":null}}`, [][2]string{
			{"json.get doc $..a $..b", bulk(`{"$..a":[4,2],"$..b":[null,3]}`)},
			{"json.get doc ..a $.b", bulk(`{"..a":[4,2],"$.b":[3]}`)},
			{"json.get doc a .b", bulk(`{"a":2,".b":3}`)},
			{"json.get doc $.a $.a", bulk(`{"$.a":[2]}`)},
			{"json.get doc $.a $.none", bulk(`{"$.a":[2],"$.none":[]}`)},
			{"json.get doc a none", noPath},
			{"json.get doc $ $.a", bulk(`{"$":[{"a":2,"b":3,"nested":{"a":4,"b":null}}],"$.a":[2]}`)},
		}, ""},
		{"formatted", `{"arr":[0,{}],"obj":{"f":"v"}}`, [][2]string{
			{"json.get doc INDENT > NEWLINE | SPACE _", bulk(`{|>"arr":_[|>>0,|>>{}|>],|>"obj":_{|>>"f":_"v"|>}|}`)},
			{"json.get doc indent > newline | $.arr", bulk(`[|>[|>>0,|>>{}|>]|]`)},
			{"json.get doc newline | space _ $.arr $.obj.f", bulk(`{|"$.arr":_[|[|0,|{}|]|],|"$.obj.f":_[|"v"|]|}`)},
			{"json.get doc noescape .obj.f", bulk(`"v"`)},
			{"json.get doc indent", "(error) ERR wrong number of arguments for 'json.get' command"},
		}, ""},
		{"scalars as documents", `"text"`, [][2]string{
			{"json.get doc $", bulk(`["text"]`)},
			{"json.get doc $.a", bulk(`[]`)},
			{"json.set doc $ 12345678901234567890", "OK"},
			{"json.get doc", bulk(`12345678901234567890`)},
			{"json.set doc . 42", "OK"},
			{"get doc", wrongType},
			{"incr doc", wrongType},
			{"json.get doc", bulk(`42`)},
		}, `42`},
	})
}

func TestJSONMGet(t *testing.T) {
	d := newTestEngine(t)
	d.do("json.mset", "a", "$", `{"a":1,"b":2,"nested":{"a":3}}`, "b", "$", `{"a":4,"nested":{"a":6}}`)
	d.do("set", "s", "x")
	d.check(
		[2]string{"json.mget a b none s $..a", `["[3,1]" "[6,4]" (nil) (nil)]`},
		[2]string{"json.mget a b b", `["2" (nil)]`},
		[2]string{"json.mget a $[", `[(nil)]`},
		[2]string{"json.mget a a .", `["{\"a\":1,\"b\":2,\"nested\":{\"a\":3}}" "{\"a\":1,\"b\":2,\"nested\":{\"a\":3}}"]`},
		[2]string{"json.mget a", "(error) ERR wrong number of arguments for 'json.mget' command"},
	)
}

func TestJSONSet(t *testing.T) {
	runJSON(t, []jsonCase{
		{"the whole document", `{}`, [][2]string{
			{`json.set doc $ {"a":[1,{}]}`, "OK"},
			{`json.set doc $ {"a":1} nx`, "(nil)"},
			{`json.set doc . {"a":2} XX`, "OK"},
			{`json.set none $ 1 xx`, "(nil)"},
			{`exists none`, "(integer) 0"},
			{`json.set none $.a 1`, "(error) ERR new objects must be created at the root"},
			{`json.set none .a 1 xx`, "(nil)"},
			{`json.set new $ 1 nx`, "OK"},
			{`json.set doc $ premium`, "(error) invalid character 'p' looking for beginning of value"},
			{`json.set doc $ 1 nx xx`, "(error) ERR syntax error"},
			{`json.set doc $ 1 ex`, "(error) ERR syntax error"},
			{`json.set doc $[ 1`, "(error) ERR invalid path: error at position 2, expected a number, a string, '*', ':' or '?'"},
		}, `{"a":2}`},
		{"existing values", `{"f1":{"a":1},"f2":{"a":2},"arr":[0,1]}`, [][2]string{
			{`json.set doc $..a {"a":[3]}`, "OK"},
			{`json.set doc $.arr[*] 7`, "OK"},
			{`json.set doc .arr[-1] 8`, "OK"},
			{`json.set doc $.f1.a null nx`, "(nil)"},
		}, `{"f1":{"a":{"a":[3]}},"f2":{"a":{"a":[3]}},"arr":[7,8]}`},
		{"copies are independent", `{"x":1,"y":1}`, [][2]string{
			{`json.set doc $.* {"n":[]}`, "OK"},
			{`json.arrappend doc $.x.n 1`, "[(integer) 1]"},
		}, `{"x":{"n":[1]},"y":{"n":[]}}`},
		{"nested matches", `{"a":{"a":{"a":1},"b":2}}`, [][2]string{{`json.set doc $..a 3`, "OK"}}, `{"a":3}`},
		{"new members", `{"a":2,"o":{},"arr":[0]}`, [][2]string{
			{`json.set doc $.b 8`, "OK"},
			{`json.set doc .o["x"] {"y":1} nx`, "OK"},
			{`json.set doc c 9 xx`, "(nil)"},
			{`json.set doc $.none.x 1`, "(error) ERR Path does not exist"},
			{`json.set doc $.none.x 1 nx`, "(error) ERR Path does not exist"},
			{`json.set doc $.none.x 1 xx`, "(nil)"},
			{`json.set doc $.a.x 1`, "(error) ERR Path does not exist"},
			{`json.set doc $..none 1`, "(error) ERR wrong static path"},
			{`json.set doc $.*.none 1`, "(error) ERR wrong static path"},
			{`json.set doc $.arr[1] 1`, "(error) ERR array index out of range"},
			{`json.set doc $.arr[0] 1 nx`, "(nil)"},
			{`json.set doc $["",'a.b'] 1`, "(error) ERR wrong static path"},
			{`json.set doc $[""] 1`, "OK"},
		}, `{"a":2,"o":{"x":{"y":1}},"arr":[0],"b":8,"":1}`},
	})
}

func TestJSONSetKeepsTheExpiry(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"json.set k $ {}", "OK"},
		[2]string{"expire k 100", "(integer) 1"},
		[2]string{`json.set k $ {"a":1}`, "OK"},
		[2]string{"ttl k", "(integer) 100"},
		[2]string{`json.set k $.a 2`, "OK"},
		[2]string{"json.numincrby k $.a 2", bulk("[4]")},
		[2]string{`json.mset k $ {"b":1} l $ 1`, "OK"},
		[2]string{`json.merge k $ {"c":2}`, "OK"},
		[2]string{"ttl k", "(integer) 100"},
		[2]string{"ttl l", "(integer) -1"},
		[2]string{"json.get k", bulk(`{"b":1,"c":2}`)},
	)
	d.clock.advance(101 * time.Second)
	d.check(
		[2]string{"json.get k", "(nil)"},
		[2]string{"json.set k $ 1 xx", "(nil)"},
		[2]string{"json.del k", "(integer) 0"},
		[2]string{"json.set k $ 1 nx", "OK"},
		[2]string{"ttl k", "(integer) -1"},
	)
}

func TestJSONMerge(t *testing.T) {
	runJSON(t, []jsonCase{
		{"at the root", `{"a":2,"b":{"c":1,"d":2},"e":[1]}`, [][2]string{
			{`json.merge doc $ {"a":null,"b":{"c":null,"x":{"y":null}},"e":[2],"n":3}`, "OK"},
			{`json.merge doc $ {"b":`, "(error) unexpected end of JSON input"},
			{`json.merge none $.a 1`, "(error) ERR new objects must be created at the root"},
			{`json.merge new $ {"a":null,"b":1}`, "OK"},
			{`json.get new`, bulk(`{"b":1}`)},
		}, `{"b":{"d":2,"x":{}},"e":[2],"n":3}`},
		{"at paths", `{"a1":{"b":{"c":1}},"a2":{"b":{"c":2}}}`, [][2]string{
			{`json.merge doc $..b {"f":3}`, "OK"},
			{`json.merge doc $.a1.new {"x":null,"y":1}`, "OK"},
			{`json.merge doc $.a2.b null`, "OK"},
			{`json.merge doc $.none.x 1`, "(error) ERR Path does not exist"},
		}, `{"a1":{"b":{"c":1,"f":3},"new":{"y":1}},"a2":{"b":null}}`},
		{"nested matches", `{"a1":{"b":{"b":1}}}`, [][2]string{{`json.merge doc $..b {"f":3}`, "OK"}}, `{"a1":{"b":{"b":{"f":3},"f":3}}}`},
		{"matches that go", `{"a1":{"b":{"f":{"b":1}}}}`, [][2]string{{`json.merge doc $..b {"f":3}`, "OK"}}, `{"a1":{"b":{"f":3}}}`},
	})
}

func TestJSONMSet(t *testing.T) {
	d := newTestEngine(t)
	d.do("set", "s", "x")
	d.check(
		[2]string{`json.mset a $ {"x":{"y":[10],"z":[30,40]}} b $ 1 a $ {"x":{"z":[30,40]}}`, "OK"},
		[2]string{"json.get a", bulk(`{"x":{"z":[30,40]}}`)},
		[2]string{`json.mset a $.x {} a $.x.z[1] 50 b $ 70 a $.u 7 new $ 1`, "OK"},
		[2]string{"json.mget a b new $", `["[{\"x\":{},\"u\":7}]" "[70]" "[1]"]`},
		[2]string{`json.mset a $.x 1 s $ 1`, wrongType},
		[2]string{`json.mset a $.x 1 none $.a 1`, "(error) ERR new objects must be created at the root"},
		[2]string{`json.mset a $.x 1 b $.....a 1`, "(error) ERR invalid path: error at position 3, expected a name, '*' or '['"},
		[2]string{`json.mset a $.x 1 b $ [1`, "(error) unexpected end of JSON input"},
		[2]string{`json.mset a $.x 1 b $`, "(error) ERR wrong number of arguments for 'json.mset' command"},
		[2]string{"json.get a", bulk(`{"x":{},"u":7}`)},
		[2]string{`json.mset two $ {"a":1} two $ {"b":1} s2 $ []`, "OK"},
		[2]string{"json.get two", bulk(`{"b":1}`)},
	)
}

func TestJSONDelAndClear(t *testing.T) {
	runJSON(t, []jsonCase{
		{"delete", `{"a":1,"nested":{"a":2,"b":3},"arr":[1.2,1,2]}`, [][2]string{
			{"json.del doc $..a", "(integer) 2"},
			{"json.forget doc .arr[1]", "(integer) 1"},
			{"json.del doc $.none", "(integer) 0"},
			{"json.del none $.a", "(integer) 0"},
			{"json.del none", "(integer) 0"},
			{"json.del doc $ $", "(error) ERR wrong number of arguments for 'json.del' command"},
			{"json.set other $ 1", "OK"},
			{"json.del other .", "(integer) 1"},
			{"json.forget other", "(integer) 0"},
			{"exists other", "(integer) 0"},
		}, `{"nested":{"b":3},"arr":[1.2,2]}`},
		{"delete nested matches", `{"a":{"a":2,"b":3},"b":["a"]}`, [][2]string{{"json.del doc $..a", "(integer) 1"}}, `{"b":["a"]}`},
		{"delete all members", `{"a":1}`, [][2]string{{"json.del doc $.*", "(integer) 1"}}, `{}`},
		{"clear", `{"obj":{"a":1,"b":2},"arr":[1,2,3],"str":"foo","bool":true,"int":42,"float":3.14,"null":null}`, [][2]string{
			{"json.clear doc $.*", "(integer) 4"},
			{"json.clear doc $.*", "(integer) 0"},
			{"json.clear doc .none", "(integer) 0"},
			{"json.clear none", noDocument},
		}, `{"obj":{},"arr":[],"str":"foo","bool":true,"int":0,"float":0,"null":null}`},
		{"clear the root", `{"a":1}`, [][2]string{{"json.clear doc", "(integer) 1"}}, `{}`},
		{"clear nested matches", `[[1,[2]],5]`, [][2]string{{"json.clear doc $..*", "(integer) 5"}}, `[[],0]`},
	})
}

func TestJSONNumbers(t *testing.T) {
	runJSON(t, []jsonCase{
		{"add", `{"a":"b","b":[{"a":2},{"a":5.0},{"a":"c"}]}`, [][2]string{
			{"json.numincrby doc $..a 2", bulk(`[4,7.0,null,null]`)},
			{"json.numincrby doc $.a 2", bulk(`[null]`)},
			{"json.numincrby doc .b[0].a -5", bulk(`-1`)},
			{"json.numincrby doc $.none 1", bulk(`[]`)},
			{"json.numincrby doc .none 1", "(error) ERR Path does not exist or does not contains a number"},
			{"json.numincrby doc .a 1", "(error) ERR Path does not exist or does not contains a number"},
			{"json.numincrby none $ 1", noDocument},
			{`json.numincrby doc $..a "1"`, "(error) ERR bad input number"},
			{`json.numincrby doc $..a x`, "(error) invalid character 'x' looking for beginning of value"},
		}, `{"a":"b","b":[{"a":-1},{"a":7.0},{"a":"c"}]}`},
		{"multiply and raise", `{"a":2,"b":[{"a":5.0}]}`, [][2]string{
			{"json.nummultby doc $..a 2", bulk(`[10.0,4]`)},
			{"json.numpowby doc $..a 3", bulk(`[1000.0,64]`)},
			{"json.nummultby doc ..a 0.5", bulk(`32.0`)},
		}, `{"a":32.0,"b":[{"a":500.0}]}`},
		{"64 bits are exact, and all or nothing is changed", `[1,9007199254740992,9223372036854775806]`, [][2]string{
			{"json.numincrby doc $[*] 1", bulk(`[2,9007199254740993,9223372036854775807]`)},
			{"json.numincrby doc $[*] 1", "(error) ERR numeric overflow"},
			{"json.nummultby doc $[*] 1e308", "(error) ERR result is not a number"},
		}, `[2,9007199254740993,9223372036854775807]`},
	})
}

func TestJSONStringsAndBooleans(t *testing.T) {
	runJSON(t, []jsonCase{
		{"append", `{"a":"foo","nested":{"a":"hello"},"nested2":{"a":31}}`, [][2]string{
			{`json.strappend doc $..a "baz"`, "[(integer) 8 (nil) (integer) 6]"},
			{`json.strlen doc $..a`, "[(integer) 8 (nil) (integer) 6]"},
			{`json.strappend doc .a "é"`, "(integer) 8"},
			{`json.strlen doc .a`, "(integer) 8"},
			{`json.strlen doc .nested2.a`, "(error) WRONGTYPE wrong type of path value - expected string"},
			{`json.strlen doc .none`, noPath},
			{`json.strlen none .a`, "(nil)"},
			{`json.strlen none $.a`, noDocument},
			{`json.strappend doc .nested2.a "x"`, "(error) ERR Path does not exist or not a string"},
			{`json.strappend doc $..a 1`, "(error) WRONGTYPE wrong type of path value - expected string"},
			{`json.strappend none $..a "x"`, noDocument},
		}, `{"a":"foobazé","nested":{"a":"hellobaz"},"nested2":{"a":31}}`},
		{"a string as document", `"abcd"`, [][2]string{
			{`json.strappend doc "piu"`, "(integer) 7"},
			{`json.strlen doc`, "(integer) 7"},
		}, `"abcdpiu"`},
		{"toggle", `{"a":["foo"],"n1":{"a":false},"n2":{"a":31},"n3":{"a":true}}`, [][2]string{
			{`json.toggle doc $..a`, "[(integer) 1 (nil) (integer) 0 (nil)]"},
			{`json.toggle doc .n1.a`, bulk("false")},
			{`json.toggle doc .a`, "(error) ERR Path does not exist or not a bool"},
			{`json.toggle none $.a`, noDocument},
		}, `{"a":["foo"],"n1":{"a":false},"n2":{"a":31},"n3":{"a":false}}`},
	})
}

func TestJSONTypesAndObjects(t *testing.T) {
	runJSON(t, []jsonCase{
		{"types", `[null,true,1,1.5,"s",[],{}]`, [][2]string{
			{"json.type doc", bulk("array")},
			{"json.type doc $[*]", `["null" "boolean" "integer" "number" "string" "array" "object"]`},
			{"json.type doc $.none", "[]"},
			{"json.type doc .none", "(nil)"},
			{"json.type none", "(nil)"},
			{"json.type none $", "(nil)"},
			{"type doc", "ReJSON-RL"},
		}, ""},
		{"objects", `{"a":[3],"nested":{"a":{"b":2,"c":1}}}`, [][2]string{
			{"json.objkeys doc $..a", `[["b" "c"] (nil)]`},
			{"json.objlen doc $..a", `[(integer) 2 (nil)]`},
			{"json.objkeys doc", `["a" "nested"]`},
			{"json.objlen doc", `(integer) 2`},
			{"json.objkeys doc .a", "(error) ERR Path does not exist or not an object"},
			{"json.objlen doc .a", "(error) WRONGTYPE wrong type of path value - expected object"},
			{"json.objkeys doc .none", "(nil)"},
			{"json.objlen doc .none", "(nil)"},
			{"json.objkeys none", "(nil)"},
			{"json.objlen none", "(nil)"},
			{"json.objkeys none $", noDocument},
			{"json.objlen none $", "(error) ERR Path does not exist or not an object"},
		}, ""},
		{"as replies", `{"n":null,"b":true,"i":17,"f":64.99,"s":"x","a":["black",[]],"o":{"t":false},"u":18446744073709551615}`, [][2]string{
			{"json.resp doc", `[{ "n" (nil) "b" true "i" (integer) 17 "f" "64.99" "s" "x" "a" [[ "black" [[]] "o" [{ "t" false] "u" "18446744073709551615"]`},
			{"json.resp doc $.i", "[(integer) 17]"},
			{"json.resp doc .none", noPath},
			{"json.resp none", "(nil)"},
		}, ""},
		{"memory", `{"a":[1,2],"b":"text"}`, [][2]string{
			{"json.debug memory doc $.none", "[]"},
			{"json.debug memory none $", "[]"},
			{"json.debug memory none", "(integer) 0"},
			{"json.debug memory doc .none", noPath},
			{"json.debug memory doc $.b", "[(integer) 36]"},
			{"json.debug help", `["MEMORY <key> [path] - reports memory usage" "HELP                - this message"]`},
		}, ""},
	})
}

func TestJSONArrays(t *testing.T) {
	runJSON(t, []jsonCase{
		{"append", `{"a":["foo"],"n1":{"a":["hello",null]},"n2":{"a":31}}`, [][2]string{
			{`json.arrappend doc $..a "bar" [7]`, "[(integer) 4 (nil) (integer) 3]"},
			{`json.arrappend doc .n1.a "baz"`, "(integer) 5"},
			{`json.arrlen doc $..a`, "[(integer) 5 (nil) (integer) 3]"},
			{`json.arrlen doc .a`, "(integer) 3"},
			{`json.arrlen doc .n2.a`, "(error) ERR Path does not exist or not an array"},
			{`json.arrlen doc .none`, noPath},
			{`json.arrlen none`, "(nil)"},
			{`json.arrlen none $`, noDocument},
			{`json.arrappend doc .n2.a 1`, "(error) ERR Path does not exist or not an array"},
			{`json.arrappend doc $.none 1`, "[]"},
			{`json.arrappend none $ 1`, noDocument},
			{`json.arrappend doc $.a 1 x`, "(error) invalid character 'x' looking for beginning of value"},
		}, `{"a":["foo","bar",[7]],"n1":{"a":["hello",null,"bar",[7],"baz"]},"n2":{"a":31}}`},
		{"insert", `{"a":["black","silver"],"b":[]}`, [][2]string{
			{`json.arrinsert doc $.a 1 "x" "y"`, "[(integer) 4]"},
			{`json.arrinsert doc .a -1 "z"`, "(integer) 5"},
			{`json.arrinsert doc .a 5 "end"`, "(integer) 6"},
			{`json.arrinsert doc $.* 6 1`, "(error) ERR index out of bounds"},
			{`json.arrinsert doc $.* -1 1`, "(error) ERR index out of bounds"},
			{`json.arrinsert doc $.* x 1`, "(error) ERR value is not an integer or out of range"},
		}, `{"a":["black","x","y","z","silver","end"],"b":[]}`},
		{"insert into nested matches", `{"a":[[1,2],[3,4]]}`, [][2]string{
			{`json.arrinsert doc $..* 0 99`, "[(nil) (nil) (nil) (nil) (integer) 3 (integer) 3 (integer) 3]"},
		}, `{"a":[99,[99,1,2],[99,3,4]]}`},
		{"index", `{"arr":[0,1,2,3.0,3,{"val":4},[3,4],"a",null],"s":"x"}`, [][2]string{
			{"json.arrindex doc $.arr 2", "[(integer) 2]"},
			{"json.arrindex doc .arr 3", "(integer) 4"},
			{"json.arrindex doc .arr 3.0", "(integer) 3"},
			{`json.arrindex doc .arr {"val":4}`, "(integer) 5"},
			{"json.arrindex doc .arr [3,4]", "(integer) 6"},
			{`json.arrindex doc .arr "a"`, "(integer) 7"},
			{"json.arrindex doc .arr null", "(integer) 8"},
			{"json.arrindex doc .arr 0 1", "(integer) -1"},
			{"json.arrindex doc .arr 0 -9", "(integer) 0"},
			{"json.arrindex doc .arr 1 0 1", "(integer) -1"},
			{"json.arrindex doc .arr 1 0 -7", "(integer) 1"},
			{"json.arrindex doc .arr null 0 -1", "(integer) -1"},
			{"json.arrindex doc .arr null 99", "(integer) 8"},
			{"json.arrindex doc $.* 1", "[(integer) 1 (nil)]"},
			{"json.arrindex doc .s 1", "(error) WRONGTYPE wrong type of path value - expected array"},
			{"json.arrindex doc .none 1", noPath},
			{"json.arrindex none $ 1", noPath},
			{"json.arrindex none . 1", noPath},
		}, ""},
		{"pop", `[1,2,3,4,5,6,7,8,9]`, [][2]string{
			{"json.arrpop doc", bulk("9")},
			{"json.arrpop doc .", bulk("8")},
			{"json.arrpop doc $ -1", `["7"]`},
			{"json.arrpop doc $ 0", `["1"]`},
			{"json.arrpop doc . -2", bulk("5")},
			{"json.arrpop doc . 99", bulk("6")},
			{"json.arrpop doc . -99", bulk("2")},
			{"json.arrpop doc $", `["4"]`},
			{"json.arrpop doc $", `["3"]`},
			{"json.arrpop doc $", `[(nil)]`},
			{"json.arrpop doc", `(nil)`},
			{"json.arrpop doc .none", "(error) ERR Path does not exist or not an array"},
			{"json.arrpop none", noDocument},
		}, `[]`},
		{"pop from nested matches", `{"a":[[1,2,3],[4,5,6]]}`, [][2]string{
			{"json.arrpop doc $..* -1", `[(nil) (nil) (nil) (nil) (nil) (nil) "3" "6" "[4,5]"]`},
		}, `{"a":[[1,2]]}`},
		{"trim", `{"a":[0,1,2,3,2,1,0],"b":["x"],"c":1}`, [][2]string{
			{"json.arrtrim doc $.* 1 -2", "[(integer) 5 (integer) 0 (nil)]"},
			{"json.arrtrim doc .a 0 99", "(integer) 5"},
			{"json.arrtrim doc .a -4 2", "(integer) 2"},
			{"json.arrtrim doc .c 0 1", "(error) ERR Path does not exist or not an array"},
		}, `{"a":[2,3],"b":[],"c":1}`},
		{"trim all away", `[1,2,3]`, [][2]string{{"json.arrtrim doc $ 99 2", "[(integer) 0]"}}, `[]`},
		{"trim the wrong way round", `[1,2,3]`, [][2]string{{"json.arrtrim doc $ -1 0", "[(integer) 0]"}}, `[]`},
	})
}

func TestJSONDepthIsLimited(t *testing.T) {
	d := newTestEngine(t)
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	const tooDeep = "(error) ERR recursion limit exceeded"
	at := "$" + strings.Repeat(".a", 100)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"json.set", "k", "$", nested(128)}, tooDeep},
		{[]string{"json.set", "k", "$", nested(127)}, "OK"},
		{[]string{"json.set", "k", at, nested(28)}, tooDeep},
		{[]string{"json.set", "k", at + ".b", nested(27)}, tooDeep},
		{[]string{"json.merge", "k", at, nested(28)}, tooDeep},
		{[]string{"json.set", "k", at, `[]`}, "OK"},
		{[]string{"json.arrappend", "k", at, nested(27)}, tooDeep},
		{[]string{"json.arrinsert", "k", at, "0", nested(27)}, tooDeep},
		{[]string{"json.arrappend", "k", at, nested(26)}, "[(integer) 1]"},
		{[]string{"json.arrappend", "k", at + "[0]" + strings.Repeat(".a", 26), "1"}, "[(nil)]"},
	} {
		if got := d.do(tt.args...); got != tt.want {
			t.Errorf("%.60q: %s, want %s", tt.args, got, tt.want)
		}
	}
}

func TestJSONIsATypeOfItsOwn(t *testing.T) {
	d := newTestEngine(t)
	d.do("json.set", "j", "$", `{"a":[1,2.50]}`)
	d.do("expire", "j", "100")
	d.do("set", "s", "{}")
	d.check(
		[2]string{"scan 0 type rejson-rl", `["0" ["j"]]`},
		[2]string{"object encoding j", bulk("raw")},
		[2]string{"sort j", wrongType},
		[2]string{"append j x", wrongType},
		[2]string{"json.get s", wrongType},
		[2]string{"json.set s $ 1", wrongType},
		[2]string{"json.set s $ 1 nx", wrongType},
		[2]string{"json.del s", wrongType},
		[2]string{"json.numincrby s $ 1", wrongType},
		[2]string{"json.type s $", wrongType},
		[2]string{"copy j c", "(integer) 1"},
		[2]string{"json.set j $.a[0] 9", "OK"},
		[2]string{"json.get c", bulk(`{"a":[1,2.50]}`)},
		[2]string{"ttl c", "(integer) 100"},
		[2]string{"rename c r", "OK"},
		[2]string{"json.get r $.a", bulk(`[[1,2.50]]`)},
		[2]string{"set r x", "OK"},
		[2]string{"get r", bulk("x")},
		[2]string{"rename j s", "OK"},
		[2]string{"json.get s", bulk(`{"a":[9,2.50]}`)},
	)
	if got := d.cmd("memory usage s"); got == "(nil)" || got == "(integer) 0" {
		t.Errorf("MEMORY USAGE: %s", got)
	}
	payload := d.dumped("s")
	if got := d.do("restore", "new", "5000", payload); got != "OK" {
		t.Error(got)
	}
	d.check([2]string{"json.get new $", bulk(`[{"a":[9,2.50]}]`)}, [2]string{"pttl new", "(integer) 5000"})
}

// A document longer than an item is stored in chunks; nothing else changes.
func TestLongJSON(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		st := newLedger(t)
		d := newTestEngineOn(t, st)
		testLongJSON(t, d)
		d.clock.advance(time.Hour)
		d.reclaim()
		if left := left(st); len(left) != 1 {
			t.Errorf("%d items are left in the store, want one: %q", len(left), left)
		}
	})
	t.Run("DynamoDB", func(t *testing.T) {
		client := dynamolocal.Client(t)
		st := dynamo.New(client, dynamolocal.Table(t, client))
		t.Cleanup(func() { st.Close() })
		testLongJSON(t, newTestEngineOn(t, st))
	})
}

func testLongJSON(t *testing.T, d *testDB) {
	t.Helper()
	long := strings.Repeat("0123456789", 80<<10)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"json.set", "k", "$", `{"n":1,"s":"` + long + `","arr":[1]}`}, "OK"},
		{[]string{"json.numincrby", "k", "$.n", "41"}, bulk(`[42]`)},
		{[]string{"json.strappend", "k", "$.s", `"more"`}, fmt.Sprintf("[(integer) %d]", len(long)+4)},
		{[]string{"json.get", "k", "$.n", "$.arr"}, bulk(`{"$.n":[42],"$.arr":[[1]]}`)},
		{[]string{"json.get", "k"}, bulk(`{"n":42,"s":"` + long + `more","arr":[1]}`)},
		{[]string{"type", "k"}, "ReJSON-RL"},
		{[]string{"get", "k"}, wrongType},
		{[]string{"copy", "k", "c"}, "(integer) 1"},
		{[]string{"rename", "k", "r"}, "OK"},
		{[]string{"json.set", "r", "$", `{"short":true}`}, "OK"},
		{[]string{"json.get", "r"}, bulk(`{"short":true}`)},
		{[]string{"json.get", "c", "$.n"}, bulk(`[42]`)},
		{[]string{"json.del", "c", "$.s"}, "(integer) 1"},
		{[]string{"json.get", "c"}, bulk(`{"n":42,"arr":[1]}`)},
		{[]string{"json.set", "c", "$.s", `"` + long + `"`}, "OK"},
		{[]string{"json.del", "c"}, "(integer) 1"},
		{[]string{"json.get", "c"}, "(nil)"},
		{[]string{"exists", "k"}, "(integer) 0"},
	} {
		if got := d.do(tt.args...); got != tt.want {
			t.Errorf("%.80q: %.200s, want %.200s", tt.args, got, tt.want)
		}
	}
}

func TestJSONInTransactions(t *testing.T) {
	d := newTestEngine(t)
	got, err := d.multi(
		`json.set k $ {"a":1,"b":[]}`, `json.numincrby k $.a 1`, `json.arrappend k $.b 1 2`, `json.numincrby k $.b[*] x`, `json.arrinsert k $.b 9 1`,
		`json.get k`, `copy k c`, `json.set k $.a {}`, `json.mget k c $.a`, `json.del k`, `json.get k`, `json.set c $.a[ 1`)
	if want := strings.Join([]string{
		"OK", bulk("[2]"), "[(integer) 2]", "(error) invalid character 'x' looking for beginning of value", "(error) ERR index out of bounds",
		bulk(`{"a":2,"b":[1,2]}`), "(integer) 1", "OK", `["[{}]" "[2]"]`, "(integer) 1", "(nil)", "(error) ERR invalid path: error at position 4, expected a number, a string, '*', ':' or '?'",
	}, " "); err != nil || got != want {
		t.Errorf("%v\n%s, want\n%s", err, got, want)
	}
	d.check([2]string{"json.get c", bulk(`{"a":2,"b":[1,2]}`)}, [2]string{"exists k", "(integer) 0"})
}

func TestJSONCalls(t *testing.T) {
	d := newTestEngine(t)
	d.costs(1, `json.set k $ {"a":1}`, `json.set k $ {"a":2}`, `json.set k . {"a":2} xx`, `json.set new $ 1 nx`, `json.set k $ 1 nx`, `json.get k $.a`, `json.mset k $ {"a":1} l $ 2`, `json.del l`, `json.del l`)
	d.costs(2, `json.numincrby k $.a 1`, `json.set k $.b 1`, `json.merge k $ {"c":1}`, `json.del k $.b`)
}

// A reply that would be too large is refused before it takes much memory.
func TestJSONRepliesAreBounded(t *testing.T) {
	d := newTestEngine(t)
	d.do("json.set", "k", "$", "["+strings.Repeat("[[1]],", 1000)+"0]")
	for _, args := range [][]string{
		{"json.get", "k", "indent", strings.Repeat(" ", 1<<20)},
		{"json.get", "k", "space", strings.Repeat(" ", 6<<20), "$", ".", "[0]"},
	} {
		if got := d.do(args...); !strings.HasPrefix(got, "(error) ERR max request size exceeded") {
			t.Errorf("%.40q: %.100s", args, got)
		}
	}
}

// Copies that would make a document too large are not made.
func TestJSONCopiesAreBounded(t *testing.T) {
	d := newTestEngine(t)
	d.do("json.set", "k", "$", "["+strings.Repeat(`{"a":[],"s":""},`, 1000)+"0]")
	before := d.do("json.get", "k")
	text := `"` + strings.Repeat("x", 9<<20) + `"`
	for _, args := range [][]string{
		{"json.set", "k", "$[*]", text},
		{"json.merge", "k", "$[*].s", text},
		{"json.mset", "k", "$..a", text, "l", "$", "1"},
		{"json.arrappend", "k", "$..a", text},
		{"json.arrinsert", "k", "$..a", "0", "1", text},
		{"json.strappend", "k", "$..s", text},
	} {
		if got := d.do(args...); !strings.HasPrefix(got, "(error) ERR max single record size exceeded. Limit: 104857600 bytes") {
			t.Errorf("%.30q: %.100s", args, got)
		}
	}
	d.check([2]string{"exists l", "(integer) 0"})
	if d.do("json.get", "k") != before {
		t.Error("the document has changed")
	}
}

// Changes of documents whose answers are lost take effect exactly once.
func TestLostAnswersOfJSON(t *testing.T) {
	const clients, times = 8, 25
	f := newFleet(t, 4)
	f.do(0, `json.set k $ {"n":0,"a":[]}`)
	for c := range clients {
		f.do(0, fmt.Sprintf("json.set own%d $ 0", c))
	}
	f.clock.advance(time.Hour)
	f.faults.SetPlan(stormy)
	f.run(clients, times, func(c, i int) {
		f.do(c, `json.numincrby k $.n 1`)
		f.do(c, fmt.Sprintf(`json.arrappend k $.a "%d-%d"`, c, i))
		f.do(c, fmt.Sprintf(`json.set own%d $ {"i":%d}`, c, i))
	})
	f.faults.SetPlan(faulty.Plan{})
	f.faults.Flush()
	if n := f.unknown.Load(); n != 0 {
		t.Errorf("%d commands of unknown outcome", n)
	}
	for _, want := range [][2]string{
		{"json.get k $.n", bulk(fmt.Sprintf("[%d]", clients*times))},
		{"json.arrlen k $.a", fmt.Sprintf("[(integer) %d]", clients*times)},
		{"json.get own3", bulk(fmt.Sprintf(`{"i":%d}`, times-1))},
	} {
		if got, ok := f.do(0, want[0]); !ok || got != want[1] {
			t.Errorf("%s: %s, want %s", want[0], got, want[1])
		}
	}
}
