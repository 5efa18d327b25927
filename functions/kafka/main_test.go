package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/bundle"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
	"github.com/skystash/skystash/pkg/token"
)

// deployment is a table and a stream with one cluster, as functions find them.
type deployment struct {
	kinesis        *awskinesis.Client
	stream         string
	user, password string
	env            []string // of the functions
}

func deploy(t testing.TB) deployment {
	t.Helper()
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	d := deployment{kinesis: kinesislocal.Client(t)}
	d.stream = kinesislocal.Stream(t, d.kinesis, 1)
	engine := kafka.New(kafka.Config{
		Store: dynamo.New(client, table), Stream: kinesis.New(d.kinesis, d.stream, kinesis.Options{}), RecordTTL: contract.RecordTTL,
	})
	c, err := engine.CreateCluster(t.Context(), kafka.ClusterOptions{ID: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.CreateTopic(t.Context(), c, "red", kafka.TopicOptions{Partitions: 3}); err != nil {
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
	claims := token.Claims{
		CredentialID: "credential", Resource: c.ID, Products: []string{token.ProductKafka},
		Scope: token.ReadWrite, Generation: c.CredentialGeneration,
	}
	if d.password, err = signer.Mint(claims); err != nil {
		t.Fatal(err)
	}
	d.user = claims.KafkaUsername()
	public, err := token.EncodePublicKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	options := client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.env = []string{
		"TABLE_NAME=" + table,
		"STREAM_NAME=" + d.stream,
		"TOKEN_PUBLIC_KEY=" + string(public),
		"DYNAMODB_ENDPOINT=" + *options.BaseEndpoint,
		"KINESIS_ENDPOINT=" + *d.kinesis.Options().BaseEndpoint,
		"AWS_REGION=" + options.Region,
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
	}
	return d
}

// invoke hands the function a sample event.
func (d deployment) invoke(t *testing.T, fn *runtimetest.Function, name string) (status int, body string) {
	t.Helper()
	got := fn.Invoke(runtimetest.Event(t, "kafka/"+name+".json",
		"${BASIC}", base64.StdEncoding.EncodeToString([]byte(d.user+":"+d.password)), "${USER}", d.user, "${PASSWORD}", d.password))
	var a events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(got.Payload, &a); err != nil || got.Failed {
		t.Fatalf("failed %v, %v: %s", got.Failed, err, got.Payload)
	}
	if a.IsBase64Encoded {
		t.Error("the answer is in base64")
	}
	return a.StatusCode, a.Body
}

// records are the events of the stream's mapping for everything in the stream.
func (d deployment) records(t *testing.T) []events.KinesisEventRecord {
	t.Helper()
	it, err := d.kinesis.GetShardIterator(t.Context(), &awskinesis.GetShardIteratorInput{
		StreamName: &d.stream, ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.kinesis.GetRecords(t.Context(), &awskinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil {
		t.Fatal(err)
	}
	var all []events.KinesisEventRecord
	for _, r := range out.Records {
		var event events.KinesisEvent
		sample := runtimetest.Event(t, "materialize/records.json", "${KEY}", *r.PartitionKey, "${DATA}", base64.StdEncoding.EncodeToString(r.Data))
		if err := json.Unmarshal(sample, &event); err != nil {
			t.Fatal(err)
		}
		event.Records[0].Kinesis.SequenceNumber = *r.SequenceNumber
		all = append(all, event.Records[0])
	}
	return all
}

func materialize(t *testing.T, fn *runtimetest.Function, records []events.KinesisEventRecord) (failures []string) {
	t.Helper()
	event, err := json.Marshal(events.KinesisEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	got := fn.Invoke(event)
	var resp events.KinesisEventResponse
	if err := json.Unmarshal(got.Payload, &resp); err != nil || got.Failed {
		t.Fatalf("failed %v, %v: %s", got.Failed, err, got.Payload)
	}
	for _, f := range resp.BatchItemFailures {
		failures = append(failures, f.ItemIdentifier)
	}
	return failures
}

func TestSampleEvents(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/kafka"), d.env...)
	step := func(event string, wantStatus int, want string) {
		t.Helper()
		if status, body := d.invoke(t, fn, event); status != wantStatus || !strings.HasPrefix(body, want) {
			t.Errorf("%s: got %d %s, want %d %s", event, status, body, wantStatus, want)
		}
	}
	step("topics", 200, `{"red":3}`)
	step("produce", 200, `[{"topic":"red","partition":1,"offset":0,"timestamp":1740830401000}]`)
	// Nothing moves the message into the log: fetching does.
	first := `{"topic":"red","partition":1,"offset":0,"timestamp":1740830401000,"key":"","value":"{\"hello\":\"world\"}","headers":[{"key":"signature","value":"abcd"}]}`
	step("fetch", 200, "["+first+"]")
	step("produce-form", 200, `[{"topic":"red","partition":1,"offset":1,"timestamp":1740830402000}]`)
	step("produce-path", 200, `{"topic":"red","partition":2,"offset":0,`)
	step("webhook", 200, `{"topic":"red","partition":`)
	step("unauthorized", 401, `{"error":"invalid or missing credentials","status":401}`)

	mapping := runtimetest.Start(t, runtimetest.Build(t, "./functions/materialize"), d.env...)
	records := d.records(t)
	if len(records) != 4 {
		t.Fatalf("%d records in the stream", len(records))
	}
	for range 2 {
		if failed := materialize(t, mapping, records); len(failed) > 0 {
			t.Errorf("records %v failed", failed)
		}
	}
	step("fetch", 200, "["+first+`,{"topic":"red","partition":1,"offset":1,"timestamp":1740830402000,"key":"","value":"from curl -d","headers":[]}`)
	if status, body := d.invoke(t, fn, "consume"); status != http.StatusOK || strings.Count(body, `"offset":`) != 4 {
		t.Errorf("consumed %d %s", status, body)
	}
	if out := fn.Output() + mapping.Output(); strings.Contains(out, d.password) {
		t.Errorf("the log holds the password: %s", out)
	}

	sweep := runtimetest.Start(t, runtimetest.Build(t, "./functions/kafkasweep"), d.env...)
	got := sweep.Invoke(runtimetest.Event(t, "sweep/scheduled.json"))
	if got.Failed || string(got.Payload) != `{"deleted":0,"finished":true}` {
		t.Errorf("swept: %v %s", got.Failed, got.Payload)
	}
}

func TestMaterializeAsksForWhatFailed(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/kafka"), d.env...)
	d.invoke(t, fn, "produce")
	d.invoke(t, fn, "produce-form")
	records := d.records(t)
	bin := runtimetest.Build(t, "./functions/materialize")
	broken := append([]string{}, d.env...)
	for i, v := range broken {
		if strings.HasPrefix(v, "DYNAMODB_ENDPOINT=") {
			broken[i] = "DYNAMODB_ENDPOINT=http://127.0.0.1:1"
		}
	}
	began := time.Now()
	failed := materialize(t, runtimetest.Start(t, bin, broken...), records)
	if len(failed) != 1 || failed[0] != records[0].Kinesis.SequenceNumber {
		t.Errorf("after %v: failures %v, want %s", time.Since(began), failed, records[0].Kinesis.SequenceNumber)
	}
	if failed := materialize(t, runtimetest.Start(t, bin, d.env...), records); len(failed) > 0 {
		t.Errorf("failures %v", failed)
	}
}

func TestMissingConfigurationIsNamed(t *testing.T) {
	for _, name := range []string{"kafka", "materialize", "kafkasweep"} {
		code, output := runtimetest.Start(t, runtimetest.Build(t, "./functions/"+name)).Exit()
		if code != 1 || !strings.Contains(output, "TABLE_NAME is not set") || !strings.Contains(output, "STREAM_NAME is not set") {
			t.Errorf("%s: exit code %d, output %q", name, code, output)
		}
	}
}

func TestDeployedArchiveIsSmall(t *testing.T) {
	size, err := bundle.ZipSize(runtimetest.BuildFor(t, "./functions/kafka", "arm64"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", size)
	if size > 10<<20 {
		t.Errorf("%d bytes", size)
	}
}
