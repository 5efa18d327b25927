package redis_test

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

func TestConnectionCommands(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"ping", "PONG"},
		[2]string{"ping hello", `"hello"`},
		[2]string{"ping a b", "(error) ERR wrong number of arguments for 'ping' command"},
		[2]string{"echo hello", `"hello"`},
		[2]string{"client getname", "(nil)"},
		[2]string{"client id", "(integer) 1"},
		[2]string{"client setname me", "OK"},
		[2]string{"client setinfo LIB-NAME x", "OK"},
		[2]string{"client setinfo foo x", "(error) ERR Unrecognized option 'foo'"},
		[2]string{"client no-evict on", "OK"},
		[2]string{"client no-touch maybe", "(error) ERR syntax error"},
		[2]string{"client list type pubsub", `""`},
		[2]string{"client list type foo", "(error) ERR Unknown client type 'foo'"},
		[2]string{"client list id 2 3", `""`},
		[2]string{"client list id x", "(error) ERR Invalid client ID"},
		[2]string{"client list foo", "(error) ERR syntax error"},
		[2]string{"client foo", "(error) ERR unknown subcommand 'foo'. Try CLIENT HELP."},
	)
	if got := d.do("client", "setname", "a b"); got != "(error) ERR Client names cannot contain spaces, newlines or special characters." {
		t.Error(got)
	}
	if got := d.do("client", "setinfo", "lib-ver", "1\n2"); got != "(error) ERR lib-ver cannot contain spaces, newlines or special characters." {
		t.Error(got)
	}
	for _, line := range []string{"client info", "client list", "client list id 1", "client list type normal"} {
		if got := d.cmd(line); !strings.HasPrefix(got, `"id=1 addr=`) || strings.Count(got, `\n`) != 1 {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestFlush(t *testing.T) {
	d := newTestEngine(t)
	for _, line := range []string{"flushdb", "flushall", "FLUSHDB ASYNC", "flushall sync"} {
		d.spreadKeys()
		d.check([2]string{"dbsize", "(integer) 4"}, [2]string{line, "OK"}, [2]string{"dbsize", "(integer) 0"})
	}
	d.check(
		[2]string{"flushdb foo", "(error) ERR syntax error"},
		[2]string{"flushall async sync", "(error) ERR syntax error"},
	)
}

func TestTime(t *testing.T) {
	d := newTestEngine(t)
	d.clock.advance(1234567 * time.Microsecond)
	us := d.clock.now().UnixMicro()
	want := `["` + strconv.FormatInt(us/1e6, 10) + `" "` + strconv.FormatInt(us%1e6, 10) + `"]`
	d.check([2]string{"time", want})
}

func TestMemoryUsage(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	d.do("set", "small", "v")
	d.do("set", "large", strings.Repeat("x", 400<<10))
	usage := func(args ...string) int {
		t.Helper()
		text, ok := strings.CutPrefix(d.do(append([]string{"memory", "usage"}, args...)...), "(integer) ")
		n, err := strconv.Atoi(text)
		if !ok || err != nil || n <= 0 {
			t.Fatalf("MEMORY USAGE %q: %s", args, text)
		}
		return n
	}
	if usage("large") < 400<<10 || usage("small") > 200 {
		t.Errorf("strings: %d, %d", usage("small"), usage("large"))
	}
	for _, key := range []string{"L", "H", "S", "Z"} {
		if few, all := usage(key), usage(key, "samples", "0"); few < 6000 || few > 9000 || all < 6000 || all > 9000 {
			t.Errorf("%s: %d from a sample, %d from all", key, few, all)
		}
	}
	d.check(
		[2]string{"memory usage nosuch", "(nil)"},
		[2]string{"memory usage small samples", "(error) ERR syntax error"},
		[2]string{"memory usage small samples -1", "(error) ERR syntax error"},
		[2]string{"memory usage small samples x", "(error) ERR value is not an integer or out of range"},
		[2]string{"memory doctor", "(error) ERR unknown subcommand 'doctor'. Try MEMORY HELP."},
	)
}

func TestConfig(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"config get notify-keyspace-events", `["notify-keyspace-events" ""]`},
		[2]string{"config get maxmemory NOTIFY*", `["notify-keyspace-events" ""]`},
		[2]string{"config get *", `["notify-keyspace-events" ""]`},
		[2]string{"config get maxmemory", "[]"},
		[2]string{"config set maxmemory 1", "(error) ERR Unknown option or number of arguments for CONFIG SET - 'maxmemory'"},
		[2]string{"config set notify-keyspace-events", "(error) ERR wrong number of arguments for 'config|set' command"},
		[2]string{"config set notify-keyspace-events a b", "(error) ERR syntax error"},
		[2]string{"config set notify-keyspace-events KEQ", "(error) ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
		[2]string{"config set notify-keyspace-events K notify-keyspace-events E", "(error) ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - duplicate parameter"},
		[2]string{"config set notify-keyspace-events KEmn", "OK"},
		[2]string{"config get notify-keyspace-events", `["notify-keyspace-events" "nKEm"]`},
		[2]string{"config resetstat", "OK"},
		[2]string{"config rewrite", "(error) ERR unknown subcommand 'rewrite'. Try CONFIG HELP."},
	)
	if _, err := d.multi("config set notify-keyspace-events KEmn"); err != nil {
		t.Error(err)
	}
	if got, err := d.multi("config set notify-keyspace-events KE"); !strings.Contains(got, "it cannot be set in a transaction") {
		t.Error(got, err)
	}
	if got := d.do("config", "set", "notify-keyspace-events", ""); got != "OK" {
		t.Error(got)
	}
}

func TestInfo(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	d.do("expire", "L", "100")
	info := func(args ...string) string {
		t.Helper()
		s, err := strconv.Unquote(d.do(append([]string{"info"}, args...)...))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	headings := func(s string) string {
		var hs []string
		for _, line := range strings.Split(s, "\r\n") {
			if h, ok := strings.CutPrefix(line, "# "); ok {
				hs = append(hs, h)
			}
		}
		return strings.Join(hs, " ")
	}
	const all = "Server Clients Memory Stats Cluster Keyspace"
	for _, tt := range []struct{ args, want string }{
		{"", all}, {"default", all}, {"all", all}, {"everything", all},
		{"SERVER", "Server"}, {"keyspace memory", "Memory Keyspace"}, {"replication", "Replication"}, {"foo server foo", "Server Foo"},
	} {
		if got := headings(info(strings.Fields(tt.args)...)); got != tt.want {
			t.Errorf("INFO %s: sections %s, want %s", tt.args, got, tt.want)
		}
	}
	if s := info(); !strings.Contains(s, "\r\nredis_version:7.2.4\r\n") || !strings.Contains(s, "\r\nskystash_version:") ||
		!strings.Contains(s, "\r\ndb0:keys=4,expires=1,avg_ttl=0\r\n") {
		t.Errorf("INFO:\n%s", s)
	}
	if got, want := info("keyspace"), "# Keyspace\r\ndb0:keys=4,expires=1,avg_ttl=0\r\n"; got != want {
		t.Errorf("INFO keyspace: %q", got)
	}
	got, err := d.multi("del L H", "set new v ex 10", "info keyspace")
	if err != nil || !strings.Contains(got, "db0:keys=3,expires=1,") {
		t.Errorf("in a transaction: %s (%v)", got, err)
	}
	d.do("flushdb")
	if got := info("keyspace"); got != "# Keyspace\r\n" {
		t.Errorf("of an empty database: %q", got)
	}
}

func TestInfoCountsManyKeysOnlyWhenAsked(t *testing.T) {
	d := newTestEngine(t)
	for i := range 1001 {
		d.do("set", "k"+strconv.Itoa(i), "v")
	}
	if got := d.cmd("info"); strings.Contains(got, "db0:") {
		t.Errorf("INFO counted: %s", got)
	}
	if got := d.cmd("info keyspace"); !strings.Contains(got, "db0:keys=1001,expires=0") {
		t.Error(got)
	}
}

func TestCommand(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"command info nosuch", "[(nil)]"},
		[2]string{"command info get", `[["get" (integer) 2 [readonly fast] (integer) 1 (integer) 1 (integer) 1 [@string @read @fast] [] ` +
			`[["flags" [RO access] "begin_search" ["type" "index" "spec" ["index" (integer) 1]] ` +
			`"find_keys" ["type" "range" "spec" ["lastkey" (integer) 0 "keystep" (integer) 1 "limit" (integer) 0]]]] []]]`},
		[2]string{"command docs nosuch", "[]"},
		[2]string{"command docs echo", `["echo" ["summary" "Returns its argument." "since" "1.0.0" "group" "connection" "complexity" "O(1)" "arguments" [["name" "message" "type" "string"]]]]`},
		[2]string{"command docs getset", `["getset" ["summary" "Sets the value of a key and returns the old one." "since" "1.0.0" "group" "string" "complexity" "O(1)" ` +
			`"doc_flags" [deprecated] "deprecated_since" "6.2.0" "replaced_by" "` + "`SET` with the `!GET` argument" + `" ` +
			`"arguments" [["name" "key" "type" "key" "key_spec_index" (integer) 0] ["name" "value" "type" "string"]]]]`},
		[2]string{"command getkeys set a b", `["a"]`},
		[2]string{"command getkeys del a b", `["a" "b"]`},
		[2]string{"command getkeys memory usage k", `["k"]`},
		[2]string{"command getkeys sort k by w_* store dst", `["k" "dst"]`},
		[2]string{"command getkeysandflags get a", `[["a" [RO access]]]`},
		[2]string{"command getkeysandflags expire a 1", `[["a" [RW update]]]`},
		[2]string{"command getkeysandflags copy a b", `[["a" [RO access]] ["b" [OW update]]]`},
		[2]string{"command getkeysandflags set a b", `[["a" [OW update]]]`},
		[2]string{"command getkeysandflags set a b get", `[["a" [RW access update]]]`},
		[2]string{"command getkeysandflags bitfield a get u8 0", `[["a" [RO access]]]`},
		[2]string{"command getkeysandflags bitfield a get u8 0 set u8 0 1", `[["a" [RW access update]]]`},
		[2]string{"command getkeysandflags zunionstore d 2 a b", `[["d" [OW update]] ["a" [RO access]] ["b" [RO access]]]`},
		[2]string{"command getkeys nosuch a", "(error) ERR Invalid command specified"},
		[2]string{"command getkeys config nosuch", "(error) ERR Invalid command specified"},
		[2]string{"command getkeys ping", "(error) ERR The command has no key arguments"},
		[2]string{"command getkeys get a b", "(error) ERR Invalid number of arguments specified for command"},
		[2]string{"command getkeys zunionstore d 2 a b", `["d" "a" "b"]`},
		[2]string{"command getkeys zunionstore d 3 a b", "(error) ERR Invalid arguments specified for command"},
		[2]string{"command getkeys unlink", "(error) ERR Invalid arguments specified for command"},
		[2]string{"command list filterby module x", "[]"},
		[2]string{"command list filterby pattern EXPIRE*", `["expire" "expireat" "expiretime"]`},
		[2]string{"command list filterby pattern memory|u*", `["memory|usage"]`},
		[2]string{"command list filterby aclcat nosuch", "[]"},
		[2]string{"command list filterby foo x", "(error) ERR syntax error"},
		[2]string{"command list foo", "(error) ERR syntax error"},
		[2]string{"command foo", "(error) ERR unknown subcommand 'foo'. Try COMMAND HELP."},
	)
	if got := words(d.cmd("command list filterby aclcat dangerous")); !slices.Contains(got, "keys") || !slices.Contains(got, "flushall") || slices.Contains(got, "get") {
		t.Errorf("dangerous commands: %q", got)
	}
	if all, infos := d.cmd("command"), d.cmd("command info"); all != infos {
		t.Errorf("COMMAND and COMMAND INFO are not the same")
	}
	if got := words(d.cmd("command list filterby aclcat dangerous")); slices.Contains(got, "command|info") || slices.Contains(got, "client|info") {
		t.Errorf("what only has the name of a dangerous command counts as dangerous: %q", got)
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(d.cmd("command count"), "(integer) "))
	infos, _, err := resp.Next(d.raw("command", "info"))
	if err != nil || infos.Len != n || n < 50 {
		t.Errorf("COMMAND COUNT is %d, COMMAND INFO has %d (%v)", n, infos.Len, err)
	}
	docs, _, err := resp.Next(d.raw("command", "docs"))
	if err != nil || docs.Len != 2*n {
		t.Errorf("COMMAND COUNT is %d, COMMAND DOCS has %d names and values (%v)", n, docs.Len, err)
	}
	for _, line := range []string{"command", "command info", "command docs", "command list", "command help", "config help", "client help", "memory help"} {
		if err := resp.Check(d.raw(strings.Fields(line)...)); err != nil {
			t.Errorf("%s: malformed reply: %v", line, err)
		}
	}
}

