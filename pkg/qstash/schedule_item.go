package qstash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

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

func newSchedule(req *ScheduleRequest) *schedule {
	s := &schedule{Options: req.Options, Destination: req.Destination, Cron: strings.TrimSpace(req.Cron), Missed: req.Missed, id: req.ID}
	s.NotBefore, s.DedupID, s.DedupByContent = time.Time{}, "", false
	return s
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
