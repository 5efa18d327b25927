package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// eval runs a script with keys and arguments, split at blanks.
func (d *testDB) eval(source, keys, args string) string {
	d.t.Helper()
	return d.do(evalArgs(source, keys, args)...)
}

func evalArgs(source, keys, args string) []string {
	ks := strings.Fields(keys)
	cmd := append([]string{"eval", source, strconv.Itoa(len(ks))}, ks...)
	return append(cmd, strings.Fields(args)...)
}

func TestScripts(t *testing.T) {
	d := newTestEngine(t)
	d.cmd("set n 5")
	for _, tc := range []struct{ name, source, keys, args, want string }{
		{"reads", `return redis.call('GET', KEYS[1])`, "n", "", `"5"`},
		{"sees its own writes", `redis.call('SET', 'a', ARGV[1]) return redis.call('GET', 'a')`, "", "x", `"x"`},
		{"keys that are not declared", `return redis.call('INCR', 'n')`, "", "", "(integer) 6"},
		{"empty collections are gone", `redis.call('SADD', 's', 'm') redis.call('SREM', 's', 'm') return redis.call('EXISTS', 's')`, "", "", "(integer) 0"},
		{"own writes in SCAN, KEYS and DBSIZE", `redis.call('SET', 'new', 1) redis.call('DEL', 'a')
			return {redis.call('DBSIZE'), #redis.call('KEYS', '*'), redis.call('SCAN', '0', 'COUNT', 100)[1], #redis.call('SCAN', '0', 'COUNT', 100)[2]}`, "", "", `[(integer) 2 (integer) 2 "0" (integer) 2]`},
		{"the time stands still", `local a, b = redis.call('TIME'), redis.call('TIME') return a[1] == b[1] and a[2] == b[2]`, "", "", "t"},
		{"unknown commands", `return redis.call('NOSUCH')`, "", "", "(error) ERR Error running script: @user_script:1: ERR Unknown Redis command called from script"},
		{"wrong arity", `return redis.call('GET')`, "", "", "(error) ERR Error running script: @user_script:1: ERR Wrong number of args calling Redis command from script"},
		{"what is of a connection", `return {redis.pcall('MULTI').err, redis.pcall('WATCH', 'k').err, redis.pcall('MULTI', 'x').err}`, "", "",
			`["ERR This Redis command is not allowed from script" "ERR This Redis command is not allowed from script" "ERR Wrong number of args calling Redis command from script"]`},
		{"scripts in scripts", `return redis.pcall('EVAL', 'return 1', 0)`, "", "", "(error) ERR This Redis command is not allowed from script"},
		{"wrong types can be caught", `local e = redis.pcall('LPUSH', 'n', 'x') return e.err`, "", "", `"WRONGTYPE Operation against a key holding the wrong kind of value"`},
		{"flags", "#!lua flags=no-writes\nreturn redis.call('SET', 'a', 1)", "", "", "(error) ERR Error running script: @user_script:2: ERR Write commands are not allowed from read-only scripts."},
		{"key locking lets declared keys through", "#!lua flags=allow-key-locking\nreturn redis.call('GET', KEYS[1])", "n", "", `"6"`},
		{"and no others", "#!lua flags=allow-key-locking\nreturn redis.pcall('GET', 'n')", "", "", "(error) ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: n"},
		{"nor FLUSHDB", "#!lua flags=allow-key-locking\nreturn redis.pcall('FLUSHDB')", "", "", "(error) ERR This Redis command is not allowed from script"},
		{"numbers become truncated arguments", `redis.call('SET', 'f', 3.7) return redis.call('GET', 'f')`, "", "", `"3"`},
		{"FLUSHDB", `redis.call('FLUSHDB') return redis.call('DBSIZE')`, "", "", "(integer) 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := d.eval(tc.source, tc.keys, tc.args); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	d.check([][2]string{
		{"eval return", "(error) ERR wrong number of arguments for 'eval' command"},
		{"eval - x", "(error) ERR value is not an integer or out of range"},
		{"eval - -1", "(error) ERR Number of keys can't be negative"},
		{"eval - 2 a", "(error) ERR Number of keys can't be greater than number of args"},
		{"evalsha wrong-sha1 0", "(error) NOSCRIPT No matching script. Please use EVAL."},
		{"script kill", "(error) NOTBUSY No scripts in execution right now."},
		{"command getkeys eval s 2 a b c", `["a" "b"]`},
		{"command getkeys fcall_ro f 1 a b", `["a"]`},
	}...)
}

