package control_test

import (
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/controltest"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
)

func TestBootstrapGivesOutOneKey(t *testing.T) {
	w := controltest.New(t)
	ctx := t.Context()
	again, key, err := w.Control.Bootstrap(ctx, "admin@example.com")
	w.OK(err)
	if key != "" || again.ID != w.Admin.ID {
		t.Errorf("the second bootstrap made account %s with a key %t", again.ID, key != "")
	}
	if !w.Admin.Admin || len(w.Key) != 43 {
		t.Errorf("account %+v with a key of %d characters", w.Admin, len(w.Key))
	}
	acct, err := w.Control.Authenticate(ctx, " ADMIN@example.com", w.Key)
	w.OK(err)
	if acct.ID != w.Admin.ID {
		t.Errorf("the key opens account %s", acct.ID)
	}
	for _, k := range w.Tables["control"].Keys() {
		attrs, err := w.Tables["control"].Get(ctx, k)
		w.OK(err)
		if strings.Contains(attrs.Get("j").Str(), w.Key) {
			t.Error("the table holds the API key")
		}
	}
}

func TestAPIKeysOpenOnlyTheirAccount(t *testing.T) {
	w := controltest.New(t)
	ctx := t.Context()
	other := w.Account("other@example.com")
	k, text, err := w.Control.CreateAPIKey(ctx, other.ID, "ci")
	w.OK(err)
	if acct, err := w.Control.Authenticate(ctx, "other@example.com", text); err != nil || acct.ID != other.ID {
		t.Errorf("%v, %v", acct, err)
	}
	for _, pair := range [][2]string{
		{"other@example.com", w.Key}, {"admin@example.com", text}, {"other@example.com", ""},
		{"nobody@example.com", text}, {"", text}, {"other@example.com", text + "x"}, {"other@example.com", k.ID},
	} {
		_, err := w.Control.Authenticate(ctx, pair[0], pair[1])
		w.Refused(err, control.Unauthorized)
	}
	w.Refused(w.Control.RevokeAPIKey(ctx, w.Admin.ID, k.ID), control.NotFound)
	w.Refused(w.Control.RevokeAPIKey(ctx, other.ID, k.ID), control.Invalid) // it is the last
	_, second, err := w.Control.CreateAPIKey(ctx, other.ID, "second")
	w.OK(err)
	w.OK(w.Control.RevokeAPIKey(ctx, other.ID, k.ID))
	_, err = w.Control.Authenticate(ctx, "other@example.com", text)
	w.Refused(err, control.Unauthorized)
	_, err = w.Control.Authenticate(ctx, "other@example.com", second)
	w.OK(err)
}

// A database knows whose it is, for its account has one share of the turns, however many databases it has. One that is
// adopted learns it.
func TestDatabasesKnowTheirAccount(t *testing.T) {
	w := controltest.New(t)
	databases, _, _ := w.Engines()
	acct := w.Account("alice@example.com")
	of := func(id string) string {
		db, err := databases.Database(t.Context(), id)
		w.OK(err)
		return db.Account
	}
	if got := of(w.Create(acct, control.Redis, "made").ID); got != acct.ID {
		t.Errorf("a database that was made belongs to %q, want %q", got, acct.ID)
	}
	_, err := databases.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "found"})
	w.OK(err)
	for range 2 {
		_, err = w.NewControl(w.Engines()).Adopt(t.Context(), acct.ID, control.Redis, "found", "found")
		w.OK(err)
	}
	databases, _, _ = w.Engines()
	if got := of("found"); got != acct.ID {
		t.Errorf("a database that was adopted belongs to %q, want %q", got, acct.ID)
	}
}

// So do clusters and accounts of QStash: the requests of all share their turns.
func TestClustersAndQStashKnowTheirAccount(t *testing.T) {
	w := controltest.New(t)
	_, clusters, accounts := w.Engines()
	acct := w.Account("alice@example.com")
	cluster, err := clusters.Cluster(t.Context(), w.Create(acct, control.Kafka, "made").ID)
	w.OK(err)
	qstashAccount, err := accounts.Account(t.Context(), w.Create(acct, control.QStash, "made").ID)
	w.OK(err)
	if cluster.Account != acct.ID || qstashAccount.Owner != acct.ID {
		t.Errorf("what was made belongs to %q and %q, want %q", cluster.Account, qstashAccount.Owner, acct.ID)
	}
	_, err = clusters.CreateCluster(t.Context(), kafka.ClusterOptions{ID: "found"})
	w.OK(err)
	_, err = accounts.CreateAccount(t.Context(), "foundtoo", qstash.Keys{})
	w.OK(err)
	for range 2 {
		_, err = w.NewControl(w.Engines()).Adopt(t.Context(), acct.ID, control.Kafka, "found", "found")
		w.OK(err)
		_, err = w.NewControl(w.Engines()).Adopt(t.Context(), acct.ID, control.QStash, "foundtoo", "found")
		w.OK(err)
	}
	_, clusters, accounts = w.Engines()
	cluster, err = clusters.Cluster(t.Context(), "found")
	w.OK(err)
	qstashAccount, err = accounts.Account(t.Context(), "foundtoo")
	w.OK(err)
	if cluster.Account != acct.ID || qstashAccount.Owner != acct.ID {
		t.Errorf("what was adopted belongs to %q and %q, want %q", cluster.Account, qstashAccount.Owner, acct.ID)
	}
}

func TestResourcesOfAllProducts(t *testing.T) {
	w := controltest.New(t)
	ctx := t.Context()
	for _, p := range []control.Product{control.Redis, control.Kafka, control.QStash} {
		t.Run(string(p), func(t *testing.T) {
			r := w.Create(w.Admin, p, "first")
			have, err := w.Control.Resource(ctx, w.Admin.ID, r.ID)
			w.OK(err)
			if have.Name != "first" || have.Product != p || have.URL != "https://"+string(p)+".example.com" {
				t.Errorf("created %+v", have)
			}
			first, again := w.Token(r, control.DefaultCredential), w.Token(r, control.DefaultCredential)
			if first != again {
				t.Error("a token is not the same when it is asked for again")
			}
			if _, err := w.Control.Rename(ctx, w.Admin.ID, r.ID, "second"); err != nil {
				t.Fatal(err)
			}
			w.OK(w.Control.Delete(ctx, w.Admin.ID, r.ID))
			_, err = w.Control.Resource(ctx, w.Admin.ID, r.ID)
			w.Refused(err, control.NotFound)
			w.Refused(w.Control.Delete(ctx, w.Admin.ID, r.ID), control.NotFound)
			if list, err := w.Control.Resources(ctx, w.Admin.ID); err != nil || len(list) != 0 {
				t.Errorf("%d resources are left, %v", len(list), err)
			}
		})
	}
}
