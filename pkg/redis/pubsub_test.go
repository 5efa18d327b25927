package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// testTimeout is how long a test waits for what must come.
const testTimeout = 5 * time.Minute

// subscribe begins a subscription that ends with the test.
func subscribe(t *testing.T, e *redis.Engine, channels, patterns []string) *redis.Subscription {
	t.Helper()
	db, err := e.Database(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Subscribe(t.Context(), db, redis.Access{}, channels, patterns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// receive takes the next messages, each as "channel payload" or "pattern channel payload".
func receive(t *testing.T, s *redis.Subscription, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	var got []string
	for range n {
		m, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, strings.TrimSpace(m.Pattern+" "+m.Channel+" "+m.Payload))
	}
	return got
}

func expectMessages(t *testing.T, s *redis.Subscription, want ...string) {
	t.Helper()
	if got := receive(t, s, len(want)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// sharing makes engines that share a store, as instances on AWS do.
func sharing(t *testing.T, st store.Store, n int) []*testDB {
	t.Helper()
	var ds []*testDB
	clock := &testClock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for i := range n {
		e := redis.New(redis.Config{Store: st, Now: clock.now, RecordTTL: time.Hour})
		t.Cleanup(e.Close)
		if i == 0 {
			if _, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"}); err != nil {
				t.Fatal(err)
			}
		}
		ds = append(ds, &testDB{t: t, e: e, id: "test", st: st, clock: clock})
	}
	return ds
}

func memoryStore(t *testing.T) store.Store {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func TestPublish(t *testing.T) {
	d := newTestEngine(t)
	news := subscribe(t, d.e, []string{"news", "sport", "news"}, nil)
	all := subscribe(t, d.e, []string{"news"}, []string{"n?ws", "w*"})
	d.check(
		[2]string{"publish nobody hello", "(integer) 0"},
		[2]string{"publish news one", "(integer) 3"},
		[2]string{"publish sport two", "(integer) 1"},
		[2]string{"publish weather three", "(integer) 1"},
		[2]string{"publish news four", "(integer) 3"},
		[2]string{"pubsub numsub news sport weather", `["news" (integer) 2 "sport" (integer) 1 "weather" (integer) 0]`},
		[2]string{"pubsub numsub", "[]"},
		[2]string{"pubsub numpat", "(integer) 2"},
		[2]string{"pubsub channels sp*", `["sport"]`},
		[2]string{"pubsub shardchannels", "[]"},
		[2]string{"pubsub shardnumsub a", `["a" (integer) 0]`},
		[2]string{"pubsub channels a b", "(error) ERR unknown subcommand or wrong number of arguments for 'channels'. Try PUBSUB HELP."},
		[2]string{"publish a", "(error) ERR wrong number of arguments for 'publish' command"},
		[2]string{"spublish a b", "(error) ERR Command is not available: 'SPUBLISH'"},
	)
	if got := d.cmd("pubsub channels"); got != `["news" "sport"]` && got != `["sport" "news"]` {
		t.Errorf("channels %s", got)
	}
	byChannel := map[string][]string{}
	for _, m := range append(receive(t, news, 3), receive(t, all, 5)...) {
		words := strings.Fields(m)
		payload := words[len(words)-1]
		byChannel[strings.Join(words[:len(words)-1], " ")] = append(byChannel[strings.Join(words[:len(words)-1], " ")], payload)
	}
	want := map[string][]string{"news": {"one", "four", "one", "four"}, "sport": {"two"}, "n?ws news": {"one", "four"}, "w* weather": {"three"}}
	if fmt.Sprint(byChannel) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", byChannel, want)
	}

	all.Close()
	d.check([2]string{"publish news five", "(integer) 1"}, [2]string{"pubsub numpat", "(integer) 0"})
	expectMessages(t, news, "news five")
	news.Close()
	d.check([2]string{"publish news six", "(integer) 0"}, [2]string{"pubsub channels", "[]"})
	if _, err := news.Next(t.Context()); err == nil {
		t.Error("a closed subscription gives messages")
	}
}

func TestPublishInTransaction(t *testing.T) {
	d := newTestEngine(t)
	s := subscribe(t, d.e, []string{"c"}, nil)
	got, err := d.multi("set k 1", "publish c first", "publish c second", "publish nobody x", "incr k")
	if err != nil || got != "OK (integer) 1 (integer) 1 (integer) 0 (integer) 2" {
		t.Fatalf("%s, %v", got, err)
	}
	if _, err := d.multi("publish c never", "nosuch"); err == nil {
		t.Error("a transaction with an unknown command ran")
	}
	d.check([2]string{"publish c third", "(integer) 1"})
	expectMessages(t, s, "c first", "c second", "c third")

	long := make([]string, 500)
	var want []string
	for i := range long {
		long[i] = fmt.Sprintf("publish c %d", i)
		want = append(want, fmt.Sprintf("c %d", i))
	}
	if _, err := d.multi(long...); err != nil {
		t.Fatal(err)
	}
	expectMessages(t, s, want...)
}

// Messages of any size and number arrive, in order, also at an engine that shares only the store.
func TestMessagesReachOtherEngines(t *testing.T) {
	ds := sharing(t, memoryStore(t), 3)
	subscribers := []*redis.Subscription{
		subscribe(t, ds[0].e, []string{"c"}, nil), subscribe(t, ds[1].e, []string{"c"}, nil),
		subscribe(t, ds[1].e, []string{"other", "c"}, nil), subscribe(t, ds[2].e, nil, []string{"?"}),
	}
	var want []string
	for i := range 300 {
		payload := strconv.Itoa(i)
		switch {
		case i%100 == 7:
			payload += strings.Repeat("x", 900_000) // several items
		case i%10 == 3:
			payload += strings.Repeat("y", 2000)
		case i%10 == 4:
			payload += "\x00\xff\r\n,"
		}
		if got := ds[i%3].do("PUBLISH", "c", payload); got != "(integer) 4" {
			t.Fatalf("message %d: %s", i, got)
		}
		want = append(want, "c "+payload)
	}
	for i, s := range subscribers {
		for j, got := range receive(t, s, len(want)) {
			if i == 3 {
				got = strings.TrimPrefix(got, "? ")
			}
			if got != strings.TrimSpace(want[j]) {
				t.Fatalf("subscriber %d, message %d: got %.20q (%d bytes), want %.20q (%d bytes)", i, j, got, len(got), want[j], len(want[j]))
			}
		}
	}
}

func TestOtherDatabasesHearNothing(t *testing.T) {
	d := newTestEngine(t)
	if _, err := d.e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test2"}); err != nil {
		t.Fatal(err)
	}
	mine := subscribe(t, d.e, []string{"c"}, []string{"*"})
	other := *d
	other.id = "test2"
	other.check([2]string{"publish c theirs", "(integer) 0"}, [2]string{"pubsub channels", "[]"}, [2]string{"pubsub numpat", "(integer) 0"})
	d.check([2]string{"publish c ours", "(integer) 2"})
	expectMessages(t, mine, "c ours", "* c ours")
}

// A hundred subscribers on several engines, many publishers at once: everybody gets everything
// once, and all see the same order.
func TestManySubscribers(t *testing.T) {
	const subscribers, publishers, each = 100, 8, 50
	ds := sharing(t, memoryStore(t), 4)
	var subs []*redis.Subscription
	for i := range subscribers {
		subs = append(subs, subscribe(t, ds[i%4].e, []string{"c"}, nil))
	}
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				if got := ds[p%4].cmd(fmt.Sprintf("publish c %d:%d", p, i)); got != "(integer) 100" {
					t.Errorf("reply %s", got)
				}
			}
		})
	}
	wg.Wait()
	first := receive(t, subs[0], publishers*each)
	next := map[string]int{}
	for _, m := range first {
		var p, i int
		fmt.Sscanf(m, "c %d:%d", &p, &i)
		if who := strconv.Itoa(p); i != next[who] {
			t.Fatalf("message %d of publisher %d came where %d was due", i, p, next[who])
		} else {
			next[who]++
		}
	}
	for i, s := range subs[1:] {
		if got := receive(t, s, len(first)); fmt.Sprint(got) != fmt.Sprint(first) {
			t.Fatalf("subscriber %d saw another order", i+1)
		}
	}
}