func TestReadOnlyAccess(t *testing.T) {
	d := newTestEngine(t)
	for _, tt := range []struct {
		line    string
		allowed bool
	}{
		{"exists a", true}, {"ttl a", true}, {"type a", true}, {"touch a", true}, {"time", true}, {"ping", true}, {"echo x", true},
		{"select 0", true}, {"sort_ro a", true}, {"memory usage a", true}, {"object encoding a", true}, {"command count", true}, {"command", true},
		{"keys *", false}, {"scan 0", false}, {"dbsize", false}, {"randomkey", false}, {"config get *", false}, {"info", false},
		{"del a", false}, {"unlink a", false}, {"expire a 1", false}, {"persist a", false}, {"rename a b", false}, {"copy a b", false},
		{"sort a", false}, {"flushdb", false}, {"flushall", false}, {"swapdb 0 0", false}, {"config set x y", false},
	} {
		var w resp.Writer
		if err := d.e.Do(context.Background(), d.database(), redis.Access{ReadOnly: true}, strings.Fields(tt.line), &w); err != nil {
			t.Fatal(err)
		}
		if allowed := !bytes.HasPrefix(w.Buf, []byte("-NOPERM")); allowed != tt.allowed {
			t.Errorf("%s: %s", tt.line, w.Buf)
		}
	}
}

// What comes behind a FLUSHDB in a pipeline finds the empty database.
func TestPipelineBehindFlush(t *testing.T) {
	d := newTestEngine(t)
	var w resp.Writer
	cmds := [][]string{{"set", "a", "1"}, {"flushdb"}, {"set", "k", "v"}, {"get", "a"}, {"get", "k"}, {"function", "load", testLibrary}, {"fcall", "get", "1", "k"}}
	d.e.Pipeline(context.Background(), d.database(), redis.Access{}, cmds, &w)
	got := renderAll(t, w.Buf)
	if want := []string{"OK", "OK", "OK", "(nil)", `"v"`, `"lib"`, `"v"`}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	d.check([2]string{"dbsize", "(integer) 1"})
}
