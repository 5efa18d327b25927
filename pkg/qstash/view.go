package qstash

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/store"
)

// Message is a message as clients see it. Times and timeouts are in milliseconds, periods in seconds.
type Message struct {
	MessageID             string   `json:"messageId"`
	URL                   string   `json:"url"`
	Topic                 string   `json:"topicName,omitempty"`
	Endpoint              string   `json:"endpointName,omitempty"`
	Method                string   `json:"method"`
	Header                Header   `json:"header,omitempty"`
	Body                  string   `json:"body,omitempty"`
	BodyBase64            []byte   `json:"bodyBase64,omitempty"`
	MaxRetries            int      `json:"maxRetries"`
	RetryDelayExpression  string   `json:"retryDelayExpression,omitempty"`
	NotBefore             int64    `json:"notBefore"`
	CreatedAt             int64    `json:"createdAt"`
	Callback              string   `json:"callback,omitempty"`
	CallbackHeader        Header   `json:"callbackHeader,omitempty"`
	FailureCallback       string   `json:"failureCallback,omitempty"`
	FailureCallbackHeader Header   `json:"failureCallbackHeader,omitempty"`
	Queue                 string   `json:"queueName,omitempty"`
	ScheduleID            string   `json:"scheduleId,omitempty"`
	CallerIP              string   `json:"callerIP,omitempty"`
	Label                 string   `json:"label,omitempty"` // the first of Labels
	Labels                []string `json:"labels,omitempty"`
	FlowKey               string   `json:"flowControlKey,omitempty"`
	Parallelism           int      `json:"parallelism,omitempty"`
	Rate                  int      `json:"rate,omitempty"`
	Period                int64    `json:"period,omitempty"`
	Timeout               int64    `json:"timeout,omitempty"` // ms

	WorkflowRunID     string `json:"workflowRunId,omitempty"`
	WorkflowURL       string `json:"workflowUrl,omitempty"`
	WorkflowCreatedAt int64  `json:"workflowCreatedAt,omitempty"`
}

// view shows a message; body is nil to leave it out.
func (m *message) view(body []byte) Message {
	r := &m.rec
	v := Message{
		MessageID:            m.id,
		URL:                  r.URL,
		Topic:                r.Topic,
		Endpoint:             r.Endpoint,
		Method:               r.method(),
		Header:               r.Redact.header(r.Header),
		MaxRetries:           r.maxRetries(),
		RetryDelayExpression: r.RetryDelay,
		NotBefore:            r.NotBefore.UnixMilli(),
		CreatedAt:            r.CreatedAt.UnixMilli(),
		Queue:                r.Queue,
		ScheduleID:           r.ScheduleID,
		CallerIP:             r.CallerIP,
		Labels:               r.Labels,
		Timeout:              r.Timeout.Milliseconds(),
	}
	v.Body, v.BodyBase64 = split(r.Redact.body(body))
	if len(r.Labels) > 0 {
		v.Label = r.Labels[0]
	}
	if r.Callback != nil {
		v.Callback, v.CallbackHeader = r.Callback.URL, r.Redact.header(r.Callback.Header)
	}
	if r.FailureCallback != nil {
		v.FailureCallback, v.FailureCallbackHeader = r.FailureCallback.URL, r.Redact.header(r.FailureCallback.Header)
	}
	if f := r.Flow; f != nil {
		v.FlowKey, v.Parallelism, v.Rate = f.Key, f.Parallelism, f.Rate
		v.Period = int64(cmp.Or(f.Period, time.Second) / time.Second)
	}
	if w := r.Workflow; w != nil {
		v.WorkflowRunID, v.WorkflowURL = w.RunID, w.URL
		if !w.CreatedAt.IsZero() {
			v.WorkflowCreatedAt = w.CreatedAt.UnixMilli()
		}
	}
	return v
}

// finishedReadable is how long a finished message can still be read: clients look at a
// message that they have just published, when it may have been delivered already.
const finishedReadable = time.Minute

// Message reads a message that is not finished, or has not been for long.
func (e *Engine) Message(ctx context.Context, acct, id string) (Message, error) {
	m, err := e.readMessage(ctx, acct, id)
	if err != nil {
		return Message{}, err
	}
	if m == nil || m.state.finished() && e.now().Sub(time.UnixMilli(m.attrs.Get(attrFinished).Num())) > finishedReadable {
		return Message{}, notFound("message %s not found", id)
	}
	body, err := e.body(ctx, m)
	if err != nil {
		return Message{}, err
	}
	return m.view(body), nil
}

