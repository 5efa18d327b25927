package qstash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/store"
)

// ScheduleRequest asks for messages at the times of a cron expression.
type ScheduleRequest struct {
	ID          string // "": a new one
	Cron        string
	Destination string // URL, or name of a URL group
	Body        []byte
	Options     Options // Delay is that of each message
	Missed      Missed  // "": MissedSkip
}

// schedule is a schedule as it is stored.
type schedule struct {
	Options
	Destination string    `json:"u"`
	Cron        string    `json:"cr"`
	CreatedAt   time.Time `json:"ca"`
	Version     string    `json:"v"`            // changes with each write, and names the body
	Whole       string    `json:"wh,omitempty"` // version that CreateSchedule has written last
	Next        time.Time `json:"ne"`
	Last        time.Time `json:"la,omitzero"`
	LastIDs     []string  `json:"li,omitempty"` // messages of Last
	Paused      bool      `json:"pz,omitempty"`
	Missed      Missed    `json:"ms,omitempty"`
	Repeat      string    `json:"rp,omitempty"` // what the waker repeats, see repeat; "": nothing
	BodyID      string    `json:"bi,omitempty"` // names the chunks of a long body
	BodySize    int       `json:"bs,omitempty"`
	Chunks      int       `json:"bc,omitempty"`

	id    string
	attrs store.Attrs
	whole bool // CreateSchedule writes it
}

// attrVersion repeats a schedule's version, for conditions.
const attrVersion = "v"

// forever is how long the body of a schedule is kept that is not deleted.
const forever = 100 * 365 * 24 * time.Hour

// CreateSchedule creates a schedule, or replaces all settings of the one with the
// request's id, which stays paused if it is.
func (e *Engine) CreateSchedule(ctx context.Context, acct string, req ScheduleRequest) (string, error) {
	if req.ID == "" {
		req.ID = e.newID(schedulePrefix)
	} else if err := checkName("schedule", req.ID); err != nil {
		return "", err
	}
	var first *string // what old.Whole was when this began
	err := e.writeSchedule(ctx, acct, req.ID, func(old *schedule) (*schedule, []byte, error) {
		whole := ""
		if old != nil {
			whole = old.Whole
		}
		if first == nil {
			first = &whole
		}
		if whole != *first && whole != "" {
			return nil, nil, errReplaced
		}
		s := newSchedule(&req)
		s.whole = true
		return s, req.Body, nil
	})
	if errors.Is(err, errReplaced) {
		err = nil
	}
	return req.ID, err
}

// errReplaced says that another CreateSchedule has replaced all settings since this one began. This one counts as
// carried out just before it: nothing is left of it, so nothing has to be written.
var errReplaced = errors.New("qstash: the schedule was replaced meanwhile")

func newSchedule(req *ScheduleRequest) *schedule {
	s := &schedule{Options: req.Options, Destination: req.Destination, Cron: strings.TrimSpace(req.Cron), Missed: req.Missed, id: req.ID}
	s.NotBefore, s.DedupID, s.DedupByContent = time.Time{}, "", false
	return s
}

// ScheduleSettings reads what a schedule consists of, including what is redacted from its view.
func (e *Engine) ScheduleSettings(ctx context.Context, acct, id string) (ScheduleRequest, error) {
	s, err := e.readSchedule(ctx, acct, id)
	if err != nil {
		return ScheduleRequest{}, err
	}
	return e.scheduleSettings(ctx, acct, id, s)
}

func (e *Engine) scheduleSettings(ctx context.Context, acct, id string, s *schedule) (ScheduleRequest, error) {
	if s == nil {
		return ScheduleRequest{}, notFound("schedule %s not found", id)
	}
	body, err := e.scheduleBody(ctx, acct, s)
	return ScheduleRequest{ID: id, Cron: s.Cron, Destination: s.Destination, Body: body, Options: s.Options, Missed: s.Missed}, err
}

