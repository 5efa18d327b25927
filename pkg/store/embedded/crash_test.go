package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/skystash/skystash/pkg/store"
)

// victimDir, if set, makes the test program write to the folder until it is
// killed, with the Options.SyncEvery that victimSync names.
const (
	victimDir  = "SKYSTASH_EMBEDDED_VICTIM_DIR"
	victimSync = "SKYSTASH_EMBEDDED_VICTIM_SYNC"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, runVictim(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// runVictim writes forever from several goroutines and prints a line for each
// write once it is acknowledged: "put <sort>" or "commit <sort>", the latter an
// atomic commit of that item in each of three partitions.
func runVictim(dir string) error {
	every, err := time.ParseDuration(os.Getenv(victimSync))
	if err != nil {
		return err
	}
	s, err := Open(Options{Dir: dir, SyncEvery: every})
	if err != nil {
		return err
	}
	failed := make(chan error)
	var mu sync.Mutex // keeps lines whole
	acknowledge := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format, args...)
	}
	ctx := context.Background()
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				sort := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				value := bytesAttrs("v", strings.Repeat(sort, 20))
				if w%2 == 0 {
					if _, err := s.Apply(ctx, store.Put(store.Key{Partition: "put", Sort: sort}, value, nil)); err != nil {
						failed <- err
						return
					}
					acknowledge("put %s\n", sort)
					continue
				}
				hot := store.Update(store.Key{Partition: "hot", Sort: "n"}, nil, store.Add("n", "n", 1))
				err := s.Commit(ctx, []store.Op{
					store.Put(store.Key{Partition: "commit1", Sort: sort}, value, nil), hot,
					store.Put(store.Key{Partition: "commit2", Sort: sort}, value, nil),
				})
				if err != nil {
					failed <- err
					return
				}
				acknowledge("commit %s\n", sort)
			}
		}()
	}
	return <-failed
}

// kill starts a victim, kills it after it has acknowledged a number of
// writes, and returns every line that it got out.
func kill(t *testing.T, dir string, every time.Duration, after int) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), victimDir+"="+dir, victimSync+"="+every.String())
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			break // a last line without its end is not an acknowledgement
		}
		if lines = append(lines, strings.TrimSuffix(line, "\n")); len(lines) == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); len(lines) < after {
		t.Fatalf("the victim ended by itself: %v", err)
	}
	return lines
}

func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	t.Run("synced", func(t *testing.T) { testKill(t, 0) })
	t.Run("synced later", func(t *testing.T) { testKill(t, time.Hour) })
}

