package qstash_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

const acct = "acct"

// world is an engine with a clock that the test moves, and destinations that the test plays.
type world struct {
	t      *testing.T
	store  store.Store
	engine *qstash.Engine

	mu       sync.Mutex
	now      time.Time
	hints    []wake.Hint
	deaf     bool                      // wake-ups are lost
	repeats  map[string]*cron.Schedule // what the waker repeats, by key; nil: it leaves that to hints
	sent     []qstash.Delivery
	sentAt   []time.Time
	running  int
	mostRuns int
	answer   func(d qstash.Delivery) (qstash.Response, error)
	block    chan struct{} // sends wait until it is closed
}

func newWorld(t *testing.T, change ...func(*qstash.Config)) *world {
	t.Helper()
	w := &world{t: t, store: openStore(t), now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	w.engine = w.newEngine(change...)
	if _, err := w.engine.CreateAccount(t.Context(), acct, qstash.Keys{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// openStore opens the store that a test is to run on.
func openStore(t *testing.T) store.Store {
	t.Helper()
	if strings.HasPrefix(t.Name(), "TestOnDynamoDB/") {
		return dynamolocal.Open(t)
	}
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// What uses the store in ways of its own holds on DynamoDB, too.
func TestOnDynamoDB(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"message":    TestMessageIsDeliveredOnce,
		"bodies":     TestLongBodiesAreKeptExactly,
		"retries":    TestRetriesBackOffAndEndInTheDeadLetterQueue,
		"callbacks":  TestCallbacksTellOfEveryAttempt,
		"sweep":      TestDelayedMessagesWaitAndSweepsFindWhatNobodyWakes,
		"duplicates": TestDuplicatesAreAnsweredWithTheFirst,
		"crash":      TestCrashedAttemptsAreMadeAgain,
		"cancel":     TestCancelledMessagesAreNotSent,
		"queue":      TestQueueDeliversInOrderWithRetriesAndCallbacks,
		"rate":       TestRateLimitsStartsInAPeriod,
		"pin":        TestPausedAndPinnedFlowControlKeys,
		"schedule":   TestScheduleTicks,
		"repeats":    TestScheduleIsRepeatedByTheWaker,
		"groups":     TestURLGroups,
		"logs":       TestLogsArePagedAndFiltered,
		"limits":     TestLimitsHoldUnderConcurrency,
		"size":       TestSizeIsThatOfTheAccountsMessages,
		"workflow":   TestWorkflowRun,
		"events":     TestEventsAreWaitedForAndNotified,
		"stuck":      TestRunThatNothingCarriesFailsWithinTwoMinutes,
		"deadline":   TestRunFailsAtItsDeadline,
	} {
		t.Run(name, test)
	}
}

func (w *world) newEngine(change ...func(*qstash.Config)) *qstash.Engine {
	cfg := qstash.Config{Store: w.store, Sender: w, Waker: w, Now: w.time}
	for _, c := range change {
		c(&cfg)
	}
	return qstash.New(cfg)
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Wake implements wake.Waker.
func (w *world) Wake(_ context.Context, hints ...wake.Hint) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.deaf {
		w.hints = append(w.hints, hints...)
	}
	return nil
}

// Repeat implements wake.Waker.
func (w *world) Repeat(_ context.Context, key string, s *cron.Schedule) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.repeats != nil {
		w.repeats[key] = s
	}
	return w.repeats != nil, nil
}

// Cease implements wake.Waker.
func (w *world) Cease(_ context.Context, key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deaf {
		return errors.New("no connection")
	}
	delete(w.repeats, key)
	return nil
}

// repeat handles what the waker repeats within d, some seconds late, as Scheduler does.
func (w *world) repeat(d time.Duration) {
	w.t.Helper()
	for end := w.time().Add(d); ; {
		next, due := end, []string(nil)
		for key, s := range w.repeats {
			if at := s.Next(w.time()); at.Before(next) {
				next, due = at, []string{key}
			} else if at.Equal(next) {
				due = append(due, key)
			}
		}
		if next == end {
			w.run(end.Sub(w.time()))
			return
		}
		w.run(next.Add(40 * time.Second).Sub(w.time()))
		for _, key := range due {
			if err := w.engine.Handle(w.t.Context(), key); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// Send implements qstash.Sender.
func (w *world) Send(_ context.Context, d qstash.Delivery) (qstash.Response, error) {
	w.mu.Lock()
	w.sent, w.sentAt = append(w.sent, d), append(w.sentAt, w.now)
	w.running++
	w.mostRuns = max(w.mostRuns, w.running)
	answer, block := w.answer, w.block
	w.mu.Unlock()
	if block != nil {
		<-block
	}
	w.mu.Lock()
	w.running--
	w.mu.Unlock()
	if answer == nil {
		return qstash.Response{Status: 200}, nil
	}
	return answer(d)
}

// run moves the clock ahead by d, and handles wake-ups when they are due.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.time().Add(d)
	for {
		w.mu.Lock()
		slices.SortStableFunc(w.hints, func(a, b wake.Hint) int { return a.At.Compare(b.At) })
		if len(w.hints) == 0 || w.hints[0].At.After(end) {
			w.now = end
			w.mu.Unlock()
			return
		}
		h := w.hints[0]
		w.hints = w.hints[1:]
		if h.At.After(w.now) {
			w.now = h.At
		}
		w.mu.Unlock()
		if err := w.engine.Handle(w.t.Context(), h.Key); err != nil {
			w.t.Fatalf("handle %s: %v", h.Key, err)
		}
	}
}

// sweep finds what wake-ups were lost for.
func (w *world) sweep() {
	w.t.Helper()
	if _, err := w.engine.Sweep(w.t.Context(), w.time()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) publish(url string, body string, o qstash.Options) string {
	w.t.Helper()
	out := w.engine.Publish(w.t.Context(), acct, []qstash.Request{{Destination: url, Body: []byte(body), Options: o}})
	if out[0].Err != nil {
		w.t.Fatal(out[0].Err)
	}
	return out[0].Messages[0].MessageID
}

func (w *world) message(id string) qstash.Message {
	w.t.Helper()
	m, err := w.engine.Message(w.t.Context(), acct, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// states are the events of a message, in order.
func (w *world) states(id string) string {
	w.t.Helper()
	entries, cursor, err := w.engine.Logs(w.t.Context(), acct, qstash.LogQuery{Filter: qstash.Filter{MessageIDs: []string{id}}, Count: 1000, Earliest: true})
	if err != nil || cursor != "" {
		w.t.Fatal(err, cursor)
	}
	var states []string
	for _, e := range entries {
		states = append(states, e.State)
	}
	return strings.Join(states, " ")
}

// urls are the destinations of what was sent, in order.
func (w *world) urls() []string {
	var urls []string
	for _, d := range w.sent {
		urls = append(urls, d.URL)
	}
	return urls
}

func (w *world) dead() []qstash.DeadMessage {
	w.t.Helper()
	list, cursor, err := w.engine.DeadLetters(w.t.Context(), acct, qstash.DLQQuery{Count: 100})
	if err != nil || cursor != "" {
		w.t.Fatal(err, cursor)
	}
	return list
}

func retries(n int) *int { return &n }

func failing(status int) func(qstash.Delivery) (qstash.Response, error) {
	return func(qstash.Delivery) (qstash.Response, error) {
		return qstash.Response{Status: status, Body: []byte("no")}, nil
	}
}

func isKind(err error, kind qstash.Kind) bool {
	e := (*qstash.Error)(nil)
	return errors.As(err, &e) && e.Kind == kind
}

func TestMessageIsDeliveredOnce(t *testing.T) {
	w := newWorld(t)
	id := w.publish("https://example.com/a?b=c", "hello", qstash.Options{Header: qstash.Header{"X-Mine": {"1"}}, CallerIP: "1.2.3.4"})
	if got := w.message(id); got.URL != "https://example.com/a?b=c" || got.Body != "hello" || got.MaxRetries != 3 || got.NotBefore != w.now.UnixMilli() {
		t.Errorf("message %+v", got)
	}
	w.run(0)
	w.sweep()
	w.run(time.Hour)
	if len(w.sent) != 1 {
		t.Fatalf("%d requests, want 1", len(w.sent))
	}
	d := w.sent[0]
	for name, want := range map[string]string{"X-Mine": "1", "Upstash-Message-Id": id, "Upstash-Retried": "0", "User-Agent": "Upstash-QStash",
		"Upstash-Region": "EU-CENTRAL-1", "Upstash-Caller-Ip": "1.2.3.4"} {
		if d.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, d.Header.Get(name), want)
		}
	}
	if string(d.Body) != "hello" || d.Method != "POST" || !strings.HasPrefix(d.SigningKey, "sig_") {
		t.Errorf("request %+v", d)
	}
	if got := w.states(id); got != "CREATED ACTIVE DELIVERED" {
		t.Errorf("events %s", got)
	}
	if _, err := w.engine.Message(t.Context(), acct, id); !isKind(err, qstash.KindNotFound) {
		t.Errorf("an hour after its delivery: %v, want not found", err)
	}
}

// noise is text that no compression makes shorter, so that a long one does not fit a message's item.
func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}

func TestLongBodiesAreKeptExactly(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{0, 1 << 10, 1<<10 + 1, 350 << 10, 350<<10 + 1, 2 << 20} {
		for _, body := range []string{noise(n), strings.Repeat("\xff\x00ab", n/4+1)[:n]} { // in chunks, and packed
			w.publish("https://example.com", body, qstash.Options{})
			w.run(0)
			if got := string(w.sent[len(w.sent)-1].Body); got != body {
				t.Errorf("body of %d bytes arrives as %d others", n, len(got))
			}
		}
	}
}

func TestRetriesBackOffAndEndInTheDeadLetterQueue(t *testing.T) {
	w := newWorld(t)
	w.answer = failing(404)
	id := w.publish("https://example.com", "x", qstash.Options{})
	start := w.now
	w.run(24 * time.Hour)
	var delays []time.Duration
	for i, at := range w.sentAt {
		if w.sent[i].Header.Get("Upstash-Retried") != string(rune('0'+i)) {
			t.Errorf("attempt %d says %q", i, w.sent[i].Header.Get("Upstash-Retried"))
		}
		delays = append(delays, at.Sub(start).Truncate(time.Second))
		start = at
	}
	want := []time.Duration{0, 12 * time.Second, 148 * time.Second, 1808 * time.Second}
	if !slices.Equal(delays, want) {
		t.Errorf("delays %v, want %v", delays, want)
	}
	if got := w.states(id); got != "CREATED ACTIVE ERROR RETRY ACTIVE ERROR RETRY ACTIVE ERROR RETRY ACTIVE ERROR FAILED" {
		t.Errorf("events %s", got)
	}
	dead := w.dead()
	if len(dead) != 1 || dead[0].MessageID != id || dead[0].ResponseStatus != 404 || dead[0].ResponseBody != "no" || dead[0].Body != "x" {
		t.Fatalf("dead letters %+v", dead)
	}
	w.answer = nil
	p, err := w.engine.RetryDeadLetter(t.Context(), acct, dead[0].DLQID, nil)
	if err != nil || p.MessageID == id {
		t.Fatal(p, err)
	}
	w.run(time.Second)
	if got := w.states(p.MessageID); got != "CREATED ACTIVE DELIVERED" || len(w.dead()) != 0 {
		t.Errorf("events after the retry %s, dead letters %v", got, w.dead())
	}
	if err := w.engine.DeleteDeadLetter(t.Context(), acct, dead[0].DLQID); !isKind(err, qstash.KindNotFound) {
		t.Errorf("deleting what was retried: %v", err)
	}
}

func TestAnswersSayWhenToRetry(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		header qstash.Header
		delay  string
		want   time.Duration // to the second attempt; 0: none
	}{
		{"seconds", 429, qstash.Header{"Retry-After": {"7"}}, "", 7 * time.Second},
		{"date", 503, qstash.Header{"Retry-After": {"Tue, 24 Nov 2026 12:00:30 GMT"}}, "", 30 * time.Second},
		{"duration", 500, qstash.Header{"X-Ratelimit-Reset-Requests": {"1m5s"}}, "", 65 * time.Second},
		{"the first field counts", 500, qstash.Header{"X-Ratelimit-Reset-Tokens": {"1"}, "X-Ratelimit-Reset": {"9"}}, "", 9 * time.Second},
		{"a day", 500, qstash.Header{"Retry-After": {"1d"}}, "", 24 * time.Hour},
		{"more than a day, in words", 500, qstash.Header{"Retry-After": {"25h"}}, "", 12182 * time.Millisecond},
		{"one that cannot be used is passed over", 500, qstash.Header{"Retry-After": {"soon"}, "X-Ratelimit-Reset": {"9"}}, "", 9 * time.Second},
		{"more than a day is ignored", 500, qstash.Header{"Retry-After": {"86401"}}, "", 12182 * time.Millisecond},
		{"an expression", 500, nil, "2000 * (1 + retried)", 2 * time.Second},
		{"an expression that is not a number", 500, nil, "sqrt(0-1)", 12182 * time.Millisecond},
		{"the answer beats the expression", 500, qstash.Header{"Retry-After": {"3"}}, "10", 3 * time.Second},
		{"not retryable", 489, qstash.Header{"Upstash-Nonretryable-Error": {"true"}}, "", 0},
		{"not retryable, in capitals", 489, qstash.Header{"Upstash-Nonretryable-Error": {"True"}}, "", 0},
		{"489 alone", 489, nil, "5000", 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = func(qstash.Delivery) (qstash.Response, error) {
				return qstash.Response{Status: c.status, Header: c.header}, nil
			}
			w.publish("https://example.com", "", qstash.Options{Retries: retries(1), RetryDelay: c.delay})
			w.run(24 * time.Hour)
			if c.want == 0 {
				if len(w.sent) != 1 || len(w.dead()) != 1 {
					t.Errorf("%d attempts, %d dead letters", len(w.sent), len(w.dead()))
				}
				return
			}
			if len(w.sent) != 2 || w.sentAt[1].Sub(w.sentAt[0]).Truncate(time.Millisecond) != c.want {
				t.Errorf("attempts at %v, want %v between", w.sentAt, c.want)
			}
		})
	}
}

func TestCallbacksTellOfEveryAttempt(t *testing.T) {
	w := newWorld(t)
	w.answer = func(d qstash.Delivery) (qstash.Response, error) {
		if d.URL == "https://example.com" {
			return qstash.Response{Status: 500, Header: qstash.Header{"X-A": {"b"}}, Body: []byte("sorry")}, nil
		}
		return qstash.Response{Status: 200}, nil
	}
	id := w.publish("https://example.com", "in", qstash.Options{Retries: retries(1), RetryDelay: "1000",
		Callback:        &qstash.Callback{URL: "https://cb.example", Options: qstash.Options{Header: qstash.Header{"X-Cb": {"1"}}}},
		FailureCallback: &qstash.Callback{URL: "https://fail.example", Options: qstash.Options{Method: "PUT"}}})
	w.run(time.Minute)
	if got, want := w.urls(), []string{"https://example.com", "https://cb.example", "https://example.com", "https://cb.example", "https://fail.example"}; !slices.Equal(got, want) {
		t.Fatalf("requests to %v, want %v", got, want)
	}
	var body map[string]any
	if err := json.Unmarshal(w.sent[4].Body, &body); err != nil {
		t.Fatal(err)
	}
	dead := w.dead()
	for name, want := range map[string]any{"status": 500.0, "body": "c29ycnk=", "retried": 1.0, "maxRetries": 1.0, "sourceMessageId": id,
		"url": "https://example.com", "method": "POST", "sourceBody": "aW4=", "dlqId": dead[0].DLQID} {
		if body[name] != want {
			t.Errorf("%s is %v, want %v", name, body[name], want)
		}
	}
	if w.sent[1].Header.Get("X-Cb") != "1" || w.sent[1].Header.Get("Content-Type") != "application/json" || w.sent[4].Method != "PUT" {
		t.Errorf("callbacks %+v", w.sent)
	}
	if err := json.Unmarshal(w.sent[1].Body, &body); err != nil || strings.Contains(string(w.sent[1].Body), "dlqId") || strings.Contains(string(w.sent[1].Body), "retried") {
		t.Errorf("first callback %s", w.sent[1].Body)
	}
}

func TestDelayedMessagesWaitAndSweepsFindWhatNobodyWakes(t *testing.T) {
	w := newWorld(t)
	w.deaf = true
	w.publish("https://late.example", "", qstash.Options{Delay: time.Hour})
	w.publish("https://now.example", "", qstash.Options{})
	w.run(32 * time.Minute) // a sweep that has woken a message gives it twice the time, so not at 31
	if len(w.sent) != 0 {
		t.Fatal("sent without a wake-up")
	}
	w.deaf = false
	w.sweep()
	w.run(27 * time.Minute)
	if got := w.urls(); !slices.Equal(got, []string{"https://now.example"}) {
		t.Fatalf("after the first sweep: %v", got)
	}
	w.run(time.Minute)
	w.sweep()
	w.run(0)
	if got := w.urls(); !slices.Equal(got, []string{"https://now.example", "https://late.example"}) {
		t.Fatalf("after the second sweep: %v", got)
	}
	w.run(2 * time.Minute)
	w.sweep() // nothing is left over
	if n, err := w.engine.Sweep(t.Context(), w.time()); n != 0 || err != nil {
		t.Errorf("a sweep still wakes %d, %v", n, err)
	}
}

func TestDuplicatesAreAnsweredWithTheFirst(t *testing.T) {
	w := newWorld(t)
	publish := func(o qstash.Options, body string) qstash.Published {
		out := w.engine.Publish(t.Context(), acct, []qstash.Request{{Destination: "https://example.com", Body: []byte(body), Options: o}})
		if out[0].Err != nil {
			t.Fatal(out[0].Err)
		}
		return out[0].Messages[0]
	}
	first := publish(qstash.Options{DedupID: "a"}, "1")
	if again := publish(qstash.Options{DedupID: "a"}, "2"); !again.Deduplicated || again.MessageID != first.MessageID {
		t.Errorf("same id: %+v", again)
	}
	if other := publish(qstash.Options{DedupID: "b"}, "1"); other.Deduplicated {
		t.Error("another id is taken for a duplicate")
	}
	content := publish(qstash.Options{DedupByContent: true}, "1")
	if again := publish(qstash.Options{DedupByContent: true}, "1"); !again.Deduplicated || again.MessageID != content.MessageID {
		t.Errorf("same content: %+v", again)
	}
	if other := publish(qstash.Options{DedupByContent: true, Header: qstash.Header{"A": {"b"}}}, "1"); other.Deduplicated {
		t.Error("another header is taken for a duplicate")
	}
	w.run(10 * time.Minute)
	if later := publish(qstash.Options{DedupID: "a"}, "1"); later.Deduplicated {
		t.Error("still a duplicate after ten minutes")
	}
}

func TestCrashedAttemptsAreMadeAgain(t *testing.T) {
	for _, c := range []struct {
		timeout, lease time.Duration
		alone          bool
	}{
		{alone: true},
		{0, 2 * time.Minute, false},
		{10 * time.Minute, 2 * time.Minute, false},
		{115 * time.Second, 2 * time.Minute, false},
		{10 * time.Second, 15 * time.Second, false},
	} {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.answer = func(qstash.Delivery) (qstash.Response, error) {
			cancel() // the process ends while it waits for the answer
			return qstash.Response{}, ctx.Err()
		}
		id := w.publish("https://example.com", "", qstash.Options{Timeout: c.timeout})
		key := w.hints[0].Key
		if err := w.engine.Handle(ctx, key); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		w.hints, w.answer = nil, nil
		w.engine = w.newEngine(func(cfg *qstash.Config) { cfg.Alone = c.alone })
		handle := func() {
			if err := w.engine.Handle(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if c.lease > 0 {
			w.run(c.lease - time.Millisecond)
			handle()
			w.sweep()
			w.run(0)
			if len(w.sent) != 1 {
				t.Errorf("%+v: taken over before the lease expires", c)
			}
			w.run(time.Millisecond)
		}
		handle()
		if len(w.sent) != 2 {
			t.Errorf("%+v: not taken over", c)
		}
		if w.sent[1].Header.Get("Upstash-Retried") != "0" || w.states(id) != "CREATED ACTIVE DELIVERED" {
			t.Errorf("%+v: events %s", c, w.states(id))
		}
	}
}

// Sweeps find attempts whose engine is gone, in queues as well.
func TestSweepFindsExpiredLeases(t *testing.T) {
	for _, o := range []qstash.Options{{}, {Queue: "q"}, {Flow: &qstash.Flow{Key: "k", Parallelism: 1}}} {
		w := newWorld(t)
		o.Timeout = 10 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		w.answer = func(qstash.Delivery) (qstash.Response, error) {
			cancel()
			return qstash.Response{}, ctx.Err()
		}
		id := w.publish("https://example.com", "", o)
		if err := w.engine.Handle(ctx, "m/"+acct+"/"+id); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		w.hints, w.answer = nil, nil
		w.engine = w.newEngine()
		w.run(61 * time.Second)
		w.sweep()
		w.run(0)
		if len(w.sent) != 2 || w.states(id) != "CREATED ACTIVE DELIVERED" {
			t.Errorf("%+v: %d attempts, %s", o, len(w.sent), w.states(id))
		}
	}
}

// slowStore is a store that takes its time over bodies.
type slowStore struct {
	store.Store
	slow func()
}

func (s *slowStore) GetMany(ctx context.Context, keys []store.Key, eventual bool) ([]store.Attrs, error) {
	s.slow()
	return s.Store.GetMany(ctx, keys, eventual)
}

// An engine that is slow between claiming and sending never sends while another one may.
func TestSlowEnginesDoNotSendBesideOthers(t *testing.T) {
	for _, overtaken := range []bool{false, true} {
		w := newWorld(t)
		id := w.publish("https://example.com", noise(5000), qstash.Options{Timeout: 10 * time.Second})
		key := "m/" + acct + "/" + id
		slow := &slowStore{Store: w.store}
		read := 0
		slow.slow = func() {
			if read++; read > 1 {
				return
			}
			w.mu.Lock()
			w.now = w.now.Add(20 * time.Second)
			w.mu.Unlock()
			if overtaken {
				if err := w.newEngine().Handle(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		}
		other := w.newEngine() // finds the lease renewed
		w.answer = func(qstash.Delivery) (qstash.Response, error) {
			if err := other.Handle(t.Context(), key); err != nil {
				t.Error(err)
			}
			return qstash.Response{Status: 200}, nil
		}
		if err := w.newEngine(func(c *qstash.Config) { c.Store = slow }).Handle(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if read == 0 || len(w.sent) != 1 || w.states(id) != "CREATED ACTIVE DELIVERED" {
			t.Errorf("overtaken %v: %d attempts, %s", overtaken, len(w.sent), w.states(id))
		}
	}
}
