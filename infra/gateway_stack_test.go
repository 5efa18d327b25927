package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/functions/backend/contract"
)

const (
	gatewayHost   = "gateway.example.com"
	gatewayACM    = "arn:aws:acm:eu-central-1:111122223333:certificate/1"
	gatewaySecret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:gateway-AbCdEf"
)

// gatewayTemplate synthesises the gateway's stack with settings beside a host and a zone.
func gatewayTemplate(t *testing.T, settings map[string]any) assertions.Template {
	t.Helper()
	_, _, stack := newGateway(t, settings)
	return assertions.Template_FromStack(stack, nil)
}

func newGateway(t *testing.T, settings map[string]any) (awscdk.App, Config, awscdk.Stack) {
	t.Helper()
	all := map[string]any{"gatewayHost": gatewayHost, "gatewayZone": "Z123", "tokenPublicKey": contract.PublishedOnly}
	maps.Copy(all, settings)
	s := settingsOf(t, all)
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir())})
	return app, s.cfg, NewGatewayStack(app, s.cfg, s.gateway, s.kafka, NewRedisStack(app, s.cfg), NewKafkaStack(app, s.cfg, s.kafka))
}

// gatewayContainer is the task's container, with its environment.
func gatewayContainer(t *testing.T, tpl assertions.Template) (container map[string]any, environment map[string]any) {
	t.Helper()
	tasks := resources(t, tpl, "AWS::ECS::TaskDefinition")
	if len(tasks) != 1 {
		t.Fatalf("%d task definitions", len(tasks))
	}
	container = tasks[0]["Properties"].(map[string]any)["ContainerDefinitions"].([]any)[0].(map[string]any)
	environment = map[string]any{}
	for _, v := range container["Environment"].([]any) {
		variable := v.(map[string]any)
		environment[variable["Name"].(string)] = variable["Value"]
	}
	return container, environment
}

func TestGatewayCostsNothingUntilItIsOn(t *testing.T) {
	tpl := gatewayTemplate(t, nil)
	tpl.HasResourceProperties(jsii.String("AWS::ECS::Service"), map[string]any{"DesiredCount": 0, "ServiceName": "SkystashGateway"})
	for _, kind := range []string{
		"AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::Route53::HostedZone",
		"AWS::SecretsManager::Secret", "AWS::KMS::Key", "AWS::CloudWatch::Alarm",
	} {
		tpl.ResourceCountIs(&kind, jsii.Number(0))
	}
	for _, endpoint := range resources(t, tpl, "AWS::EC2::VPCEndpoint") {
		if kind := endpoint["Properties"].(map[string]any)["VpcEndpointType"]; kind != "Gateway" {
			t.Errorf("an endpoint of the kind %v costs by the hour", kind)
		}
	}
}

