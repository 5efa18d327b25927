package embedded

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

// value100 is an item of about 100 bytes as the engines store them.
var value100 = store.NewAttrs(
	store.Attr{Name: "t", Value: store.Bytes("s")},
	store.Attr{Name: "v", Value: store.Bytes(strings.Repeat("v", 80))},
	store.Attr{Name: "w", Value: store.Bytes("12345678")},
)

// writers is the number of goroutines of the parallel benchmarks (on two processors).
const writers = 16

func benchKey(n int64) store.Key {
	return store.Key{Partition: "db1|0|0", Sort: fmt.Sprintf("k|key:%08d", n)}
}

// fill writes n items and moves them to tables, where a store keeps most.
func fill(b *testing.B, s *Store, n int) []store.Key {
	b.Helper()
	items := make([]store.Item, n)
	keys := make([]store.Key, n)
	for i := range items {
		keys[i] = benchKey(int64(i))
		items[i] = store.Item{Key: keys[i], Attrs: value100}
	}
	if err := s.Load(context.Background(), items, nil); err != nil {
		b.Fatal(err)
	}
	if err := s.db.Flush(); err != nil {
		b.Fatal(err)
	}
	return keys
}

func BenchmarkGet(b *testing.B) {
	ctx := context.Background()
	for _, where := range []string{"memory table", "table file", "missing"} {
		b.Run(where, func(b *testing.B) {
			s := open(b, Options{Dir: b.TempDir()})
			keys := []store.Key{benchKey(-1)}
			switch where {
			case "table file":
				keys = fill(b, s, 10_000)
			case "memory table":
				for i := range int64(10_000) {
					keys = append(keys, benchKey(i))
				}
				for _, k := range keys {
					if err := s.Load(ctx, []store.Item{{Key: k, Attrs: value100}}, nil); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				as, err := s.Get(ctx, keys[i%len(keys)])
				if err != nil || (as == nil) != (where == "missing") {
					b.Fatal(as, err)
				}
				i += 7919
			}
		})
	}
}

func BenchmarkGetMetered(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir()})
	ctx := store.WithMeter(context.Background(), new(store.Meter))
	mustApply(b, s, store.Put(benchKey(0), value100, nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(ctx, benchKey0); err != nil {
			b.Fatal(err)
		}
	}
}

var benchKey0 = benchKey(0)

func BenchmarkQuery100(b *testing.B) {
	ctx := context.Background()
	s := open(b, Options{Dir: b.TempDir()})
	keys := fill(b, s, 10_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		page, err := s.Query(ctx, store.Query{Partition: keys[0].Partition, From: keys[i%9_000].Sort, Limit: 100})
		if err != nil || len(page.Items) != 100 {
			b.Fatal(len(page.Items), err)
		}
		i += 7919
	}
}

// benchWrite runs a write from one goroutine and from many, synced and not.
func benchWrite(b *testing.B, write func(s *Store, n int64) error) {
	run := func(o Options, parallel int) func(b *testing.B) {
		return func(b *testing.B) {
			if !o.InMemory {
				o.Dir = b.TempDir()
			}
			s := open(b, o)
			var n atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(parallel)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := write(s, n.Add(1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		}
	}
	b.Run("folder 16 writers", run(Options{}, writers/2))
	b.Run("folder 2 writers", run(Options{}, 1))
	b.Run("folder relaxed 16 writers", run(Options{SyncEvery: 1e9}, writers/2))
	b.Run("memory 16 writers", run(Options{InMemory: true}, writers/2))
}

func BenchmarkPut(b *testing.B) {
	ctx := context.Background()
	benchWrite(b, func(s *Store, n int64) error {
		_, err := s.Apply(ctx, store.Put(benchKey(n), value100, nil))
		return err
	})
}

func BenchmarkPutOneWriter(b *testing.B) {
	ctx := context.Background()
	s := open(b, Options{Dir: b.TempDir()})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Apply(ctx, store.Put(benchKey0, value100, nil)); err != nil {
			b.Fatal(err)
		}
	}
}

// A counter, each step on the condition that it is below a limit; all on one item.
func BenchmarkConditionalUpdateHot(b *testing.B) {
	ctx := context.Background()
	limit := store.Or{store.Absent("n"), store.Le("n", store.Int(1<<60))}
	benchWrite(b, func(s *Store, _ int64) error {
		_, err := s.Apply(ctx, store.Update(benchKey0, limit, store.Add("n", "n", 1)))
		return err
	})
}

func BenchmarkConditionalUpdate(b *testing.B) {
	ctx := context.Background()
	limit := store.Or{store.Absent("n"), store.Le("n", store.Int(1<<60))}
	benchWrite(b, func(s *Store, n int64) error {
		_, err := s.Apply(ctx, store.Update(benchKey(n%10_000), limit, store.Add("n", "n", 1)))
		return err
	})
}

func BenchmarkCommitOfTwo(b *testing.B) {
	ctx := context.Background()
	benchWrite(b, func(s *Store, n int64) error {
		return s.Commit(ctx, []store.Op{
			store.Put(benchKey(2*n), value100, nil), store.Put(benchKey(2*n+1), value100, nil),
		})
	})
}
