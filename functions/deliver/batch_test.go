package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skystash/skystash/functions/backend/awsqstash"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/deliver"
	wakeaws "github.com/skystash/skystash/pkg/qstash/wake/aws"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// A batch has a message that hangs, one that does not and one that is malformed. While the first hangs
// the second is delivered, and the third given back to the queue.
func TestBatchIsHeldUpByNoneOfItsMessages(t *testing.T) {
	arrived, release := make(chan string, 10), make(chan struct{})
	destination := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.URL.Path
		if r.URL.Path == "/hang" {
			<-release
		}
	}))
	t.Cleanup(destination.Close)
	c := newCloud(t)
	client := aws.Config{Region: "eu-central-1", BaseEndpoint: &c.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
	waker := wakeaws.New(wakeaws.Config{SQS: sqs.NewFromConfig(client), Scheduler: scheduler.NewFromConfig(client), QueueURL: c.URL + "/123456789012/wake"})
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	sender := deliver.New(deliver.Config{Allow: deliver.Loopback})
	engine := qstash.New(qstash.Config{Store: st, Sender: sender, Waker: waker})
	if _, err := engine.CreateAccount(t.Context(), "acct", qstash.Keys{}); err != nil {
		t.Fatal(err)
	}
	var batch events.SQSEvent
	for _, path := range []string{"/hang", "/good"} {
		out := engine.Publish(t.Context(), "acct", []qstash.Request{{Destination: destination.URL + path}})
		if out[0].Err != nil {
			t.Fatal(out[0].Err)
		}
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: path, Body: c.take()[0], ReceiptHandle: path, Attributes: map[string]string{"ApproximateReceiveCount": "1"}})
	}
	batch.Records = append(batch.Records, events.SQSMessage{MessageId: "/bad", Body: "nonsense", ReceiptHandle: "/bad", Attributes: map[string]string{"ApproximateReceiveCount": "3"}})
	event, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	d := &deliverer{q: awsqstash.QStash{Engine: engine, Sender: sender, Waker: waker}, log: slog.New(slog.DiscardHandler)}
	answer := make(chan any)
	go func() {
		out, err := d.handle(context.WithoutCancel(t.Context()), event)
		if err != nil {
			t.Error(err)
		}
		answer <- out
	}()
	paths := map[string]bool{<-arrived: true, <-arrived: true}
	if !paths["/good"] || !paths["/hang"] {
		t.Errorf("arrived: %v", paths)
	}
	if handle := <-c.returns; handle != "/bad 8" {
		t.Errorf("returned %q, want the malformed one after 8 seconds", handle)
	}
	close(release)
	out := (<-answer).(events.SQSEventResponse)
	if len(out.BatchItemFailures) != 1 || out.BatchItemFailures[0].ItemIdentifier != "/bad" {
		t.Errorf("failures %v", out.BatchItemFailures)
	}
}
