package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store/embedded"
)

func TestUsageIsCountedUntilTheVeryEnd(t *testing.T) {
	dir := t.TempDir()
	total := int64(0)
	for run := range 2 {
		m, stop := start(t, "-data", dir)
		for i := range 300 {
			wantAnswer(t, call(t, m, m.Token(), fmt.Sprintf("/set/k%d/v", i)), `{"result":"OK"}`)
		}
		wantAnswer(t, call(t, m, m.Token(), "/get/k1"), `{"result":"v"}`)
		stop()
		total += 301

		st, err := embedded.Open(embedded.Options{Dir: dir + "/control"})
		if err != nil {
			t.Fatal(err)
		}
		month, err := meter.NewBook(st).Days(t.Context(), meter.Resource{Product: "redis", ID: "default"}, time.Now().AddDate(0, 0, -2), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var all meter.Usage
		for _, day := range month { // midnight may have come in between
			all.Add(day)
		}
		c := all.Counters
		// Each call costs one unit. Besides the GET, requests read the published keys every few seconds.
		reads := c.Calls - 300*int64(run+1)
		if c.Requests != total || c.Commands != total || reads < int64(run+1) || c.ReadUnits != float64(reads) || c.WriteUnits != float64(300*(run+1)) || all.Latency.Count() != total || all.P99() == 0 {
			t.Errorf("run %d: %+v", run, c)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALimitBlocksADatabaseAndRaisingItUnblocks(t *testing.T) {
	m, _ := start(t, "-ephemeral")
	status, db := manage(t, m, "POST", "/v2/redis/database", map[string]any{"database_name": "small", "region": "global", "primary_region": "us-east-1"})
	if status != http.StatusOK {
		t.Fatalf("creating is answered %d %v", status, db)
	}
	id, token := db["database_id"].(string), db["rest_token"].(string)
	limit := func(n int) {
		t.Helper()
		if status, answer := manage(t, m, "PUT", "/v2/skystash/limits/"+id, meter.Limits{DailyRequests: int64(n)}); status != http.StatusOK {
			t.Fatalf("limits are answered %d %v", status, answer)
		}
	}
	// until sends requests until one is answered in a way.
	until := func(prefix string) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Minute); !strings.HasPrefix(call(t, m, token, "/ping"), prefix); {
			if time.Now().After(deadline) {
				t.Fatalf("no answer begins with %s", prefix)
			}
		}
	}
	limit(5)
	until(`{"error":"ERR max daily request limit exceeded. Limit: 5, Usage: `)
	limit(1_000_000_000)
	until(`{"result":"PONG"}`)
	wantAnswer(t, call(t, m, m.Token(), "/ping"), `{"result":"PONG"}`)
}
