package script_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
)

// small are limits that a fuzz target can reach.
var small = script.Limits{Steps: 200_000, Memory: 64 << 20}

// run runs a program with arguments. It fails unless the run ends well or with an Error.
func run(t *testing.T, in *script.Interpreter, source string, args ...string) (string, bool) {
	t.Helper()
	p, err := in.Compile(source)
	if err == nil {
		var w resp.Writer
		if err = in.Run(t.Context(), p, script.Input{Args: args, Host: echoHost{replies: replies}}, &w); err == nil {
			if err := resp.Check(w.Buf); err != nil {
				t.Fatalf("%q replies %q: %v", source, w.Buf, err)
			}
			return string(w.Buf), true
		}
	}
	var e script.Error
	if !errors.As(err, &e) {
		t.Fatalf("%q: %v", source, err)
	}
	return e.Error(), false
}

// Whatever a script is, it ends with a well-formed reply or an error, within its limits.
func FuzzScript(f *testing.F) {
	for _, s := range []string{
		"return 1", "return {KEYS, ARGV}", "#!lua flags=no-writes\nreturn redis.call('x', 1.5)", "local t = {} for i = 1, 10 do t[#t + 1] = i .. '' end return t",
		"return pcall(error, {err='x'})", "return string.format('%5.2f|%q', 1, 'x')", "goto a ::a:: return ...", "return cjson.encode({{}, 'a', 1/0})",
		"local function f(...) return select('#', ...) end return f(unpack({1, 2}))", "return coroutine.wrap(function() coroutine.yield(1) end)()",
	} {
		f.Add(s)
	}
	in := script.New(small)
	f.Fuzz(func(t *testing.T, source string) { run(t, in, source, "1", "x") })
}

// What cjson, cmsgpack and struct read, they write so that they read the same again.
func FuzzCodecs(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,null,true],"b":"\u00e9\n"}`, `[[],{}]`, "\x93\x01\xa1x\xc0", "\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "\xdf\x00\x00\x00\x01\xa1a\x01", "\x05abcde"} {
		f.Add(s)
	}
	in := script.New(small)
	f.Fuzz(func(t *testing.T, data string) {
		for _, source := range []string{
			`local v = cjson.decode(ARGV[1]) local text = cjson.encode(v) if cjson.encode(cjson.decode(text)) == text then return 'ok' end return {text, cjson.encode(cjson.decode(text))}`,
			`local _, v = cmsgpack.unpack_one(ARGV[1]) local p = cmsgpack.pack(v)
				local _, again = cmsgpack.unpack_one(p) if cmsgpack.pack(again) == p then return 'ok' end return {p, cmsgpack.pack(again)}`,
			`local s = struct.unpack('Bc0', ARGV[1]) if struct.unpack('Bc0', struct.pack('Bc0', #s, s)) == s then return 'ok' end return s`,
		} {
			if got, ok := run(t, in, source, data); ok && got != "$2\r\nok\r\n" {
				t.Errorf("%q: %q", source, got)
			}
		}
	})
}

// Patterns match or fail; they find no text that is not there, and end.
func FuzzPatterns(f *testing.F) {
	for _, s := range [][2]string{{"hello world", "(%w+) (%w+)"}, {"a(b)c", "%b()"}, {"THE (quick) fox", "%f[%a]%a+"}, {"aaa", "^(a-)(a*)$"}, {"x", "[^]]"}, {"key = value", "^(%w+)%s*=%s*(%w+)$"}, {"aXb", "%1"}} {
		f.Add(s[0], s[1])
	}
	in := script.New(small)
	f.Fuzz(func(t *testing.T, text, pattern string) {
		got, ok := run(t, in, `local s, e = string.find(ARGV[1], ARGV[2]) if not s then return 'none' end
			local out, n = string.gsub(ARGV[1], ARGV[2], '%0') if out ~= ARGV[1] or n == 0 then return {out, n} end
			return string.sub(ARGV[1], s, e)`, text, pattern)
		if ok && got != "$4\r\nnone\r\n" && (got[0] != '$' || !strings.Contains(text, got[strings.Index(got, "\r\n")+2:len(got)-2])) {
			t.Errorf("%q in %q gives %q", pattern, text, got)
		}
	})
}