// Lost answers and failures of the store neither lose nor repeat a message.
func TestMessagesUnderFaults(t *testing.T) {
	const publishers, each = 6, 60
	faults := faulty.New(memoryStore(t), faulty.Plan{})
	ds := sharing(t, faults, 3)
	s := subscribe(t, ds[0].e, []string{"c"}, nil)
	for _, d := range ds {
		d.database()
	}
	faults.SetPlan(faulty.Plan{Seed: 11, Throttle: 0.03, Conflict: 0.05, Unavailable: 0.02, LostApplied: 0.1, LostUnapplied: 0.1, LostLate: 0.05})
	var unknown sync.Map
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			d := ds[p%3]
			db := d.database()
			for i := range each {
				msg := fmt.Sprintf("%d:%d", p, i)
				for {
					var w resp.Writer
					var err error
					if i%3 == 0 {
						err = d.e.Multi(t.Context(), db, redis.Access{}, [][]string{{"INCR", "n"}, {"PUBLISH", "c", msg}}, &w)
					} else {
						err = d.e.Do(t.Context(), db, redis.Access{}, []string{"PUBLISH", "c", msg}, &w)
					}
					if errors.Is(err, store.ErrUnknownOutcome) {
						unknown.Store(msg, true)
					} else if err != nil {
						continue
					}
					break
				}
			}
		})
	}
	wg.Wait()
	faults.SetPlan(faulty.Plan{})
	faults.Flush()
	ds[0].cmd("publish c end")
	seen := map[string]int{}
	last := map[int]int{}
	for m := ""; m != "c end"; {
		m = receive(t, s, 1)[0]
		seen[strings.TrimPrefix(m, "c ")]++
		var p, i int
		if n, _ := fmt.Sscanf(m, "c %d:%d", &p, &i); n == 2 {
			if i < last[p] {
				t.Errorf("message %d of publisher %d came after %d", i, p, last[p])
			}
			last[p] = i
		}
	}
	for p := range publishers {
		for i := range each {
			msg := fmt.Sprintf("%d:%d", p, i)
			_, doubtful := unknown.Load(msg)
			if n := seen[msg]; n != 1 && !(doubtful && n == 0) {
				t.Errorf("message %s came %d times", msg, n)
			}
		}
	}
	if c := faults.Counts(); c.LostApplied < 20 || c.LostLate < 5 {
		t.Errorf("too few faults to prove anything: %+v", c)
	}
}

