package script_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
)

// countingHost counts the steps of a run.
type countingHost struct {
	echoHost
	steps int64
}

func (h *countingHost) Use(steps, _ int64) error {
	h.steps += steps
	return nil
}

// A step stands for so many bytes at most, on average: who allocates more takes more steps. So the bound on
// steps bounds what a run leaves to the garbage collector.
func TestStepsCountWhatIsAllocated(t *testing.T) {
	const most = 160 * raceFactor
	for name, source := range map[string]string{
		"pcall":                     `local function f() end for i = 1, 10000 do pcall(f) end`,
		"pcall of an error":         `for i = 1, 5000 do pcall(error, 'x') end`,
		"coroutines":                `local function f() end for i = 1, 5000 do coroutine.wrap(f)() end`,
		"tables":                    `for i = 1, 25000 do local t = {} end`,
		"tables with a value":       `for i = 1, 25000 do local t = {} t[1] = i end`,
		"tables with a field":       `for i = 1, 25000 do local t = {} t.a = i end`,
		"constructors with a field": `for i = 1, 25000 do local t = {a = i} end`,
		"tables with a number":      `for i = 1, 25000 do local t = {} t[1.5] = i end`,
		"tables with both":          `for i = 1, 25000 do local t = {} t[1] = i t.a = i t[1.5] = i end`,
		"large arrays":              `for j = 1, 5 do local t = {} for i = 1, 10000 do t[i] = i end end`,
		"large tables":              `for j = 1, 5 do local t = {} for i = 1, 5000 do t['k' .. i] = i end end`,
		"sparse tables":             `for i = 1, 4 do local t = {[1000000] = 1} end`,
		"closures":                  `for i = 1, 25000 do local f = function() return i end end`,
		"metatables":                `for i = 1, 25000 do local t = setmetatable({}, {__index = function() end}) end`,
		"status replies":            `for i = 1, 25000 do redis.status_reply('x') end`,
		"error replies":             `for i = 1, 25000 do redis.error_reply('x') end`,
		"replies":                   `for i = 1, 20000 do redis.call('map') end`,
		"decoded arrays":            `cjson.decode('[' .. string.rep('[],', 100000) .. '0]')`,
		"decoded nested arrays":     `local s = string.rep('[', 900) .. string.rep(']', 900) for i = 1, 100 do cjson.decode(s) end`,
		"decoded objects":           `cjson.decode('[' .. string.rep('{"a":1},', 20000) .. '0]')`,
		"decoded numbers":           `cjson.decode('[' .. string.rep('1e5,', 100000) .. '0]')`,
		"decoded strings":           `cjson.decode('[' .. string.rep('"a",', 100000) .. '0]')`,
		"decoded escapes":           `local s = '"' .. string.rep('\\u0041', 100000) .. '"' for i = 1, 10 do cjson.decode(s) end`,
		"unpacked arrays":           `local s = string.rep('\145\1', 7000) for i = 1, 10 do cmsgpack.unpack(s) end`,
		"unpacked maps":             `local s = string.rep('\129\161a\1', 7000) for i = 1, 10 do cmsgpack.unpack(s) end`,
		"failures to unpack":        `for i = 1, 3000 do pcall(cmsgpack.unpack, '\221\127\255\255\255') end`,
		"encoded strings":           `local s = {} for i = 1, 100 do s[i] = string.rep('"', 1000) end for i = 1, 20 do cjson.encode(s) end`,
		"concatenations":            `for i = 1, 20000 do local s = string.rep('x', 1000) .. i end`,
		"substrings":                `local s = string.rep('x', 1000) for i = 1, 25000 do local t = s:sub(2, 900):upper() end`,
		"replacements":              `local s = string.rep('a', 1000) for i = 1, 100 do s:gsub('a', 'bb') end`,
		"formats":                   `for i = 1, 20000 do string.format('%d %s', i, 'x') end`,
	} {
		t.Run(name, func(t *testing.T) {
			in := script.New(script.Limits{Time: time.Hour, Steps: 1 << 40})
			p, err := in.Compile(source)
			if err != nil {
				t.Fatal(err)
			}
			host := &countingHost{echoHost: echoHost{replies: replies}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err = in.Run(t.Context(), p, script.Input{Host: host}, &resp.Writer{})
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if each := float64(after.TotalAlloc-before.TotalAlloc) / float64(host.steps+4096); each > most { // the last steps are not told
				t.Errorf("a step allocates %.0f bytes on average, more than %.0f", each, float64(most))
			}
		})
	}
}

// Tables become large step by step, in whatever way a script fills them.
func TestTablesGrow(t *testing.T) {
	for name, source := range map[string]string{
		"by index":              `local t = {} for i = 1, 50000 do t[i] = i end return #t`,
		"by the next index":     `local t = {} for i = 1, 50000 do t[#t + 1] = i end return #t`,
		"by index, of a field":  `local o = {a = {b = {}}} for i = 1, 50000 do o.a.b[i] = i end return #o.a.b`,
		"by index, of a result": `local t = {} local function f() return t, 1 end for i = 1, 50000 do f()[i] = i end return #t`,
		"two at a time":         `local o = {a = {}, b = {}} for i = 1, 50000 do o.a[i], o.b[i] = i, i end return #o.b`,
		"by insert":             `local t = {} for i = 1, 50000 do table.insert(t, i) end return #t`,
		"by insert at the end":  `local t = {} for i = 1, 50000 do table.insert(t, i, i) end return #t`,
		"by rawset":             `local t = {} for i = 1, 50000 do rawset(t, i, i) end return #t`,
		"and change":            `local t = {} for i = 1, 50000 do t[i] = i end for i = 1, 25000 do t[i], t[50001 - i] = t[50001 - i], t[i] end return #t`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := eval(t, script.New(script.Limits{Time: time.Hour}), source)
			if err != nil || got != ":50000\r\n" {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
	for source, want := range map[string]string{
		`local t = {} local o = {t} o[1][2000], o[1][2001] = 1, 2 return {t[2000], t[2001]}`:                                   "*2\r\n:1\r\n:2\r\n",
		`local n = 0 local t = {} local function f() n = n + 1 return t end f()[f() and 5000] = f() and 7 return {n, t[5000]}`: "*2\r\n:3\r\n:7\r\n",
		`local t = setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v * 2) end}) t[3000] = 4 return t[3000]`:      ":8\r\n",
	} {
		if got, err := eval(t, script.New(script.Limits{}), source); err != nil || got != want {
			t.Errorf("%s: %q, %v", source, got, err)
		}
	}
}

// callingHost counts calls.
type callingHost struct {
	echoHost
	calls int
}

func (h *callingHost) Call(args []string) ([]byte, error) {
	h.calls++
	return []byte("_\r\n"), nil
}

// An instruction that reads a long string takes as many steps as that takes time, wherever it is carried out and
// wherever the string is from.
func TestInstructionsThatReadLongStrings(t *testing.T) {
	const steps, most = 2_000_000, 2000
	long := strings.Repeat("a", 300_000)
	const two = `local s, u = string.rep('a', 3e5), string.rep('a', 3e5) `
	for name, source := range map[string]string{
		"equality":                       two + `while true do redis.call('x') local b = s == u end`,
		"inequality":                     two + `while true do redis.call('x') local b = s ~= u end`,
		"order":                          two + `s, u = s .. 'a', u .. 'b' while true do redis.call('x') local b = s < u end`,
		"order or equality":              two + `s, u = s .. 'a', u .. 'b' while true do redis.call('x') if s >= u then break end end`,
		"reading a table":                two + `local t = {a = 1} while true do redis.call('x') local x = t[s] end`,
		"writing a table":                two + `local t = {a = 1} while true do redis.call('x') t[s] = 1 end`,
		"in a coroutine":                 two + `coroutine.wrap(function() while true do redis.call('x') local b = s == u end end)()`,
		"in a protected call":            two + `pcall(function() while true do redis.call('x') local b = s == u end end)`,
		"a string of the arguments":      `local s = ARGV[1] local u = s:sub(1, -2) .. 'a' while true do redis.call('x') local b = s == u end`,
		"a string of the source":         `local s, t = [[` + long + `]], {a = 1} while true do redis.call('x') local x = t[s] end`,
		"a string of the source, loaded": `loadstring("local s, t = [[" .. ARGV[1] .. "]], {a = 1} while true do redis.call('x') local x = t[s] end")()`,
	} {
		t.Run(name, func(t *testing.T) {
			in := script.New(script.Limits{Time: time.Hour, Steps: steps})
			p, err := in.Compile(source)
			if err != nil {
				t.Fatal(err)
			}
			host := &callingHost{}
			err = in.Run(t.Context(), p, script.Input{Host: host, Args: []string{long}}, &resp.Writer{})
			if err == nil || !strings.Contains(err.Error(), "steps") {
				t.Error(err)
			}
			if host.calls > most {
				t.Errorf("it was carried out %d times with %d steps", host.calls, steps)
			}
		})
	}
}
