package keydir_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

func stores(t *testing.T) map[string]store.Store {
	e, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	client := dynamolocal.Client(t)
	return map[string]store.Store{"embedded": e, "dynamo": dynamo.New(client, dynamolocal.Table(t, client))}
}

func TestKeysArePublishedAndRetired(t *testing.T) {
	for name, st := range stores(t) {
		t.Run(name, func(t *testing.T) {
			d := keydir.Directory{Store: st}
			newKey := func() ed25519.PublicKey {
				key, err := token.GenerateKey()
				if err != nil {
					t.Fatal(err)
				}
				return key.Public().(ed25519.PublicKey)
			}
			check := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			stays, goes, unknown := newKey(), newKey(), newKey()
			for range 2 { // all of it can be repeated
				check(d.Publish(t.Context(), stays))
				check(d.Publish(t.Context(), goes))
				check(d.Retire(t.Context(), goes, time.Now()))
				check(d.Retire(t.Context(), unknown, time.Now()))
			}
			keys, err := d.Keys(t.Context())
			check(err)
			retired := map[string]bool{}
			for _, k := range keys {
				retired[token.KeyID(k.Key)] = k.Retired
			}
			if len(retired) != 3 || retired[token.KeyID(stays)] || !retired[token.KeyID(goes)] || !retired[token.KeyID(unknown)] {
				t.Errorf("retired keys: %v", retired)
			}
		})
	}
}
