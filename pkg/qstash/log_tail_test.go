package qstash_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	stores "github.com/skystash/skystash/pkg/store/embedded"
)

// Who follows the log gets each event once, also those of messages that are old.
func TestTailHasEachEventOnce(t *testing.T) {
	w := newWorld(t)
	old := w.publish("https://old.example", "x", qstash.Options{Delay: time.Minute})
	w.run(20 * time.Second)
	var got []qstash.LogEntry
	_, cursor, err := w.engine.Tail(t.Context(), acct, qstash.LogQuery{})
	if err != nil {
		t.Fatal(err)
	}
	w.answer = func(d qstash.Delivery) (qstash.Response, error) {
		return qstash.Response{Status: map[bool]int{true: 200, false: 500}[d.Header.Get("Upstash-Retried") == "1"]}, nil
	}
	began := w.now.UnixMilli()
	for i := range 90 {
		if i < 40 {
			w.publish(fmt.Sprintf("https://h%d.example", i%2), "x", qstash.Options{RetryDelay: "15000"})
		}
		w.run(time.Second)
		entries, next, err := w.engine.Tail(t.Context(), acct, qstash.LogQuery{Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		got, cursor = append(got, entries...), next
	}
	all := slices.DeleteFunc(w.pages(qstash.LogQuery{Count: 1000, Earliest: true}), func(e qstash.LogEntry) bool { return e.Time < began })
	if want := eventNames(all); !slices.Equal(eventNames(got), want) || len(want) < 200 {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
	if !slices.ContainsFunc(got, func(e qstash.LogEntry) bool { return e.MessageID == old && e.State == qstash.EventDelivered }) {
		t.Error("the delivery of the old message is missing")
	}
	filtered, _, err := w.engine.Tail(t.Context(), acct, qstash.LogQuery{Cursor: fmt.Sprint(began, ":msg_:0"), Filter: qstash.Filter{State: []string{qstash.EventDelivered}, Host: []string{"h1.example"}}})
	if err != nil || len(filtered) != 20 {
		t.Errorf("%d filtered events, %v, want 20", len(filtered), err)
	}
}

func TestTailWaitsForEventsAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := stores.Open(stores.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		waker := embedded.New(embedded.Options{})
		e := qstash.New(qstash.Config{Store: st, Sender: answers(0), Waker: waker, Alone: true, TailHold: 5 * time.Second})
		if _, err := e.CreateAccount(t.Context(), acct, qstash.Keys{}); err != nil {
			t.Fatal(err)
		}
		waker.Start(t.Context(), e.Handle)
		defer waker.Stop()
		began := time.Now()
		entries, cursor, err := e.Tail(t.Context(), acct, qstash.LogQuery{})
		if took := time.Since(began); err != nil || len(entries) != 0 || took < 5*time.Second || took > 6*time.Second {
			t.Fatalf("nothing happens: %d events after %v, %v", len(entries), took, err)
		}
		go func() {
			time.Sleep(time.Second)
			e.Publish(t.Context(), acct, []qstash.Request{{Destination: "https://a.example"}})
		}()
		began = time.Now()
		if entries, _, err = e.Tail(t.Context(), acct, qstash.LogQuery{Cursor: cursor}); err != nil || len(entries) != 3 || time.Since(began) > 3*time.Second {
			t.Errorf("%d events after %v, %v", len(entries), time.Since(began), err)
		}

		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range qstash.MaxTails {
			all.Go(func() {
				if _, _, err := e.Tail(ctx, acct, qstash.LogQuery{}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, _, err := e.Tail(t.Context(), acct, qstash.LogQuery{}); !errors.Is(err, qstash.ErrTooManyTails) {
			t.Errorf("one reader more: %v", err)
		}
		began = time.Now()
		stop() // the clients have gone
		all.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("readers that have gone are served for %v", took)
		}
		if _, _, err := e.Tail(t.Context(), acct, qstash.LogQuery{}); err != nil {
			t.Errorf("after the others have ended: %v", err)
		}
	})
}
