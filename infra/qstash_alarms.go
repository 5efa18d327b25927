package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
)

// lateAlarm is how late messages are sent, in ms, when it is time to say so.
const lateAlarm = 60_000

// The log of functions/deliver has what these metrics count. Filters cost nothing, and a metric costs
// by the hours in which it has values: where all is well there are none.
var deliverMetrics = []struct{ id, name, pattern, value string }{
	{"StuckRuns", "stuck", `{ $.msg = "` + qstash.StuckRun + `" }`, "1"},
	{"LostWakeUps", "overdue", `{ $.msg = "swept" }`, "$.woken"},
}

// countDeliveries makes metrics of what the deliver function logs.
func countDeliveries(stack awscdk.Stack) {
	logs := stack.Node().FindChild(jsii.String("DeliverLogs")).(awslogs.LogGroup)
	for _, m := range deliverMetrics {
		awslogs.NewMetricFilter(stack, jsii.String(m.id), &awslogs.MetricFilterProps{
			LogGroup:        logs,
			FilterPattern:   awslogs.FilterPattern_Literal(&m.pattern),
			MetricNamespace: jsii.String(meter.Namespace),
			MetricName:      &m.name,
			MetricValue:     &m.value,
		})
	}
}

// alarmOfQStash adds the alarms of QStash's stack, which say so to a topic if the configuration names
// one. Where a metric has no values there is nothing to complain about.
func alarmOfQStash(stack awscdk.Stack, cfg Config, aside awssqs.Queue) {
	metric := func(name, statistic string, dimensions map[string]*string) awscloudwatch.IMetric {
		return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String(meter.Namespace), MetricName: &name, DimensionsMap: &dimensions,
			Statistic: &statistic, Period: awscdk.Duration_Minutes(jsii.Number(1)),
		})
	}
	type alarm struct {
		id, text        string
		metric          awscloudwatch.IMetric
		above           float64
		times, ofPeriod float64 // how many of the last minutes are above
	}
	alarms := []alarm{
		{"RunsStuck", "Workflow runs were stuck and have failed: the dead letter queue says which, and what was missing",
			metric("stuck", "Sum", nil), 0, 1, 1},
		{"WakeUpsGivenUp", "Wake-ups have failed again and again: the log of the deliver function says why. The sweep makes up for them",
			aside.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(1))}), 0, 1, 1},
		{"WakeUpsLost", "The sweep finds messages, minute by minute, that no wake-up came for in time",
			metric("overdue", "Sum", nil), 0, 5, 5},
	}
	if cfg.Meter { // which the lines come from
		alarms = append(alarms, alarm{"Late", "One message in ten is sent more than a minute after it was due, though no queue or flow control key holds it",
			metric("lag", "p90", map[string]*string{"product": jsii.String("qstash")}), lateAlarm, 3, 5})
	}
	for _, a := range alarms {
		made := awscloudwatch.NewAlarm(stack, &a.id, &awscloudwatch.AlarmProps{
			AlarmDescription:   &a.text,
			Metric:             a.metric,
			Threshold:          &a.above,
			DatapointsToAlarm:  &a.times,
			EvaluationPeriods:  &a.ofPeriod,
			ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
			TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		})
		if cfg.QStashAlarmTopic != "" {
			made.AddAlarmAction(awscloudwatchactions.NewSnsAction(awssns.Topic_FromTopicArn(stack, jsii.String(a.id+"Topic"), &cfg.QStashAlarmTopic)))
		}
	}
}
