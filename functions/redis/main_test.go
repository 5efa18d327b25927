package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/bundle"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
	"github.com/skystash/skystash/pkg/token"
)

// deployment is a table with one database, as a function finds it.
type deployment struct {
	engine *redis.Engine
	db     *redis.Database
	token  string
	env    []string // of the function
}

func deploy(t testing.TB) deployment {
	t.Helper()
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	engine := redis.New(redis.Config{Store: dynamo.New(client, table), RecordTTL: contract.RecordTTL})
	db, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "first", Name: "first"})
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
	signed, err := signer.Mint(token.Claims{
		CredentialID: "credential",
		Resource:     db.ID,
		Products:     []string{token.ProductRedis},
		Scope:        token.ReadWrite,
		Generation:   db.CredentialGeneration,
	})
	if err != nil {
		t.Fatal(err)
	}
	public, err := token.EncodePublicKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	// DynamoDB Local keeps tables apart by region and access key.
	options := client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return deployment{
		engine: engine,
		db:     db,
		token:  signed,
		env: []string{
			"TABLE_NAME=" + table,
			"TOKEN_PUBLIC_KEY=" + string(public),
			"DYNAMODB_ENDPOINT=" + *options.BaseEndpoint,
			"AWS_REGION=" + options.Region,
			"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
		},
	}
}

// get reads a key past the function.
func (d deployment) get(t *testing.T, key string) string {
	t.Helper()
	var w resp.Writer
	if err := d.engine.Do(t.Context(), d.db, redis.Access{}, []string{"GET", key}, &w); err != nil {
		t.Fatal(err)
	}
	return string(w.Buf)
}

// answer is a function's answer to an HTTP event, its body decoded.
type answer struct {
	events.APIGatewayV2HTTPResponse
	body string
}

func invoke(t testing.TB, fn *runtimetest.Function, event []byte) answer {
	t.Helper()
	return decode(t, fn.Invoke(event))
}

func decode(t testing.TB, got runtimetest.Answer) answer {
	t.Helper()
	var a answer
	if got.Body != nil { // streamed, as through a function URL
		if err := json.Unmarshal(got.Prelude, &a); err != nil {
			t.Fatalf("%v: %s", err, got.Prelude)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		a.body = string(body)
		return a
	}
	if err := json.Unmarshal(got.Payload, &a); err != nil || got.Failed {
		t.Fatalf("failed %v, %v: %s", got.Failed, err, got.Payload)
	}
	a.body = a.Body
	if a.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		a.body = string(body)
	}
	return a
}

func TestSampleEvents(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), d.env...)

	steps := []struct {
		event      string
		wantStatus int
		wantBody   string
		wantBase64 bool
	}{
		{"set", 200, `{"result":"OK"}`, false},
		{"get", 200, `{"result":"hello, world"}`, false},
		{"sdk-get", 200, `[{"result":"aGVsbG8sIHdvcmxk"}]`, false},
		{"pipeline", 200, `[{"result":"OK"},{"result":42},{"error":"WRONGTYPE Operation against a key holding the wrong kind of value"},{"result":"42"}]`, false},
		{"multi-exec", 200, `[{"result":"OK"},{"result":"OK"},{"result":["1","2"]}]`, false},
		{"base64-body", 200, `{"result":"OK"}`, false},
		{"get-bytes-resp2", 200, "$7\r\n\x00\xff\xfe{\"\r\n\r\n", true},
		{"path-decoded", 200, `{"result":"OK"}`, false},
		{"function-url-set", 200, `{"result":"OK"}`, false},
		{"function-url-path", 200, `{"result":"OK"}`, false},
		{"function-url-get-path", 200, `{"result":"50% off"}`, false},
	}
	for _, step := range steps {
		t.Run(step.event, func(t *testing.T) {
			got := invoke(t, fn, runtimetest.Event(t, "redis/"+step.event+".json", "${TOKEN}", d.token))
			if got.StatusCode != step.wantStatus || strings.TrimSuffix(got.body, "\n") != step.wantBody && got.body != step.wantBody {
				t.Errorf("got %d %q, want %d %q", got.StatusCode, got.body, step.wantStatus, step.wantBody)
			}
			if got.IsBase64Encoded != step.wantBase64 {
				t.Errorf("base64 %v, want %v", got.IsBase64Encoded, step.wantBase64)
			}
			if header(got, "Upstash-Sync-Token") == "" {
				t.Error("no sync token")
			}
		})
	}

	for key, want := range map[string]string{
		"greeting":    "$12\r\nhello, world\r\n",
		"path key":    "$7\r\n50% off\r\n",
		"a/b\x00\xff": "$7\r\n50% off\r\n",
	} {
		if got := d.get(t, key); got != want {
			t.Errorf("%q holds %q, want %q", key, got, want)
		}
	}
	if strings.Contains(fn.Output(), d.token) {
		t.Errorf("the log holds the token: %s", fn.Output())
	}
}

