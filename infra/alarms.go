package main

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// What alarms there are. Ten are free in an AWS account.
const (
	alarmsNone = "false"
	alarmsFew  = "few" // those that say that requests fail, or that something was given up
	alarmsAll  = "all" // of every function, queue, stream and table
)

var mailAddress = regexp.MustCompile(`^[^@\s,]+@[^@\s,]+$`)

// Operate is what can be chosen for those who run a deployment; see the package's documentation.
type Operate struct {
	Alarms     string // alarmsNone, alarmsFew or alarmsAll
	AlarmEmail string // that alarms are sent to; "": nobody has a mail
	AlarmTopic string // ARN of the SNS topic that they notify; "": none but that of AlarmEmail
	Dashboards bool
}

func readOperate(text func(name, byDefault string) string) (Operate, error) {
	o := Operate{Alarms: text("alarms", alarmsFew), AlarmEmail: text("alarmEmail", ""), AlarmTopic: text("alarmTopic", "")}
	if !slices.Contains([]string{alarmsNone, alarmsFew, alarmsAll}, o.Alarms) {
		return Operate{}, fmt.Errorf("context alarms: %q is none of false, few and all", o.Alarms)
	}
	if o.AlarmEmail != "" && !mailAddress.MatchString(o.AlarmEmail) {
		return Operate{}, fmt.Errorf("context alarmEmail: %q is no address", o.AlarmEmail)
	}
	if o.AlarmTopic != "" && !regexp.MustCompile(`^arn:[a-z-]+:sns:`).MatchString(o.AlarmTopic) {
		return Operate{}, fmt.Errorf("context alarmTopic: %q is no ARN of an SNS topic", o.AlarmTopic)
	}
	if o.AlarmEmail != "" && o.AlarmTopic != "" {
		return Operate{}, fmt.Errorf("context alarmEmail: alarmTopic is set, too: subscribe %s to that topic", o.AlarmEmail)
	}
	var err error
	o.Dashboards, err = truth("dashboards", text("dashboards", "true"))
	return o, err
}

// operate adds alarms and dashboards to the stacks, nil of those that there are not. All alarms notify one topic, which has a stack
// of its own where it is made here.
func operate(scope constructs.Construct, cfg Config, stacks ...awscdk.Stack) {
	var topic func(awscdk.Stack) awssns.ITopic
	switch {
	case cfg.AlarmEmail != "":
		made := newAlarmStack(scope, cfg)
		topic = func(awscdk.Stack) awssns.ITopic { return made }
	case cfg.AlarmTopic != "":
		topic = func(stack awscdk.Stack) awssns.ITopic {
			return awssns.Topic_FromTopicArn(stack, jsii.String("AlarmTopic"), &cfg.AlarmTopic)
		}
	}
	for _, stack := range stacks {
		if stack == nil {
			continue
		}
		addAlarms(stack, cfg)
		if cfg.Dashboards {
			addDashboard(stack)
		}
		if topic == nil {
			continue
		}
		action := awscloudwatchactions.NewSnsAction(topic(stack))
		for _, alarm := range parts[awscloudwatch.Alarm](stack) {
			alarm.part.AddAlarmAction(action)
			alarm.part.AddOkAction(action)
		}
	}
}

// newAlarmStack makes the topic of all alarms. AWS asks the address first whether it wants them.
func newAlarmStack(scope constructs.Construct, cfg Config) awssns.Topic {
	stack := awscdk.NewStack(scope, jsii.String(cfg.prefix.stack("Alarms")), &awscdk.StackProps{
		Description: jsii.String("Skystash: where alarms go"), Env: cfg.environment(),
	})
	topic := awssns.NewTopic(stack, jsii.String("Topic"), &awssns.TopicProps{DisplayName: jsii.String(string(cfg.prefix) + " alarms")})
	topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(&cfg.AlarmEmail, nil))
	output(stack, "AlarmTopic", topic.TopicArn(), "The topic of all alarms")
	return topic
}

// part is a construct directly in a stack.
type part[T any] struct {
	id   string
	part T
}

// parts are those of a type.
func parts[T any](stack awscdk.Stack) []part[T] {
	var found []part[T]
	for _, child := range *stack.Node().Children() {
		if p, ok := child.(T); ok {
			found = append(found, part[T]{*child.Node().Id(), p})
		}
	}
	return found
}

// alarmOf is an alarm in the making: it goes off if the metric is above a number in times of the last periods.
type alarmOf struct {
	id, text      string
	metric        awscloudwatch.IMetric
	above         float64
	times, period float64
	missing       awscloudwatch.TreatMissingData // "": nothing is wrong
}

func (a alarmOf) add(stack awscdk.Stack) awscloudwatch.Alarm {
	if a.missing == "" {
		a.missing = awscloudwatch.TreatMissingData_NOT_BREACHING
	}
	return awscloudwatch.NewAlarm(stack, &a.id, &awscloudwatch.AlarmProps{
		AlarmDescription: &a.text, Metric: a.metric, Threshold: &a.above,
		DatapointsToAlarm: &a.times, EvaluationPeriods: &a.period,
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		TreatMissingData:   a.missing,
	})
}

// fewURLErrors is how many answers with a status from 500 there may be in five minutes.
const fewURLErrors = 5

