package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/transfer"
	"github.com/skystash/skystash/pkg/testenv/logbuffer"
)

// TestMain lets the test's program be skystash itself, for what has to be a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("SKYSTASH_TEST_IS_SKYSTASH") != "" {
		main()
	}
	os.Exit(m.Run())
}

// local starts a local server and returns its folder and itself, over REST and by Redis's own protocol.
func local(t *testing.T) (dir, native string, rest transfer.Peer) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	m := dev(t, dir)
	vars, err := readLocalEnv(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, vars["REDIS_URL"], newRESTPeer(m.URL(), m.Token())
}

func importRedisFrom(t *testing.T, status int, want string, args ...string) string {
	t.Helper()
	got, _, notes := skystash(t, "", append([]string{"import", "redis", "--from"}, args...)...)
	if got != status || !strings.Contains(notes, want) {
		t.Fatalf("status %d, want %d with %q:\n%s", got, status, want, notes)
	}
	return notes
}

// TestRoundTripIsExact takes values from a redis-server by every way into Skystash, and by an RDB file into another redis-server.
func TestRoundTripIsExact(t *testing.T) {
	from := startRedis(t, "")
	sample(t, from)
	rdbFile := export(t, "dump.rdb", "--from", from.url)
	lines := export(t, "dump.jsonl", "--from", from.url)
	for _, c := range []struct {
		name, from string
		native     bool
	}{
		{"RDB file, REST", rdbFile, false},
		{"JSON lines, own protocol", lines, true},
		{"server, REST", from.url, false},
		{"server, own protocol", from.url, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, native, rest := local(t)
			args := []string{c.from, "--data", dir, "--verify"}
			if c.native {
				args = append(args, "--to", native)
			}
			importRedisFrom(t, 0, "verified: ", args...)
			equal(t, from, rest)
			to := startRedis(t, export(t, "back.rdb", "--data", dir))
			if a, b := from.digest(t), to.digest(t); a != b {
				t.Errorf("digests %v and %v", a, b)
			}
			equal(t, from, to)
		})
	}
}

// withoutDump is a server that has no DUMP, or no RESTORE.
type withoutDump struct {
	transfer.Peer
	missing string
}

func (w withoutDump) Do(ctx context.Context, cmds ...[]string) ([]any, error) {
	replies, err := w.Peer.Do(ctx, cmds...)
	for i, cmd := range cmds {
		if err == nil && cmd[0] == w.missing {
			replies[i] = resp.Error("ERR unknown command '" + cmd[0] + "'")
		}
	}
	return replies, err
}

func TestValuesMoveByTypeWhereThereIsNoDump(t *testing.T) {
	from, to := startRedis(t, ""), startRedis(t, "")
	sample(t, from)
	stats, err := transfer.Copy(t.Context(), transfer.NewScan(withoutDump{from, "DUMP"}, time.Now, ""), &transfer.Restore{Peer: withoutDump{to, "NOTHING"}, Now: time.Now},
		transfer.Options{Skipped: func(s transfer.Skipped) { t.Errorf("%q: %s", s.Key, s.Why) }})
	if err != nil || stats.Keys == 0 {
		t.Fatal(stats, err)
	}
	if a, b := from.digest(t), to.digest(t); a != b {
		t.Errorf("digests %v and %v", a, b)
	}
}

