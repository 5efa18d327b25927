package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// A message whose timeout is longer than Lambda allows is delivered by a task, whose program is started here
// the way that Scheduler and ECS start it, with credentials from where ECS has them. Without the
// setting it is refused.
func TestLongCalls(t *testing.T) {
	d := deploy(t)
	publish := func(api *runtimetest.Function, timeout string) (status int, body string) {
		t.Helper()
		got := api.Invoke(runtimetest.Event(t, "qstash/publish.json", "${TOKEN}", rest.Envelope(d.acct.ID, d.password), "${URL}", d.URL,
			`"upstash-label": "first"`, `"upstash-timeout": "`+timeout+`"`))
		var a events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(got.Payload, &a); err != nil || got.Failed {
			t.Fatalf("%s, %v\n%s", got.Payload, err, api.Output())
		}
		return a.StatusCode, a.Body
	}
	built := runtimetest.Build(t, "./functions/qstash")
	if status, body := publish(runtimetest.Start(t, built, d.env...), "15m"); status != 412 || body != `{"error":"timeout exceeded the limit: maximum 14m0s, requested 15m0s"}` {
		t.Errorf("without the setting: %d %s", status, body)
	}
	long := append(slices.Clone(d.env), "LONG_CALLS=true")
	api := runtimetest.Start(t, built, long...)
	if status, body := publish(api, "121m"); status != 412 {
		t.Errorf("beyond all limits: %d %s", status, body)
	}
	status, body := publish(api, "2h")
	var published qstash.Published
	if err := json.Unmarshal([]byte(body), &published); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	started := make(chan string, 10)
	d.start = func(schedule string) { started <- schedule }
	deliver := runtimetest.Start(t, runtimetest.Build(t, "./functions/deliver"), append(slices.Clone(long),
		"TASK_DEFINITION=definition", "TASK_CLUSTER=cluster", "TASK_SUBNETS=subnet-1,subnet-2", "TASK_SECURITY_GROUP=sg-1")...)
	wake := func() {
		t.Helper()
		for _, body := range d.take() {
			quoted, _ := json.Marshal(body)
			if got := deliver.Invoke(runtimetest.Event(t, "deliver/wake.json", "${BODY}", strings.Trim(string(quoted), `"`))); got.Failed || string(got.Payload) != `{"batchItemFailures":[]}` {
				t.Fatalf("wake: %s\n%s", got.Payload, deliver.Output())
			}
		}
	}
	wake()
	if len(d.received) != 0 || len(started) != 1 {
		t.Fatalf("the function has sent %d requests itself and started %d tasks\n%s", len(d.received), len(started), deliver.Output())
	}
	var schedule struct {
		ActionAfterCompletion string
		Target                struct {
			Arn, Input    string
			EcsParameters struct {
				TaskDefinitionArn, LaunchType string
				NetworkConfiguration          struct {
					AwsvpcConfiguration struct {
						Subnets, SecurityGroups []string
						AssignPublicIp          string
					} `json:"awsvpcConfiguration"`
				}
			}
		}
	}
	text := <-started
	if err := json.Unmarshal([]byte(text), &schedule); err != nil {
		t.Fatal(err)
	}
	ecs := schedule.Target.EcsParameters
	if vpc := ecs.NetworkConfiguration.AwsvpcConfiguration; schedule.ActionAfterCompletion != "DELETE" || schedule.Target.Arn != "cluster" || ecs.TaskDefinitionArn != "definition" ||
		ecs.LaunchType != "FARGATE" || !slices.Equal(vpc.Subnets, []string{"subnet-1", "subnet-2"}) || !slices.Equal(vpc.SecurityGroups, []string{"sg-1"}) || vpc.AssignPublicIp != "ENABLED" {
		t.Errorf("schedule %s", text)
	}
	var override struct {
		ContainerOverrides []struct {
			Name        string
			Environment []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal([]byte(schedule.Target.Input), &override); err != nil || len(override.ContainerOverrides) != 1 || override.ContainerOverrides[0].Name != "attempt" {
		t.Fatalf("input %s, %v", schedule.Target.Input, err)
	}

	var secrets []string
	environment := slices.DeleteFunc(slices.Clone(long), func(v string) bool {
		secret := strings.HasPrefix(v, "AWS_ACCESS_KEY_ID=") || strings.HasPrefix(v, "AWS_SECRET_ACCESS_KEY=")
		if secret {
			_, value, _ := strings.Cut(v, "=")
			secrets = append(secrets, value)
		}
		return secret
	})
	role := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"AccessKeyId": secrets[0], "SecretAccessKey": secrets[1], "Token": "t", "Expiration": "2100-01-01T00:00:00Z"})
	}))
	defer role.Close()
	environment = append(environment, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI="+role.URL)
	for _, v := range override.ContainerOverrides[0].Environment {
		environment = append(environment, v.Name+"="+v.Value)
	}
	attempt := runtimetest.Build(t, "./functions/attempt")
	for range 2 { // it may be started twice
		if code, output := runtimetest.Start(t, attempt, environment...).Exit(); code != 0 {
			t.Fatalf("exit status %d\n%s", code, output)
		}
	}
	if len(d.received) != 1 || d.received[0].RequestURI != "/hook//in?a=1" || d.bodies[0] != `{"hello":"world"}` {
		t.Fatalf("received %v %q", d.received, d.bodies)
	}
	entries, _, err := d.engine.Logs(t.Context(), d.acct.ID, qstash.LogQuery{Filter: qstash.Filter{MessageIDs: []string{published.MessageID}}, Count: 1})
	if err != nil || entries[0].State != qstash.EventDelivered {
		t.Errorf("%+v, %v", entries, err)
	}
	wake() // what is left finds nothing to do
	if len(d.received) != 1 || len(started) != 0 {
		t.Errorf("%d requests, %d more tasks", len(d.received), len(started))
	}
	if code, output := runtimetest.Start(t, attempt, d.env...).Exit(); code != 1 || !strings.Contains(output, "ATTEMPT_KEY") || !strings.Contains(output, "ATTEMPT_OWNER") {
		t.Errorf("without a message: exit status %d, output %q", code, output)
	}
}
