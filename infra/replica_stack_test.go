package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

// replicaTemplates are those of the primary stack and of the stack of one read region.
func replicaTemplates(t *testing.T) (primary, replica assertions.Template) {
	t.Helper()
	cfg := settingsOf(t, map[string]any{"region": "us-east-1", "readRegions": "eu-west-1,ap-south-1", "tokenPublicKey": somePublicKey}).cfg
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	primary = assertions.Template_FromStack(NewRedisStack(app, cfg), nil)
	for _, child := range *app.Node().Children() {
		if *child.Node().Id() == "SkystashRedis-eu-west-1" {
			stack := awscdk.Stack_Of(child)
			if *stack.Region() != "eu-west-1" {
				t.Errorf("region %s", *stack.Region())
			}
			return primary, assertions.Template_FromStack(stack, nil)
		}
	}
	t.Fatal("no stack for the read region")
	return nil, nil
}

func TestReplicasAreAddedToTheTable(t *testing.T) {
	primary, replica := replicaTemplates(t)
	single := template(t, func(c *Config) { c.TokenPublicKey = somePublicKey })
	// The table and the function are the ones there were without read regions.
	for _, kind := range []string{"AWS::DynamoDB::Table", "AWS::Lambda::Url"} {
		for id := range *single.FindResources(&kind, nil) {
			if _, ok := (*primary.FindResources(&kind, nil))[id]; !ok {
				t.Errorf("%s %s has gone", kind, id)
			}
		}
	}
	for _, region := range []string{"eu-west-1", "ap-south-1"} {
		primary.HasResourceProperties(jsii.String("Custom::DynamoDBReplica"), map[string]any{
			"TableName": map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Table"))},
			"Region":    region,
			// A deployment that forgets the read region does not delete what is there.
			"SkipReplicaDeletion": true,
		})
	}
	single.ResourceCountIs(jsii.String("Custom::DynamoDBReplica"), jsii.Number(0))
	primary.ResourceCountIs(jsii.String("AWS::DynamoDB::GlobalTable"), jsii.Number(0))
	replica.ResourceCountIs(jsii.String("AWS::DynamoDB::Table"), jsii.Number(1)) // of marks
	replica.HasResource(jsii.String("AWS::DynamoDB::Table"), map[string]any{
		"DeletionPolicy": "Delete",
		"Properties": map[string]any{
			"KeySchema": []any{
				map[string]any{"AttributeName": "p", "KeyType": "HASH"},
				map[string]any{"AttributeName": "s", "KeyType": "RANGE"},
			},
			"BillingMode":             "PAY_PER_REQUEST",
			"TimeToLiveSpecification": map[string]any{"AttributeName": "x", "Enabled": true},
			"StreamSpecification":     assertions.Match_Absent(),
		},
	})
}

func TestReplicaFunction(t *testing.T) {
	_, replica := replicaTemplates(t)
	replica.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Runtime": "provided.al2023",
		"Timeout": 900,
		"Environment": map[string]any{"Variables": map[string]any{
			"TABLE_NAME":       assertions.Match_AnyValue(),
			"PRIMARY_REGION":   "us-east-1",
			"MARKS_TABLE":      map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Marks"))},
			"TOKEN_PUBLIC_KEY": somePublicKey,
			"TOKEN_AUDIENCE":   "skystash",
			"LOG_LEVEL":        "info",
		}},
	})
	replica.HasResourceProperties(jsii.String("AWS::Lambda::Url"), map[string]any{"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"})
	replica.ResourceCountIs(jsii.String("AWS::Events::Rule"), jsii.Number(0)) // the primary region sweeps
	for _, name := range []string{"Url", "FunctionUrl"} {
		replica.HasOutput(&name, map[string]any{"Value": assertions.Match_AnyValue()})
	}
}

func TestReplicaFunctionMayDoNoMoreThanItNeeds(t *testing.T) {
	_, replica := replicaTemplates(t)
	got := map[string][]string{}
	for _, policy := range resources(t, replica, "AWS::IAM::Policy") {
		properties := policy["Properties"].(map[string]any)
		if name, _, _ := strings.Cut(properties["PolicyName"].(string), "DefaultPolicy"); name != "Role" {
			continue // of what carries references between stacks
		}
		for _, s := range properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := s.(map[string]any)
			for _, resource := range list(statement["Resource"]) {
				where := "this stack"
				if join, ok := resource.(map[string]any)["Fn::Join"]; ok {
					for _, region := range []string{"us-east-1", "eu-west-1"} {
						for _, part := range join.([]any)[1].([]any) {
							if text, ok := part.(string); ok && strings.Contains(text, ":dynamodb:"+region+":") {
								where = region
							}
						}
					}
				}
				for _, action := range list(statement["Action"]) {
					if name, ok := strings.CutPrefix(action.(string), "dynamodb:"); ok {
						got[where] = append(got[where], name)
					}
				}
			}
		}
	}
	want := map[string][]string{
		"us-east-1":  {"BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"},
		"eu-west-1":  {"BatchGetItem", "GetItem", "Query"},
		"this stack": {"BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem"},
	}
	for where, actions := range want {
		slices.Sort(got[where])
		if !slices.Equal(got[where], actions) {
			t.Errorf("in %s: %v, want %v", where, got[where], actions)
		}
	}
	if len(got) != len(want) {
		t.Errorf("rights in %v", got)
	}
}

func TestReadRegionsOfTheContext(t *testing.T) {
	read := func(readRegions, region any) ([]string, error) {
		cfg, err := readConfig(func(name string) any {
			return map[string]any{"readRegions": readRegions, "region": region}[name]
		})
		return cfg.ReadRegions, err
	}
	for _, given := range []any{"eu-west-1,us-gov-west-1", "eu-west-1, us-gov-west-1", []any{"eu-west-1", "us-gov-west-1"}} {
		if got, err := read(given, "us-east-1"); err != nil || !slices.Equal(got, []string{"eu-west-1", "us-gov-west-1"}) {
			t.Errorf("%v: %v, %v", given, got, err)
		}
	}
	for _, tc := range [][3]any{
		{"eu-west-1", nil, "context region"},
		{"eu-west-1", "mars", "context region"},
		{"mars", "us-east-1", "context readRegions"},
		{"us-east-1", "us-east-1", "context readRegions"},
		{"eu-west-1,eu-west-1", "us-east-1", "context readRegions"},
	} {
		if _, err := read(tc[0], tc[1]); err == nil || !strings.Contains(err.Error(), tc[2].(string)) {
			t.Errorf("%v: %v, want an error that names the %s", tc, err, tc[2])
		}
	}
}
