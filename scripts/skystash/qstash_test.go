package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// account is what a file of an export has, without what differs between two accounts.
func account(t *testing.T, file string) (lines []string) {
	t.Helper()
	err := readLines(file, func(line exportLine) error {
		var v map[string]any
		if err := json.Unmarshal(line.Value, &v); err != nil {
			return err
		}
		for _, name := range []string{"createdAt", "updatedAt", "lag", "nextScheduleTime", "callerIP", "callerIp", "lastScheduleTime", "lastScheduleStates"} {
			delete(v, name)
		}
		text, err := json.Marshal(v)
		lines = append(lines, line.Kind+" "+string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

func TestQStashAccountMoves(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	m := dev(t, from)
	dev(t, to)
	q := &qstashAPI{newAPIClient(m.URL(), bearer(m.QStashToken()))}
	for _, c := range []struct {
		method, path, body string
		header             http.Header
	}{
		{"POST", "/v2/queues", `{"queueName":"mail","parallelism":3}`, nil},
		{"POST", "/v2/queues/mail/pause", "", nil},
		{"POST", "/v2/queues", `{"queueName":"other","parallelism":1}`, nil},
		{"POST", "/v2/topics/group/endpoints", `{"endpoints":[{"name":"a","url":"https://a.example.com"},{"url":"https://b.example.com"}]}`, nil},
		{"PATCH", "/v2/topics/group", `{"headers":{"Upstash-Retries":"1"}}`, nil},
		{"POST", "/v2/schedules/https://example.com/hook?a=b", `{"n":1}`, http.Header{
			"Upstash-Cron": {"0 4 * * *"}, "Upstash-Method": {"PUT"}, "Upstash-Retries": {"1"}, "Upstash-Delay": {"90s"}, "Upstash-Timeout": {"12s"}, "Content-Type": {"application/json"},
			"Upstash-Forward-X-Own": {"one", "two"}, "Upstash-Callback": {"https://example.com/done"}, "Upstash-Failure-Callback": {"https://example.com/failed"},
			"Upstash-Flow-Control-Key": {"key"}, "Upstash-Flow-Control-Value": {"parallelism=2, rate=5, period=60"}, "Upstash-Label": {"nightly"}, "Upstash-Retry-Delay": {"1000 * retried"},
		}},
		{"POST", "/v2/schedules/group", "\xff\x00", http.Header{"Upstash-Cron": {"CRON_TZ=Europe/Berlin 30 4 * * *"}, "Upstash-Schedule-Id": {"named"}}},
		{"POST", "/v2/schedules/named/pause", "", nil},
		{"POST", "/v2/schedules/https://example.com/queued", "", http.Header{"Upstash-Cron": {"0 5 * * *"}, "Upstash-Queue-Name": {"mail"}}},
	} {
		if _, err := q.call(t.Context(), c.method, c.path, c.header, []byte(c.body)); err != nil {
			t.Fatal(err)
		}
	}
	files := t.TempDir()
	run := func(want string, args ...string) {
		t.Helper()
		if status, _, notes := skystash(t, "", args...); status != 0 || !strings.Contains(notes, want) {
			t.Fatalf("%q: status %d, %s; want %q", args, status, notes, want)
		}
	}
	first, second := filepath.Join(files, "first"), filepath.Join(files, "second")
	run("exported queue 2, urlGroup 1, schedule 3, dlq 0", "export", "qstash", "--data", from, "--out", first)
	t.Setenv("SKYSTASH_FROM_TOKEN", m.QStashToken())
	run("imported queue 2, urlGroup 1, schedule 3", "import", "qstash", "--from", m.URL(), "--data", to)
	run("imported queue 2, urlGroup 1, schedule 3", "import", "qstash", "--from", first, "--data", to) // again, which does no harm
	run("exported", "export", "qstash", "--data", to, "--out", second)
	if a, b := account(t, first), account(t, second); !slices.Equal(a, b) {
		t.Errorf("\n%s\nhas become\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

func TestDeadLettersArePublishedAgainIfAskedFor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	dev(t, dir)
	got := make(chan string, 1)
	destination := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.Header.Get("X-Own") + " " + string(body)
	}))
	defer destination.Close()
	file := filepath.Join(t.TempDir(), "dlq.jsonl")
	line := fmt.Sprintf(`{"kind":"dlq","value":{"messageId":"m","url":%q,"method":"PUT","header":{"X-Own":["v"]},"bodyBase64":"/wA=","maxRetries":0,"dlqId":"1-0"}}`, destination.URL+"/a?b=c")
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, notes := skystash(t, "", "import", "qstash", "--from", file, "--data", dir); status != 0 || !strings.Contains(notes, "1 dead letters were left out") {
		t.Errorf("status %d: %s", status, notes)
	}
	if status, _, notes := skystash(t, "", "import", "qstash", "--from", file, "--data", dir, "--publish-dlq"); status != 0 || !strings.Contains(notes, "dlq 1") {
		t.Fatalf("status %d: %s", status, notes)
	}
	select {
	case text := <-got:
		if text != "PUT v \xff\x00" {
			t.Errorf("the destination got %q", text)
		}
	case <-t.Context().Done():
	}
}
