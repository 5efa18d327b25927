package qstash_test

import (
	"context"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// counted is a store that counts the calls that read.
type counted struct {
	store.Store
	reads int
}

func (c *counted) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	c.reads++
	return c.Store.Get(ctx, key)
}

func (c *counted) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	c.reads++
	return c.Store.GetMany(ctx, keys, snapshot)
}

func TestAccountIsReadWithTheSigningKeys(t *testing.T) {
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	st := &counted{Store: inner}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := qstash.New(qstash.Config{Store: st, RecordTTL: time.Second, Now: func() time.Time { return now }})
	if _, err := e.CreateAccount(t.Context(), "c1", qstash.Keys{}); err != nil {
		t.Fatal(err)
	}
	st.reads = 0
	for range 3 {
		now = now.Add(time.Second)
		ctx := e.Ahead(t.Context(), "c1")
		if !(keydir.Directory{Store: st}).Along(ctx) {
			t.Error("the keys would take a call of their own")
		}
		if _, err := (keydir.Directory{Store: st}).Keys(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Account(ctx, "c1"); err != nil {
			t.Fatal(err)
		}
		if st.reads != 1 {
			t.Errorf("%d calls, want 1", st.reads)
		}
		st.reads = 0
		if (keydir.Directory{Store: st}).Along(e.Ahead(t.Context(), "c1")) {
			t.Error("a record that is fresh is expected to be read")
		}
	}
}