func TestGatewayTask(t *testing.T) {
	tpl := gatewayTemplate(t, map[string]any{"gatewayCount": 2, "gatewaySpot": "true", "gatewayIdleMinutes": 30, "gatewaySize": "512/2048"})
	tpl.HasResourceProperties(jsii.String("AWS::ECS::Service"), map[string]any{
		"DesiredCount":             2,
		"CapacityProviderStrategy": []any{map[string]any{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}},
		"NetworkConfiguration":     map[string]any{"AwsvpcConfiguration": assertions.Match_ObjectLike(&map[string]any{"AssignPublicIp": "ENABLED"})},
		"DeploymentConfiguration": assertions.Match_ObjectLike(&map[string]any{
			"MinimumHealthyPercent": 100, "DeploymentCircuitBreaker": map[string]any{"Enable": true, "Rollback": true},
		}),
	})
	tpl.HasResourceProperties(jsii.String("AWS::ECS::TaskDefinition"), map[string]any{
		"Cpu": "512", "Memory": "2048", "RuntimePlatform": map[string]any{"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
	})
	container, environment := gatewayContainer(t, tpl)
	for name, want := range map[string]any{
		"HOST": gatewayHost, "TLS": "acme", "HOSTED_ZONE": "Z123", "IDLE_MINUTES": "30", "ECS_SERVICE": "SkystashGateway",
		"TOKEN_PUBLIC_KEY": contract.PublishedOnly, "METER": "lines",
	} {
		if environment[name] != want {
			t.Errorf("%s is %v, want %v", name, environment[name], want)
		}
	}
	for _, name := range []string{"REDIS_TABLE", "KAFKA_TABLE", "STREAM_NAME", "BUCKET_NAME", "ECS_CLUSTER"} {
		if environment[name] == nil {
			t.Errorf("%s is not set", name)
		}
	}
	if container["ReadonlyRootFilesystem"] != true || container["StopTimeout"] != float64(gatewayStop) {
		t.Errorf("the container: %v", container)
	}
	check, err := json.Marshal(container["HealthCheck"])
	if err != nil || !strings.Contains(string(check), `"CMD","/run/skystash/gateway","health"`) {
		t.Errorf("the health check is %s", check)
	}
}

// What gateways may do is listed here: they can be reached by everybody.
func TestGatewayRole(t *testing.T) {
	actions := func(settings map[string]any) (all []string) {
		for _, policy := range resources(t, gatewayTemplate(t, settings), "AWS::IAM::Policy") {
			for _, s := range policy["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
				statement := s.(map[string]any)
				granted, many := statement["Action"].([]any)
				if !many {
					granted = []any{statement["Action"]}
				}
				for _, action := range granted {
					service, _, _ := strings.Cut(action.(string), ":")
					if resource, err := json.Marshal(statement["Resource"]); (err != nil || string(resource) == `"*"`) && service != "ecr" {
						t.Errorf("%s on everything", action)
					}
					if service == "dynamodb" || service == "kinesis" || service == "s3" || service == "logs" {
						continue
					}
					all = append(all, action.(string))
				}
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	if got := actions(nil); !slices.Equal(got, []string{"route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"}) {
		t.Errorf("it may %v", got)
	}
	if got := actions(map[string]any{"gatewayIdleMinutes": 5}); !slices.Equal(got, []string{
		"ecs:DescribeServices", "ecs:UpdateService", "route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets",
	}) {
		t.Errorf("one that switches itself off may %v", got)
	}
	if got := actions(map[string]any{"gatewayBalancer": "true", "gatewayCertificate": gatewayACM}); len(got) != 0 {
		t.Errorf("behind a balancer it may %v", got)
	}
	tpl := gatewayTemplate(t, nil)
	tpl.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{"PolicyDocument": map[string]any{
		"Statement": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{
			"Action": "route53:ChangeResourceRecordSets",
			"Condition": map[string]any{"ForAllValues:StringEquals": map[string]any{
				"route53:ChangeResourceRecordSetsNormalizedRecordNames": []any{gatewayHost},
				"route53:ChangeResourceRecordSetsRecordTypes":           []any{"A"},
			}},
		})}),
	}})
}

// ports are those that a block of addresses may come to, by the names of what lets it in.
func ports(t *testing.T, tpl assertions.Template) (open []string) {
	t.Helper()
	for _, group := range resources(t, tpl, "AWS::EC2::SecurityGroup") {
		rules, _ := group["Properties"].(map[string]any)["SecurityGroupIngress"].([]any)
		for _, r := range rules {
			rule := r.(map[string]any)
			text, err := json.Marshal([]any{rule["CidrIp"], rule["FromPort"], rule["ToPort"]})
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, string(text))
		}
	}
	slices.Sort(open)
	return open
}

func TestGatewayPorts(t *testing.T) {
	if got := ports(t, gatewayTemplate(t, nil)); !slices.Equal(got, []string{
		`["0.0.0.0/0",443,443]`, `["0.0.0.0/0",6379,6379]`, `["0.0.0.0/0",9092,9092]`,
	}) {
		t.Errorf("open: %v", got)
	}
	// The certificate authority has to get in, clients from elsewhere have not.
	if got := ports(t, gatewayTemplate(t, map[string]any{"gatewayAllow": "203.0.113.0/24"})); !slices.Equal(got, []string{
		`["0.0.0.0/0",443,443]`, `["203.0.113.0/24",443,443]`, `["203.0.113.0/24",6379,6379]`, `["203.0.113.0/24",9092,9092]`,
	}) {
		t.Errorf("open: %v", got)
	}
	if got := ports(t, gatewayTemplate(t, map[string]any{"gatewayAllow": "203.0.113.0/24", "gatewayCertificate": gatewaySecret})); len(got) != 3 {
		t.Errorf("open: %v", got)
	}
}

// The CDK warns of ports that are open to everybody, which is meant here.
func TestGatewayIsValid(t *testing.T) {
	s := settingsOf(t, map[string]any{"products": "all", "gatewayHost": "gateway.example.com", "gatewayZone": "Z0EXAMPLE"})
	folder := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: &folder})
	addStacks(app, s.cfg, s.kafka, s.gateway, s.control)
	app.Synth(nil)
	text, err := os.ReadFile(filepath.Join(folder, "validation-report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		PluginReports []struct {
			Violations []struct{ RuleName, Description string }
		}
	}
	if err := json.Unmarshal(text, &report); err != nil || len(report.PluginReports) == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	for _, plugin := range report.PluginReports {
		for _, v := range plugin.Violations {
			t.Errorf("%s: %s", v.RuleName, v.Description)
		}
	}
}

