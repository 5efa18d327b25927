package revoked_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// table counts the items that are read.
type table struct {
	store.Store
	reads int
}

func (tb *table) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	tb.reads += len(keys)
	return tb.Store.GetMany(ctx, keys, snapshot)
}

// world is one resource, whose record's list is kept here.
type world struct {
	*testing.T
	table *table
	now   time.Time
	book  *revoked.Book
	list  revoked.List
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	st, err := embedded.Open(embedded.Options{InMemory: true, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w.table = &table{Store: st}
	w.book = w.instance()
	return w
}

func (w *world) clock() time.Time { return w.now }

// instance is the Book of another process.
func (w *world) instance() *revoked.Book {
	return revoked.NewBook(w.table, w.clock, func(resource, page string) store.Key {
		return store.Key{Partition: resource, Sort: page}
	})
}

func (w *world) revoke(credential string, expires time.Time) {
	w.Helper()
	next, writes, err := w.book.Add(w.Context(), "r", w.list, credential, expires)
	if err == nil && len(writes) > 0 {
		err = w.table.Commit(w.Context(), writes)
	}
	if err != nil {
		w.Fatal(err)
	}
	w.list = next
}

func (w *world) set(b *revoked.Book) *revoked.Set {
	w.Helper()
	s, err := b.Set(w.Context(), "r", w.list)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// pages are the items of pages, with the time from which the store may reclaim each.
func (w *world) pages() map[string]int64 {
	w.Helper()
	page, err := w.table.Query(w.Context(), store.Query{Partition: "r"})
	if err != nil {
		w.Fatal(err)
	}
	all := map[string]int64{}
	for _, it := range page.Items {
		all[it.Key.Sort] = it.Attrs.Get(store.TTLAttr).Num()
	}
	return all
}

func credential(i int) string { return fmt.Sprintf("%026d", i) } // as long as those of the control plane

func TestAnyNumberOfCredentialsCanBeRevoked(t *testing.T) {
	w := newWorld(t)
	const n = 5000
	warm := w.instance()
	for i := range n {
		expires := time.Time{}
		if i%2 == 0 {
			expires = w.now.Add(time.Duration(1+i) * time.Hour)
		}
		w.revoke(credential(i), expires)
		if size := len(strings.Join(w.list.Recent, " ")) + len(strings.Join(w.list.Pages, " ")); size > 3<<10 {
			t.Fatalf("after %d revocations the record has %d bytes of them", i+1, size)
		}
		if !w.set(warm).Has(credential(i)) {
			t.Fatalf("credential %d is not revoked", i)
		}
	}
	for _, s := range []*revoked.Set{w.set(w.book), w.set(warm), w.set(w.instance())} {
		for i := range n {
			if !s.Has(credential(i)) {
				t.Fatalf("credential %d is not revoked any more", i)
			}
		}
		if s.Has(credential(n)) || s.Has("") {
			t.Error("a credential is revoked that nobody has revoked")
		}
	}
	list := w.list
	w.revoke(credential(7), time.Time{})
	if !w.list.Equal(list) {
		t.Error("a credential is revoked twice")
	}
}

// A record that is read again costs no other read, unless it names pages that are new.
func TestPagesAreReadOnce(t *testing.T) {
	w := newWorld(t)
	warm := w.instance()
	for i := range 300 {
		w.revoke(credential(i), time.Time{})
	}
	reads := func(b *revoked.Book, want int) {
		t.Helper()
		w.table.reads = 0
		w.set(b)
		if w.table.reads != want {
			t.Errorf("%d pages are read, want %d", w.table.reads, want)
		}
	}
	if len(w.list.Pages) != 1 {
		t.Fatalf("the record names pages %q, want one", w.list.Pages)
	}
	reads(warm, 1)
	reads(warm, 0)
	w.revoke("one more", time.Time{})
	reads(warm, 0)
	for i, pages := 1000, w.list.Pages; slices.Equal(pages, w.list.Pages); i++ {
		w.revoke(credential(i), time.Time{})
	}
	reads(warm, 1)
	reads(warm, 0)
	w.list = revoked.List{}
	reads(w.instance(), 0)
}

func TestRevocationsOfExpiredCredentialsAreDropped(t *testing.T) {
	w := newWorld(t)
	for i := range 5000 {
		w.revoke(credential(i), w.now.Add(time.Hour))
	}
	for i := range 200 {
		w.revoke(credential(10_000+i), time.Time{})
	}
	w.now = w.now.Add(time.Hour + revoked.Keep)
	w.revoke("last", time.Time{})
	if !w.set(w.instance()).Has(credential(0)) {
		t.Error("a revocation is dropped at once, though clocks may be apart")
	}
	w.now = w.now.Add(time.Second)
	w.revoke("last but one", w.now.Add(time.Minute))
	s := w.set(w.instance())
	for i := range 5000 {
		if s.Has(credential(i)) {
			t.Fatalf("credential %d has expired and is still there", i)
		}
	}
	for i := range 200 {
		if !s.Has(credential(10_000 + i)) {
			t.Fatalf("credential %d, which never expires, was dropped", 10_000+i)
		}
	}
	if len(w.list.Pages) != 1 {
		t.Errorf("the record names pages %q, want one", w.list.Pages)
	}
	// What no list names is left to the store, and it is not taken away from who has read an older list.
	named := strings.Join(w.list.Pages, " ")
	for page, until := range w.pages() {
		if strings.Contains(named, page) != (until == 0) || until != 0 && until < w.now.Unix() {
			t.Errorf("page %s, of %s, may be reclaimed from %d", page, named, until)
		}
	}
}

func TestReadersOfAnOlderListFindItsPages(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.revoke(credential(i), time.Time{})
	}
	old := w.list
	for i := range 200 {
		w.revoke(credential(1000+i), time.Time{})
	}
	if slices.Equal(old.Pages, w.list.Pages) {
		t.Fatal("the page has not been replaced")
	}
	if s, err := w.instance().Set(t.Context(), "r", old); err != nil || !s.Has(credential(0)) || s.Has(credential(1100)) {
		t.Errorf("the older list is not what it was (%v)", err)
	}
	if err := w.book.Retire(t.Context(), "r", w.list); err != nil {
		t.Fatal(err)
	}
	if s, err := w.instance().Set(t.Context(), "r", w.list); err != nil || !s.Has(credential(0)) {
		t.Errorf("the list that was reset cannot be read (%v)", err)
	}
	for page, until := range w.pages() {
		if until <= w.now.Unix() {
			t.Errorf("page %s may be reclaimed from %d", page, until)
		}
	}
}

func TestAPageThatCannotBeReadOpensNothing(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.revoke(credential(i), time.Time{})
	}
	for page := range w.pages() {
		if _, err := w.table.Apply(t.Context(), store.Delete(store.Key{Partition: "r", Sort: page}, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := w.instance().Set(t.Context(), "r", w.list); err == nil {
		t.Errorf("without its page, the list says %v", s)
	}
	if err := w.book.Retire(t.Context(), "r", w.list); err != nil { // leaves items that hold nothing
		t.Fatal(err)
	}
	if s, err := w.instance().Set(t.Context(), "r", w.list); err == nil {
		t.Errorf("with an empty page, the list says %v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.instance().Set(ctx, "r", w.list); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Records of earlier builds have lists of ids.
func TestListsOfIDsAreRead(t *testing.T) {
	w := newWorld(t)
	for i := range 1000 {
		w.list.Recent = append(w.list.Recent, credential(i))
	}
	w.revoke("new", w.now.Add(time.Hour))
	s := w.set(w.instance())
	for _, id := range []string{credential(0), credential(999), "new"} {
		if !s.Has(id) {
			t.Errorf("%s is not revoked", id)
		}
	}
}

func TestSetsOfNothing(t *testing.T) {
	var none *revoked.Set
	if none.Has("x") || !none.List().Equal(revoked.List{}) {
		t.Error("the nil set has something")
	}
	if s := revoked.Of("a", "b"); !s.Has("a") || !s.Has("b") || s.Has("c") {
		t.Error("a set does not have what it was made of")
	}
}