func testKill(t *testing.T, every time.Duration) {
	dir := t.TempDir()
	ctx := context.Background()
	var acknowledged []string
	for round := range 3 {
		acknowledged = append(acknowledged, kill(t, dir, every, 200+500*round)...)
		s := open(t, Options{Dir: dir})
		commits := 0
		for _, line := range acknowledged {
			kind, sort, _ := strings.Cut(line, " ")
			partitions := []string{"put"}
			if kind == "commit" {
				commits++
				partitions = []string{"commit1", "commit2"}
			}
			for _, p := range partitions {
				if got := mustGet(t, s, store.Key{Partition: p, Sort: sort}); got.Get("v").Str() != strings.Repeat(sort, 20) {
					t.Fatalf("round %d: acknowledged %q, but %s has %v", round, line, p, got)
				}
			}
		}
		// Unacknowledged commits may be there, but only whole.
		n1, n2 := countAll(t, s, "commit1"), countAll(t, s, "commit2")
		n := mustGet(t, s, store.Key{Partition: "hot", Sort: "n"}).Get("n").Num()
		if n1 != n2 || int64(n1) != n || n1 < commits {
			t.Fatalf("round %d: %d and %d items and counter %d after %d acknowledged commits", round, n1, n2, n, commits)
		}
		if _, err := s.Get(ctx, store.Key{Partition: "put", Sort: "-"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged writes", len(acknowledged))
}

func countAll(t testing.TB, s *Store, partition string) int {
	t.Helper()
	n := 0
	q := store.Query{Partition: partition, CountOnly: true}
	for {
		page, err := s.Query(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		n += page.Count
		if !page.More {
			return n
		}
		q = q.Next(page)
	}
}

// TestPowerLoss cuts the power of a simulated disk at random moments: whatever
// was not synced may be lost, in whole or in part. Nothing that had been
// acknowledged, or shown to a reader, may be missing.
func TestPowerLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	ctx := context.Background()
	counter := store.Key{Partition: "p", Sort: "counter"}
	for round := range 8 {
		disk := vfs.NewCrashableMem()
		s := open(t, Options{Dir: "/", disk: disk})
		var mu sync.Mutex
		var seen int64 // highest number that a writer or reader was told
		var acknowledged []string
		target, enough := rng.IntN(100)+1, make(chan struct{})
		ready := sync.OnceFunc(func() { close(enough) })
		tell := func(n int64, sort string) {
			mu.Lock()
			defer mu.Unlock()
			seen = max(seen, n)
			if sort != "" {
				if acknowledged = append(acknowledged, sort); len(acknowledged) == target {
					ready()
				}
			}
		}
		var work sync.WaitGroup
		stop := make(chan struct{})
		halted := func() bool {
			select {
			case <-stop:
				return true
			default:
				return false
			}
		}
		for w := range 4 {
			work.Go(func() {
				for i := 0; !halted(); i++ {
					old, err := s.Apply(ctx, store.Update(counter, nil, store.Add("n", "n", 1)))
					sort := fmt.Sprintf("%d-%d", w, i)
					if err == nil {
						err = s.Commit(ctx, []store.Op{
							store.Put(store.Key{Partition: "a", Sort: sort}, bytesAttrs("v", sort), nil),
							store.Put(store.Key{Partition: "b", Sort: sort}, bytesAttrs("v", sort), nil),
						})
					}
					if err != nil {
						t.Error(err)
						ready()
						return
					}
					tell(old.Get("n").Num()+1, sort)
				}
			})
		}
		readers := []func() (store.Attrs, error){
			func() (store.Attrs, error) { return s.Get(ctx, counter) },
			func() (store.Attrs, error) {
				all, err := s.GetMany(ctx, []store.Key{counter, {Partition: "a", Sort: "-"}}, true)
				if err != nil {
					return nil, err
				}
				return all[0], nil
			},
			func() (store.Attrs, error) {
				page, err := s.Query(ctx, store.Query{Partition: "p"})
				if err != nil || page.Count == 0 {
					return nil, err
				}
				return page.Items[0].Attrs, nil
			},
			func() (store.Attrs, error) { // a failed condition is a read, too
				_, err := s.Apply(ctx, store.Delete(counter, store.Lt("n", store.Int(0))))
				if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
					return ce.Old, nil
				}
				return nil, err
			},
		}
		for _, read := range readers {
			work.Go(func() {
				for !halted() {
					as, err := read()
					if err != nil {
						t.Error(err)
						return
					}
					tell(as.Get("n").Num(), "")
				}
			})
		}
		<-enough
		mu.Lock()
		wantSeen, wantThere := seen, acknowledged
		mu.Unlock()
		crashed := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50}[round%2], RNG: rng})
		close(stop)
		work.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		s = open(t, Options{Dir: "/", disk: crashed})
		if n := mustGet(t, s, counter).Get("n").Num(); n < wantSeen {
			t.Fatalf("round %d: counter is %d, but %d had been seen", round, n, wantSeen)
		}
		for _, sort := range wantThere {
			for _, p := range []string{"a", "b"} {
				if mustGet(t, s, store.Key{Partition: p, Sort: sort}) == nil {
					t.Fatalf("round %d: acknowledged %s/%s is missing", round, p, sort)
				}
			}
		}
		if a, b := countAll(t, s, "a"), countAll(t, s, "b"); a != b {
			t.Fatalf("round %d: half a commit: %d and %d items", round, a, b)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
