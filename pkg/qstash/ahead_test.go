package qstash_test

import (
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
	"github.com/skystash/skystash/pkg/token/keydir"
)

func TestAccountIsReadWithTheSigningKeys(t *testing.T) {
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	st := slow.New(inner, slow.Options{})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := qstash.New(qstash.Config{Store: st, RecordTTL: time.Second, Now: func() time.Time { return now }})
	if _, err := e.CreateAccount(t.Context(), "c1", qstash.Keys{}); err != nil {
		t.Fatal(err)
	}
	st.Reset()
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
		if reads := st.Counts().Reads(); reads != 1 {
			t.Errorf("%d calls, want 1", reads)
		}
		st.Reset()
		if (keydir.Directory{Store: st}).Along(e.Ahead(t.Context(), "c1")) {
			t.Error("a record that is fresh is expected to be read")
		}
	}
}
