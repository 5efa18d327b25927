// Package stack says what the stacks of a synthesised CDK app cost a month while nobody calls, and nothing is stored: what has a
// price by the hour, schedules that start functions, and queues that Lambda asks for messages.
//
// The free parts of a bill that never end count where they are the same for everybody who has one deployment: ten alarms and
// three dashboards. Those of Lambda, SQS and CloudWatch Logs do not count: other things in the account may have used them up.
package stack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/meter/price"
)

// Template is the part of a CloudFormation template that money depends on.
type Template struct {
	Resources map[string]Resource
}

// Resource is a resource of a template.
type Resource struct {
	Type       string
	Properties map[string]any
}

// Read reads the templates in the folder that CDK has synthesised to, by the names of the stacks.
func Read(dir string) (map[string]Template, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil {
		return nil, err
	}
	templates := map[string]Template{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a template: %w", err)
		}
		t, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		templates[strings.TrimSuffix(filepath.Base(file), ".template.json")] = t
	}
	if len(templates) == 0 {
		return nil, fmt.Errorf("%s holds no templates: ./scripts/cdk synth makes them", dir)
	}
	return templates, nil
}

// Parse reads a template.
func Parse(text []byte) (Template, error) {
	var t Template
	err := json.Unmarshal(text, &t)
	return t, err
}

// RunReads is the most read request units that a scheduled run of a function takes while there is nothing to do.
const RunReads = 2

// runTime is how long such a run is taken to last.
const runTime = 50 * time.Millisecond

// pollsMonth is how many requests Lambda makes a month to ask a queue that is empty: five pollers, each of which waits
// for 20 seconds.
const pollsMonth = 5 * 3 * 60 * price.MonthHours

// Idle is what each stack costs a month, by the names of the stacks.
func Idle(list *price.List, stacks map[string]Template) (map[string]price.Bill, error) {
	bills := map[string]price.Bill{}
	var alarms, dashboards allowance
	alarms.free, dashboards.free = list.AWS.CloudWatch.FreeAlarms, list.AWS.CloudWatch.FreeDashboards
	for _, name := range slices.Sorted(maps.Keys(stacks)) {
		b := biller{list: list, resources: stacks[name].Resources, lines: map[string]price.Line{}}
		for _, id := range slices.Sorted(maps.Keys(b.resources)) {
			r := b.resources[id]
			charge, known := charges[r.Type]
			if !known {
				return nil, fmt.Errorf("stack %s: what %s of the type %s costs is not known", name, id, r.Type)
			}
			if charge != nil {
				charge(&b, id, r)
			}
		}
		b.add("Alarms", float64(alarms.beyond(b.alarms)), "metrics beyond ten", list.AWS.CloudWatch.AlarmMonth)
		b.add("Dashboards", float64(dashboards.beyond(b.dashboards)), "beyond three", list.AWS.CloudWatch.DashboardMonth)
		bills[name] = b.bill()
	}
	return bills, nil
}

// allowance is what is free of something.
type allowance struct{ free int }

// beyond takes n, and returns how many of them have a price.
func (a *allowance) beyond(n int) int {
	take := min(n, a.free)
	a.free -= take
	return n - take
}

// biller adds up what a stack costs.
type biller struct {
	list               *price.List
	resources          map[string]Resource
	lines              map[string]price.Line
	alarms, dashboards int
}

func (b *biller) add(what string, quantity float64, unit string, each float64) {
	if quantity == 0 {
		return
	}
	l := b.lines[what]
	b.lines[what] = price.Line{What: what, Quantity: l.Quantity + quantity, Unit: unit, Dollars: l.Dollars + quantity*each}
}

func (b *biller) bill() price.Bill {
	var bill price.Bill
	for _, what := range slices.Sorted(maps.Keys(b.lines)) {
		bill.Lines = append(bill.Lines, b.lines[what])
		bill.Total += b.lines[what].Dollars
	}
	return bill
}

