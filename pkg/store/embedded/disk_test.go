package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/skystash/skystash/pkg/store"
)

// badDisk is a disk in memory that a test can make fail or wait.
type badDisk struct {
	vfs.FS
	inject atomic.Pointer[func(errorfs.Op) error]
}

func newBadDisk() *badDisk {
	d := new(badDisk)
	d.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if f := d.inject.Load(); f != nil {
			return (*f)(op)
		}
		return nil
	}))
	return d
}

// on calls f before every operation of the disk; nil: the disk works again.
func (d *badDisk) on(f func(errorfs.Op) error) { d.inject.Store(&f) }

func (d *badDisk) heal() { d.inject.Store(nil) }

func isWrite(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite }

func isLogSync(op errorfs.Op) bool {
	return (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) && strings.HasSuffix(op.Path, ".log")
}

// until waits for something that other goroutines bring about.
func until(cond func() bool) {
	for !cond() {
		time.Sleep(time.Millisecond)
	}
}

// holdSyncs makes the disk's log syncs wait until release is called; they are counted.
func (d *badDisk) holdSyncs() (count *atomic.Int32, release func()) {
	count = new(atomic.Int32)
	gate := make(chan struct{})
	d.on(func(op errorfs.Op) error {
		if isLogSync(op) {
			count.Add(1)
			<-gate
		}
		return nil
	})
	return count, sync.OnceFunc(func() { close(gate) })
}

func TestWritersOfOneItemShareSyncs(t *testing.T) {
	ctx := context.Background()
	disk := newBadDisk()
	s := open(t, Options{Dir: "/", disk: disk})
	syncs, release := disk.holdSyncs()
	defer release()
	k := store.Key{Partition: "p", Sort: "hot"}
	var writers sync.WaitGroup
	add := func() {
		if _, err := s.Apply(ctx, store.Update(k, nil, store.Add("n", "n", 1))); err != nil {
			t.Error(err)
		}
	}
	writers.Go(add)
	until(func() bool { return syncs.Load() == 1 })
	const others = 50
	for range others {
		writers.Go(add)
	}
	until(func() bool { return s.syncer.unsynced.Load() == 1+others }) // nobody holds the item's lock meanwhile
	release()
	writers.Wait()
	if got := syncs.Load(); got >= 1+others {
		t.Errorf("%d fsyncs for %d writes", got, 1+others)
	}
	if n := mustGet(t, s, k).Get("n").Num(); n != 1+others {
		t.Errorf("counter is %d", n)
	}
}

func TestReadersWaitForWhatTheySee(t *testing.T) {
	ctx := context.Background()
	hot, cold := store.Key{Partition: "p", Sort: "hot"}, store.Key{Partition: "q", Sort: "cold"}
	for name, read := range map[string]func(*Store) error{
		"Get":     func(s *Store) error { _, err := s.Get(ctx, hot); return err },
		"GetMany": func(s *Store) error { _, err := s.GetMany(ctx, []store.Key{cold, hot}, false); return err },
		"snapshot": func(s *Store) error {
			_, err := s.GetMany(ctx, []store.Key{cold, hot}, true)
			return err
		},
		"Query":  func(s *Store) error { _, err := s.Query(ctx, store.Query{Partition: "p"}); return err },
		"check":  func(s *Store) error { _, err := s.Apply(ctx, store.Check(hot, nil)); return err },
		"delete": func(s *Store) error { _, err := s.Apply(ctx, store.Delete(hot, store.Exists("none"))); return err },
		"commit": func(s *Store) error {
			return s.Commit(ctx, []store.Op{store.Check(hot, nil), store.Check(cold, store.Exists("none"))})
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := newBadDisk()
			s := open(t, Options{Dir: "/", disk: disk})
			syncs, release := disk.holdSyncs()
			defer release()
			var calls sync.WaitGroup
			calls.Go(func() {
				if _, err := s.Apply(ctx, store.Put(hot, store.Attrs{}, nil)); err != nil {
					t.Error(err)
				}
			})
			until(func() bool { return syncs.Load() == 1 })
			if s.stripes.index(appendDataKey(nil, hot)) != s.stripes.index(appendDataKey(nil, cold)) {
				mustGet(t, s, cold) // has nothing to wait for
			}
			calls.Go(func() {
				err := read(s)
				if ce := (*store.ConditionError)(nil); err != nil && !errors.As(err, &ce) {
					t.Error(err)
				}
			})
			until(func() bool { // the reader has joined the next group
				s.syncer.mu.Lock()
				defer s.syncer.mu.Unlock()
				return s.syncer.next != nil
			})
			release()
			calls.Wait()
		})
	}
}

func TestWriteIsAbandonedAfterItsContext(t *testing.T) {
	disk := newBadDisk()
	s := open(t, Options{Dir: "/", disk: disk})
	s.syncer.extra = time.Millisecond
	_, release := disk.holdSyncs()
	defer release()
	ctx, cancel := context.WithCancel(context.Background())
	k := store.Key{Partition: "p", Sort: "s"}
	go func() {
		until(func() bool { return s.syncer.unsynced.Load() == 1 })
		cancel()
	}()
	_, err := s.Apply(ctx, store.Put(k, store.Attrs{}, nil))
	if !errors.Is(err, store.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want ErrUnknownOutcome because of context.Canceled", err)
	}
	if n := s.syncer.unsynced.Load(); n != 1 {
		t.Errorf("%d writes in doubt, want 1", n)
	}
	release()
	until(func() bool { return s.syncer.unsynced.Load() == 0 })
	if mustGet(t, s, k) == nil {
		t.Error("the write is gone")
	}
}

