package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/bundle"
)

// Where the gateway listens.
const (
	redisPort  = 6379
	kafkaPort  = 9092
	httpsPort  = 443
	healthPort = 8080
)

const (
	gatewayFolder = "/run/skystash"
	gatewayStop   = 120 // seconds that a task has to end, the most there is
	gatewayDrain  = 60  // seconds of them over which it closes connections

	// gatewayBase is an image of Amazon's that can fetch the executable: nobody needs Docker to deploy.
	gatewayBase = "public.ecr.aws/aws-cli/aws-cli:2.27.50"
)

// NewGatewayStack adds the gateway to the stacks of Redis and Kafka, one of which may be nil: a service of ECS on Fargate, in a network of public
// subnets. With a desired count of 0 it costs nothing. There is no load balancer unless it is wanted: the gateways keep their
// name in Route 53 themselves.
func NewGatewayStack(scope constructs.Construct, cfg Config, gateway GatewayConfig, kafkaConfig KafkaConfig, redis, kafka awscdk.Stack) awscdk.Stack {
	stack := awscdk.NewStack(scope, &gateway.Stack, &awscdk.StackProps{
		Description: jsii.String("Skystash: the protocols of Redis and Kafka themselves"),
		Env:         cfg.environment(),
	})
	vpc, group := newGatewayNetwork(stack, gateway)
	cluster := awsecs.NewCluster(stack, jsii.String("Cluster"), &awsecs.ClusterProps{
		Vpc: vpc, ClusterName: jsii.String(gateway.Stack), EnableFargateCapacityProviders: jsii.Bool(true),
	})
	task := newGatewayTask(stack, cfg, gateway, kafkaConfig, redis, kafka)
	provider := "FARGATE"
	if gateway.Spot {
		provider = "FARGATE_SPOT"
	}
	service := awsecs.NewFargateService(stack, jsii.String("Service"), &awsecs.FargateServiceProps{
		Cluster:                    cluster,
		TaskDefinition:             task,
		ServiceName:                jsii.String(gateway.Stack),
		DesiredCount:               jsii.Number(gateway.Count),
		AssignPublicIp:             jsii.Bool(true),
		SecurityGroups:             &[]awsec2.ISecurityGroup{group},
		VpcSubnets:                 &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PUBLIC},
		CapacityProviderStrategies: &[]*awsecs.CapacityProviderStrategy{{CapacityProvider: &provider, Weight: jsii.Number(1)}},
		CircuitBreaker:             &awsecs.DeploymentCircuitBreaker{Enable: jsii.Bool(true), Rollback: jsii.Bool(true)},
		MinHealthyPercent:          jsii.Number(100), // the new gateway takes clients before the old one ends
		MaxHealthyPercent:          jsii.Number(200),
	})
	if gateway.IdleMinutes > 0 {
		maySwitchOff(task, cluster, service, gateway)
	}
	if gateway.Balancer {
		newBalancer(stack, gateway, vpc, group, service)
	} else {
		mayKeepName(stack, task, gateway)
	}
	output(stack, "RedisUrl", jsii.String(fmt.Sprintf("rediss://default:<token>@%s:%d", gateway.Host, redisPort)), "For clients of Redis's own protocol")
	output(stack, "KafkaBrokers", jsii.String(fmt.Sprintf("%s:%d", gateway.Host, kafkaPort)), "For clients of Kafka's own protocol: SASL_SSL")
	output(stack, "RestUrl", jsii.String("https://"+gateway.Host), "UPSTASH_REDIS_REST_URL by the gateway: a subscription costs no instance of a function there")
	return stack
}

// newGatewayNetwork makes the network and what may come in. Calls to DynamoDB and S3 take the free
// way inside Amazon's network. There is no NAT gateway, which would cost three times the gateway itself.
func newGatewayNetwork(stack awscdk.Stack, gateway GatewayConfig) (awsec2.Vpc, awsec2.SecurityGroup) {
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{
		MaxAzs:                       jsii.Number(2),
		NatGateways:                  jsii.Number(0),
		RestrictDefaultSecurityGroup: jsii.Bool(false), // which would take a function of its own; nothing is in that group
		SubnetConfiguration:          &[]*awsec2.SubnetConfiguration{{Name: jsii.String("Public"), SubnetType: awsec2.SubnetType_PUBLIC, MapPublicIpOnLaunch: jsii.Bool(false)}},
		GatewayEndpoints: &map[string]*awsec2.GatewayVpcEndpointOptions{
			"DynamoDB": {Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB()},
			"S3":       {Service: awsec2.GatewayVpcEndpointAwsService_S3()},
		},
	})
	group := awsec2.NewSecurityGroup(stack, jsii.String("Group"), &awsec2.SecurityGroupProps{
		Vpc: vpc, Description: jsii.String("Gateways: clients by TLS, and each other"), AllowAllOutbound: jsii.Bool(true),
	})
	group.AddIngressRule(group, awsec2.Port_AllUdp(), jsii.String("They tell each other of writes"), nil)
	if !gateway.Balancer {
		allow(gateway, group)
	}
	return vpc, group
}