func TestGatewayWithACertificateOfItsOwn(t *testing.T) {
	tpl := gatewayTemplate(t, map[string]any{"gatewayCertificate": gatewaySecret, "gatewayDomain": "redis.example.com"})
	container, environment := gatewayContainer(t, tpl)
	if environment["TLS"] != "pem" || environment["DATABASE_DOMAIN"] != "redis.example.com" || len(container["Secrets"].([]any)) != 2 {
		t.Errorf("TLS is %v, secrets %v", environment["TLS"], container["Secrets"])
	}
}

func TestGatewayBehindABalancer(t *testing.T) {
	tpl := gatewayTemplate(t, map[string]any{"gatewayBalancer": "true", "gatewayCertificate": gatewayACM})
	_, environment := gatewayContainer(t, tpl)
	if environment["TLS"] != "off" || environment["HOSTED_ZONE"] != nil {
		t.Errorf("TLS is %v, the zone %v", environment["TLS"], environment["HOSTED_ZONE"])
	}
	tpl.ResourceCountIs(jsii.String("AWS::ElasticLoadBalancingV2::Listener"), jsii.Number(3))
	tpl.AllResourcesProperties(jsii.String("AWS::ElasticLoadBalancingV2::Listener"), map[string]any{
		"Protocol": "TLS", "Certificates": []any{map[string]any{"CertificateArn": gatewayACM}},
	})
	tpl.AllResourcesProperties(jsii.String("AWS::ElasticLoadBalancingV2::TargetGroup"), map[string]any{
		"Protocol": "TCP", "HealthCheckPath": "/healthz", "HealthCheckPort": "8080", "HealthCheckProtocol": "HTTP",
	})
	tpl.HasResourceProperties(jsii.String("AWS::Route53::RecordSet"), map[string]any{"Name": gatewayHost, "Type": "A"})
}

func TestGatewayServesTheProductsThatThereAre(t *testing.T) {
	app, cfg, _ := newGateway(t, nil)
	gateway, err := readGatewayConfig(func(name string) any {
		return map[string]any{"gatewayHost": gatewayHost, "gatewayZone": "Z123", "gatewayStack": "Alone"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	gateway.Asset = cfg.RedisAsset
	cfg.Stack = "RedisAlone"
	_, environment := gatewayContainer(t, assertions.Template_FromStack(NewGatewayStack(app, cfg, gateway, KafkaConfig{}, NewRedisStack(app, cfg), nil), nil))
	if environment["REDIS_TABLE"] == nil || environment["KAFKA_TABLE"] != nil || environment["STREAM_NAME"] != nil {
		t.Errorf("it serves %v", environment)
	}
}

func TestGatewayIsMetered(t *testing.T) {
	app, cfg, gateway := newGateway(t, nil)
	stack := awscdk.NewStack(app, jsii.String("Control"), nil)
	addMeter(stack, cfg, newTable(stack, cfg), meteredGateway(gateway))
	filters := resources(t, assertions.Template_FromStack(stack, nil), "AWS::Logs::SubscriptionFilter")
	if len(filters) != 1 {
		t.Fatalf("%d subscriptions", len(filters))
	}
	group := filters[0]["Properties"].(map[string]any)["LogGroupName"].(map[string]any)["Fn::ImportValue"]
	if name, is := group.(string); !is || !strings.Contains(name, "SkystashGateway") || !strings.Contains(name, "Logs") {
		t.Errorf("the lines of %v are counted", group)
	}
}

func TestGatewayConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		settings map[string]any
		want     string // of the error
	}{
		{map[string]any{"gatewayCount": 1}, "gatewayHost"},
		{map[string]any{"gatewayHost": gatewayHost}, "gatewayZone"},
		{map[string]any{"gatewayHost": gatewayHost, "gatewayBalancer": "true"}, "no certificate of ACM"},
		{map[string]any{"gatewayHost": gatewayHost, "gatewayZone": "Z", "gatewayCertificate": gatewayACM}, "Secrets Manager"},
		{map[string]any{"gatewayHost": gatewayHost, "gatewayZone": "Z", "gatewayDomain": "d.example.com"}, "gatewayDomain"},
		{map[string]any{"gatewayHost": gatewayHost, "gatewayZone": "Z", "gatewayCount": "two"}, "no number"},
		{map[string]any{"gatewayHost": gatewayHost, "gatewayZone": "Z", "gatewaySize": "256/8192"}, "no size of Fargate's"},
		{map[string]any{"gatewayHost": gatewayHost, "gatewayZone": "Z", "gatewayAllow": "everybody"}, "gatewayAllow"},
		{map[string]any{"gatewayHost": gatewayHost, "gatewayZone": "Z", "gatewaySpot": "cheap"}, "neither true nor false"},
	} {
		_, err := readGatewayConfig(func(name string) any { return c.settings[name] })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.settings, err, c.want)
		}
	}
	if cfg, err := readGatewayConfig(func(string) any { return nil }); err != nil || cfg.Host != "" {
		t.Errorf("without settings: %+v, %v", cfg, err)
	}
}
