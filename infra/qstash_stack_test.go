package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

func qstashTemplate(t *testing.T) assertions.Template { return qstashTemplateWith(t, nil) }

// qstashTemplateWith makes the template with some settings.
func qstashTemplateWith(t *testing.T, context map[string]any) assertions.Template {
	t.Helper()
	cfg := settingsOf(t, context).cfg
	cfg.TokenPublicKey = somePublicKey
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	return assertions.Template_FromStack(NewQStashStack(app, cfg), nil)
}

func TestQStashIsWokenByAQueue(t *testing.T) {
	tpl := qstashTemplate(t)
	ref := func(kind, prefix, attr string) any {
		name := assertions.Match_StringLikeRegexp(jsii.String("^" + prefix))
		if kind == "Ref" {
			return map[string]any{"Ref": name}
		}
		return map[string]any{"Fn::GetAtt": []any{name, attr}}
	}
	tpl.HasResourceProperties(jsii.String("AWS::SQS::Queue"), map[string]any{
		"VisibilityTimeout":    5400,
		"SqsManagedSseEnabled": true,
		"FifoQueue":            assertions.Match_Absent(), // delays are of single messages
		"RedrivePolicy":        map[string]any{"deadLetterTargetArn": ref("", "FailedWakeUps", "Arn"), "maxReceiveCount": 5},
	})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"EventSourceArn":        ref("", "WakeUps", "Arn"),
		"FunctionName":          ref("Ref", "DeliverFunction", ""),
		"BatchSize":             10,
		"ScalingConfig":         map[string]any{"MaximumConcurrency": 100},
		"FunctionResponseTypes": []any{"ReportBatchItemFailures"},
	})
	tpl.ResourceCountIs(jsii.String("AWS::Scheduler::ScheduleGroup"), jsii.Number(1))
	tpl.HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{
		"AssumeRolePolicyDocument": map[string]any{"Statement": []any{assertions.Match_ObjectLike(&map[string]any{
			"Principal": map[string]any{"Service": "scheduler.amazonaws.com"},
			"Condition": map[string]any{"StringEquals": assertions.Match_ObjectLike(&map[string]any{"aws:SourceArn": ref("", "LateWakeUps", "Arn")})},
		})}},
	})
	tpl.HasResourceProperties(jsii.String("AWS::Events::Rule"), map[string]any{"ScheduleExpression": "rate(1 minute)"})
	for _, variables := range []map[string]any{
		{"TOKEN_PUBLIC_KEY": somePublicKey, "TOKEN_AUDIENCE": "skystash"},
		{"ALLOWED_ADDRESSES": "", "BREAKER_FAILURES": "10"},
	} {
		variables["TABLE_NAME"] = ref("Ref", "Table", "")
		variables["QUEUE_URL"] = ref("Ref", "WakeUps", "")
		variables["QUEUE_ARN"] = ref("", "WakeUps", "Arn")
		variables["SCHEDULER_GROUP"] = ref("Ref", "LateWakeUps", "")
		variables["SCHEDULER_ROLE_ARN"] = ref("", "SchedulerRole", "Arn")
		variables["QSTASH_REGION"] = "EU-CENTRAL-1"
		variables["LOG_LEVEL"] = "info"
		variables["PROCESSES"] = "100"
		tpl.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{"Environment": map[string]any{"Variables": variables}})
	}
}

// Without a bound deliveries could take all of the AWS account's concurrency, Redis's and Kafka's included.
func TestConcurrencyOfDeliveriesIsBounded(t *testing.T) {
	reserved := func(tpl assertions.Template) (n []any) {
		for _, fn := range resources(t, tpl, "AWS::Lambda::Function") {
			if r, ok := fn["Properties"].(map[string]any)["ReservedConcurrentExecutions"]; ok {
				n = append(n, r)
			}
		}
		return n
	}
	if n := reserved(qstashTemplate(t)); n != nil {
		t.Errorf("%v is reserved, which AWS refuses in a new account", n)
	}
	tpl := qstashTemplateWith(t, map[string]any{"qstashConcurrency": "250", "qstashReserved": 260})
	tpl.HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{"ScalingConfig": map[string]any{"MaximumConcurrency": 250}})
	if n := reserved(tpl); len(n) != 1 || n[0] != 260.0 {
		t.Errorf("%v is reserved, want 260 for one function", n)
	}
	for _, context := range []map[string]any{
		{"qstashConcurrency": "1"}, {"qstashConcurrency": "1001"}, {"qstashConcurrency": "many"}, {"qstashReserved": "100"}, {"qstashReserved": "-1"},
	} {
		if _, err := readConfig(func(name string) any { return context[name] }); err == nil {
			t.Errorf("%v is taken", context)
		}
	}
}