// A script that fails leaves nothing that it wrote.
func TestFailedScriptLeavesNothing(t *testing.T) {
	d := newTestEngine(t)
	d.cmd("rpush l a b")
	const failing = `redis.call('SET', 'x', 1) redis.call('RPUSH', 'l', 'c') redis.call('DEL', 'l') redis.call('INCR', 'x') error('late')`
	if got := d.eval(failing, "x l", ""); got != "(error) ERR Error running script: @user_script:1: late" {
		t.Error(got)
	}
	d.check([][2]string{{"exists x", "(integer) 0"}, {"lrange l 0 -1", `["a" "b"]`}}...)

	// In a transaction, the other commands are carried out.
	var w resp.Writer
	cmds := [][]string{{"set", "before", "1"}, evalArgs(failing, "x l", ""), {"incr", "before"}, {"lpop", "l"}, evalArgs(failing, "", ""), evalArgs(`return redis.call('INCR', 'before')`, "", "")}
	if err := d.e.Multi(context.Background(), d.database(), redis.Access{}, cmds, &w); err != nil {
		t.Fatal(err)
	}
	got := renderAll(t, w.Buf)
	const late = "(error) ERR Error running script: @user_script:1: late"
	want := []string{"OK", late, "(integer) 2", `"a"`, late, "(integer) 3"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	d.check([][2]string{{"exists x", "(integer) 0"}, {"lrange l 0 -1", `["b"]`}, {"get before", `"3"`}}...)
}

// A script that changes more than fits into one transaction is refused as a whole.
func TestScriptOverTheLimitOfATransaction(t *testing.T) {
	d := newTestEngine(t)
	if got := d.eval(`for i = 1, ARGV[1] do redis.call('SET', 'k' .. i, i) end return 'done'`, "", "101"); !strings.HasPrefix(got, "(error) ERR transaction too large") {
		t.Error(got)
	}
	d.check([2]string{"dbsize", "(integer) 0"})
	if got := d.eval(`for i = 1, ARGV[1] do redis.call('SET', 'k' .. i, i) end return 'done'`, "", "100"); got != `"done"` {
		t.Error(got)
	}
	d.check([2]string{"dbsize", "(integer) 100"})
	// Nor in several steps, as a command by itself would.
	for i := range 4 {
		args := []string{"sadd", "big"}
		for j := range 100 {
			args = append(args, strings.Repeat("m", 60)+strconv.Itoa(100*i+j))
		}
		d.do(args...)
	}
	if got := d.eval(`for _, m in ipairs(redis.call('SMEMBERS', 'big')) do redis.call('SREM', 'big', m) if redis.call('SCARD', 'big') == 200 then return 1 end end`, "", ""); !strings.HasPrefix(got, "(error) ERR transaction too large") {
		t.Error(got)
	}
	d.check([2]string{"scard big", "(integer) 400"})
}

// A script that runs away is stopped, and has written nothing.
func TestScriptLimits(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	d := newTestEngineOn(t, st)
	d.e = redis.New(redis.Config{Store: st, Now: d.clock.now, Scripts: script.Limits{Steps: 50_000}})
	if got := d.eval(`redis.call('SET', 'x', 1) while true do pcall(redis.call, 'PING') end`, "", ""); got != "(error) ERR Error running script: the script was stopped after 50000 steps" {
		t.Error(got)
	}
	d.check([2]string{"exists x", "(integer) 0"})
}

func TestReadOnlyScripts(t *testing.T) {
	d := newTestEngine(t)
	d.cmd("set k v")
	do := func(args ...string) string {
		t.Helper()
		var w resp.Writer
		if err := d.e.Do(context.Background(), d.database(), redis.Access{ReadOnly: true}, args, &w); err != nil {
			t.Fatal(err)
		}
		return render(t, w.Buf)
	}
	const get, set = `return redis.call('GET', KEYS[1])`, `return redis.pcall('SET', KEYS[1], 'w')`
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"eval", get, "1", "k"}, "(error) NOPERM this user has no permissions to run the 'eval' command or its subcommand"},
		{[]string{"fcall", "f", "1", "k"}, "(error) NOPERM this user has no permissions to run the 'fcall' command or its subcommand"},
		{[]string{"script", "load", get}, "(error) NOPERM this user has no permissions to run the 'script|load' command or its subcommand"},
		{[]string{"eval_ro", get, "1", "k"}, `"v"`},
		{[]string{"eval_ro", set, "1", "k"}, "(error) NOPERM this user has no permissions to run the 'set' command or its subcommand"},
		{[]string{"eval_ro", `return redis.pcall('KEYS', '*')`, "0"}, "(error) NOPERM this user has no permissions to run the 'keys' command or its subcommand"},
		{[]string{"eval_ro", `return redis.acl_check_cmd('SET', 'a', 'b')`, "0"}, "(nil)"},
	} {
		if got := do(tc.args...); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.args, got, tc.want)
		}
	}
	if got := d.do("eval_ro", set, "1", "k"); got != "(error) ERR Write commands are not allowed from read-only scripts." {
		t.Error(got)
	}
}