// header finds a response header whatever its case.
func header(a answer, name string) string {
	for k, v := range a.Headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

func TestRequestWithoutValidTokenIsRefused(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), d.env...)
	for _, event := range [][]byte{
		runtimetest.Event(t, "redis/unauthorized.json"),
		runtimetest.Event(t, "redis/get.json", "${TOKEN}", ""),
		runtimetest.Event(t, "redis/get.json", "${TOKEN}", d.token[:len(d.token)-2]),
	} {
		got := invoke(t, fn, event)
		if got.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(got.body, `{"error":"WRONGPASS`) {
			t.Errorf("got %d %q", got.StatusCode, got.body)
		}
	}
}

func TestPreflightIsAnswered(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), d.env...)
	got := invoke(t, fn, runtimetest.Event(t, "redis/options.json"))
	if got.StatusCode != http.StatusOK && got.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", got.StatusCode)
	}
	allowed := strings.ToLower(header(got, "Access-Control-Allow-Headers"))
	for _, name := range []string{"authorization", "content-type", "upstash-encoding"} {
		if allowed != "*" && !strings.Contains(allowed, name) {
			t.Errorf("header %s is not allowed: %q", name, allowed)
		}
	}
	if origin := header(got, "Access-Control-Allow-Origin"); origin != "*" && origin != "https://app.example.com" {
		t.Errorf("origin %q", origin)
	}
}

func TestUnreachableStoreIsAnsweredInJSON(t *testing.T) {
	d := deploy(t)
	i := slices.IndexFunc(d.env, func(v string) bool { return strings.HasPrefix(v, "DYNAMODB_ENDPOINT=") })
	d.env[i] = "DYNAMODB_ENDPOINT=http://127.0.0.1:1"
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), d.env...)
	got := invoke(t, fn, runtimetest.Event(t, "redis/get.json", "${TOKEN}", d.token))
	var body struct{ Error string }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Error == "" {
		t.Errorf("body %q, %v", got.body, err)
	}
	if got.StatusCode < 500 {
		t.Errorf("status %d", got.StatusCode)
	}
	if strings.Contains(body.Error, "127.0.0.1") {
		t.Errorf("the answer tells where the store is: %q", body.Error)
	}
}

func TestMissingConfigurationIsNamed(t *testing.T) {
	bin := runtimetest.Build(t, "./functions/redis")
	for _, tt := range []struct {
		name string
		env  []string
		want []string
	}{
		{"nothing set", nil, []string{"TABLE_NAME is not set", "TOKEN_PUBLIC_KEY is not set"}},
		{"a key that is none", []string{"TABLE_NAME=t", "TOKEN_PUBLIC_KEY=nonsense"}, []string{"TOKEN_PUBLIC_KEY: "}},
		{"an unknown level", []string{"TABLE_NAME=t", "LOG_LEVEL=loud"}, []string{"LOG_LEVEL", "loud"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, output := runtimetest.Start(t, bin, tt.env...).Exit()
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			for _, want := range tt.want {
				if !strings.Contains(output, want) {
					t.Errorf("output %q does not say %q", output, want)
				}
			}
		})
	}
}

// maxZipBytes keeps cold starts short.
const maxZipBytes = 8 << 20

func TestDeployedArchiveIsSmall(t *testing.T) {
	size, err := bundle.ZipSize(runtimetest.BuildFor(t, "./functions/redis", "arm64"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", size)
	if size > maxZipBytes {
		t.Errorf("%d bytes, want at most %d", size, maxZipBytes)
	}
}

// BenchmarkColdStart is the time from the start of the process to its first
// answer, a GET from DynamoDB Local.
func BenchmarkColdStart(b *testing.B) {
	d := deploy(b)
	bin := runtimetest.Build(b, "./functions/redis")
	event := runtimetest.Event(b, "redis/get.json", "${TOKEN}", d.token)
	var total time.Duration
	for b.Loop() {
		took, got := runtimetest.ColdStart(b, bin, event, d.env...)
		if a := decode(b, got); a.StatusCode != http.StatusOK {
			b.Fatalf("%d %s", a.StatusCode, a.body)
		}
		total += took
	}
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/start")
}

// BenchmarkWarm is the time of an invocation of a process that runs already.
func BenchmarkWarm(b *testing.B) {
	d := deploy(b)
	fn := runtimetest.Start(b, runtimetest.Build(b, "./functions/redis"), d.env...)
	event := runtimetest.Event(b, "redis/get.json", "${TOKEN}", d.token)
	fn.Invoke(event)
	for b.Loop() {
		fn.Invoke(event)
	}
}
