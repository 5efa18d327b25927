package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/meter/price/stack"
)

// functionOf is the one of a stack with a description.
func functionOf(t *testing.T, template stack.Template, description string) map[string]any {
	t.Helper()
	for _, fn := range resourcesOf(template, "AWS::Lambda::Function") {
		if fn["Description"] == description {
			return fn
		}
	}
	t.Fatalf("no function %q", description)
	return nil
}

func TestBoundsAndExtras(t *testing.T) {
	const key = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
	stacks := synthesised(t, map[string]any{
		"products": "all", "redisInstances": "50", "qstashInstances": 20.0, "apiRate": "100", "apiBurst": "200", "accessLogs": "true", "tracing": true,
		"tableKey": key, "tags": "team=web,env=prod",
	})
	for name, want := range map[string]any{"Redis over REST": 50.0, "Kafka over REST": nil, "QStash's REST API": 20.0} {
		for _, s := range stacks {
			for _, fn := range resourcesOf(s, "AWS::Lambda::Function") {
				if fn["Description"] == name && fn["ReservedConcurrentExecutions"] != want {
					t.Errorf("%s has %v instances", name, fn["ReservedConcurrentExecutions"])
				}
			}
		}
	}
	for name, s := range stacks {
		stages := resourcesOf(s, "AWS::ApiGatewayV2::Stage")
		if len(stages) != 1 {
			t.Errorf("%s has %d stages", name, len(stages))
		}
		for _, stage := range stages {
			bounds, _ := stage["DefaultRouteSettings"].(map[string]any)
			if bounds["ThrottlingRateLimit"] != 100.0 || bounds["ThrottlingBurstLimit"] != 200.0 {
				t.Errorf("%s takes %v", name, bounds)
			}
			logs, _ := stage["AccessLogSettings"].(map[string]any)
			if format, _ := logs["Format"].(string); !strings.Contains(format, "$context.status") || strings.Contains(strings.ToLower(format), "header") {
				t.Errorf("%s logs %q", name, format)
			}
		}
		for id, fn := range resourcesOf(s, "AWS::Lambda::Function") {
			if tracing, _ := fn["TracingConfig"].(map[string]any); tracing["Mode"] != "Active" || !strings.Contains(fmt.Sprint(fn["Tags"]), "web") {
				t.Errorf("%s of %s: tracing %v, tags %v", id, name, tracing, fn["Tags"])
			}
		}
		for id, table := range resourcesOf(s, "AWS::DynamoDB::Table") {
			if sse, _ := table["SSESpecification"].(map[string]any); sse["SSEEnabled"] != true || sse["KMSMasterKeyId"] != key {
				t.Errorf("%s of %s is encrypted by %v", id, name, sse)
			}
		}
		if !strings.Contains(fmt.Sprint(resourcesOf(s, "AWS::IAM::Policy")), key) {
			t.Errorf("no function of %s may use the key", name)
		}
	}
}

func TestProductsAreReachedAsIsWanted(t *testing.T) {
	const kindURL, kindAPI = "AWS::Lambda::Url", "AWS::ApiGatewayV2::Api"
	for fronts, want := range map[string][2]int{"": {1, 1}, "url": {1, 0}, "api": {0, 1}, "api,url": {1, 1}} {
		context := map[string]any{}
		if fronts != "" {
			context["fronts"] = fronts
		}
		stacks := synthesised(t, context)
		redis := stacks["SkystashRedis"]
		if urls, apis := len(resourcesOf(redis, kindURL)), len(resourcesOf(redis, kindAPI)); urls != want[0] || apis != want[1] {
			t.Errorf("%q: %d function URLs and %d HTTP APIs", fronts, urls, apis)
		}
		if len(resourcesOf(stacks["SkystashControl"], kindAPI)) != 1 {
			t.Errorf("%q: the control plane is out of reach", fronts)
		}
		console := functionOf(t, stacks["SkystashControl"], "Developer API and console")
		if text := fmt.Sprint(console["Environment"]); strings.Count(text, "REDIS_URL") != 1 || strings.Contains(text, "REDIS_URL:<nil>") {
			t.Errorf("%q: the console knows %s", fronts, text)
		}
	}
	for _, bad := range []map[string]any{
		{"fronts": ","}, {"fronts": "url,url"}, {"fronts": "grpc"}, {"redisInstances": "-1"}, {"apiRate": "100"}, {"apiRate": "many", "apiBurst": "1"},
		{"accessLogs": "some"}, {"tracing": "some"}, {"tableKey": "alias/mine"}, {"tags": "team"}, {"tags": "aws:x=y"},
		{"tableKey": "arn:aws:kms:us-east-1:123456789012:key/0", "region": "us-east-1", "readRegions": "eu-west-1"},
	} {
		if _, err := readConfig(func(name string) any { return bad[name] }); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
