package qstash

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// FlowControl is the state of a flow control key. Times and periods are in seconds.
type FlowControl struct {
	Key               string `json:"flowControlKey"`
	WaitListSize      int64  `json:"waitListSize"`
	ParallelismMax    int64  `json:"parallelismMax"`
	ParallelismCount  int64  `json:"parallelismCount"`
	RateMax           int64  `json:"rateMax"`
	RateCount         int64  `json:"rateCount"`
	RatePeriod        int64  `json:"ratePeriod"`
	RatePeriodStart   int64  `json:"ratePeriodStart"`
	Paused            bool   `json:"isPaused"`
	PinnedParallelism bool   `json:"isPinnedParallelism"`
	PinnedRate        bool   `json:"isPinnedRate"`
}

// FlowControl reads the state of a key.
func (e *Engine) FlowControl(ctx context.Context, acct, key string) (FlowControl, error) {
	if key == "" || len(key) > maxFlowKey {
		return FlowControl{}, notFound("flow control key not found")
	}
	f, err := e.readFlow(ctx, acct, key)
	if err != nil {
		return FlowControl{}, err
	}
	if f.attrs == nil {
		return FlowControl{}, notFound("flow control key not found")
	}
	return f.view(e.now()), nil
}

func (f flow) view(now time.Time) FlowControl {
	v := FlowControl{
		Key:               f.key,
		WaitListSize:      f.num(flowWaiting),
		ParallelismMax:    f.num(flowParallelism),
		ParallelismCount:  f.num(flowRunning),
		RateMax:           f.num(flowRate),
		RateCount:         f.num(flowStarted),
		RatePeriod:        f.num(flowPeriod),
		RatePeriodStart:   f.num(flowWindow) / 1000,
		Paused:            f.num(flowPaused) != 0,
		PinnedParallelism: f.num(flowPinP) != 0,
		PinnedRate:        f.num(flowPinR) != 0,
	}
	if !now.Before(f.windowEnd()) {
		v.RateCount = 0
	}
	return v
}

// FlowControls lists the keys that contain a text.
func (e *Engine) FlowControls(ctx context.Context, acct, search string) ([]FlowControl, error) {
	list := []FlowControl{}
	now := e.now()
	err := e.each(ctx, store.Query{Partition: part("f", acct)}, func(it store.Item) (bool, error) {
		if strings.Contains(it.Key.Sort, search) {
			list = append(list, flow{acct, it.Key.Sort, it.Attrs}.view(now))
		}
		return true, nil
	})
	sort.Slice(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	return list, err
}

// PauseFlow sends the messages of a key to the waitlist, or, with paused false, no more.
func (e *Engine) PauseFlow(ctx context.Context, acct, key string, paused bool) error {
	edit := store.Remove(flowPaused)
	if paused {
		edit = store.Set(flowPaused, store.Int(1))
	}
	return e.changeFlow(ctx, acct, key, edit)
}

// PinFlow sets limits and pins them: messages do not change them any more. A nil limit stays as it
// is.
func (e *Engine) PinFlow(ctx context.Context, acct, key string, parallelism, rate *int, period time.Duration) error {
	var edits []store.Edit
	if parallelism != nil {
		if *parallelism < 1 {
			return invalid("parallelism must be positive")
		}
		edits = append(edits, store.Set(flowParallelism, store.Int(int64(*parallelism))), store.Set(flowPinP, store.Int(1)))
	}
	if rate != nil {
		if *rate < 1 {
			return invalid("rate must be positive")
		}
		if period == 0 {
			period = time.Second
		}
		if period < time.Second || period > maxPeriod {
			return invalid("period must be between 1 second and 7 days")
		}
		edits = append(edits, store.Set(flowRate, store.Int(int64(*rate))), store.Set(flowPeriod, store.Int(int64(period/time.Second))),
			store.Set(flowPinR, store.Int(1)), store.Set(flowStarted, store.Int(0)), store.Set(flowWindow, store.Int(0)))
	}
	if len(edits) == 0 {
		return invalid("at least one of parallelism and rate must be given")
	}
	return e.changeFlow(ctx, acct, key, edits...)
}

// UnpinFlow lets messages change limits again; until one does they stay as they are.
func (e *Engine) UnpinFlow(ctx context.Context, acct, key string, parallelism, rate bool) error {
	var edits []store.Edit
	if parallelism {
		edits = append(edits, store.Remove(flowPinP))
	}
	if rate {
		edits = append(edits, store.Remove(flowPinR))
	}
	if len(edits) == 0 {
		return invalid("at least one of parallelism and rate must be true")
	}
	return e.changeFlow(ctx, acct, key, edits...)
}

// ResetRate starts a new period.
func (e *Engine) ResetRate(ctx context.Context, acct, key string) error {
	return e.changeFlow(ctx, acct, key, store.Set(flowStarted, store.Int(0)), store.Set(flowWindow, store.Int(e.now().UnixMilli())))
}

func (e *Engine) changeFlow(ctx context.Context, acct, key string, edits ...store.Edit) error {
	if key == "" || len(key) > maxFlowKey {
		return notFound("flow control key not found")
	}
	_, err := e.store.Apply(ctx, store.Update(flowKey(acct, key), store.Exists(flowPeriod), edits...))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		return notFound("flow control key not found")
	}
	if err != nil {
		return fmt.Errorf("changing a flow control key: %w", err)
	}
	e.wake(ctx, hint(e.now(), dueFlow, acct, key))
	return nil
}
