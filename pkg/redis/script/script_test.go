package script_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
)

// echoHost answers commands from a table, and any other with its arguments.
type echoHost struct {
	replies map[string]func(w *resp.Writer)
	fail    error
}

func (h echoHost) Call(args []string) ([]byte, error) {
	var w resp.Writer
	if h.fail != nil {
		return nil, h.fail
	}
	if reply := h.replies[args[0]]; reply != nil {
		reply(&w)
	} else {
		w.Strings(args)
	}
	return w.Buf, nil
}

func (echoHost) Allowed(args []string) (bool, error) { return args[0] != "forbidden", nil }
func (echoHost) Use(_, _ int64) error                { return nil }
func (echoHost) Waited() time.Duration               { return 0 }
func (echoHost) Log(int, string)                     {}

var replies = map[string]func(w *resp.Writer){
	"status": func(w *resp.Writer) { w.Simple("FINE") },
	"error":  func(w *resp.Writer) { w.Error("WRONGTYPE no") },
	"int":    func(w *resp.Writer) { w.Int(7) },
	"null":   func(w *resp.Writer) { w.Null() },
	"nulls":  func(w *resp.Writer) { w.NullArray() },
	"double": func(w *resp.Writer) { w.Double(1.5) },
	"bool":   func(w *resp.Writer) { w.Bool(true) },
	"map": func(w *resp.Writer) {
		w.Map(1)
		w.Bulk("f")
		w.Bulk("v")
	},
	"set": func(w *resp.Writer) {
		w.Set(1)
		w.Bulk("m")
	},
}

func eval(t *testing.T, in *script.Interpreter, source string) (string, error) {
	t.Helper()
	p, err := in.Compile(source)
	if err != nil {
		return "", err
	}
	var w resp.Writer
	err = in.Run(t.Context(), p, script.Input{Keys: []string{"k1", "k2"}, Args: []string{"10", "abc"}, Host: echoHost{replies: replies}}, &w)
	return string(w.Buf), err
}