// A subscriber that takes nothing holds nobody up, and gets everything later.
func TestSlowSubscriber(t *testing.T) {
	d := newTestEngine(t)
	slow := subscribe(t, d.e, []string{"c"}, nil)
	quick := subscribe(t, d.e, []string{"c"}, nil)
	const n = 5000
	var want []string
	for i := range n {
		d.do("PUBLISH", "c", fmt.Sprintf("%d %s", i, strings.Repeat("z", i%700)))
		want = append(want, strings.TrimSpace(fmt.Sprintf("c %d %s", i, strings.Repeat("z", i%700))))
		if got := receive(t, quick, 1)[0]; got != want[i] {
			t.Fatalf("message %d: got %.30q", i, got)
		}
	}
	for i, got := range receive(t, slow, n) {
		if got != want[i] {
			t.Fatalf("message %d: got %.30q, want %.30q", i, got, want[i])
		}
	}
	d.do("PUBLISH", "c", "live again")
	expectMessages(t, slow, "c live again")
	expectMessages(t, quick, "c live again")
}

// One that takes nothing for so long that messages have been deleted is told so.
func TestSubscriberThatMissesMessagesIsCut(t *testing.T) {
	d := newTestEngine(t)
	slow := subscribe(t, d.e, []string{"c"}, nil)
	quick := subscribe(t, d.e, []string{"c"}, nil)
	for i := range 3000 {
		d.do("PUBLISH", "c", strconv.Itoa(i))
		receive(t, quick, 1)
	}
	deleteSegments(t, d)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	for i := 0; ; i++ {
		m, err := slow.Next(ctx)
		if errors.Is(err, redis.ErrLagged) {
			break
		}
		if err != nil || m.Payload != strconv.Itoa(i) {
			t.Fatalf("message %d: %q, %v", i, m.Payload, err)
		}
	}
	d.do("PUBLISH", "c", "on")
	expectMessages(t, quick, "c on")
}

