package qstash_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

func TestSizeIsThatOfTheAccountsMessages(t *testing.T) {
	w := newWorld(t)
	want := func(what, id string, payload, wantItems int64) {
		t.Helper()
		s, err := w.engine.Size(t.Context(), id)
		if err != nil || !s.At.Equal(w.now) {
			t.Fatalf("%+v, %v", s, err)
		}
		if most := payload + 1500*wantItems; s.Items != wantItems || s.Bytes < payload || s.Bytes > most {
			t.Errorf("%s: %d items of %d bytes, want %d of %d to %d", what, s.Items, s.Bytes, wantItems, payload, most)
		}
	}
	random := rand.NewChaCha8([32]byte{}) // what no compression makes smaller
	body := func(n int) string {
		b := make([]byte, n)
		random.Read(b)
		return string(b)
	}
	want("no messages", acct, 0, 0)
	for range 20 { // in all shards
		w.publish("https://example.com", body(500), qstash.Options{Delay: time.Hour})
	}
	want("short bodies are in their messages", acct, 20*500, 20)
	w.publish("https://example.com", body(800<<10), qstash.Options{Delay: time.Hour})
	want("a long body has pieces of its own", acct, 20*500+(800<<10), 20+1+3)
	if _, err := w.engine.CreateAccount(t.Context(), "other", qstash.Keys{}); err != nil {
		t.Fatal(err)
	}
	want("another account", "other", 0, 0)
}
