package aws_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
	wakeaws "github.com/skystash/skystash/pkg/qstash/wake/aws"
	"github.com/skystash/skystash/pkg/qstash/wake/waketest"
	"github.com/skystash/skystash/pkg/testenv/motolocal"
)

// emulated is a Waker with a queue and a group of its own in moto.
type emulated struct {
	*wakeaws.Waker
	sqs       *sqs.Client
	scheduler *scheduler.Client
	queueURL  string
	queueARN  string
	group     string
}

func newEmulated(t *testing.T) *emulated {
	t.Helper()
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: aws.String(motolocal.Start(t)), Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
	e := &emulated{sqs: sqs.NewFromConfig(cfg), scheduler: scheduler.NewFromConfig(cfg), group: "wake-" + rand.Text()}
	queue, err := e.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &e.group, Attributes: map[string]string{"VisibilityTimeout": "60"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.scheduler.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: &e.group}); err != nil {
		t.Fatal(err)
	}
	e.queueURL = *queue.QueueUrl
	e.queueARN = "arn:aws:sqs:eu-central-1:123456789012:" + e.group
	e.Waker = wakeaws.New(wakeaws.Config{SQS: e.sqs, Scheduler: e.scheduler, QueueURL: e.queueURL, QueueARN: e.queueARN,
		RoleARN: "arn:aws:iam::123456789012:role/wake", Group: e.group})
	return e
}

// consume plays the event source mapping until the test ends: what fails becomes visible again.
func (e *emulated) consume(t *testing.T, handle wake.Handler) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	t.Cleanup(func() { cancel(); done.Wait() })
	done.Go(func() {
		for ctx.Err() == nil {
			out, err := e.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &e.queueURL, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("receive: %v", err)
				}
				return
			}
			for _, m := range out.Messages {
				if e.Receive(ctx, *m.Body, handle) == nil {
					_, err = e.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &e.queueURL, ReceiptHandle: m.ReceiptHandle})
				} else {
					err = e.Return(ctx, *m.ReceiptHandle, 1)
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("finish a message: %v", err)
				}
			}
		}
	})
}

func TestConformanceOnMoto(t *testing.T) {
	waketest.Run(t, func(t *testing.T, handle wake.Handler) wake.Waker {
		e := newEmulated(t)
		e.consume(t, handle)
		return e
	})
}

// schedules are those of the group: expression, zone and key.
func (e *emulated) schedules(t *testing.T) (list []string) {
	t.Helper()
	out, err := e.scheduler.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{GroupName: &e.group})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.Schedules {
		got, err := e.scheduler.GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: &e.group, Name: s.Name})
		if err != nil {
			t.Fatal(err)
		}
		if *got.Target.Arn != e.queueARN || *got.Target.RoleArn != "arn:aws:iam::123456789012:role/wake" ||
			got.FlexibleTimeWindow.Mode != schedulertypes.FlexibleTimeWindowModeOff || got.State != schedulertypes.ScheduleStateEnabled ||
			got.ActionAfterCompletion != schedulertypes.ActionAfterCompletionDelete {
			t.Errorf("schedule %+v", got)
		}
		// Late hints are sent on when they come early, repeated ones are handled at once.
		key := "sent on"
		if err := e.Receive(t.Context(), *got.Target.Input, func(_ context.Context, k string) error { key = k; return nil }); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(*got.ScheduleExpression, " ", *got.ScheduleExpressionTimezone, " ", key))
	}
	slices.Sort(list)
	return list
}

func TestSchedulesOnMoto(t *testing.T) {
	e := newEmulated(t)
	repeat := func(key, expr string, want bool) {
		t.Helper()
		s, err := cron.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Repeat(t.Context(), key, s); err != nil || got != want {
			t.Fatalf("repeat %s: %v, %v", expr, got, err)
		}
	}
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	for range 2 { // again changes nothing
		if err := e.Wake(t.Context(), wake.Hint{At: at, Key: "m/acct/1"}); err != nil {
			t.Fatal(err)
		}
		repeat("r/acct/a@1", "CRON_TZ=Europe/Berlin 0 9 13 * 5", true)
	}
	// Often enough for SQS, and not as Scheduler does it.
	repeat("r/acct/often@1", "*/15 * * * *", false)
	repeat("r/acct/sundays@1", "CRON_TZ=America/New_York 0 * * * 0", false)
	late := "at(" + at.Add(-2*time.Minute).UTC().Format("2006-01-02T15:04:05") + ") UTC sent on"
	if got, want := e.schedules(t), []string{late, "cron(0 9 13 * ? *) Europe/Berlin r/acct/a@1", "cron(0 9 ? * 6 *) Europe/Berlin r/acct/a@1"}; !slices.Equal(got, want) {
		t.Errorf("schedules %q, want %q", got, want)
	}
	for range 2 {
		if err := e.Cease(t.Context(), "r/acct/a@1"); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.schedules(t); !slices.Equal(got, []string{late}) {
		t.Errorf("schedules %q", got)
	}
}

func TestMissingQueueIsAnError(t *testing.T) {
	e := newEmulated(t)
	lost := wakeaws.New(wakeaws.Config{SQS: e.sqs, Scheduler: e.scheduler, QueueURL: e.queueURL + "-gone", Group: e.group})
	var missing *sqstypes.QueueDoesNotExist
	if err := lost.Wake(t.Context(), wake.Hint{Key: "m/acct/1"}); !errors.As(err, &missing) {
		t.Error(err)
	}
}

// Without Return the message would be hidden for the 60 seconds of the queue's visibility timeout, on AWS
// for 90 minutes.
func TestFailedWakeUpIsReturnedWithinSeconds(t *testing.T) {
	e := newEmulated(t)
	if err := e.Wake(t.Context(), wake.Hint{Key: "m/acct/1"}); err != nil {
		t.Fatal(err)
	}
	hidden := func(receives int) time.Duration {
		t.Helper()
		out, err := e.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &e.queueURL, WaitTimeSeconds: 20})
		if err != nil || len(out.Messages) != 1 {
			t.Fatalf("%d messages, %v", len(out.Messages), err)
		}
		began := time.Now()
		if err := e.Return(t.Context(), *out.Messages[0].ReceiptHandle, receives); err != nil {
			t.Fatal(err)
		}
		for {
			out, err := e.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &e.queueURL,
				AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages}})
			if err != nil {
				t.Fatal(err)
			}
			if out.Attributes[string(sqstypes.QueueAttributeNameApproximateNumberOfMessages)] == "1" {
				return time.Since(began)
			}
			if time.Since(began) > 30*time.Second {
				t.Fatal("a returned wake-up is still hidden")
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if first, second := hidden(1), hidden(2); first < time.Second || second < 3*time.Second {
		t.Errorf("hidden for %v, then %v, want about 2 and 4 seconds", first, second)
	}
}
