package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/functions/backend/contract"
	sweeps "github.com/skystash/skystash/functions/backend/sweeper"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// record is one of the table's stream, as DynamoDB and Lambda have it.
type record map[string]any

// stream calls the API of streams, which speaks as Lambda's events do. DynamoDB Local looks at no signature.
func (d *deployment) stream(operation string, in map[string]any, out any) {
	d.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, *d.client.Options().BaseEndpoint, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDBStreams_20120810."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=skystash/20260102/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil || resp.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: status %d, %v", operation, resp.StatusCode, err)
	}
}

// switchStreamOn gives the table the stream that it has in AWS, and returns its name.
func (d *deployment) switchStreamOn() string {
	d.t.Helper()
	out, err := d.client.UpdateTable(d.t.Context(), &dynamodb.UpdateTableInput{
		TableName:           &d.table,
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return *out.TableDescription.LatestStreamArn
}

// records reads the whole stream.
func (d *deployment) records(stream string) []record {
	d.t.Helper()
	var described struct {
		StreamDescription struct{ Shards []struct{ ShardId string } }
	}
	d.stream("DescribeStream", map[string]any{"StreamArn": stream}, &described)
	var all []record
	for _, shard := range described.StreamDescription.Shards {
		var next struct{ ShardIterator string }
		d.stream("GetShardIterator", map[string]any{"StreamArn": stream, "ShardId": shard.ShardId, "ShardIteratorType": "TRIM_HORIZON"}, &next)
		for it := next.ShardIterator; it != ""; {
			var page struct {
				Records           []record
				NextShardIterator string
			}
			d.stream("GetRecords", map[string]any{"ShardIterator": it}, &page)
			if it = page.NextShardIterator; len(page.Records) == 0 {
				break // an open shard goes on for ever
			}
			all = append(all, page.Records...)
		}
	}
	return all
}

// matches tells what Lambda's event filtering makes of a record, as far as our patterns go: each name's
// alternatives are texts or {"exists":true}.
func matches(pattern, value any) bool {
	switch p := pattern.(type) {
	case map[string]any:
		v, ok := value.(map[string]any)
		for name, sub := range p {
			if !ok || !matches(sub, v[name]) {
				return false
			}
		}
		return true
	case []any:
		return slices.ContainsFunc(p, func(alternative any) bool {
			if rule, ok := alternative.(map[string]any); ok {
				return rule["exists"] == true && value != nil
			}
			return alternative == value
		})
	}
	return false
}

// wakes reports whether a record wakes the function.
func wakes(t *testing.T, r record) bool {
	t.Helper()
	return slices.ContainsFunc(contract.SweepFilters, func(text string) bool {
		var pattern map[string]any
		if err := json.Unmarshal([]byte(text), &pattern); err != nil {
			t.Fatal(err)
		}
		return matches(pattern, map[string]any(r))
	})
}

func (d *deployment) wake(fn *runtimetest.Function, records []record) (r events.DynamoDBEventResponse) {
	d.t.Helper()
	event, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		d.t.Fatal(err)
	}
	answer := fn.Invoke(event)
	if err := json.Unmarshal(answer.Payload, &r); err != nil || answer.Failed || r.BatchItemFailures == nil {
		d.t.Fatalf("failed %v, %v: %s\n%s", answer.Failed, err, answer.Payload, fn.Output())
	}
	return r
}

const longMember = "a-member-that-is-long-enough-for-a-few-hundred-to-be-spread-over-items"

func TestStreamWakesForGarbageOnly(t *testing.T) {
	d := deploy(t)
	stream := d.switchStreamOn()
	d.do("SET string value", 0, "")
	d.do("SET string value EX 100", 0, "")
	d.do("DEL string", 0, "")
	d.do("HSET hash due 1 g 2", 0, "")
	d.do("XADD stream * d 1", 0, "")
	d.do("SADD kept", 200, longMember)
	d.do("SADD kept one-more", 0, "")
	d.do("PUBLISH channel message", 0, "")
	if woken := slices.DeleteFunc(d.records(stream), func(r record) bool { return !wakes(t, r) }); len(woken) > 0 {
		t.Errorf("nothing was replaced, but the function is woken by %v", woken)
	}

	d.do("SADD deleted", 200, longMember)
	d.do("DEL deleted", 0, "")
	d.do("RPUSH overwritten", 200, longMember)
	d.do("SET overwritten value", 0, "")
	woken := slices.DeleteFunc(d.records(stream), func(r record) bool { return !wakes(t, r) })
	if len(woken) != 2 {
		t.Fatalf("the function is woken by %v, want the notes of two generations", woken)
	}
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/sweep"), d.env...)
	before := d.items()
	if r := d.wake(fn, woken); len(r.BatchItemFailures) > 0 {
		t.Errorf("to be delivered again: %v", r.BatchItemFailures)
	}
	if got, want := d.items(), before-400-2; got != want {
		t.Errorf("%d items are left, want %d: neither elements nor notes", got, want)
	}
	// They may come again.
	if r := d.wake(fn, woken); len(r.BatchItemFailures) > 0 || d.items() != before-400-2 {
		t.Errorf("the second time: %v, %d items", r.BatchItemFailures, d.items())
	}
	for _, r := range d.records(stream) {
		if r["eventName"] == "REMOVE" && wakes(t, r) {
			t.Errorf("what it deletes wakes the function: %v", r)
		}
	}
}

func TestStreamWakesForExpiredHeads(t *testing.T) {
	d := deploy(t)
	stream := d.switchStreamOn()
	d.do("SADD expired", 200, longMember)
	d.do("PEXPIRE expired 1", 0, "")
	before := d.items()

	// DynamoDB deletes the head, which DynamoDB Local would do later than a test waits.
	var head record
	for _, r := range d.records(stream) {
		if image, ok := r["dynamodb"].(map[string]any)["NewImage"].(map[string]any); ok && image["g"] != nil && image["x"] != nil {
			head = r["dynamodb"].(map[string]any)["Keys"].(map[string]any)
		}
	}
	if head == nil {
		t.Fatal("no head that DynamoDB would delete")
	}
	key := map[string]types.AttributeValue{}
	for name, value := range head {
		b, err := base64.StdEncoding.DecodeString(value.(map[string]any)["B"].(string))
		if err != nil {
			t.Fatal(err)
		}
		key[name] = &types.AttributeValueMemberB{Value: b}
	}
	if _, err := d.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &d.table, Key: key}); err != nil {
		t.Fatal(err)
	}
	all := d.records(stream)
	removal := all[len(all)-1]
	if wakes(t, removal) {
		t.Error("a head that was deleted by us wakes the function")
	}
	removal["userIdentity"] = map[string]any{"type": "Service", "principalId": "dynamodb.amazonaws.com"}
	if !wakes(t, removal) {
		t.Fatalf("%v does not wake the function", removal)
	}
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/sweep"), d.env...)
	if r := d.wake(fn, []record{removal}); len(r.BatchItemFailures) > 0 {
		t.Errorf("to be delivered again: %v", r.BatchItemFailures)
	}
	// The head, its elements and the note of its expiry; that of the new generation waits for the schedule.
	if got, want := d.items(), before-1-200-1; got != want {
		t.Errorf("%d items are left, want %d", got, want)
	}
	d.invoke(fn)
	if got := d.items(); got != 1 {
		t.Errorf("%d items are left, want the database's record", got)
	}
}

