package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/functions/backend/contract"
)

func controlTemplate(t *testing.T) assertions.Template {
	t.Helper()
	return controlTemplateOf(t, map[string]any{"tokenPublicKey": contract.PublishedOnly, "products": "all"})
}

// controlTemplateOf is the template that a CDK context makes.
func controlTemplateOf(t *testing.T, context map[string]any) assertions.Template {
	t.Helper()
	s := settingsOf(t, context)
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	return assertions.Template_FromStack(addStacks(app, s.cfg, s.kafka, GatewayConfig{}, s.control), nil)
}

func TestOnlyWhatIsDeployedIsKnown(t *testing.T) {
	variables := func(want map[string]any) map[string]any {
		want["KEY_PATH"] = assertions.Match_AnyValue()
		return map[string]any{"Environment": map[string]any{"Variables": want}}
	}
	for products, want := range map[string]map[string]any{
		"":       {"REDIS_TABLE": assertions.Match_AnyValue(), "QSTASH_TABLE": assertions.Match_AnyValue(), "KAFKA_TABLE": assertions.Match_Absent(), "STREAM_NAME": assertions.Match_Absent()},
		"redis":  {"REDIS_TABLE": assertions.Match_AnyValue(), "QSTASH_TABLE": assertions.Match_Absent(), "QUEUE_URL": assertions.Match_Absent()},
		"kafka":  {"REDIS_TABLE": assertions.Match_Absent(), "KAFKA_TABLE": assertions.Match_AnyValue(), "STREAM_NAME": assertions.Match_AnyValue()},
		"qstash": {"REDIS_TABLE": assertions.Match_Absent(), "QSTASH_TABLE": assertions.Match_AnyValue(), "QUEUE_URL": assertions.Match_AnyValue()},
	} {
		context := map[string]any{"tokenPublicKey": contract.PublishedOnly}
		if products != "" {
			context["products"] = products
		}
		template := controlTemplateOf(t, context)
		template.HasResourceProperties(jsii.String("AWS::Lambda::Function"), variables(want))
		logs := map[string]float64{"": 3, "redis": 1, "kafka": 1, "qstash": 2}[products]
		template.ResourceCountIs(jsii.String("AWS::Logs::SubscriptionFilter"), &logs)
	}
	controlTemplateOf(t, map[string]any{"meter": "false"}).ResourceCountIs(jsii.String("AWS::Logs::SubscriptionFilter"), jsii.Number(0))
}

// TestBackupsHaveABucketIfAskedFor: only the function of the control plane has rights in it, and it outlives the stack.
func TestBackupsHaveABucketIfAskedFor(t *testing.T) {
	controlTemplateOf(t, nil).ResourceCountIs(jsii.String("AWS::S3::Bucket"), jsii.Number(0))
	template := controlTemplateOf(t, map[string]any{"backups": "true", "keepData": "false"})
	template.HasResource(jsii.String("AWS::S3::Bucket"), map[string]any{
		"DeletionPolicy": "Retain",
		"Properties": map[string]any{"PublicAccessBlockConfiguration": map[string]any{
			"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
		}},
	})
	for action, resource := range map[any]any{
		"s3:ListBucket": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^Backups")), "Arn"}},
		assertions.Match_ArrayEquals(&[]any{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}): assertions.Match_AnyValue(),
	} {
		template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{"PolicyDocument": map[string]any{
			"Statement": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{"Action": action, "Resource": resource})}),
		}})
	}
	template.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{"BACKUP_BUCKET": assertions.Match_AnyValue()}},
	})
	if _, err := readControlConfig(func(name string) any { return map[string]any{"backups": "perhaps"}[name] }); err == nil {
		t.Error("backups may be perhaps")
	}
}

func TestDeploymentsOfOneAccountShareNothing(t *testing.T) {
	get := func(name string) any { return map[string]any{"prefix": "Team1"}[name] }
	cfg, err := readConfig(get)
	kafka, kerr := readKafkaConfig(get)
	control, cerr := readControlConfig(get)
	if err != nil || kerr != nil || cerr != nil {
		t.Fatal(err, kerr, cerr)
	}
	got := []string{cfg.Stack, cfg.QStashStack, kafka.Stack, control.Stack, control.KeyPath, cfg.TokenPublicKeyParameter}
	want := []string{"Team1Redis", "Team1QStash", "Team1Kafka", "Team1Control", "/team1/signing-keys", "/team1/token-public-key"}
	if !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	for _, bad := range []string{"", "1st", "a b", "x/y", strings.Repeat("x", 41)} {
		get := func(name string) any { return map[string]any{"prefix": bad}[name] }
		if _, err := readConfig(get); err == nil {
			t.Errorf("%q is accepted", bad)
		}
		if _, err := readKafkaConfig(get); err == nil {
			t.Errorf("%q is accepted for Kafka", bad)
		}
		if _, err := readControlConfig(get); err == nil {
			t.Errorf("%q is accepted for the control plane", bad)
		}
	}
}

