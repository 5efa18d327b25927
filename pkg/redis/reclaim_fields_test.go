package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/store/ledger"
)

func (d *testDB) reclaim() {
	d.t.Helper()
	if _, err := d.e.Reclaim(context.Background()); err != nil {
		d.t.Fatal(err)
	}
}

// fieldItems counts the items that are fields of spread hashes.
func fieldItems(l *ledger.Store) int {
	n := 0
	for _, k := range left(l) {
		if strings.Contains(k, `"\x01`) {
			n++
		}
	}
	return n
}

func TestExpiredFieldsAreDeleted(t *testing.T) {
	led := newLedger(t)
	d := newTestEngineOn(t, led)
	var pairs []string
	for i := range 300 {
		pairs = append(pairs, fmt.Sprintf("field%06d", i), strings.Repeat("v", 20))
	}
	d.do(append([]string{"hset", "h"}, pairs...)...)
	expire := func(key, seconds string, from, to int) {
		d.do(append([]string{"hexpire", key, seconds, "fields", fmt.Sprint(to - from)}, numbered("field", from, to)...)...)
	}
	expire("h", "7200", 0, 10)
	expire("h", "60", 10, 210) // more than one transaction takes
	want := func(length, items int) {
		t.Helper()
		if got := d.cmd("hlen h"); got != fmt.Sprintf("(integer) %d", length) {
			t.Errorf("length %s, want %d", got, length)
		}
		if got := fieldItems(led); got != items {
			t.Errorf("%d items, want %d", got, items)
		}
	}
	d.clock.advance(59 * time.Second)
	d.reclaim()
	want(300, 300)
	d.clock.advance(10 * time.Minute)
	d.reclaim()
	want(100, 100)
	d.cmd("rename h other") // what is scheduled goes with it
	d.clock.advance(2 * time.Hour)
	d.reclaim()
	d.cmd("rename other h")
	want(90, 90)
	if got := d.cmd("hget h field000299"); got == "(nil)" {
		t.Error("a field that does not expire is gone")
	}
	if got := len(left(led)); got != 90+2 {
		t.Errorf("%d items, want 90 fields, their head and the note of the owner", got)
	}

	// A hash whose last fields expire goes as a whole.
	d.cmd("copy h again")
	expire("again", "10", 200, 300)
	expire("h", "10", 200, 300)
	d.cmd("hpersist h fields 1 field000250")
	d.clock.advance(time.Hour)
	d.reclaim()
	want(1, 1)
	if got := d.cmd("exists again"); got != "(integer) 0" {
		t.Errorf("a hash without fields exists: %s", got)
	}
	d.cmd("del h")
	d.clock.advance(time.Hour)
	d.reclaim()
	if got := left(led); len(got) != 0 {
		t.Errorf("%d items are left", len(got))
	}
}

// TestFieldsExpireWhileTheyChange has clients change a hash while its expired fields are deleted, with
// and without a failing store: its count must stay what it counts.
func TestFieldsExpireWhileTheyChange(t *testing.T) {
	for name, plan := range map[string]faulty.Plan{
		"healthy": {},
		"failing": {Seed: 7, Throttle: 0.02, Conflict: 0.05, Unavailable: 0.02, LostApplied: 0.02, LostUnapplied: 0.02, LostLate: 0.02},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 3)
			pairs := make([]string, 0, 200)
			for i := range 100 {
				pairs = append(pairs, fmt.Sprintf("f%d %s", i, strings.Repeat("v", 50)))
			}
			f.do(0, "hset h "+strings.Join(pairs, " "))
			f.faults.SetPlan(plan)
			var swept atomic.Int64
			var clients sync.WaitGroup
			for client := range 3 {
				clients.Go(func() {
					rng := rand.New(rand.NewPCG(1, uint64(client)))
					for i := 0; i < 150 || swept.Load() < 20 && i < 20_000; i++ {
						field := fmt.Sprintf("f%d", rng.IntN(100))
						f.do(client, [...]string{
							"hset h " + field + " v", "hdel h " + field,
							fmt.Sprintf("hexpire h %d fields 1 %s", 1+rng.IntN(600), field),
							fmt.Sprintf("hsetex h ex %d fields 1 %s v", 1+rng.IntN(600), field),
							"hpersist h fields 1 " + field,
						}[rng.IntN(5)])
						f.clock.advance(5 * time.Second)
					}
				})
			}
			stop := make(chan struct{})
			var sweeper sync.WaitGroup
			sweeper.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					n, err := f.engines[i%3].Reclaim(context.Background())
					swept.Add(int64(n))
					if err != nil && name == "healthy" {
						t.Error(err)
					}
				}
			})
			clients.Wait()
			close(stop)
			sweeper.Wait()
			if swept.Load() == 0 {
				t.Error("nothing was deleted meanwhile")
			}
			f.faults.SetPlan(faulty.Plan{})
			f.faults.Flush()
			// What expires has gone once everything that may be scheduled is done.
			for range 4 {
				f.clock.advance(time.Hour)
				if _, err := f.engines[0].Reclaim(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			fields, _ := f.do(0, "hkeys h")
			n := strings.Count(fields, `"`) / 2
			if length, _ := f.do(0, "hlen h"); length != fmt.Sprintf("(integer) %d", n) {
				t.Errorf("HLEN %s, but %d fields", length, n)
			}
			if n == 0 {
				t.Error("no field is left to count")
			}
			page, err := f.faults.Query(context.Background(), store.Query{Partition: "r0"})
			if err != nil || len(page.Items) > 0 {
				t.Errorf("%d notes are left, error %v", len(page.Items), err)
			}
		})
	}
}
