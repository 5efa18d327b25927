package awspath

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/lambdahttp"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
	"github.com/skystash/skystash/pkg/token"
)

const file = "../AWSPATH.md"

var (
	update = flag.Bool("update", false, "measure, and write "+file)
	number = flag.Int("n", 20_000, "`number` of requests of each kind that are measured, in each of five rounds")
)

// request is a kind of request, with what the AWS SDK does for it when it is called alone.
type request struct {
	name, operation string
	ours, sdk       func() error

	oursTook, sdkTook []time.Duration // of a processor for one request, in each round
}

// TestPath checks that each request is one call, the same as the SDK's own beside it. With -update it measures: a time is
// no reason for a test to fail.
func TestPath(t *testing.T) {
	requests, way := deployed(t)
	for _, r := range requests {
		way.take()
		if err := r.ours(); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		calls, bodies := way.take()
		if want := map[string]int{r.operation: 1}; !maps.Equal(calls, want) {
			t.Errorf("%s calls %v, want %v", r.name, calls, want)
		}
		ours := bodies[r.operation]
		if r.sdk = sdkCall(t, way.client, r.operation, ours); r.sdk == nil {
			t.Fatalf("%s: no call %s", r.name, r.operation)
		}
		if err := r.sdk(); err != nil && r.operation == "GetItem" {
			t.Fatalf("the SDK's %s: %v", r.operation, err)
		}
		_, bodies = way.take()
		if !sameJSON(t, ours, bodies[r.operation]) {
			t.Errorf("%s sends\n%s\nand the SDK's call beside it\n%s", r.name, ours, bodies[r.operation])
		}
	}
	way.stopAsking()
	if t.Failed() || !*update {
		return
	}
	for round := range 6 {
		for _, r := range requests {
			ours, sdk := processor(t, r.ours), processor(t, r.sdk)
			if round > 0 { // the first fills caches
				r.oursTook, r.sdkTook = append(r.oursTook, ours), append(r.sdkTook, sdk)
			}
		}
	}
	if err := os.WriteFile(file, report(requests), 0o644); err != nil {
		t.Fatal(err)
	}
}

// deployed is a handler as functions/redis has it, over one database with one key.
func deployed(t *testing.T) ([]*request, *replay) {
	t.Helper()
	way := newReplay()
	way.client = dynamolocal.Client(t, func(o *dynamodb.Options) {
		o.HTTPClient, o.Retryer = &http.Client{Transport: way}, aws.NopRetryer{}
	})
	start := time.Now()
	now := func() time.Time { return start } // records that are cached stay fresh
	table := dynamo.New(way.client, dynamolocal.Table(t, dynamolocal.Client(t)))
	engine := redis.New(redis.Config{Store: table, RecordTTL: contract.RecordTTL, MaxReplyBytes: contract.MaxCommandBytes, Now: now})
	db, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "first"})
	if err != nil {
		t.Fatal(err)
	}
	var w resp.Writer
	if err := engine.Do(t.Context(), db, redis.Access{}, []string{"SET", "greeting", "hello, world"}, &w); err != nil {
		t.Fatal(err)
	}
	signer, public := pair(t)
	bearer, err := signer.Mint(token.Claims{
		CredentialID: "bench", Resource: db.ID, Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration,
	})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: []ed25519.PublicKey{public}, Product: token.ProductRedis})
	if err != nil {
		t.Fatal(err)
	}
	handler := lambdahttp.New(rest.New(rest.Config{
		Engine: engine, Verifier: verifier, MaxRequestBytes: contract.MaxCommandBytes, Gateway: lambdahttp.ThroughGateway, Class: engine.Class, Logger: slog.New(slog.DiscardHandler),
	}), slog.New(slog.DiscardHandler))
	serve := func(path, want string) func() error {
		var event events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(runtimetest.Event(t, "redis/get.json", "${TOKEN}", bearer), &event); err != nil {
			t.Fatal(err)
		}
		event.RawPath, event.RequestContext.HTTP.Path = path, path
		return func() error {
			answer, err := handler(t.Context(), event)
			if err == nil && (answer.StatusCode != http.StatusOK || answer.Body != want) {
				err = fmt.Errorf("answered %d %s", answer.StatusCode, answer.Body)
			}
			return err
		}
	}
	requests := []*request{
		{name: "GET", operation: "GetItem", ours: serve("/get/greeting", `{"result":"hello, world"}`)},
		{name: "SET", operation: "PutItem", ours: serve("/set/greeting/hello,%20world", `{"result":"OK"}`)},
	}
	for _, r := range requests { // caches of records and keys are filled
		if err := r.ours(); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
	}
	return requests, way
}

func pair(t *testing.T) (*token.Signer, ed25519.PublicKey) {
	t.Helper()
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return signer, key.Public().(ed25519.PublicKey)
}

// sdkCall is the call that has a body, made by the SDK alone.
func sdkCall(t *testing.T, client *dynamodb.Client, operation string, body []byte) func() error {
	t.Helper()
	var sent struct {
		TableName, ConditionExpression, ReturnValues, ReturnValuesOnConditionCheckFailure string
		ConsistentRead                                                                    *bool
		ExpressionAttributeNames                                                          map[string]string
		Key, Item                                                                         map[string]struct{ B string }
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	values := func(in map[string]struct{ B string }) map[string]types.AttributeValue {
		out := map[string]types.AttributeValue{}
		for name, v := range in {
			b, err := base64.StdEncoding.DecodeString(v.B)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = &types.AttributeValueMemberB{Value: b}
		}
		return out
	}
	key, item := values(sent.Key), values(sent.Item)
	switch operation {
	case "GetItem":
		return func() error {
			_, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &sent.TableName, Key: key, ConsistentRead: sent.ConsistentRead})
			return err
		}
	case "PutItem":
		return func() error {
			_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
				TableName: &sent.TableName, Item: item, ConditionExpression: &sent.ConditionExpression,
				ExpressionAttributeNames:            sent.ExpressionAttributeNames,
				ReturnValues:                        types.ReturnValue(sent.ReturnValues),
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailure(sent.ReturnValuesOnConditionCheckFailure),
			})
			return err
		}
	}
	return nil
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// processor is how long the process has a processor for one call, with what it takes to collect the garbage.
func processor(t *testing.T, call func() error) time.Duration {
	t.Helper()
	runtime.GC()
	before := used(t)
	for range *number {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	return (used(t) - before) / time.Duration(*number)
}

func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(requests []*request) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# What a request takes of the processor on its way to DynamoDB

Written by `+"`go test ./integration/bench/awspath -update`"+` (%s/%s, %s). It counts the time of a processor, so that other programs
disturb it little; medians of five rounds of %d requests one after the other, with what it takes to collect the garbage.

A request goes from the event of an HTTP API through the handler of functions/redis, with a token to verify, and the AWS
SDK up to where the connection would be. There it gets, at once, what DynamoDB Local has answered to the same call. The SDK's part is
the same call, byte for byte, by the SDK alone. TLS and the network come on top of both.

| | µs a request | of it the SDK's own call | ours | ours, beside the SDK's |
|---|---:|---:|---:|---:|
`, runtime.GOOS, runtime.GOARCH, runtime.Version(), *number)
	for _, r := range requests {
		all, sdk := median(r.oursTook), median(r.sdkTook)
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f | %.2f |\n", r.name, micros(all), micros(sdk), micros(all-sdk), micros(all-sdk)/micros(sdk))
	}
	return b.Bytes()
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
