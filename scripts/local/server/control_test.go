package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skystash/skystash/scripts/local/server"
)

// manage sends a request to the Developer API and returns the answer.
func manage(t *testing.T, m *server.Main, method, path string, body any) (int, map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, m.URL()+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(m.Email(), m.APIKey())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if got[0] == '{' {
		if err := json.Unmarshal(got, &answer); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, answer
}

func TestDatabasesAreCreatedAndDeletedWhileTheProgramRuns(t *testing.T) {
	m, _ := start(t, "-ephemeral")
	status, db := manage(t, m, "POST", "/v2/redis/database", map[string]any{"database_name": "second", "region": "global", "primary_region": "us-east-1"})
	if status != http.StatusOK {
		t.Fatalf("creating is answered %d %v", status, db)
	}
	token := db["rest_token"].(string)
	wantAnswer(t, call(t, m, token, "/set/k/second"), `{"result":"OK"}`)
	wantAnswer(t, call(t, m, m.Token(), "/get/k"), `{"result":null}`)
	if "http://"+db["endpoint"].(string) != m.URL() {
		t.Errorf("the database's endpoint is %v", db["endpoint"])
	}
	path := "/v2/redis/database/" + db["database_id"].(string)
	if status, _ := manage(t, m, "DELETE", path, nil); status != http.StatusOK {
		t.Errorf("deleting is answered %d", status)
	}
	if got := call(t, m, token, "/get/k"); !strings.Contains(got, "WRONGPASS") {
		t.Errorf("a deleted database answers %s", got)
	}
	if status, _ := manage(t, m, "GET", path, nil); status != http.StatusNotFound {
		t.Errorf("a deleted database is found: %d", status)
	}
}

func TestDefaultsBelongToTheAccountAndStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m, stop := start(t, "-data", dir)
	key, token := m.APIKey(), m.Token()
	if _, db := manage(t, m, "GET", "/v2/redis/database/default", nil); db["rest_token"] != token || db["read_only_rest_token"] != m.ReadOnlyToken() {
		t.Errorf("the default database has other tokens than are printed: %v", db)
	}
	if _, q := manage(t, m, "GET", "/v2/qstash/user", nil); q["token"] != m.QStashToken() {
		t.Errorf("QStash has another token than is printed: %v, printed %s", q, m.QStashToken())
	}
	env, err := os.ReadFile(filepath.Join(dir, "local.env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`UPSTASH_EMAIL="` + m.Email() + `"`, `UPSTASH_API_KEY="` + key + `"`, `SKYSTASH_API_URL="` + m.URL() + `"`, `SKYSTASH_CONSOLE_URL="` + m.URL() + `/console/"`} {
		if !strings.Contains(string(env), line+"\n") {
			t.Errorf("local.env lacks %s", line)
		}
	}
	stop()

	m, stop = start(t, "-data", dir)
	if m.APIKey() != key || m.Token() != token {
		t.Error("the API key or the token has changed")
	}
	if status, _ := manage(t, m, "POST", "/v2/redis/reset-password/default", nil); status != http.StatusOK {
		t.Fatalf("resetting is answered %d", status)
	}
	if got := call(t, m, token, "/get/k"); !strings.Contains(got, "WRONGPASS") {
		t.Errorf("a token from before the reset is answered %s", got)
	}
	stop()

	m, _ = start(t, "-data", dir)
	if m.Token() == token {
		t.Error("the token from before the reset is printed again")
	}
	wantAnswer(t, call(t, m, m.Token(), "/get/k"), `{"result":null}`)
}

func TestRotationOfTheSigningKeySurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m, stop := start(t, "-data", dir)
	old := m.Token()
	status, key := manage(t, m, "POST", "/v2/skystash/signing-keys", nil)
	if status != http.StatusOK {
		t.Fatalf("rotating is answered %d %v", status, key)
	}
	wantAnswer(t, call(t, m, old, "/set/k/v"), `{"result":"OK"}`)
	info, err := os.Stat(filepath.Join(dir, "keys", key["id"].(string)+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("the new key's file has mode %v", info.Mode())
	}
	stop()

	m, _ = start(t, "-data", dir)
	wantAnswer(t, call(t, m, old, "/get/k"), `{"result":"v"}`)
	wantAnswer(t, call(t, m, m.Token(), "/get/k"), `{"result":"v"}`)
}
