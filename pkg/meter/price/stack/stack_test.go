package stack_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/meter/price/stack"
)

const sample = `{"Resources":{
 "Shards": {"Type":"AWS::Kinesis::Stream","Properties":{"ShardCount":2,"StreamModeDetails":{"StreamMode":"PROVISIONED"}}},
 "Demand": {"Type":"AWS::Kinesis::Stream","Properties":{"StreamModeDetails":{"StreamMode":"ON_DEMAND"}}},
 "Queue": {"Type":"AWS::SQS::Queue"},
 "Fn": {"Type":"AWS::Lambda::Function","Properties":{"MemorySize":512}},
 "Asks": {"Type":"AWS::Lambda::EventSourceMapping","Properties":{"EventSourceArn":{"Fn::GetAtt":["Queue","Arn"]}}},
 "Reads": {"Type":"AWS::Lambda::EventSourceMapping","Properties":{"EventSourceArn":{"Fn::GetAtt":["Shards","Arn"]}}},
 "Rule": {"Type":"AWS::Events::Rule","Properties":{"ScheduleExpression":"rate(1 hour)","Targets":[{"Arn":{"Fn::GetAtt":["Fn","Arn"]}}]}},
 "Task": {"Type":"AWS::ECS::TaskDefinition","Properties":{"Cpu":"256","Memory":"512"}},
 "Off": {"Type":"AWS::ECS::Service","Properties":{"DesiredCount":0,"TaskDefinition":{"Ref":"Task"}}},
 "On": {"Type":"AWS::ECS::Service","Properties":{"DesiredCount":2,"TaskDefinition":{"Ref":"Task"}}},
 "Sum": {"Type":"AWS::CloudWatch::Alarm","Properties":{"Metrics":[{"Expression":"a+b"},{"MetricStat":{}},{"MetricStat":{}}]}},
 "One": {"Type":"AWS::CloudWatch::Alarm","Properties":{"MetricName":"Errors"}},
 "Board": {"Type":"AWS::CloudWatch::Dashboard"}
}}`

func TestIdleBills(t *testing.T) {
	template, err := stack.Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	stacks := map[string]stack.Template{}
	for _, name := range []string{"A", "B", "C", "D"} {
		stacks[name] = template
	}
	bills, err := stack.Idle(price.Prices(), stacks)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"Kinesis shards": 2 * 730 * 0.015, "Kinesis stream on demand": 730 * 0.04, "SQS, asked by Lambda": 5 * 3 * 60 * 730 * 0.4e-6,
		"Scheduled runs": 730 * (0.2e-6 + 0.5*0.05*0.0000133334 + 2*0.125e-6), "Fargate tasks": 2 * 730 * (0.25*0.03238 + 0.5*0.00356 + 0.005),
	}
	check := func(name string, want map[string]float64) {
		t.Helper()
		total := 0.0
		for _, l := range bills[name].Lines {
			if math.Abs(l.Dollars-want[l.What]) > 1e-9 {
				t.Errorf("%s: %s cost %v, want %v", name, l.What, l.Dollars, want[l.What])
			}
			total += l.Dollars
		}
		if len(bills[name].Lines) != len(want) || math.Abs(bills[name].Total-total) > 1e-9 {
			t.Errorf("%s: %+v", name, bills[name])
		}
	}
	check("A", want)
	check("C", want) // nine alarms and three dashboards
	want["Alarms"], want["Dashboards"] = 2*0.10, 3
	check("D", want)
}

func TestWhatHasNoPriceIsNamed(t *testing.T) {
	template := stack.Template{Resources: map[string]stack.Resource{"Cache": {Type: "AWS::ElastiCache::ServerlessCache"}}}
	_, err := stack.Idle(price.Prices(), map[string]stack.Template{"Mine": template})
	if err == nil || !strings.Contains(err.Error(), "AWS::ElastiCache::ServerlessCache") {
		t.Errorf("%v", err)
	}
}

func TestTemplatesAreReadFromAFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := stack.Read(dir); err == nil {
		t.Error("a folder without templates is read")
	}
	if err := os.WriteFile(filepath.Join(dir, "Mine.template.json"), []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := stack.Read(dir)
	if err != nil || len(got["Mine"].Resources) != 13 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Bad.template.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Read(dir); err == nil || !strings.Contains(err.Error(), "Bad.template.json") {
		t.Errorf("%v", err)
	}
}
