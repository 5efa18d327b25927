package rehearse

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/skystash/skystash/integration/rehearse/cfn"
	"github.com/skystash/skystash/integration/rehearse/guard"
	"github.com/skystash/skystash/integration/rehearse/iam"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
	"github.com/skystash/skystash/pkg/testenv/motolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

const (
	home      = "eu-central-1"
	elsewhere = "us-east-1" // a read region
)

// maxPayload is the most that Lambda takes and gives in one piece, in bytes.
const maxPayload = 6 << 20

// executables are the functions by what their templates say they are.
var executables = map[string]string{
	"Redis over REST":                                               "redis",
	"Deletes what Redis keys leave behind":                          "sweep",
	"Kafka over REST":                                               "kafka",
	"Moves Kafka messages from the stream into the table":           "materialize",
	"Deletes Kafka messages that have expired, and compacts topics": "kafkasweep",
	"QStash's REST API":                                             "qstash",
	"Delivers QStash's messages":                                    "deliver",
	"Developer API and console":                                     "console",
	"Counts usage, and blocks what has reached a limit":             "meter",
}

// deployment is the app in emulators.
type deployment struct {
	*testing.T
	app       *cfn.App
	guard     *guard.Guard
	url       string // of the guard
	functions map[string]*function
	basic     string // what the administrator shows the Developer API

	kinesis *awskinesis.Client
	sqs     *sqs.Client
}

// function is a function of the app. It starts when it is first invoked.
type function struct {
	d       *deployment
	name    string // of the executable, and the region if it is not home
	role    string
	env     []string
	running *runtimetest.Function
}

// synth synthesises the app into a folder, which the environment variable SKYSTASH_SYNTHESISED may name instead.
func synth(t *testing.T, settings map[string]any) string {
	t.Helper()
	if folder := os.Getenv("SKYSTASH_SYNTHESISED"); folder != "" {
		return folder
	}
	root := filepath.Join("..", "..")
	var app struct{ Context map[string]any }
	text, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err == nil {
		err = json.Unmarshal(text, &app)
	}
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(app.Context, settings)
	context, err := json.Marshal(app.Context)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./infra")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+folder, "CDK_CONTEXT_JSON="+string(context), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("synthesising: %v\n%s", err, out)
	}
	return folder
}

func deploy(t *testing.T, folder string) *deployment {
	t.Helper()
	app, err := cfn.Load(folder, home, map[string]string{"/skystash/token-public-key": "published"})
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{T: t, app: app, functions: map[string]*function{}, kinesis: kinesislocal.Client(t)}
	d.guard = &guard.Guard{Region: home, Account: cfn.Account, Key: rand.Text(), Emulators: map[string]*url.URL{}, Roles: map[string][]iam.Statement{}}
	moto := motolocal.Start(t)
	for service, endpoint := range map[string]string{
		"dynamodb": dynamolocal.Start(t), "kinesis": kinesislocal.Start(t), "sqs": moto, "ssm": moto, "scheduler": moto, "s3": moto,
	} {
		if d.guard.Emulators[service], err = url.Parse(endpoint); err != nil {
			t.Fatal(err)
		}
	}
	front := httptest.NewServer(d.guard)
	t.Cleanup(front.Close)
	d.url = front.URL
	config := aws.Config{Region: home, BaseEndpoint: &moto, Credentials: credentials.NewStaticCredentialsProvider("skystash", "skystash", "")}
	d.sqs = sqs.NewFromConfig(config)
	for _, name := range slices.Sorted(maps.Keys(app.Stacks)) {
		d.makeResources(app.Stacks[name], scheduler.NewFromConfig(config), moto)
		d.makeFunctions(app.Stacks[name])
	}
	return d
}

