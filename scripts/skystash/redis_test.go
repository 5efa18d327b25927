package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/transfer"
)

// realRedis is a redis-server of this test. It loads the file dump.rdb of its folder, if there is one.
type realRedis struct {
	url string
	*transfer.RESP
}

func startRedis(t *testing.T, dump string) *realRedis {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // a short name: that of a socket has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if dump != "" {
		data, err := os.ReadFile(dump)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sock := filepath.Join(dir, "s")
	server := exec.Command("redis-server", "--port", "0", "--unixsocket", sock, "--save", "", "--appendonly", "no", "--dir", dir, "--enable-debug-command", "yes")
	var log strings.Builder
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatalf("start redis-server (Debian package redis-server, 7.0): %v", err)
	}
	done := make(chan struct{})
	go func() { server.Wait(); close(done) }()
	t.Cleanup(func() { server.Process.Kill(); <-done })
	r := &realRedis{url: "unix://" + sock}
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	if r.RESP, err = transfer.NewRESP(u, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.RESP.Close)
	for {
		replies, err := r.Do(t.Context(), []string{"PING"})
		if err == nil && replies[0] == "PONG" {
			return r
		}
		select {
		case <-done:
			t.Fatalf("redis-server ended:\n%s", log.String())
		case <-time.After(10 * time.Millisecond): // it is starting, or loading
		}
	}
}

// do runs commands that must not fail.
func do(t *testing.T, p transfer.Peer, cmds ...[]string) []any {
	t.Helper()
	replies, err := p.Do(t.Context(), cmds...)
	if err != nil {
		t.Fatal(err)
	}
	for i, reply := range replies {
		if refused, ok := reply.(resp.Error); ok {
			t.Fatalf("%.100q: %v", cmds[i], refused)
		}
	}
	return replies
}

func (r *realRedis) digest(t *testing.T) any { return do(t, r, []string{"DEBUG", "DIGEST"})[0] }

// sample fills a database with values of every type of Redis 7.0, in each of their encodings.
func sample(t *testing.T, p transfer.Peer) {
	t.Helper()
	var cmds [][]string
	add := func(format string, args ...any) { cmds = append(cmds, strings.Fields(fmt.Sprintf(format, args...))) }
	raw := func(args ...string) { cmds = append(cmds, args) }
	add("SET plain hello")
	raw("SET", "empty", "")
	raw("SET", "", "of no name")
	raw("SET", "binary\xff\x00\r\n", "\x00\xfe\xff\xc3")
	raw("SET", "ümläut €", "snow ☃ \x7f \u2028")
	for i, n := range []string{"0", "-1", "127", "-129", "40000", "-2147483648", "4294967296", "007", "1e3"} {
		add("SET number:%d %s", i, n)
	}
	raw("SET", "large", strings.Repeat("0123456789abcdef\xff", 100_000))
	add("SET expiring v PXAT 4102444800123")
	add("RPUSH list a b c 1 -5 300000")
	add("SADD ints 1 2 3 -70000 5000000000")
	add("SADD set a b c")
	add("HSET hash f v g 12 h 3.5")
	raw("HSET", "hash:binary", "\xff", "\xfe", "\xef\xbf\xbd", "replaced?")
	add("ZADD zset 1 a 1.5 b -inf c inf d 1e300 e 0.1 f 3 g")
	for i := range 1500 {
		add("RPUSH list:long element-%d", i)
		add("SADD set:long member-%d", i)
		add("HSET hash:long field-%d %d", i, i*i)
		add("ZADD zset:long %d.25 member-%d", i%77, i)
		add("XADD stream:long %d-%d field %d other text-%d", 1000+i/10, i%10+1, i, i)
	}
	raw("RPUSH", "list:large", strings.Repeat("x", 100_000), "y")
	add("XADD stream 1-1 a 1 b 2")
	add("XADD stream 1-2 a 3 b 4")
	add("XADD stream 2-1 other 3")
	add("XADD stream 3-1 a 5 b 6")
	add("XDEL stream 1-2")
	add("XGROUP CREATE stream group 0")
	add("XREADGROUP GROUP group alice COUNT 2 STREAMS stream >")
	add("XREADGROUP GROUP group bob COUNT 1 STREAMS stream >")
	add("XACK stream group 1-1")
	add("XGROUP CREATE stream late $")
	add("XADD stream:empty MAXLEN 0 5-5 f v")
	add("PEXPIREAT stream 4102444800000")
	add("PFADD hll a b c d")
	do(t, p, cmds...)
}

// equal fails for each key of a server that another has not with the same value.
func equal(t *testing.T, from, to transfer.Peer) transfer.Stats {
	t.Helper()
	stats, err := transfer.Copy(t.Context(), transfer.NewScan(from, time.Now, ""), &transfer.Compare{Peer: to, Now: time.Now}, transfer.Options{
		Skipped: func(s transfer.Skipped) { t.Errorf("%q %s", s.Key, s.Why) },
	})
	if err != nil {
		t.Fatal(err)
	}
	a, b := do(t, from, []string{"DBSIZE"})[0], do(t, to, []string{"DBSIZE"})[0]
	if stats.There == 0 || a != b {
		t.Errorf("%d keys are equal; there are %v and %v", stats.There, a, b)
	}
	return stats
}

// rdbFile runs export and returns the file.
func export(t *testing.T, name string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if status, _, notes := skystash(t, "", append([]string{"export", "redis", "--out", file}, args...)...); status != 0 || !strings.Contains(notes, "exported") {
		t.Fatalf("status %d: %s", status, notes)
	}
	return file
}

func TestExportOfARedisLoadsInARedis(t *testing.T) {
	from := startRedis(t, "")
	sample(t, from)
	to := startRedis(t, export(t, "dump.rdb", "--from", from.url))
	if a, b := from.digest(t), to.digest(t); a != b {
		t.Errorf("digests %v and %v", a, b)
	}
	equal(t, from, to)
}

func TestExportOfSkystashLoadsInARedis(t *testing.T) {
	from := startRedis(t, "")
	sample(t, from)
	dir := filepath.Join(t.TempDir(), "data")
	m := dev(t, dir)
	by := newRESTPeer(m.URL(), m.Token())
	sample(t, by)
	do(t, by, []string{"JSON.SET", "doc", "$", `{"a":[1,2.50,"ü"]}`}, []string{"HSET", "mortal", "f", "v"}, []string{"HPEXPIREAT", "mortal", "4102444800000", "FIELDS", "1", "f"})
	file := filepath.Join(t.TempDir(), "dump.rdb")
	status, _, notes := skystash(t, "", "export", "redis", "--out", file, "--data", dir)
	if status != 0 || !strings.Contains(notes, "2 not as they were") || !strings.Contains(notes, `"doc": it is a JSON document`) || !strings.Contains(notes, `"mortal": without the fields' times to live`) {
		t.Fatalf("status %d: %s", status, notes)
	}
	to := startRedis(t, file)
	if got := do(t, to, []string{"GET", "doc"}, []string{"HGET", "mortal", "f"}, []string{"DEL", "doc", "mortal"}); got[0] != `{"a":[1,2.50,"ü"]}` || got[1] != "v" {
		t.Errorf("%q", got)
	}
	// The times of what is pending are those of the commands; all else is equal, and this digest has no times.
	if a, b := from.digest(t), to.digest(t); a != b {
		t.Errorf("digests %v and %v", a, b)
	}
	do(t, by, []string{"DEL", "doc", "mortal"})
	equal(t, by, to)
}
