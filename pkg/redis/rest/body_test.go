package rest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestJSONArguments(t *testing.T) {
	for _, tc := range []struct {
		name string
		body string
		want []string
	}{
		{"strings", `["set","k","v"]`, []string{"set", "k", "v"}},
		{"empty string", `["echo",""]`, []string{"echo", ""}},
		{"escapes", `["echo","\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00"]`, []string{"echo", "\"\\/\b\f\n\r\t\x00é😀"}},
		{"UTF-8", `["echo","é😀"]`, []string{"echo", "é😀"}},
		{"half a surrogate pair", `["echo","a\ud83dz\ude00"]`, []string{"echo", "a\uFFFDz\uFFFD"}},
		{"integer", `["set","k",100]`, []string{"set", "k", "100"}},
		{"fraction", `["set","k",99.98]`, []string{"set", "k", "99.98"}},
		{"exponent", `["set","k",1e+21]`, []string{"set", "k", "1e+21"}},
		{"exponent in capitals", `["set","k",-1.50E-07]`, []string{"set", "k", "-1.50E-07"}},
		{"negative zero", `["set","k",-0]`, []string{"set", "k", "-0"}},
		{"zeros at the end", `["set","k",1.00]`, []string{"set", "k", "1.00"}},
		{"more digits than a double has", `["set","k",12345678901234567890123.5]`, []string{"set", "k", "12345678901234567890123.5"}},
		{"booleans", `["set","k",true,false]`, []string{"set", "k", "true", "false"}},
		{"text of JSON stays text", `["set","k","{\"a\":[1]}"]`, []string{"set", "k", `{"a":[1]}`}},
		{"white space", " \t\r\n[ \"get\" ,\n\"k\" ] \n", []string{"get", "k"}},
		{"name that is not a string", `[1,"k"]`, []string{"1", "k"}},
		{"empty name", `[""]`, []string{""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, method := range []string{"POST", "PUT"} {
				s := newServer(t, nil)
				s.do(t, method, "/", tc.body)
				s.expectCommands(t, "do", tc.want)
			}
			for path, call := range map[string]string{"/pipeline": "pipeline", "/multi-exec": "multi"} {
				s := newServer(t, nil)
				s.do(t, "POST", path, `[["ping"], `+tc.body+`]`)
				s.expectCommands(t, call, []string{"ping"}, tc.want)
			}
		})
	}
}

const (
	saysEOF      = `{"error":"EOF"}`
	saysNotArray = `{"error":"expected JSON array"}`
	saysInvalid  = `{"error":"ERR invalid JSON"}`
	saysEmpty    = `{"error":"ERR empty command"}`
	saysNull     = `{"error":"ERR null args are not supported"}`
	saysArray    = `{"error":"ERR unsupported arg type: \"[\": json.Delim"}`
	saysObject   = `{"error":"ERR unsupported arg type: \"{\": json.Delim"}`
)

func TestMalformedBodies(t *testing.T) {
	both := []string{"/pipeline", "/multi-exec"}
	all := []string{"/", "/pipeline", "/multi-exec", "/pipeline/", "/multi-exec/"}
	for _, tc := range []struct {
		name  string
		paths []string
		body  string
		want  string
	}{
		{"no body", all, "", saysEOF},
		{"blank body", all, " \n", saysEOF},
		{"object", all, `{"a":1}`, saysNotArray},
		{"string", all, `"get"`, saysNotArray},
		{"number", all, `1`, saysNotArray},
		{"null", all, `null`, saysNotArray},
		{"no JSON", all, `get foo`, saysInvalid},
		{"form", all, `a=b&c=d`, saysInvalid},
		{"empty array", all, `[]`, saysEmpty},
		{"cut off", all, `[`, saysInvalid},
		{"no comma", []string{"/"}, `["get" "k"]`, saysInvalid},
		{"comma at the end", []string{"/"}, `["get",]`, saysInvalid},
		{"cut off within", []string{"/"}, `["get","k`, saysInvalid},
		{"without its end", []string{"/"}, `["get","k"`, saysInvalid},
		{"more behind it", []string{"/"}, `["get","k"] x`, saysInvalid},
		{"a second array", []string{"/"}, `["get","k"]["get","k"]`, saysInvalid},
		{"number with leading zero", []string{"/"}, `["get",01]`, saysInvalid},
		{"number with plus", []string{"/"}, `["get",+1]`, saysInvalid},
		{"NaN", []string{"/"}, `["get",NaN]`, saysInvalid},
		{"single quotes", []string{"/"}, `['get']`, saysInvalid},
		{"control character in a string", []string{"/"}, "[\"get\",\"a\nb\"]", saysInvalid},
		{"unknown escape", []string{"/"}, `["get","\x41"]`, saysInvalid},
		{"bytes that are not UTF-8", []string{"/"}, "[\"get\",\"\xff\"]", saysInvalid},
		{"byte order mark", []string{"/"}, "\ufeff[\"get\",\"k\"]", saysInvalid},
		{"null argument", []string{"/"}, `["set","k",null]`, saysNull},
		{"array argument", []string{"/"}, `["set","k",["v"]]`, saysArray},
		{"object argument", []string{"/"}, `["set","k",{"v":1}]`, saysObject},
		{"pipeline to the wrong path", []string{"/"}, `[["get","k"]]`, saysArray},
		{"member that is no array", both, `[["ping"],"get"]`, saysNotArray},
		{"command to the wrong path", both, `["get","k"]`, saysNotArray},
		{"object member", both, `[{"a":1}]`, saysNotArray},
		{"null member", both, `[null]`, saysNotArray},
		{"empty member", both, `[["ping"],[]]`, saysEmpty},
		{"null in a member", both, `[["ping"],["get",null]]`, saysNull},
		{"array in a member", both, `[["ping"],["get",[]]]`, saysArray},
		{"object in a member", both, `[["ping"],["get",{}]]`, saysObject},
		{"no comma between members", both, `[["ping"]["ping"]]`, saysInvalid},
		{"comma after the last member", both, `[["ping"],]`, saysInvalid},
		{"cut off between members", both, `[["ping"],`, saysInvalid},
		{"without the outer end", both, `[["ping"]`, saysInvalid},
		{"more behind the members", both, `[["ping"]]]`, saysInvalid},
		{"nested deep", all, strings.Repeat("[", 100_000), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, path := range tc.paths {
				s := newServer(t, nil)
				w := s.do(t, "POST", path, tc.body)
				if tc.want == "" {
					if w.Code != 400 {
						t.Errorf("%s: answer %d %s", path, w.Code, w.Body)
					}
				} else {
					expect(t, w, 400, tc.want)
				}
				s.expectNothingRan(t)
			}
		})
	}
	t.Run("GET has no body", func(t *testing.T) {
		for _, path := range all {
			s := newServer(t, nil)
			expect(t, s.do(t, "GET", path, `[["ping"]]`), 400, saysEOF)
			s.expectNothingRan(t)
		}
	})
}