func TestPathsOfSigningKeysBeginWithASlash(t *testing.T) {
	for path, ok := range map[string]bool{
		"/skystash/signing-keys": true, "/a": true, "skystash/signing-keys": false, "/": false, "": false, "/a/": false, "//a": false, "/a b": false, "/a/*": false,
	} {
		control, err := readControlConfig(func(name string) any { return map[string]any{"signingKeyPath": path}[name] })
		if (err == nil) != ok || ok && control.KeyPath != path {
			t.Errorf("%q: %+v, %v", path, control, err)
		}
	}
}

func TestControlPlaneKnowsTheProducts(t *testing.T) {
	fromStack := func(prefix string) any {
		return map[string]any{"Fn::ImportValue": assertions.Match_StringLikeRegexp(jsii.String("^" + prefix))}
	}
	controlTemplate(t).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{
			"TABLE_NAME":     map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^Table"))},
			"KEY_PATH":       "/skystash/signing-keys",
			"TOKEN_AUDIENCE": "skystash",
			"REDIS_TABLE":    fromStack("SkystashRedis"), "REDIS_URL": fromStack("SkystashRedis"),
			"KAFKA_TABLE": fromStack("SkystashKafka"), "KAFKA_URL": fromStack("SkystashKafka"), "STREAM_NAME": fromStack("SkystashKafka"), "BUCKET_NAME": fromStack("SkystashKafka"),
			"QSTASH_TABLE": fromStack("SkystashQStash"), "QSTASH_URL": fromStack("SkystashQStash"),
			"QUEUE_URL": fromStack("SkystashQStash"), "QUEUE_ARN": fromStack("SkystashQStash"),
			"SCHEDULER_GROUP": fromStack("SkystashQStash"), "SCHEDULER_ROLE_ARN": fromStack("SkystashQStash"),
			"QSTASH_REGION": "EU-CENTRAL-1", "LOG_LEVEL": "info",
		}},
	})
}

func TestControlPlaneKnowsTheReadRegions(t *testing.T) {
	template := controlTemplateOf(t, map[string]any{
		"tokenPublicKey": contract.PublishedOnly, "region": "us-east-1", "readRegions": "eu-west-1,ap-south-1",
	})
	template.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{
			"KEY_PATH": "/skystash/signing-keys", "READ_REGIONS": "eu-west-1,ap-south-1",
		}},
	})
	controlTemplate(t).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{
			"KEY_PATH": "/skystash/signing-keys", "READ_REGIONS": assertions.Match_Absent(),
		}},
	})
}

func TestControlPlaneMayDoNoMoreThanItNeeds(t *testing.T) {
	text, err := json.Marshal(controlTemplate(t).FindResources(jsii.String("AWS::IAM::Policy"), nil))
	if err != nil {
		t.Fatal(err)
	}
	var policies map[string]struct {
		Properties struct {
			PolicyDocument struct {
				Statement []struct {
					Action, Resource json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal(text, &policies); err != nil {
		t.Fatal(err)
	}
	allowed := slices.Concat(controlTableActions, []string{
		"kinesis:PutRecords", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords",
		"sqs:SendMessage", "scheduler:CreateSchedule", "scheduler:DeleteSchedule", "iam:PassRole",
		"s3:GetObject", "s3:ListBucket",
		"ssm:GetParametersByPath", "ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter",
		"logs:CreateLogStream", "logs:PutLogEvents",
	})
	seen := 0
	for name, p := range policies {
		if !strings.HasPrefix(name, "RoleDefaultPolicy") {
			continue // of what counts usage
		}
		for _, s := range p.Properties.PolicyDocument.Statement {
			var actions []string
			if json.Unmarshal(s.Action, &actions) != nil {
				actions = []string{strings.Trim(string(s.Action), `"`)}
			}
			for _, a := range actions {
				if seen++; !slices.Contains(allowed, a) {
					t.Errorf("%s allows %s", name, a)
				}
			}
			if resource := string(s.Resource); resource == `"*"` || strings.Contains(resource, `["*"`) {
				t.Errorf("%s allows %v on everything", name, actions)
			}
			if slices.Contains(actions, "ssm:GetParameter") && strings.Count(string(s.Resource), "parameter/skystash/signing-keys") != 2 {
				t.Errorf("%s allows %v on %s", name, actions, s.Resource)
			}
		}
	}
	if seen < len(allowed) {
		t.Errorf("%d actions are allowed, too few to work", seen)
	}
}