// ChangeSchedule changes settings of a schedule; the others stay, and so does what is known of its
// last run. change is called again if somebody else changes the schedule meanwhile, and its
// error ends the attempt. What the settings point to belongs to them: change replaces and does not alter it.
func (e *Engine) ChangeSchedule(ctx context.Context, acct, id string, change func(*ScheduleRequest) error) error {
	return e.writeSchedule(ctx, acct, id, func(old *schedule) (*schedule, []byte, error) {
		req, err := e.scheduleSettings(ctx, acct, id, old)
		if err != nil {
			return nil, nil, err
		}
		if err := change(&req); err != nil {
			return nil, nil, err
		}
		req.ID = id
		s := newSchedule(&req)
		s.Last, s.LastIDs, s.Whole = old.Last, old.LastIDs, old.Whole
		return s, req.Body, nil
	})
}

// writeSchedule stores the schedule that change makes of the one there is, nil if there is none.
func (e *Engine) writeSchedule(ctx context.Context, acct, id string, change func(old *schedule) (s *schedule, body []byte, err error)) error {
	unlock, err := e.lock(ctx, "s", acct, id)
	if err != nil {
		return err
	}
	defer unlock()
	var refusal error
	err = e.contend(ctx, func(ctx context.Context) error {
		old, err := e.readSchedule(ctx, acct, id)
		if err != nil {
			return err
		}
		s, body, err := change(old)
		if refusal = err; err != nil {
			return err
		}
		parsed, err := cron.Parse(s.Cron)
		if err != nil {
			return invalid("invalid cron: %v", err)
		}
		if err := e.checkSchedule(ctx, acct, s, body); err != nil {
			return err
		}
		now := e.now()
		s.CreatedAt, s.Next = now, parsed.Next(now)
		cond := store.Cond(store.Absent(attrJSON))
		if old != nil {
			s.CreatedAt, s.Paused = old.CreatedAt, old.Paused
			cond = store.Eq(attrVersion, store.Bytes(old.Version))
		} else {
			n, err := e.count(ctx, part("s", acct), nil)
			if err != nil {
				return err
			}
			if n >= e.limits.Schedules {
				return quota("maximum number of schedules exceeded: limit %d", e.limits.Schedules)
			}
		}
		s.Version = e.newID("")
		if s.whole {
			s.Whole = s.Version
		}
		s.BodyID = s.id + "/" + s.Version
		long := chunks(acct, s.BodyID, body, now.Add(forever))
		s.BodySize, s.Chunks = len(body), len(long)
		if len(long) > 0 {
			if err := e.store.Load(ctx, long, nil); err != nil {
				return fmt.Errorf("storing the body of schedule %s: %w", s.id, err)
			}
		}
		e.repeat(ctx, acct, s, parsed)
		attrs, err := s.encode()
		if err != nil {
			return err
		}
		if len(long) == 0 && len(body) > 0 {
			attrs = attrs.With(attrBody, store.Bytes(string(body)))
		}
		err = e.store.Commit(store.NoRepeat(ctx), append(e.moveDue(acct, old, s), store.Put(scheduleKey(acct, s.id), attrs, cond)))
		if store.Contended(err) {
			e.cease(ctx, acct, s) // somebody else has changed it
		}
		if err != nil {
			return err
		}
		if old != nil {
			e.cease(ctx, acct, old)
			if err := e.dropScheduleBody(ctx, acct, old); err != nil {
				return err
			}
		}
		if err := e.touchFlow(ctx, acct, s.Flow); err != nil {
			return err
		}
		e.wakeFirst(ctx, acct, s)
		return nil
	}, "storing schedule %s", id)
	if refusal != nil {
		return refusal
	}
	return err
}

// checkSchedule refuses what could never be published.
func (e *Engine) checkSchedule(ctx context.Context, acct string, s *schedule, body []byte) error {
	if hasScheme(s.Destination) {
		if err := checkURL(s.Destination); err != nil {
			return invalid("invalid destination url: %v", err)
		}
	} else if s.Destination == "" {
		return errNoDestination
	} else if strings.Contains(s.Destination, ":/") || checkName("topic", s.Destination) != nil {
		return invalid("invalid destination url: endpoint has invalid scheme, add http:// or https://")
	} else if _, err := e.Group(ctx, acct, s.Destination); err != nil {
		return err
	}
	if len(body) > e.limits.MaxMessageBytes {
		return &Error{KindTooLarge, fmt.Sprintf("maximum message size exceeded: limit %d bytes, message %d bytes", e.limits.MaxMessageBytes, len(body))}
	}
	if s.Queue != "" {
		if err := checkName("queue", s.Queue); err != nil {
			return err
		}
	}
	if _, err := ParseMissed(string(s.Missed)); err != nil {
		return err
	}
	return s.check(&e.limits, e.now())
}

