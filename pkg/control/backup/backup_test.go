package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control/backup"
	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/kafka/objects/objectstest"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/transfer"
	"github.com/skystash/skystash/pkg/store/embedded"
)

func TestConformanceOfAFolder(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Store { return backup.NewFolder(filepath.Join(t.TempDir(), "not there yet")) })
}

func TestAFolderLetsNoNameOut(t *testing.T) {
	dir := t.TempDir()
	f := backup.NewFolder(filepath.Join(dir, "inside"))
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), "../outside", []byte("x")); err == nil {
		t.Error("written outside")
	}
	if _, err := f.Get(t.Context(), "../secret", 0, 1); err == nil {
		t.Error("read outside")
	}
	if err := f.Delete(t.Context(), []string{"../secret"}); err == nil {
		t.Error("deleted outside")
	}
	if names, _ := f.List(t.Context(), "../", ""); len(names) > 0 {
		t.Errorf("listed outside: %q", names)
	}
}

// world is a database with backups.
type world struct {
	*testing.T
	now     time.Time
	engine  *redis.Engine
	folder  string
	backups *backup.Backups
	peer    transfer.Peer
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), folder: t.TempDir()}
	now := func() time.Time { return w.now }
	st, err := embedded.Open(embedded.Options{InMemory: true, Now: now})
	w.ok(err)
	t.Cleanup(func() { w.ok(st.Close()) })
	w.engine = redis.New(redis.Config{Store: st, Now: now})
	t.Cleanup(w.engine.Close)
	_, err = w.engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db", Name: "db"})
	w.ok(err)
	w.backups = backup.New(backup.Config{Redis: w.engine, Objects: backup.NewFolder(w.folder), Now: now})
	w.peer, err = backup.Peer(t.Context(), w.engine, "db")
	w.ok(err)
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) do(args ...string) any {
	w.Helper()
	replies, err := w.peer.Do(context.WithoutCancel(w.Context()), args)
	w.ok(err)
	if refused, ok := replies[0].(resp.Error); ok {
		w.Fatal(args, refused)
	}
	return replies[0]
}