// allow lets clients in.
func allow(gateway GatewayConfig, group awsec2.SecurityGroup) {
	for _, block := range gateway.Allow {
		for _, port := range []float64{redisPort, kafkaPort, httpsPort} {
			group.AddIngressRule(awsec2.Peer_Ipv4(&block), awsec2.Port_Tcp(&port), jsii.String("Clients"), nil)
		}
	}
	if openToAll(gateway.Allow) {
		awscdk.Validations_Of(group).Acknowledge(&awscdk.Acknowledgment{
			Id: jsii.String("CloudFormation-Validate::W2508"), // 6379 and 9092 are mostly behind a firewall
			Reason: jsii.String("Clients may come from anywhere unless gatewayAllow names their addresses: the gateway takes TLS only, " +
				"and nothing but a token before it answers"),
		})
	}
	if gateway.Certificate == "" && !openToAll(gateway.Allow) {
		// Let's Encrypt asks from addresses that it does not tell.
		group.AddIngressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(httpsPort)), jsii.String("The certificate authority"), nil)
	}
}

func openToAll(blocks []string) bool {
	for _, block := range blocks {
		if block == "0.0.0.0/0" {
			return true
		}
	}
	return false
}

// newGatewayTask makes what runs.
func newGatewayTask(stack awscdk.Stack, cfg Config, gateway GatewayConfig, kafkaConfig KafkaConfig, redis, kafka awscdk.Stack) awsecs.FargateTaskDefinition {
	logs := awslogs.NewLogGroup(stack, jsii.String("Logs"), &awslogs.LogGroupProps{RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
	logs.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(cfg.LogRetentionDays))
	task := awsecs.NewFargateTaskDefinition(stack, jsii.String("Task"), &awsecs.FargateTaskDefinitionProps{
		Cpu: jsii.Number(gateway.CPU), MemoryLimitMiB: jsii.Number(gateway.Memory),
		RuntimePlatform: &awsecs.RuntimePlatform{CpuArchitecture: awsecs.CpuArchitecture_ARM64(), OperatingSystemFamily: awsecs.OperatingSystemFamily_LINUX()},
		Volumes:         &[]*awsecs.Volume{{Name: jsii.String("run")}},
	})
	role := task.TaskRole()
	statement := func(resource *string, actions ...string) {
		role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings(actions...), Resources: &[]*string{resource},
		}))
	}
	environment := gatewayEnvironment(stack, cfg, gateway)
	if redis != nil {
		environment["REDIS_TABLE"] = tableOf(redis).TableName()
		statement(tableOf(redis).TableArn(), controlTableActions...)
	}
	if kafka != nil {
		stream := child[awskinesis.Stream](kafka, "Stream")
		environment["KAFKA_TABLE"], environment["STREAM_NAME"] = tableOf(kafka).TableName(), stream.StreamName()
		statement(tableOf(kafka).TableArn(), controlTableActions...)
		statement(stream.StreamArn(), "kinesis:PutRecords", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords")
		if objects := objectsOf(kafka); objects.bucket != nil {
			environment["BUCKET_NAME"] = objects.bucket.BucketName()
			if kafkaConfig.Objects != objectsOn {
				environment["BUCKET_WRITES"] = jsii.String("off")
			}
			statement(objects.bucket.ArnForObjects(jsii.String("*")), getObjects, putObjects, deleteObjects)
			statement(objects.bucket.BucketArn(), listObjects)
		}
	}
	container := awsecs.ContainerDefinitionOptions{
		Environment:            &environment,
		Logging:                awsecs.LogDriver_AwsLogs(&awsecs.AwsLogDriverProps{LogGroup: logs, StreamPrefix: jsii.String("gateway")}),
		ReadonlyRootFilesystem: jsii.Bool(true),
		StopTimeout:            awscdk.Duration_Seconds(jsii.Number(gatewayStop)),
	}
	executable := "/gateway"
	if gateway.Image != "" {
		container.Image = awsecs.ContainerImage_FromRegistry(&gateway.Image, nil)
	} else {
		executable = gatewayFolder + "/gateway"
		asset := awss3assets.NewAsset(stack, jsii.String("Executable"), &awss3assets.AssetProps{
			Path: jsii.String(filepath.Join(gateway.Asset, bundle.Executable)),
		})
		asset.GrantRead(role)
		environment["HOME"] = jsii.String(gatewayFolder) // the root file system is read-only
		container.Image = awsecs.ContainerImage_FromRegistry(jsii.String(gatewayBase), nil)
		container.EntryPoint = jsii.Strings("/bin/sh", "-ec")
		container.Command = jsii.Strings(fmt.Sprintf(
			"aws s3 cp --only-show-errors %s %[2]s && chmod 500 %[2]s && exec %[2]s", *asset.S3ObjectUrl(), executable))
	}
	container.HealthCheck = &awsecs.HealthCheck{
		Command:     jsii.Strings("CMD", executable, "health"),
		Interval:    awscdk.Duration_Seconds(jsii.Number(15)),
		Timeout:     awscdk.Duration_Seconds(jsii.Number(5)),
		Retries:     jsii.Number(3),
		StartPeriod: awscdk.Duration_Seconds(jsii.Number(120)),
	}
	if gateway.Certificate != "" && !gateway.Balancer {
		secret := awssecretsmanager.Secret_FromSecretCompleteArn(stack, jsii.String("Certificate"), &gateway.Certificate)
		container.Secrets = &map[string]awsecs.Secret{
			"TLS_CERTIFICATE": awsecs.Secret_FromSecretsManager(secret, jsii.String("certificate")),
			"TLS_KEY":         awsecs.Secret_FromSecretsManager(secret, jsii.String("key")),
		}
	}
	c := task.AddContainer(jsii.String("gateway"), &container)
	c.AddMountPoints(&awsecs.MountPoint{ContainerPath: jsii.String(gatewayFolder), SourceVolume: jsii.String("run"), ReadOnly: jsii.Bool(false)})
	for _, port := range []float64{redisPort, kafkaPort, httpsPort, healthPort} {
		c.AddPortMappings(&awsecs.PortMapping{ContainerPort: &port})
	}
	return task
}

