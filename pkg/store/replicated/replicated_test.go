package replicated_test

import (
	"context"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/replicated"
	"github.com/skystash/skystash/pkg/store/storetest"
)

func open(t *testing.T, o replicated.Options) *replicated.Store {
	t.Helper()
	var stores [2]store.Store
	for i := range stores {
		s, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = s
	}
	o.Failed = func(err error) { t.Error(err) }
	s := replicated.New(stores[0], stores[1], o)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPrimaryIsAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, replicated.Options{}) })
}

var one, two = store.Key{Partition: "p", Sort: "1"}, store.Key{Partition: "p", Sort: "2"}

func put(t *testing.T, s store.Store, key store.Key, n int64) {
	t.Helper()
	if _, err := s.Apply(context.Background(), store.Put(key, store.Attrs{{Name: "n", Value: store.Int(n)}}, nil)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s store.Store, key store.Key) int64 {
	t.Helper()
	as, err := s.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return as.Get("n").Num()
}

func TestWritesArriveItemByItemInOrder(t *testing.T) {
	s := open(t, replicated.Options{})
	put(t, s, one, 1)
	put(t, s, one, 2)
	if err := s.Commit(context.Background(), []store.Op{
		store.Delete(one, nil), store.Put(two, store.Attrs{{Name: "n", Value: store.Int(9)}}, nil),
	}); err != nil {
		t.Fatal(err)
	}
	r := s.Replica()
	expect := func(first, second int64) {
		t.Helper()
		if a, b := read(t, r, one), read(t, r, two); a != first || b != second {
			t.Errorf("the replica has %d and %d, want %d and %d", a, b, first, second)
		}
	}
	first, last := func(int) int { return 0 }, func(n int) int { return n - 1 }
	expect(0, 0)
	s.Step(last)
	expect(0, 9)
	s.Step(first)
	expect(1, 9)
	s.Step(first)
	expect(2, 9)
	s.Step(first)
	expect(0, 9)
	if s.Step(first) {
		t.Error("something still waits")
	}
	if _, err := r.Apply(context.Background(), store.Delete(two, nil)); err == nil {
		t.Error("the replica took a write")
	}
}

func TestWritesArriveAfterTheirLag(t *testing.T) {
	lags := []time.Duration{time.Second, time.Millisecond}
	s := open(t, replicated.Options{Lag: func() time.Duration {
		d := lags[0]
		lags = lags[1:]
		return d
	}})
	put(t, s, one, 1)
	put(t, s, one, 2)
	deadline := time.Now().Add(5 * time.Minute)
	for read(t, s.Replica(), one) != 2 {
		if time.Now().After(deadline) {
			t.Fatal("the writes have not arrived")
		}
		time.Sleep(time.Millisecond)
	}
}