func (s *schedule) encode() (store.Attrs, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("storing schedule %s: %w", s.id, err)
	}
	return store.NewAttrs(
		store.Attr{Name: attrJSON, Value: store.Bytes(string(text))},
		store.Attr{Name: attrVersion, Value: store.Bytes(s.Version)}), nil
}

func scheduleDue(acct string, s *schedule) store.Key {
	return dueKey(acct, shardOf(s.id), dueSort(s.Next, dueSchedule, s.id))
}

// moveDue moves the due entry of a schedule from where it was to where it is; nil is a
// schedule that there is not. One that is paused has none.
func (e *Engine) moveDue(acct string, was, is *schedule) []store.Op {
	var ops []store.Op
	key := func(s *schedule) (k store.Key, ok bool) {
		if s == nil || s.Paused {
			return k, false
		}
		return scheduleDue(acct, s), true
	}
	from, moved := key(was)
	to, due := key(is)
	if moved && (!due || from != to) {
		ops = append(ops, store.Delete(from, nil))
	}
	if due && (!moved || from != to) {
		ops = append(ops, store.Put(to, store.Attrs{}, nil))
	}
	return ops
}

// repeat has the waker repeat a call of tick for a schedule, if it can. It is called
// before the schedule is stored with Repeat: what is repeated for another one, or none,
// finds that out and ends itself.
func (e *Engine) repeat(ctx context.Context, acct string, s *schedule, parsed *cron.Schedule) {
	s.Repeat = ""
	if s.Paused {
		return
	}
	id := s.id + "@" + e.newID("")
	ok, err := e.waker.Repeat(ctx, hintKey(dueRepeat, acct, id), parsed)
	if err != nil {
		e.log.WarnContext(ctx, "a schedule's wake-ups cannot be repeated; each is arranged by itself", "schedule", s.id, "error", err)
	}
	if ok && err == nil {
		s.Repeat = id
	}
}

// cease ends what repeat has arranged. If that fails, the next call does.
func (e *Engine) cease(ctx context.Context, acct string, s *schedule) {
	if s.Repeat == "" {
		return
	}
	if err := e.waker.Cease(ctx, hintKey(dueRepeat, acct, s.Repeat)); err != nil {
		e.log.WarnContext(ctx, "a schedule's wake-ups go on and are ignored", "schedule", s.id, "error", err)
	}
}

// repeatsFrom is how long it may take until a repeating wake-up that was just arranged comes for
// the first time.
const repeatsFrom = 2 * time.Minute

// wakeFirst asks for the wake-up of a schedule that has begun.
func (e *Engine) wakeFirst(ctx context.Context, acct string, s *schedule) {
	if !s.Paused && (s.Repeat == "" || s.Next.Sub(e.now()) < repeatsFrom) {
		e.wake(ctx, hint(s.Next, dueSchedule, acct, s.id))
	}
}

func (e *Engine) dropScheduleBody(ctx context.Context, acct string, s *schedule) error {
	if s.Chunks == 0 {
		return nil
	}
	keys := make([]store.Key, s.Chunks)
	for i := range keys {
		keys[i] = chunkKey(acct, s.BodyID, i)
	}
	if err := e.store.Load(ctx, nil, keys); err != nil {
		return fmt.Errorf("deleting the body of schedule %s: %w", s.id, err)
	}
	return nil
}

// readSchedule reads a schedule, nil if there is none.
func (e *Engine) readSchedule(ctx context.Context, acct, id string) (*schedule, error) {
	if id == "" || len(id) > 256 {
		return nil, nil
	}
	attrs, err := e.store.Get(ctx, scheduleKey(acct, id))
	if err != nil {
		return nil, fmt.Errorf("reading schedule %s: %w", id, err)
	}
	if attrs == nil {
		return nil, nil
	}
	return parseSchedule(id, attrs)
}

func parseSchedule(id string, attrs store.Attrs) (*schedule, error) {
	s := &schedule{id: id, attrs: attrs}
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), s); err != nil {
		return nil, fmt.Errorf("reading schedule %s: %w", id, err)
	}
	return s, nil
}