// functionTexts say what to do when a function fails, by its construct's id.
var functionTexts = map[string]string{
	"Function": "The function that answers requests fails: it ends without an answer, or has no time left. See its log group (Logs), at level ERROR; " +
		"if it is out of memory or time, a request is too large; if a table cannot be reached, see AWS's health page",
	"SweepFunction":       "What was deleted or has expired stays in the table, and goes on costing storage; nothing else is wrong. See the log group SweepLogs",
	"DeliverFunction":     "QStash's messages are delivered late or not at all: wake-ups come again, and the sweep makes up for them. See the log group DeliverLogs",
	"MaterializeFunction": "Kafka's messages are in the stream and not in the table: consumers wait. See the log group MaterializeLogs, and mend it within 24 hours, after which the stream forgets",
	"MeterFunction":       "Usage is not counted, and limits do not hold. Lambda tries again for six hours. See the log group MeterLogs",
}

// queueTexts are those of queues of what was given up.
var queueTexts = map[string]string{
	"SweepFailed":   "Records of the table's stream were given up by the sweep function: the queue says which. The scheduled sweep deletes what they were about; empty the queue when you have seen why",
	"Failed":        "Records of Kafka's stream were given up: the queue says which. What they hold is lost to consumers unless you read them from the stream within 24 hours",
	"UsageFailed":   "Usage was given up, and is not counted: the queue says what. Send it to functions/meter again when that works",
	"FailedWakeUps": "Wake-ups have failed again and again: the log of the deliver function says why. The sweep makes up for them; empty the queue when you have seen why",
}

// queuesWithAlarms have had one since before, with another name.
var queuesWithAlarms = map[string]string{"Failed": "GivenUp", "UsageFailed": "UsageLost", "FailedWakeUps": "WakeUpsGivenUp"}

// addAlarms adds the alarms of a stack that are not there yet.
func addAlarms(stack awscdk.Stack, cfg Config) {
	if cfg.Alarms == alarmsNone {
		for _, alarm := range parts[awscloudwatch.Alarm](stack) {
			stack.Node().TryRemoveChild(&alarm.id)
		}
		return
	}
	for _, q := range parts[awssqs.Queue](stack) {
		id, has := queuesWithAlarms[q.id]
		if text := queueTexts[q.id]; text != "" && (!has || stack.Node().TryFindChild(&id) == nil) {
			if !has {
				id = q.id + "Alarm"
			}
			alarmOf{
				id: id, text: text, times: 1, period: 1,
				metric: q.part.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(5))}),
			}.add(stack)
		}
	}
	for _, fn := range parts[awslambda.Function](stack) {
		if text := functionTexts[fn.id]; text != "" && (cfg.Alarms == alarmsAll || fn.id != "SweepFunction" && fn.id != "MeterFunction") {
			addFunctionAlarms(stack, cfg, fn, text)
		}
	}
	if cfg.Alarms != alarmsAll {
		return
	}
	for _, q := range parts[awssqs.Queue](stack) {
		if queueTexts[q.id] == "" { // one that is worked off
			alarmOf{
				id: q.id + "Old", above: 300, times: 3, period: 3,
				text:   "The oldest message of the queue has waited for more than five minutes: the function that takes them is throttled or fails, or there are more than it manages (qstashConcurrency)",
				metric: q.part.MetricApproximateAgeOfOldestMessage(&awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(1))}),
			}.add(stack)
		}
	}
	for _, s := range parts[awskinesis.Stream](stack) {
		alarmOf{
			id: s.id + "Full", times: 3, period: 5,
			text: "The stream refuses records, because a shard takes 1 MB or 1,000 records a second and no more: producers wait. Deploy with more kafkaShards, or 0 for on demand",
			metric: s.part.Metric(jsii.String("WriteProvisionedThroughputExceeded"), &awscloudwatch.MetricOptions{
				Statistic: jsii.String("Sum"), Period: awscdk.Duration_Minutes(jsii.Number(1)),
			}),
		}.add(stack)
	}
	for _, t := range parts[awsdynamodb.Table](stack) {
		for _, kind := range []string{"Read", "Write"} {
			alarmOf{
				id: t.id + kind + "Throttled", above: 10, times: 3, period: 5,
				text: "DynamoDB throttles: a single key takes about 1,000 writes and 3,000 reads a second, and a table that was idle needs minutes to grow. Spread what is hot over several keys; " +
					"requests are tried again, and refused with 503 if that does not help",
				metric: t.part.Metric(jsii.String(kind+"ThrottleEvents"), &awscloudwatch.MetricOptions{
					Statistic: jsii.String("Sum"), Period: awscdk.Duration_Minutes(jsii.Number(1)),
				}),
			}.add(stack)
		}
	}
}

// addFunctionAlarms adds those of a function that there are few of, and the others if all are wanted.
func addFunctionAlarms(stack awscdk.Stack, cfg Config, fn part[awslambda.Function], text string) {
	options := &awscloudwatch.MetricOptions{Statistic: jsii.String("Sum"), Period: awscdk.Duration_Minutes(jsii.Number(5))}
	alarmOf{id: fn.id + "Errors", text: text, metric: fn.part.MetricErrors(options), above: fewURLErrors, times: 2, period: 3}.add(stack)
	if cfg.Alarms != alarmsAll {
		return
	}
	alarmOf{
		id: fn.id + "Throttled", metric: fn.part.MetricThrottles(options), above: fewURLErrors, times: 2, period: 3,
		text: "Lambda has no instances left for the function: the account's concurrency, 1,000 unless raised and 10 in a new account, or what is reserved for it is used up. Ask AWS for more, or look who takes it",
	}.add(stack)
	if fn.part.Node().TryFindChild(jsii.String("FunctionUrl")) != nil {
		alarmOf{
			id: fn.id + "Url5xx", metric: fn.part.Metric(jsii.String("Url5xxCount"), options), above: fewURLErrors, times: 2, period: 3,
			text: "Requests to the function URL are answered with a status from 500. The log says why, with the request's id that the answer has",
		}.add(stack)
	}
}
