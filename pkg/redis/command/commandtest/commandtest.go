// Package commandtest runs commands without an engine, for tests of packages that declare some.
package commandtest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/resp/resptest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Clock is a clock that tests set.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// NewClock makes a clock that stands still.
func NewClock() *Clock { return &Clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// Memory is a store in memory that is closed when the test ends.
func Memory(t testing.TB) store.Store {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// DB is a database as one process has it. Commands are in Table, to which a test adds those of its package.
type DB struct {
	Store    store.Store
	Clock    *Clock
	Database *keyspace.Database
	Table    command.Table

	t    testing.TB
	keys *keyspace.Keyspace
	host *command.Host
}

// New makes the database id of a store. Those of the same store and id are one database in several processes.
func New(t testing.TB, st store.Store, clock *Clock, id string) *DB {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	record := store.NewAttrs(
		store.Attr{Name: keyspace.RecSlots, Value: store.Int(4)},
		store.Attr{Name: keyspace.RecCredGen, Value: store.Int(1)},
	)
	d := &DB{
		t: t, Store: st, Clock: clock, Database: keyspace.DecodeDatabase(id, record, &revoked.Set{}), Table: command.NewTable(),
		keys: keyspace.New(keyspace.Config{
			Store: st, Now: clock.Now, Log: slog.Default(), Retry: store.Retry{}.WithClock(clock.Now), Random: random,
			Budget: keyspace.DefaultBudget, Written: func(context.Context, *keyspace.Database, string) {}, Tell: func(context.Context, *keyspace.Database, []keyspace.Event) {},
		}),
	}
	d.host = &command.Host{Commands: d.Table, Now: clock.Now, Started: clock.Now(), Random: random, MaxReply: 10 << 20, Awaited: func(string) (keys, gone int) { return 0, 0 }}
	return d
}

// Do runs a command in a transaction, and returns its reply as [resptest.Render] shows it.
func (d *DB) Do(args ...string) string {
	d.t.Helper()
	return d.DoAs(command.Access{}, args...)
}

// Line is Do for a command line that is split at blanks.
func (d *DB) Line(line string) string {
	d.t.Helper()
	return d.Do(strings.Fields(line)...)
}

// Check runs command lines and compares their replies.
func (d *DB) Check(lines ...[2]string) {
	d.t.Helper()
	for _, l := range lines {
		if got := d.Line(l[0]); got != l[1] {
			d.t.Errorf("%s: got %s, want %s", l[0], got, l[1])
		}
	}
}

// DoAs is Do for a caller.
func (d *DB) DoAs(a command.Access, args ...string) string {
	d.t.Helper()
	var w resp.Writer
	if err := d.attempt(a, args, &w); err != nil {
		d.t.Errorf("%q: %v", args, err)
		return err.Error()
	}
	return resptest.Render(d.t, w.Buf)
}

// attempt runs a command again and again until nobody else is faster.
func (d *DB) attempt(a command.Access, args []string, w *resp.Writer) error {
	cmd, err := d.Table.Find(args)
	if err == nil {
		_, err = a.Allow(cmd, args, cmd.KeysOf(args))
	}
	if err == nil {
		for err = store.ErrConflict; errors.Is(err, store.ErrConflict); {
			err = d.once(cmd, a, args, w)
		}
	}
	var refused command.Error
	if errors.As(err, &refused) {
		w.Reset()
		w.Error(refused.Error())
		return nil
	}
	return err
}

func (d *DB) once(cmd *command.Command, a command.Access, args []string, w *resp.Writer) error {
	w.Reset()
	tx := d.keys.Begin(context.Background(), d.Database, keyspace.Mode{Write: cmd.MayWrite()})
	defer tx.LetGo()
	if err := tx.Start(cmd.KeysOf(args), nil); err != nil {
		return err
	}
	if err := cmd.Run(&command.Call{Txn: tx, Command: cmd, Args: args, W: w, Host: d.host, Access: a}); err != nil {
		return err
	}
	if err := tx.EndCommand(); err != nil {
		return err
	}
	return tx.Commit()
}
