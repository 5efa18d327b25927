package qstash_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store"
)

// few is an engine of which one request may make n messages.
func few(n int) func(*qstash.Config) {
	return func(cfg *qstash.Config) { cfg.Limits.Messages = n }
}

// group makes a URL group of n endpoints.
func (w *world) group(name string, n int) {
	w.t.Helper()
	var endpoints []qstash.Endpoint
	for i := range n {
		endpoints = append(endpoints, qstash.Endpoint{URL: fmt.Sprintf("https://%d.example", i)})
	}
	if err := w.engine.AddEndpoints(w.t.Context(), acct, name, endpoints); err != nil {
		w.t.Fatal(err)
	}
}

// stored is how many messages there are.
func (w *world) stored() int {
	w.t.Helper()
	list, _, err := w.engine.Pending(w.t.Context(), acct, qstash.PendingQuery{Count: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

func TestMessagesOfOneRequestAreCountedAfterGroupsAreUnfolded(t *testing.T) {
	w := newWorld(t, few(10))
	w.group("four", 4)
	w.group("eleven", 11)
	batch := func(dests ...string) (reqs []qstash.Request) {
		for _, d := range dests {
			reqs = append(reqs, qstash.Request{Destination: d, Options: qstash.Options{Delay: time.Hour}})
		}
		return reqs
	}
	queued := batch("https://a.example", "four", "four", "four")
	for i := range queued {
		queued[i].Options.Queue = "q" // which is stored message by message
	}
	for _, reqs := range [][]qstash.Request{batch("four", "four", "four"), batch("eleven"), batch("https://a.example", "eleven"), queued} {
		for i, out := range w.engine.Publish(t.Context(), acct, reqs) {
			if !isKind(out.Err, qstash.KindTooMany) || len(out.Messages) > 0 {
				t.Errorf("request %d of %d: %v with %d messages, want a refusal", i, len(reqs), out.Err, len(out.Messages))
			}
		}
	}
	if n := w.stored(); n != 0 {
		t.Fatalf("%d messages of what was refused", n)
	}
	for i, out := range w.engine.Publish(t.Context(), acct, batch("four", "https://a.example", "four", "https://b.example")) {
		if out.Err != nil {
			t.Errorf("request %d: %v", i, out.Err)
		}
	}
	if n := w.stored(); n != 10 {
		t.Errorf("%d messages, want 10", n)
	}
}

func TestScheduleWhoseGroupHasGrownTooLargeGoesOnLater(t *testing.T) {
	w := newWorld(t, few(3))
	w.group("group", 3)
	if _, err := w.engine.CreateSchedule(t.Context(), acct, qstash.ScheduleRequest{Cron: "0 * * * *", Destination: "group"}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ endpoints, sent int }{{3, 3}, {4, 0}, {2, 2}} {
		if err := w.engine.DeleteGroup(t.Context(), acct, "group"); err != nil {
			t.Fatal(err)
		}
		w.group("group", step.endpoints)
		before := len(w.sent)
		w.run(time.Hour)
		if n := len(w.sent) - before; n != step.sent {
			t.Errorf("%d messages to a group of %d, want %d", n, step.endpoints, step.sent)
		}
	}
}

// loads is a store that measures what it is given at a time.
type loads struct {
	store.Store
	most, all int // bytes
}

func (l *loads) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	n := 0
	for _, it := range puts {
		n += it.Size()
	}
	l.most, l.all = max(l.most, n), l.all+n
	return l.Store.Load(ctx, puts, deletes)
}

func TestCopiesForAGroupAreStoredSomeAtATime(t *testing.T) {
	w := newWorld(t)
	w.group("group", 30)
	l := &loads{Store: w.store}
	w.store = l
	w.engine = w.newEngine()
	const size = 1 << 20
	body := []byte(noise(size))
	out := w.engine.Publish(t.Context(), acct, []qstash.Request{{Destination: "group", Body: body}})[0]
	if out.Err != nil || len(out.Messages) != 30 {
		t.Fatalf("%d messages, %v", len(out.Messages), out.Err)
	}
	if l.all < 30*size || l.most > 10*size {
		t.Errorf("%d bytes in all, at most %d at a time, want no more than %d", l.all, l.most, 10*size)
	}
	w.run(0)
	if len(w.sent) != 30 || string(w.sent[29].Body) != string(body) {
		t.Errorf("%d requests", len(w.sent))
	}
}