func TestSkystashMovesByType(t *testing.T) {
	_, _, from := local(t)
	_, native, to := local(t)
	sample(t, from)
	do(t, from, []string{"JSON.SET", "doc", "$", `{"a":[1,2.50,"ü"]}`}, []string{"HSET", "mortal", "f", "v", "g", "w"}, []string{"HPEXPIREAT", "mortal", "4102444800000", "FIELDS", "1", "f"},
		[]string{"DEL", "stream"}) // when its consumers were active cannot be written by type
	var e endpointFlags
	target, err := e.peer(native, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Copy(t.Context(), transfer.NewScan(withoutDump{from, "DUMP"}, time.Now, ""), &transfer.Restore{Peer: target, Now: time.Now},
		transfer.Options{Skipped: func(s transfer.Skipped) { t.Errorf("%q: %s", s.Key, s.Why) }}); err != nil {
		t.Fatal(err)
	}
	equal(t, from, to)
}

func TestImportSkipsWhatIsThereAlready(t *testing.T) {
	from := startRedis(t, "")
	dir, _, rest := local(t)
	do(t, from, []string{"SET", "same", "v"}, []string{"SET", "other", "v"}, []string{"SET", "new", "v"}, []string{"SET", "past", "v"})
	do(t, rest, []string{"SET", "same", "v"}, []string{"SET", "other", "w"})
	report := filepath.Join(t.TempDir(), "report")
	importRedisFrom(t, 1, "imported 2 keys", from.url, "--data", dir, "--match", "[nos]*", "--report", report)
	if text, err := os.ReadFile(report); err != nil || !strings.Contains(string(text), `"other": the target has this key with another value; --replace`) {
		t.Errorf("%s, %v", text, err)
	}
	importRedisFrom(t, 1, "1 keys are not equal", from.url, "--data", dir, "--match", "[nos]*", "--verify")
	if got := do(t, rest, []string{"MGET", "same", "other", "new", "past"})[0]; fmt.Sprint(got) != "[v w v <nil>]" {
		t.Error(got)
	}
	importRedisFrom(t, 0, "verified: 4 keys", from.url, "--data", dir, "--replace", "--verify")
}

// TestImportGoesOnAfterKill kills the program without notice and has it go on.
func TestImportGoesOnAfterKill(t *testing.T) {
	from := startRedis(t, "")
	var cmds [][]string
	for i := range 20_000 {
		cmds = append(cmds, []string{"SET", fmt.Sprintf("key:%d", i), strings.Repeat("v", i%200)})
	}
	do(t, from, cmds...)
	lines := export(t, "dump.jsonl", "--from", from.url)
	for name, source := range map[string]string{"server": from.url, "file": lines} {
		t.Run(name, func(t *testing.T) {
			_, native, rest := local(t)
			state := filepath.Join(t.TempDir(), "state")
			args := []string{"import", "redis", "--from", source, "--to", native, "--state", state}
			killed := exec.CommandContext(t.Context(), os.Args[0], append(args, "--rate", "10000")...)
			killed.Env = append(os.Environ(), "SKYSTASH_TEST_IS_SKYSTASH=1")
			var notes bytes.Buffer
			killed.Stderr = &notes
			if err := killed.Start(); err != nil {
				t.Fatal(err)
			}
			var sf stateFile
			for sf = (stateFile{name: state}); sf.Keys < 1000; {
				if killed.ProcessState != nil || t.Context().Err() != nil {
					t.Fatal(notes.String())
				}
				sf.From, sf.To = withoutPassword(source), withoutPassword(native)
				if _, err := os.Stat(state); err == nil {
					if err := sf.load(); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(5 * time.Millisecond)
			}
			if err := killed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := killed.Wait(); err == nil {
				t.Fatal("it had ended before it was killed")
			}
			if n := do(t, rest, []string{"DBSIZE"})[0]; n == int64(20_000) {
				t.Fatal("all was there before it went on")
			}
			status, _, after := skystash(t, "", append(args, "--verify")...)
			if status != 0 || !strings.Contains(after, "going on after ") || !strings.Contains(after, "verified: 20000 keys") {
				t.Errorf("status %d: %s", status, after)
			}
			equal(t, from, rest)
			if status, _, after := skystash(t, "", append(args, "--match", "x*")...); status != 2 || !strings.Contains(after, "is the state of an import") {
				t.Errorf("another import takes this state: %d, %s", status, after)
			}
		})
	}
}

// said waits until a text is part of what is written.
func said(t *testing.T, notes *logbuffer.Buffer, text string) {
	t.Helper()
	for t.Context().Err() == nil {
		if strings.Contains(notes.String(), text) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("it does not say %q", text)
}

func TestImportFollows(t *testing.T) {
	from := startRedis(t, "")
	sample(t, from)
	dir, _, rest := local(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var notes logbuffer.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"import", "redis", "--from", from.url, "--data", dir, "--follow", "--every", "1ms", "--shadow", "1"}, strings.NewReader(""), &notes, &notes)
	}()
	said(t, &notes, "SETTLED")
	do(t, from, []string{"SET", "plain", "changed"}, []string{"DEL", "list"}, []string{"SADD", "set", "new"}, []string{"SET", "late", "v"}, []string{"EXPIREAT", "hash", "4102444800"})
	do(t, rest, []string{"SET", "number:1", "somebody else"})
	said(t, &notes, `"number:1" has another value`)
	do(t, rest, []string{"SET", "number:1", "-1"})
	for do(t, rest, []string{"EXISTS", "late"})[0] != int64(1) || do(t, rest, []string{"EXISTS", "list"})[0] != int64(0) || do(t, rest, []string{"PTTL", "hash"})[0].(int64) < 0 {
		time.Sleep(5 * time.Millisecond)
	}
	said(t, &notes, "0 changed, 0 deleted, 0 of those compared differ")
	cancel()
	if status := <-done; status != 0 {
		t.Errorf("status %d: %s", status, notes.String())
	}
	equal(t, from, rest)
}

func TestBackupsOfTheLocalServerAreFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m := dev(t, dir)
	redis := newRESTPeer(m.URL(), m.Token())
	call := func(path, body string) string {
		t.Helper()
		method := http.MethodPost
		if body == "" {
			method = http.MethodGet
		}
		req, err := http.NewRequestWithContext(t.Context(), method, m.URL()+"/v2/redis/"+path+"/default", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(m.Email(), m.APIKey())
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s, %v", path, answer.StatusCode, text, err)
		}
		return string(text)
	}
	do(t, redis, []string{"SET", "k", "before"})
	call("create-backup", `{"name":"one"}`)
	do(t, redis, []string{"SET", "k", "after"}, []string{"SET", "later", "v"})
	var list []struct {
		ID string `json:"backup_id"`
	}
	if err := json.Unmarshal([]byte(call("list-backup", "")), &list); err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "backups", "default", list[0].ID, "*")); err != nil || len(files) != 3 {
		t.Errorf("files %v, %v", files, err)
	}
	call("restore-backup", `{"backup_id":"`+list[0].ID+`"}`)
	if got := do(t, redis, []string{"MGET", "k", "later"})[0]; fmt.Sprint(got) != "[before <nil>]" {
		t.Error(got)
	}
}

