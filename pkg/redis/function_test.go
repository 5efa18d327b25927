package redis_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

func isPassing(err error) bool {
	return errors.Is(err, store.ErrThrottled) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable)
}

const testLibrary = `#!lua name=lib
redis.register_function('set', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
redis.register_function{function_name='get', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}, description='reads'}
redis.register_function('plain', function(keys) return redis.call('GET', keys[1]) end)
redis.register_function{function_name='liar', callback=function(keys) return redis.call('SET', keys[1], 'x') end, flags={'no-writes'}}`

func TestFunctions(t *testing.T) {
	d := newTestEngine(t)
	const readOnly = "(error) ERR Error running script: @user_script:"
	run := func(want string, args ...string) {
		t.Helper()
		if got := d.do(args...); got != want && !(strings.HasSuffix(want, ":") && strings.HasPrefix(got, want)) {
			t.Errorf("%q: got %s, want %s", args, got, want)
		}
	}
	run(`"lib"`, "function", "load", testLibrary)
	run("(error) ERR Library 'lib' already exists", "function", "load", testLibrary)
	run(`"lib"`, "function", "load", "replace", testLibrary)
	run("(error) ERR Function set already exists", "function", "load", strings.Replace(testLibrary, "name=lib", "name=other", 1))
	run("(error) ERR No functions registered", "function", "load", "#!lua name=x\nreturn 1")
	run("(error) ERR Unknown option given: bad", "function", "load", "bad", testLibrary)
	run("OK", "fcall", "set", "1", "k", "v")
	run(`"v"`, "fcall", "get", "1", "k")
	run(`"v"`, "fcall_ro", "get", "1", "k")
	run(`"v"`, "fcall_ro", "plain", "1", "k") // Redis refuses it, the service does not
	run(readOnly, "fcall_ro", "set", "1", "k", "v")
	run(readOnly, "fcall", "liar", "1", "k")
	run("(error) ERR Function not found", "fcall", "nosuch", "0")
	run("(error) ERR Bad number of keys provided", "fcall", "get", "x")
	run(`[["library_name" "lib" "engine" "LUA" "functions" [["name" "set" "description" (nil) "flags" []] ["name" "get" "description" "reads" "flags" [no-writes]] ["name" "plain" "description" (nil) "flags" []] ["name" "liar" "description" (nil) "flags" [no-writes]]]]]`, "function", "list", "libraryname", "l*")
	run("[]", "function", "list", "libraryname", "x*", "withcode")
	run(`["running_script" (nil) "engines" ["LUA" ["libraries_count" (integer) 1 "functions_count" (integer) 4]]]`, "function", "stats")
	payload, _ := strconv.Unquote(d.do("function", "dump"))
	run("(error) ERR Library not found", "function", "delete", "nosuch")
	run("OK", "function", "delete", "lib")
	run("(error) ERR Function not found", "fcall", "get", "1", "k")
	run("OK", "function", "restore", payload)
	run("(error) ERR Library 'lib' already exists", "function", "restore", payload)
	run("OK", "function", "restore", payload, "replace")
	run("OK", "function", "restore", payload, "flush")
	run("(error) ERR DUMP payload version or checksum are wrong", "function", "restore", "x")
	run(`"v"`, "fcall", "get", "1", "k")
	run("OK", "flushall")
	run("(nil)", "fcall", "get", "1", "k")
	run("OK", "function", "flush")
	run("[]", "function", "list")
	run("(error) NOTBUSY No scripts in execution right now.", "function", "kill")
	if got, err := d.multi("function flush", "set k w"); err != nil || got != "(error) ERR FUNCTION FLUSH is not possible in a transaction OK" {
		t.Errorf("in a transaction: %s, %v", got, err)
	}
}

// A change of the libraries reaches all instances at once, and calls need no read to know.
func TestFunctionsAreShared(t *testing.T) {
	do, _ := twoEngines(t, 20*time.Millisecond)
	lib := func(answer string) string {
		return "#!lua name=lib\nredis.register_function('f', function() return '" + answer + "' end)"
	}
	for i, answer := range []string{"one", "two", "three"} {
		if got := do(i%2, "function", "load", "replace", lib(answer)); got != `"lib"` {
			t.Fatal(got)
		}
		for e := range 2 {
			if got := do(e, "fcall", "f", "0"); got != strconv.Quote(answer) {
				t.Errorf("engine %d: %s, want %s", e, got, answer)
			}
		}
	}
	do(0, "function", "flush")
	if got := do(1, "fcall", "f", "0"); got != "(error) ERR Function not found" {
		t.Error(got)
	}
}

func TestCostOfFunctions(t *testing.T) {
	d := newTestEngine(t)
	d.do("function", "load", testLibrary)
	d.do("fcall", "set", "1", "k", "v")
	if u := d.usage("fcall", "set", "1", "k", "v"); u.Calls != 2 {
		t.Errorf("a call that writes: %+v", u)
	}
	if u := d.usage("fcall_ro", "get", "1", "k"); u.Calls != 1 {
		t.Errorf("a call that reads: %+v", u)
	}
}

// What SCRIPT FLUSH and changes of the libraries leave behind is reclaimed.
func TestScriptsAreReclaimed(t *testing.T) {
	d := newTestEngine(t)
	d.do("script", "load", "return 1")
	d.do("function", "load", testLibrary)
	d.do("script", "flush")
	d.do("function", "flush")
	d.clock.advance(time.Hour)
	if n, err := d.e.Reclaim(t.Context()); err != nil || n != 2 {
		t.Errorf("%d items reclaimed, %v; want the script and the library", n, err)
	}
}