func TestFullDiskHoldsWritesUntilThereIsRoom(t *testing.T) {
	t.Run("synced", func(t *testing.T) { testFullDisk(t, 0) })
	t.Run("synced later", func(t *testing.T) { testFullDisk(t, time.Hour) })
}

func testFullDisk(t *testing.T, every time.Duration) {
	ctx := context.Background()
	disk := newBadDisk()
	s := open(t, Options{Dir: "/", disk: disk, SyncEvery: every, Logger: testLogger(t)})
	before, during := store.Key{Partition: "p", Sort: "before"}, store.Key{Partition: "p", Sort: "during"}
	mustApply(t, s, store.Put(before, store.Attrs{}, nil))
	disk.on(func(op errorfs.Op) error {
		if isWrite(op) {
			return syscall.ENOSPC
		}
		return nil
	})
	waiting := make(chan error)
	go func() {
		_, err := s.Apply(ctx, store.Put(during, store.Attrs{}, nil))
		waiting <- err
	}()
	until(func() bool { return s.health.full.Load() > 0 })
	if _, err := s.Apply(ctx, store.Delete(before, nil)); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errDiskFull) {
		t.Errorf("write on a full disk: %v", err)
	}
	if mustGet(t, s, before) == nil {
		t.Error("an item has gone")
	}
	disk.heal()
	if err := <-waiting; err != nil {
		t.Errorf("the write that waited: %v", err)
	}
	if mustGet(t, s, during) == nil {
		t.Error("the write that waited is lost")
	}
	mustApply(t, s, store.Delete(before, nil))
}

func TestFailedLogIsFinal(t *testing.T) {
	t.Run("sync", func(t *testing.T) { testFailedLog(t, 0, isLogSync) })
	t.Run("write", func(t *testing.T) { testFailedLog(t, 0, isWrite) })
	t.Run("write synced later", func(t *testing.T) { testFailedLog(t, time.Hour, isWrite) })
}

func testFailedLog(t *testing.T, every time.Duration, fails func(errorfs.Op) bool) {
	ctx := context.Background()
	disk := newBadDisk()
	s := open(t, Options{Dir: "/", disk: disk, SyncEvery: every})
	disk.on(func(op errorfs.Op) error {
		if fails(op) {
			return syscall.EIO
		}
		return nil
	})
	k := store.Key{Partition: "p", Sort: "s"}
	if _, err := s.Apply(ctx, store.Put(k, store.Attrs{}, nil)); !errors.Is(err, store.ErrUnknownOutcome) || !errors.Is(err, syscall.EIO) {
		t.Errorf("write whose log failed: %v, want ErrUnknownOutcome because of EIO", err)
	}
	disk.heal()
	if _, err := s.Get(ctx, k); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("read afterwards: %v, want ErrUnavailable", err)
	}
	if err := s.Load(ctx, nil, []store.Key{k}); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknownOutcome) {
		t.Errorf("write afterwards: %v, want ErrUnavailable", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Close: %v, want ErrUnavailable", err)
	}
}

// TestDyingDisk lets the disk fail for good at random moments of a busy time
// with many changes of logs and tables. The program must live on, calls fail in an
// orderly way, Close returns.
func TestDyingDisk(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	ctx := context.Background()
	for round := range 8 {
		cause := []error{syscall.EIO, syscall.ENOSPC}[round%2]
		tablesOnly := round >= 6
		every := time.Duration(round/2%2) * time.Hour
		t.Run(fmt.Sprintf("%d %v tablesOnly=%v every=%v", round, cause, tablesOnly, every), func(t *testing.T) {
			disk := newBadDisk()
			s := open(t, Options{Dir: "/", disk: disk, SyncEvery: every})
			left := new(atomic.Int64)
			left.Store(rng.Int64N(300))
			disk.on(func(op errorfs.Op) error {
				if isWrite(op) && (!tablesOnly || isTable(op.Path)) && left.Add(-1) < 0 {
					return cause
				}
				return nil
			})
			value := bytesAttrs("v", strings.Repeat("v", 10_000))
			orderly := func(err error) bool {
				return err == nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknownOutcome)
			}
			var disorder atomic.Pointer[error]
			for w := range 4 {
				go func() { // may end parked inside the engine
					for i := 0; ; i++ {
						k := store.Key{Partition: fmt.Sprint(w), Sort: fmt.Sprint(i)}
						if _, err := s.Apply(ctx, store.Put(k, value, nil)); !orderly(err) {
							disorder.Store(&err)
						} else if err != nil {
							return
						}
					}
				}()
			}
			until(func() bool { return s.health.writable() != nil })
			if err := s.Load(ctx, nil, []store.Key{{Partition: "p", Sort: "s"}}); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("write: %v", err)
			}
			if err := s.Close(); err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Close: %v", err)
			}
			if _, err := s.Get(ctx, store.Key{Partition: "0", Sort: "0"}); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Get after Close: %v", err)
			}
			if err := disorder.Load(); err != nil {
				t.Errorf("a writer got %v", *err)
			}
		})
	}
}
