package main

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
	"github.com/skystash/skystash/pkg/token"
)

// world takes what the functions send to SQS and Scheduler, and plays the destination.
type world struct {
	*httptest.Server
	mu        sync.Mutex
	wakes     []string // bodies of SQS messages
	schedules int
	start     func(schedule string) // is told of a schedule that starts a task
	received  []*http.Request
	bodies    []string
	returns   chan string // receipts and visibility timeouts of SQS messages whose wake-up has failed
}

func newCloud(t *testing.T) *world {
	c := &world{returns: make(chan string, 10)}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *world) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Header.Get("X-Amz-Target") == "AmazonSQS.SendMessageBatch":
		var in struct {
			Entries []struct{ Id, MessageBody string }
		}
		json.Unmarshal(body, &in)
		var done []map[string]string
		for _, e := range in.Entries {
			c.wakes = append(c.wakes, e.MessageBody)
			done = append(done, map[string]string{"Id": e.Id, "MessageId": e.Id})
		}
		json.NewEncoder(w).Encode(map[string]any{"Successful": done})
	case r.Header.Get("X-Amz-Target") == "AmazonSQS.ChangeMessageVisibility":
		var in struct {
			ReceiptHandle     string
			VisibilityTimeout int
		}
		json.Unmarshal(body, &in)
		c.returns <- fmt.Sprint(in.ReceiptHandle, " ", in.VisibilityTimeout)
		io.WriteString(w, "{}")
	case strings.HasPrefix(r.URL.Path, "/schedules/"):
		if strings.HasPrefix(r.URL.Path, "/schedules/start-") {
			c.start(string(body))
		} else {
			c.schedules++
		}
		io.WriteString(w, `{"ScheduleArn":"arn"}`)
	default:
		c.received = append(c.received, r)
		c.bodies = append(c.bodies, string(body))
	}
}

// take takes the wake-ups that were sent.
func (c *world) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	wakes := c.wakes
	c.wakes = nil
	return wakes
}