// Schedule is a schedule as clients see it. Times and timeouts are in milliseconds, delays and periods in seconds.
type Schedule struct {
	ScheduleID           string            `json:"scheduleId"`
	Cron                 string            `json:"cron"`
	CreatedAt            int64             `json:"createdAt"`
	Destination          string            `json:"destination"`
	Method               string            `json:"method"`
	Header               Header            `json:"header,omitempty"`
	Body                 string            `json:"body,omitempty"`
	BodyBase64           []byte            `json:"bodyBase64,omitempty"`
	Retries              int               `json:"retries"`
	RetryDelayExpression string            `json:"retryDelayExpression,omitempty"`
	Delay                int64             `json:"delay,omitempty"`
	Timeout              int64             `json:"timeout,omitempty"` // ms
	Callback             string            `json:"callback,omitempty"`
	FailureCallback      string            `json:"failureCallback,omitempty"`
	CallerIP             string            `json:"callerIP,omitempty"`
	CallerIp             string            `json:"callerIp,omitempty"` // the same: clients differ
	Paused               bool              `json:"isPaused"`
	Queue                string            `json:"queueName,omitempty"`
	FlowKey              string            `json:"flowControlKey,omitempty"`
	Parallelism          int               `json:"parallelism,omitempty"`
	Rate                 int               `json:"rate,omitempty"`
	Period               int64             `json:"period,omitempty"`
	Label                string            `json:"label,omitempty"`
	Labels               []string          `json:"labels,omitempty"`
	Missed               Missed            `json:"missed"` // not one of Upstash's fields
	LastTime             int64             `json:"lastScheduleTime,omitempty"`
	NextTime             int64             `json:"nextScheduleTime"`
	LastStates           map[string]string `json:"lastScheduleStates,omitempty"` // by message id: IN_PROGRESS, SUCCESS or FAIL
}

// Schedule reads a schedule.
func (e *Engine) Schedule(ctx context.Context, acct, id string) (Schedule, error) {
	s, err := e.readSchedule(ctx, acct, id)
	if err != nil {
		return Schedule{}, err
	}
	if s == nil {
		return Schedule{}, notFound("schedule %s not found", id)
	}
	return e.scheduleView(ctx, acct, s)
}

func (e *Engine) scheduleView(ctx context.Context, acct string, s *schedule) (Schedule, error) {
	body, err := e.scheduleBody(ctx, acct, s)
	if err != nil {
		return Schedule{}, err
	}
	// What a schedule and its messages have in common is shown alike.
	m := message{rec: record{Options: s.Options}}
	same := m.view(body)
	v := Schedule{
		ScheduleID: s.id, Cron: s.Cron, CreatedAt: s.CreatedAt.UnixMilli(), Destination: s.Destination,
		Method: same.Method, Header: same.Header, Body: same.Body, BodyBase64: same.BodyBase64,
		Retries: same.MaxRetries, RetryDelayExpression: same.RetryDelayExpression,
		Delay: int64(s.Delay / time.Second), Timeout: same.Timeout,
		Callback: same.Callback, FailureCallback: same.FailureCallback,
		CallerIP: s.CallerIP, CallerIp: s.CallerIP, Paused: s.Paused, Queue: s.Queue,
		FlowKey: same.FlowKey, Parallelism: same.Parallelism, Rate: same.Rate, Period: same.Period,
		Label: same.Label, Labels: same.Labels,
		NextTime: s.Next.UnixMilli(), Missed: cmp.Or(s.Missed, MissedSkip),
	}
	if now := e.now(); s.Paused && !s.Next.After(now) { // its times pass all the same
		parsed, err := cron.Parse(s.Cron)
		if err != nil {
			return Schedule{}, fmt.Errorf("schedule %s: %w", s.id, err)
		}
		v.NextTime = parsed.Next(now).UnixMilli()
	}
	if !s.Last.IsZero() {
		v.LastTime = s.Last.UnixMilli()
		v.LastStates = map[string]string{}
		for _, id := range s.LastIDs {
			m, err := e.readMessage(ctx, acct, id)
			if err != nil {
				return Schedule{}, err
			}
			switch {
			case m == nil:
			case m.state == stateDelivered:
				v.LastStates[id] = "SUCCESS"
			case m.state.finished():
				v.LastStates[id] = "FAIL"
			default:
				v.LastStates[id] = "IN_PROGRESS"
			}
		}
	}
	return v, nil
}

// Schedules lists the schedules.
func (e *Engine) Schedules(ctx context.Context, acct string) ([]Schedule, error) {
	list := []Schedule{}
	err := e.each(ctx, store.Query{Partition: part("s", acct)}, func(it store.Item) (bool, error) {
		s, err := parseSchedule(it.Key.Sort, it.Attrs)
		if err != nil {
			return false, err
		}
		v, err := e.scheduleView(ctx, acct, s)
		list = append(list, v)
		return true, err
	})
	return list, err
}

// GlobalParallelism is how many attempts of an account are under way, and how many may
// be. The number is a snapshot, counted when it is asked for.
type GlobalParallelism struct {
	Max   int `json:"parallelismMax"`
	Count int `json:"parallelismCount"`
}

// GlobalParallelism counts the attempts under way.
func (e *Engine) GlobalParallelism(ctx context.Context, acct string) (GlobalParallelism, error) {
	g := GlobalParallelism{Max: e.limits.Parallelism}
	err := e.live(ctx, acct, func(m *message) (bool, error) {
		if m.state == stateActive {
			g.Count++
		}
		return true, nil
	})
	return g, err
}
