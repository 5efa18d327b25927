package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// addDashboard adds what a stack's function URL, functions, tables, streams and queues do. There is none without a
// function URL: three dashboards are free, and the control plane would need a fourth. Metrics are AWS's own, which have no price.
func addDashboard(stack awscdk.Stack) {
	var widgets []awscloudwatch.IWidget
	graph := func(title string, left ...awscloudwatch.IMetric) {
		widgets = append(widgets, awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: &title, Left: &left, Width: jsii.Number(8), LiveData: jsii.Bool(true),
		}))
	}
	options := func(statistic, label string) *awscloudwatch.MetricOptions {
		return &awscloudwatch.MetricOptions{Statistic: &statistic, Label: &label, Period: awscdk.Duration_Minutes(jsii.Number(1))}
	}
	functions := parts[awslambda.Function](stack)
	open := false
	for _, f := range functions {
		if f.part.Node().TryFindChild(jsii.String("FunctionUrl")) == nil {
			continue
		}
		open = true
		metric := func(name, statistic string) awscloudwatch.IMetric {
			return f.part.Metric(&name, options(statistic, name+" "+statistic))
		}
		graph("Requests by function URL", metric("UrlRequestCount", "Sum"), metric("Url4xxCount", "Sum"), metric("Url5xxCount", "Sum"))
		graph("Latency, ms", metric("UrlRequestLatency", "p50"), metric("UrlRequestLatency", "p99"))
	}
	if !open {
		return
	}
	var runs, errs, durations []awscloudwatch.IMetric
	for _, f := range functions {
		runs = append(runs, f.part.MetricInvocations(options("Sum", f.id)), f.part.Metric(jsii.String("ConcurrentExecutions"), options("Maximum", f.id+" at once")))
		errs = append(errs, f.part.MetricErrors(options("Sum", f.id)), f.part.MetricThrottles(options("Sum", f.id+" throttled")))
		durations = append(durations, f.part.MetricDuration(options("p99", f.id)))
	}
	graph("Invocations", runs...)
	graph("Errors and throttles", errs...)
	graph("Duration p99, ms", durations...)
	for _, t := range parts[awsdynamodb.Table](stack) {
		metric := func(name string) awscloudwatch.IMetric { return t.part.Metric(&name, options("Sum", name)) }
		graph("Table", metric("ConsumedReadCapacityUnits"), metric("ConsumedWriteCapacityUnits"), metric("ReadThrottleEvents"), metric("WriteThrottleEvents"))
	}
	for _, s := range parts[awskinesis.Stream](stack) {
		metric := func(name, statistic string) awscloudwatch.IMetric {
			return s.part.Metric(&name, options(statistic, name))
		}
		graph("Stream", metric("IncomingRecords", "Sum"), metric("IncomingBytes", "Sum"), metric("WriteProvisionedThroughputExceeded", "Sum"),
			metric("GetRecords.IteratorAgeMilliseconds", "Maximum"))
	}
	for _, q := range parts[awssqs.Queue](stack) {
		graph("Queue "+q.id, q.part.MetricApproximateNumberOfMessagesVisible(options("Maximum", "waiting")),
			q.part.MetricApproximateAgeOfOldestMessage(options("Maximum", "age of the oldest, s")))
	}
	awscloudwatch.NewDashboard(stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName: stack.StackName(), DefaultInterval: awscdk.Duration_Hours(jsii.Number(24)), Widgets: &[]*[]awscloudwatch.IWidget{&widgets},
	})
}
