package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What the service does differently from Redis 7.0, each difference with a command that shows it, as
// far as one command can. Others have tests of their own: commands that 7.0 lacks, XTRIM with ~, NOACK, read-only functions,
// INFO, blocking commands, ACL.
func TestDifferencesFromRedis(t *testing.T) {
	for _, tc := range []struct {
		name  string
		setup []string
		cmd   []string
		want  string
	}{
		{"COPY onto itself", []string{"set k v"}, strings.Fields("copy k k"), "(integer) 0"},
		{"UNLINK without keys", nil, strings.Fields("unlink"), "(integer) 0"},
		{"ZRANGE with LIMIT by rank", []string{"zadd z 1 a 2 b 3 c"}, strings.Fields("zrange z 0 -1 limit 1 1"), `["b"]`},
		{"SCAN WITHTYPE, in lower case", []string{"set k v"}, strings.Fields("scan 0 withtype"), `["0" ["k" "string"]]`},
		{"NOACK creates no consumer", []string{"xadd s 1-1 f v", "xgroup create s g 0", "xreadgroup group g c noack streams s >"}, strings.Fields("xinfo consumers s g"), "[]"},
		{"the words of a script's error", nil, evalOf("\nredis.call('nosuch')"), "(error) ERR Error running script: @user_script:2: ERR Unknown Redis command called from script"},
		{"a number is truncated on the way to a command", nil, evalOf("return redis.call('echo', -3.7)"), `"-3"`},
		{"whole numbers up to 2^53 have no exponent", nil, evalOf("return redis.call('echo', 2^53)"), `"9007199254740992"`},
		{"replicate_commands does nothing and says so", nil, evalOf("return redis.replicate_commands()"), "t"},
		{"CONFIG GET knows one setting", nil, strings.Fields("config get maxmemory"), "[]"},
		{"SELECT 1", nil, strings.Fields("select 1"), "(error) ERR DB index is out of range"},
		{"SCRIPT KILL", nil, strings.Fields("script kill"), "(error) NOTBUSY No scripts in execution right now."},
		{"FUNCTION KILL", nil, strings.Fields("function kill"), "(error) NOTBUSY No scripts in execution right now."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newTestEngine(t)
			for _, line := range tc.setup {
				if got := d.cmd(line); strings.HasPrefix(got, "(error)") {
					t.Fatal(line, got)
				}
			}
			if got := d.do(tc.cmd...); got != tc.want {
				t.Errorf("%q: got %s, want %s", tc.cmd, got, tc.want)
			}
		})
	}
	d := newTestEngine(t)
	// What is counted is the commands of the service, which are not all of Redis's.
	names := slices.DeleteFunc(strings.Fields(strings.Trim(d.cmd("command list"), "[]")),
		func(name string) bool { return strings.Contains(name, "|") }) // a subcommand
	if got, want := d.cmd("command count"), fmt.Sprintf("(integer) %d", len(names)); got != want || !slices.Contains(names, `"get"`) {
		t.Errorf("COMMAND COUNT: got %s, want %s, the number of %s", got, want, names)
	}
	// Those that belong to a connection are counted, and refused where there is none.
	for name, counted := range map[string]bool{
		"DEBUG": true, "SLOWLOG": true, "LATENCY": true, "CLUSTER": true, "MODULE": true, "LASTSAVE": true, "MULTI": true, "QUIT": true,
		"SAVE": false, "BGSAVE": false, "SHUTDOWN": false, "REPLICAOF": false, "SSUBSCRIBE": true,
	} {
		if slices.Contains(names, fmt.Sprintf("%q", strings.ToLower(name))) != counted {
			t.Errorf("%s is counted: %t, want %t", name, !counted, counted)
		}
		if got, want := d.do(strings.ToLower(name), "a", "b"), fmt.Sprintf("(error) ERR Command is not available: '%s'", name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := d.cmd("memory doctor"); !strings.HasPrefix(got, "(error)") {
		t.Errorf("MEMORY DOCTOR: %s", got)
	}
	if got := d.do("set", strings.Repeat("k", 32<<10+1), "v"); got != "(error) ERR max key size exceeded. Limit: 32768 bytes, Actual: 32769 bytes" {
		t.Errorf("a long key: %s", got)
	}
}

// What scripts of packages rely on, see the section on Lua of the service's clients.
func TestScriptsOfPackagesAreUnderstood(t *testing.T) {
	keys := make([]string, 256)
	for i := range keys {
		keys[i] = fmt.Sprintf("events:%d", 1700000000000+i)
	}
	for _, tc := range []struct {
		name, source string
		keys, args   []string
		want         string
	}{
		{"arithmetic on texts", "local now, window = ARGV[1], ARGV[2] return {now % window, window * 2 + 1000, '5' + 1}", nil, strings.Fields("1700000000123 1000"), "[(integer) 123 (integer) 3000 (integer) 6]"},
		{"a number equals no text", "return {1 == ARGV[1], tostring(1) == ARGV[1]}", nil, strings.Fields("1"), "[(nil) t]"},
		{"texts of large numbers", "return KEYS[1] .. ':' .. (ARGV[1] - 0) .. ':' .. 1700000000000", strings.Fields("p"), strings.Fields("1700000000000"), `"p:1700000000000:1700000000000"`},
		{"nil is false, and ends a table's tail", "local a = redis.call('GET', KEYS[1]) return {1, a, a == false, nil, 5}", strings.Fields("none"), nil, "[(integer) 1 (nil) t]"},
		{"a call with 256 keys", "local all = cjson.decode(ARGV[1]) table.insert(all, 1, 'EXISTS') return redis.call(unpack(all))", nil,
			[]string{`["` + strings.Join(keys, `","`) + `"]`}, "(integer) 0"},
		{"keys made of a prefix", `local seen, out = {}, {}
			for i = 1, 3 do redis.call('ZINCRBY', KEYS[1] .. ':' .. (1700000000000 + i * 1000), i, '{"country":"NO","success":true}') end
			for i = 1, 3 do
				local key = KEYS[1] .. ':' .. (1700000000000 + i * 1000)
				local pairs_ = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
				local event = cjson.decode(pairs_[1])
				seen[event.success] = (seen[event.success] or 0) + tonumber(pairs_[2])
				table.insert(out, {key, {event.country, {pairs_[2]}}})
			end
			return {seen[true], out}`, strings.Fields("events"), nil,
			`[(integer) 6 [["events:1700000001000" ["NO" ["1"]]] ["events:1700000002000" ["NO" ["2"]]] ["events:1700000003000" ["NO" ["3"]]]]]`},
		{"a union with scores", `redis.call('ZADD', 'a', 1, 'm') redis.call('ZADD', 'b', 2.5, 'm')
			return redis.call('ZUNION', 2, 'a', 'b', 'WITHSCORES')`, nil, nil, `["m" "3"]`}, // 3.5, if the number had not been truncated
		{"a walk that deletes what it finds", `for i = 1, 30 do redis.call('SET', 'rl:' .. i, 1) end
			local cursor = '0'
			repeat
				local page = redis.call('SCAN', cursor, 'MATCH', KEYS[1])
				cursor = page[1]
				for _, key in ipairs(page[2]) do redis.call('DEL', key) end
			until cursor == '0'
			return {redis.call('DBSIZE'), #redis.call('KEYS', '*')}`, strings.Fields("rl:*"), nil, "[(integer) 0 (integer) 0]"},
		{"the empty string among the keys", "return {KEYS[2] == '', redis.call('SET', KEYS[1], 1).ok}", []string{"k", ""}, nil, `[t "OK"]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newTestEngine(t)
			args := append([]string{"eval", tc.source, fmt.Sprint(len(tc.keys))}, tc.keys...)
			if got := d.do(append(args, tc.args...)...); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func evalOf(source string) []string { return []string{"eval", source, "0"} }
