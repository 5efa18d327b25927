package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/skystash/skystash/pkg/qstash"
)

// Task is an ECS task on Fargate that makes one attempt.
type Task struct {
	Definition    string // ARN of the task definition
	Container     string // name of its container
	Cluster       string // ARN
	Subnets       []string
	SecurityGroup string
}

// Names of the environment variables that tell a task what it is for.
const (
	TaskKey   = "ATTEMPT_KEY"
	TaskOwner = "ATTEMPT_OWNER"
)

// startIn is how far in the future the time of a schedule is that starts a task: Scheduler takes no times
// that have passed when it reads them.
const startIn = 15 * time.Second

// Starter is a qstash.Starter that has EventBridge Scheduler start tasks: a schedule that is due at once, and deletes itself.
// So the functions need no client of ECS, and no right to start anything. Scheduler starts the task within a minute, and tries
// again while AWS has no capacity; the task begins half a minute or so later.
type Starter struct {
	waker *Waker
	task  Task
}

// NewStarter makes a Starter.
func NewStarter(w *Waker, t Task) *Starter { return &Starter{w, t} }

// override is a part of an ECS TaskOverride.
type override struct {
	ContainerOverrides []containerOverride `json:"containerOverrides"`
}

type containerOverride struct {
	Name        string     `json:"name"`
	Environment []variable `json:"environment"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Start implements qstash.Starter.
func (s *Starter) Start(ctx context.Context, key, owner string) error {
	input, err := json.Marshal(override{[]containerOverride{{s.task.Container, []variable{{TaskKey, key}, {TaskOwner, owner}}}}})
	if err != nil {
		return fmt.Errorf("starting a task: %w", err)
	}
	sum := sha256.Sum256([]byte(owner))
	name, text := "start-"+hex.EncodeToString(sum[:24]), string(input)
	at := "at(" + s.waker.cfg.Now().Add(startIn).UTC().Format("2006-01-02T15:04:05") + ")"
	age, retries, count := int32((qstash.StartTime - time.Minute).Seconds()), int32(10), int32(1)
	_, err = s.waker.cfg.Scheduler.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
		Name:                  &name,
		GroupName:             &s.waker.cfg.Group,
		ScheduleExpression:    &at,
		ActionAfterCompletion: schedulertypes.ActionAfterCompletionDelete,
		FlexibleTimeWindow:    &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
		Target: &schedulertypes.Target{
			Arn: &s.task.Cluster, RoleArn: &s.waker.cfg.RoleARN, Input: &text,
			RetryPolicy: &schedulertypes.RetryPolicy{MaximumEventAgeInSeconds: &age, MaximumRetryAttempts: &retries},
			EcsParameters: &schedulertypes.EcsParameters{
				TaskDefinitionArn: &s.task.Definition,
				TaskCount:         &count,
				LaunchType:        schedulertypes.LaunchTypeFargate,
				NetworkConfiguration: &schedulertypes.NetworkConfiguration{AwsvpcConfiguration: &schedulertypes.AwsVpcConfiguration{
					Subnets: s.task.Subnets, SecurityGroups: []string{s.task.SecurityGroup}, AssignPublicIp: schedulertypes.AssignPublicIpEnabled,
				}},
			},
		},
	})
	if err != nil {
		return fmt.Errorf("starting a task: %w", err)
	}
	return nil
}
