package keyspace_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// keys is a keyspace in memory with one database, whose clock stands still.
type keys struct {
	*testing.T
	space *keyspace.Keyspace
	db    *keyspace.Database
}

func newKeys(t *testing.T) keys {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	now := func() time.Time { return time.Unix(1_700_000_000, 0) }
	record := store.NewAttrs(store.Attr{Name: keyspace.RecSlots, Value: store.Int(4)})
	return keys{t, keyspace.New(keyspace.Config{
		Store: st, Now: now, Log: slog.Default(), Retry: store.Retry{}.WithClock(now), Random: rand.New(rand.NewPCG(1, 2)),
		Budget:  keyspace.DefaultBudget,
		Written: func(context.Context, *keyspace.Database, string) {},
	}), keyspace.DecodeDatabase("d", record, &revoked.Set{})}
}

func (k keys) begin() *keyspace.Txn {
	return k.space.Begin(k.Context(), k.db, keyspace.Mode{Write: true})
}

// commit runs f in a transaction and commits it.
func (k keys) commit(f func(tx *keyspace.Txn)) {
	k.Helper()
	tx := k.begin()
	f(tx)
	if err := tx.EndCommand(); err != nil {
		k.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		k.Fatal(err)
	}
}

// filled are ways to make a key hold n elements of about 100 bytes.
var filled = []struct {
	typ  string
	fill func(tx *keyspace.Txn, key string, n int)
}{
	{"string", func(tx *keyspace.Txn, key string, n int) { tx.SetString(key, strings.Repeat(element(n), n), false) }},
	{"list", func(tx *keyspace.Txn, key string, n int) {
		for i := range n {
			l, _ := tx.ListForUpdate(key)
			l.PushRight(element(i))
		}
	}},
	{"hash", func(tx *keyspace.Txn, key string, n int) {
		h := tx.NewHash(key)
		for i := range n {
			h.Set(element(i), "value of "+element(i), 0)
		}
	}},
	{"set", func(tx *keyspace.Txn, key string, n int) {
		s := tx.NewSet(key)
		for i := range n {
			s.Add(element(i))
		}
	}},
	{"zset", func(tx *keyspace.Txn, key string, n int) {
		z := tx.NewZSet(key)
		for i := range n {
			z.Set(element(i), float64(i)/2)
		}
	}},
	{"stream", func(tx *keyspace.Txn, key string, n int) {
		s := tx.NewStream(key)
		for i := range n {
			s.Add(keyspace.StreamID{Ms: uint64(i + 1)}, []string{"field", element(i)})
		}
	}},
}

func element(i int) string { return fmt.Sprintf("%-100d", i) }

// Small values are inline, large ones spread. Both can be copied, moved, dumped and restored, and are the same then.
func TestEveryTypeOfValues(t *testing.T) {
	everything := func(int) bool { return true }
	for _, typ := range filled {
		for _, n := range []int{3, 5000} {
			t.Run(fmt.Sprint(typ.typ, n), func(t *testing.T) {
				k := newKeys(t)
				k.commit(func(tx *keyspace.Txn) { typ.fill(tx, "a", n) })
				k.commit(func(tx *keyspace.Txn) {
					if err := tx.Copy("a", "copy"); err != nil {
						t.Error(err)
					}
				})
				k.commit(func(tx *keyspace.Txn) { tx.Move("a", "b") })
				k.commit(func(tx *keyspace.Txn) {
					v, ok, err := tx.Dump("b", everything)
					if !ok || err != nil {
						t.Fatalf("no value to dump: %v", err)
					}
					tx.Restore("restored", v)
				})
				k.commit(func(tx *keyspace.Txn) {
					if tx.Exists("a") {
						t.Error("a key was moved, and is still there")
					}
					want, _, _ := tx.Dump("b", everything)
					size, _ := tx.Bytes("b", 0)
					if size < int64(100*n) {
						t.Errorf("%d elements of 100 bytes take %d bytes", n, size)
					}
					for _, key := range []string{"b", "copy", "restored"} {
						got, _, _ := tx.Dump(key, everything)
						if rdb.Dump(got) != rdb.Dump(want) || tx.Type(key) != typ.typ {
							t.Errorf("%s holds another %s", key, tx.Type(key))
						}
					}
				})
			})
		}
	}
}

func TestATransactionThatMetAnotherChangesNothing(t *testing.T) {
	k := newKeys(t)
	k.commit(func(tx *keyspace.Txn) { tx.SetString("seen", "1", false) })
	loser := k.begin()
	loser.Exists("seen")
	loser.SetString("written", "by the loser", false)
	k.commit(func(tx *keyspace.Txn) { tx.SetString("seen", "2", false) })
	if err := loser.Commit(); !errors.Is(err, store.ErrConflict) {
		t.Errorf("error %v, want a conflict", err)
	}
	k.commit(func(tx *keyspace.Txn) {
		if tx.Exists("written") {
			t.Error("the loser has written")
		}
	})
}

func TestABlindWriteHandsOverWhatItMet(t *testing.T) {
	k := newKeys(t)
	add := func(by int64) (sum string, next keyspace.Handover, done bool) {
		b := k.space.Blind(k.db, "n")
		p := b.Add(by)
		p.Reply = func(old store.Attrs) { sum = fmt.Sprint(b.Number(old) + by) }
		next, done, err := k.space.WriteBlindly(t.Context(), k.db, b, p)
		if err != nil {
			t.Fatal(err)
		}
		return sum, next, done
	}
	for i, want := range []string{"5", "10"} {
		if got, _, done := add(5); got != want || !done {
			t.Errorf("addition %d: %q, done is %t", i, got, done)
		}
	}
	k.commit(func(tx *keyspace.Txn) { tx.SetString("n", "no number", false) })
	_, next, done := add(5)
	if done || !next.Loaded["n"].Has(keyspace.AttrValue) {
		t.Errorf("done is %t, and %v was handed over", done, next.Loaded)
	}
}
