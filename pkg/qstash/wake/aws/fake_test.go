package aws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skystash/skystash/pkg/qstash/wake"
	wakeaws "github.com/skystash/skystash/pkg/qstash/wake/aws"
)

// cloud stands in for SQS (JSON protocol) and EventBridge Scheduler (REST), with the
// checks of their APIs that matter here, behind the real clients. It also plays the
// event source mapping: what fails becomes visible again.
type cloud struct {
	t   *testing.T
	url string

	mu        sync.Mutex
	now       func() time.Time
	queue     []queued
	schedules map[string]schedule
	failSends int // how many of the next messages are refused
	changed   chan struct{}
}

type queued struct {
	body    string
	visible time.Time
}

type schedule struct {
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	ActionAfterCompletion      string
	GroupName                  string
	FlexibleTimeWindow         struct{ Mode string }
	Target                     struct{ Arn, RoleArn, Input string }
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{t: t, now: time.Now, schedules: map[string]schedule{}, changed: make(chan struct{}, 1)}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

// waker is a Waker that uses the cloud.
func (c *cloud) waker() *wakeaws.Waker {
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &c.url, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
	return wakeaws.New(wakeaws.Config{
		SQS: sqs.NewFromConfig(cfg), Scheduler: scheduler.NewFromConfig(cfg),
		QueueURL: c.url + "/123456789012/wake", QueueARN: "arn:aws:sqs:eu-central-1:123456789012:wake",
		RoleARN: "arn:aws:iam::123456789012:role/wake", Group: "wake", Now: func() time.Time { return c.now() },
	})
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, scheduled := strings.CutPrefix(r.URL.Path, "/schedules/")
	switch {
	case r.Header.Get("X-Amz-Target") == "AmazonSQS.SendMessageBatch":
		c.sendBatch(w, r)
	case scheduled && r.Method == http.MethodPost:
		c.createSchedule(w, r, name)
	case scheduled && r.Method == http.MethodDelete && r.URL.Query().Get("groupName") == "wake":
		if _, ok := c.schedules[name]; !ok {
			w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
			http.Error(w, `{"Message":"none"}`, http.StatusNotFound)
			return
		}
		delete(c.schedules, name)
		fmt.Fprint(w, `{}`)
	default:
		http.Error(w, "unexpected "+r.Method+" "+r.URL.Path, http.StatusNotImplemented)
	}
}

func (c *cloud) sendBatch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []struct {
			ID           string `json:"Id"`
			MessageBody  string
			DelaySeconds int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Entries) == 0 || len(in.Entries) > 10 {
		http.Error(w, `{"__type":"com.amazonaws.sqs#TooManyEntriesInBatchRequest"}`, http.StatusBadRequest)
		return
	}
	out := map[string][]map[string]any{"Successful": {}, "Failed": {}}
	for _, e := range in.Entries {
		switch {
		case e.DelaySeconds < 0 || e.DelaySeconds > 900 || e.MessageBody == "":
			out["Failed"] = append(out["Failed"], map[string]any{"Id": e.ID, "SenderFault": true, "Code": "InvalidParameterValue", "Message": "invalid"})
		case c.failSends > 0:
			c.failSends--
			out["Failed"] = append(out["Failed"], map[string]any{"Id": e.ID, "SenderFault": false, "Code": "InternalError", "Message": "try again"})
		default:
			c.push(e.MessageBody, time.Duration(e.DelaySeconds)*time.Second)
			out["Successful"] = append(out["Successful"], map[string]any{"Id": e.ID, "MessageId": fmt.Sprint(len(c.queue)), "MD5OfMessageBody": md5Hex(e.MessageBody)})
		}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	json.NewEncoder(w).Encode(out)
}

var scheduleExpression = regexp.MustCompile(`^at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)$|^cron\((\S+ ){5}\*\)$`)

func (c *cloud) createSchedule(w http.ResponseWriter, r *http.Request, name string) {
	var s schedule
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil || len(name) > 64 || !scheduleExpression.MatchString(s.ScheduleExpression) {
		w.Header().Set("X-Amzn-ErrorType", "ValidationException")
		http.Error(w, `{"Message":"invalid"}`, http.StatusBadRequest)
		return
	}
	if _, ok := c.schedules[name]; ok {
		w.Header().Set("X-Amzn-ErrorType", "ConflictException")
		http.Error(w, `{"Message":"exists"}`, http.StatusConflict)
		return
	}
	c.schedules[name] = s
	fmt.Fprint(w, `{"ScheduleArn":"arn:aws:scheduler:eu-central-1:123456789012:schedule/wake/x"}`)
}

func (c *cloud) push(body string, delay time.Duration) {
	c.queue = append(c.queue, queued{body, c.now().Add(delay)})
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// consume hands messages to a handler when they are visible, until the test ends.
func (c *cloud) consume(t *testing.T, w *wakeaws.Waker, handle wake.Handler) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	t.Cleanup(func() { cancel(); done.Wait() })
	done.Go(func() {
		for ctx.Err() == nil {
			body, wait := c.pop()
			if body == "" {
				select {
				case <-ctx.Done():
				case <-c.changed:
				case <-time.After(wait):
				}
				continue
			}
			if err := w.Receive(ctx, body, handle); err != nil {
				c.mu.Lock()
				c.push(body, 0)
				c.mu.Unlock()
			}
		}
	})
}

// pop takes a message that is visible, or says how long to wait for one.
func (c *cloud) pop() (string, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := time.Minute
	for i, q := range c.queue {
		if d := q.visible.Sub(c.now()); d <= 0 {
			c.queue = append(c.queue[:i:i], c.queue[i+1:]...)
			return q.body, 0
		} else if d < wait {
			wait = d
		}
	}
	return "", wait
}
