package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/bundle"
)

func controlTemplate(t *testing.T) assertions.Template {
	t.Helper()
	return controlTemplateOf(t, map[string]any{"tokenPublicKey": contract.PublishedOnly})
}

// controlTemplateOf is the template that a CDK context makes.
func controlTemplateOf(t *testing.T, context map[string]any) assertions.Template {
	t.Helper()
	get := func(name string) any { return context[name] }
	cfg, err := readConfig(get)
	if err != nil {
		t.Fatal(err)
	}
	kafka, err := readKafkaConfig(get)
	if err != nil {
		t.Fatal(err)
	}
	control := readControlConfig(get)
	for _, asset := range []*string{
		&cfg.RedisAsset, &cfg.SweepAsset, &kafka.Asset, &kafka.MaterializeAsset, &kafka.SweepAsset,
		&cfg.QStashAsset, &cfg.DeliverAsset, &cfg.MeterAsset, &control.Asset,
	} {
		*asset = t.TempDir()
		if err := os.WriteFile(filepath.Join(*asset, bundle.Executable), []byte("stub"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	redis, queue := NewRedisStack(app, cfg), NewQStashStack(app, cfg)
	return assertions.Template_FromStack(NewControlStack(app, cfg, control, redis, NewKafkaStack(app, cfg, kafka), queue), nil)
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