// Each row is a program and its reply, as redis-server 7.0 gives it (RESP, with blanks for line ends).
func TestPrograms(t *testing.T) {
	in := script.New(script.Limits{})
	for _, tc := range []struct{ name, source, want string }{
		{"nothing is null", `return`, `_`},
		{"false is null", `return false`, `_`},
		{"a number is truncated", `return -3.99`, `:-3`},
		{"infinity is the least integer", `return 1/0`, `:-9223372036854775808`},
		{"a table ends at its first nil", `return {1, 'x', nil, 4}`, `*2 :1 $1 x`},
		{"nested", `return {{1}, {ok='fine'}, {err='ERR bad'}}`, `*3 *1 :1 +fine -ERR bad`},
		{"double", `return {double=3.5}`, `,3.5`},
		{"map", `return {map={a=1}}`, `%1 $1 a :1`},
		{"error_reply keeps its code", `return redis.error_reply('MY err')`, `-MY err`},
		{"status_reply", `return redis.status_reply('fine')`, `+fine`},
		{"keys and arguments", `return {KEYS[1], KEYS[2], ARGV[1], #ARGV}`, `*4 $2 k1 $2 k2 $2 10 :2`},
		{"strings are numbers in arithmetic", `return ARGV[1] % 3 + '5' * 2`, `:11`},
		{"decimal with a zero in front", `return '010' + 0`, `:10`},
		{"but not in comparisons", `return ARGV[1] == 10`, `_`},
		{"strings are numbers in loops", `local n = 0 for i = '1', ARGV[1] do n = n + i end return n`, `:55`},
		{"milliseconds have all digits", `return 'at ' .. 1700000000000`, `$16 at 1700000000000`},
		{"numbers have 14 digits", `return tostring(0.1 + 0.2) .. ' ' .. 2^53 .. ' ' .. 1e15`, `$28 0.3 9.007199254741e+15 1e+15`},
		{"status reply in Lua", `return redis.call('status').ok`, `$4 FINE`},
		{"null is false", `return type(redis.call('null')) .. tostring(redis.call('nulls'))`, `$12 booleanfalse`},
		{"double is a string in RESP2", `return redis.call('double')`, `$3 1.5`},
		{"double in RESP3", `redis.setresp(3) return tostring(redis.call('double').double)`, `$3 1.5`},
		{"map in RESP2", `return redis.call('map')`, `*2 $1 f $1 v`},
		{"map in RESP3", `redis.setresp(3) return redis.call('map').map.f`, `$1 v`},
		{"set in RESP3", `redis.setresp(3) return tostring(redis.call('set').set.m)`, `$4 true`},
		{"boolean in RESP2", `return redis.call('bool')`, `:1`},
		{"null in RESP3", `redis.setresp(3) return type(redis.call('null'))`, `$3 nil`},
		{"an error of pcall is a table", `local e = redis.pcall('error') return {type(e), e.err}`, `*2 $5 table $12 WRONGTYPE no`},
		{"of Lua's pcall it is its text", `local ok, e = pcall(redis.call, 'error') return e`, `$12 WRONGTYPE no`},
		{"numbers are truncated in commands", `return redis.call('x', 3.7, -0.5, 1700000000000, 2^53, 1e20)`, `*6 $1 x $1 3 $1 0 $13 1700000000000 $16 9007199254740992 $21 100000000000000000000`},
		{"an upvalue outlives an error elsewhere", `local x = 1; local f = function() x = x + 1 end; pcall(error, 'e'); f(); return x`, `:2`},
		{"cjson", `local t = cjson.decode('{"a":[1,2.5,null],"b":{}}') return cjson.encode(t.a) .. cjson.encode(t.b) .. tostring(t.a[3] == cjson.null)`, `$18 [1,2.5,null]{}true`},
		{"cjson escapes", "return cjson.encode('a/\"\\n\\127')", `$15 "a\/\"\n\u007f"`},
		{"cmsgpack", `local a, b = cmsgpack.unpack(cmsgpack.pack({1, 'x'}, 2.5)) return {a[1], a[2], tostring(b)}`, `*3 :1 $1 x $3 2.5`},
		{"struct", `return {struct.unpack('>I2c0s', struct.pack('>I2c0s', 3, 'abc', 'de'))}`, `*3 $3 abc $2 de :9`},
		{"bit", `return {bit.bxor(5, 1), bit.bnot(0), bit.rol(0x12345678, 12), bit.tohex(255)}`, `*4 :4 :-1 :1164411171 $8 000000ff`},
		{"patterns", `return {string.find('key=val', '(%w+)=(%w+)')}`, `*4 :1 :7 $3 key $3 val`},
		{"gsub", `return {string.gsub('hello', '(l)', '[%1]')}`, `*2 $9 he[l][l]o :2`},
		{"format", `return string.format('%5d|%-4s|%05.1f|%x|%q', 42, 'ab', 3.14159, 255, 'a"b')`, "$26    42|ab  |003.1|ff|\"a\\\"b\""},
		{"coroutines", `local f = coroutine.wrap(function() for i = 1, 2 do coroutine.yield(i) end end) return {f(), f()}`, `*2 :1 :2`},
		{"logarithms of powers of ten are whole", `return {math.log10(1e15), math.log10(1000), math.log10(0.1), math.log10(1e-5), math.log10(1e308)}`, `*5 :15 :3 :-1 :-5 :308`},
		{"logarithms of what is no number above 0", `return {math.log10(0) == -1/0, math.log10(1/0) == 1/0, math.log10(-1) ~= math.log10(-1)}`, `*3 #t #t #t`},
		{"of extremes a NaN counts that comes first", `local n, function_of = 0/0, function(x) return x == x and x or 'nan' end
			return {function_of(math.max(n, 1)), function_of(math.max(1, n, 3)), function_of(math.min(n, 1)), function_of(math.min(1, n))}`, `*4 $3 nan :3 $3 nan :1`},
		{"string.byte of an index 0", `return {select('#', string.byte('abc', 0)), select('#', string.byte('abc', 2, 0)), #{string.byte('abc', 0, 2)}, #{string.byte('abc', -10, 2)}}`, `*4 :0 :0 :2 :2`},
		{"an error that is a number has a position", `local ok, e = pcall(function() error(255) end) return {type(e), e}`, `*2 $6 string $18 user_script:1: 255`},
		{"and none if none is asked for", `local ok, e = pcall(function() error(255, 0) end) return {type(e), e}`, `*2 $6 number :255`},
		{"nor if there is no function", `local ok, e = pcall(error, 255) return {type(e), e}`, `*2 $6 string $3 255`},
		{"randomseed", `math.randomseed(5) return math.random(1000)`, `:525`},
		{"loadstring", `return loadstring('return ' .. ARGV[1])()`, `:10`},
		{"sha1hex", `return redis.sha1hex('abc')`, `$40 a9993e364706816aba3e25717850c26c9cd0d89d`},
		{"acl_check_cmd", `return {redis.acl_check_cmd('get'), redis.acl_check_cmd('forbidden')}`, `*2 #t _`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := eval(t, in, tc.source)
			if err != nil {
				t.Fatal(err)
			}
			if got = strings.TrimSpace(strings.ReplaceAll(got, "\r\n", " ")); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	in := script.New(script.Limits{})
	const running = "ERR Error running script: "
	for _, tc := range []struct{ name, source, want string }{
		{"raised", "\nerror('boom')", running + "@user_script:2: boom"},
		{"raised without a place", `error('boom', 0)`, running + "boom"},
		{"of a command", "\n\nredis.call('error')", running + "@user_script:3: WRONGTYPE no"},
		{"of an argument", `redis.call({})`, running + "@user_script:1: ERR Lua redis lib command arguments must be strings or integers"},
		{"unknown global", `return foo`, running + "@user_script:1: Script attempted to access nonexistent global variable 'foo'"},
		{"new global", `foo = 1`, running + "@user_script:1: Attempt to modify a readonly table"},
		{"library", `string.x = 1`, running + "@user_script:1: Attempt to modify a readonly table"},
		{"library by rawset", `rawset(redis, 'call', 1)`, running + "Attempt to modify a readonly table"},
		{"nil", `local t = {} return t.x.y`, running + "@user_script:1: attempt to index a nil value"},
		{"arithmetic", `return {} + 1`, running + "@user_script:1: attempt to perform arithmetic on a table value"},
		{"concatenation", `return 'a' .. nil`, running + "@user_script:1: attempt to concatenate a nil value"},
		{"unpack", `return {unpack({}, 1, 8000)}`, running + "@user_script:1: too many results to unpack"},
		{"a reply within itself", `local t = {} t[1] = t return t`, "ERR reached lua stack limit"},
		{"syntax", `return return`, "ERR Error compiling script (new function): user_script:1: syntax error near 'return'"},
		{"end of the source", "\nreturn \"open", "ERR Error compiling script (new function): user_script:2: unfinished string near '<eof>'"},
		{"flag", "#!lua flags=bad\nreturn 1", "ERR Unexpected flag in script shebang: bad"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := eval(t, in, tc.source)
			var e script.Error
			if !errors.As(err, &e) || got != "" {
				t.Fatalf("got %q and error %v", got, err)
			}
			if e.Error() != tc.want {
				t.Errorf("got %s, want %s", e, tc.want)
			}
		})
	}
}

// Nothing of the host can be reached, and the usual ways out are not there.
func TestSandbox(t *testing.T) {
	in := script.New(script.Limits{})
	for _, name := range []string{"io", "require", "dofile", "loadfile", "debug", "package", "print", "getfenv", "setfenv", "newproxy", "module", "channel"} {
		if got, err := eval(t, in, `return tostring(`+name+`)`); err == nil {
			t.Errorf("%s is %s", name, got)
		}
	}
	for _, source := range []string{
		`return os.execute`, `return os.getenv`, `return getmetatable('').__index`, `return getmetatable(_G)`, `return rawget(_G, 'io')`,
	} {
		got, err := eval(t, in, source)
		if err == nil && got != "_\r\n" {
			t.Errorf("%s gives %q", source, got)
		}
	}
	if got, err := eval(t, in, "return loadstring('\\27Lua')"); err != nil || got != "_\r\n" {
		t.Errorf("bytecode: %q, %v", got, err)
	}
}

// A run that takes too much is stopped, whatever it does about it, and quickly.
func TestLimits(t *testing.T) {
	deep := strings.Repeat("{", 20_000) + "1" + strings.Repeat("}", 20_000)
	limits := script.Limits{Steps: 1_500_000, Time: time.Minute, Memory: 16 << 20}
	for _, tc := range []struct{ name, source, want string }{
		{"loop", `while true do end`, "steps"},
		{"loop that catches", `while true do pcall(function() while true do end end) end`, "steps"},
		{"loop in an error handler", `xpcall(error, function() while true do end end)`, "steps"},
		{"loop in a coroutine", `coroutine.wrap(function() while true do end end)()`, "steps"},
		{"coroutines without end", `while true do coroutine.wrap(function() end)() end`, ""},
		{"loop in a metamethod", `return setmetatable({}, {__index = function() while true do end end}).x`, "steps"},
		{"recursion", `local function f() return 1 + f() end return f()`, "stack overflow"},
		{"recursion through pcall", `local function f() return pcall(f) end f() while true do end`, "steps"},
		{"recursion through metamethods", `local t = {} setmetatable(t, {__index = function(t, k) return t[k + 1] end}) return t[1]`, "overflow"},
		{"recursion through gsub", `local function f(s) return (s:gsub('.', f)) end return f('x')`, "overflow"},
		{"pattern that tries without end", `return string.find(string.rep('a', 3000), '.-.-.-.-.-b')`, "steps"},
		{"deep pattern", `return string.find(string.rep('a', 100000), string.rep('a?', 50000) .. 'b')`, ""},
		{"doubling string", `local s = 'x' while true do s = s .. s end`, "memory"},
		{"string.rep", `return #string.rep('x', 1e12)`, "memory"},
		{"strings that are kept", `local t = {} for i = 1, 1e6 do t[i] = string.rep('x', 1e6) .. i end`, "memory"},
		{"sparse table", `local t = {} t[6e7] = 1`, "memory"},
		{"many sparse tables", `local t = {} for i = 1, 1000 do t[i] = {} t[i][100000 + i] = 1 end`, "memory"},
		{"sparse constructor", `return {[6e7] = 1}`, "memory"},
		{"table.concat", `local t = {} for i = 1, 1000 do t[i] = string.rep('x', 1e5) end return #table.concat(t)`, "memory"},
		{"growing table", `local t = {} for i = 1, 1e9 do t[i] = {i} end`, ""},
		{"gsub", `local s = string.rep('x', 1e5) return #s:gsub('x', s)`, "memory"},
		{"deep source", `return ` + deep, "syntax levels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := eval(t, script.New(limits), tc.source)
			var e script.Error
			if !errors.As(err, &e) || !strings.Contains(e.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("time", func(t *testing.T) {
		in := script.New(script.Limits{Time: time.Nanosecond, Steps: 1 << 50})
		if _, err := eval(t, in, `while true do end`); err == nil || !strings.Contains(err.Error(), "after 1ns") {
			t.Error(err)
		}
	})
	t.Run("context", func(t *testing.T) {
		in := script.New(script.Limits{Steps: 1 << 50})
		p, err := in.Compile(`while true do end`)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := in.Run(ctx, p, script.Input{Host: echoHost{}}, &resp.Writer{}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A look-up costs the tables that it goes through, each way in which a script can make one.
func TestChainsOfTablesAreCharged(t *testing.T) {
	const chain = `local s, t = string.rep('x', 3000), {m = function() end} for i = 1, 90 do t = setmetatable({}, {__index = t, __newindex = t}) end `
	for _, lookUps := range []string{
		`for i = 1, 3000 do local x = t.a end`,
		`local k = 'a' for i = 1, 3000 do local x = t[k] end`,
		`for i = 1, 3000 do t.a = nil end`,
		`local k = 'a' for i = 1, 3000 do t[k] = nil end`,
		`for i = 1, 3000 do t:m() end`,
		`return #s:gsub('.', t)`,
	} {
		short := strings.Replace(chain, "90", "7", 1)
		if _, err := eval(t, script.New(script.Limits{Steps: 250_000}), short+lookUps); err != nil {
			t.Errorf("7 tables: %s: %v", lookUps, err)
		}
		if _, err := eval(t, script.New(script.Limits{Steps: 250_000}), chain+lookUps); err == nil || !strings.Contains(err.Error(), "steps") {
			t.Errorf("90 tables: %s: %v", lookUps, err)
		}
	}
}

// What the host cannot do ends the run; no pcall holds it up.
// slowHost takes a second for a call, a part of which is waiting for others.
type slowHost struct {
	echoHost
	part   time.Duration
	waited time.Duration
}

func (h *slowHost) Call(args []string) ([]byte, error) {
	time.Sleep(time.Second)
	h.waited += h.part
	return h.echoHost.Call(args)
}

func (h *slowHost) Waited() time.Duration { return h.waited }

// What a run waits for others is not taken from its time.
func TestTimeDoesNotCountWaits(t *testing.T) {
	in := script.New(script.Limits{Time: 10 * time.Second})
	p, err := in.Compile(`for i = 1, 30 do redis.call('x') for i = 1, 5000 do end end`)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		waits   time.Duration
		stopped bool
	}{
		{0, true},
		{time.Second / 2, true},
		{time.Second * 3 / 4, false},
		{time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			host := &slowHost{part: tc.waits, waited: time.Hour} // what was before the run does not count either
			err := in.Run(t.Context(), p, script.Input{Host: host}, &resp.Writer{})
			if (err != nil) != tc.stopped {
				t.Errorf("with waits of %v: %v", tc.waits, err)
			}
		})
	}
}

func TestHostFailure(t *testing.T) {
	in := script.New(script.Limits{})
	p, err := in.Compile(`while true do pcall(redis.call, 'x') end`)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := in.Run(t.Context(), p, script.Input{Host: echoHost{fail: broken}}, &resp.Writer{}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestLibraries(t *testing.T) {
	in := script.New(script.Limits{})
	p, err := in.CompileLibrary("#!lua name=lib\nlocal n = 0\n" +
		"redis.register_function('count', function(keys, args) n = n + #keys + #args return n end)\n" +
		"redis.register_function{function_name='ro', callback=function() return redis.call('int') end, flags={'no-writes'}, description='reads'}")
	if err != nil {
		t.Fatal(err)
	}
	functions, err := in.Functions(t.Context(), p)
	if err != nil || len(functions) != 2 || !functions[1].Flags.NoWrites || functions[1].Description != "reads" {
		t.Fatalf("%+v, %v", functions, err)
	}
	for range 2 { // a library's variables start anew with each call
		var w resp.Writer
		if err := in.Call(t.Context(), p, "count", script.Input{Keys: []string{"a"}, Args: []string{"b", "c"}, Host: echoHost{}}, &w); err != nil || string(w.Buf) != ":3\r\n" {
			t.Errorf("%q, %v", w.Buf, err)
		}
	}
	for source, want := range map[string]string{
		"return 1":                                      "ERR Missing library metadata",
		"#!lua\nreturn 1":                               "ERR Library name was not given",
		"#!lua name=a-b\nreturn 1":                      "ERR Library names can only contain",
		"#!js name=a\nreturn 1":                         "ERR Engine 'js' not found",
		"#!lua name=a x=y\nreturn 1":                    "ERR Invalid metadata value given: x=y",
		"#!lua name=a\nredis.call('x')":                 "ERR Error registering functions: @user_script:2: attempt to call a nil value",
		"#!lua name=a\nredis.register_function('f', 1)": "ERR Error registering functions: @user_script:2: ERR second argument to redis.register_function must be a function",
		"#!lua name=a\nlocal f = function() end redis.register_function('f', f) x = 1": "ERR Error registering functions: @user_script:2: Attempt to modify a readonly table",
	} {
		p, err := in.CompileLibrary(source)
		if err == nil {
			_, err = in.Functions(t.Context(), p)
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", source, err, want)
		}
	}
}

// Runs share nothing, also at the same time.
func TestConcurrentRuns(t *testing.T) {
	in := script.New(script.Limits{})
	p, err := in.Compile(`local t = {} for i = 1, 200 do t[#t + 1] = ARGV[1] .. i end return cjson.encode(cjson.decode('[1]')) .. #table.concat(t) .. string.format('%d', ARGV[1])`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for g := range 8 {
		go func() {
			for range 50 {
				var w resp.Writer
				err := in.Run(context.Background(), p, script.Input{Args: []string{fmt.Sprint(g)}, Host: echoHost{}}, &w)
				if want := fmt.Sprintf("$7\r\n[1]692%d\r\n", g); err != nil || string(w.Buf) != want {
					done <- fmt.Errorf("%q, %v; want %q", w.Buf, err, want)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	in := script.New(script.Limits{})
	p, err := in.Compile(`local n = redis.call('int') if n > tonumber(ARGV[1]) then return {n, -1} end return {n, 1}`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var w resp.Writer
	for b.Loop() {
		w.Reset()
		if err := in.Run(context.Background(), p, script.Input{Keys: []string{"k"}, Args: []string{"10"}, Host: echoHost{replies: replies}}, &w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoop(b *testing.B) {
	in := script.New(script.Limits{Steps: 1 << 40, Time: time.Hour})
	p, err := in.Compile(`local n = 0 for i = 1, 1e5 do n = n + i % 7 end return n`)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := in.Run(context.Background(), p, script.Input{Host: echoHost{}}, &resp.Writer{}); err != nil {
			b.Fatal(err)
		}
	}
}

// Over Redis's own protocol, numbers and errors are Redis's, taken from redis-server 7.2.
func TestNativeNumbersAndErrors(t *testing.T) {
	in := script.New(script.Limits{})
	const call = "*2\r\n$4\r\necho\r\n"
	for _, tc := range []struct{ source, want string }{
		{`return redis.call('echo', -3.7)`, call + "$19\r\n-3.7000000000000002\r\n"},
		{`return redis.call('echo', 100)`, call + "$3\r\n100\r\n"},
		{`return redis.call('echo', 1e16)`, call + "$17\r\n10000000000000000\r\n"},
		{`return redis.call('echo', 1e17)`, call + "$5\r\n1e+17\r\n"},
		{`return redis.call('echo', 1e-5)`, call + "$22\r\n1.0000000000000001e-05\r\n"},
		{"\nerror('boom')", "ERR user_script:2: boom script: sum, on @user_script:2."},
		{`error('boom', 0)`, "ERR boom script: sum"},
		{`error({err = 'MY boom'})`, "MY boom script: sum"},
		{"\n\nredis.call('error')", "WRONGTYPE no script: sum, on @user_script:3."},
		{`return foo`, "ERR user_script:1: Script attempted to access nonexistent global variable 'foo' script: sum, on @user_script:1."},
	} {
		p, err := in.Compile(tc.source)
		if err != nil {
			t.Fatal(err)
		}
		var w resp.Writer
		if err = in.Run(t.Context(), p, script.Input{Host: echoHost{replies: replies}, Native: true, Name: "sum"}, &w); err != nil {
			w.Buf = []byte(err.Error())
		}
		if string(w.Buf) != tc.want {
			t.Errorf("%s: got %q, want %q", tc.source, w.Buf, tc.want)
		}
	}
}

func TestLibrariesAsRedisLoadsThem(t *testing.T) {
	in := script.New(script.Limits{Steps: 10_000})
	for _, tc := range []struct{ source, want string }{
		{"#!lua name=\"lib\"\nredis.register_function('f', function() return 1 end)", "lib"},
		{"#!lua name='lib'\nredis.register_function('f', function() return 1 end)", "lib"},
		{"#!lua name=\"lib\nredis.register_function('f', function() return 1 end)", "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"},
		{"#!lua name=lib\nredis.register_function('f.', function() return 1 end)", "ERR Error registering functions: @user_script:2: ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"},
		{"#!lua name=lib\nwhile true do end", "ERR FUNCTION LOAD timeout: the script was stopped after 10000 steps"},
	} {
		got := ""
		p, err := in.CompileLibrary(tc.source)
		if err == nil {
			got = p.Header.Library
			_, err = in.Functions(t.Context(), p)
		}
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.source, got, tc.want)
		}
	}
}
