package redis_test

import (
	"context"
	"errors"
	"fmt"
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
