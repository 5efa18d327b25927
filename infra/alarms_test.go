package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/meter/price/stack"
)

// resourcesOf are the resources of a type in a template, by their ids without the hash at their end.
func resourcesOf(t stack.Template, kind string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for id, r := range t.Resources {
		if r.Type == kind {
			found[id[:len(id)-8]] = r.Properties
		}
	}
	return found
}

const alarmKind = "AWS::CloudWatch::Alarm"

func TestFewAlarmsAreWithinTheFreeOnes(t *testing.T) {
	stacks := synthesised(t, map[string]any{"products": "all"})
	for name, want := range map[string][]string{
		"SkystashRedis":   {"FunctionErrors", "SweepFailedAlarm"},
		"SkystashQStash":  {"DeliverFunctionErrors", "FunctionErrors", "WakeUpsGivenUp"},
		"SkystashKafka":   {"Behind", "FunctionErrors", "GivenUp", "MaterializeFunctionErrors"},
		"SkystashControl": {"FunctionErrors", "UsageLost"},
	} {
		alarms := resourcesOf(stacks[name], alarmKind)
		if got := slices.Sorted(maps.Keys(alarms)); !slices.Equal(got, want) {
			t.Errorf("%s has the alarms %q, want %q", name, got, want)
		}
		for id, a := range alarms {
			if a["AlarmActions"] != nil {
				t.Errorf("%s notifies %v, which nobody has asked for", id, a["AlarmActions"])
			}
		}
	}
	bills := idleBills(t, nil)
	for name, b := range bills {
		for _, l := range b.Lines {
			if l.What == "Alarms" || l.What == "Dashboards" {
				t.Errorf("%s: %+v", name, l)
			}
		}
	}
	if none := synthesised(t, map[string]any{"products": "all", "alarms": "false", "dashboards": "false"}); len(resourcesOf(none["SkystashKafka"], alarmKind)) != 0 ||
		len(resourcesOf(none["SkystashControl"], alarmKind)) != 0 || len(resourcesOf(none["SkystashRedis"], "AWS::CloudWatch::Dashboard")) != 0 {
		t.Error("there are alarms or dashboards that were not wanted")
	}
}

func TestAllAlarmsAreAboutEverything(t *testing.T) {
	stacks := synthesised(t, map[string]any{"products": "all", "alarms": "all", "alarmEmail": "ops@example.com"})
	for name, template := range stacks {
		if name == "SkystashAlarms" {
			continue
		}
		alarms := resourcesOf(template, alarmKind)
		text, err := json.Marshal(alarms)
		if err != nil {
			t.Fatal(err)
		}
		for id, r := range template.Resources {
			switch r.Type {
			case "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::Kinesis::Stream", "AWS::DynamoDB::Table":
				if !strings.Contains(string(text), fmt.Sprintf(`{"Ref":%q}`, id)) && !strings.Contains(string(text), fmt.Sprintf(`{"Fn::GetAtt":[%q,"QueueName"]}`, id)) {
					t.Errorf("%s: no alarm is about %s", name, id)
				}
			}
		}
		for id, a := range alarms {
			if description, _ := a["AlarmDescription"].(string); len(description) < 60 || len(description) > 1024 {
				t.Errorf("%s of %s says %q, which is no help", id, name, description)
			}
			actions, _ := a["AlarmActions"].([]any)
			if len(actions) != 1 || !strings.Contains(fmt.Sprint(actions[0]), "SkystashAlarms") || a["OKActions"] == nil {
				t.Errorf("%s of %s notifies %v", id, name, actions)
			}
		}
	}
	for _, s := range resourcesOf(stacks["SkystashAlarms"], "AWS::SNS::Subscription") {
		if s["Protocol"] != "email" || s["Endpoint"] != "ops@example.com" {
			t.Errorf("subscription %v", s)
		}
	}
	if len(stacks["SkystashAlarms"].Resources) < 2 {
		t.Error("there is no topic")
	}
}

func TestAlarmsMayNotifyATopicThatThereIs(t *testing.T) {
	const topic = "arn:aws:sns:us-east-1:123456789012:ops"
	stacks := synthesised(t, map[string]any{"alarmTopic": topic, "prefix": "Team"})
	if _, made := stacks["TeamAlarms"]; made || len(stacks) != 3 {
		t.Errorf("%d stacks", len(stacks))
	}
	for id, a := range resourcesOf(stacks["TeamRedis"], alarmKind) {
		if actions, _ := a["AlarmActions"].([]any); len(actions) != 1 || actions[0] != topic {
			t.Errorf("%s notifies %v", id, actions)
		}
	}
	for _, bad := range []map[string]any{
		{"alarms": "some"}, {"alarmEmail": "nobody"}, {"alarmTopic": "ops"}, {"alarmTopic": topic, "alarmEmail": "ops@example.com"}, {"dashboards": "perhaps"},
	} {
		if _, err := readConfig(func(name string) any { return bad[name] }); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestProductsHaveDashboards(t *testing.T) {
	boards := 0
	for name, template := range synthesised(t, map[string]any{"products": "all"}) {
		for _, b := range resourcesOf(template, "AWS::CloudWatch::Dashboard") {
			boards++
			text, err := json.Marshal(b["DashboardBody"])
			if err != nil || b["DashboardName"] != name {
				t.Errorf("%s: %v, %v", name, b["DashboardName"], err)
			}
			for _, want := range []string{"UrlRequestLatency", "Url5xxCount", "Throttles", "ConsumedWriteCapacityUnits"} {
				if !strings.Contains(string(text), want) {
					t.Errorf("%s: %s is not on the dashboard", name, want)
				}
			}
			if n := strings.Count(string(text), "AWS/"); n > 50 {
				t.Errorf("%s: %d metrics are more than a free dashboard has", name, n)
			}
		}
	}
	if boards != 3 {
		t.Errorf("%d dashboards, three are free", boards)
	}
}
