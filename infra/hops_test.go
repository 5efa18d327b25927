package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skystash/skystash/pkg/qstash"
	wakeaws "github.com/skystash/skystash/pkg/qstash/wake/aws"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// maxHops is how often Lambda invokes functions in one chain, unless loops are allowed.
const maxHops = 16

// loopRule stands in for SQS and for Lambda's recursive loop detection. SQS keeps the trace that a message was
// sent in. Lambda counts the hops in the trace's lineage, which the SDK passes on with whatever the function sends. Beyond
// maxHops it drops the message, unless the function's RecursiveLoop is Allow.
type loopRule struct {
	t     *testing.T
	url   string
	allow bool

	messages chan hop
	underWay sync.WaitGroup // messages that are in the queue or being handled

	mu      sync.Mutex
	dropped int
	longest int
}

// hop is a message of the queue.
type hop struct {
	body string
	hops int // of the chain that it was sent in
}

func newLoopRule(t *testing.T, allow bool) *loopRule {
	r := &loopRule{t: t, allow: allow, messages: make(chan hop, 10_000)}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// ServeHTTP takes messages.
func (r *loopRule) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var in struct {
		Entries []struct{ Id, MessageBody string }
	}
	if err := json.NewDecoder(req.Body).Decode(&in); err != nil || req.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" {
		r.t.Errorf("unexpected %s: %v", req.Header.Get("X-Amz-Target"), err)
	}
	hops := hopsOf(req.Header.Get("X-Amzn-Trace-Id"))
	done := []map[string]string{}
	for _, e := range in.Entries {
		r.underWay.Add(1)
		r.messages <- hop{e.MessageBody, hops}
		done = append(done, map[string]string{"Id": e.Id, "MessageId": e.Id})
	}
	json.NewEncoder(w).Encode(map[string]any{"Successful": done})
}

const lineage = ";Lineage=1:5759e988:"

// hopsOf reads the number of hops out of a trace's lineage.
func hopsOf(trace string) int {
	_, n, _ := strings.Cut(trace, lineage)
	hops, _ := strconv.Atoi(n) // none: the chain begins
	return hops
}

// invoke invokes a function for each message until the test ends.
func (r *loopRule) invoke(fn *runtimetest.Function) {
	for m := range r.messages {
		m.hops++
		r.mu.Lock()
		r.longest = max(r.longest, m.hops)
		drop := m.hops > maxHops && !r.allow
		if drop {
			r.dropped++
		}
		r.mu.Unlock()
		if !drop {
			event, _ := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", ReceiptHandle: "1", Body: m.body, Attributes: map[string]string{"ApproximateReceiveCount": "1"}}}})
			if got := fn.InvokeTraced(event, fmt.Sprint(runtimetest.Trace, lineage, m.hops)); got.Failed || string(got.Payload) != `{"batchItemFailures":[]}` {
				r.t.Errorf("%s: %s", m.body, got.Payload)
			}
		}
		r.underWay.Done()
	}
}

// Long chains of wake-ups under the rule: a queue whose messages wake each other, and a message with many
// retries. With what the template says of RecursiveLoop they complete, without they do not.
func TestLongChainsOfWakeUpsComplete(t *testing.T) {
	binary := runtimetest.Build(t, "./functions/deliver")
	allowed := false
	for _, fn := range resources(t, qstashTemplate(t), "AWS::Lambda::Function") {
		p := fn["Properties"].(map[string]any)
		if p["Description"] == "Delivers QStash's messages" {
			allowed = p["RecursiveLoop"] == "Allow"
		}
	}
	t.Run("as deployed", func(t *testing.T) {
		const queued, retries = 500, 60
		r := newChains(t, binary, allowed, queued, retries)
		if r.dropped > 0 || r.attempts != retries+1 || r.dead != 1 || len(r.order) != queued || !slices.IsSorted(r.order) {
			t.Errorf("%d wake-ups dropped; %d attempts of a message with %d retries, %d dead letters; %d of %d messages of a queue",
				r.dropped, r.attempts, retries, r.dead, len(r.order), queued)
		}
		if r.longest <= maxHops {
			t.Errorf("the longest chain has %d hops: the rule was not put to the test", r.longest)
		}
	})
	// How many of the queue's messages are sent depends on how many of its wake-ups begin a chain.
	t.Run("with the rule", func(t *testing.T) {
		const queued, retries = 30, 30
		r := newChains(t, binary, false, queued, retries)
		if r.dropped == 0 || r.attempts > maxHops || r.dead != 0 || len(r.order) == queued {
			t.Errorf("%d wake-ups dropped; %d attempts, %d dead letters; %d of %d messages of a queue: the rule holds nothing up",
				r.dropped, r.attempts, r.dead, len(r.order), queued)
		}
	})
}

// chains is what has become of a queue, and of a message that always fails.
type chains struct {
	dropped, longest int
	attempts, dead   int
	order            []int // of the queue's messages
}

func newChains(t *testing.T, binary string, allow bool, queued, retries int) (c chains) {
	var mu sync.Mutex
	destination := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/fail" {
			c.attempts++
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		n, err := strconv.Atoi(string(body))
		if err != nil {
			t.Error(err)
		}
		c.order = append(c.order, n)
	}))
	t.Cleanup(destination.Close)

	rule := newLoopRule(t, allow)
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	config := aws.Config{Region: "eu-central-1", BaseEndpoint: &rule.url, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
	engine := qstash.New(qstash.Config{Store: dynamo.New(client, table), Waker: wakeaws.New(wakeaws.Config{
		SQS: sqs.NewFromConfig(config), Scheduler: scheduler.NewFromConfig(config), QueueURL: rule.url + "/123456789012/wake"})})
	const acct = "acct"
	if _, err := engine.CreateAccount(t.Context(), acct, qstash.Keys{}); err != nil {
		t.Fatal(err)
	}
	requests := []qstash.Request{{Destination: destination.URL + "/fail", Options: qstash.Options{Retries: &retries, RetryDelay: "0"}}}
	for i := range queued {
		requests = append(requests, qstash.Request{Destination: destination.URL, Body: []byte(strconv.Itoa(i)), Options: qstash.Options{Queue: "q"}})
	}
	for _, out := range engine.Publish(t.Context(), acct, requests) {
		if out.Err != nil {
			t.Fatal(out.Err)
		}
	}

	options := client.Options()
	keys, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var invokers sync.WaitGroup
	for range 2 { // two chains
		fn := runtimetest.Start(t, binary,
			"TABLE_NAME="+table, "QUEUE_URL="+rule.url+"/123456789012/wake", "QUEUE_ARN=arn:aws:sqs:eu-central-1:123456789012:wake",
			"SCHEDULER_GROUP=wake", "SCHEDULER_ROLE_ARN=arn:aws:iam::123456789012:role/wake", "ALLOWED_ADDRESSES=127.0.0.0/8",
			"DYNAMODB_ENDPOINT="+*options.BaseEndpoint, "SQS_ENDPOINT="+rule.url, "SCHEDULER_ENDPOINT="+rule.url,
			"AWS_REGION="+options.Region, "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey)
		invokers.Go(func() { rule.invoke(fn) })
	}
	rule.underWay.Wait()
	close(rule.messages)
	invokers.Wait()
	dead, _, err := engine.DeadLetters(t.Context(), acct, qstash.DLQQuery{Count: 10})
	if err != nil {
		t.Fatal(err)
	}
	c.dropped, c.longest, c.dead = rule.dropped, rule.longest, len(dead)
	return c
}