// deployment is a table and a world that functions work with.
type deployment struct {
	*world
	engine   *qstash.Engine // beside the functions
	acct     *qstash.Account
	password string   // of the account's token
	env      []string // of the functions
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{}
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	d.engine = qstash.New(qstash.Config{Store: dynamo.New(client, table)})
	acct, err := d.engine.CreateAccount(t.Context(), "acct", qstash.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	password, err := signer.Mint(token.Claims{CredentialID: "c", Resource: acct.ID, Products: []string{token.ProductQStash}, Scope: token.ReadWrite})
	if err != nil {
		t.Fatal(err)
	}
	public, err := token.EncodePublicKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	options := client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.world, d.acct, d.password = newCloud(t), acct, password
	c := d.world
	d.env = []string{
		"TABLE_NAME=" + table, "TOKEN_PUBLIC_KEY=" + string(public),
		"QUEUE_URL=" + c.URL + "/123456789012/wake", "QUEUE_ARN=arn:aws:sqs:eu-central-1:123456789012:wake",
		"SCHEDULER_GROUP=wake", "SCHEDULER_ROLE_ARN=arn:aws:iam::123456789012:role/wake", "ALLOWED_ADDRESSES=127.0.0.0/8",
		"DYNAMODB_ENDPOINT=" + *options.BaseEndpoint, "SQS_ENDPOINT=" + c.URL, "SCHEDULER_ENDPOINT=" + c.URL,
		"AWS_REGION=" + options.Region, "AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
	}
	return d
}

func TestSampleEvents(t *testing.T) {
	d := deploy(t)
	c, env, acct, password := d.world, d.env, d.acct, d.password
	api := runtimetest.Start(t, runtimetest.Build(t, "./functions/qstash"), env...)
	deliver := runtimetest.Start(t, runtimetest.Build(t, "./functions/deliver"), env...)
	call := func(name, message string, wantStatus int) string {
		t.Helper()
		got := api.Invoke(runtimetest.Event(t, "qstash/"+name+".json", "${TOKEN}", rest.Envelope(acct.ID, password), "${URL}", c.URL, "${MESSAGE}", message))
		var a events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(got.Payload, &a); err != nil || got.Failed || a.StatusCode != wantStatus {
			t.Fatalf("%s: %s, %v\n%s", name, got.Payload, err, api.Output())
		}
		return a.Body
	}
	wake := func(bodies []string) {
		t.Helper()
		for _, body := range bodies {
			quoted, _ := json.Marshal(body)
			got := deliver.Invoke(runtimetest.Event(t, "deliver/wake.json", "${BODY}", strings.Trim(string(quoted), `"`)))
			if got.Failed || string(got.Payload) != `{"batchItemFailures":[]}` {
				t.Fatalf("wake %s: %s", body, got.Payload)
			}
		}
	}

	if body := call("unauthorized", "", 401); body != `{"error":"invalid token"}` {
		t.Errorf("unauthorized: %s", body)
	}
	if body := call("keys", "", 200); !strings.Contains(body, acct.Keys.Current) {
		t.Errorf("keys: %s", body)
	}
	var published qstash.Published
	if err := json.Unmarshal([]byte(call("publish", "", 200)), &published); err != nil || published.URL != c.URL+"/hook//in?a=1" {
		t.Fatalf("published %+v, %v", published, err)
	}
	wake(c.take())
	if len(c.received) != 1 || c.received[0].RequestURI != "/hook//in?a=1" || c.bodies[0] != `{"hello":"world"}` ||
		c.received[0].Header.Get("X-Mine") != "yes" || c.received[0].Header.Get("Upstash-Caller-Ip") != "203.0.113.7" || c.received[0].Header.Get("Upstash-Signature") == "" {
		t.Fatalf("received %v %q", c.received, c.bodies)
	}
	call("publish", "", 200)
	wake(c.take())
	// A connection would be dead by the time that a frozen function goes on.
	if len(c.received) != 2 || c.received[0].RemoteAddr == c.received[1].RemoteAddr {
		t.Errorf("%d messages, the last over the connection of an earlier invocation", len(c.received))
	}
	if body := call("message", published.MessageID, 200); !strings.Contains(body, `"label":"first"`) {
		t.Errorf("message: %s", body)
	}
	if body := call("batch", "", 200); !strings.Contains(body, `{"error":"invalid destination url: endpoint has invalid scheme, add http:// or https://"}`) {
		t.Errorf("batch: %s", body)
	}
	c.take() // the wake-up gets lost; a sweep would find the message a minute later
	call("function-url-publish", "", 200)
	if c.schedules != 1 || len(c.take()) != 0 {
		t.Errorf("%d schedules for a message in an hour", c.schedules)
	}
	if got := deliver.Invoke(runtimetest.Event(t, "deliver/scheduled.json")); got.Failed || string(got.Payload) != `{"woken":0,"finished":true}` {
		t.Errorf("sweep: %s", got.Payload)
	}
	if got := deliver.Invoke(runtimetest.Event(t, "deliver/wake.json", "${BODY}", "nonsense")); !strings.Contains(string(got.Payload), "059f36b4") {
		t.Errorf("a malformed wake-up: %s", got.Payload)
	}
	if got := <-c.returns; !strings.HasSuffix(got, " 2") {
		t.Errorf("returned %q, want the malformed one after 2 seconds", got)
	}
}

func TestMissingSettingsAreNamed(t *testing.T) {
	code, output := runtimetest.Start(t, runtimetest.Build(t, "./functions/deliver"), "ALLOWED_ADDRESSES=x").Exit()
	for _, name := range []string{"TABLE_NAME", "QUEUE_URL", "QUEUE_ARN", "SCHEDULER_GROUP", "SCHEDULER_ROLE_ARN", "ALLOWED_ADDRESSES"} {
		if !strings.Contains(output, name) {
			t.Errorf("output %q does not name %s", output, name)
		}
	}
	if code != 1 {
		t.Errorf("exit status %d", code)
	}
}
