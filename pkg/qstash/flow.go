package qstash

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a flow control key's item.
const (
	flowParallelism = "m"  // 0: no limit
	flowRate        = "r"  // 0: no limit
	flowPeriod      = "d"  // s
	flowRunning     = "n"  // attempts under way
	flowStarted     = "c"  // attempts started in the window
	flowWindow      = "w"  // ms: when the window began
	flowWaiting     = "l"  // messages in the waitlist
	flowPaused      = "z"  // 1: paused
	flowPinP        = "pp" // 1: the parallelism is pinned
	flowPinR        = "pr" // 1: rate and period are
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

// checkAgain is the longest time between two looks at a waitlist.
const checkAgain = time.Minute

// nextCheck returns when to look at a waitlist again: at the end of the rate's period, until, if
// that comes first. Other times are rounded to 15 seconds, so that many messages share one due
// entry.
func nextCheck(now, until time.Time) time.Time {
	check := now.Add(checkAgain).Truncate(checkAgain / 4)
	if !until.IsZero() && until.Before(check) {
		return until
	}
	return check
}

// flow is a flow control key's item as it was read.
type flow struct {
	acct, key string
	attrs     store.Attrs
}

func (f flow) num(name string) int64 { return f.attrs.Get(name).Num() }

func (f flow) windowEnd() time.Time {
	return time.UnixMilli(f.num(flowWindow) + 1000*f.num(flowPeriod))
}

// limited reports whether an attempt has to wait. while is the condition under which it still has
// to. until is the end of the rate's window, zero if the attempt waits for something else.
func (f flow) limited(now time.Time) (wait bool, while store.Cond, until time.Time) {
	p, r := f.num(flowParallelism), f.num(flowRate)
	switch {
	case f.num(flowPaused) != 0:
		return true, store.Eq(flowPaused, store.Int(1)), time.Time{}
	case p > 0 && f.num(flowRunning) >= p:
		return true, store.And{store.Ge(flowRunning, store.Int(p)), f.unchanged(flowParallelism)}, time.Time{}
	case r > 0 && f.num(flowStarted) >= r && now.Before(f.windowEnd()):
		return true, store.And{f.unchanged(flowStarted), f.unchanged(flowWindow), f.unchanged(flowRate), f.unchanged(flowPeriod)}, f.windowEnd()
	}
	return false, nil, time.Time{}
}

func (f flow) unchanged(name string) store.Cond { return store.Same(name, f.attrs.Get(name)) }

// takeOp counts an attempt, provided that the limits allow it.
func (f flow) takeOp(now time.Time, fromWaitlist bool) store.Op {
	cond := store.And{f.unchanged(flowParallelism), f.unchanged(flowRate), f.unchanged(flowPeriod), f.unchanged(flowWindow), store.Ne(flowPaused, store.Int(1))}
	if p := f.num(flowParallelism); p > 0 {
		cond = append(cond, store.Or{store.Absent(flowRunning), store.Lt(flowRunning, store.Int(p))})
	}
	edits := []store.Edit{store.Add(flowRunning, flowRunning, 1)}
	if !now.Before(f.windowEnd()) {
		edits = append(edits, store.Set(flowWindow, store.Int(now.UnixMilli())), store.Set(flowStarted, store.Int(1)))
	} else {
		if r := f.num(flowRate); r > 0 {
			cond = append(cond, store.Or{store.Absent(flowStarted), store.Lt(flowStarted, store.Int(r))})
		}
		edits = append(edits, store.Add(flowStarted, flowStarted, 1))
	}
	if fromWaitlist {
		edits = append(edits, store.Add(flowWaiting, flowWaiting, -1))
	}
	return store.Update(flowKey(f.acct, f.key), cond, edits...)
}

func releaseSlotOp(acct, key string) store.Op {
	return store.Update(flowKey(acct, key), nil, store.Add(flowRunning, flowRunning, -1))
}

func (e *Engine) readFlow(ctx context.Context, acct, key string) (flow, error) {
	attrs, err := e.store.Get(ctx, flowKey(acct, key))
	if err != nil {
		return flow{}, fmt.Errorf("reading a flow control key: %w", err)
	}
	return flow{acct, key, attrs}, nil
}

// touchFlow creates a message's flow control key, or sets its limits to the message's
// where they are not pinned.
func (e *Engine) touchFlow(ctx context.Context, acct string, want *Flow) error {
	if want == nil {
		return nil
	}
	return e.contend(ctx, func(ctx context.Context) error {
		f, err := e.readFlow(ctx, acct, want.Key)
		if err != nil {
			return err
		}
		period := int64(max(want.Period, time.Second) / time.Second)
		var edits []store.Edit
		set := func(name string, to int64) {
			if f.attrs.Get(name).IsZero() || f.num(name) != to {
				edits = append(edits, store.Set(name, store.Int(to)))
			}
		}
		if f.num(flowPinP) == 0 {
			set(flowParallelism, int64(want.Parallelism))
		}
		if f.num(flowPinR) == 0 {
			set(flowRate, int64(want.Rate))
			set(flowPeriod, period)
		}
		if len(edits) == 0 {
			return nil
		}
		// A pin that comes in between is not overwritten.
		cond := store.And{f.unchanged(flowPinP), f.unchanged(flowPinR)}
		_, err = e.store.Apply(ctx, store.Update(flowKey(acct, want.Key), cond, edits...))
		if err != nil {
			return err
		}
		if f.num(flowWaiting) > 0 {
			e.wake(ctx, hint(e.now(), dueFlow, acct, want.Key)) // they may allow more than before
		}
		return nil
	}, "setting the limits of a flow control key")
}

// claimSlot claims a due message if its flow control key allows, or puts it into the
// key's waitlist.
func (e *Engine) claimSlot(ctx context.Context, m *message) (*message, error) {
	unlock, err := e.lock(ctx, "f", m.acct, m.rec.Flow.Key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var claimed *message
	var noted time.Time
	attempts := 0
	err = e.contendAs(ctx, e.flowRetry(m.acct, m.rec.Flow.Key), func(ctx context.Context) error {
		attempts++
		f, err := e.readFlow(ctx, m.acct, m.rec.Flow.Key)
		if err != nil {
			return err
		}
		now := e.now()
		listed := m.attrs.Has(attrWait)
		wait, while, until := f.limited(now)
		if !wait && !listed && f.num(flowWaiting) > 0 {
			// Others have come before.
			wait, while = true, store.Gt(flowWaiting, store.Int(0))
			e.wake(ctx, hint(now, dueFlow, m.acct, m.rec.Flow.Key))
		}
		var retry bool
		switch {
		case !wait:
			claimed, retry, err = e.take(ctx, f, m, now)
		case !listed:
			if check := netCheck(now, until); check != noted {
				if err := e.noteCheck(ctx, m.acct, f.key, check); err != nil {
					return err
				}
				noted = check
			}
			claimed, retry, err = e.joinWaitlist(ctx, f, m, while, until)
		default:
			if !until.IsZero() {
				e.wake(ctx, hint(until, dueFlow, m.acct, m.rec.Flow.Key))
			}
		}
		if err == nil && retry {
			return errChanged
		}
		return err
	}, "claiming message %s", m.id)
	if claimed != nil {
		claimed.crowded = attempts > 1
	}
	return claimed, err
}

// flowRetry is what transactions on a flow control key do that have met others there: they go one after the other.
func (e *Engine) flowRetry(acct, key string) store.Retry {
	policy := e.retry
	policy.Ticket = func(ctx context.Context) (time.Duration, error) {
		return store.Tickets{Store: e.store, Now: e.now}.Take(ctx, ticketPartition(acct, key))
	}
	return policy
}

// commitAtFlow commits operations, one of which may be on a message's flow control key. Commits to a key happen one
// after the other in this process. A message whose claim has met other processes at the key expects them there again.
func (e *Engine) commitAtFlow(ctx context.Context, m *message, ops []store.Op) error {
	if !m.attrs.Has(attrSlot) && !m.attrs.Has(attrWait) {
		return e.store.Commit(ctx, ops)
	}
	unlock, err := e.lock(ctx, "f", m.acct, m.rec.Flow.Key)
	if err != nil {
		return err
	}
	defer unlock()
	attempts := e.flowRetry(m.acct, m.rec.Flow.Key).Begin()
	if m.crowded {
		if err := attempts.Wait(ctx, store.ErrConflict); err != nil {
			return err
		}
	}
	for {
		err := e.store.Commit(store.NoRepeat(ctx), ops)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		if err := attempts.Wait(ctx, err); err != nil {
			return err
		}
	}
}

// take claims a message together with a slot. retry says that the key has changed.
func (e *Engine) take(ctx context.Context, f flow, m *message, now time.Time) (claimed *message, retry bool, err error) {
	wait := m.attrs.Get(attrWait)
	edits := append(e.claimEdits(now), store.Set(attrSlot, store.Int(1)))
	cond := store.And{store.Eq(attrState, store.Int(int64(stateWaiting))), store.Eq(attrAt, m.attrs.Get(attrAt))}
	ops := []store.Op{f.takeOp(now, !wait.IsZero())}
	next := m.due
	moved := false
	if !wait.IsZero() {
		cond = append(cond, store.Eq(attrWait, wait))
		edits = append(edits, store.Remove(attrWait))
		ops = append(ops, store.Delete(store.Key{Partition: waitPartition(m.acct, f.key), Sort: wait.Str()}, nil))
		if m.rec.Queue == "" {
			next, moved = dueSort(now, dueMessage, m.id), true
			edits = append(edits, store.Set(attrDue, store.Bytes(next)))
			ops = append(ops, store.Put(dueKey(m.acct, shardOf(m.id), next), m.rec.dueAttrs(), nil))
		}
	} else {
		cond = append(cond, store.Absent(attrWait))
	}
	ops = append(ops, store.Update(m.key(), cond, edits...))
	err = e.store.Commit(store.NoRepeat(ctx), ops)
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		if ce.Index == len(ops)-1 { // the message's
			claimed, err = e.overtaken(ctx, m, ce)
			return claimed, false, err
		}
		return nil, ce.Index == 0, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("claiming message %s: %w", m.id, err)
	}
	if moved {
		e.leaveDue(ctx, m)
	}
	attrs := m.attrs.With(attrSlot, store.Int(1)).Without(attrWait).With(attrDue, store.Bytes(next))
	claimed, err = e.claimed(m.acct, m.id, attrs, now)
	return claimed, false, err
}

// joinWaitlist parks a message behind its flow control key, provided that it still has to wait. claimed is the
// message if this engine has claimed it after all, see overtaken.
func (e *Engine) joinWaitlist(ctx context.Context, f flow, m *message, while store.Cond, until time.Time) (claimed *message, retry bool, err error) {
	now := e.now()
	wait := timeKey(now) + m.id
	check := nextCheck(now, until)
	edits := []store.Edit{store.Set(attrWait, store.Bytes(wait))}
	ops := []store.Op{
		store.Update(flowKey(m.acct, f.key), while, store.Add(flowWaiting, flowWaiting, 1)),
		store.Put(store.Key{Partition: waitPartition(m.acct, f.key), Sort: wait},
			m.rec.dueAttrs(store.Attr{Name: attrMessage, Value: store.Bytes(m.id)}), nil),
	}
	next := dueSort(parked, dueMessage, m.id)
	moved := m.rec.Queue == "" && m.due != next
	if moved {
		edits = append(edits, store.Set(attrDue, store.Bytes(next)))
		ops = append(ops, store.Put(dueKey(m.acct, shardOf(m.id), next), m.rec.dueAttrs(), nil))
	}
	ops = append(ops, store.Update(m.key(), store.And{
		store.Eq(attrState, store.Int(int64(stateWaiting))), store.Eq(attrAt, m.attrs.Get(attrAt)), store.Absent(attrWait)}, edits...))
	err = e.store.Commit(store.NoRepeat(ctx), ops)
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		if ce.Index == len(ops)-1 { // the message's
			claimed, err = e.overtaken(ctx, m, ce)
			return claimed, false, err
		}
		return nil, ce.Index == 0, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("parking message %s: %w", m.id, err)
	}
	if moved {
		e.leaveDue(ctx, m)
	}
	e.wake(ctx, hint(check, dueFlow, m.acct, f.key))
	return nil, false, nil
}

