package aws_test

import (
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

	wakeaws "github.com/skystash/skystash/pkg/qstash/wake/aws"
)

// cloud stands in for SQS (JSON protocol) and EventBridge Scheduler (REST) behind the real
// clients where moto cannot: with a clock that tests move, and with faults.
type cloud struct {
	t   *testing.T
	url string

	mu        sync.Mutex
	now       func() time.Time
	queue     []queued
	schedules map[string]schedule
	failSends int // how many of the next messages are refused
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
	c := &cloud{t: t, now: time.Now, schedules: map[string]schedule{}}
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

var atExpression = regexp.MustCompile(`^at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)$`)

func (c *cloud) createSchedule(w http.ResponseWriter, r *http.Request, name string) {
	var s schedule
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil || len(name) > 64 || !atExpression.MatchString(s.ScheduleExpression) {
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
}