// deleteSegments does what the store does in time: it deletes the messages that have left the heads of the logs.
func deleteSegments(t *testing.T, d *testDB) {
	t.Helper()
	n := 0
	for shard := range 4 {
		page, err := d.st.Query(t.Context(), store.Query{Partition: "ptest\x00\x00" + string(rune(shard)), From: "\x01", To: "\x02"})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			if !it.Attrs.Has(store.TTLAttr) {
				t.Error("messages that stay for ever")
			}
			if err := d.st.Load(t.Context(), nil, []store.Key{it.Key}); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	if n == 0 {
		t.Fatal("no messages to delete")
	}
}

// What an engine that has died had subscribed to counts no more after a minute.
func TestSubscriptionsOfDeadEngineVanish(t *testing.T) {
	ds := sharing(t, memoryStore(t), 2)
	subscribe(t, ds[0].e, []string{"c"}, []string{"*"})
	ds[1].check([2]string{"publish c x", "(integer) 2"}, [2]string{"pubsub channels", `["c"]`})
	ds[1].clock.advance(61 * time.Second)
	ds[1].check(
		[2]string{"publish c x", "(integer) 0"},
		[2]string{"pubsub channels", "[]"},
		[2]string{"pubsub numsub c", `["c" (integer) 0]`},
		[2]string{"pubsub numpat", "(integer) 0"},
	)
	// Another one's subscription takes the dead one's entry away.
	ds[1].clock.advance(time.Hour)
	subscribe(t, ds[1].e, []string{"c"}, nil).Close()
	ds[1].check([2]string{"pubsub numsub c", `["c" (integer) 0]`})
}

func TestNextEndsWithItsContext(t *testing.T) {
	d := newTestEngine(t)
	s := subscribe(t, d.e, []string{"c"}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Next(ctx)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	d.do("PUBLISH", "c", "x")
	expectMessages(t, s, "c x")
}

func TestCostOfPublishing(t *testing.T) {
	d := newTestEngine(t)
	if u := d.usage("PUBLISH", "c", "m"); u.Calls != 1 || u.WriteUnits != 0 {
		t.Errorf("without subscribers: %+v", u)
	}
	subscribe(t, d.e, []string{"c"}, nil)
	if u := d.usage("PUBLISH", "c", "m"); u.Calls != 2 || u.WriteUnits != 1 {
		t.Errorf("with a subscriber: %+v", u)
	}
}

func TestReadOnlyAccessHearsOnlyWhatRulesName(t *testing.T) {
	d := newTestEngine(t)
	subscribe(t, d.e, []string{"news:1", "private"}, nil)
	readOnly := redis.Access{ReadOnly: true}
	bounded, err := d.e.AccessOf([]string{"+@read", "+@pubsub", "&news:*"})
	if err != nil {
		t.Fatal(err)
	}
	bounded.ReadOnly = true
	for name, tt := range map[string]struct {
		access             redis.Access
		channels, patterns []string
		may                bool
	}{
		"no rules, a channel":        {readOnly, []string{"c"}, nil, false},
		"no rules, a pattern":        {readOnly, nil, []string{"*"}, false},
		"rules, their channel":       {bounded, []string{"news:1"}, nil, true},
		"rules, their pattern":       {bounded, nil, []string{"news:*"}, true},
		"rules, another channel":     {bounded, []string{"private"}, nil, false},
		"rules, a pattern of others": {bounded, nil, []string{"*"}, false},
	} {
		s, err := d.e.Subscribe(t.Context(), d.database(), tt.access, tt.channels, tt.patterns)
		if err == nil {
			s.Close()
		}
		if (err == nil) != tt.may {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, tt := range []struct {
		access     redis.Access
		line, want string
	}{
		{readOnly, "publish c x", "(error) NOPERM this user has no permissions to run the 'publish' command or its subcommand"},
		{readOnly, "pubsub channels", "[]"},
		{readOnly, "pubsub numsub private", `["private" (integer) 1]`},
		{bounded, "pubsub channels", `["news:1"]`},
	} {
		var w resp.Writer
		if err := d.e.Do(t.Context(), d.database(), tt.access, strings.Fields(tt.line), &w); err != nil || render(t, w.Buf) != tt.want {
			t.Errorf("%s: %s, %v", tt.line, w.Buf, err)
		}
	}
}

// MONITOR shows every key and channel, so rules that name some of them do not allow it.
func TestMonitorWantsAllKeysAndChannels(t *testing.T) {
	d := newTestEngine(t)
	for rules, may := range map[string]bool{"+@all ~app:* &*": false, "+@all ~* &news": false, "+@all %W~* &*": false, "+@read ~* &*": false, "+@all ~* &*": true} {
		a, err := d.e.AccessOf(strings.Fields(rules))
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.e.Monitor(t.Context(), d.database(), a)
		if err == nil {
			s.Close()
		}
		if (err == nil) != may {
			t.Errorf("rules %q: %v", rules, err)
		}
	}
}