func TestBodyParserCanBeUsedAgain(t *testing.T) {
	var p bodyParser
	first, err := p.command([]byte(`["set","k","first"]`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.command([]byte(`["set",`)); err != errInvalidJSON {
		t.Errorf("cut off: %v", err)
	}
	buf := []byte(`[["get","other"],["x"]]`)
	second, err := p.commands(buf)
	if err != nil {
		t.Fatal(err)
	}
	clear(buf) // arguments do not point into the body
	if _, err := p.commands([]byte(`[["a","b","c"]]`)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"set", "k", "first"}; !slices.Equal(first, want) {
		t.Errorf("first %q, want %q", first, want)
	}
	if want := [][]string{{"get", "other"}, {"x"}}; !slices.EqualFunc(second, want, slices.Equal[[]string]) {
		t.Errorf("second %q, want %q", second, want)
	}
}

// arguments is what encoding/json finds in a command; ok is false if it is none.
func arguments(v any) (args []string, ok bool) {
	array, ok := v.([]any)
	if !ok || len(array) == 0 {
		return nil, false
	}
	for _, v := range array {
		switch v := v.(type) {
		case string:
			args = append(args, v)
		case json.Number:
			args = append(args, v.String())
		case bool:
			text, err := json.Marshal(v)
			if err != nil {
				return nil, false
			}
			args = append(args, string(text))
		default:
			return nil, false
		}
	}
	return args, true
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{``, `[]`, `["get","k"]`, `[["get","k"],["set","k",1.50e-7,true]]`, `["a\ud83d\u0000é😀"]`,
		`[null]`, `[{"a":1}]`, `[[[]]]`, ` [ "a" ] x`, "[\"\xff\"]", `[-0,1E5,01]`, `[["a"],]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var value any
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.UseNumber()
		valid := utf8.Valid(body) && json.Valid(body) && d.Decode(&value) == nil

		var p bodyParser
		args, err := p.command(body)
		want, ok := arguments(value)
		if ok = ok && valid; ok != (err == nil) || ok && !slices.Equal(args, want) {
			t.Errorf("command %q: %q, %v; want %q, %v", body, args, err, want, ok)
		}

		cmds, err := p.commands(body)
		var wants [][]string
		members, ok := value.([]any)
		ok = ok && valid && len(members) > 0
		for _, m := range members {
			args, isCommand := arguments(m)
			ok = ok && isCommand
			wants = append(wants, args)
		}
		if ok != (err == nil) || ok && !slices.EqualFunc(cmds, wants, slices.Equal[[]string]) {
			t.Errorf("commands %q: %q, %v; want %q, %v", body, cmds, err, wants, ok)
		}
	})
}

// A body of more commands than a request may have is refused before all of them are in memory.
func TestTooManyCommands(t *testing.T) {
	var p bodyParser
	body := []byte("[" + strings.Repeat(`["a"],`, 1_000_000) + `["a"]]`)
	cmds, err := p.commands(body)
	if cmds != nil || err == nil || !strings.Contains(err.Error(), "max number of commands exceeded") {
		t.Errorf("%d commands, %v", len(cmds), err)
	}
}
