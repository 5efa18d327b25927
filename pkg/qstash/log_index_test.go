package qstash_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

// eventNames are what the log has, an event a line.
func eventNames(entries []qstash.LogEntry) []string {
	var names []string
	for _, e := range entries {
		names = append(names, fmt.Sprint(e.Time, " ", e.MessageID, " ", e.State))
	}
	return names
}

// pages reads the log page by page.
func (w *world) pages(q qstash.LogQuery) (all []qstash.LogEntry) {
	w.t.Helper()
	for range 1000 {
		entries, cursor, err := w.engine.Logs(w.t.Context(), acct, q)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, entries...)
		if q.Cursor = cursor; cursor == "" {
			return all
		}
	}
	w.t.Fatal("the log has no end")
	return nil
}

// The log has each event of each message once, in order of the events' times, whatever the messages have
// gone through and however it is read.
func TestLogIsInOrderOfTheEvents(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t)
			r := rand.New(rand.NewPCG(seed, 1))
			w.answer = func(qstash.Delivery) (qstash.Response, error) {
				w.mu.Lock()
				w.now = w.now.Add(time.Duration(r.IntN(3)) * 8 * time.Second) // what the destination takes
				w.mu.Unlock()
				return qstash.Response{Status: []int{200, 200, 500}[r.IntN(3)]}, nil
			}
			var ids []string
			if _, err := w.engine.CreateSchedule(t.Context(), acct, qstash.ScheduleRequest{Cron: "* * * * *", Destination: "https://s.example"}); err != nil {
				t.Fatal(err)
			}
			for range 40 {
				o := qstash.Options{Retries: retries(r.IntN(3)), RetryDelay: fmt.Sprint(r.IntN(4) * 15_000), Delay: time.Duration(r.IntN(3)) * 20 * time.Second}
				if r.IntN(4) == 0 {
					o.Callback = &qstash.Callback{URL: "https://cb.example"}
				}
				switch r.IntN(4) {
				case 0:
					o.Queue = "q"
				case 1:
					o.Flow = &qstash.Flow{Key: "k", Rate: 1, Period: 7 * time.Second}
				}
				ids = append(ids, w.publish("https://a.example", "x", o))
				switch id := ids[r.IntN(len(ids))]; r.IntN(5) {
				case 0:
					_ = w.engine.Cancel(t.Context(), acct, id) // which may have finished
				case 1:
					_ = w.engine.RetryNow(t.Context(), acct, id)
				}
				w.run(time.Duration(r.IntN(12)) * time.Second)
			}
			w.run(time.Minute)
			groups, _, err := w.engine.LogsByMessage(t.Context(), acct, qstash.LogQuery{Count: 10_000, Earliest: true})
			if err != nil {
				t.Fatal(err)
			}
			var all []qstash.LogEntry
			for _, g := range groups {
				all = append(all, g.Events...)
			}
			slices.SortStableFunc(all, func(a, b qstash.LogEntry) int {
				if a.Time != b.Time {
					return int(a.Time - b.Time)
				}
				return 0
			})
			for _, q := range []qstash.LogQuery{{Count: 10_000, Earliest: true}, {Count: 7, Earliest: true}, {Count: 10_000}, {Count: 7},
				{Count: 5, Filter: qstash.Filter{From: all[len(all)/3].Time, To: all[len(all)/2].Time}},
				{Count: 5, Earliest: true, Filter: qstash.Filter{From: all[len(all)/3].Time, To: all[len(all)/2].Time}},
				{Count: 3, Filter: qstash.Filter{State: []string{qstash.EventDelivered}}}, {Count: 3, Filter: qstash.Filter{MessageIDs: ids[:5]}}} {
				want := eventNames(slices.DeleteFunc(slices.Clone(all), func(e qstash.LogEntry) bool {
					f := &q.Filter
					return f.From > e.Time || f.To > 0 && f.To < e.Time || len(f.State) > 0 && e.State != f.State[0] || len(f.MessageIDs) > 0 && !slices.Contains(f.MessageIDs, e.MessageID)
				}))
				got := w.pages(q)
				if !slices.IsSortedFunc(got, func(a, b qstash.LogEntry) int {
					if q.Earliest {
						return int(a.Time - b.Time)
					}
					return int(b.Time - a.Time)
				}) {
					t.Errorf("%+v is out of order", q)
				}
				names := eventNames(got)
				slices.Sort(names)
				slices.Sort(want)
				if !slices.Equal(names, want) {
					t.Errorf("%+v: %d events, want %d", q, len(names), len(want))
				}
			}
		})
	}
}

func TestOldMessagesThatAreRetriedAreOnTheFirstPage(t *testing.T) {
	w := newWorld(t)
	var old []string
	for range 2 {
		old = append(old, w.publish("https://old.example", "x", qstash.Options{Delay: 24 * time.Hour}))
	}
	w.run(time.Hour)
	for range 50 {
		w.publish("https://new.example", "x", qstash.Options{})
		w.run(time.Second)
	}
	for _, id := range old {
		if err := w.engine.RetryNow(t.Context(), acct, id); err != nil {
			t.Fatal(err)
		}
	}
	w.run(0)
	first, _, err := w.engine.Logs(t.Context(), acct, qstash.LogQuery{Count: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range first {
		if !slices.Contains(old, e.MessageID) {
			t.Errorf("the first page has %s of %s", e.State, e.URL)
		}
	}
}
