package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/scripts/local/server"
)

// skystash runs a command and returns its exit status and what it has printed.
func skystash(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, notes bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(stdin), &out, &notes)
	return status, out.String(), notes.String()
}

func TestErrorsSayWhatToDoNext(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"frobnicate"}, 2, "unknown command"},
		{[]string{"dev", "--nonsense"}, 2, "skystash dev --help"},
		{[]string{"dev", "stray"}, 2, "skystash dev --help"},
		{[]string{"dev", "-store", "files"}, 2, "want embedded or dynamo"},
		{[]string{"doctor", "stray"}, 2, "skystash doctor --help"},
		{[]string{"token"}, 1, "start \"skystash dev\""},
		{[]string{"token", "pulsar"}, 2, "want redis"},
		{[]string{"token", "inspect"}, 2, "standard input"},
		{[]string{"token", "inspect", "nonsense"}, 1, "no token of Skystash"},
		{[]string{"admin", "nonsense"}, 2, "nonsense"},
		{[]string{"admin", "keygen"}, 1, "missing -out"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, stdout, stderr := skystash(t, "", c.args...)
			if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("status %d, prints %q and %q; want %d and one line with %q", status, stdout, stderr, c.status, c.want)
			}
		})
	}
}

func TestLongFlagsMayHaveOneDash(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"dev -addr x --data y -q -ephemeral", "dev --addr x --data y -q --ephemeral"},
		{"dev -addr=x -qstash-breaker -1", "dev --addr=x --qstash-breaker -1"},
		{"token inspect -", "token inspect -"},
		{"dev -h -- -addr", "dev -h -- -addr"},
		{"admin keygen -out x", "admin keygen -out x"},
	} {
		if got := strings.Join(twoDashes(strings.Fields(c.args)), " "); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.args, got, c.want)
		}
	}
}

func TestAdminMakesAKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.pem")
	status, public, notes := skystash(t, "", "admin", "keygen", "-out", file)
	if status != 0 {
		t.Fatal(notes)
	}
	if _, err := token.ParsePublicKeys(strings.TrimSpace(public)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if status, _, help := skystash(t, "", "admin", "mint-token", "--help"); status != 0 || !strings.Contains(help, "-database") {
		t.Errorf("status %d, help %q", status, help)
	}
}

// dev starts the local server as "skystash dev" does.
func dev(t *testing.T, dir string) *server.Main {
	t.Helper()
	m := server.NewMain(io.Discard, io.Discard)
	if err := m.ParseFlags([]string{"-addr", "127.0.0.1:0", "-data", dir}); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func TestTokensOfTheLocalServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m := dev(t, dir)
	for kind, want := range map[string]string{"": m.Token(), "redis-readonly": m.ReadOnlyToken(), "qstash": m.QStashToken(), "api-key": m.APIKey()} {
		args := []string{"token", "--data", dir}
		if kind != "" {
			args = append(args, kind)
		}
		if status, got, notes := skystash(t, "", args...); status != 0 || strings.TrimSpace(got) != want {
			t.Errorf("%s: status %d, %q, %q", kind, status, got, notes)
		}
	}
	if status, text, notes := skystash(t, m.ReadOnlyToken()+"\n", "token", "inspect", "-"); status != 0 || !strings.Contains(text, "reads only") || !strings.Contains(text, "default") {
		t.Errorf("status %d, %q, %q", status, text, notes)
	}
	if status, text, notes := skystash(t, "", "token", "inspect", m.QStashToken()); status != 0 || !strings.Contains(text, "qstash") {
		t.Errorf("status %d, %q, %q", status, text, notes)
	}
}

func TestClaimsTellThatATokenHasExpired(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	printClaims(&out, token.Claims{Products: []string{"redis"}, Scope: token.ReadWrite, Expires: now.Add(-time.Hour), Rules: []string{"+@read", "~a:*"}}, now)
	for _, want := range []string{"2026-01-02T02:04:05Z: it has expired", "+@read ~a:*", "reads and writes"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestDoctorFindsAHealthyServerHealthy(t *testing.T) {
	t.Setenv("UPSTASH_REDIS_REST_URL", "")
	dir := filepath.Join(t.TempDir(), "data")
	dev(t, dir)
	status, text, _ := skystash(t, "", "doctor", "--data", dir)
	if status != 0 || strings.Contains(text, "FAIL") {
		t.Errorf("status %d\n%s", status, text)
	}
	for _, what := range []string{"Redis ", "Redis, reading", "Redis, native", "Kafka ", "Kafka, native", "QStash", "Developer API", "folder"} {
		if !strings.Contains(text, "ok    "+what) {
			t.Errorf("nothing is said about %s:\n%s", what, text)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "signing.pem"), 0o644); err != nil { // #nosec G302 -- it is the fault to be found
		t.Fatal(err)
	}
	if status, text, _ := skystash(t, "", "doctor", "--data", dir); status != 1 || !strings.Contains(text, "-> chmod 600") {
		t.Errorf("a key that others may read: status %d\n%s", status, text)
	}
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	m := dev(t, filepath.Join(t.TempDir(), "data"))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, c := range []struct{ name, url, token, want string }{
		{"wrong token", m.URL(), "nonsense", "refuses the token"},
		{"nobody there", "http://" + closed.Addr().String(), m.Token(), "skystash dev"},
		{"no URL", "http://a b", m.Token(), "malformed"},
		{"another service", m.URL() + "/console", m.Token(), "is this URL that of Skystash?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("UPSTASH_REDIS_REST_URL", c.url)
			t.Setenv("UPSTASH_REDIS_REST_TOKEN", c.token)
			if status, text, _ := skystash(t, "", "doctor"); status != 1 || !strings.Contains(text, c.want) {
				t.Errorf("status %d, want %q in\n%s", status, c.want, text)
			}
		})
	}
}

func TestManualPageHasAllCommandsAndFlags(t *testing.T) {
	status, page, _ := skystash(t, "", "man")
	if status != 0 || !strings.HasPrefix(page, ".TH SKYSTASH 1") {
		t.Fatalf("status %d, page %.100q", status, page)
	}
	commands := 0
	walk(newRoot(io.Discard, io.Discard), func(c *cobra.Command) {
		commands++
		if !strings.Contains(page, ".SS "+roff(c.Parent().CommandPath()+" "+c.Use)+"\n") {
			t.Errorf("%s is missing", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.Contains(page, roff("--"+f.Name)) {
				t.Errorf("%s --%s is missing", c.CommandPath(), f.Name)
			}
		})
	})
	if commands < 20 {
		t.Errorf("%d commands", commands)
	}
}

func TestShellsCompleteCommandsAndValues(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"adm"}, "admin"},
		{[]string{"admin", "mint-t"}, "mint-token"},
		{[]string{"dev", "--store", "d"}, "dynamo"},
		{[]string{"dev", "--eph"}, "--ephemeral"},
		{[]string{"token", "q"}, "qstash"},
	} {
		_, out, _ := skystash(t, "", append([]string{cobra.ShellCompRequestCmd}, c.args...)...)
		lines := strings.Split(out, "\n")
		if !slices.ContainsFunc(lines, func(line string) bool { return line == c.want || strings.HasPrefix(line, c.want+"\t") }) {
			t.Errorf("%v completes to %q", c.args, out)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if status, script, _ := skystash(t, "", "completion", shell); status != 0 || !strings.Contains(script, "skystash") {
			t.Errorf("%s: status %d", shell, status)
		}
	}
}
