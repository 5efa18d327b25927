package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/dynamotls"
	"github.com/skystash/skystash/pkg/testenv/motolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// deployment is a control plane with Redis, as the function finds it.
type deployment struct {
	basic     string // credentials of the administrator
	published keydir.Directory
	endpoint  string   // of DynamoDB Local
	env       []string // of the function
}

func deploy(t *testing.T) deployment {
	t.Helper()
	client := dynamolocal.Client(t)
	table := dynamolocal.Table(t, client)
	redisTable := dynamolocal.Table(t, client)
	d := deployment{published: keydir.Directory{Store: dynamo.New(client, redisTable)}}
	// As scripts/admin does it.
	acct, key, err := control.New(control.Config{Store: dynamo.New(client, table)}).Bootstrap(t.Context(), "admin@example.com")
	if err != nil {
		t.Fatal(err)
	}
	d.basic = base64.StdEncoding.EncodeToString([]byte(acct.Email + ":" + key))
	options := client.Options()
	d.endpoint = *options.BaseEndpoint
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.env = []string{
		"TABLE_NAME=" + table,
		"KEY_PATH=/skystash-" + rand.Text() + "/signing-keys",
		"REDIS_TABLE=" + redisTable,
		"REDIS_URL=https://redis.example.com/",
		"DYNAMODB_ENDPOINT=" + *options.BaseEndpoint,
		"SSM_ENDPOINT=" + motolocal.Start(t),
		"AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
	}
	return d
}

func (d deployment) invoke(t *testing.T, fn *runtimetest.Function, name string, with ...string) events.APIGatewayV2HTTPResponse {
	t.Helper()
	got := fn.Invoke(runtimetest.Event(t, "console/"+name+".json", append(with, "${BASIC}", d.basic)...))
	var a events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(got.Payload, &a); err != nil || got.Failed {
		t.Fatalf("failed %v, %v: %s", got.Failed, err, got.Payload)
	}
	return a
}

// The control plane works on the tables of all products, over one client.
func TestColdStartMakesOneHandshakeWithDynamoDB(t *testing.T) {
	d := deploy(t)
	server := dynamotls.Start(t, d.endpoint)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/console"), append(d.env, server.Env()...)...)
	if created := d.invoke(t, fn, "create-database"); created.StatusCode != http.StatusOK {
		t.Fatalf("creating is answered %d %s", created.StatusCode, created.Body)
	}
	if got := server.Take(); got.Handshakes != 1 || got.Connections != 1 {
		t.Errorf("%d connections, %d handshakes, want one of each: %v", got.Connections, got.Handshakes, got.Calls)
	}
}

func TestDatabasesAreCreatedListedAndDeleted(t *testing.T) {
	d := deploy(t)
	bin := runtimetest.Build(t, "./functions/console")
	fn := runtimetest.Start(t, bin, d.env...)
	var db struct {
		ID       string `json:"database_id"`
		Endpoint string `json:"endpoint"`
		Token    string `json:"rest_token"`
	}
	created := d.invoke(t, fn, "create-database")
	if err := json.Unmarshal([]byte(created.Body), &db); err != nil || created.StatusCode != http.StatusOK || db.Endpoint != "redis.example.com" {
		t.Fatalf("creating is answered %d %s", created.StatusCode, created.Body)
	}
	// What a Redis function checks tokens with that has no key in its environment.
	verifier, err := token.NewVerifier(token.VerifierConfig{Product: token.ProductRedis, Published: d.published})
	if err != nil {
		t.Fatal(err)
	}
	if claims, err := verifier.Verify(t.Context(), db.Token); err != nil || claims.Resource != db.ID {
		t.Errorf("the token opens %q, %v", claims.Resource, err)
	}
	// Another instance has the same key, and so the same tokens.
	other := runtimetest.Start(t, bin, d.env...)
	if list := d.invoke(t, other, "list-databases"); list.StatusCode != http.StatusOK || !strings.Contains(list.Body, db.Token) {
		t.Errorf("listing is answered %d %s", list.StatusCode, list.Body)
	}
	if deleted := d.invoke(t, fn, "delete-database", "${ID}", db.ID); deleted.StatusCode != http.StatusOK || deleted.Body != `"OK"` {
		t.Errorf("deleting is answered %d %s", deleted.StatusCode, deleted.Body)
	}
	if list := d.invoke(t, other, "list-databases"); list.Body != "[]" {
		t.Errorf("listing is answered %s", list.Body)
	}
	if refused := d.invoke(t, fn, "unauthorized"); refused.StatusCode != http.StatusUnauthorized || refused.Headers["Www-Authenticate"] == "" {
		t.Errorf("who is nobody is answered %d %v", refused.StatusCode, refused.Headers)
	}
	if page := d.invoke(t, fn, "sign-in"); page.StatusCode != http.StatusOK || !strings.Contains(page.Headers["Content-Type"], "text/html") {
		t.Errorf("the page to sign in is answered %d %v", page.StatusCode, page.Headers)
	}
}
