package server

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// screen is what the program prints at its start.
func screen(t *testing.T, args ...string) (*Main, string) {
	t.Helper()
	var out bytes.Buffer
	m := NewMain(&out, io.Discard)
	if err := m.ParseFlags(append([]string{"-addr", "127.0.0.1:0"}, args...)); err != nil {
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
	m.terminal = true
	m.printScreen()
	return m, out.String()
}

func TestFirstScreenFitsATerminalAndShortensTokens(t *testing.T) {
	t.Chdir(t.TempDir())
	m, text := screen(t, "-data", ".skystash", "-env", ".env.local", "-qstash-dev", "-qstash-dev-addr", "127.0.0.1:0")
	rows := 0
	for line := range strings.Lines(text) {
		rows += max(1, (utf8.RuneCountInString(strings.TrimRight(line, "\n"))+screenWidth-1)/screenWidth)
	}
	if rows > screenLines {
		t.Errorf("it takes %d lines of a terminal:\n%s", rows, text)
	}
	if strings.Contains(text, m.Token()) || strings.Contains(text, m.QStashToken()) {
		t.Errorf("a token is whole:\n%s", text)
	}
	for _, want := range []string{m.URL(), m.SignInURL(), ".skystash/local.env and .env.local", "TOKEN=" + m.Token()[:tokenShown] + "…", "\nReady in "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
}

func TestTokensAreWholeForProgramsAndWhereNoFileHasThem(t *testing.T) {
	m, text := screen(t, "-data", t.TempDir())
	if strings.Contains(text, m.Token()) {
		t.Error("a terminal shows a token whole")
	}
	m.terminal = false
	var out bytes.Buffer
	m.stdout = &out
	m.printScreen()
	wantWhole(t, m, out.String())

	ephemeral, text := screen(t, "-ephemeral")
	wantWhole(t, ephemeral, text)
}

func wantWhole(t *testing.T, m *Main, text string) {
	t.Helper()
	for _, v := range m.environment() {
		if !strings.Contains(text, "  "+v[0]+"="+v[1]+"\n") {
			t.Errorf("%s is missing", v[0])
		}
	}
}

func TestEnvFileKeepsWhatIsNotOurs(t *testing.T) {
	vars := [][2]string{{"A_URL", "http://a"}, {"A_TOKEN", "new"}, {"B", "b"}}
	for _, c := range []struct{ name, old, want string }{
		{"empty", "", "A_URL=\"http://a\"\nA_TOKEN=\"new\"\nB=\"b\"\n"},
		{"others stay", "# mine\nOTHER=1\n\nA_TOKEN=old\nLAST=x", "# mine\nOTHER=1\n\nA_TOKEN=\"new\"\nLAST=x\nA_URL=\"http://a\"\nB=\"b\"\n"},
		{"export and Windows", "export A_URL = 1\r\nB=2\r\n", "export A_URL=\"http://a\"\r\nB=\"b\"\r\nA_TOKEN=\"new\"\n"},
		{"set twice", "B=1\nB=2\n", "B=\"b\"\nB=\"b\"\nA_URL=\"http://a\"\nA_TOKEN=\"new\"\n"},
		{"longer names are others", "A_URL_2=1\n#B=1\n", "A_URL_2=1\n#B=1\nA_URL=\"http://a\"\nA_TOKEN=\"new\"\nB=\"b\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := merged(c.old, vars)
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if again := merged(got, vars); again != got {
				t.Errorf("a second time it becomes\n%s", again)
			}
		})
	}
}

func TestEnvFileIsWrittenAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env.local")
	if err := os.WriteFile(file, []byte("MINE=1\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	m, _ := screen(t, "-ephemeral", "-env", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "MINE=1\n") || !strings.Contains(string(text), "UPSTASH_REDIS_REST_TOKEN=\""+m.Token()+"\"\n") {
		t.Errorf("the file has\n%s", text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestCommandsAreShownWithoutTheirValues(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"/set/greeting/secret", "", "SET greeting …"},
		{"/ping", "", "PING"},
		{"/", `["SET","k","secret"]`, "SET k …"},
		{"/", `["set", "a\"b" , 1]`, `SET a\"b …`},
		{"/", `["GET",1]`, "GET 1"},
		{"/", `["SET","k`, "SET k"},
		{"/", `["AUTH","secret"]`, "AUTH"},
		{"/auth/secret", "", "AUTH"},
		{"/", `nonsense`, "NONSENSE"},
		{"/", `[]`, "/"},
		{"/", ``, "/"},
		{"/pipeline", `[["SET","k","secret"],["GET","b"]]`, "pipeline: SET k …"},
		{"/multi-exec", `[["INCR","k"]]`, "multi-exec: INCR k …"},
		{"/get/" + strings.Repeat("x", 100), "", "GET " + strings.Repeat("x", wordShown-1) + "…"},
		{"/", "[\"GET\",\"a\x1b[31m\xff\"]", "GET a [31m\ufffd"},
	} {
		if got := commandShown(c.path, []byte(c.body)); got != c.want {
			t.Errorf("%s %s: shown as %q, want %q", c.path, c.body, got, c.want)
		}
	}
}

func TestPathsAreShownWithoutSecrets(t *testing.T) {
	for path, want := range map[string]string{
		"/v2/publish/https://user:pw@a.example/hook":       "POST /v2/publish/https://a.example/hook",
		"/v2/publish/https://a.example":                    "POST /v2/publish/https://a.example",
		"/kafka/produce/topic/" + strings.Repeat("x", 100): "POST /kafka/produce/topic/" + strings.Repeat("x", wordShown-1-len("/kafka/produce/topic/")) + "…",
	} {
		if got := pathShown("POST", path); got != want {
			t.Errorf("%s: shown as %q, want %q", path, got, want)
		}
	}
}

func TestRequestsArePrinted(t *testing.T) {
	m, out := runProgram(t, "-requests")
	send := func(method, path, token, body string) {
		t.Helper()
		req, err := http.NewRequest(method, m.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
	}
	for _, c := range []struct{ method, path, token, body, want string }{
		{http.MethodPost, "/", m.Token(), `["SET","k","v"]`, "Redis   SET k …  200 in "},
		{http.MethodGet, "/get/k?_token=secret", "wrong", "", "Redis   GET k  401 in "},
		{http.MethodGet, "/v2/queues?x=secret", m.QStashToken(), "", "QStash  GET /v2/queues  200 in "},
		{http.MethodGet, "/kafka/topics", "wrong", "", "Kafka   GET /kafka/topics  401 in "},
	} {
		send(c.method, c.path, c.token, c.body)
		if got := <-out; !strings.Contains(got, c.want) || strings.Contains(got, "secret") {
			t.Errorf("printed %q, want %q", got, c.want)
		}
	}
}