// twoEngines are instances over one store that know the database from before.
func twoEngines(t *testing.T, ttl time.Duration) (do func(engine int, args ...string) string, st store.Store) {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	var es []*redis.Engine
	for range 2 {
		es = append(es, redis.New(redis.Config{Store: st, RecordTTL: ttl}))
	}
	if _, err := es[0].CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"}); err != nil {
		t.Fatal(err)
	}
	return func(engine int, args ...string) string {
		t.Helper()
		db, err := es[engine].Database(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		var w resp.Writer
		if err := es[engine].Do(t.Context(), db, redis.Access{}, args, &w); err != nil {
			t.Fatal(err)
		}
		return render(t, w.Buf)
	}, st
}

// A script that one instance has kept is found by the others, until it is flushed everywhere.
func TestScriptsAreShared(t *testing.T) {
	do, _ := twoEngines(t, 20*time.Millisecond)
	const source, noScript = "\n\treturn 'hi'", "(error) NOSCRIPT No matching script. Please use EVAL."
	if got := do(0, "script", "exists", strings.Repeat("a", 40), "x"); got != "[(integer) 0 (integer) 0]" {
		t.Error(got)
	}
	id, _ := strconv.Unquote(do(0, "script", "load", source))
	for _, e := range []int{1, 0, 1} {
		if got := do(e, "evalsha", strings.ToUpper(id), "0"); got != `"hi"` {
			t.Errorf("engine %d: %s", e, got)
		}
		if got := do(e, "script", "exists", id); got != "[(integer) 1]" {
			t.Errorf("engine %d: %s", e, got)
		}
	}
	do(1, "flushall")
	if got := do(0, "evalsha", id, "0"); got != `"hi"` {
		t.Errorf("after FLUSHALL: %s", got)
	}
	if got := do(1, "script", "flush", "sync"); got != "OK" {
		t.Error(got)
	}
	for e := range 2 {
		if got := do(e, "evalsha", id, "0"); got != noScript {
			t.Errorf("engine %d after the flush: %s", e, got)
		}
	}
	do(0, "eval", source, "0") // keeps it again
	if got := do(1, "evalsha", id, "0"); got != `"hi"` {
		t.Error(got)
	}
}

// Databases do not see each other's scripts, though a program is compiled once.
func TestScriptsOfOtherDatabases(t *testing.T) {
	d := newTestEngine(t)
	id, _ := strconv.Unquote(d.do("script", "load", "return 1"))
	if _, err := d.e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "other"}); err != nil {
		t.Fatal(err)
	}
	d.id = "other"
	if got := d.do("evalsha", id, "0"); !strings.HasPrefix(got, "(error) NOSCRIPT") {
		t.Error(got)
	}
}

// A script of a tool is run like any other, and is not there afterwards.
func TestScriptsThatAreNotKept(t *testing.T) {
	d := newTestEngine(t)
	const source = `return redis.call('SET', KEYS[1], ARGV[1])`
	db, err := d.e.Database(t.Context(), d.id)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"1", "2"} {
		var w resp.Writer
		if err := d.e.Eval(t.Context(), db, redis.Access{}, source, []string{"k"}, []string{value}, &w); err != nil || string(w.Buf) != "+OK\r\n" {
			t.Fatalf("%q, %v", w.Buf, err)
		}
		if got := d.do("get", "k"); got != strconv.Quote(value) {
			t.Errorf("the key is %s", got)
		}
	}
	if u := d.usage("eval", source, "1", "k", "3"); u.Calls != 4 {
		t.Errorf("EVAL afterwards: %+v, want what the first one costs, for the script was not there", u)
	}
}

