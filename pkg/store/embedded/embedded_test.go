package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/skystash/skystash/pkg/store"
)

// open opens a store that is closed at the end of the test.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Dir == "" && o.disk == nil {
		o.InMemory = true
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func bytesAttrs(pairs ...string) store.Attrs {
	var as []store.Attr
	for i := 0; i < len(pairs); i += 2 {
		as = append(as, store.Attr{Name: pairs[i], Value: store.Bytes(pairs[i+1])})
	}
	return store.NewAttrs(as...)
}

func mustApply(t testing.TB, s *Store, op store.Op) store.Attrs {
	t.Helper()
	old, err := s.Apply(context.Background(), op)
	if err != nil {
		t.Fatal(err)
	}
	return old
}

func mustGet(t testing.TB, s *Store, k store.Key) store.Attrs {
	t.Helper()
	as, err := s.Get(context.Background(), k)
	if err != nil {
		t.Fatal(err)
	}
	return as
}

func TestDataSurvivesReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	k := store.Key{Partition: "p\x00\xff", Sort: "\x00s"}
	want := store.NewAttrs(
		store.Attr{Name: "b", Value: store.Bytes("\x00\xff")},
		store.Attr{Name: "l", Value: store.List([]string{"", "two"})},
		store.Attr{Name: "n", Value: store.Int(-1 << 63)},
	)
	s := open(t, Options{Dir: dir})
	mustApply(t, s, store.Put(k, want, nil))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: dir})
	if got := mustGet(t, s, k); !got.Equal(want) {
		t.Errorf("after reopening: %v, want %v", got, want)
	}
}

func TestFolderIsUsedByOneStore(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	first := open(t, Options{Dir: dir})
	for _, name := range []string{dir, link, dir + "/."} {
		_, err := Open(Options{Dir: name})
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), name) {
			t.Errorf("Open(%q) = %v, want ErrLocked that names it", name, err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: dir})
}

func TestOpenRefuses(t *testing.T) {
	t.Run("a file in place of the folder", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Dir: name}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error %v, want ErrUnavailable", err)
		}
	})
	t.Run("a newer format", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, Options{Dir: dir})
		if err := s.db.Set([]byte(formatKey), []byte{formatVersion + 1}, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Dir: dir})
		if !errors.Is(err, ErrNewerFormat) || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v, want ErrNewerFormat that names the folder", err)
		}
		if _, err := Open(Options{Dir: dir}); errors.Is(err, ErrLocked) {
			t.Error("the refused folder stayed locked")
		}
	})
	t.Run("contradictory options", func(t *testing.T) {
		for _, o := range []Options{{}, {Dir: t.TempDir(), InMemory: true}} {
			if _, err := Open(o); err == nil {
				t.Errorf("Open(%+v) succeeded", o)
			}
		}
	})
}

func TestCallsAfterCloseAreUnavailable(t *testing.T) {
	ctx := context.Background()
	s := open(t, Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	k := store.Key{Partition: "p", Sort: "s"}
	calls := map[string]func() error{
		"Get":     func() error { _, err := s.Get(ctx, k); return err },
		"GetMany": func() error { _, err := s.GetMany(ctx, []store.Key{k}, true); return err },
		"Query":   func() error { _, err := s.Query(ctx, store.Query{Partition: "p"}); return err },
		"Apply":   func() error { _, err := s.Apply(ctx, store.Delete(k, nil)); return err },
		"Commit":  func() error { return s.Commit(ctx, []store.Op{store.Delete(k, nil)}) },
		"Load":    func() error { return s.Load(ctx, nil, []store.Key{k}) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: error %v, want ErrUnavailable", name, err)
		}
	}
}

func TestCloseWaitsForCallsUnderWay(t *testing.T) {
	ctx := context.Background()
	s := open(t, Options{Dir: t.TempDir(), ReclaimEvery: time.Millisecond, Now: time.Now})
	var started, done sync.WaitGroup
	for w := range 16 {
		started.Add(1)
		done.Go(func() {
			for i := 0; ; i++ {
				k := store.Key{Partition: "p", Sort: fmt.Sprintf("%d-%d", w, i%10)}
				_, err := s.Apply(ctx, store.Put(k, store.NewAttrs(store.Attr{Name: store.TTLAttr, Value: store.Int(int64(i))}), nil))
				if err == nil {
					_, err = s.Query(ctx, store.Query{Partition: "p"})
				}
				if err == nil {
					_, err = s.GetMany(ctx, []store.Key{k, k}, true)
				}
				if i == 3 {
					started.Done()
				}
				if err != nil {
					if !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("while closing: %v, want ErrUnavailable", err)
					}
					return
				}
			}
		})
	}
	started.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	done.Wait()
}

func TestEndedContext(t *testing.T) {
	s := open(t, Options{})
	k := store.Key{Partition: "p", Sort: "s"}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Apply(ctx, store.Put(k, store.Attrs{}, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply: %v, want context.Canceled", err)
	}
	if got := mustGet(t, s, k); got != nil {
		t.Errorf("the refused write has left %v", got)
	}
}

// countdown is a context that is cancelled after a number of looks at it.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestQueryStopsWithItsContext(t *testing.T) {
	s := open(t, Options{})
	var items []store.Item
	for i := range 3 * queryCheck {
		items = append(items, store.Item{Key: store.Key{Partition: "p", Sort: fmt.Sprintf("%06d", i)}, Attrs: store.Attrs{}})
	}
	if err := s.Load(context.Background(), items, nil); err != nil {
		t.Fatal(err)
	}
	_, err := s.Query(&countdown{context.Background(), 2}, store.Query{Partition: "p"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestRelaxedSyncKeepsEverythingOnClose(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, SyncEvery: time.Hour})
	for i := range 100 {
		mustApply(t, s, store.Put(store.Key{Partition: "p", Sort: fmt.Sprint(i)}, store.Attrs{}, nil))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Dir: dir})
	page, err := s.Query(context.Background(), store.Query{Partition: "p", CountOnly: true})
	if err != nil || page.Count != 100 {
		t.Errorf("%d items, error %v, want 100", page.Count, err)
	}
}

func testLogger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