func TestImportSaysWhatIsWrong(t *testing.T) {
	dir, _, _ := local(t)
	write := func(text string) string {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"import", "redis"}, 2, "where from?"},
		{[]string{"import", "redis", "--from", "https://example.com", "--data", dir}, 2, "SKYSTASH_FROM_TOKEN"},
		{[]string{"import", "redis", "--from", write("hello"), "--data", dir}, 1, "neither an RDB file nor lines of JSON"},
		{[]string{"import", "redis", "--from", write(`{"key":"k","type":"list","value":[]}`), "--data", dir}, 1, "line 1: key \"k\": no element"},
		{[]string{"import", "redis", "--from", write("REDIS0009\x00\x01k"), "--data", dir}, 1, "the file ends"},
		{[]string{"import", "redis", "--from", write("{}"), "--follow", "--data", dir}, 2, "a file does not change"},
		{[]string{"import", "redis", "--from", "unix:///nowhere", "--data", dir}, 1, "connect"},
		{[]string{"export", "redis"}, 2, "where to?"},
		{[]string{"export", "redis", "--out", "x.csv"}, 2, "rdb or jsonl"},
		{[]string{"export", "redis", "--out", "x.rdb", "--redis", "6"}, 2, "7.0, 7.2 or 7.4"},
	} {
		if status, _, stderr := skystash(t, "", c.args...); status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, %q; want %d with %q", c.args, status, stderr, c.status, c.want)
		}
	}
}