func (w *world) fill() {
	w.do("SET", "s", "v", "PX", "100000")
	w.do("SET", "\xff", strings.Repeat("large", 1_000_000)) // more than a part
	w.do("RPUSH", "l", "a", "b")
	w.do("HSET", "h", "f", "v", "g", "w")
	w.do("HPEXPIRE", "h", "100000", "FIELDS", "1", "f")
	w.do("ZADD", "z", "1.5", "m")
	w.do("JSON.SET", "j", "$", `{"a":[1]}`)
	w.do("XADD", "x", "1-1", "f", "v")
	w.do("XGROUP", "CREATE", "x", "g", "0")
	w.do("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">")
}

// state is all that a database has, as lines of JSON.
func (w *world) state() map[string]string {
	w.Helper()
	lines := map[string]string{}
	_, err := transfer.Copy(w.Context(), transfer.NewScan(w.peer, func() time.Time { return w.now }, ""), target(func(e transfer.Entry) {
		var b bytes.Buffer
		_, err := transfer.NewJSONWriter(&b).Write(e)
		w.ok(err)
		lines[e.Key] = b.String()
	}), transfer.Options{})
	w.ok(err)
	return lines
}

type target func(transfer.Entry)

func (t target) Write(_ context.Context, entries []transfer.Entry) (transfer.Result, error) {
	for _, e := range entries {
		t(e)
	}
	return transfer.Result{}, nil
}

func TestRestoreBringsBackEverything(t *testing.T) {
	w := newWorld(t)
	w.fill()
	want := fmt.Sprint(w.state())
	made, err := w.backups.Create(t.Context(), "db", "before – the change")
	w.ok(err)
	if made.Keys != 7 || made.Size < 5_000_000 || made.State != backup.Completed {
		t.Errorf("%+v", made)
	}
	w.do("SET", "s", "changed")
	w.do("DEL", "l", "x")
	w.do("SET", "later", "v")
	w.now = w.now.Add(time.Minute)
	list, err := w.backups.List(t.Context(), "db")
	w.ok(err)
	made.CreatedAt = made.CreatedAt.Truncate(time.Millisecond)
	if len(list) != 1 || list[0] != made {
		t.Errorf("%+v, want %+v", list, made)
	}
	stats, err := w.backups.Restore(t.Context(), "db", made.ID)
	w.ok(err)
	if got := fmt.Sprint(w.state()); stats.Keys != 7 || got != want {
		t.Errorf("%d keys:\n%.300s\nwant\n%.300s", stats.Keys, got, want)
	}
	w.ok(w.backups.Delete(t.Context(), "db", made.ID))
	if _, err := w.backups.Restore(t.Context(), "db", made.ID); !errors.Is(err, backup.ErrNoBackup) {
		t.Error(err)
	}
	if left, err := os.ReadDir(w.folder); err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
}

// TestADamagedBackupChangesNothing is over damage to each file of a backup.
func TestADamagedBackupChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.fill()
	made, err := w.backups.Create(t.Context(), "db", "b")
	w.ok(err)
	w.do("SET", "later", "v")
	want := fmt.Sprint(w.state())
	parts, err := filepath.Glob(filepath.Join(w.folder, "db", made.ID, "part-*"))
	w.ok(err)
	if len(parts) != 2 {
		t.Fatal(parts)
	}
	for _, name := range parts {
		data, err := os.ReadFile(name)
		w.ok(err)
		data[len(data)/2] ^= 0x20
		w.ok(os.WriteFile(name, data, 0o600))
		if _, err := w.backups.Restore(t.Context(), "db", made.ID); !errors.Is(err, backup.ErrUnfit) {
			t.Errorf("%s is damaged: %v", name, err)
		}
		if got := fmt.Sprint(w.state()); got != want {
			t.Errorf("%s is damaged, and the database has changed", name)
		}
		data[len(data)/2] ^= 0x20
		w.ok(os.WriteFile(name, data, 0o600))
	}
	_, err = w.backups.Restore(t.Context(), "db", made.ID)
	w.ok(err)
}

func TestABackupThatWasNotCompletedIsNone(t *testing.T) {
	w := newWorld(t)
	w.fill()
	full := backup.New(backup.Config{Redis: w.engine, Objects: fullDisk{backup.NewFolder(w.folder)}, Now: func() time.Time { return w.now }})
	if _, err := full.Create(t.Context(), "db", "b"); !errors.Is(err, errFull) {
		t.Fatal(err)
	}
	for _, want := range []backup.State{backup.Pending, backup.Failed} {
		list, err := w.backups.List(t.Context(), "db")
		w.ok(err)
		if len(list) != 1 || list[0].State != want || list[0].Name != "b" {
			t.Fatalf("%+v", list)
		}
		if _, err := w.backups.Restore(t.Context(), "db", list[0].ID); !errors.Is(err, backup.ErrUnfit) {
			t.Error(err)
		}
		w.now = w.now.Add(backup.Patience + time.Second)
	}
	w.ok(w.backups.Forget(t.Context(), "db"))
	if list, err := w.backups.List(t.Context(), "db"); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

var errFull = errors.New("full")

// fullDisk takes no part but the first.
type fullDisk struct{ backup.Folder }

func (f fullDisk) Put(ctx context.Context, name string, data []byte) error {
	if strings.HasSuffix(name, "part-000001") {
		return errFull
	}
	return f.Folder.Put(ctx, name, data)
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", strings.Repeat("x", backup.MaxName+1)} {
		if _, err := w.backups.Create(t.Context(), "db", name); !errors.Is(err, backup.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := w.backups.Create(t.Context(), "none", "b"); err == nil {
		t.Error("a backup of a database that is not there")
	}
}