// charges are what the types of resources cost; nil: nothing, as long as nobody calls them.
var charges = map[string]func(b *biller, id string, r Resource){
	"AWS::Kinesis::Stream": func(b *biller, _ string, r Resource) {
		k := b.list.AWS.Kinesis
		if mode, _ := r.Properties["StreamModeDetails"].(map[string]any); mode["StreamMode"] == "ON_DEMAND" {
			b.add("Kinesis stream on demand", price.MonthHours, "hours", k.OnDemandStreamHour)
			return
		}
		b.add("Kinesis shards", number(r.Properties["ShardCount"])*price.MonthHours, "hours", k.ShardHour)
	},
	"AWS::Kinesis::StreamConsumer": func(b *biller, _ string, _ Resource) {
		b.add("Kinesis fan-out", price.MonthHours, "hours of a shard", b.list.AWS.Kinesis.ShardHour)
	},
	"AWS::CloudWatch::Alarm": func(b *biller, _ string, r Resource) {
		b.alarms += max(1, countMetrics(r.Properties["Metrics"]))
	},
	"AWS::CloudWatch::Dashboard":  func(b *biller, _ string, _ Resource) { b.dashboards++ },
	"AWS::Events::Rule":           (*biller).schedule,
	"AWS::KMS::Key":               func(b *biller, _ string, _ Resource) { b.add("KMS keys", 1, "keys", b.list.AWS.KMS.KeyMonth) },
	"AWS::SecretsManager::Secret": func(b *biller, _ string, _ Resource) { b.add("Secrets", 1, "secrets", b.list.AWS.Secrets.SecretMonth) },
	"AWS::Lambda::EventSourceMapping": func(b *biller, _ string, r Resource) {
		if source, ok := b.target(r.Properties["EventSourceArn"]); ok && source.Type == "AWS::SQS::Queue" {
			b.add("SQS, asked by Lambda", pollsMonth, "requests", b.list.AWS.SQS.MillionRequests/1e6)
		}
	},
	"AWS::ECS::Service": (*biller).service,
	"AWS::ElasticLoadBalancingV2::LoadBalancer": func(b *biller, _ string, _ Resource) {
		b.add("Load balancer", price.MonthHours, "hours", b.list.AWS.Balancer.Hour)
	},

	"AWS::ApiGatewayV2::Api": nil, "AWS::ApiGatewayV2::Integration": nil, "AWS::ApiGatewayV2::Route": nil, "AWS::ApiGatewayV2::Stage": nil,
	"AWS::CDK::Metadata": nil, "AWS::DynamoDB::Table": nil, "AWS::IAM::Policy": nil, "AWS::IAM::Role": nil, "AWS::IAM::ManagedPolicy": nil,
	"AWS::Lambda::EventInvokeConfig": nil, "AWS::Lambda::Function": nil, "AWS::Lambda::Permission": nil, "AWS::Lambda::Url": nil,
	"AWS::Logs::LogGroup": nil, "AWS::Logs::MetricFilter": nil, "AWS::Logs::SubscriptionFilter": nil, "AWS::Logs::ResourcePolicy": nil,
	"AWS::S3::Bucket": nil, "AWS::S3::BucketPolicy": nil, "AWS::SQS::Queue": nil, "AWS::SQS::QueuePolicy": nil,
	"AWS::SNS::Topic": nil, "AWS::SNS::TopicPolicy": nil, "AWS::SNS::Subscription": nil, "AWS::Scheduler::ScheduleGroup": nil,
	"AWS::StepFunctions::StateMachine": nil, "AWS::SSM::Parameter": nil, "AWS::CloudFormation::Stack": nil,
	"Custom::DynamoDBReplica": nil, "Custom::CrossRegionExportReader": nil, "Custom::CrossRegionExportWriter": nil,
	"AWS::ECS::Cluster": nil, "AWS::ECS::ClusterCapacityProviderAssociations": nil, "AWS::ECS::TaskDefinition": nil,
	"AWS::EC2::VPC": nil, "AWS::EC2::Subnet": nil, "AWS::EC2::RouteTable": nil, "AWS::EC2::Route": nil, "AWS::EC2::SubnetRouteTableAssociation": nil,
	"AWS::EC2::InternetGateway": nil, "AWS::EC2::VPCGatewayAttachment": nil, "AWS::EC2::SecurityGroup": nil, "AWS::EC2::SecurityGroupIngress": nil,
	"AWS::EC2::SecurityGroupEgress": nil, "AWS::EC2::VPCEndpoint": nil, // those of the type Gateway
	"AWS::ElasticLoadBalancingV2::Listener": nil, "AWS::ElasticLoadBalancingV2::TargetGroup": nil, "AWS::Route53::RecordSet": nil,
}

// schedule is a rule that starts functions: the rule is free, the runs are not.
func (b *biller) schedule(_ string, r Resource) {
	var every int
	var unit string
	expression, _ := r.Properties["ScheduleExpression"].(string)
	if _, err := fmt.Sscanf(expression, "rate(%d %s", &every, &unit); err != nil || every < 1 {
		return
	}
	minutes := map[bool]float64{true: 60, false: 1}[strings.HasPrefix(unit, "hour")] * float64(every)
	targets, _ := r.Properties["Targets"].([]any)
	for _, target := range targets {
		t, _ := target.(map[string]any)
		fn, ok := b.target(t["Arn"])
		if !ok || fn.Type != "AWS::Lambda::Function" {
			continue
		}
		run := b.list.Million(price.Request{
			Requests: 1, Duration: runTime, GB: number(fn.Properties["MemorySize"]) / 1024, ReadUnits: RunReads,
		}).Total(false) / 1e6
		b.add("Scheduled runs", math.Round(price.MonthHours*60/minutes), "runs", run)
	}
}

// service is a service of ECS, whose tasks go on as long as they are wanted.
func (b *biller) service(_ string, r Resource) {
	n := number(r.Properties["DesiredCount"])
	task, ok := b.target(r.Properties["TaskDefinition"])
	if n == 0 || !ok {
		return
	}
	f := b.list.AWS.Fargate
	hour := number(task.Properties["Cpu"])/1024*f.CPUHour + number(task.Properties["Memory"])/1024*f.GBHour + f.AddressHour
	b.add("Fargate tasks", n*price.MonthHours, "hours, with an address each", hour)
}

// target is the resource of the stack that a Ref or a Fn::GetAtt names.
func (b *biller) target(ref any) (Resource, bool) {
	m, _ := ref.(map[string]any)
	id, _ := m["Ref"].(string)
	if attr, ok := m["Fn::GetAtt"].([]any); ok && len(attr) > 0 {
		name, _ := attr[0].(string)
		id = cmp.Or(id, name)
	}
	r, ok := b.resources[id]
	return r, ok
}

// countMetrics is how many metrics an alarm on an expression looks at.
func countMetrics(v any) (n int) {
	list, _ := v.([]any)
	for _, one := range list {
		if m, _ := one.(map[string]any); m["MetricStat"] != nil {
			n++
		}
	}
	return n
}

// number is a number, or text that is one.
func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		var n float64
		if _, err := fmt.Sscanf(v, "%g", &n); err == nil {
			return n
		}
	}
	return 0
}
