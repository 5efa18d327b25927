package qstash_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/store"
)

func TestScheduleIsRepeatedByTheWaker(t *testing.T) {
	w := newWorld(t)
	w.repeats = map[string]*cron.Schedule{}
	ctx := t.Context()
	create := func(id, expr string) string {
		t.Helper()
		id, err := w.engine.CreateSchedule(ctx, acct, qstash.ScheduleRequest{ID: id, Cron: expr, Destination: "https://a.example"})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	sent := func(d time.Duration, want int) {
		t.Helper()
		before := len(w.sent)
		w.repeat(d)
		if n := len(w.sent) - before; n != want {
			t.Fatalf("%d messages in %v, want %d", n, d, want)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id := create("", "0 * * * *")
	sent(5*time.Hour+time.Minute, 5)
	if len(w.repeats) != 1 || len(w.hints) != 0 {
		t.Fatalf("repeated: %v, hints: %v", w.repeats, w.hints)
	}
	for _, at := range w.sentAt {
		if at.Minute() != 0 || at.Second() != 40 {
			t.Errorf("sent at %v", at)
		}
	}
	// Doubled calls publish nothing, nor do they bring others about.
	for key := range w.repeats {
		for range 3 {
			check(w.engine.Handle(ctx, key))
		}
	}
	if len(w.hints) != 0 {
		t.Errorf("hints %v", w.hints)
	}
	sent(time.Hour, 1)

	check(w.engine.PauseSchedule(ctx, acct, id, true))
	if len(w.repeats) != 0 {
		t.Error("a paused schedule is repeated")
	}
	sent(3*time.Hour, 0)
	w.sweep()
	w.run(0)
	check(w.engine.PauseSchedule(ctx, acct, id, false))
	sent(3*time.Hour, 3)

	create(id, "30 */2 * * *")
	if len(w.repeats) != 1 {
		t.Errorf("%d are repeated", len(w.repeats))
	}
	sent(4*time.Hour, 2)

	// A waker that cannot be reached goes on repeating what there is no more, until it is.
	w.deaf = true
	create(id, "15 * * * *")
	check(w.engine.PauseSchedule(ctx, acct, id, true))
	check(w.engine.PauseSchedule(ctx, acct, id, false))
	w.deaf = false
	if len(w.repeats) != 3 {
		t.Fatalf("%d are repeated", len(w.repeats))
	}
	sent(6*time.Hour, 6)
	if len(w.repeats) != 1 {
		t.Errorf("%d are repeated", len(w.repeats))
	}

	// One that has forgotten is told again, once the sweep has found what is overdue.
	clear(w.repeats)
	forgotten, err := w.engine.Schedule(ctx, acct, id)
	check(err)
	w.run(time.UnixMilli(forgotten.NextTime).Sub(w.now) + 2*time.Minute)
	w.sweep()
	sent(0, 1)
	if len(w.repeats) != 1 {
		t.Error("not repeated again")
	}
	sent(2*time.Hour, 2)

	check(w.engine.DeleteSchedule(ctx, acct, id))
	if len(w.repeats) != 0 {
		t.Error("a deleted schedule is repeated")
	}

	// What is due before the waker can have begun has a hint, too.
	create("soon", strings.ReplaceAll(w.now.Add(time.Minute).Format("4 15 * * *"), "  ", " "))
	w.run(time.Minute)
	if n := len(w.sent); w.sent[n-1].Header.Get("Upstash-Schedule-Id") != "soon" {
		t.Error("the first time is missed")
	}

	// A call for a schedule of a deleted account ends itself; the sweep ends the others.
	create("deaf", "15 * * * *")
	check(w.engine.DeleteAccount(ctx, acct))
	for key := range maps.Clone(w.repeats) {
		if strings.Contains(key, "deaf") {
			check(w.engine.Handle(ctx, key))
		}
	}
	if len(w.repeats) != 1 {
		t.Errorf("%d are repeated", len(w.repeats))
	}
	w.now = w.now.Add(time.Hour) // nothing is under way any more
	w.sweep()
	if len(w.repeats) != 0 {
		t.Error("schedules of a deleted account are repeated")
	}
}

// A wake-up that comes too early, or twice, does not begin a second chain of them.
func TestScheduleHasOneHintAtATime(t *testing.T) {
	w := newWorld(t)
	id, err := w.engine.CreateSchedule(t.Context(), acct, qstash.ScheduleRequest{Cron: "*/5 * * * *", Destination: "https://a.example"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := w.engine.Handle(t.Context(), "s/"+acct+"/"+id); err != nil {
			t.Fatal(err)
		}
	}
	w.run(time.Hour)
	if len(w.hints) != 1 || len(w.sent) != 12 {
		t.Errorf("%d hints, %d messages", len(w.hints), len(w.sent))
	}
}

// keepingStore does not remove due entries while told so.
type keepingStore struct {
	store.Store
	keep bool
}

func (s *keepingStore) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	if s.keep && op.Kind == store.OpDelete && strings.HasPrefix(op.Key.Partition, "d\x00") {
		return nil, store.ErrUnavailable
	}
	return s.Store.Apply(ctx, op)
}

func TestSweepRemovesWhatSchedulesLeave(t *testing.T) {
	w := newWorld(t)
	st := &keepingStore{Store: w.store, keep: true}
	w.engine = w.newEngine(func(c *qstash.Config) { c.Store = st })
	if _, err := w.engine.CreateSchedule(t.Context(), acct, qstash.ScheduleRequest{Cron: "0 * * * *", Destination: "https://a.example"}); err != nil {
		t.Fatal(err)
	}
	w.run(3 * time.Hour)
	entries := func() (n int) {
		t.Helper()
		for shard := range 8 {
			page, err := w.store.Query(t.Context(), store.Query{Partition: fmt.Sprintf("d\x00%s\x00%d", acct, shard)})
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.Items)
		}
		return n
	}
	if n := entries(); len(w.sent) != 3 || n != 7 {
		t.Fatalf("%d messages, %d due entries", len(w.sent), n)
	}
	st.keep = false
	w.run(2 * time.Minute)
	if n, err := w.engine.Sweep(t.Context(), w.engine.Overdue()); n != 0 || err != nil || entries() != 1 {
		t.Errorf("%d are woken, %v, %d due entries are left", n, err, entries())
	}
	w.run(time.Hour)
	if len(w.sent) != 4 {
		t.Errorf("%d messages", len(w.sent))
	}
}

// A change leaves all other settings as they are, and what is known of the last run.
func TestChangeSchedule(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	created := qstash.ScheduleRequest{ID: "s", Cron: "0 * * * *", Destination: "https://a.example", Body: []byte("secret"), Options: qstash.Options{
		Method: "PUT", Header: qstash.Header{"Authorization": {"secret"}}, Delay: time.Minute, Retries: retries(1), RetryDelay: "1000", Timeout: 5 * time.Second,
		Callback:        &qstash.Callback{URL: "https://cb.example", Options: qstash.Options{Header: qstash.Header{"Mine": {"1"}}}},
		FailureCallback: &qstash.Callback{URL: "https://fc.example"},
		Flow:            &qstash.Flow{Key: "f", Parallelism: 2, Rate: 3, Period: time.Minute},
		Labels:          []string{"a", "b"}, Redact: &qstash.Redact{Body: true, Headers: true}, CallerIP: "1.2.3.4",
	}}
	if _, err := w.engine.CreateSchedule(ctx, acct, created); err != nil {
		t.Fatal(err)
	}
	w.run(time.Hour)
	before, err := w.engine.Schedule(ctx, acct, "s")
	if err != nil || before.LastTime == 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	if err := w.engine.ChangeSchedule(ctx, acct, "s", func(r *qstash.ScheduleRequest) error {
		r.Cron = "30 * * * *"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := created
	want.Cron = "30 * * * *"
	if got, err := w.engine.ScheduleSettings(ctx, acct, "s"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	after, err := w.engine.Schedule(ctx, acct, "s")
	if err != nil || after.LastTime != before.LastTime || len(after.LastStates) != 1 || after.CreatedAt != before.CreatedAt || time.UnixMilli(after.NextTime).Minute() != 30 {
		t.Errorf("%+v, %v", after, err)
	}
	refusal := errors.New("no")
	if err := w.engine.ChangeSchedule(ctx, acct, "s", func(*qstash.ScheduleRequest) error { return refusal }); err != refusal {
		t.Error(err)
	}
	var refused *qstash.Error
	if err := w.engine.ChangeSchedule(ctx, acct, "none", func(*qstash.ScheduleRequest) error { return nil }); !errors.As(err, &refused) || refused.Kind != qstash.KindNotFound {
		t.Error(err)
	}
}