// What scripts and functions cost in calls of the store besides the commands in them.
func TestCostOfKeepingScripts(t *testing.T) {
	d := newTestEngine(t)
	const source = `return redis.call('SET', KEYS[1], 1)`
	if u := d.usage("eval", source, "1", "k"); u.Calls != 4 {
		t.Errorf("first EVAL: %+v, want a look for the script, its write, a read and a write", u)
	}
	if u := d.usage("eval", source, "1", "k"); u.Calls != 2 {
		t.Errorf("next EVAL: %+v", u)
	}
	id, _ := strconv.Unquote(d.do("script", "load", source))
	if u := d.usage("evalsha", id, "1", "k"); u.Calls != 2 {
		t.Errorf("EVALSHA: %+v", u)
	}
	d.e = redis.New(redis.Config{Store: d.st, Now: d.clock.now})
	d.database()
	if u := d.usage("evalsha", id, "1", "k"); u.Calls != 3 {
		t.Errorf("EVALSHA of another instance: %+v, want one look for the script", u)
	}
}

// Scripts like those of rate limiters: a key that may be the empty string, a limit, and a window.
const (
	fixedWindow = `
		local key, dynamic = KEYS[1], KEYS[2]
		local limit = tonumber(ARGV[1])
		if dynamic ~= "" then
			local set = redis.call("GET", dynamic)
			if set then limit = tonumber(set) end
		end
		local used = redis.call("INCRBY", key, ARGV[3])
		if used == tonumber(ARGV[3]) then redis.call("PEXPIRE", key, ARGV[2]) end
		return {used, limit}`
	slidingWindow = `
		local limit, now, window, by = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
		local current = redis.call("GET", KEYS[1]) or 0
		local previous = redis.call("GET", KEYS[2]) or 0
		previous = math.floor((1 - (now % window) / window) * previous)
		if previous + current >= limit then return {-1, limit} end
		local used = redis.call("INCRBY", KEYS[1], by)
		if used == by then redis.call("PEXPIRE", KEYS[1], window * 2 + 1000) end
		return {limit - (used + previous), limit}`
	tokenBucket = `
		local size, interval, rate, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
		local bucket = redis.call("HMGET", KEYS[1], "at", "tokens")
		local at, tokens = now, size
		if bucket[1] then at, tokens = tonumber(bucket[1]), tonumber(bucket[2]) end
		if now >= at + interval then
			local refills = math.floor((now - at) / interval)
			tokens = math.min(size, tokens + refills * rate)
			at = at + refills * interval
		end
		if tokens == 0 then return {-1, at + interval} end
		redis.call("HSET", KEYS[1], "at", at, "tokens", tokens - 1)
		redis.call("PEXPIRE", KEYS[1], math.ceil((size - tokens + 1) / rate) * interval)
		return {tokens - 1, at + interval}`
)

// A call of a limiter is one round of reads and one commit.
func TestRateLimitersCost(t *testing.T) {
	for _, tc := range []struct {
		name, source string
		args         []string // behind the script
		calls        int
		writes       float64 // 1: a plain write of the one key that changes
	}{
		{"fixed window", fixedWindow, []string{"2", "rl:user:1", "", "10", "60000", "1"}, 2, 1},
		{"fixed window with a limit of its own", fixedWindow, []string{"2", "rl:user:2", "rl:limit", "10", "60000", "1"}, 2, 4},
		{"sliding window", slidingWindow, []string{"3", "rl:user:3", "rl:user:2x", "", "10", "1700000000000", "60000", "1"}, 2, 4},
		{"token bucket", tokenBucket, []string{"2", "rl:user:4", "", "10", "60000", "5", "1700000000000"}, 2, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newTestEngine(t)
			id, _ := strconv.Unquote(d.do("script", "load", tc.source))
			for round := range 2 {
				if u := d.usage(append([]string{"evalsha", id}, tc.args...)...); u.Calls != tc.calls || u.WriteUnits != tc.writes {
					t.Errorf("round %d: %+v, want %d calls and %v write units", round, u, tc.calls, tc.writes)
				}
			}
		})
	}
}