// gatewayEnvironment are the settings that do not depend on the products.
func gatewayEnvironment(stack awscdk.Stack, cfg Config, gateway GatewayConfig) map[string]*string {
	publicKey := &cfg.TokenPublicKey
	if cfg.TokenPublicKey == "" {
		publicKey = awsssm.StringParameter_ValueForStringParameter(stack, &cfg.TokenPublicKeyParameter, nil)
	}
	secure := "acme"
	switch {
	case gateway.Balancer:
		secure = "off"
	case gateway.Certificate != "":
		secure = "pem"
	}
	environment := map[string]*string{
		"HOST": &gateway.Host, "TLS": &secure, "AWS_REGION": stack.Region(), "LOG_LEVEL": &cfg.LogLevel,
		"TOKEN_PUBLIC_KEY": publicKey, "TOKEN_AUDIENCE": &cfg.TokenAudience, "DRAIN_SECONDS": jsii.String(strconv.Itoa(gatewayDrain)),
	}
	if cfg.Meter {
		environment["METER"] = jsii.String("lines")
	}
	if gateway.Domain != "" {
		environment["DATABASE_DOMAIN"] = &gateway.Domain
	}
	if !gateway.Balancer {
		environment["HOSTED_ZONE"] = &gateway.Zone
	}
	if gateway.IdleMinutes > 0 {
		environment["IDLE_MINUTES"] = jsii.String(strconv.Itoa(gateway.IdleMinutes))
		environment["ECS_SERVICE"] = &gateway.Stack
	}
	return environment
}

// maySwitchOff lets the gateway make its service's number of tasks 0.
func maySwitchOff(task awsecs.FargateTaskDefinition, cluster awsecs.Cluster, service awsecs.FargateService, gateway GatewayConfig) {
	task.DefaultContainer().AddEnvironment(jsii.String("ECS_CLUSTER"), cluster.ClusterName())
	stack := awscdk.Stack_Of(task)
	arn := stack.FormatArn(&awscdk.ArnComponents{ // by name, as the service itself depends on the role
		Service: jsii.String("ecs"), Resource: jsii.String("service"), ResourceName: jsii.String(*cluster.ClusterName() + "/" + gateway.Stack),
	})
	task.TaskRole().AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("ecs:DescribeServices", "ecs:UpdateService"), Resources: &[]*string{arn},
	}))
}

