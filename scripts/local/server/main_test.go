package server_test

import (
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skystash/skystash/scripts/local/server"
)

// start runs the program until the test ends, or stop is called.
func start(t testing.TB, args ...string) (m *server.Main, stop func()) {
	t.Helper()
	m = server.NewMain(io.Discard, io.Discard)
	if err := m.ParseFlags(append([]string{"-addr", "127.0.0.1:0"}, args...)); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return m, stop
}

// call sends a command by path and returns the answer.
func call(t *testing.T, m *server.Main, token, path string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, m.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wantAnswer(t *testing.T, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != want {
		t.Errorf("answer %s, want %s", got, want)
	}
}

func TestTokensOpenTheDatabase(t *testing.T) {
	m, _ := start(t, "-ephemeral")
	wantAnswer(t, call(t, m, m.Token(), "/set/k/v"), `{"result":"OK"}`)
	wantAnswer(t, call(t, m, m.ReadOnlyToken(), "/get/k"), `{"result":"v"}`)
	if got := call(t, m, m.ReadOnlyToken(), "/set/k/w"); !strings.Contains(got, "NOPERM") {
		t.Errorf("write with the read-only token is answered %s", got)
	}
	if got := call(t, m, m.Token()+"x", "/get/k"); !strings.Contains(got, "WRONGPASS") {
		t.Errorf("wrong token is answered %s", got)
	}
}

func TestRestartKeepsDataAndTokens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m, stop := start(t, "-data", dir)
	wantAnswer(t, call(t, m, m.Token(), "/set/k/v"), `{"result":"OK"}`)
	token, readOnly := m.Token(), m.ReadOnlyToken()
	stop()

	m, _ = start(t, "-data", dir)
	if m.Token() != token || m.ReadOnlyToken() != readOnly {
		t.Error("the tokens have changed")
	}
	wantAnswer(t, call(t, m, token, "/get/k"), `{"result":"v"}`)
}

func TestFolderIsPrivateAndNamesTheDatabase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m, _ := start(t, "-data", dir)
	for name, mode := range map[string]os.FileMode{"signing.pem": 0o600, "local.env": 0o600, ".": 0o700 | os.ModeDir} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), mode)
		}
	}
	env, err := os.ReadFile(filepath.Join(dir, "local.env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`UPSTASH_REDIS_REST_URL="` + m.URL() + `"`,
		`UPSTASH_REDIS_REST_TOKEN="` + m.Token() + `"`,
		`UPSTASH_REDIS_REST_READONLY_TOKEN="` + m.ReadOnlyToken() + `"`,
	} {
		if !strings.Contains(string(env), line+"\n") {
			t.Errorf("local.env lacks %s", line)
		}
	}
}

func TestEphemeralLeavesNothingBehind(t *testing.T) {
	t.Chdir(t.TempDir())
	_, stop := start(t, "-ephemeral")
	stop()
	left, err := os.ReadDir(".")
	if err != nil || len(left) > 0 {
		t.Errorf("folder holds %v, %v", left, err)
	}
}

func TestStartFailsInOneLine(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	locked := filepath.Join(t.TempDir(), "data")
	start(t, "-data", locked)
	badKey := t.TempDir()
	if err := os.WriteFile(filepath.Join(badKey, "signing.pem"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"port in use", []string{"-ephemeral", "-addr", busy.Addr().String()}, "in use by another process"},
		{"folder in use", []string{"-addr", "127.0.0.1:0", "-data", locked}, "in use by another process"},
		{"folder cannot be made", []string{"-addr", "127.0.0.1:0", "-data", filepath.Join(badKey, "signing.pem", "x")}, "creating the data folder"},
		{"key is none", []string{"-addr", "127.0.0.1:0", "-data", badKey}, "signing key"},
		{"no DynamoDB there", []string{"-addr", "127.0.0.1:0", "-ephemeral", "-store", "dynamo", "-endpoint", "http://" + closedAddr(t)}, "DynamoDB at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := server.NewMain(io.Discard, io.Discard)
			if err := m.ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			err := m.Start(t.Context())
			if err == nil {
				m.Close()
				t.Fatal("it starts")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, c.want)
			}
		})
	}
}

// closedAddr is an address where nobody listens.
func closedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestBadFlagsAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"},
		{"extra"},
		{"-addr", "8000"},
		{"-store", "files"},
		{"-endpoint", "http://127.0.0.1:1"},
		{"-store", "dynamo", "-table", ""},
		{"-data", ""},
		{"-resolve", "host"},
		{"-resolve", "host=addr"},
		{"-max-request", "0"},
		{"-grace", "-1s"},
		{"-sync-every", "-1s"},
		{"-replica", "127.0.0.1:0"},
		{"-ephemeral", "-replica", "nowhere"},
		{"-ephemeral", "-replica", "127.0.0.1:0", "-replica-lag", "0"},
		{"-ephemeral", "-store", "dynamo", "-replica", "127.0.0.1:0"},
	} {
		m := server.NewMain(io.Discard, io.Discard)
		err := m.ParseFlags(args)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v, want one line", args, err)
		}
	}
}

func TestHelpPrintsTheFlags(t *testing.T) {
	var out strings.Builder
	m := server.NewMain(&out, io.Discard)
	if err := m.ParseFlags([]string{"-help"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out.String(), "-ephemeral") {
		t.Errorf("help is %q", out.String())
	}
}

func TestProfilesAreServedOnlyOnDemand(t *testing.T) {
	with, _ := start(t, "-ephemeral", "-pprof")
	if got := call(t, with, with.Token(), "/debug/pprof/goroutine?debug=1"); !strings.HasPrefix(got, "goroutine profile") {
		t.Errorf("-pprof: answer %s", got)
	}
	without, _ := start(t, "-ephemeral")
	if got := call(t, without, without.Token(), "/debug/pprof/goroutine"); !strings.Contains(got, "error") {
		t.Errorf("without -pprof: answer %s", got)
	}
}