// Metrics of what goes wrong have values only when it does, and alarms cost: there are none unless somebody wants them.
func TestQStashTellsWhatIsWrong(t *testing.T) {
	const topic = "arn:aws:sns:us-east-1:123456789012:ops"
	for _, c := range []struct {
		context map[string]any
		alarms  []string // names of metrics
	}{
		{nil, nil},
		{map[string]any{"qstashAlarms": "true"}, []string{"ApproximateNumberOfMessagesVisible", "lag", "overdue", "stuck"}},
		{map[string]any{"qstashAlarms": topic, "meter": "false"}, []string{"ApproximateNumberOfMessagesVisible", "overdue", "stuck"}},
	} {
		tpl := qstashTemplateWith(t, c.context)
		patterns := map[any]any{}
		for _, f := range resources(t, tpl, "AWS::Logs::MetricFilter") {
			properties := f["Properties"].(map[string]any)
			change := properties["MetricTransformations"].([]any)[0].(map[string]any)
			if id := logicalID(t, f, "LogGroupName"); !strings.HasPrefix(id, "DeliverLogs") || change["MetricNamespace"] != "Skystash" || change["DefaultValue"] != nil {
				t.Errorf("%v of %s", change, id)
			}
			patterns[change["MetricName"]] = properties["FilterPattern"]
		}
		if want := map[any]any{"stuck": `{ $.msg = "a workflow run was stuck and has failed" }`, "overdue": `{ $.msg = "swept" }`}; !maps.Equal(patterns, want) {
			t.Errorf("%v: filters %v, want %v", c.context, patterns, want)
		}
		var alarms []string
		for _, a := range resources(t, tpl, "AWS::CloudWatch::Alarm") {
			properties := a["Properties"].(map[string]any)
			alarms = append(alarms, properties["MetricName"].(string))
			if properties["TreatMissingData"] != "notBreaching" {
				t.Errorf("an alarm about %v of a metric without values", properties["MetricName"])
			}
			if actions, _ := properties["AlarmActions"].([]any); (len(actions) == 1 && actions[0] == topic) != (c.context["qstashAlarms"] == topic) {
				t.Errorf("%v: actions %v", c.context, actions)
			}
		}
		if slices.Sort(alarms); !slices.Equal(alarms, c.alarms) {
			t.Errorf("%v: alarms about %v, want %v", c.context, alarms, c.alarms)
		}
	}
	if _, err := readConfig(func(name string) any { return map[string]any{"qstashAlarms": "mail"}[name] }); err == nil {
		t.Error("qstashAlarms=mail is taken")
	}
}

func TestQStashMayDoNoMoreThanItNeeds(t *testing.T) {
	tpl := qstashTemplate(t)
	send := []string{"sqs:SendMessage", "scheduler:CreateSchedule", "scheduler:DeleteSchedule", "iam:PassRole", "logs:CreateLogStream", "logs:PutLogEvents"}
	want := map[string][]string{
		"Role":          append(slices.Clone(send), qstashActions...),
		"DeliverRole":   append(append(slices.Clone(send), qstashActions...), "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"),
		"SchedulerRole": {"sqs:SendMessage"},
	}
	policies := resources(t, tpl, "AWS::IAM::Policy")
	if len(policies) != len(want) {
		t.Fatalf("%d policies, want %d", len(policies), len(want))
	}
	for _, policy := range policies {
		properties := policy["Properties"].(map[string]any)
		name, _, _ := strings.Cut(properties["PolicyName"].(string), "DefaultPolicy")
		var got []string
		for _, s := range properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := s.(map[string]any)
			for _, action := range list(statement["Action"]) {
				got = append(got, action.(string))
			}
			for _, resource := range list(statement["Resource"]) {
				if resource == "*" {
					t.Errorf("%s may do %v to everything", name, statement["Action"])
				}
			}
		}
		slices.Sort(got)
		got = slices.Compact(got)
		slices.Sort(want[name])
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s: actions %v, want %v", name, got, want[name])
		}
	}
	for _, role := range resources(t, tpl, "AWS::IAM::Role") {
		if managed, ok := role["Properties"].(map[string]any)["ManagedPolicyArns"]; ok {
			t.Errorf("a role with managed policies %v", managed)
		}
	}
}