func (e *Engine) scheduleBody(ctx context.Context, acct string, s *schedule) ([]byte, error) {
	if s.Chunks == 0 {
		return []byte(s.attrs.Get(attrBody).Str()), nil
	}
	return e.readChunks(ctx, acct, s.BodyID, s.Chunks, s.BodySize)
}

// repeated is tick for a call that the waker repeats.
func (e *Engine) repeated(ctx context.Context, acct, repeat string) error {
	id, _, _ := strings.Cut(repeat, "@")
	s, err := e.readSchedule(ctx, acct, id)
	if err != nil {
		return err
	}
	if s == nil || s.Repeat != repeat {
		// Deleted, paused or replaced, without the waker hearing of it.
		return e.waker.Cease(ctx, hintKey(dueRepeat, acct, repeat))
	}
	return e.tick(ctx, acct, s)
}

// tick publishes the messages of a schedule that is due, and sets its next time.
// Several engines may do so at once: the messages' ids follow from the time.
func (e *Engine) tick(ctx context.Context, acct string, s *schedule) error {
	now := e.now()
	if s == nil || s.Paused || s.Next.After(now) {
		return nil // whoever has set the next time has asked for its wake-up
	}
	parsed, err := cron.Parse(s.Cron)
	if err != nil {
		return fmt.Errorf("schedule %s: %w", s.id, err)
	}
	times := s.times(parsed, now)
	if len(times) == 0 {
		e.log.InfoContext(ctx, "the times of a schedule were missed and are left out", "schedule", s.id, "since", s.Next)
	}
	last, ids, err := e.publishTimes(ctx, acct, s, times)
	if err != nil {
		return err
	}
	next := *s
	next.Next, next.Version = parsed.Next(now), e.newID("")
	if len(ids) > 0 {
		next.Last, next.LastIDs = last, ids
	}
	if s.Repeat != "" && now.Sub(s.Next) > sweepGrace {
		// The sweep had to find it: the waker may have lost it.
		if ok, err := e.waker.Repeat(ctx, hintKey(dueRepeat, acct, s.Repeat), parsed); err != nil || !ok {
			next.Repeat = ""
		}
	}
	done, err := e.advance(ctx, acct, s, &next)
	if done && next.Repeat == "" {
		e.wake(ctx, hint(next.Next, dueSchedule, acct, s.id))
	}
	return err
}

// replaceSchedule writes a changed schedule if the stored one is still old. It reports false if
// somebody else has changed or deleted the schedule meanwhile.
func (e *Engine) replaceSchedule(ctx context.Context, acct string, old, s *schedule) (bool, error) {
	attrs, err := s.encode()
	if err != nil {
		return false, err
	}
	if body := old.attrs.Get(attrBody); !body.IsZero() {
		attrs = attrs.With(attrBody, body)
	}
	err = e.store.Commit(ctx, append(e.moveDue(acct, old, s), store.Put(scheduleKey(acct, s.id), attrs, store.Eq(attrVersion, store.Bytes(old.Version)))))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("storing schedule %s: %w", s.id, err)
	}
	return true, nil
}

// advance is replaceSchedule for the next time, in single writes, which cost half of a
// transaction's: the due entry is there before it counts. One that does not count in the
// end is found and removed by the sweep.
func (e *Engine) advance(ctx context.Context, acct string, old, s *schedule) (bool, error) {
	attrs, err := s.encode()
	if err != nil {
		return false, err
	}
	if body := old.attrs.Get(attrBody); !body.IsZero() {
		attrs = attrs.With(attrBody, body)
	}
	if _, err := e.store.Apply(ctx, store.Put(scheduleDue(acct, s), store.Attrs{}, nil)); err != nil {
		return false, fmt.Errorf("storing schedule %s: %w", s.id, err)
	}
	_, err = e.store.Apply(ctx, store.Put(scheduleKey(acct, s.id), attrs, store.Eq(attrVersion, store.Bytes(old.Version))))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("storing schedule %s: %w", s.id, err)
	}
	if err := e.drop(ctx, scheduleDue(acct, old)); err != nil {
		e.log.WarnContext(ctx, "the due entry of a schedule's last time is left to the sweep", "error", err)
	}
	return true, nil
}