func TestSampleRecordsAreUnderstood(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/sweep"), d.env...)
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	event := runtimetest.Event(t, "sweep/records.json",
		"${SORT}", encode("\x00\x00\x01\x9b\x00\x00\x00\x00generation-1"), "${DATABASE}", encode("first"), "${DUE}", "1765190270976",
		"${HEAD_PARTITION}", encode("kfirst\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "${HEAD_SORT}", encode("\x00\x00\x00\x00\x00\x00\x00\x00key"),
		"${GENERATION}", encode("generation-2"), "${EXPIRES}", "1765190270976")
	var sample struct{ Records []record }
	if err := json.Unmarshal(event, &sample); err != nil {
		t.Fatal(err)
	}
	for i, r := range sample.Records {
		if !wakes(t, r) {
			t.Errorf("record %d does not wake the function", i)
		}
	}
	if answer := fn.Invoke(event); answer.Failed || string(answer.Payload) != `{"batchItemFailures":[]}` {
		t.Errorf("failed %v: %s", answer.Failed, answer.Payload)
	}
}

// changes is an engine.
type changes func(redis.Change) (int, error)

func (c changes) ReclaimChange(_ context.Context, change redis.Change) (int, error) { return c(change) }

func TestFailingRecordsAreDeliveredAgainAndMalformedOnesLeftOut(t *testing.T) {
	var seen []string
	var logged bytes.Buffer
	s := sweeper{log: slog.New(slog.NewJSONHandler(&logged, nil)), engine: changes(func(c redis.Change) (int, error) {
		seen = append(seen, c.Key.Sort)
		if c.Key.Sort == "three" {
			return 0, errors.New("broken")
		}
		return 1, nil
	})}
	var records []string
	for i, sort := range []string{"one", "two", "three", "four"} {
		records = append(records, fmt.Sprintf(`{"eventName":"INSERT","dynamodb":{"Keys":{"p":{"B":"cjA="},"s":{"B":%q}},"SequenceNumber":"10%d"}}`,
			base64.StdEncoding.EncodeToString([]byte(sort)), i))
	}
	records = slices.Insert(records, 1, `"nonsense"`, `{"eventName":"INSERT","dynamodb":{"Keys":{"p":{"B":"?"}}}}`, `{}`)
	answer, err := s.handle(t.Context(), json.RawMessage(`{"Records":[`+strings.Join(records, ",")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(answer); string(got) != `{"batchItemFailures":[{"itemIdentifier":"102"}]}` {
		t.Errorf("answer %s", got)
	}
	if want := []string{"one", "", "two", "three"}; !slices.Equal(seen, want) {
		t.Errorf("the engine saw %q, want %q", seen, want)
	}
	if n := strings.Count(logged.String(), "left out"); n != 2 {
		t.Errorf("%d records are left out, want 2: %s", n, logged.String())
	}
}

func TestRecordsStopBeforeTheFunctionIsStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var left time.Duration
	s := sweeper{log: slog.New(slog.DiscardHandler), engine: deadlines(func(ctx context.Context) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
	})}
	if _, err := s.handle(ctx, json.RawMessage(`{"Records":[{}]}`)); err != nil {
		t.Fatal(err)
	}
	if left <= 0 || left > time.Minute-sweeps.Margin {
		t.Errorf("the engine has %v of a minute", left)
	}
}

// deadlines is an engine that looks at its context.
type deadlines func(context.Context)

func (d deadlines) ReclaimChange(ctx context.Context, _ redis.Change) (int, error) {
	d(ctx)
	return 0, nil
}
