package redis_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/resp/resptest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// testClock is a clock that tests set.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// testDB is a database of an engine of its own.
type testDB struct {
	t     *testing.T
	e     *redis.Engine
	id    string
	st    store.Store
	clock *testClock
}

// newTestEngine makes an engine over a store in memory, with one database and a clock that stands still.
func newTestEngine(t *testing.T) *testDB {
	t.Helper()
	return newBoundedEngine(t, redis.Budget{})
}

func newTestEngineOn(t *testing.T, st store.Store) *testDB {
	t.Helper()
	return newTestEngineOf(t, redis.Config{Store: st})
}

// newBoundedEngine is newTestEngine with a budget.
func newBoundedEngine(t *testing.T, budget redis.Budget) *testDB {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return newTestEngineOf(t, redis.Config{Store: st, Budget: budget})
}

func newTestEngineOf(t *testing.T, cfg redis.Config) *testDB {
	t.Helper()
	clock := &testClock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	cfg.Now, cfg.MaxBlock = clock.now, time.Millisecond
	e := redis.New(cfg)
	t.Cleanup(e.Close)
	if _, err := e.CreateDatabase(context.Background(), redis.DatabaseOptions{ID: "test"}); err != nil {
		t.Fatal(err)
	}
	return &testDB{t: t, e: e, id: "test", st: cfg.Store, clock: clock}
}

func (d *testDB) database() *redis.Database {
	d.t.Helper()
	db, err := d.e.Database(context.Background(), d.id)
	if err != nil {
		d.t.Fatal(err)
	}
	return db
}

// raw runs a command and returns its reply as RESP.
func (d *testDB) raw(args ...string) []byte {
	d.t.Helper()
	var w resp.Writer
	if err := d.e.Do(context.Background(), d.database(), redis.Access{}, args, &w); err != nil {
		d.t.Fatalf("%q: %v", args, err)
	}
	return w.Buf
}

// do runs a command and returns its reply, rendered: "v", (integer) 1, (nil),
// OK, (error) ERR ..., [a b], with maps and sets as arrays and doubles as bare numbers.
func (d *testDB) do(args ...string) string {
	d.t.Helper()
	return render(d.t, d.raw(args...))
}

// cmd is do for a command line split at blanks.
func (d *testDB) cmd(line string) string {
	d.t.Helper()
	return d.do(strings.Fields(line)...)
}

// multi runs a transaction.
func (d *testDB) multi(lines ...string) (string, error) {
	d.t.Helper()
	var cmds [][]string
	for _, l := range lines {
		cmds = append(cmds, strings.Fields(l))
	}
	var w resp.Writer
	if err := d.e.Multi(context.Background(), d.database(), redis.Access{}, cmds, &w); err != nil {
		return "", err
	}
	return strings.Join(renderAll(d.t, w.Buf), " "), nil
}

// usage is what a command costs in the store.
func (d *testDB) usage(args ...string) store.Usage {
	d.t.Helper()
	var m store.Meter
	var w resp.Writer
	if err := d.e.Do(store.WithMeter(context.Background(), &m), d.database(), redis.Access{}, args, &w); err != nil {
		d.t.Fatalf("%q: %v", args, err)
	}
	return m.Total()
}

// check runs command lines and compares their rendered replies.
func (d *testDB) check(lines ...[2]string) {
	d.t.Helper()
	for _, l := range lines {
		if got := d.cmd(l[0]); got != l[1] {
			d.t.Errorf("%s: got %s, want %s", l[0], got, l[1])
		}
	}
}

func render(t *testing.T, b []byte) string {
	t.Helper()
	return resptest.Render(t, b)
}

func renderAll(t *testing.T, b []byte) []string {
	t.Helper()
	return resptest.RenderAll(t, b)
}