// Lambda stops what invokes itself again after about 16 hops, unless it is told that this is meant.
func TestLoopsAreMeant(t *testing.T) {
	for _, c := range []struct {
		stack string
		tpl   assertions.Template
		loops []string // names of the functions of loops
		short int      // of them: invoked by what they write to themselves
	}{
		{"qstash", qstashTemplate(t), []string{"DeliverFunction", "Function"}, 1},
		{"redis", template(t, nil), []string{"SweepFunction"}, 1},
		{"kafka", kafkaTemplate(t, nil), nil, 0},
		{"control", controlTemplate(t), nil, 0},
	} {
		allowed := map[string]bool{}
		for id, fn := range *c.tpl.FindResources(jsii.String("AWS::Lambda::Function"), nil) {
			switch loop := (*fn)["Properties"].(map[string]any)["RecursiveLoop"]; loop {
			case "Allow":
				allowed[strings.TrimRight(id, "0123456789ABCDEF")] = true
			case nil:
			default:
				t.Errorf("%s: %s has RecursiveLoop %v", c.stack, id, loop)
			}
		}
		if got := slices.Sorted(maps.Keys(allowed)); !slices.Equal(got, c.loops) {
			t.Errorf("%s: loops are allowed of %v, want %v", c.stack, got, c.loops)
		}
		short := 0
		for _, m := range resources(t, c.tpl, "AWS::Lambda::EventSourceMapping") {
			source, fn := logicalID(t, m, "EventSourceArn"), logicalID(t, m, "FunctionName")
			if !mayWrite(t, c.tpl, fn, source) {
				continue
			}
			short++
			if name := strings.TrimRight(fn, "0123456789ABCDEF"); !allowed[name] {
				t.Errorf("%s: %s is invoked by %s and writes to it", c.stack, name, source)
			}
		}
		if short != c.short {
			t.Errorf("%s: %d functions are invoked by what they write to, want %d", c.stack, short, c.short)
		}
	}
}

// logicalID is that of the resource that a property refers to.
func logicalID(t *testing.T, resource map[string]any, property string) string {
	t.Helper()
	ids := referred(resource["Properties"].(map[string]any)[property])
	if len(ids) != 1 {
		t.Fatalf("%s refers to %v", property, ids)
	}
	return ids[0]
}

// referred are the logical ids that a value of a template names.
func referred(value any) (ids []string) {
	switch v := value.(type) {
	case map[string]any:
		if id, ok := v["Ref"].(string); ok {
			return []string{id}
		}
		if get, ok := v["Fn::GetAtt"].([]any); ok {
			return []string{get[0].(string)}
		}
		for _, part := range v {
			ids = append(ids, referred(part)...)
		}
	case []any:
		for _, part := range v {
			ids = append(ids, referred(part)...)
		}
	}
	return ids
}

// mayWrite reports whether a function's role may put something into a queue, stream or table.
func mayWrite(t *testing.T, tpl assertions.Template, function, to string) bool {
	t.Helper()
	role := ""
	for id, fn := range *tpl.FindResources(jsii.String("AWS::Lambda::Function"), nil) {
		if id == function {
			role = logicalID(t, *fn, "Role")
		}
	}
	if role == "" {
		t.Fatalf("no role of %s", function)
	}
	for _, policy := range resources(t, tpl, "AWS::IAM::Policy") {
		properties := policy["Properties"].(map[string]any)
		if !slices.Contains(referred(properties["Roles"]), role) {
			continue
		}
		for _, s := range properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := s.(map[string]any)
			if !slices.Contains(referred(statement["Resource"]), to) {
				continue
			}
			for _, action := range list(statement["Action"]) {
				switch action {
				case "sqs:SendMessage", "kinesis:PutRecord", "kinesis:PutRecords", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem":
					return true
				}
			}
		}
	}
	return false
}
