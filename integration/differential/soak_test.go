package differential

import (
	"bytes"
	encoding "encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/store/ledger"
)

// TestNothingIsLeftBehind runs random commands of all families, also on a store that fails and
// loses answers, and then takes stock: no item may be there that no key refers to.
func TestNothingIsLeftBehind(t *testing.T) {
	for _, plan := range []struct {
		name string
		faulty.Plan
	}{
		{name: "reliable"},
		{name: "failing", Plan: faulty.Plan{Seed: *seedFlag, Throttle: 0.01, Conflict: 0.02, Unavailable: 0.01,
			LostApplied: 0.02, LostUnapplied: 0.02, LostLate: 0.02}},
	} {
		t.Run(plan.name, func(t *testing.T) { soak(t, plan.Plan, plan.name == "reliable") })
	}
}

func soak(t *testing.T, plan faulty.Plan, reliable bool) {
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	items := ledger.New(inner)
	st := faulty.New(items, faulty.Plan{})
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := &tickingClock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	e := &engines{ctx: t.Context()}
	only := redis.New(redis.Config{Store: st, Now: clock.tick, RecordTTL: time.Nanosecond, MaxBlock: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	e.all = [2]*redis.Engine{only, only}
	if err := e.reset(); err != nil {
		t.Fatal(err)
	}

	families := parseFamilies(t)
	steps := 400
	if *commandsFlag > 0 {
		steps = *commandsFlag
	}
	for i, home := range families {
		g := newGen(*seedFlag+uint64(i), true)
		st.SetPlan(plan)
		for _, s := range drawSteps(g, families, home, steps) {
			if err := soakStep(e, s); err != nil && reliable {
				t.Fatalf("%v: %v", s, err)
			}
			clock.advance(time.Duration(g.IntN(2000)) * time.Millisecond)
		}
		st.SetPlan(faulty.Plan{})
		st.Flush()
		for _, what := range []string{"SCRIPT", "FUNCTION"} { // which belong to no key
			if _, err := e.do(what, "FLUSH"); err != nil {
				t.Fatal(err)
			}
		}
		reclaimAll(t, e, clock)
		referredTo(t, e, items)
	}

	if _, err := e.do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	reclaimAll(t, e, clock)
	// What is left belongs to the database: its record, and a number of writes that commands have waited for.
	nothingLeft(t, items, clock, "FLUSHALL", "dw")
	if err := only.DeleteDatabase(e.ctx, e.id); err != nil {
		t.Fatal(err)
	}
	reclaimAll(t, e, clock)
	nothingLeft(t, items, clock, "the database was deleted", "")
}

// nothingLeft checks that there are no items but in partitions that begin with one of some letters. Notes about the expiry
// of what has been deleted before stay until their time has come.
func nothingLeft(t *testing.T, items *ledger.Store, clock *tickingClock, what, but string) {
	t.Helper()
	now := noteTime(clock.tick())
	left := someOf(items, func(k store.Key) bool {
		return !strings.Contains(but, k.Partition[:1]) && !(k.Partition == "r0" && k.Sort > now)
	})
	if len(left) > 0 {
		t.Errorf("after %s items are left, among them\n%s", what, strings.Join(left, "\n"))
	}
}

// soakStep carries out a step; it is of no interest what comes back.
func soakStep(e *engines, s step) error {
	var err error
	switch s.kind {
	case stepPipeline:
		_, err = e.pipeline(s.cmds)
	case stepMulti:
		_, err = e.multi(s.cmds)
	case stepOne:
		_, err = e.do(s.cmds[0]...)
	}
	return err
}

// reclaimAll lets everything that is due be cleared away, and what that makes due.
func reclaimAll(t *testing.T, e *engines, clock *tickingClock) {
	t.Helper()
	for n, quiet := 0, 0; quiet < 2; n++ {
		clock.advance(time.Hour)
		deleted, err := e.all[n%len(e.all)].Reclaim(e.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if quiet++; deleted > 0 {
			quiet = 0
		}
		if n > 100 {
			t.Fatal("there is no end of what can be reclaimed")
		}
	}
}

// referredTo checks that every item of a collection belongs to a generation that a head names.
func referredTo(t *testing.T, e *engines, items *ledger.Store) {
	t.Helper()
	generations := map[string]bool{}
	for _, k := range items.Keys() {
		if k.Partition[0] != 'k' {
			continue
		}
		head, err := items.Get(e.ctx, k)
		if err != nil {
			t.Fatal(err)
		}
		if g := head.Get("g"); !g.IsZero() {
			generations["e"+e.id+"\x00"+g.Str()] = true
		}
	}
	orphans := someOf(items, func(k store.Key) bool { return k.Partition[0] == 'e' && !generations[k.Partition] })
	if len(orphans) > 0 {
		t.Errorf("items belong to no key, among them\n%s", strings.Join(orphans, "\n"))
	}
}

// noteTime is where in the reclaimer's partition the notes are that are due at a time.
func noteTime(at time.Time) string {
	return string(encoding.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
}

// someOf lists some of the items that meet a condition.
func someOf(items *ledger.Store, which func(store.Key) bool) []string {
	keys := slices.DeleteFunc(items.Keys(), func(k store.Key) bool { return !which(k) })
	slices.SortFunc(keys, func(a, b store.Key) int {
		return bytes.Compare([]byte(a.Partition+a.Sort), []byte(b.Partition+b.Sort))
	})
	var out []string
	for _, k := range keys {
		if out = append(out, fmt.Sprintf("  %.60q %.60q", k.Partition, k.Sort)); len(out) == 20 {
			break
		}
	}
	return out
}

// tickingClock is a clock that never stands still, so that the ids of writes differ in time.
type tickingClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *tickingClock) tick() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(10 * time.Microsecond)
	return c.now
}

func (c *tickingClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
