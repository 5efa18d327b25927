package qstash_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
)

func TestQueueDeliversInOrderWithRetriesAndCallbacks(t *testing.T) {
	w := newWorld(t)
	failed := false
	w.answer = func(d qstash.Delivery) (qstash.Response, error) {
		if d.URL == "https://1.example" && !failed {
			failed = true
			return qstash.Response{Status: 500}, nil
		}
		return qstash.Response{Status: 200}, nil
	}
	o := qstash.Options{Queue: "q", RetryDelay: "60000"}
	with := o
	with.Callback = &qstash.Callback{URL: "https://cb.example"}
	w.publish("https://1.example", "", with)
	w.publish("https://2.example", "", o)
	w.publish("https://3.example", "", o)
	w.run(10 * time.Minute)
	want := []string{"https://1.example", "https://cb.example", "https://1.example", "https://cb.example", "https://2.example", "https://3.example"}
	if got := w.urls(); !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	if q, err := w.engine.Queue(t.Context(), acct, "q"); err != nil || q.Lag != 0 || q.Parallelism != 1 {
		t.Errorf("queue %+v, %v", q, err)
	}
}

func TestQueueGoesOnWhenWakeUpsAreLost(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		w.publish(fmt.Sprintf("https://%d.example", i), "", qstash.Options{Queue: "q", Callback: &qstash.Callback{URL: "https://cb.example"}})
	}
	for range 12 { // each sweep's wake-ups do one step, those that follow are lost
		w.hints = nil
		w.sweep()
		w.mu.Lock()
		hints := w.hints
		w.hints, w.deaf = nil, true
		w.mu.Unlock()
		for _, h := range hints {
			if err := w.engine.Handle(t.Context(), h.Key); err != nil {
				t.Fatal(err)
			}
		}
		w.deaf = false
		w.run(time.Second)
	}
	got := slices.DeleteFunc(w.urls(), func(u string) bool { return u == "https://cb.example" })
	if want := []string{"https://0.example", "https://1.example", "https://2.example", "https://3.example"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

func TestPausedQueueSendsNothing(t *testing.T) {
	w := newWorld(t)
	on, off := true, false
	if err := w.engine.UpsertQueue(t.Context(), acct, "q", nil, &on); err != nil {
		t.Fatal(err)
	}
	w.publish("https://1.example", "", qstash.Options{Queue: "q"})
	w.run(time.Minute)
	w.sweep()
	w.run(0)
	if len(w.sent) != 0 {
		t.Fatal("a paused queue sends")
	}
	if q, err := w.engine.Queue(t.Context(), acct, "q"); err != nil || !q.Paused || q.Lag != 1 {
		t.Errorf("queue %+v, %v", q, err)
	}
	if err := w.engine.UpsertQueue(t.Context(), acct, "q", nil, &off); err != nil {
		t.Fatal(err)
	}
	w.run(0)
	if len(w.sent) != 1 {
		t.Error("a resumed queue does not send")
	}
}

func TestDeletedQueueDropsItsMessages(t *testing.T) {
	w := newWorld(t)
	id := w.publish("https://1.example", "", qstash.Options{Queue: "q", Delay: time.Minute})
	for range 2 { // deleting what is not there is fine
		if err := w.engine.DeleteQueue(t.Context(), acct, "q"); err != nil {
			t.Fatal(err)
		}
	}
	w.publish("https://2.example", "", qstash.Options{Queue: "q"})
	w.run(time.Hour)
	if got := w.urls(); !slices.Equal(got, []string{"https://2.example"}) || !strings.HasSuffix(w.states(id), "CANCELED") {
		t.Errorf("sent %v, events %s", got, w.states(id))
	}
}

// live runs an engine with real time and concurrency, and returns what to stop it with.
func (w *world) live(t *testing.T) {
	t.Helper()
	waker := embedded.New(embedded.Options{RetryAfter: 5 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	w.engine = w.newEngine(func(c *qstash.Config) { c.Waker, c.Now, c.Logger = waker, time.Now, slog.New(slog.DiscardHandler) })
	waker.Start(t.Context(), w.engine.Handle)
	t.Cleanup(waker.Stop)
}

// parallel counts attempts at a time, each of which ends when as many as can have begun,
// or all that there are.
type parallel struct {
	mu      sync.Mutex
	running int
	most    int
	done    int
	all     int
	end     chan struct{}
}

func (p *parallel) attempt(hold time.Duration) {
	p.mu.Lock()
	p.running++
	p.most = max(p.most, p.running)
	p.mu.Unlock()
	time.Sleep(hold)
	p.mu.Lock()
	p.running--
	if p.done++; p.done == p.all {
		close(p.end)
	}
	p.mu.Unlock()
}

func TestLimitsHoldUnderConcurrency(t *testing.T) {
	for _, c := range []struct {
		name    string
		options qstash.Options
		limit   int
	}{
		{"queue", qstash.Options{Queue: "q"}, 3},
		{"flow control", qstash.Options{Flow: &qstash.Flow{Key: "k", Parallelism: 4}}, 4},
		{"both", qstash.Options{Queue: "q", Flow: &qstash.Flow{Key: "k", Parallelism: 2}}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.live(t)
			p := &parallel{all: 60, end: make(chan struct{})}
			w.answer = func(qstash.Delivery) (qstash.Response, error) {
				p.attempt(time.Millisecond)
				return qstash.Response{Status: 200}, nil
			}
			three := 3
			if err := w.engine.UpsertQueue(t.Context(), acct, "q", &three, nil); err != nil {
				t.Fatal(err)
			}
			var publishers sync.WaitGroup
			for range 6 {
				publishers.Go(func() {
					for range p.all / 6 {
						w.publish("https://example.com", "", c.options)
					}
				})
			}
			publishers.Wait()
			select {
			case <-p.end:
			case <-time.After(5 * time.Minute):
				f, err := w.engine.FlowControl(t.Context(), acct, "k")
				t.Fatalf("%d of %d were sent; key %+v, %v", p.done, p.all, f, err)
			}
			if p.most > c.limit {
				t.Errorf("%d attempts at a time, want at most %d", p.most, c.limit)
			}
		})
	}
}

func TestRateLimitsStartsInAPeriod(t *testing.T) {
	w := newWorld(t)
	for i := range 7 {
		w.publish(fmt.Sprintf("https://%d.example", i), "", qstash.Options{Flow: &qstash.Flow{Key: "k", Rate: 3, Period: 10 * time.Second}})
	}
	start := w.now
	w.run(time.Minute)
	var at []time.Duration
	for _, s := range w.sentAt {
		at = append(at, s.Sub(start))
	}
	ten := 10 * time.Second
	if want := []time.Duration{0, 0, 0, ten, ten, ten, 2 * ten}; !slices.Equal(at, want) {
		t.Errorf("attempts at %v, want %v", at, want)
	}
	if f, err := w.engine.FlowControl(t.Context(), acct, "k"); err != nil || f.WaitListSize != 0 || f.ParallelismCount != 0 || f.RateMax != 3 || f.RatePeriod != 10 || f.RateCount != 0 {
		t.Errorf("key %+v, %v", f, err)
	}
}

func TestPausedAndPinnedFlowControlKeys(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	flow := func(rate int) qstash.Options { return qstash.Options{Flow: &qstash.Flow{Key: "a/b c", Rate: rate}} }
	get := func() qstash.FlowControl {
		t.Helper()
		f, err := w.engine.FlowControl(ctx, acct, "a/b c")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if err := w.engine.PauseFlow(ctx, acct, "a/b c", true); !isKind(err, qstash.KindNotFound) {
		t.Errorf("pausing an unknown key: %v", err)
	}
	w.publish("https://1.example", "", flow(5))
	if f := get(); f.RateMax != 5 || f.RatePeriod != 1 {
		t.Errorf("after publishing: %+v", f)
	}
	if err := w.engine.PauseFlow(ctx, acct, "a/b c", true); err != nil {
		t.Fatal(err)
	}
	w.run(5 * time.Minute)
	w.sweep()
	w.run(0)
	if f := get(); len(w.sent) != 0 || !f.Paused || f.WaitListSize != 1 {
		t.Errorf("paused: %+v, sent %v", f, w.urls())
	}
	if err := w.engine.PauseFlow(ctx, acct, "a/b c", false); err != nil {
		t.Fatal(err)
	}
	w.run(0)
	if len(w.sent) != 1 {
		t.Error("resumed: nothing is sent")
	}
	three, twenty := 3, 20
	if err := w.engine.PinFlow(ctx, acct, "a/b c", &three, &twenty, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	w.publish("https://2.example", "", flow(7))
	if f := get(); f.RateMax != 20 || f.ParallelismMax != 3 || f.RatePeriod != 120 || !f.PinnedRate || !f.PinnedParallelism {
		t.Errorf("pinned: %+v", f)
	}
	if err := w.engine.UnpinFlow(ctx, acct, "a/b c", true, false); err != nil {
		t.Fatal(err)
	}
	w.publish("https://3.example", "", flow(7))
	if f := get(); f.RateMax != 20 || f.ParallelismMax != 0 || !f.PinnedRate || f.PinnedParallelism {
		t.Errorf("parallelism unpinned: %+v", f)
	}
	w.run(time.Minute)
	if f := get(); f.RateCount != 2 {
		t.Errorf("rate count %d, want 2", f.RateCount)
	}
	if err := w.engine.ResetRate(ctx, acct, "a/b c"); err != nil {
		t.Fatal(err)
	}
	if f := get(); f.RateCount != 0 || f.RatePeriodStart != w.now.Unix() {
		t.Errorf("reset: %+v", f)
	}
	list, err := w.engine.FlowControls(ctx, acct, "b c")
	if err != nil || len(list) != 1 {
		t.Errorf("search: %v, %v", list, err)
	}
}

func TestScheduleTicks(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.engine.AddEndpoints(ctx, acct, "group", []qstash.Endpoint{{URL: "https://a.example", Name: "a"}, {URL: "https://b.example"}}); err != nil {
		t.Fatal(err)
	}
	id, err := w.engine.CreateSchedule(ctx, acct, qstash.ScheduleRequest{Cron: " */10 * * * * ", Destination: "group", Body: []byte(noise(5000))})
	if err != nil {
		t.Fatal(err)
	}
	other := w.newEngine() // a second process gets the same wake-ups
	w.run(9 * time.Minute)
	if len(w.sent) != 0 {
		t.Fatal("too early")
	}
	w.mu.Lock()
	w.now = w.now.Add(time.Minute)
	w.mu.Unlock()
	for _, e := range []*qstash.Engine{other, w.engine} {
		if err := e.Handle(ctx, "s/"+acct+"/"+id); err != nil {
			t.Fatal(err)
		}
	}
	w.run(0)
	if got := w.urls(); len(got) != 2 || !slices.Contains(got, "https://a.example") || !slices.Contains(got, "https://b.example") {
		t.Fatalf("first tick sends to %v", got)
	}
	if d := w.sent[0]; d.Header.Get("Upstash-Schedule-Id") != id || d.Header.Get("Upstash-Topic-Name") != "group" || len(d.Body) != 5000 {
		t.Errorf("request %+v", d.Header)
	}
	s, err := w.engine.Schedule(ctx, acct, id)
	if err != nil || s.Cron != "*/10 * * * *" || len(s.LastStates) != 2 || s.NextTime-s.LastTime != 600_000 {
		t.Errorf("schedule %+v, %v", s, err)
	}
	if err := w.engine.PauseSchedule(ctx, acct, id, true); err != nil {
		t.Fatal(err)
	}
	w.run(30 * time.Minute)
	if s, err := w.engine.Schedule(ctx, acct, id); len(w.sent) != 2 || err != nil || s.NextTime != w.now.Add(10*time.Minute).UnixMilli() {
		t.Errorf("a paused schedule sends, or its times do not pass: %d requests, %+v, %v", len(w.sent), s, err)
	}
	if _, err := w.engine.CreateSchedule(ctx, acct, qstash.ScheduleRequest{ID: id, Cron: "0 * * * *", Destination: "https://c.example"}); err != nil {
		t.Fatal(err)
	}
	if s, err = w.engine.Schedule(ctx, acct, id); err != nil || !s.Paused || s.Body != "" || s.Destination != "https://c.example" {
		t.Errorf("replaced: %+v, %v", s, err)
	}
	if err := w.engine.PauseSchedule(ctx, acct, id, false); err != nil {
		t.Fatal(err)
	}
	w.run(2 * time.Hour)
	if len(w.sent) != 4 {
		t.Errorf("%d requests, want one an hour", len(w.sent))
	}
	if err := w.engine.DeleteSchedule(ctx, acct, id); err != nil {
		t.Fatal(err)
	}
	w.run(2 * time.Hour)
	w.sweep()
	w.run(0)
	if _, err := w.engine.Schedule(ctx, acct, id); len(w.sent) != 4 || !isKind(err, qstash.KindNotFound) {
		t.Errorf("deleted: %v, %d requests", err, len(w.sent))
	}
}

func TestURLGroups(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.engine.DeleteGroup(ctx, acct, "g"); err != nil {
		t.Errorf("deleting a group that does not exist: %v", err)
	}
	add := func(eps ...qstash.Endpoint) {
		t.Helper()
		if err := w.engine.AddEndpoints(ctx, acct, "g", eps); err != nil {
			t.Fatal(err)
		}
	}
	add(qstash.Endpoint{URL: "https://a.example", Name: "a"}, qstash.Endpoint{URL: "https://b.example"})
	add(qstash.Endpoint{URL: "https://a2.example", Name: "a"}, qstash.Endpoint{URL: "https://b.example", Name: "b"})
	g, err := w.engine.Group(ctx, acct, "g")
	if err != nil || !slices.Equal(g.Endpoints, []qstash.Endpoint{{Name: "a", URL: "https://a2.example"}, {Name: "b", URL: "https://b.example"}}) {
		t.Errorf("group %+v, %v", g, err)
	}
	out := w.engine.Publish(ctx, acct, []qstash.Request{{Destination: "g", Options: qstash.Options{DedupID: "x"}}, {Destination: "none"}})
	if !out[0].Group || len(out[0].Messages) != 2 || !isKind(out[1].Err, qstash.KindNotFound) || out[1].Err.Error() != "topic none not found" {
		t.Errorf("published %+v", out)
	}
	if again := w.engine.Publish(ctx, acct, []qstash.Request{{Destination: "g", Options: qstash.Options{DedupID: "x"}}}); !again[0].Messages[1].Deduplicated {
		t.Errorf("again %+v", again)
	}
	if err := w.engine.RemoveEndpoints(ctx, acct, "g", []qstash.Endpoint{{Name: "a"}, {URL: "https://b.example"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Group(ctx, acct, "g"); !isKind(err, qstash.KindNotFound) {
		t.Errorf("without endpoints: %v", err)
	}
}

func TestRedactedFieldsAreSentButNotShown(t *testing.T) {
	w := newWorld(t)
	w.answer = failing(500)
	o := qstash.Options{Retries: retries(0), Header: qstash.Header{"Secret": {"s3cret"}, "Open": {"o"}}, Redact: &qstash.Redact{Body: true, Header: []string{"Secret"}}}
	id := w.publish("https://example.com", "p4ss", o)
	w.run(0)
	if string(w.sent[0].Body) != "p4ss" || w.sent[0].Header.Get("Secret") != "s3cret" {
		t.Errorf("sent %+v", w.sent[0])
	}
	logs, _, err := w.engine.Logs(t.Context(), acct, qstash.LogQuery{Count: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []any{w.message(id), w.dead(), logs} {
		text := fmt.Sprintf("%+v", shown)
		if strings.Contains(text, "s3cret") || strings.Contains(text, "p4ss") || !strings.Contains(text, "REDACTED:") || !strings.Contains(text, "Open:[o]") {
			t.Errorf("shown %s", text)
		}
	}
	if _, err := w.engine.RetryDeadLetter(t.Context(), acct, w.dead()[0].DLQID, nil); err != nil {
		t.Fatal(err)
	}
	w.run(0)
	if string(w.sent[1].Body) != "p4ss" || w.sent[1].Header.Get("Secret") != "s3cret" {
		t.Error("a retried dead letter is not sent as it was")
	}
}

func TestLogsArePagedAndFiltered(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.publish(fmt.Sprintf("https://h%d.example/p%d", i%2, i%3), "b", qstash.Options{Labels: []string{fmt.Sprint("l", i%5)}})
		w.run(time.Second)
	}
	read := func(q qstash.LogQuery) (all []qstash.LogEntry) {
		t.Helper()
		for pages := 0; ; pages++ {
			entries, cursor, err := w.engine.Logs(t.Context(), acct, q)
			if err != nil || pages > 100 {
				t.Fatal(err, pages)
			}
			all = append(all, entries...)
			if cursor == "" {
				return all
			}
			q.Cursor = cursor
		}
	}
	for _, earliest := range []bool{false, true} {
		all := read(qstash.LogQuery{Count: 7, Earliest: earliest})
		if len(all) != 90 || !slices.IsSortedFunc(all, func(a, b qstash.LogEntry) int {
			if earliest {
				return int(a.Time - b.Time)
			}
			return int(b.Time - a.Time)
		}) {
			t.Errorf("earliest %v: %d entries, or out of order", earliest, len(all))
		}
	}
	for name, c := range map[string]struct {
		f    qstash.Filter
		want int
	}{
		"host":     {qstash.Filter{Host: []string{"h1.example"}}, 45},
		"path":     {qstash.Filter{Path: []string{"/p0", "/p1"}}, 60},
		"label":    {qstash.Filter{Label: []string{"l0", "l1"}}, 36},
		"state":    {qstash.Filter{State: []string{"DELIVERED"}}, 30},
		"progress": {qstash.Filter{State: []string{"IN_PROGRESS"}}, 30},
		"time":     {qstash.Filter{From: w.now.Add(-10 * time.Second).UnixMilli(), To: w.now.Add(-6 * time.Second).UnixMilli()}, 15},
		"nothing":  {qstash.Filter{URL: []string{"https://h1.example"}}, 0},
	} {
		if got := len(read(qstash.LogQuery{Count: 10, Filter: c.f})); got != c.want {
			t.Errorf("%s: %d entries, want %d", name, got, c.want)
		}
	}
	groups, cursor, err := w.engine.LogsByMessage(t.Context(), acct, qstash.LogQuery{Count: 10})
	if err != nil || len(groups) != 10 || cursor == "" || len(groups[0].Events) != 3 {
		t.Errorf("%d groups, cursor %q, %v", len(groups), cursor, err)
	}
}
