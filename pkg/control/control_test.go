package control_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	kafkastream "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/ledger"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// recordTTL is that of the engines in AWS.
const recordTTL = time.Second

// world is a deployment: the control plane and the products it works on, over ledgers.
type world struct {
	*testing.T
	now     time.Time
	tables  map[string]*ledger.Store // "control" and the products
	keyring *control.MemoryKeyring
	redis   *redis.Engine
	kafka   *kafka.Engine
	qstash  *qstash.Engine
	control *control.Engine

	admin *control.Account
	key   string // the admin's API key
}

type nothing struct{}

func (nothing) Wake(context.Context, ...wake.Hint) error { return nil }
func (nothing) Send(context.Context, qstash.Delivery) (qstash.Response, error) {
	return qstash.Response{}, errors.New("nothing is sent")
}

func newWorld(t *testing.T) *world {
	w := &world{
		T: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		tables: map[string]*ledger.Store{}, keyring: control.NewMemoryKeyring(),
	}
	for _, name := range []string{"control", "redis", "kafka", "qstash"} {
		st, err := embedded.Open(embedded.Options{InMemory: true, Now: w.clock})
		w.ok(err)
		t.Cleanup(func() { w.ok(st.Close()) })
		w.tables[name] = ledger.New(st)
	}
	w.redis, w.kafka, w.qstash = w.engines()
	w.control = w.newControl(w.redis, w.kafka, w.qstash)
	var err error
	w.admin, w.key, err = w.control.Bootstrap(t.Context(), "Admin@Example.com")
	w.ok(err)
	return w
}

func (w *world) clock() time.Time { return w.now }

// engines makes the engines of another instance.
func (w *world) engines() (*redis.Engine, *kafka.Engine, *qstash.Engine) {
	stream, err := kafkastream.Open(w.Context(), kafkastream.Options{Store: w.tables["kafka"]})
	w.ok(err)
	return redis.New(redis.Config{Store: w.tables["redis"], Now: w.clock, RecordTTL: recordTTL}),
		kafka.New(kafka.Config{Store: w.tables["kafka"], Stream: stream, Now: w.clock, RecordTTL: recordTTL}),
		qstash.New(qstash.Config{Store: w.tables["qstash"], Sender: nothing{}, Waker: nothing{}, Now: w.clock, AccountTTL: recordTTL})
}

func (w *world) newControl(r *redis.Engine, k *kafka.Engine, q *qstash.Engine) *control.Engine {
	var directories []keydir.Directory
	for _, name := range []string{"redis", "kafka", "qstash"} {
		directories = append(directories, keydir.Directory{Store: w.tables[name]})
	}
	return control.New(control.Config{
		Store: w.tables["control"], Keyring: w.keyring, Redis: r, Kafka: k, QStash: q, Directories: directories,
		Endpoints: control.Endpoints{Redis: "https://redis.example.com", Kafka: "https://kafka.example.com", QStash: "https://qstash.example.com"},
		Now:       w.clock,
	})
}

