package guard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/rehearse/iam"
)

// world is a guard before emulators that answer whatever they are told to.
type world struct {
	t      *testing.T
	guard  *Guard
	url    string
	answer string
	seen   []*http.Request // by the emulators
	now    time.Time
}

func newWorld(t *testing.T, statements ...iam.Statement) *world {
	w := &world{t: t, answer: "{}", now: time.Unix(1e9, 0)}
	emulator := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.seen = append(w.seen, r)
		io.WriteString(out, w.answer)
	}))
	t.Cleanup(emulator.Close)
	to, err := url.Parse(emulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*url.URL{}
	for _, service := range []string{"dynamodb", "kinesis", "sqs", "ssm", "scheduler", "s3"} {
		all[service] = to
	}
	w.guard = &Guard{
		Region: "eu-central-1", Account: "1", Key: "skystash", Emulators: all, Now: func() time.Time { return w.now },
		Roles: map[string][]iam.Statement{"role": statements},
	}
	front := httptest.NewServer(w.guard)
	t.Cleanup(front.Close)
	w.url = front.URL
	return w
}

// call sends a request as an SDK does.
func (w *world) call(service, target, body string) (status int, answer string) {
	w.t.Helper()
	return w.request(service, http.MethodPost, "/", target, body)
}

func (w *world) request(service, method, path, target, body string) (status int, answer string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=role/20260101/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=x", service))
	if target != "" {
		r.Header.Set("X-Amz-Target", "Any."+target)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	out, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return got.StatusCode, string(out)
}

func allow(resource string, actions ...string) iam.Statement {
	return iam.Statement{Actions: actions, Resources: []string{resource}}
}

func TestWhatIsAllowedPassesAndIsCounted(t *testing.T) {
	w := newWorld(t, allow("arn:aws:dynamodb:us-east-1:1:table/t", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"))
	for _, body := range []string{`{"TableName":"t"}`, `{"TableName":"t"}`} {
		if status, answer := w.call("dynamodb", "GetItem", body); status != http.StatusOK {
			t.Errorf("%d %s", status, answer)
		}
	}
	w.call("dynamodb", "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"t"}}]}`)
	if len(w.guard.Faults()) > 0 || len(w.seen) != 3 {
		t.Errorf("%d calls arrived", len(w.seen))
	}
	if got := w.seen[0].Header.Get("Authorization"); !strings.Contains(got, "Credential=skystash/20260101/eu-central-1/dynamodb/") {
		t.Errorf("the emulator is told %s", got)
	}
	if calls := w.guard.Calls()["role"]; calls["dynamodb:GetItem"] != 2 || calls["dynamodb:PutItem"] != 1 {
		t.Errorf("counted %v", calls)
	}
	if unused := w.guard.Unused("role"); !slices.Equal(unused, []string{"dynamodb:UpdateItem"}) {
		t.Errorf("unused %v", unused)
	}
}

func TestWhatNoStatementAllowsIsDenied(t *testing.T) {
	for _, c := range []struct {
		name, service, method, path, target, body, want string
	}{
		{"another table", "dynamodb", "POST", "/", "GetItem", `{"TableName":"u"}`, "dynamodb:GetItem on arn:aws:dynamodb:us-east-1:1:table/u"},
		{"a part of a transaction", "dynamodb", "POST", "/", "TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"t"}},{"Delete":{"TableName":"t"}}]}`, "dynamodb:DeleteItem on arn:aws:dynamodb:us-east-1:1:table/t"},
		{"a batch", "dynamodb", "POST", "/", "BatchGetItem", `{"RequestItems":{"t":{"Keys":[]}}}`, "dynamodb:BatchGetItem on"},
		{"a queue", "sqs", "POST", "/", "SendMessageBatch", `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/1/q"}`, "sqs:SendMessage on arn:aws:sqs:us-east-1:1:q"},
		{"a parameter", "ssm", "POST", "/", "GetParameter", `{"Name":"/keys/a"}`, "ssm:GetParameter on arn:aws:ssm:us-east-1:1:parameter/keys/a"},
		{"parameters", "ssm", "POST", "/", "GetParametersByPath", `{"Path":"/keys"}`, "ssm:GetParametersByPath on arn:aws:ssm:us-east-1:1:parameter/keys"},
		{"a schedule", "scheduler", "POST", "/schedules/late", "", `{"GroupName":"g"}`, "scheduler:CreateSchedule on arn:aws:scheduler:us-east-1:1:schedule/g/late"},
		{"the end of one", "scheduler", "DELETE", "/schedules/late?groupName=g", "", ``, "scheduler:DeleteSchedule on arn:aws:scheduler:us-east-1:1:schedule/g/late"},
		{"an object", "s3", "PUT", "/b/a/c", "", `x`, "s3:PutObject on arn:aws:s3:::b/a/c"},
		{"objects", "s3", "POST", "/b?delete", "", `<x/>`, "s3:DeleteObject on arn:aws:s3:::b/*"},
		{"a stream", "kinesis", "POST", "/", "PutRecords", `{"StreamName":"s"}`, "kinesis:PutRecords on arn:aws:kinesis:us-east-1:1:stream/s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, allow("arn:aws:dynamodb:us-east-1:1:table/t", "dynamodb:GetItem", "dynamodb:PutItem"))
			status, answer := w.request(c.service, c.method, c.path, c.target, c.body)
			faults := w.guard.Faults()
			if status < 400 || len(faults) != 1 || faults[0].Who != "role" || !strings.HasPrefix(faults[0].What, c.want) || !strings.Contains(faults[0].Why, `"Effect":"Allow"`) {
				t.Fatalf("%d %s: %v, want %s", status, answer, faults, c.want)
			}
			if len(w.seen) > 0 {
				t.Error("it arrived all the same")
			}
		})
	}
}

func TestARoleIsPassedToSchedulerOnly(t *testing.T) {
	w := newWorld(t, allow("*", "scheduler:CreateSchedule"), iam.Statement{
		Actions: []string{"iam:PassRole"}, Resources: []string{"good"},
		Conditions: []iam.Condition{{Operator: "StringEquals", Key: "iam:PassedToService", Values: []string{"scheduler.amazonaws.com"}}},
	})
	w.request("scheduler", "POST", "/schedules/late", "", `{"GroupName":"g","Target":{"RoleArn":"good"}}`)
	if faults := w.guard.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	w.request("scheduler", "POST", "/schedules/late", "", `{"GroupName":"g","Target":{"RoleArn":"other"}}`)
	if faults := w.guard.Faults(); len(faults) != 1 || faults[0].What != "iam:PassRole on other" {
		t.Error(faults)
	}
}

func TestLimitsOfAWS(t *testing.T) {
	many := func(n int, of string) string { return strings.TrimSuffix(strings.Repeat(of+",", n), ",") }
	batch := func(n int) string { return `{"RequestItems":{"t":{"Keys":[` + many(n, `{}`) + `]}}}` }
	write := func(n int) string { return `{"RequestItems":{"t":[` + many(n, `{}`) + `]}}` }
	transaction := func(n, size int) string {
		item := `{"Put":{"TableName":"t","Item":{"v":{"B":"` + strings.Repeat("A", size*4/3) + `"}}}}`
		return `{"TransactItems":[` + many(n, item) + `]}`
	}
	delayed := func(seconds int) string {
		return fmt.Sprintf(`{"QueueUrl":"q","Entries":[{"DelaySeconds":%d}]}`, seconds)
	}
	for _, c := range []struct {
		service, target, within, beyond string
	}{
		{"dynamodb", "BatchGetItem", batch(100), batch(101)},
		{"dynamodb", "BatchWriteItem", write(25), write(26)},
		{"dynamodb", "TransactWriteItems", transaction(100, 1), transaction(101, 1)},
		{"dynamodb", "TransactWriteItems", transaction(10, 400<<10), transaction(11, 400<<10)},
		{"kinesis", "PutRecords", `{"StreamName":"s","Records":[` + many(500, "{}") + `]}`, `{"StreamName":"s","Records":[` + many(501, "{}") + `]}`},
		{"sqs", "SendMessageBatch", delayed(900), delayed(901)},
		{"sqs", "SendMessage", `{"QueueUrl":"q","DelaySeconds":900}`, `{"QueueUrl":"q","DelaySeconds":901}`},
		{"sqs", "SendMessageBatch", `{"QueueUrl":"q","Entries":[` + many(10, "{}") + `]}`, `{"QueueUrl":"q","Entries":[` + many(11, "{}") + `]}`},
	} {
		w := newWorld(t, allow("*", "*"))
		if status, answer := w.call(c.service, c.target, c.within); status != http.StatusOK {
			t.Errorf("%s at the limit: %d %s", c.target, status, answer)
		}
		if status, _ := w.call(c.service, c.target, c.beyond); status != http.StatusBadRequest || len(w.guard.Faults()) != 1 {
			t.Errorf("%s beyond the limit: %d", c.target, status)
		}
	}
	w := newWorld(t, allow("*", "*"))
	for _, n := range []int{64, 65} {
		status, _ := w.request("scheduler", "POST", "/schedules/"+strings.Repeat("x", n), "", `{"GroupName":"g"}`)
		if faults := w.guard.Faults(); (status != http.StatusOK) != (n > 64) || (len(faults) == 1) != (n > 64) {
			t.Errorf("a name of %d characters: %d %v", n, status, faults)
		}
	}
}

// Iterators do not say what they are of, so the guard has to know.
func TestReadsOfAShardAreBounded(t *testing.T) {
	w := newWorld(t, allow("arn:aws:kinesis:us-east-1:1:stream/s", "kinesis:*"))
	w.answer = `{"ShardIterator":"one"}`
	w.call("kinesis", "GetShardIterator", `{"StreamName":"s","ShardId":"0"}`)
	w.answer = `{"NextShardIterator":"one"}`
	read := func() bool {
		_, answer := w.call("kinesis", "GetRecords", `{"ShardIterator":"one"}`)
		return !strings.Contains(answer, "ProvisionedThroughputExceededException")
	}
	for i := range 5 {
		if !read() {
			t.Errorf("read %d is refused: %v", i+1, w.guard.Faults())
		}
	}
	if read() || len(w.guard.Faults()) != 1 {
		t.Error("a sixth read within a second is let through")
	}
	w.now = w.now.Add(time.Second)
	if !read() {
		t.Error("a read a second later is refused")
	}
}