// Under 64 callers on one or several instances, a limiter lets through exactly as many as its limit says.
func TestRateLimitersAreExact(t *testing.T) {
	const clients, times, limit = 64, 4, 100
	for _, tc := range []struct {
		name, source, keys, args string
		passed                   func(reply string) bool
	}{
		{"fixed window", fixedWindow, "rl:a rl:none", "100 60000 1", func(reply string) bool {
			n, err := strconv.Atoi(strings.Fields(strings.Trim(reply, "[]"))[1])
			return err == nil && n <= limit
		}},
		{"sliding window", slidingWindow, "rl:b rl:c", "100 1700000000000 60000 1", func(reply string) bool { return !strings.Contains(reply, "-1") }},
		{"token bucket", tokenBucket, "rl:d", "100 60000 5 1700000000000", func(reply string) bool { return !strings.Contains(reply, "-1") }},
	} {
		for _, engines := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s on %d", tc.name, engines), func(t *testing.T) {
				f := newFleet(t, engines)
				passed := make(chan bool, clients*times)
				f.run(clients, times, func(c, _ int) {
					reply, ok := f.script(c, evalArgs(tc.source, tc.keys, tc.args))
					if !ok {
						t.Error("outcome unknown without a fault")
						return
					}
					passed <- tc.passed(reply)
				})
				close(passed)
				n, total := 0, 0
				for ok := range passed {
					total++
					if ok {
						n++
					}
				}
				if n != limit || total != clients*times {
					t.Errorf("%d of %d calls let through, want %d", n, total, limit)
				}
			})
		}
	}
}

// script is do for arguments that may hold blanks.
func (f *fleet) script(engine int, args []string) (string, bool) {
	e := f.engines[engine%len(f.engines)]
	db, err := e.Database(context.Background(), "test")
	if err != nil {
		f.t.Error(err)
		return "", false
	}
	for {
		var w resp.Writer
		switch err := e.Do(context.Background(), db, redis.Access{}, args, &w); {
		case err == nil:
			return render(f.t, w.Buf), true
		case isPassing(err):
			continue
		default:
			f.t.Log(err)
			f.unknown.Add(1)
			return err.Error(), false
		}
	}
}

// Scripts whose answers are lost take effect exactly once.
func TestLostAnswersOfScripts(t *testing.T) {
	const clients, times = 16, 30
	f := newFleet(t, 4)
	for _, c := range []string{"set n 0", "set a 0", "set b 0"} {
		f.do(0, c)
	}
	f.clock.advance(time.Hour)
	f.faults.SetPlan(stormy)
	f.run(clients, times, func(c, _ int) {
		f.script(c, evalArgs(`return redis.call('INCR', KEYS[1])`, "n", ""))
		f.script(c, evalArgs(`redis.call('INCRBY', 'a', 2) return redis.call('INCRBY', 'b', -2)`, "", ""))
	})
	f.faults.SetPlan(faulty.Plan{})
	f.faults.Flush()
	if n := f.unknown.Load(); n != 0 {
		t.Errorf("%d scripts of unknown outcome", n)
	}
	for _, want := range [][2]string{
		{"get n", strconv.Quote(strconv.Itoa(clients * times))},
		{"get a", strconv.Quote(strconv.Itoa(2 * clients * times))},
		{"get b", strconv.Quote(strconv.Itoa(-2 * clients * times))},
	} {
		if got, _ := f.do(0, want[0]); got != want[1] {
			t.Errorf("%s: got %s, want %s", want[0], got, want[1])
		}
	}
}

