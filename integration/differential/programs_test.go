package differential

import (
	_ "embed"
	"regexp"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store/embedded"
)

//go:embed testdata/programs.lua
var programs string

// Lua programs, one a line: conversions, the language, the libraries, and what they say of mistakes.
func TestPrograms(t *testing.T) {
	s, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	p := pair{redis: startRedis(t), ours: newEngines(t, s)}
	if err := p.ours.reset(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(programs) {
		source := strings.TrimSuffix(line, "\n")
		want, got, err := p.both("EVAL", source, "2", "k1", "k2", "10", "x")
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if !ofScript.same(want, got) {
			t.Errorf("%s\n      redis: %v\n      ours:  %v", source, want, got)
		}
	}
}

// ofScript compares what scripts reply. Errors are worded as the service does, and do not name variables.
var ofScript = comparer{same: sameOfScript}

func sameOfScript(want, got reply) bool {
	if want.isError() && got.isError() {
		return mistake(want.text) == mistake(got.text)
	}
	if want.kind != got.kind || len(want.elems) != len(got.elems) {
		return false
	}
	for i := range want.elems {
		if !sameOfScript(want.elems[i], got.elems[i]) {
			return false
		}
	}
	return want.text == got.text || want.kind == '$' && sameNumber(want.text, got.text) ||
		want.kind == '$' && mistake(want.text) == mistake(got.text)
}

var (
	behind   = regexp.MustCompile(` script: [0-9a-f]{40}, on .*$`)
	before   = regexp.MustCompile(`^(ERR )?(Error running script: )?(@?user_script:\d+: ?)?(ERR )?`)
	variable = regexp.MustCompile(`(local|global|field|method|upvalue) '[^']*' \(a (\w+) value\)`)
)

// mistake is what an error of a script is about.
func mistake(text string) string {
	if where, _, ok := strings.Cut(text, ": user_script:"); ok && where == "ERR Error compiling script (new function)" {
		return where // the parsers word what they expected differently
	}
	text = before.ReplaceAllString(behind.ReplaceAllString(text, ""), "")
	text, _, _ = strings.Cut(text, "\x00") // where Redis ends what it quotes
	return variable.ReplaceAllString(strings.TrimSpace(text), "a $2 value")
}

// scriptFamily runs commands on the keys of all families in scripts. A script that fails half-way leaves nothing
// here and something in Redis, so those that may fail run one command.
var scriptFamily = family{"script", []row{
	{template: "EVAL {one} 0 {command}", compare: ofScript, weight: 8},
	{template: "EVAL {caught} {nk} {command}", compare: ofScript, weight: 8},
	{template: "EVAL_RO {one} 0 {command}", compare: ofScript},
	{template: "EVAL {caught} {nk}", compare: ofScript, weight: 1},
	{template: "EVAL {broken} {nk}", compare: ofScript, weight: 1},
	{template: "EVALSHA {v} {nk}", compare: ofScript, weight: 1},
	{template: "SET {k} {v}", weight: 3},
	{template: "DEL {k}+", weight: 2},
}}

// scriptHoles are the values of scriptFamily's holes.
func scriptHoles(holes map[string]hole) {
	holes["one"] = func(g *gen) []string {
		return []string{pick(g, "return redis.call(unpack(ARGV))", "return redis.pcall(unpack(ARGV))", "redis.setresp(3) return redis.call(unpack(ARGV))")}
	}
	holes["caught"] = func(g *gen) []string {
		return []string{pick(g,
			"return {redis.pcall(unpack(ARGV)), redis.pcall('TYPE', KEYS[1]), redis.pcall('GET', KEYS[1])}",
			"local r = {} for i, k in ipairs(KEYS) do r[i] = {redis.pcall('TYPE', k), redis.pcall('STRLEN', k), redis.pcall(unpack(ARGV))} end return r",
			"local ok, e = pcall(redis.call, unpack(ARGV)) return {type(ok), type(e)}",
			"local r = redis.pcall(unpack(ARGV)) if type(r) == 'table' and #r > 0 then return {cmsgpack.unpack(cmsgpack.pack(r))} end return type(r)")}
	}
	holes["broken"] = func(g *gen) []string {
		return []string{pick(g, "return foo", "foo = 1", "error('x')", "return {}..''", "return KEYS[1]..nil", "local t = nil return t.x", "return redis.call()", "return #KEYS + ARGV[99]")}
	}
	command := []string{"SET {k} {v}", "GET {k}", "INCR {k}", "INCRBY {k} {int}", "APPEND {k} {v}", "STRLEN {k}", "GETRANGE {k} {idx} {idx}", "SETRANGE {k} {off} {v}",
		"EXISTS {k}+", "TYPE {k}", "DEL {k}", "EXPIRE {k} {sec}", "PERSIST {k}", "RPUSH {k} {v}+", "LRANGE {k} {idx} {idx}", "LPOP {k}", "LLEN {k}", "HSET {k} {f} {v}", "HGET {k} {f}",
		"HLEN {k}", "HDEL {k} {f}", "SADD {k} {m}+", "SCARD {k}", "SISMEMBER {k} {m}", "ZADD {k} {score} {m}", "ZRANGE {k} 0 -1", "ZSCORE {k} {m}", "ZCARD {k}", "MGET {k}+", "NOSUCH {k}"}
	holes["command"] = func(g *gen) []string {
		seq, err := parseTemplate(pick(g, command...), holes)
		if err != nil {
			panic(err) // a mistake in the table above
		}
		return g.expand(nil, seq)
	}
}
