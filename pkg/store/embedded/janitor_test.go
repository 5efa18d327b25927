package embedded

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// manualClock is a clock that tests set.
type manualClock struct{ unix atomic.Int64 }

func (c *manualClock) now() time.Time { return time.Unix(c.unix.Load(), 0) }

// openWithJanitor opens a store whose janitor works only when told to.
func openWithJanitor(t testing.TB, grace time.Duration) (*Store, *janitor, *manualClock) {
	t.Helper()
	clock := new(manualClock)
	s := open(t, Options{})
	return s, &janitor{store: s, grace: grace, now: clock.now, stop: make(chan struct{})}, clock
}

func expiring(at int64) store.Attrs {
	return store.NewAttrs(store.Attr{Name: store.TTLAttr, Value: store.Int(at)})
}

func TestJanitorDeletesWhatHasExpired(t *testing.T) {
	ctx := context.Background()
	k := store.Key{Partition: "p\x00", Sort: "s"}
	put := func(at int64) func(*Store) error {
		return func(s *Store) error { _, err := s.Apply(ctx, store.Put(k, expiring(at), nil)); return err }
	}
	load := func(as store.Attrs) func(*Store) error {
		return func(s *Store) error { return s.Load(ctx, []store.Item{{Key: k, Attrs: as}}, nil) }
	}
	update := func(edits ...store.Edit) func(*Store) error {
		return func(s *Store) error { _, err := s.Apply(ctx, store.Update(k, nil, edits...)); return err }
	}
	remove := func(s *Store) error { _, err := s.Apply(ctx, store.Delete(k, nil)); return err }
	for _, tt := range []struct {
		name  string
		steps []func(*Store) error
		kept  bool
	}{
		{"put", []func(*Store) error{put(100)}, false},
		{"put before 1970", []func(*Store) error{put(-5)}, false},
		{"loaded", []func(*Store) error{load(expiring(100))}, false},
		{"within the grace", []func(*Store) error{put(991)}, true},
		{"on the edge of the grace", []func(*Store) error{put(990)}, true},
		{"just beyond the grace", []func(*Store) error{put(989)}, false},
		{"no time", []func(*Store) error{load(store.Attrs{})}, true},
		{"time of another type", []func(*Store) error{load(bytesAttrs(store.TTLAttr, "1"))}, true},
		{"extended by put", []func(*Store) error{put(100), put(2000)}, true},
		{"extended by update", []func(*Store) error{put(100), update(store.Set(store.TTLAttr, store.Int(2000)))}, true},
		{"extended by load", []func(*Store) error{put(100), load(expiring(2000))}, true},
		{"shortened", []func(*Store) error{put(2000), put(100)}, false},
		{"shortened by load", []func(*Store) error{put(2000), load(expiring(100))}, false},
		{"made permanent", []func(*Store) error{put(100), update(store.Remove(store.TTLAttr))}, true},
		{"made permanent by load", []func(*Store) error{put(100), load(store.Attrs{})}, true},
		{"updated elsewhere", []func(*Store) error{put(100), update(store.Add("n", "n", 1))}, false},
		{"deleted and put again", []func(*Store) error{put(100), remove, put(2000)}, true},
		{"changed and changed back", []func(*Store) error{put(100), load(expiring(2000)), put(100)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, j, clock := openWithJanitor(t, 10*time.Second)
			for _, step := range tt.steps {
				if err := step(s); err != nil {
					t.Fatal(err)
				}
			}
			clock.unix.Store(1000)
			n, err := j.sweep()
			if err != nil {
				t.Fatal(err)
			}
			kept := mustGet(t, s, k) != nil
			if kept != tt.kept || n != map[bool]int{true: 0, false: 1}[tt.kept] {
				t.Errorf("kept: %v, %d reclaimed", kept, n)
			}
			if entries, _, err := j.due([]byte{spaceExpiry}, 990); err != nil || len(entries) > 0 {
				t.Errorf("entries left: %q, error %v", entries, err)
			}
			clock.unix.Store(3000)
			if _, err := j.sweep(); err != nil {
				t.Fatal(err)
			}
			x := mustGet(t, s, k).Get(store.TTLAttr)
			if x.Kind() == store.KindInt {
				t.Errorf("still there after %v", x)
			}
		})
	}
}

func TestJanitorHandlesManyItems(t *testing.T) {
	s, j, clock := openWithJanitor(t, 0)
	const n = 2*janitorBatch + 10
	items := make([]store.Item, n)
	for i := range items {
		items[i] = store.Item{Key: store.Key{Partition: "p", Sort: fmt.Sprint(i)}, Attrs: expiring(int64(i % 7))}
	}
	if err := s.Load(context.Background(), items, nil); err != nil {
		t.Fatal(err)
	}
	clock.unix.Store(100)
	if got, err := j.sweep(); err != nil || got != n {
		t.Errorf("reclaimed %d, error %v, want %d", got, err, n)
	}
	if left := countAll(t, s, "p"); left != 0 {
		t.Errorf("%d items left", left)
	}
}

func TestJanitorRunsInTheBackground(t *testing.T) {
	clock := new(manualClock)
	clock.unix.Store(100)
	s := open(t, Options{ReclaimEvery: time.Millisecond, ReclaimGrace: time.Second, Now: clock.now})
	k := store.Key{Partition: "p", Sort: "s"}
	mustApply(t, s, store.Put(k, expiring(150), nil))
	if mustGet(t, s, k) == nil {
		t.Fatal("deleted before its time")
	}
	clock.unix.Store(200)
	for mustGet(t, s, k) != nil {
		time.Sleep(time.Millisecond)
	}
}

func TestStoreWithoutAClockReclaimsNothing(t *testing.T) {
	if s := open(t, Options{ReclaimEvery: time.Millisecond}); s.janitor != nil {
		t.Error("items are reclaimed by a clock that is not the one of those who write them")
	}
}
