package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/command/commandtest"
	"github.com/skystash/skystash/pkg/redis/internal/duties"
	"github.com/skystash/skystash/pkg/redis/pubsub"
	"github.com/skystash/skystash/pkg/store"
)

// testTimeout is how long a test waits for what must come.
const testTimeout = 5 * time.Minute

// instance is a database with a broker, as one process has it.
type instance struct {
	*commandtest.DB
	t      *testing.T
	broker *pubsub.Broker
}

// instances are n processes that share a store.
func instances(t *testing.T, n int) []*instance {
	t.Helper()
	st, clock := commandtest.Memory(t), commandtest.NewClock()
	var all []*instance
	for range n {
		all = append(all, newInstance(t, st, clock, "test", n == 1))
	}
	return all
}

func newInstance(t *testing.T, st store.Store, clock *commandtest.Clock, id string, alone bool) *instance {
	t.Helper()
	duty := duties.New()
	t.Cleanup(duty.Close)
	in := &instance{t: t, DB: commandtest.New(t, st, clock, id), broker: pubsub.New(pubsub.Config{
		Store: st, Now: clock.Now, Log: slog.Default(), Retry: store.Retry{}.WithClock(clock.Now), Duties: duty, Alone: alone,
	})}
	in.Table.Add(in.broker.Commands())
	return in
}

// subscribe begins a subscription that ends with the test.
func (in *instance) subscribe(channels, patterns []string) *pubsub.Subscription {
	in.t.Helper()
	s, err := in.broker.Subscribe(in.t.Context(), in.Database, command.Access{}, channels, patterns)
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(s.Close)
	return s
}

// receive takes the next messages, each as "channel payload" or "pattern channel payload".
func receive(t *testing.T, s *pubsub.Subscription, n int) []string {
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

func expectMessages(t *testing.T, s *pubsub.Subscription, want ...string) {
	t.Helper()
	if got := receive(t, s, len(want)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Messages of any size and number arrive, in order, also at a process that shares only the store.
func TestMessagesReachOtherProcesses(t *testing.T) {
	ds := instances(t, 3)
	subscribers := []*pubsub.Subscription{
		ds[0].subscribe([]string{"c"}, nil), ds[1].subscribe([]string{"c"}, nil),
		ds[1].subscribe([]string{"other", "c"}, nil), ds[2].subscribe(nil, []string{"?"}),
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
		if got := ds[i%3].Do("PUBLISH", "c", payload); got != "(integer) 4" {
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
	d := instances(t, 1)[0]
	mine := d.subscribe([]string{"c"}, []string{"*"})
	other := newInstance(t, d.Store, d.Clock, "test2", true)
	other.Check([2]string{"publish c theirs", "(integer) 0"}, [2]string{"pubsub channels", "[]"}, [2]string{"pubsub numpat", "(integer) 0"})
	d.Check([2]string{"publish c ours", "(integer) 2"})
	expectMessages(t, mine, "c ours", "* c ours")
}

// A hundred subscribers in several processes, many publishers at once: everybody gets everything
// once, and all see the same order.
func TestManySubscribers(t *testing.T) {
	const subscribers, publishers, each = 100, 8, 50
	ds := instances(t, 4)
	var subs []*pubsub.Subscription
	for i := range subscribers {
		subs = append(subs, ds[i%4].subscribe([]string{"c"}, nil))
	}
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				if got := ds[p%4].Line(fmt.Sprintf("publish c %d:%d", p, i)); got != "(integer) 100" {
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

// A subscriber that takes nothing holds nobody up, and gets everything later.
func TestSlowSubscriber(t *testing.T) {
	d := instances(t, 1)[0]
	slow := d.subscribe([]string{"c"}, nil)
	quick := d.subscribe([]string{"c"}, nil)
	const n = 5000
	var want []string
	for i := range n {
		d.Do("PUBLISH", "c", fmt.Sprintf("%d %s", i, strings.Repeat("z", i%700)))
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
	d.Do("PUBLISH", "c", "live again")
	expectMessages(t, slow, "c live again")
	expectMessages(t, quick, "c live again")
}

// One that takes nothing for so long that messages have been deleted is told so.
func TestSubscriberThatMissesMessagesIsCut(t *testing.T) {
	d := instances(t, 1)[0]
	slow := d.subscribe([]string{"c"}, nil)
	quick := d.subscribe([]string{"c"}, nil)
	for i := range 3000 {
		d.Do("PUBLISH", "c", strconv.Itoa(i))
		receive(t, quick, 1)
	}
	deleteSegments(t, d)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	for i := 0; ; i++ {
		m, err := slow.Next(ctx)
		if errors.Is(err, pubsub.ErrLagged) {
			break
		}
		if err != nil || m.Payload != strconv.Itoa(i) {
			t.Fatalf("message %d: %q, %v", i, m.Payload, err)
		}
	}
	d.Do("PUBLISH", "c", "on")
	expectMessages(t, quick, "c on")
}

// deleteSegments does what the store does in time: it deletes the messages that have left the heads of the logs.
func deleteSegments(t *testing.T, d *instance) {
	t.Helper()
	n := 0
	for shard := range 4 {
		page, err := d.Store.Query(t.Context(), store.Query{Partition: "ptest\x00\x00" + string(rune(shard)), From: "\x01", To: "\x02"})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			if !it.Attrs.Has(store.TTLAttr) {
				t.Error("messages that stay for ever")
			}
			if err := d.Store.Load(t.Context(), nil, []store.Key{it.Key}); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	if n == 0 {
		t.Fatal("no messages to delete")
	}
}

// What a process that has died had subscribed to counts no more after a minute.
func TestSubscriptionsOfDeadProcessesVanish(t *testing.T) {
	ds := instances(t, 2)
	ds[0].subscribe([]string{"c"}, []string{"*"})
	ds[1].Check([2]string{"publish c x", "(integer) 2"}, [2]string{"pubsub channels", `["c"]`})
	ds[1].Clock.Advance(61 * time.Second)
	ds[1].Check(
		[2]string{"publish c x", "(integer) 0"},
		[2]string{"pubsub channels", "[]"},
		[2]string{"pubsub numsub c", `["c" (integer) 0]`},
		[2]string{"pubsub numpat", "(integer) 0"},
	)
	// Another one's subscription takes the dead one's entry away.
	ds[1].Clock.Advance(time.Hour)
	ds[1].subscribe([]string{"c"}, nil).Close()
	ds[1].Check([2]string{"pubsub numsub c", `["c" (integer) 0]`})
}

func TestNextEndsWithItsContext(t *testing.T) {
	d := instances(t, 1)[0]
	s := d.subscribe([]string{"c"}, nil)
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
	d.Do("PUBLISH", "c", "x")
	expectMessages(t, s, "c x")
}