// netCheck is when the sweep looks at a waitlist if the wake-up at nextCheck is lost. It is far enough from now for a
// message to join the list before.
func netCheck(now, until time.Time) time.Time {
	if check := nextCheck(now, until); check != until {
		return check
	}
	return now.Add(checkAgain / 2).Truncate(checkAgain / 4)
}

// noteCheck lets the sweep look at a waitlist.
func (e *Engine) noteCheck(ctx context.Context, acct, key string, at time.Time) error {
	if _, err := e.store.Apply(ctx, store.Put(dueKey(acct, shardOf(key), dueSort(at, dueFlow, key)), store.Attrs{}, nil)); err != nil {
		return fmt.Errorf("noting when to look at a waitlist again: %w", err)
	}
	return nil
}

// leaveDue removes the due entry that a message had until it was given another one.
func (e *Engine) leaveDue(ctx context.Context, m *message) {
	if err := e.dropDue(ctx, m); err != nil {
		e.log.WarnContext(ctx, "the former due entry of a message is left to the sweep", "error", err)
	}
}

// leaveWaitlistOps takes a message out of its key's waitlist.
func (e *Engine) leaveWaitlistOps(m *message, wait string) []store.Op {
	return []store.Op{
		store.Update(flowKey(m.acct, m.rec.Flow.Key), nil, store.Add(flowWaiting, flowWaiting, -1)),
		store.Delete(store.Key{Partition: waitPartition(m.acct, m.rec.Flow.Key), Sort: wait}, nil),
	}
}

