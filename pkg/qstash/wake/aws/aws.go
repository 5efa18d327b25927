// Package aws is a wake.Waker on Amazon SQS and EventBridge Scheduler.
//
// A hint becomes a message of one queue, whose consumer gives it to [Waker.Receive].
// SQS delays a message by up to 15 minutes, to the second. A later hint becomes a
// schedule that deletes itself when it has fired: Scheduler sends the message within
// the minute that it is told, so it is told one that ends before the time, and SQS
// delays the rest. The queue must be a standard one; what it does not get rid of goes
// to its dead letter queue and is found by the engine's sweep all the same.
//
// A cron schedule becomes one schedule, or two, with the same times, written as
// [cron.Schedule.Translate] does; Scheduler sends their messages within the minute. It is left
// to hints if it is due so often that the delays of SQS suffice, which cost less and are to
// the second, or if Scheduler would not do the same as unix where clocks change. Where
// Scheduler runs what falls into a repeated hour at the second occurrence instead
// of the first (its documentation says only: once), the engine's sweep is first.
//
// # Calls
//
//	a hint of at most 15 minutes   SendMessageBatch, 10 hints a call
//	a later one                    CreateSchedule; when it fires, SendMessageBatch
//	a repeated one                 CreateSchedule, once; DeleteSchedule to end it
//	one whose call has failed      ChangeMessageVisibility
package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
)

const (
	// maxDelay is the longest delay of an SQS message.
	maxDelay = 15 * time.Minute
	// lead is how long before its time a schedule fires: within a minute, and some
	// seconds for what comes after.
	lead = 2 * time.Minute
	// batchSize is how many messages one call takes.
	batchSize = 10
)

// Config is what a Waker needs.
type Config struct {
	SQS       *sqs.Client
	Scheduler *scheduler.Client
	QueueURL  string
	QueueARN  string           // of the same queue, for Scheduler
	RoleARN   string           // that Scheduler sends messages with
	Group     string           // of the schedules
	Now       func() time.Time // nil: time.Now
}

// Waker is a wake.Waker; it is safe for concurrent use.
type Waker struct{ cfg Config }

// New makes a Waker.
func New(cfg Config) *Waker {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Waker{cfg}
}

// message is the body of an SQS message.
type message struct {
	Key string `json:"key"`
	At  int64  `json:"at"` // Unix milliseconds
}

func encode(h wake.Hint) (string, error) {
	if len(h.Key) > wake.MaxKey {
		return "", fmt.Errorf("wake-up with a key of %d bytes", len(h.Key))
	}
	text, err := json.Marshal(message{h.Key, max(0, h.At.UnixMilli())})
	return string(text), err
}

// Wake implements wake.Waker.
func (w *Waker) Wake(ctx context.Context, hints ...wake.Hint) error {
	now := w.cfg.Now()
	var soon []wake.Hint
	var errs []error
	for _, h := range hints {
		if h.At.Sub(now) <= maxDelay {
			soon = append(soon, h)
		} else if err := w.schedule(ctx, h); err != nil {
			errs = append(errs, err)
		}
	}
	for len(soon) > 0 {
		n := min(len(soon), batchSize)
		if err := w.send(ctx, soon[:n], now); err != nil {
			errs = append(errs, err)
		}
		soon = soon[n:]
	}
	return errors.Join(errs...)
}

// send sends up to batchSize hints.
func (w *Waker) send(ctx context.Context, hints []wake.Hint, now time.Time) error {
	entries := make([]sqstypes.SendMessageBatchRequestEntry, len(hints))
	for i, h := range hints {
		body, err := encode(h)
		if err != nil {
			return err
		}
		id := strconv.Itoa(i)
		// Rounded up: a message that is early only has to be sent again.
		delay := max(0, (h.At.Sub(now)+time.Second-1)/time.Second)
		entries[i] = sqstypes.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body, DelaySeconds: int32(delay)}
	}
	out, err := w.cfg.SQS.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &w.cfg.QueueURL, Entries: entries})
	if err != nil {
		return fmt.Errorf("sending %d wake-ups: %w", len(hints), err)
	}
	if len(out.Failed) > 0 {
		reason := ""
		if out.Failed[0].Message != nil {
			reason = *out.Failed[0].Message
		}
		return fmt.Errorf("send wake-ups: %d of %d failed, the first: %s", len(out.Failed), len(hints), reason)
	}
	return nil
}