// verifier makes that of an instance of a product's function, which has no keys of its own.
func (w *world) verifier(product string, keys ...ed25519.PublicKey) *token.Verifier {
	v, err := token.NewVerifier(token.VerifierConfig{
		Keys: keys, Product: product, Now: w.clock, Published: keydir.Directory{Store: w.tables[product]}.Keys,
	})
	w.ok(err)
	return v
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refused says that an error is of a kind.
func (w *world) refused(err error, kind control.ErrorKind) {
	w.Helper()
	if !control.IsKind(err, kind) {
		w.Errorf("error %v, want one of kind %d", err, kind)
	}
}

func (w *world) account(email string) *control.Account {
	w.Helper()
	acct, err := w.control.CreateAccount(w.Context(), email, false)
	w.ok(err)
	return acct
}

func (w *world) create(acct *control.Account, p control.Product, name string) *control.Resource {
	w.Helper()
	do := map[control.Product]func(context.Context, string, control.CreateOptions) (*control.Resource, error){
		control.Redis: w.control.CreateDatabase, control.Kafka: w.control.CreateCluster, control.QStash: w.control.CreateQStash,
	}[p]
	r, err := do(w.Context(), acct.ID, control.CreateOptions{Name: name})
	w.ok(err)
	return r
}

func (w *world) token(r *control.Resource, id string) control.Token {
	w.Helper()
	tok, err := w.control.Token(w.Context(), r.Account, r.ID, id)
	w.ok(err)
	return tok
}

// keys are the items of a table, without those that are the deployment's.
func (w *world) keys(table string) []store.Key {
	keys := slices.DeleteFunc(w.tables[table].Keys(), func(k store.Key) bool { return strings.HasPrefix(k.Partition, "\x00keys") })
	slices.SortFunc(keys, func(a, b store.Key) int { return strings.Compare(a.Partition+a.Sort, b.Partition+b.Sort) })
	return keys
}

func TestBootstrapGivesOutOneKey(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	again, key, err := w.control.Bootstrap(ctx, "admin@example.com")
	w.ok(err)
	if key != "" || again.ID != w.admin.ID {
		t.Errorf("the second bootstrap made account %s with a key %t", again.ID, key != "")
	}
	if !w.admin.Admin || len(w.key) != 43 {
		t.Errorf("account %+v with a key of %d characters", w.admin, len(w.key))
	}
	acct, err := w.control.Authenticate(ctx, " ADMIN@example.com", w.key)
	w.ok(err)
	if acct.ID != w.admin.ID {
		t.Errorf("the key opens account %s", acct.ID)
	}
	for _, k := range w.tables["control"].Keys() {
		attrs, err := w.tables["control"].Get(ctx, k)
		w.ok(err)
		if strings.Contains(attrs.Get("j").Str(), w.key) {
			t.Error("the table holds the API key")
		}
	}
}

func TestAPIKeysOpenOnlyTheirAccount(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	other := w.account("other@example.com")
	k, text, err := w.control.CreateAPIKey(ctx, other.ID, "ci")
	w.ok(err)
	if acct, err := w.control.Authenticate(ctx, "other@example.com", text); err != nil || acct.ID != other.ID {
		t.Errorf("%v, %v", acct, err)
	}
	for _, pair := range [][2]string{
		{"other@example.com", w.key}, {"admin@example.com", text}, {"other@example.com", ""},
		{"nobody@example.com", text}, {"", text}, {"other@example.com", text + "x"}, {"other@example.com", k.ID},
	} {
		_, err := w.control.Authenticate(ctx, pair[0], pair[1])
		w.refused(err, control.Unauthorized)
	}
	w.refused(w.control.RevokeAPIKey(ctx, w.admin.ID, k.ID), control.NotFound)
	w.refused(w.control.RevokeAPIKey(ctx, other.ID, k.ID), control.Invalid) // it is the last
	_, second, err := w.control.CreateAPIKey(ctx, other.ID, "second")
	w.ok(err)
	w.ok(w.control.RevokeAPIKey(ctx, other.ID, k.ID))
	_, err = w.control.Authenticate(ctx, "other@example.com", text)
	w.refused(err, control.Unauthorized)
	_, err = w.control.Authenticate(ctx, "other@example.com", second)
	w.ok(err)
}

func TestResourcesOfAllProducts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, p := range []control.Product{control.Redis, control.Kafka, control.QStash} {
		t.Run(string(p), func(t *testing.T) {
			r := w.create(w.admin, p, "first")
			have, err := w.control.Resource(ctx, w.admin.ID, r.ID)
			w.ok(err)
			if have.Name != "first" || have.Product != p || have.URL != "https://"+string(p)+".example.com" {
				t.Errorf("created %+v", have)
			}
			first, again := w.token(r, control.DefaultCredential), w.token(r, control.DefaultCredential)
			if first != again {
				t.Error("a token is not the same when it is asked for again")
			}
			if _, err := w.control.Rename(ctx, w.admin.ID, r.ID, "second"); err != nil {
				t.Fatal(err)
			}
			w.ok(w.control.Delete(ctx, w.admin.ID, r.ID))
			_, err = w.control.Resource(ctx, w.admin.ID, r.ID)
			w.refused(err, control.NotFound)
			w.refused(w.control.Delete(ctx, w.admin.ID, r.ID), control.NotFound)
			if list, err := w.control.Resources(ctx, w.admin.ID); err != nil || len(list) != 0 {
				t.Errorf("%d resources are left, %v", len(list), err)
			}
		})
	}
}