// maxPump bounds how many waiting messages one wake-up wakes.
const maxPump = 100

// pumpFlow wakes the messages that a flow control key has room for.
func (e *Engine) pumpFlow(ctx context.Context, acct, key string) error {
	f, err := e.readFlow(ctx, acct, key)
	if err != nil {
		return err
	}
	if f.num(flowWaiting) <= 0 {
		return nil
	}
	now := e.now()
	room := int64(maxPump)
	if p := f.num(flowParallelism); p > 0 {
		room = min(room, p-f.num(flowRunning))
	}
	if r := f.num(flowRate); r > 0 && now.Before(f.windowEnd()) {
		room = min(room, r-f.num(flowStarted))
	} else if r > 0 {
		room = min(room, r)
	}
	if f.num(flowPaused) != 0 {
		room = 0
	}
	var hints []wake.Hint
	waiting := false
	err = e.each(ctx, store.Query{Partition: waitPartition(acct, key), Limit: int(max(1, room))}, func(it store.Item) (bool, error) {
		waiting = true
		if int64(len(hints)) >= room {
			return false, nil
		}
		hints = append(hints, messageHint(now, true, acct, it.Attrs.Get(attrMessage).Str(), it.Attrs.Get(attrHost).Str()))
		return int64(len(hints)) < room, nil
	})
	if err != nil {
		return err
	}
	if waiting {
		_, _, until := f.limited(now)
		check := nextCheck(now, until)
		if err := e.noteCheck(ctx, acct, key, check); err != nil {
			return err
		}
		hints = append(hints, hint(check, dueFlow, acct, key))
	}
	e.wake(ctx, hints...)
	return nil
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
