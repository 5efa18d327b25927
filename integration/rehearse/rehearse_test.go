package rehearse

import (
	"bytes"
	"compress/gzip"
	stdcontext "context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/store/dynamo"
)

// context is for what goes when the test has ended, and with it its own context.
func context() stdcontext.Context { return stdcontext.Background() }

// TestADayOnAWS is the rehearsal.
func TestADayOnAWS(t *testing.T) {
	folder := synth(t, map[string]any{
		"products": "all", "qstashAllowed": "127.0.0.0/8", "region": home, "readRegions": elsewhere,
	})
	d := deploy(t, folder)
	d.signIn()
	for _, story := range []struct {
		name string
		tell func(*deployment)
	}{{"redis", redisStory}, {"kafka", kafkaStory}, {"qstash", qstashStory}} {
		t.Run(story.name, func(t *testing.T) {
			d.T = t
			defer d.endAll()
			story.tell(d)
			for _, fault := range d.guard.Faults() {
				t.Error(fault)
			}
		})
	}
	d.T = t
	report(d)
	t.Run("a right that is missing is noticed", func(t *testing.T) {
		d.T = t
		defer d.endAll()
		for i, s := range d.guard.Roles["console"] {
			d.guard.Roles["console"][i].Actions = slices.DeleteFunc(s.Actions, func(a string) bool { return a == "dynamodb:PutItem" })
		}
		status, _ := d.functions["console"].do(request{
			method: "POST", path: "/v2/redis/database", authorization: d.basic, body: `{"database_name":"denied","region":"global","primary_region":"eu-central-1"}`,
			headers: map[string]string{"content-type": "application/json"},
		})
		faults := d.guard.Faults()
		if status < http.StatusInternalServerError || len(faults) == 0 || faults[0].Who != "console" || !strings.Contains(faults[0].Why, `"Action":"dynamodb:PutItem"`) {
			t.Errorf("%d, refused: %v", status, faults)
		}
	})
}

// report says what was called, and complains of rights that nothing has needed.
func report(d *deployment) {
	d.Helper()
	t := d.T
	total, reasons := 0, unusedRights(t)
	for _, who := range slices.Sorted(maps.Keys(d.functions)) {
		calls := d.guard.Calls()[who]
		for _, action := range slices.Sorted(maps.Keys(calls)) {
			t.Logf("%s: %d %s", who, calls[action], action)
			total += calls[action]
		}
		for _, action := range d.guard.Unused(who) {
			if reason := reasons[who+" "+action]; reason == "" {
				t.Errorf("%s may do %s, which no story needs: take it away, tell a story, or give a reason", who, action)
			}
		}
	}
	t.Logf("%d rights were needed", total)
}

func (d *deployment) signIn() {
	d.Helper()
	table := d.functions["console"].variable("TABLE_NAME")
	client := d.dynamodb()
	// As scripts/admin does it.
	acct, key, err := control.New(control.Config{Store: dynamo.New(client, table)}).Bootstrap(d.Context(), "admin@example.com")
	if err != nil {
		d.Fatal(err)
	}
	d.basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(acct.Email+":"+key))
}

// call calls the Developer API, and reads the answer into one field for each name.
func (d *deployment) call(method, path string, body any) map[string]any {
	d.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			d.Fatal(err)
		}
		text = string(b)
	}
	answer := d.functions["console"].want(http.StatusOK, "", request{method: method, path: "/v2" + path, authorization: d.basic, body: text, headers: map[string]string{"content-type": "application/json"}})
	var fields map[string]any
	json.Unmarshal([]byte(answer), &fields) // "OK" has none
	return fields
}

