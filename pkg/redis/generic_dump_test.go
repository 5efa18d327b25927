package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// dumped is a key's payload.
func (d *testDB) dumped(key string) string {
	d.t.Helper()
	s, err := strconv.Unquote(d.do("dump", key))
	if err != nil {
		d.t.Fatalf("DUMP %s: %s", key, d.do("dump", key))
	}
	return s
}

func TestDumpAndRestore(t *testing.T) {
	d := newTestEngine(t)
	d.spreadKeys()
	d.do("set", "int", "12345")
	d.do("set", "text", "some text\x00\xff")
	d.do("set", "long", strings.Repeat("0123456789", 40<<10))
	d.do("rpush", "l", "a", "", "3")
	d.do("hset", "h", "f", "v", "g", "7")
	d.do("sadd", "s", "1", "2", "x")
	d.do("zadd", "z", "-inf", "a", "1.5", "b", "0", "c")
	d.do("expire", "l", "100")
	for key, read := range map[string]string{
		"int": "get %s", "text": "get %s", "long": "get %s", "l": "lrange %s 0 -1", "L": "lrange %s 0 -1", "h": "hgetall %s", "H": "hgetall %s",
		"s": "smembers %s", "S": "smembers %s", "z": "zrange %s 0 -1 withscores", "Z": "zrange %s 0 -1 withscores",
	} {
		payload := d.dumped(key)
		if got := d.do("restore", "new", "0", payload, "replace"); got != "OK" {
			t.Errorf("RESTORE of %s: %s", key, got)
		}
		if got, want := d.cmd(fmt.Sprintf(read, "new")), d.cmd(fmt.Sprintf(read, key)); got != want {
			t.Errorf("%s restored: %.200s, want %.200s", key, got, want)
		}
		d.check([2]string{"ttl new", "(integer) -1"})
	}
	d.check([2]string{"dump nosuch", "(nil)"})
}

func TestRestoreOptions(t *testing.T) {
	d := newTestEngine(t)
	d.do("set", "a", "1")
	payload := d.dumped("a")
	now := d.clock.now().UnixMilli()
	ms := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, tt := range []struct {
		name string
		args []string // behind "restore"
		want string
		ttl  string // of the key
	}{
		{"existing key", []string{"a", "0", payload}, "(error) BUSYKEY Target key name already exists.", "-1"},
		{"replace", []string{"a", "0", payload, "REPLACE"}, "OK", "-1"},
		{"time to live", []string{"b", "5000", payload}, "OK", "5000"},
		{"absolute time", []string{"c", ms(now + 7000), payload, "absttl"}, "OK", "7000"},
		{"absolute time in the past", []string{"d", ms(now - 1), payload, "absttl"}, "OK", "-2"},
		{"absolute time in the past replaces by nothing", []string{"b", ms(now - 1), payload, "absttl", "replace"}, "OK", "-2"},
		{"idle time", []string{"e", "0", payload, "idletime", "10"}, "OK", "-1"},
		{"frequency", []string{"f", "0", payload, "freq", "10"}, "OK", "-1"},
		{"busy before a bad time to live", []string{"a", "x", payload}, "(error) BUSYKEY Target key name already exists.", "-1"},
		{"no number", []string{"x", "y", payload}, "(error) ERR value is not an integer or out of range", "-2"},
		{"negative time to live", []string{"x", "-1", payload}, "(error) ERR Invalid TTL value, must be >= 0", "-2"},
		{"negative idle time", []string{"x", "0", payload, "idletime", "-1"}, "(error) ERR Invalid IDLETIME value, must be >= 0", "-2"},
		{"frequency too large", []string{"x", "0", payload, "freq", "256"}, "(error) ERR Invalid FREQ value, must be >= 0 and <= 255", "-2"},
		{"frequency and idle time", []string{"x", "0", payload, "freq", "1", "idletime", "1"}, "(error) ERR syntax error", "-2"},
		{"unknown option", []string{"x", "0", payload, "foo"}, "(error) ERR syntax error", "-2"},
		{"damaged payload", []string{"x", "0", "x" + payload[1:]}, "(error) ERR DUMP payload version or checksum are wrong", "-2"},
		{"no payload", []string{"x", "0", ""}, "(error) ERR DUMP payload version or checksum are wrong", "-2"},
	} {
		if got := d.do(append([]string{"restore"}, tt.args...)...); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if got := d.do("pttl", tt.args[0]); got != "(integer) "+tt.ttl {
			t.Errorf("%s: PTTL is %s, want %s", tt.name, got, tt.ttl)
		}
	}
}

func TestRestoreKeepsFieldExpiries(t *testing.T) {
	d := newTestEngine(t)
	d.do("hset", "h", "stays", "1", "goes", "2")
	d.do("hpexpire", "h", "1000", "fields", "1", "goes")
	payload := d.dumped("h")
	d.do("restore", "copy", "0", payload)
	if got := d.do("hpttl", "copy", "fields", "2", "stays", "goes"); got != "[(integer) -1 (integer) 1000]" {
		t.Error(got)
	}
	d.clock.advance(time.Second)
	d.do("restore", "late", "0", payload)
	if got := d.do("hgetall", "late"); got != `["stays" "1"]` {
		t.Error(got)
	}
}

func TestDumpOfTooLargeValueIsRefused(t *testing.T) {
	d := newTestEngine(t)
	part := strings.Repeat("x", 100<<10)
	for range 105 {
		d.do("rpush", "l", part)
	}
	if got := d.do("dump", "l"); !strings.HasPrefix(got, "(error) ERR max request size exceeded") {
		t.Errorf("%.100s", got)
	}
}