// schedule makes a schedule that sends a hint once. A hint that has one already needs
// no other: the name follows from the hint.
func (w *Waker) schedule(ctx context.Context, h wake.Hint) error {
	body, err := encode(h)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(body))
	return w.create(ctx, hex.EncodeToString(sum[:]), body, cron.Expression{
		Cron: "at(" + h.At.Add(-lead).UTC().Format("2006-01-02T15:04:05") + ")", Zone: "UTC"})
}

// create makes a schedule, unless there is one of its name, which is the same.
func (w *Waker) create(ctx context.Context, name, body string, when cron.Expression) error {
	_, err := w.cfg.Scheduler.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
		Name:                       &name,
		GroupName:                  &w.cfg.Group,
		ScheduleExpression:         &when.Cron,
		ScheduleExpressionTimezone: &when.Zone,
		ActionAfterCompletion:      schedulertypes.ActionAfterCompletionDelete,
		FlexibleTimeWindow:         &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
		Target:                     &schedulertypes.Target{Arn: &w.cfg.QueueARN, RoleArn: &w.cfg.RoleARN, Input: &body},
	})
	var conflict *schedulertypes.ConflictException
	if err != nil && !errors.As(err, &conflict) {
		return fmt.Errorf("scheduling a wake-up: %w", err)
	}
	return nil
}

// Repeat implements wake.Waker.
func (w *Waker) Repeat(ctx context.Context, key string, s *cron.Schedule) (bool, error) {
	if s.Within(maxDelay) {
		return false, nil
	}
	exprs, ok := s.Translate(w.cfg.Now())
	if !ok || len(exprs) > maxRepeats {
		return false, nil
	}
	body, err := encode(wake.Hint{Key: key, At: time.UnixMilli(0)})
	if err != nil {
		return false, err
	}
	for i, expr := range exprs {
		if err := w.create(ctx, repeatName(key, i), body, expr); err != nil {
			return false, err
		}
	}
	return true, nil
}

// maxRepeats bounds the schedules that repeat one hint: one for days of the month, one
// for days of the week.
const maxRepeats = 2

// repeatName names the n-th schedule that repeats a hint.
func repeatName(key string, n int) string {
	sum := sha256.Sum256([]byte(key))
	return "repeat-" + hex.EncodeToString(sum[:24]) + "-" + strconv.Itoa(n)
}

// Cease implements wake.Waker.
func (w *Waker) Cease(ctx context.Context, key string) error {
	for n := range maxRepeats {
		name := repeatName(key, n)
		_, err := w.cfg.Scheduler.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &name, GroupName: &w.cfg.Group})
		var missing *schedulertypes.ResourceNotFoundException
		if err != nil && !errors.As(err, &missing) {
			return fmt.Errorf("ending a repeated wake-up: %w", err)
		}
	}
	return nil
}

// Receive handles the body of a message of the queue. A hint that has come early, as
// Scheduler's do, is sent on. After an error the message must be received again.
func (w *Waker) Receive(ctx context.Context, body string, handle wake.Handler) error {
	var m message
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.Key == "" {
		return fmt.Errorf("malformed wake-up message %.100q", body)
	}
	if at := time.UnixMilli(m.At); at.After(w.cfg.Now()) {
		return w.Wake(ctx, wake.Hint{At: at, Key: m.Key})
	}
	return handle(ctx, m.Key)
}

// Failed calls come again after firstReturn, then twice that, and so on up to lastReturn.
const (
	firstReturn = 2 * time.Second
	lastReturn  = time.Minute
)

// Return lets a message be received again soon, whose call has failed. Otherwise it would be hidden for
// the queue's visibility timeout, which is longer than the longest call. receives is how often
// it has been received so far; SQS counts that.
func (w *Waker) Return(ctx context.Context, receipt string, receives int) error {
	pause := lastReturn
	if receives < 6 {
		pause = min(firstReturn<<max(0, receives-1), lastReturn)
	}
	_, err := w.cfg.SQS.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &w.cfg.QueueURL, ReceiptHandle: &receipt, VisibilityTimeout: int32(pause / time.Second)})
	if err != nil {
		return fmt.Errorf("returning a wake-up: %w", err)
	}
	return nil
}