// count has the meter count what an instance has written.
func (d *deployment) count(log string) {
	d.Helper()
	var lines []map[string]any
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"meter":`) {
			lines = append(lines, map[string]any{"id": "1", "timestamp": 1, "message": line})
		}
	}
	if len(lines) == 0 {
		d.Fatalf("no line for the meter in the log:\n%s", log)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if err := json.NewEncoder(w).Encode(map[string]any{"messageType": "DATA_MESSAGE", "logEvents": lines}); err != nil {
		d.Fatal(err)
	}
	if err := w.Close(); err != nil {
		d.Fatal(err)
	}
	payload, _ := d.functions["meter"].invoke(map[string]any{"awslogs": map[string]any{"data": packed.Bytes()}})
	if !strings.Contains(string(payload), `"malformed":0`) || strings.Contains(string(payload), `"sums":0`) {
		d.Fatalf("counted %s", payload)
	}
}

// scheduled is the event of a schedule.
var scheduled = map[string]any{"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": map[string]any{}}

func redisStory(d *deployment) {
	redis, there := d.functions["redis"], d.functions["redis-"+elsewhere]
	db := d.call("POST", "/redis/database", map[string]any{"database_name": "orders", "region": "global", "primary_region": home})
	id, bearer := db["database_id"].(string), "Bearer "+db["rest_token"].(string)
	command := func(words ...any) request {
		text, _ := json.Marshal(words)
		return request{method: "POST", path: "/", authorization: bearer, body: string(text)}
	}
	redis.want(200, `"OK"`, command("SET", "greeting", "hello"))
	redis.want(200, `"hello"`, command("GET", "greeting"))
	redis.want(200, `["hello",null]`, command("MGET", "greeting", "none"))
	var words []any
	for i := range 300 {
		words = append(words, fmt.Sprint("field", i), strings.Repeat("x", 100))
	}
	redis.want(200, "300", command(append([]any{"HSET", "big"}, words...)...))
	redis.want(200, "field299", command("HGETALL", "big"))
	redis.want(200, "1", command("LPUSH", "list", "a"))
	redis.want(200, "1", command("ZADD", "ranks", "1", "a"))
	redis.want(200, "", command("SCAN", "0"))
	redis.want(200, "7", command("EVAL", "redis.call('SET', KEYS[1], 7) return redis.call('GET', KEYS[1])", "1", "scripted"))
	redis.want(200, `"OK"`, request{method: "POST", path: "/multi-exec", authorization: bearer, body: `[["SET","a","1"],["INCR","a"],["DEL","list"]]`})
	redis.want(200, "1", command("DEL", "big"))
	d.functions["sweep"].invoke(scheduled)

	there.want(200, `"hello"`, command("GET", "greeting"))
	there.want(200, `"OK"`, command("SET", "from", "afar"))
	there.want(200, `"afar"`, command("GET", "from"))
	there.want(200, "1", command("DEL", "from"))
	redis.want(200, "null", command("GET", "from"))

	d.call("PUT", "/skystash/limits/"+id, map[string]any{"daily_requests": 1})
	d.count(redis.end())
	d.functions["meter"].invoke(scheduled)
	redis.want(400, "max daily request limit exceeded", command("GET", "greeting"))
	d.call("PUT", "/skystash/limits/"+id, map[string]any{"daily_requests": 0})
	d.call("GET", "/redis/stats/"+id, nil)
	d.count(redis.end()) // the refused request is what makes the meter look at the limit again
	redis.want(200, `"hello"`, command("GET", "greeting"))

	old := bearer
	bearer = "Bearer " + d.call("POST", "/redis/reset-password/"+id, nil)["rest_token"].(string)
	redis.end()
	redis.want(200, `"hello"`, command("GET", "greeting"))
	if status, body := redis.do(request{method: "GET", path: "/get/greeting", authorization: old}); status != http.StatusUnauthorized {
		d.Errorf("the old token is answered %d %s", status, body)
	}
	redis.want(200, `"OK"`, command("FLUSHDB"))
	d.functions["sweep"].invoke(scheduled)
	d.call("POST", "/skystash/signing-keys", nil)
	d.call("DELETE", "/redis/database/"+id, nil)
}

func kafkaStory(d *deployment) {
	kafka := d.functions["kafka"]
	cluster := d.call("POST", "/kafka/cluster", map[string]any{"name": "events", "region": home})
	id := cluster["cluster_id"].(string)
	topic := d.call("POST", "/kafka/topic", map[string]any{"name": "red", "cluster_id": id, "partitions": 1, "retention_time": 3600_000, "retention_size": 1 << 30, "cleanup_policy": "delete"})
	authorization := "Basic " + base64.StdEncoding.EncodeToString([]byte(cluster["username"].(string)+":"+cluster["password"].(string)))
	produce := func(value string) {
		d.Helper()
		body, _ := json.Marshal(map[string]any{"topic": "red", "partition": 0, "value": value})
		kafka.want(200, `"offset":`, request{method: "POST", path: "/produce", authorization: authorization, body: string(body)})
	}
	fetch := request{method: "POST", path: "/fetch", authorization: authorization, body: `{"topic":"red","partition":0,"offset":0}`}
	produce("first")
	kafka.want(200, "first", fetch)
	for range 3 {
		// Segments are compressed, and only large ones go into the bucket.
		random := make([]byte, 20_000)
		rand.Read(random)
		produce("large " + base64.StdEncoding.EncodeToString(random))
	}
	payload, _ := d.functions["materialize"].invoke(d.records())
	if string(payload) != `{"batchItemFailures":[]}` {
		d.Errorf("materialized: %s", payload)
	}
	kafka.want(200, "large", fetch)
	kafka.want(200, "first", request{method: "GET", path: "/consume/group/instance/red", authorization: authorization, headers: map[string]string{"kafka-auto-offset-reset": "earliest"}})
	d.functions["kafkasweep"].invoke(scheduled)
	d.count(kafka.end())
	d.call("GET", "/kafka/stats/cluster/"+id, nil)
	d.call("POST", "/kafka/reset-password/"+id, nil)
	if status, body := kafka.do(fetch); status != http.StatusUnauthorized {
		d.Errorf("the old password is answered %d %s", status, body)
	}
	d.call("DELETE", "/kafka/topic/"+topic["topic_id"].(string), nil)
	d.functions["kafkasweep"].invoke(scheduled)
	d.call("DELETE", "/kafka/cluster/"+id, nil)
	d.functions["kafkasweep"].invoke(scheduled)
}

// records is what the stream's mapping would invoke the function with.
func (d *deployment) records() events.KinesisEvent {
	d.Helper()
	stream := d.functions["materialize"].variable("STREAM_NAME")
	it, err := d.kinesis.GetShardIterator(d.Context(), &awskinesis.GetShardIteratorInput{
		StreamName: &stream, ShardId: aws.String("shardId-000000000000"), ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		d.Fatal(err)
	}
	out, err := d.kinesis.GetRecords(d.Context(), &awskinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil || len(out.Records) == 0 {
		d.Fatalf("%d records, %v", len(out.Records), err)
	}
	var event events.KinesisEvent
	for _, r := range out.Records {
		event.Records = append(event.Records, events.KinesisEventRecord{Kinesis: events.KinesisRecord{
			PartitionKey: *r.PartitionKey, SequenceNumber: *r.SequenceNumber, Data: r.Data,
			ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: *r.ApproximateArrivalTimestamp},
		}})
	}
	return event
}

func qstashStory(d *deployment) {
	received := make(chan string, 100)
	destination := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- string(body)
	}))
	d.Cleanup(destination.Close)
	qstash := d.functions["qstash"]
	user := d.call("POST", "/skystash/qstash", map[string]any{"name": "jobs"})
	id, authorization := user["id"].(string), "Bearer "+user["token"].(string)
	publish := func(body string, headers map[string]string) string {
		d.Helper()
		var out struct{ MessageID string }
		answer := qstash.want(200, "messageId", request{method: "POST", path: "/v2/publish/" + destination.URL, authorization: authorization, body: body, headers: headers})
		if err := json.Unmarshal([]byte(answer), &out); err != nil {
			d.Fatal(err)
		}
		return out.MessageID
	}
	arrives := func(want string) {
		d.Helper()
		d.wake()
		select {
		case got := <-received:
			if got != want {
				d.Errorf("delivered %q, want %q", got, want)
			}
		default:
			d.Errorf("%q was not delivered; the log:\n%s", want, d.functions["deliver"].running.Output())
		}
	}
	publish("now", nil)
	arrives("now")
	late := publish("late", map[string]string{"upstash-delay": "1h"})
	qstash.want(200, `"late"`, request{method: "GET", path: "/v2/messages/" + late, authorization: authorization})
	qstash.want(200, "", request{method: "DELETE", path: "/v2/messages/" + late, authorization: authorization})
	qstash.want(200, "", request{method: "POST", path: "/v2/queues", authorization: authorization, body: `{"queueName":"q","parallelism":1}`})
	qstash.want(200, "messageId", request{method: "POST", path: "/v2/enqueue/q/" + destination.URL, authorization: authorization, body: "queued"})
	arrives("queued")
	schedule := qstash.want(200, "scheduleId", request{method: "POST", path: "/v2/schedules/" + destination.URL, authorization: authorization, body: "daily", headers: map[string]string{"upstash-cron": "0 3 * * *"}})
	var made struct{ ScheduleID string }
	json.Unmarshal([]byte(schedule), &made)
	qstash.want(200, "", request{method: "DELETE", path: "/v2/schedules/" + made.ScheduleID, authorization: authorization})
	d.functions["deliver"].invoke(scheduled)

	d.count(qstash.end())
	d.count(d.functions["deliver"].end())
	d.call("GET", "/qstash/stats/"+id, nil)
	old := authorization
	authorization = "Bearer " + d.call("POST", "/qstash/rotate-token/"+id, nil)["token"].(string)
	publish("rotated", nil)
	arrives("rotated")
	if status, body := qstash.do(request{method: "GET", path: "/v2/keys", authorization: old}); status != http.StatusUnauthorized {
		d.Errorf("the old token is answered %d %s", status, body)
	}
	publish("gone", map[string]string{"upstash-delay": "1h"})
	d.call("DELETE", "/skystash/resource/"+id, nil)
	d.functions["deliver"].invoke(scheduled)
}

// wake hands the queue's messages to the function that delivers, and deletes those that it has handled.
func (d *deployment) wake() {
	d.Helper()
	deliver := d.functions["deliver"]
	queue := deliver.variable("QUEUE_URL")
	for {
		out, err := d.sqs.ReceiveMessage(d.Context(), &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10})
		if err != nil {
			d.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return
		}
		var event events.SQSEvent
		for _, m := range out.Messages {
			event.Records = append(event.Records, events.SQSMessage{
				MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body, Attributes: map[string]string{"ApproximateReceiveCount": "1"},
			})
		}
		if payload, _ := deliver.invoke(event); string(payload) != `{"batchItemFailures":[]}` {
			d.Fatalf("wake-ups fail: %s; the log:\n%s", payload, deliver.running.Output())
		}
		for _, m := range out.Messages {
			if _, err := d.sqs.DeleteMessage(d.Context(), &sqs.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
				d.Fatal(err)
			}
		}
	}
}

// unusedRights reads those that functions keep although no story needs them, with the reason, from testdata/unused.txt.
func unusedRights(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "unused.txt"))
	if err != nil {
		t.Fatal(err)
	}
	reasons, reason := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(line, "# "); ok {
			reason = comment
			continue
		}
		who, actions, _ := strings.Cut(line, ": ")
		for action := range strings.FieldsSeq(actions) {
			reasons[who+" "+action] = reason
		}
	}
	return reasons
}