// Scripts send messages when they commit: one that fails sends none, nor does one that must not write.
func TestScriptsPublish(t *testing.T) {
	d := newTestEngine(t)
	s := subscribe(t, d.e, []string{"c"}, nil)
	const failing = `redis.call('PUBLISH', 'c', 'lost') error('late')`
	if got := d.eval(failing, "", ""); !strings.HasSuffix(got, "late") {
		t.Error(got)
	}
	var w resp.Writer
	cmds := [][]string{{"publish", "c", "first"}, evalArgs(failing, "", ""), evalArgs(`return redis.call('PUBLISH', 'c', 'second')`, "", "")}
	if err := d.e.Multi(context.Background(), d.database(), redis.Access{}, cmds, &w); err != nil {
		t.Fatal(err)
	}
	if got := d.do("eval_ro", `return redis.pcall('PUBLISH', 'c', 'lost')`, "0"); got != "(error) ERR Write commands are not allowed from read-only scripts." {
		t.Error(got)
	}
	if got := d.eval(`redis.call('SET', 'k', 1) return redis.call('PUBLISH', 'c', 'third')`, "", ""); got != "(integer) 1" {
		t.Error(got)
	}
	expectMessages(t, s, "c first", "c second", "c third")
}

// Commands that wait for something do not wait in scripts; documents and streams are rolled back like all else.
func TestScriptsWithOtherTypes(t *testing.T) {
	d := newTestEngine(t)
	d.do("json.set", "doc", "$", `{"n":1}`)
	d.do("xadd", "x", "1-1", "f", "v")
	for _, tc := range [][2]string{
		{`return redis.call('BLPOP', 'nolist', 0)`, "(nil)"},
		{`return redis.call('XREAD', 'BLOCK', 0, 'STREAMS', 'x', '$')`, "(nil)"},
		{`return cjson.decode(redis.call('JSON.GET', 'doc')).n`, "(integer) 1"},
		{`redis.call('JSON.NUMINCRBY', 'doc', '$.n', 5) redis.call('XADD', 'x', '2-1', 'f', 'v') redis.call('DEL', 'doc') error('late', 0)`, "(error) ERR Error running script: late"},
		{`return {redis.call('JSON.GET', 'doc', '$.n'), redis.call('XLEN', 'x')}`, `["[1]" (integer) 1]`},
		{`redis.call('JSON.NUMINCRBY', 'doc', '$.n', 5) return {redis.call('JSON.GET', 'doc', '$.n'), redis.call('XADD', 'x', '2-1', 'f', 'v')}`, `["[6]" "2-1"]`},
	} {
		if got := d.eval(tc[0], "", ""); got != tc[1] {
			t.Errorf("%s: got %s, want %s", tc[0], got, tc[1])
		}
	}
}

// A script of 90 bytes used to write 62 MB into the log.
func TestLogOfAScriptIsBounded(t *testing.T) {
	var log bytes.Buffer
	e := redis.New(redis.Config{Store: memoryStore(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	t.Cleanup(e.Close)
	db, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	eval := func(source string) {
		t.Helper()
		log.Reset()
		var w resp.Writer
		if err := e.Do(t.Context(), db, redis.Access{}, []string{"EVAL", source, "0"}, &w); err != nil {
			t.Fatal(err)
		}
		if text, failed := resp.ErrorText(w.Buf); failed {
			t.Fatalf("%s: %s", source, text)
		}
	}
	eval(`redis.log(redis.LOG_WARNING, 'first', 2, 'third')`)
	if got := log.String(); !strings.Contains(got, "script: first 2 third") || strings.Count(got, "\n") != 1 {
		t.Errorf("a script has logged %s", got)
	}
	eval(`local s = string.rep('x', 62000) for i = 1, 1000 do redis.log(redis.LOG_WARNING, s, s, s) end`)
	if n := log.Len(); n > 120<<10 {
		t.Errorf("a script has logged %d bytes", n)
	}
	if got := strings.Count(log.String(), "logs more than is kept"); got != 1 {
		t.Errorf("that there was more is said %d times", got)
	}
	if got := strings.Count(log.String(), "script: xxx"); got != 100 {
		t.Errorf("a script has logged %d lines", got)
	}
	// A pipeline of scripts ends with its budget.
	var w resp.Writer
	log.Reset()
	many := slices.Repeat([][]string{{"EVAL", `for i = 1, 100 do redis.log(redis.LOG_WARNING, 'x') end`, "0"}}, 1000)
	e.Pipeline(t.Context(), db, redis.Access{}, many, &w)
	if got := strings.Count(log.String(), "\n"); got > 10_100 {
		t.Errorf("a pipeline of scripts has logged %d lines", got)
	}
	if !strings.Contains(string(w.Buf), "max request work exceeded") {
		t.Error("a pipeline of scripts is not stopped")
	}
}
