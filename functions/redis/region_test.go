package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// TestReadRegion runs the function in a region whose table is a replica, to which the test copies.
func TestReadRegion(t *testing.T) {
	d := deploy(t)
	home := dynamolocal.Client(t)
	table := d.variable(t, "TABLE_NAME")
	const region = "ap-south-1"
	there := dynamodb.New(home.Options(), func(o *dynamodb.Options) { o.Region = region })
	for _, name := range []string{table, table + "-marks"} {
		if err := dynamo.CreateTable(t.Context(), there, name); err != nil {
			t.Fatal(err)
		}
	}
	replicate := func() {
		t.Helper()
		out, err := home.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range out.Items {
			if _, err := there.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
				t.Fatal(err)
			}
		}
	}
	env := append(d.env, "PRIMARY_REGION="+d.variable(t, "AWS_REGION"), "AWS_REGION="+region, "MARKS_TABLE="+table+"-marks")
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), env...)
	expect := func(event, body string) {
		t.Helper()
		got := invoke(t, fn, runtimetest.Event(t, "redis/"+event+".json", "${TOKEN}", d.token))
		if strings.TrimSuffix(got.body, "\n") != body {
			t.Errorf("%s: %d %s, want %s", event, got.StatusCode, got.body, body)
		}
		if token := header(got, "Upstash-Sync-Token"); !strings.Contains(token, "."+region) {
			t.Errorf("%s: sync token %q", event, token)
		}
	}
	expect("set", `{"result":"OK"}`)
	if got := d.get(t, "greeting"); got != "$12\r\nhello, world\r\n" {
		t.Errorf("the primary region has %q", got)
	}
	expect("get", `{"result":"hello, world"}`)
	replicate()
	expect("get", `{"result":"hello, world"}`)
	var w resp.Writer
	if err := d.engine.Do(t.Context(), d.db, redis.Access{}, []string{"SET", "greeting", "bye"}, &w); err != nil {
		t.Fatal(err)
	}
	expect("get", `{"result":"hello, world"}`) // what has arrived
	replicate()
	expect("get", `{"result":"bye"}`)
}

// variable is the value of a variable of the function's environment.
func (d deployment) variable(t *testing.T, name string) string {
	t.Helper()
	for _, v := range d.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	t.Fatalf("no %s", name)
	return ""
}
