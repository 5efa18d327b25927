package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// late is a store whose clock moves while it reads.
type late struct {
	store.Store
	clock *testClock
	takes time.Duration
	reads int // calls
}

func (l *late) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	defer l.clock.advance(l.takes)
	l.reads++
	return l.Store.Get(ctx, key)
}

func (l *late) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	defer l.clock.advance(l.takes)
	l.reads++
	return l.Store.GetMany(ctx, keys, snapshot)
}

// two are engines over one store, as on two instances.
type two struct {
	*testDB
	store *late
	other *redis.Engine
}

func newTwo(t *testing.T) *two {
	db := newTestEngine(t)
	l := &late{Store: db.st, clock: db.clock}
	open := func() *redis.Engine {
		return redis.New(redis.Config{Store: l, Now: db.clock.now, RecordTTL: time.Second, MaxBlock: time.Millisecond})
	}
	db.e = open()
	return &two{testDB: db, store: l, other: open()}
}

// request runs commands as a request of its own does, and returns what they reply.
func (w *two) request(cmds ...[]string) string {
	w.t.Helper()
	ctx := w.e.Ahead(w.t.Context(), w.id, func() [][]string { return cmds })
	db, err := w.e.Database(ctx, w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	var out resp.Writer
	if len(cmds) == 1 {
		if err := w.e.Do(ctx, db, redis.Access{}, cmds[0], &out); err != nil {
			w.t.Fatal(err)
		}
	} else {
		w.e.Pipeline(ctx, db, redis.Access{}, cmds, &out)
	}
	return string(out.Buf)
}

// want checks what a request replies, and how many calls it has made to read.
func (w *two) want(what, reply string, reads int, cmds ...[]string) {
	w.t.Helper()
	w.store.reads = 0
	if got := w.request(cmds...); got != reply {
		w.t.Errorf("%s: replied %q, want %q", what, got, reply)
	}
	if w.store.reads != reads {
		w.t.Errorf("%s: %d reads, want %d", what, w.store.reads, reads)
	}
}

// elsewhere runs a command on the other engine.
func (w *two) elsewhere(args ...string) {
	w.t.Helper()
	db, err := w.other.Database(w.t.Context(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	var out resp.Writer
	if err := w.other.Do(w.t.Context(), db, redis.Access{}, args, &out); err != nil {
		w.t.Fatal(err)
	}
}

var getK, setK = []string{"GET", "k"}, []string{"SET", "k", "mine"}

func TestRecordIsReadWithTheKey(t *testing.T) {
	w := newTwo(t)
	w.elsewhere("SET", "k", "v")
	w.want("the first request, which does not know where the key is", "$1\r\nv\r\n", 2, getK)
	w.want("the next one", "$1\r\nv\r\n", 1, getK)
	w.clock.advance(time.Second)
	w.want("a record that is too old", "$1\r\nv\r\n", 1, getK)
	w.clock.advance(time.Hour)
	w.want("one that is much too old", "$1\r\nv\r\n", 1, getK)
	w.clock.advance(time.Second)
	w.want("a key that is not there", "_\r\n", 1, []string{"GET", "nothing"})
	w.clock.advance(time.Second)
	w.want("a pipeline of reads", "$1\r\nv\r\n_\r\n$1\r\nv\r\n:1\r\n", 1, getK, []string{"GET", "other"}, getK, []string{"STRLEN", "k"})
	w.clock.advance(time.Second)
	w.want("a write", "+OK\r\n", 1, setK)
}

func TestCommandsSeeWhatTheRequestHasWritten(t *testing.T) {
	w := newTwo(t)
	w.request(getK)
	for _, tc := range []struct {
		name, reply string
		cmds        [][]string
	}{
		{"a write first", "+OK\r\n$4\r\nmine\r\n", [][]string{setK, getK}},
		{"reads on both sides of a write", "$4\r\nmine\r\n:7\r\n$7\r\nmineand\r\n", [][]string{getK, {"APPEND", "k", "and"}, getK}},
		{"a refused command first", "-ERR wrong number of arguments for 'get' command\r\n:9\r\n$9\r\nmineandso\r\n", [][]string{{"GET"}, {"APPEND", "k", "so"}, getK}},
	} {
		w.clock.advance(2 * time.Second)
		if got := w.request(tc.cmds...); got != tc.reply {
			t.Errorf("%s: replied %q, want %q", tc.name, got, tc.reply)
		}
	}
}

// A command of several keys sees them as of one moment, so what was read earlier is of no use to it.
func TestCommandOfSeveralKeysDoesNotUseWhatWasReadAhead(t *testing.T) {
	w := newTwo(t)
	w.elsewhere("MSET", "k", "v", "l", "v")
	w.request(getK)
	w.clock.advance(time.Second)
	w.want("a read of one key, and of two", "$1\r\nv\r\n*2\r\n$1\r\nv\r\n$1\r\nv\r\n", 2, getK, []string{"MGET", "k", "l"})
	ctx := w.e.Ahead(t.Context(), w.id, func() [][]string { t.Error("the record is due"); return nil })
	if ctx != t.Context() {
		t.Error("something is to be read ahead")
	}
	w.clock.advance(time.Second)
	cmds := [][]string{getK, {"MGET", "k", "l"}}
	ctx = w.e.Ahead(t.Context(), w.id, func() [][]string { return cmds })
	db, err := w.e.Database(ctx, w.id)
	if err != nil {
		t.Fatal(err)
	}
	w.elsewhere("MSET", "k", "new", "l", "new")
	var out resp.Writer
	w.e.Pipeline(ctx, db, redis.Access{}, cmds, &out)
	if got, want := string(out.Buf), "$3\r\nnew\r\n*2\r\n$3\r\nnew\r\n$3\r\nnew\r\n"; got != want {
		t.Errorf("replied %q, want %q", got, want)
	}
}

// The head was read where it was before a flush. That is not where it is.
func TestKeyThatWasReadAheadOfAFlushIsReadAgain(t *testing.T) {
	w := newTwo(t)
	w.elsewhere("SET", "k", "v")
	w.request(getK)
	w.clock.advance(time.Second)
	// Of an engine without RecordTTL, a flush comes into force at once.
	w.other = redis.New(redis.Config{Store: w.store, Now: w.clock.now})
	w.elsewhere("FLUSHDB")
	w.want("after a flush", "_\r\n", 2, getK)
	w.clock.advance(time.Second)
	w.want("the request after it", "_\r\n", 1, getK)
}

// FLUSHDB and revocations rely on it that no record is used for longer than RecordTTL after it was
// true. Its age counts from before it was asked for.
func TestAgeOfARecordCountsFromBeforeTheRead(t *testing.T) {
	w := newTwo(t)
	w.store.takes = 700 * time.Millisecond
	before, err := w.e.Database(t.Context(), w.id)
	if err != nil {
		t.Fatal(err)
	}
	w.store.takes = 0
	if _, err := w.other.ResetCredentials(t.Context(), w.id); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(299 * time.Millisecond)
	if db, err := w.e.Database(t.Context(), w.id); db != before || err != nil {
		t.Errorf("the record is read again before its time (%v)", err)
	}
	w.clock.advance(time.Millisecond)
	db, err := w.e.Database(t.Context(), w.id)
	if err != nil || db.CredentialGeneration == before.CredentialGeneration {
		t.Errorf("a record is used a second after it was true (%v)", err)
	}
}

// So does that of a user, and of a record that is read along with a key.
func TestAgeOfAUserCountsFromBeforeTheRead(t *testing.T) {
	w := newTwo(t)
	const password = "correct horse battery"
	w.elsewhere("ACL", "SETUSER", "u", "on", "+@read", "~*", ">"+password)
	var out resp.Writer
	db, err := w.other.Database(t.Context(), w.id)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.other.Do(t.Context(), db, redis.Access{}, []string{"ACL", "RESTTOKEN", "u", password}, &out); err != nil {
		t.Fatal(err)
	}
	token, err := resp.Decode(out.Buf)
	if err != nil {
		t.Fatal(err)
	}
	authenticate := func() error {
		ctx := w.e.AheadOfUser(t.Context(), token.(string), func() [][]string { return [][]string{getK} })
		_, _, err := w.e.Authenticate(ctx, token.(string))
		return err
	}
	w.store.reads, w.store.takes = 0, 700*time.Millisecond
	if err := authenticate(); err != nil || w.store.reads != 1 {
		t.Errorf("%d reads, %v", w.store.reads, err)
	}
	w.store.takes = 0
	w.elsewhere("ACL", "DELUSER", "u")
	w.clock.advance(300 * time.Millisecond)
	if err := authenticate(); err == nil {
		t.Error("a user is let in a second after it was there")
	}
}