// makeResources makes what functions use.
func (d *deployment) makeResources(s *cfn.Stack, schedules *scheduler.Client, moto string) {
	d.Helper()
	check := func(err error) {
		d.Helper()
		if err != nil {
			d.Fatal(err)
		}
	}
	ref := func(name string) string { return d.resolve(s, map[string]any{"Ref": name}).(string) }
	tables := d.dynamodb()
	for _, name := range s.Of("AWS::DynamoDB::Table") {
		table := ref(name)
		check(dynamo.CreateTable(d.Context(), tables, table))
		d.Cleanup(func() {
			tables.DeleteTable(context(), &dynamodb.DeleteTableInput{TableName: &table})
		})
	}
	for _, name := range s.Of("AWS::Kinesis::Stream") {
		stream := ref(name)
		_, err := d.kinesis.CreateStream(d.Context(), &awskinesis.CreateStreamInput{StreamName: &stream, ShardCount: aws.Int32(1)})
		check(err)
		kinesislocal.WaitActive(d.T, d.kinesis, stream)
		d.Cleanup(func() {
			d.kinesis.DeleteStream(context(), &awskinesis.DeleteStreamInput{StreamName: &stream})
		})
	}
	for _, name := range s.Of("AWS::SQS::Queue") {
		queue := ref(name)
		_, err := d.sqs.CreateQueue(d.Context(), &sqs.CreateQueueInput{QueueName: aws.String(queue[strings.LastIndex(queue, "/")+1:])})
		check(err)
	}
	for _, name := range s.Of("AWS::Scheduler::ScheduleGroup") {
		_, err := schedules.CreateScheduleGroup(d.Context(), &scheduler.CreateScheduleGroupInput{Name: aws.String(ref(name))})
		check(err)
	}
	for _, name := range s.Of("AWS::S3::Bucket") {
		r, err := http.NewRequestWithContext(d.Context(), http.MethodPut, moto+"/"+ref(name), nil)
		check(err)
		got, err := http.DefaultClient.Do(r)
		check(err)
		if got.Body.Close(); got.StatusCode != http.StatusOK {
			d.Fatalf("making a bucket is answered %s", got.Status)
		}
	}
}

// dynamodb is a client of DynamoDB Local that sees what the guard's callers see, and no other deployment's tables.
func (d *deployment) dynamodb() *dynamodb.Client {
	d.Helper()
	return dynamolocal.Client(d.T, func(o *dynamodb.Options) {
		o.Region, o.Credentials = home, credentials.NewStaticCredentialsProvider(d.guard.Key, "skystash", "")
	})
}

func (d *deployment) resolve(s *cfn.Stack, v any) any {
	d.Helper()
	out, err := s.Resolve(v)
	if err != nil {
		d.Fatal(err)
	}
	return out
}

// makeFunctions finds a stack's functions, with their roles' policies.
func (d *deployment) makeFunctions(s *cfn.Stack) {
	d.Helper()
	policies := map[string][]iam.Statement{} // by the role's name
	for _, name := range s.Of("AWS::IAM::Policy") {
		p := d.properties(s, name)
		statements, err := iam.Parse(p["PolicyDocument"])
		if err != nil {
			d.Fatalf("%s in %s: %v", name, s.Name, err)
		}
		for _, role := range p["Roles"].([]any) {
			policies[role.(string)] = append(policies[role.(string)], statements...)
		}
	}
	for _, name := range s.Of("AWS::Lambda::Function") {
		p := d.properties(s, name)
		description, _ := p["Description"].(string)
		if description == "" {
			continue // of the CDK's own, which run at deployment
		}
		executable, ok := executables[description]
		if !ok {
			d.Fatalf("%s in %s: no executable is known of %q", name, s.Name, description)
		}
		f := &function{d: d, name: executable}
		if s.Region != home {
			f.name += "-" + s.Region
		}
		f.role = f.name
		arn := p["Role"].(string)
		d.guard.Roles[f.role] = policies[arn[strings.LastIndex(arn, "/")+1:]]
		for name, value := range p["Environment"].(map[string]any)["Variables"].(map[string]any) {
			f.env = append(f.env, name+"="+value.(string))
		}
		f.env = append(f.env, "AWS_REGION="+s.Region, "AWS_ACCESS_KEY_ID="+f.role, "AWS_SECRET_ACCESS_KEY=x")
		for _, service := range []string{"DYNAMODB", "KINESIS", "SQS", "SCHEDULER", "SSM", "S3"} {
			f.env = append(f.env, service+"_ENDPOINT="+d.url)
		}
		d.functions[f.name] = f
	}
}

