package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	sweeps "github.com/skystash/skystash/functions/backend/sweeper"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// deployment is a table as the function finds it, with one database that was in use an hour ago.
type deployment struct {
	t      *testing.T
	client *dynamodb.Client
	table  string
	engine *redis.Engine
	env    []string // of the function
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, client: dynamolocal.Client(t)}
	d.table = dynamolocal.Table(t, d.client)
	d.engine = redis.New(redis.Config{
		Store: dynamo.New(d.client, d.table),
		Now:   func() time.Time { return time.Now().Add(-time.Hour) },
	})
	if _, err := d.engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "first"}); err != nil {
		t.Fatal(err)
	}
	options := d.client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.env = []string{
		"TABLE_NAME=" + d.table,
		"DYNAMODB_ENDPOINT=" + *options.BaseEndpoint,
		"AWS_REGION=" + options.Region,
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
	}
	return d
}

// do runs a command; many adds "<prefix>0", "<prefix>1", ... to it.
func (d *deployment) do(line string, many int, prefix string) {
	d.t.Helper()
	db, err := d.engine.Database(d.t.Context(), "first")
	if err != nil {
		d.t.Fatal(err)
	}
	args := strings.Fields(line)
	for i := range many {
		args = append(args, fmt.Sprintf("%s%d", prefix, i))
	}
	var w resp.Writer
	if err := d.engine.Do(d.t.Context(), db, redis.Access{}, args, &w); err != nil {
		d.t.Fatal(err)
	}
	if text, failed := resp.ErrorText(w.Buf); failed {
		d.t.Fatal(text)
	}
}

// items counts what is in the table.
func (d *deployment) items() int {
	d.t.Helper()
	n := 0
	pages := dynamodb.NewScanPaginator(d.client, &dynamodb.ScanInput{TableName: &d.table})
	for pages.HasMorePages() {
		page, err := pages.NextPage(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		n += len(page.Items)
	}
	return n
}

func (d *deployment) invoke(fn *runtimetest.Function) (r sweeps.Swept) {
	d.t.Helper()
	answer := fn.Invoke(runtimetest.Event(d.t, "sweep/scheduled.json"))
	if err := json.Unmarshal(answer.Payload, &r); err != nil || answer.Failed {
		d.t.Fatalf("failed %v, %v: %s\n%s", answer.Failed, err, answer.Payload, fn.Output())
	}
	return r
}

func TestOnlyWhatIsInUseStays(t *testing.T) {
	d := deploy(t)
	long := "a-member-that-is-long-enough-for-a-few-hundred-to-be-spread-over-items"
	d.do("SET string value", 0, "")
	d.do("SADD kept", 200, long)
	d.do("SADD deleted", 200, long)
	d.do("DEL deleted", 0, "")
	d.do("RPUSH overwritten", 200, long)
	d.do("SET overwritten value", 0, "")
	d.do("SADD expired", 200, long)
	d.do("PEXPIRE expired 1", 0, "")
	const record, live = 1, 1 + (1 + 200) + 1 // string, kept and its members, overwritten
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/sweep"), d.env...)
	r := d.invoke(fn)
	if !r.Finished || r.Deleted < 600 {
		t.Errorf("result %+v, want at least 600 items, finished", r)
	}
	if got := d.items(); got != live+record {
		t.Errorf("%d items are left, want %d", got, live+record)
	}
	if !strings.Contains(fn.Output(), fmt.Sprintf(`"deleted":%d,"finished":true`, r.Deleted)) {
		t.Errorf("log: %s", fn.Output())
	}
	if r := d.invoke(fn); !r.Finished || r.Deleted != 0 {
		t.Errorf("the second run: %+v", r)
	}

	d.do("FLUSHDB", 0, "")
	if r := d.invoke(fn); !r.Finished || r.Deleted < 200 {
		t.Errorf("after FLUSHDB: %+v", r)
	}
	if got := d.items(); got != record {
		t.Errorf("after FLUSHDB %d items are left, want the database's record", got)
	}
}

// TestOverlappingRuns: a run that takes longer than the schedule's interval is joined by the next.
func TestOverlappingRuns(t *testing.T) {
	d := deploy(t)
	for i := range 5 {
		d.do(fmt.Sprintf("SADD set%d", i), 300, "a-member-that-is-long-enough-to-be-spread")
		d.do(fmt.Sprintf("DEL set%d", i), 0, "")
	}
	bin := runtimetest.Build(t, "./functions/sweep")
	one, two := runtimetest.Start(t, bin, d.env...), runtimetest.Start(t, bin, d.env...)
	done := make(chan sweeps.Swept)
	go func() { done <- d.invoke(one) }()
	r := d.invoke(two)
	if other := <-done; !r.Finished || !other.Finished {
		t.Errorf("results %+v and %+v", r, other)
	}
	if got := d.items(); got != 1 {
		t.Errorf("%d items are left, want the database's record", got)
	}
}

func TestFailureIsReported(t *testing.T) {
	d := deploy(t)
	env := append(d.env, "TABLE_NAME=no-such-table")
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/sweep"), env...)
	if answer := fn.Invoke(runtimetest.Event(t, "sweep/scheduled.json")); !answer.Failed {
		t.Errorf("answer %s", answer.Payload)
	}
}

func TestMissingConfigurationIsNamed(t *testing.T) {
	code, output := runtimetest.Start(t, runtimetest.Build(t, "./functions/sweep"), "LOG_LEVEL=loud").Exit()
	if code != 1 || !strings.Contains(output, "TABLE_NAME is not set") || !strings.Contains(output, `LOG_LEVEL: "loud"`) {
		t.Errorf("exit code %d, output %s", code, output)
	}
}

// reclaimer is an engine.
type reclaimer func(ctx context.Context) (int, error)

func (r reclaimer) Reclaim(ctx context.Context) (int, error) { return r(ctx) }

func TestStopsBeforeItIsStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), sweeps.Margin+10*time.Millisecond)
	defer cancel()
	s := sweeps.Sweeper{Logger: slog.New(slog.DiscardHandler), Engine: reclaimer(func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 7, fmt.Errorf("deleting garbage: %w", ctx.Err())
	})}
	got, err := s.Handle(ctx)
	if want := (sweeps.Swept{Deleted: 7}); got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if ctx.Err() != nil {
		t.Error("it took all the time there was")
	}
	broken := errors.New("broken")
	s.Engine = reclaimer(func(context.Context) (int, error) { return 7, broken })
	if _, err := s.Handle(t.Context()); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}
