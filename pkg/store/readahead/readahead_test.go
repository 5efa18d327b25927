package readahead_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/readahead"
)

// table is a store that counts reads, and may fail.
type table struct {
	store.Store
	*testing.T
	gets, batches int
	err           error // of the next batch
	reads         *fresh.Cache[string, int]
}

func newTable(t *testing.T) *table {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	tb := &table{Store: st, T: t, reads: fresh.New[string, int](time.Second, 10, time.Now)}
	for _, name := range []string{"a", "b", "c"} {
		tb.write(name, 1)
	}
	return tb
}

func (tb *table) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	tb.gets++
	return tb.Store.Get(ctx, key)
}

func (tb *table) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	tb.batches++
	if err := tb.err; err != nil {
		tb.err = nil
		return nil, err
	}
	return tb.Store.GetMany(ctx, keys, snapshot)
}

func key(name string) store.Key { return store.Key{Partition: "p", Sort: name} }

func (tb *table) write(name string, n int64) {
	tb.Helper()
	attrs := store.NewAttrs(store.Attr{Name: "n", Value: store.Int(n)})
	if _, err := tb.Store.Apply(tb.Context(), store.Put(key(name), attrs, nil)); err != nil {
		tb.Fatal(err)
	}
}

func (tb *table) want(ctx context.Context, name string, n int64) {
	tb.Helper()
	attrs, _, err := readahead.Get(ctx, tb, key(name), tb.reads.Begin())
	if err != nil || attrs.Get("n").Num() != n {
		tb.Errorf("%s is %v, %v; want %d", name, attrs, err, n)
	}
}

func (tb *table) calls(gets, batches int) {
	tb.Helper()
	if tb.gets != gets || tb.batches != batches {
		tb.Errorf("%d reads of one item, %d of several; want %d, %d", tb.gets, tb.batches, gets, batches)
	}
	tb.gets, tb.batches = 0, 0
}

func (tb *table) expecting(names ...string) context.Context {
	ctx := readahead.With(tb.Context(), tb)
	for _, name := range names {
		readahead.Expect(ctx, key(name), tb.reads.Begin())
	}
	return ctx
}

func TestWhatIsExpectedIsReadWithTheFirst(t *testing.T) {
	tb := newTable(t)
	for _, first := range []string{"a", "b", "c"} { // one that is expected, or not
		ctx := tb.expecting("a", "b", "missing")
		tb.want(ctx, first, 1)
		for _, name := range []string{"a", "b"} {
			if name != first {
				tb.want(ctx, name, 1)
			}
		}
		if attrs, ok := readahead.Loaded(ctx, key("missing")); attrs != nil || !ok {
			t.Errorf("an item that is not there: %v, %v", attrs, ok)
		}
		tb.calls(0, 1)
	}
}

func TestWithoutExpectationsAReadIsAsAlways(t *testing.T) {
	tb := newTable(t)
	tb.want(t.Context(), "a", 1)
	ctx := tb.expecting()
	tb.want(ctx, "a", 1)
	tb.want(ctx, "b", 1)
	tb.calls(3, 0)
	if readahead.Pending(t.Context(), tb) || readahead.Pending(ctx, tb) {
		t.Error("a call is pending")
	}
}

func TestWhatWasReadIsGivenOutOnce(t *testing.T) {
	tb := newTable(t)
	ctx := tb.expecting("a", "b")
	tb.want(ctx, "a", 1)
	tb.write("a", 2)
	tb.write("b", 2)
	tb.want(ctx, "a", 2)
	tb.want(ctx, "b", 1) // as it was then
	tb.want(ctx, "b", 2)
	tb.calls(2, 1)
	if _, ok := readahead.Loaded(ctx, key("a")); ok {
		t.Error("it is given out twice")
	}
}

func TestDiscardedItemsAreReadAgain(t *testing.T) {
	tb := newTable(t)
	ctx := tb.expecting("a", "b")
	tb.want(ctx, "a", 1)
	tb.write("b", 2)
	readahead.Discard(ctx)
	if readahead.Any(ctx) {
		t.Error("there is something left")
	}
	tb.want(ctx, "b", 2)
	tb.calls(1, 1)
}

func TestAnotherStoreIsNotReadAlong(t *testing.T) {
	tb, other := newTable(t), newTable(t)
	other.write("a", 5)
	ctx := tb.expecting("a", "b")
	if readahead.Pending(ctx, other) || !readahead.Pending(ctx, tb) {
		t.Error("the call that is pending is of the wrong store")
	}
	other.want(ctx, "a", 5)
	other.calls(1, 0)
	tb.want(ctx, "a", 1)
	tb.calls(0, 1)
}

func TestFailureIsOfTheFirstAlone(t *testing.T) {
	tb := newTable(t)
	ctx := tb.expecting("a", "b")
	tb.err = errors.New("out of reach")
	if _, _, err := readahead.Get(ctx, tb, key("a"), tb.reads.Begin()); err == nil {
		t.Error("it does not fail")
	}
	tb.want(ctx, "b", 1)
	tb.want(ctx, "a", 1)
	tb.calls(2, 1)
}

// An item counts from when it was expected, which was before it was read.
func TestAgeCountsFromTheExpectation(t *testing.T) {
	tb := newTable(t)
	begun := tb.reads.Begin()
	ctx := readahead.With(t.Context(), tb)
	readahead.Expect(ctx, key("b"), begun)
	tb.want(ctx, "a", 1)
	if _, got, err := readahead.Get(ctx, tb, key("b"), tb.reads.Begin()); got != begun || err != nil {
		t.Errorf("it counts from %v, want %v (%v)", got, begun, err)
	}
}

func TestNoMoreIsExpectedThanOneCallReads(t *testing.T) {
	tb := newTable(t)
	ctx := tb.expecting()
	for i := range 1000 {
		readahead.Expect(ctx, key(strconv.Itoa(i)), tb.reads.Begin())
	}
	tb.want(ctx, "a", 1)
	if _, ok := readahead.Loaded(ctx, key("98")); !ok {
		t.Error("the 99th item was not read")
	}
	if _, ok := readahead.Loaded(ctx, key("99")); ok {
		t.Error("the 100th item was read, besides the one that was asked for")
	}
}
