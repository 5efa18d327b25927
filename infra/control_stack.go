package main

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// ControlConfig is what can be chosen for the control plane besides Config; see the package's
// documentation.
type ControlConfig struct {
	Stack   string
	Asset   string // folder of the executable
	KeyPath string // of the signing keys in Parameter Store
	Backups bool   // there is a bucket for backups of databases

	GatewayHost string       // "": there is no gateway
	Gateway     awscdk.Stack // nil: the same
}

// readControlConfig reads CDK context as readConfig does.
func readControlConfig(context func(name string) any) (ControlConfig, error) {
	p := prefix(defaultPrefix)
	if v := context("prefix"); v != nil {
		var err error
		if p, err = readPrefix(fmt.Sprint(v)); err != nil {
			return ControlConfig{}, err
		}
	}
	cfg := ControlConfig{Stack: p.stack("Control"), KeyPath: p.parameter("signing-keys")}
	if v, ok := context("controlStack").(string); ok {
		cfg.Stack = v
	}
	if v, ok := context("signingKeyPath").(string); ok {
		cfg.KeyPath = v
	}
	if v := context("backups"); v != nil {
		if cfg.Backups = fmt.Sprint(v) == "true"; !cfg.Backups && fmt.Sprint(v) != "false" {
			return ControlConfig{}, fmt.Errorf("context backups: want true or false, not %q", fmt.Sprint(v))
		}
	}
	if !parameterPath.MatchString(cfg.KeyPath) {
		return ControlConfig{}, fmt.Errorf("context signingKeyPath: %q is no path of Parameter Store, such as /skystash/signing-keys", cfg.KeyPath)
	}
	return cfg, nil
}

// parameterPath is a path that parameters can be under, with a slash before each name.
var parameterPath = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+){1,13}$`)

// controlTableActions are those on all tables: transactions need the rights of the single
// actions they are made of.
var controlTableActions = []string{
	"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem",
	"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
}

// NewControlStack adds the control plane to the stacks of the products, nil of those that are not deployed: a table, and the function
// that serves the Developer API and the console, behind an HTTP API, which is the only one
// that may read private keys and makes them itself, in Parameter Store; and what counts usage.
func NewControlStack(scope constructs.Construct, cfg Config, control ControlConfig, redis, kafka, qstash awscdk.Stack) awscdk.Stack {
	stack := awscdk.NewStack(scope, &control.Stack, &awscdk.StackProps{
		Description: jsii.String("Skystash: Developer API and console"),
		Env:         cfg.environment(),
	})
	table := newTable(stack, cfg)
	environment := map[string]*string{"KEY_PATH": &control.KeyPath, "TOKEN_AUDIENCE": &cfg.TokenAudience}
	if qstash != nil {
		maps.Copy(environment, wakeUpsOf(qstash).environment(cfg))
	}
	if kafka != nil {
		environment["STREAM_NAME"] = child[awskinesis.Stream](kafka, "Stream").StreamName()
	}
	if len(cfg.ReadRegions) > 0 {
		environment["READ_REGIONS"] = jsii.String(strings.Join(cfg.ReadRegions, ","))
	}
	var tables []*string
	for _, product := range []struct {
		name  string
		stack awscdk.Stack
	}{{"REDIS", redis}, {"KAFKA", kafka}, {"QSTASH", qstash}} {
		if product.stack == nil {
			continue
		}
		tables = append(tables, tableOf(product.stack).TableArn())
		environment[product.name+"_TABLE"] = tableOf(product.stack).TableName()
		environment[product.name+"_URL"] = productURL(product.stack)
	}
	if control.GatewayHost != "" {
		environment["GATEWAY_HOST"] = &control.GatewayHost
	}
	fn := newFunction(stack, cfg, table, function{
		description: "Developer API and console",
		asset:       control.Asset,
		memory:      512,
		timeout:     29, // just below the 30 seconds after which an HTTP API stops waiting
		actions:     controlTableActions,
		environment: environment,
	})
	fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(controlTableActions...), Resources: &tables,
	}))
	if kafka != nil {
		mayUse(fn, child[awskinesis.Stream](kafka, "Stream"), "kinesis:PutRecords", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")
		// The console shows messages. What it moves into logs stays in the table.
		objectsOf(kafka).mayUse(fn, getObjects)
	}
	if qstash != nil {
		wakeUpsOf(qstash).grant(stack, fn)
	}
	if control.Backups {
		addBackups(stack, fn)
	}
	// Values are encrypted with the account's key for Parameter Store, which needs no right of its own.
	fn.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("ssm:GetParametersByPath", "ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter"),
		Resources: &[]*string{
			parameterARN(stack, control.KeyPath), parameterARN(stack, control.KeyPath+"/*"),
		},
	}))

	if cfg.Meter {
		addMeter(stack, cfg, table, meteredProducts(redis, kafka, qstash, control.Gateway)...)
	}

	api := openAPI(stack, cfg, fn, "Control", "Developer API and console")
	output(stack, "Url", api.ApiEndpoint(), "The Developer API, in place of https://api.upstash.com")
	output(stack, "ConsoleUrl", jsii.String(*api.ApiEndpoint()+"/console/"), "The console")
	output(stack, "TableName", table.TableName(), "The table, for scripts/admin bootstrap")
	return stack
}

// parameterARN is that of parameters; their names begin with a slash.
func parameterARN(stack awscdk.Stack, name string) *string {
	return stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ssm"), Resource: jsii.String("parameter"), ResourceName: jsii.String(name[1:]),
	})
}

// child is a part of a stack by its name.
func child[T any](of constructs.IConstruct, name string) T {
	return of.Node().FindChild(&name).(T)
}

func tableOf(stack awscdk.Stack) awsdynamodb.Table { return child[awsdynamodb.Table](stack, "Table") }

// productURL is where clients reach a product: without API Gateway, if it can be had.
func productURL(stack awscdk.Stack) *string {
	fn := child[awslambda.Function](stack, "Function")
	if url, ok := fn.Node().TryFindChild(jsii.String("FunctionUrl")).(awslambda.FunctionUrl); ok {
		return url.Url()
	}
	return child[awsapigatewayv2.HttpApi](stack, "Api").ApiEndpoint()
}

// wakeUpsOf are those of QStash's stack.
func wakeUpsOf(stack awscdk.Stack) wakeUps {
	return wakeUps{
		queue: child[awssqs.Queue](stack, "WakeUps"),
		group: child[awsscheduler.CfnScheduleGroup](stack, "LateWakeUps"),
		role:  child[awsiam.Role](stack, "SchedulerRole"),
	}
}