// publishTick stores the messages of a schedule's time, once for the same time and parts.
func (e *Engine) publishTick(ctx context.Context, acct string, s *schedule, at time.Time, parts ...string) ([]string, error) {
	body, err := e.scheduleBody(ctx, acct, s)
	if err != nil {
		return nil, err
	}
	req := Request{Destination: s.Destination, Body: body, Options: s.Options}
	drafts, _, err := e.draft(ctx, acct, &req)
	if err != nil {
		return nil, err
	}
	if err := e.part(drafts, len(drafts)); err != nil {
		return nil, err
	}
	ids := make([]string, len(drafts))
	for i, d := range drafts {
		d.id = derivedID(messagePrefix, at, append([]string{s.id, s.CreatedAt.String(), d.rec.URL, d.rec.Endpoint}, parts...)...)
		d.rec.ScheduleID = s.id
		ids[i] = d.id
		if err := e.storeOnce(ctx, d); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// storeOnce stores a message unless there is one with its id.
func (e *Engine) storeOnce(ctx context.Context, d *draft) error {
	if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
		return err
	}
	new := store.Absent(attrState)
	began := e.now()
	if err := e.keepBody(ctx, d); err != nil {
		return err
	}
	if d.rec.Queue != "" || e.now().Sub(began) >= sweepGrace/2 {
		err := e.commitDraft(ctx, d, new)
		if refused := (*unmetError)(nil); errors.As(err, &refused) {
			return nil
		}
		return err
	}
	// The due entry is alone for a moment: two single writes cost half of a transaction.
	ops, err := e.draftOps(ctx, d, new)
	for i := 0; err == nil && i < len(ops); i++ {
		_, err = e.store.Apply(ctx, ops[i])
	}
	if _, unmet := unmetCondition(err); unmet {
		return nil
	}
	if err != nil {
		return fmt.Errorf("storing message %s: %w", d.id, err)
	}
	e.wake(ctx, d.hint())
	return nil
}

// PauseSchedule makes a schedule's times pass without messages, or, with paused false, no more.
func (e *Engine) PauseSchedule(ctx context.Context, acct, id string, paused bool) error {
	unlock, err := e.lock(ctx, "s", acct, id)
	if err != nil {
		return err
	}
	defer unlock()
	return e.contend(ctx, func(ctx context.Context) error {
		s, err := e.readSchedule(ctx, acct, id)
		if err != nil {
			return err
		}
		if s == nil {
			return notFound("schedule %s not found", id)
		}
		if s.Paused == paused {
			return nil
		}
		changed := *s
		changed.Paused, changed.Repeat, changed.Version = paused, "", e.newID("")
		if !paused {
			parsed, err := cron.Parse(s.Cron)
			if err != nil {
				return fmt.Errorf("schedule %s: %w", id, err)
			}
			changed.Next = parsed.Next(e.now())
			e.repeat(ctx, acct, &changed, parsed)
		}
		done, err := e.replaceSchedule(ctx, acct, s, &changed)
		switch {
		case err != nil:
			return err
		case done:
			e.cease(ctx, acct, s)
			e.wakeFirst(ctx, acct, &changed)
			return nil
		}
		e.cease(ctx, acct, &changed)
		return errChanged
	}, "pausing schedule %s", id)
}

// DeleteSchedule deletes a schedule. Its messages go on.
func (e *Engine) DeleteSchedule(ctx context.Context, acct, id string) error {
	unlock, err := e.lock(ctx, "s", acct, id)
	if err != nil {
		return err
	}
	defer unlock()
	return e.contend(ctx, func(ctx context.Context) error {
		s, err := e.readSchedule(ctx, acct, id)
		if err != nil {
			return err
		}
		if s == nil {
			return notFound("schedule %s not found", id)
		}
		err = e.store.Commit(ctx, append(e.moveDue(acct, s, nil), store.Delete(scheduleKey(acct, id), store.Eq(attrVersion, store.Bytes(s.Version)))))
		if err != nil {
			return err
		}
		e.cease(ctx, acct, s)
		return e.dropScheduleBody(ctx, acct, s)
	}, "deleting schedule %s", id)
}
