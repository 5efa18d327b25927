package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecrassets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/bundle"
)

// A task gets a quarter of a processor, as it mostly waits.
const (
	taskCPU    = 256
	taskMemory = 512 // MiB
)

// buildTask makes the folder of the image of functions/attempt.
func buildTask(ctx context.Context, dir string) error {
	if _, err := bundle.Build(ctx, ".", "./functions/attempt", "arm64", dir); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join("functions", "attempt", "Dockerfile"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "Dockerfile"), text, 0o600) // #nosec G703 -- the folder is the asset's
	}
	if err != nil {
		return fmt.Errorf("making the image of long attempts: %w", err)
	}
	return nil
}

// makeLongAttempts lets the deliver function have attempts made by tasks that outlast it. A network of public
// subnets, a cluster and a task definition cost nothing while no task runs: there is no gateway, and an address
// only for the time of a task. Scheduler starts the tasks, so it gets the right to, and the functions do not.
func makeLongAttempts(stack awscdk.Stack, cfg Config, table awsdynamodb.Table, w wakeUps, deliver awslambda.Function) {
	vpc := awsec2.NewVpc(stack, jsii.String("LongVpc"), &awsec2.VpcProps{
		MaxAzs:                       jsii.Number(2),
		NatGateways:                  jsii.Number(0),
		RestrictDefaultSecurityGroup: jsii.Bool(false), // which would take a function of its own; nothing is in that group
		SubnetConfiguration:          &[]*awsec2.SubnetConfiguration{{Name: jsii.String("Public"), SubnetType: awsec2.SubnetType_PUBLIC, MapPublicIpOnLaunch: jsii.Bool(false)}},
	})
	group := awsec2.NewSecurityGroup(stack, jsii.String("LongGroup"), &awsec2.SecurityGroupProps{
		Vpc: vpc, Description: jsii.String("Long attempts of QStash: everything out, nothing in"), AllowAllOutbound: jsii.Bool(true),
	})
	cluster := awsecs.NewCluster(stack, jsii.String("LongCluster"), &awsecs.ClusterProps{Vpc: vpc})
	logs := awslogs.NewLogGroup(stack, jsii.String("LongLogs"), &awslogs.LogGroupProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(cfg.LogRetentionDays))
	role := awsiam.NewRole(stack, jsii.String("LongRole"), &awsiam.RoleProps{AssumedBy: awsiam.NewServicePrincipal(jsii.String("ecs-tasks.amazonaws.com"), nil)})
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(qstashActions...), Resources: &[]*string{table.TableArn()},
	}))
	w.grantBy(stack, func(s awsiam.PolicyStatement) { role.AddToPolicy(s) })

	environment := w.environment(cfg)
	delete(environment, "PROCESSES") // of those it is none
	environment["TABLE_NAME"], environment["LOG_LEVEL"] = table.TableName(), &cfg.LogLevel
	environment["ALLOWED_ADDRESSES"], environment["AWS_REGION"] = &cfg.QStashAllowed, stack.Region()
	if cfg.Meter {
		environment["METER"] = jsii.String("lines")
	}
	task := awsecs.NewFargateTaskDefinition(stack, jsii.String("LongTask"), &awsecs.FargateTaskDefinitionProps{
		Cpu: jsii.Number(taskCPU), MemoryLimitMiB: jsii.Number(taskMemory), TaskRole: role,
		RuntimePlatform: &awsecs.RuntimePlatform{CpuArchitecture: awsecs.CpuArchitecture_ARM64(), OperatingSystemFamily: awsecs.OperatingSystemFamily_LINUX()},
	})
	task.AddContainer(jsii.String(contract.TaskContainer), &awsecs.ContainerDefinitionOptions{
		Image:                  awsecs.ContainerImage_FromAsset(&cfg.AttemptAsset, &awsecs.AssetImageProps{Platform: awsecrassets.Platform_LINUX_ARM64()}),
		Environment:            &environment,
		Logging:                awsecs.LogDriver_AwsLogs(&awsecs.AwsLogDriverProps{LogGroup: logs, StreamPrefix: jsii.String("attempt")}),
		ReadonlyRootFilesystem: jsii.Bool(true),
	})

	w.role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("ecs:RunTask"), Resources: &[]*string{task.TaskDefinitionArn()},
		Conditions: &map[string]any{"ArnEquals": map[string]any{"ecs:cluster": cluster.ClusterArn()}},
	}))
	w.role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("iam:PassRole"), Resources: &[]*string{role.RoleArn(), task.ObtainExecutionRole().RoleArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"iam:PassedToService": "ecs-tasks.amazonaws.com"}}, // #nosec G101 -- it names a service
	}))
	var subnets []string
	for _, s := range *vpc.PublicSubnets() {
		subnets = append(subnets, *s.SubnetId())
	}
	for name, value := range map[string]*string{
		"TASK_DEFINITION": task.TaskDefinitionArn(), "TASK_CLUSTER": cluster.ClusterArn(),
		"TASK_SUBNETS": jsii.String(strings.Join(subnets, ",")), "TASK_SECURITY_GROUP": group.SecurityGroupId(),
	} {
		deliver.AddEnvironment(jsii.String(name), value, nil)
	}
}
