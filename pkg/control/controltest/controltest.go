// Package controltest makes deployments for tests: the control plane and the products it
// works on, over stores in memory that keep account of their items, with a clock of the test's.
package controltest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/backup"
	"github.com/skystash/skystash/pkg/kafka"
	kafkastream "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/store/ledger"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// recordTTL is that of the engines in AWS.
const recordTTL = time.Second

// World is a deployment: the control plane and the products it works on, over ledgers.
type World struct {
	testing.TB
	Tables  map[string]*ledger.Store // "control", "redis", "kafka" and "qstash"
	Keyring *control.MemoryKeyring
	Redis   *redis.Engine
	Kafka   *kafka.Engine
	QStash  *qstash.Engine
	Control *control.Engine
	Backups *backup.Backups // in a folder

	Admin *control.Account
	Key   string // the administrator's API key

	now atomic.Int64 // Unix ns
}

type nothing struct{}

func (nothing) Wake(context.Context, ...wake.Hint) error                     { return nil }
func (nothing) Repeat(context.Context, string, *cron.Schedule) (bool, error) { return false, nil }
func (nothing) Cease(context.Context, string) error                          { return nil }
func (nothing) Send(context.Context, qstash.Delivery) (qstash.Response, error) {
	return qstash.Response{}, errors.New("nothing is sent")
}

// New makes a deployment with its administrator.
func New(t testing.TB) *World {
	w := &World{
		TB: t, Tables: map[string]*ledger.Store{}, Keyring: control.NewMemoryKeyring(),
	}
	w.now.Store(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).UnixNano())
	for _, name := range []string{"control", "redis", "kafka", "qstash"} {
		st, err := embedded.Open(embedded.Options{InMemory: true, Now: w.Now})
		w.OK(err)
		t.Cleanup(func() { w.OK(st.Close()) })
		w.Tables[name] = ledger.New(st)
	}
	w.Redis, w.Kafka, w.QStash = w.Engines()
	w.Backups = backup.New(backup.Config{Redis: w.Redis, Objects: backup.NewFolder(t.TempDir()), Now: w.Now})
	w.Control = w.NewControl(w.Redis, w.Kafka, w.QStash)
	var err error
	w.Admin, w.Key, err = w.Control.Bootstrap(t.Context(), "Admin@Example.com")
	w.OK(err)
	return w
}

// Now is the time that all engines go by; Advance moves it on.
func (w *World) Now() time.Time { return time.Unix(0, w.now.Load()).UTC() }

// Advance lets time pass.
func (w *World) Advance(d time.Duration) { w.now.Add(int64(d)) }

// Engines makes the engines of another instance.
func (w *World) Engines() (*redis.Engine, *kafka.Engine, *qstash.Engine) {
	return w.engines(w.Tables["redis"], w.Tables["kafka"], w.Tables["qstash"])
}

func (w *World) engines(r, k, q store.Store) (*redis.Engine, *kafka.Engine, *qstash.Engine) {
	stream, err := kafkastream.Open(w.Context(), kafkastream.Options{Store: w.Tables["kafka"]})
	w.OK(err)
	databases := redis.New(redis.Config{Store: r, Now: w.Now, RecordTTL: recordTTL})
	w.Cleanup(databases.Close)
	clusters := kafka.New(kafka.Config{Store: k, Stream: stream, Now: w.Now, RecordTTL: recordTTL})
	w.Cleanup(clusters.Close)
	return databases, clusters,
		qstash.New(qstash.Config{Store: q, Sender: nothing{}, Waker: nothing{}, Now: w.Now, RecordTTL: recordTTL})
}

// Broken makes the control plane of an instance that cannot reach the products' tables.
func (w *World) Broken() *control.Engine {
	broken := func(table string) store.Store { return faulty.New(w.Tables[table], faulty.Plan{Unavailable: 1}) }
	return w.NewControl(w.engines(broken("redis"), broken("kafka"), broken("qstash")))
}

// NewControl makes the control plane of another instance.
func (w *World) NewControl(r *redis.Engine, k *kafka.Engine, q *qstash.Engine) *control.Engine {
	var directories []keydir.Directory
	for _, name := range []string{"redis", "kafka", "qstash"} {
		directories = append(directories, keydir.Directory{Store: w.Tables[name]})
	}
	return control.New(control.Config{
		Store: w.Tables["control"], Keyring: w.Keyring, Redis: r, Kafka: k, QStash: q, Directories: directories, Backups: w.Backups,
		Endpoints: control.Endpoints{Redis: "https://redis.example.com", Kafka: "https://kafka.example.com", QStash: "https://qstash.example.com"},
		Now:       w.Now,
	})
}

// Verifier makes that of an instance of a product's function, which has no keys of its own.
func (w *World) Verifier(product string, keys ...ed25519.PublicKey) *token.Verifier {
	v, err := token.NewVerifier(token.VerifierConfig{
		Keys: keys, Product: product, Now: w.Now, Published: keydir.Directory{Store: w.Tables[product]},
	})
	w.OK(err)
	return v
}

// OK ends the test if there is an error.
func (w *World) OK(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Refused says that an error is of a kind.
func (w *World) Refused(err error, kind control.ErrorKind) {
	w.Helper()
	if !control.IsKind(err, kind) {
		w.Errorf("error %v, want one of kind %d", err, kind)
	}
}

// Account makes an account that is no administrator.
func (w *World) Account(email string) *control.Account {
	w.Helper()
	acct, err := w.Control.CreateAccount(w.Context(), email, false)
	w.OK(err)
	return acct
}

// Create makes a resource.
func (w *World) Create(acct *control.Account, p control.Product, name string) *control.Resource {
	w.Helper()
	r, err := Create(w.Context(), w.Control, acct, p, name)
	w.OK(err)
	return r
}

// Create makes a resource of any product.
func Create(ctx context.Context, e *control.Engine, acct *control.Account, p control.Product, name string) (*control.Resource, error) {
	o := control.CreateOptions{Name: name}
	switch p {
	case control.Redis:
		return e.CreateDatabase(ctx, acct.ID, o)
	case control.Kafka:
		return e.CreateCluster(ctx, acct.ID, o)
	}
	return e.CreateQStash(ctx, acct.ID, o)
}

// Token mints the token of a credential, as its owner.
func (w *World) Token(r *control.Resource, id string) control.Token {
	w.Helper()
	tok, err := w.Control.Token(w.Context(), r.Account, r.ID, id)
	w.OK(err)
	return tok
}

// Items are the items of a table, without those that are the deployment's.
func (w *World) Items(table string) []store.Key {
	keys := slices.DeleteFunc(w.Tables[table].Keys(), func(k store.Key) bool { return strings.HasPrefix(k.Partition, "\x00keys") })
	slices.SortFunc(keys, func(a, b store.Key) int { return strings.Compare(a.Partition+a.Sort, b.Partition+b.Sort) })
	return keys
}