func (d *deployment) properties(s *cfn.Stack, name string) map[string]any {
	d.Helper()
	p, err := s.Properties(name)
	if err != nil {
		d.Fatal(err)
	}
	return p
}

// variable is one of a function's environment.
func (f *function) variable(name string) string {
	f.d.Helper()
	for _, v := range f.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	f.d.Fatalf("%s has no %s", f.name, name)
	return ""
}

// invoke thaws the function for one event. body is that of a streamed answer.
func (f *function) invoke(event any) (payload, body []byte) {
	f.d.Helper()
	text, err := json.Marshal(event)
	if err != nil {
		f.d.Fatal(err)
	}
	if f.running == nil {
		executable, _, _ := strings.Cut(f.name, "-")
		f.running = runtimetest.Start(f.d, runtimetest.Build(f.d, "./functions/"+executable), f.env...)
	} else {
		f.running.Thaw()
	}
	answer := f.running.Invoke(text)
	payload = answer.Payload
	if answer.Body != nil {
		payload = answer.Prelude
		if body, err = io.ReadAll(answer.Body); err != nil {
			f.d.Fatal(err)
		}
	}
	f.running.Freeze()
	if answer.Failed {
		f.d.Fatalf("%s fails: %s; its log:\n%s", f.name, answer.Payload, f.running.Output())
	}
	if len(text) > maxPayload || len(payload) > maxPayload {
		f.d.Fatalf("%s: %d bytes in, %d out: Lambda takes %d", f.name, len(text), len(payload), maxPayload)
	}
	return payload, body
}

// end ends the function's instance, as Lambda does after some minutes, and returns its log.
func (f *function) end() string {
	f.d.Helper()
	f.running.Thaw()
	log := f.running.Shutdown()
	f.running = nil
	return log
}

// endAll ends all instances.
func (d *deployment) endAll() {
	for _, f := range d.functions {
		if f.running != nil {
			f.running.Kill()
			f.running = nil
		}
	}
}

// request is what reaches a function by HTTP.
type request struct {
	method, path, authorization, body string
	headers                           map[string]string
}

// do sends a request through an HTTP API.
func (f *function) do(r request) (status int, body string) {
	f.d.Helper()
	path, query, _ := strings.Cut(r.path, "?")
	event := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: path, RawQueryString: query, Body: r.body,
		Headers: map[string]string{"authorization": r.authorization, "host": "api.execute-api." + home + ".amazonaws.com", "x-forwarded-for": "203.0.113.7"},
	}
	maps.Copy(event.Headers, r.headers)
	event.RequestContext.HTTP = events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: r.method, Path: path, SourceIP: "203.0.113.7"}
	payload, streamed := f.invoke(event)
	var answer events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(payload, &answer); err != nil {
		f.d.Fatalf("%s answers %s: %v", f.name, payload, err)
	}
	if streamed != nil {
		return answer.StatusCode, string(streamed)
	}
	return answer.StatusCode, answer.Body
}

// want sends a request whose answer's status and body are known; part of the body is enough. 200 stands for whatever says that
// all went well.
func (f *function) want(status int, part string, r request) string {
	f.d.Helper()
	got, body := f.do(r)
	well := got == status || status == http.StatusOK && got/100 == 2
	if !well || !strings.Contains(body, part) {
		f.d.Fatalf("%s: %s %s %s: %d %s, want %d %s; its log:\n%s; refused: %v", f.name, r.method, r.path, r.body, got, body, status, part, f.running.Output(), f.d.guard.Faults())
	}
	return body
}