// mayKeepName lets the gateways write one record of the zone, and no other.
func mayKeepName(stack awscdk.Stack, task awsecs.FargateTaskDefinition, gateway GatewayConfig) {
	zone := stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("route53"), Region: jsii.String(""), Account: jsii.String(""), Resource: jsii.String("hostedzone"), ResourceName: &gateway.Zone,
	})
	role := task.TaskRole()
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("route53:ListResourceRecordSets"), Resources: &[]*string{zone},
	}))
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("route53:ChangeResourceRecordSets"), Resources: &[]*string{zone},
		Conditions: &map[string]any{"ForAllValues:StringEquals": map[string]any{
			"route53:ChangeResourceRecordSetsNormalizedRecordNames": []string{gateway.Host},
			"route53:ChangeResourceRecordSetsRecordTypes":           []string{"A"},
		}},
	}))
}

// newBalancer makes a network load balancer that ends TLS. A connection without traffic stays: the balancer drops one
// after 350 seconds, and both ends send keep-alives far more often.
func newBalancer(stack awscdk.Stack, gateway GatewayConfig, vpc awsec2.Vpc, group awsec2.SecurityGroup, service awsecs.FargateService) {
	front := awsec2.NewSecurityGroup(stack, jsii.String("BalancerGroup"), &awsec2.SecurityGroupProps{
		Vpc: vpc, Description: jsii.String("Balancer of the gateways, clients by TLS"), AllowAllOutbound: jsii.Bool(true),
	})
	allow(gateway, front)
	group.AddIngressRule(front, awsec2.Port_AllTcp(), jsii.String("The balancer"), nil)
	balancer := awselasticloadbalancingv2.NewNetworkLoadBalancer(stack, jsii.String("Balancer"), &awselasticloadbalancingv2.NetworkLoadBalancerProps{
		Vpc: vpc, InternetFacing: jsii.Bool(true), CrossZoneEnabled: jsii.Bool(true),
		SecurityGroups: &[]awsec2.ISecurityGroup{front},
	})
	for name, port := range map[string]float64{"Redis": redisPort, "Kafka": kafkaPort, "Https": httpsPort} {
		listener := balancer.AddListener(&name, &awselasticloadbalancingv2.BaseNetworkListenerProps{
			Port: &port, Protocol: awselasticloadbalancingv2.Protocol_TLS, SslPolicy: awselasticloadbalancingv2.SslPolicy_RECOMMENDED_TLS,
			Certificates: &[]awselasticloadbalancingv2.IListenerCertificate{awselasticloadbalancingv2.ListenerCertificate_FromArn(&gateway.Certificate)},
		})
		listener.AddTargets(&name, &awselasticloadbalancingv2.AddNetworkTargetsProps{
			Port: &port, Protocol: awselasticloadbalancingv2.Protocol_TCP,
			Targets: &[]awselasticloadbalancingv2.INetworkLoadBalancerTarget{service.LoadBalancerTarget(&awsecs.LoadBalancerTargetOptions{
				ContainerName: jsii.String("gateway"), ContainerPort: &port,
			})},
			DeregistrationDelay: awscdk.Duration_Seconds(jsii.Number(gatewayDrain)),
			HealthCheck: &awselasticloadbalancingv2.HealthCheck{
				Protocol: awselasticloadbalancingv2.Protocol_HTTP, Port: jsii.String(strconv.Itoa(healthPort)), Path: jsii.String("/healthz"),
				Interval: awscdk.Duration_Seconds(jsii.Number(10)),
			},
		})
	}
	if gateway.Zone != "" {
		awsroute53.NewCfnRecordSet(stack, jsii.String("Name"), &awsroute53.CfnRecordSetProps{
			HostedZoneId: &gateway.Zone, Name: &gateway.Host, Type: jsii.String("A"),
			AliasTarget: &awsroute53.CfnRecordSet_AliasTargetProperty{
				DnsName: balancer.LoadBalancerDnsName(), HostedZoneId: balancer.LoadBalancerCanonicalHostedZoneId(),
			},
		})
	}
	output(stack, "BalancerName", balancer.LoadBalancerDnsName(), "What the host's record refers to")
}
