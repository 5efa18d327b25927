package embedded

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// An item that was written or read is kept, until it is written in any other way.
func TestRecentItems(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s, err := Open(Options{InMemory: true, Now: func() time.Time { return now }, ReclaimEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	key := store.Key{Partition: "p", Sort: "s"}
	attrs := func(value string) store.Attrs {
		return store.NewAttrs(store.Attr{Name: "v", Value: store.Bytes(value)}, store.Attr{Name: store.TTLAttr, Value: store.Int(now.Unix())})
	}
	put := func(value string) {
		t.Helper()
		if _, err := s.Apply(t.Context(), store.Put(key, attrs(value), nil)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(value string, kept bool) {
		t.Helper()
		dataKey := appendDataKey(nil, key)
		if _, ok := s.recent.find(s.stripes.hash(dataKey), dataKey); ok != kept {
			t.Errorf("%.20q is kept: %v, want %v", value, ok, kept)
		}
		if got, err := s.Get(t.Context(), key); err != nil || got.Get("v").Str() != value {
			t.Errorf("the value is %q, %v, want %q", got.Get("v").Str(), err, value)
		}
	}
	heat := func(value string) {
		t.Helper()
		put(value)
		want(value, true)
	}
	long := strings.Repeat("x", maxRecent)
	heat("first")
	heat("other")
	put(long)
	want(long, false)
	want(long, false) // nor is it when it was read

	heat("v1")
	if _, err := s.Apply(t.Context(), store.Delete(key, nil)); err != nil {
		t.Fatal(err)
	}
	want("", false)

	heat("v2")
	if err := s.Commit(t.Context(), []store.Op{store.Put(key, attrs("together"), nil), store.Put(store.Key{Partition: "p", Sort: "t"}, attrs("x"), nil)}); err != nil {
		t.Fatal(err)
	}
	want("together", false)
	want("together", true) // it was read

	heat("v3")
	if err := s.Load(t.Context(), []store.Item{{Key: key, Attrs: attrs("loaded")}}, nil); err != nil {
		t.Fatal(err)
	}
	want("loaded", false)

	heat("v4")
	now = now.Add(time.Hour)
	if n, err := s.janitor.sweep(); err != nil || n == 0 {
		t.Fatalf("%d items were reclaimed, %v", n, err)
	}
	want("", false)
}

// What is kept is what was put last, whatever has been put and removed meanwhile.
func TestRecentAgainstModel(t *testing.T) {
	r, err := newRecent()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close() })
	rng := rand.New(rand.NewPCG(1, 2))
	model := map[string]string{}
	seed := maphash.MakeSeed()
	hits := 0
	for n := range 300_000 {
		// All keys are of one shard, which they overfill: some are overwritten by others.
		key := fmt.Sprintf("key-%d", rng.IntN(6000))
		hash := maphash.String(seed, key)/stripeCount/recentShards*recentShards*stripeCount + 7
		switch rng.IntN(4) {
		case 0:
			r.remove(hash)
			delete(model, key)
		case 1:
			r.remove(hash)
			val := strings.Repeat(strconv.Itoa(n), 1+rng.IntN(60))
			r.put(hash, []byte(key), []byte(val))
			if delete(model, key); len(val) <= maxRecent {
				model[key] = val
			}
		default:
			got, ok := r.find(hash, []byte(key))
			if want := model[key]; ok && got != want {
				t.Fatalf("operation %d: %s is %.20q, want %.20q", n, key, got, want)
			}
			if ok {
				hits++
			}
		}
	}
	if hits < 50_000 {
		t.Errorf("%d items were found", hits)
	}
}

// Readers put what they have read beside writers: nobody sees an older value than one that a writer has returned from.
func TestRecentBesideWriters(t *testing.T) {
	s, err := Open(Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	key := store.Key{Partition: "p", Sort: "s"}
	others := []store.Op{store.Put(store.Key{Partition: "p", Sort: "t"}, store.Attrs{}, nil)}
	var written atomic.Int64
	ended := make(chan struct{})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				least := written.Load()
				got, err := s.Get(t.Context(), key)
				if n := got.Get("n").Num(); err != nil || n < least {
					t.Errorf("read %d after %d was written, %v", n, least, err)
					return
				}
			}
		})
	}
	for n := range int64(20_000) {
		put := store.Put(key, store.NewAttrs(store.Attr{Name: "n", Value: store.Int(n)}), nil)
		if n%2 == 0 { // one by itself is kept by its writer, one among others by who reads it
			err = s.Commit(t.Context(), append([]store.Op{put}, others...))
		} else {
			_, err = s.Apply(t.Context(), put)
		}
		if err != nil {
			t.Error(err)
			break
		}
		written.Store(n)
	}
	close(ended)
	running.Wait()
}
