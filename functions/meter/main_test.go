package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// pack makes what CloudWatch Logs sends of JSON documents.
func pack(t testing.TB, docs ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for _, doc := range docs {
		if _, err := w.Write([]byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

func TestSampleEvents(t *testing.T) {
	client := dynamolocal.Client(t)
	table, redisTable := dynamolocal.Table(t, client), dynamolocal.Table(t, client)
	databases := redis.New(redis.Config{Store: dynamo.New(client, redisTable)})
	if _, err := databases.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "orders"}); err != nil {
		t.Fatal(err)
	}
	st := dynamo.New(client, table)
	plane := control.New(control.Config{Store: st, Redis: databases, Keyring: control.NewMemoryKeyring()})
	acct, err := plane.EnsureAccount(t.Context(), "admin@example.com", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plane.Adopt(t.Context(), acct.ID, control.Redis, "orders", "orders", "default"); err != nil {
		t.Fatal(err)
	}

	options := client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/meter"),
		"TABLE_NAME="+table, "REDIS_TABLE_NAME="+redisTable, "DYNAMODB_ENDPOINT="+*options.BaseEndpoint,
		"AWS_REGION="+options.Region, "AWS_ACCESS_KEY_ID="+credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+credentials.SecretAccessKey)
	invokeWith := func(sample, data string) counted {
		t.Helper()
		answer := fn.Invoke(runtimetest.Event(t, sample, "${DATA}", data))
		var out counted
		if err := json.Unmarshal(answer.Payload, &out); err != nil || answer.Failed {
			t.Fatalf("%s: %v", answer.Payload, err)
		}
		return out
	}

	invoke := func(data string) counted {
		t.Helper()
		return invokeWith("meter/lines.json", data)
	}

	// Twice, and once more with others: what was counted is not counted again.
	logs := string(runtimetest.Event(t, "meter/logs.json", "${RESOURCE}", "orders"))
	if got, want := invoke(pack(t, logs)), (counted{Sums: 2, Malformed: 1}); got != want {
		t.Errorf("first %+v, want %+v", got, want)
	}
	if got, want := invoke(pack(t, logs)), (counted{Duplicates: 2, Malformed: 1}); got != want {
		t.Errorf("again %+v, want %+v", got, want)
	}
	if got, want := invokeWith("meter/direct.json", pack(t, logs)), (counted{Duplicates: 2, Malformed: 1}); got != want {
		t.Errorf("without a stream %+v, want %+v", got, want)
	}
	var out strings.Builder
	w := meter.NewWriter(&out, "INSTANCE2")
	now := time.Now()
	w.Record(meter.Record{Resource: meter.Resource{Product: "redis", ID: "orders"}, Class: meter.ClassRead, At: now, Status: 200, Commands: 20})
	doc, err := json.Marshal(logData{MessageType: "DATA_MESSAGE", LogEvents: []struct {
		Message string `json:"message"`
	}{{out.String()}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plane.SetLimits(t.Context(), acct.ID, "orders", meter.Limits{DailyRequests: 10}); err != nil {
		t.Fatal(err)
	}
	if got, want := invoke(pack(t, `{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"are you there?"}]}`, logs, string(doc))), (counted{Sums: 1, Duplicates: 2, Malformed: 1}); got != want {
		t.Errorf("with a new one %+v, want %+v", got, want)
	}
	if got, want := invoke(base64.StdEncoding.EncodeToString([]byte("not packed"))), (counted{Malformed: 1}); got != want {
		t.Errorf("a record that is none: %+v, want %+v", got, want)
	}

	var sizes measured
	if err := json.Unmarshal(fn.Invoke(runtimetest.Event(t, "sweep/scheduled.json")).Payload, &sizes); err != nil || sizes.Resources != 1 {
		t.Errorf("measured %+v, %v", sizes, err)
	}
	var reply resp.Writer
	db, err := databases.Database(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if err := databases.Do(t.Context(), db, redis.Access{}, []string{"SET", "key", strings.Repeat("x", 1000)}, &reply); err != nil {
		t.Fatal(err)
	}
	// It is the second time, so it takes a quarter's change: the clock of the store is the real one.
	if s, err := meter.NewBook(st).Storage(t.Context(), meter.Resource{Product: "redis", ID: "orders"}); err != nil || s.At.IsZero() {
		t.Errorf("storage %+v, %v", s, err)
	}

	march, err := meter.NewBook(st).Month(t.Context(), meter.Resource{Product: "redis", ID: "orders"}, time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	want := meter.Counters{Requests: 2, Commands: 4, BytesIn: 101, BytesOut: 57, Calls: 4, ReadUnits: 1, WriteUnits: 3, Busy: 10750 * time.Microsecond}
	if march.Counters != want {
		t.Errorf("usage %+v, want %+v", march.Counters, want)
	}
	// The 20 commands of today are over the limit.
	again := redis.New(redis.Config{Store: dynamo.New(client, redisTable)})
	db, err = again.Database(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if text := "ERR max daily request limit exceeded. Limit: 10, Usage: 20"; db.Blocked.Text != text || !db.Blocked.Holds(now) {
		t.Errorf("the database is blocked by %+v, want %s", db.Blocked, text)
	}
}

func TestBatchesThatCannotBeCountedComeAgain(t *testing.T) {
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/meter"),
		"TABLE_NAME=none", "DYNAMODB_ENDPOINT=http://127.0.0.1:1",
		"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x")
	logs := string(runtimetest.Event(t, "meter/logs.json", "${RESOURCE}", "orders"))
	answer := fn.InvokeFor(runtimetest.Event(t, "meter/lines.json", "${DATA}", pack(t, logs)), 5*time.Second)
	if !answer.Failed {
		t.Errorf("answer %s", answer.Payload)
	}
}

func TestUnpackingIsBounded(t *testing.T) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for range maxUnpacked/(1<<20) + 1 {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if lines, err := logLines(out.Bytes()); err == nil || len(lines) > 0 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

func TestMissingSettingsAreNamed(t *testing.T) {
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/meter"))
	if code, output := fn.Exit(); code != 1 || !strings.Contains(output, "TABLE_NAME") {
		t.Errorf("exit %d: %s", code, output)
	}
}
