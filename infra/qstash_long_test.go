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
)

func longTemplate(t *testing.T) assertions.Template {
	t.Helper()
	cfg := settingsOf(t, map[string]any{"longCalls": "true", "tokenPublicKey": somePublicKey}).cfg
	cfg.AttemptAsset = standIn(t) // of its own, as it gets a file more
	text, err := os.ReadFile(filepath.Join("..", "functions", "attempt", "Dockerfile"))
	if err == nil {
		err = os.WriteFile(filepath.Join(cfg.AttemptAsset, "Dockerfile"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	return assertions.Template_FromStack(NewQStashStack(app, cfg), nil)
}

func TestLongAttemptsAreOffUnlessWanted(t *testing.T) {
	tpl := qstashTemplate(t)
	for _, kind := range []string{"AWS::EC2::VPC", "AWS::ECS::Cluster", "AWS::ECS::TaskDefinition"} {
		tpl.ResourceCountIs(&kind, jsii.Number(0))
	}
	for _, fn := range resources(t, tpl, "AWS::Lambda::Function") {
		if variables := fn["Properties"].(map[string]any)["Environment"].(map[string]any)["Variables"].(map[string]any); variables["LONG_CALLS"] != nil {
			t.Error("a function allows long calls")
		}
	}
	if _, err := readConfig(func(name string) any { return map[string]any{"longCalls": "2h"}[name] }); err == nil {
		t.Error("longCalls=2h is taken")
	}
}

func TestLongAttemptsAreMadeByTasks(t *testing.T) {
	tpl := longTemplate(t)
	// What costs while nothing runs.
	for _, kind := range []string{"AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::VPCEndpoint", "AWS::ECS::Service", "AWS::ElasticLoadBalancingV2::LoadBalancer"} {
		tpl.ResourceCountIs(&kind, jsii.Number(0))
	}
	tpl.HasResourceProperties(jsii.String("AWS::EC2::SecurityGroup"), map[string]any{"SecurityGroupIngress": assertions.Match_Absent()})
	tpl.HasResourceProperties(jsii.String("AWS::ECS::TaskDefinition"), map[string]any{
		"Cpu": "256", "Memory": "512", "NetworkMode": "awsvpc", "RequiresCompatibilities": []any{"FARGATE"},
		"RuntimePlatform": map[string]any{"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
		"ContainerDefinitions": []any{assertions.Match_ObjectLike(&map[string]any{
			"Name": "attempt", "Essential": true, "ReadonlyRootFilesystem": true,
			"Environment": assertions.Match_ArrayWith(&[]any{map[string]any{"Name": "LONG_CALLS", "Value": "true"}}),
		})},
	})
	for _, variables := range []map[string]any{
		{"LONG_CALLS": "true", "TOKEN_AUDIENCE": "skystash"},
		{"LONG_CALLS": "true", "TASK_DEFINITION": map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^LongTask"))},
			"TASK_CLUSTER":        map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^LongCluster")), "Arn"}},
			"TASK_SECURITY_GROUP": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^LongGroup")), "GroupId"}},
			"TASK_SUBNETS":        assertions.Match_AnyValue()},
	} {
		tpl.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{"Environment": map[string]any{"Variables": assertions.Match_ObjectLike(&variables)}})
	}

	actions := map[string][]string{}
	for _, policy := range resources(t, tpl, "AWS::IAM::Policy") {
		properties := policy["Properties"].(map[string]any)
		name, _, _ := strings.Cut(properties["PolicyName"].(string), "DefaultPolicy")
		for _, s := range properties["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			statement := s.(map[string]any)
			for _, action := range list(statement["Action"]) {
				actions[name] = append(actions[name], action.(string))
			}
			if action := list(statement["Action"]); action[0] == "iam:PassRole" || action[0] == "ecs:RunTask" {
				if text, _ := json.Marshal(statement["Condition"]); len(text) < 10 || slices.Contains(list(statement["Resource"]), "*") {
					t.Errorf("%s may %v without a bound: %v", name, action, statement)
				}
			}
		}
	}
	var starters []string
	for name, list := range actions {
		if slices.Contains(list, "ecs:RunTask") {
			starters = append(starters, name)
		}
	}
	if !slices.Equal(starters, []string{"SchedulerRole"}) {
		t.Errorf("%v may start tasks, want Scheduler alone", starters)
	}
	want := append([]string{"sqs:SendMessage", "scheduler:CreateSchedule", "scheduler:DeleteSchedule", "iam:PassRole"}, qstashActions...)
	if slices.Sort(want); !slices.Equal(slices.Sorted(slices.Values(actions["LongRole"])), want) {
		t.Errorf("a task may %v, want %v", actions["LongRole"], want)
	}
}
