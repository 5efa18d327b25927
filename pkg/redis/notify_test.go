package redis_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// Which event each command sends, integration/differential compares with a real Redis.

func TestKeyspaceEvents(t *testing.T) {
	d := newTestEngine(t)
	s := subscribe(t, d.e, []string{"__keyspace@0__:k", "__keyevent@0__:del"}, nil)
	set := func(events, want string) {
		t.Helper()
		if got := d.do("config", "set", "notify-keyspace-events", events); got != "OK" {
			t.Fatal(got)
		}
		if got := d.cmd("config get notify-keyspace-events"); got != `["notify-keyspace-events" "`+want+`"]` {
			t.Errorf("%s: %s, want %s", events, got, want)
		}
	}
	d.cmd("set k 1")
	set("KEA", "AKE")
	d.cmd("set k 2")
	d.cmd("set k 2 ex 100")
	d.cmd("del k other")
	d.cmd("incr k")
	expectMessages(t, s, "__keyspace@0__:k set", "__keyspace@0__:k set", "__keyspace@0__:k expire",
		"__keyspace@0__:k del", "__keyevent@0__:del k", "__keyspace@0__:k incrby")
	set("Kg$", "g$K")
	d.cmd("del k") // not as a keyevent
	d.cmd("lpush k a")
	d.cmd("lpop k") // a list's events are off, that a list is deleted is a generic one
	set("El", "lE")
	d.cmd("lpush k a")
	d.cmd("del k")
	set("g", "g") // neither K nor E: nothing is told
	d.cmd("set k v")
	d.cmd("del k")
	set("", "")
	d.cmd("set k v")
	set("KEA$", "AKE")
	d.cmd("get k")
	d.cmd("append k v")
	expectMessages(t, s, "__keyspace@0__:k del", "__keyspace@0__:k del", "__keyspace@0__:k append")

	// JSON documents, which Redis itself does not have.
	d.cmd("del k")
	d.cmd(`json.set k $ {"a":1}`)
	d.cmd("json.del k $.a")
	d.cmd("json.del k")
	expectMessages(t, s, "__keyspace@0__:k del", "__keyevent@0__:del k", "__keyspace@0__:k json.set", "__keyspace@0__:k json.del",
		"__keyspace@0__:k del", "__keyevent@0__:del k", "__keyspace@0__:k json.del")

	// What has not happened is not told: not what an aborted script has done, nor what is refused.
	d.do("eval", "redis.call('set','k','v') return redis.call('lpush','k','v')", "0")
	d.cmd("set k v xx")
	if _, err := d.multi("set k v", "lpush k v", "get k"); err != nil {
		t.Fatal(err)
	}
	expectMessages(t, s, "__keyspace@0__:k set")
}

// The setting is a database's own, holds for all engines when CONFIG SET has answered, and outlives them.
func TestKeyspaceEventsAreADatabasesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ds := patient(t, memoryStore(t), time.Second, 2)
		if _, err := ds[0].e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "another"}); err != nil {
			t.Fatal(err)
		}
		another := &testDB{t: t, e: ds[0].e, id: "another"}
		s := subscribe(t, ds[1].e, nil, []string{"__key*__:*"})
		ds[1].cmd("set k v") // so that the record is known
		ds[0].cmd("config set notify-keyspace-events KEA")
		ds[1].cmd("set k v")
		expectMessages(t, s, "__key*__:* __keyspace@0__:k set", "__key*__:* __keyevent@0__:set k")
		if got := another.cmd("config get notify*"); got != `["notify-keyspace-events" ""]` {
			t.Error(got)
		}
		ds[0].cmd("flushall")
		if got := patientOver(t, ds[0].st).cmd("config get notify*"); got != `["notify-keyspace-events" "AKE"]` {
			t.Error(got)
		}
	})
}

// patientOver is another engine over a store.
func patientOver(t *testing.T, st store.Store) *testDB {
	e := redis.New(redis.Config{Store: st, RecordTTL: time.Second})
	t.Cleanup(e.Close)
	return &testDB{t: t, e: e, id: "test", st: st}
}

// A key that has expired is told of once: by whoever reads or writes it, or by an engine that has subscribers.
func TestExpiredEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ds := patient(t, memoryStore(t), time.Second, 3)
		before := "old" // an expiry that nobody has noted
		ds[0].cmd("set old v px 100")
		ds[0].cmd("config set notify-keyspace-events Ex")
		listen := func(d *testDB) *redis.Subscription { return subscribe(t, d.e, []string{"__keyevent@0__:expired"}, nil) }
		s, other := listen(ds[0]), listen(ds[1])
		const told = "__keyevent@0__:expired "

		ds[2].cmd("set read v px 100")
		time.Sleep(200 * time.Millisecond)
		for range 2 {
			if got := ds[2].cmd("get read"); got != "(nil)" {
				t.Error(got)
			}
		}
		ds[2].cmd("get " + before)
		ds[2].cmd("sadd big " + strings.Repeat("m", 100))
		ds[2].cmd("pexpire big 100")
		time.Sleep(200 * time.Millisecond)
		ds[2].cmd("sadd big x")
		if got := ds[2].cmd("smembers big"); got != `["x"]` {
			t.Error(got)
		}
		for _, s := range []*redis.Subscription{s, other} {
			expectMessages(t, s, told+"read", told+"old", told+"big")
		}

		// Nobody touches these any more.
		ds[2].cmd("set a v px 1000")
		ds[2].cmd("mset b v c v d v")
		ds[2].cmd("pexpire b 2000")
		ds[2].cmd("pexpire c 3000")
		ds[2].cmd("persist c")
		ds[2].cmd("pexpire d 3000")
		ds[2].cmd("pexpire d 10000")
		if _, err := ds[2].multi("set e v px 4000", "set f v"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for _, s := range []*redis.Subscription{s, other} {
			expectMessages(t, s, told+"a", told+"b", told+"e", told+"d")
		}
		if took := time.Since(start); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("the last was told of after %v", took)
		}
		if got := ds[2].cmd("exists c f"); got != "(integer) 2" {
			t.Error(got)
		}
	})
}

// Off, events cost nothing: no call more, no write of another kind. On, a write is a transaction, which
// reads who has subscribed.
func TestKeyspaceEventsAreFreeWhileOff(t *testing.T) {
	st := faulty.New(memoryStore(t), faulty.Plan{})
	d := newTestEngineOf(t, redis.Config{Store: st})
	lines := []string{"set k v", "set k v ex 100", "incr n", "lpush l a", "hset h f v", "sadd s a", "zadd z 1 a", "expire k 100", "del k", "get n", "get none", "xadd x * f v", "lpop l"}
	costs := func() (all []store.Usage) {
		for _, l := range lines {
			all = append(all, d.usage(strings.Fields(l)...))
		}
		d.cmd("del k n l h s z x")
		return all
	}
	never := costs()
	d.cmd("config set notify-keyspace-events KEA")
	on := costs()
	d.do("config", "set", "notify-keyspace-events", "")
	off := costs()
	for i, l := range lines {
		if never[i] != off[i] {
			t.Errorf("%s: %+v, after the events were turned off %+v", l, never[i], off[i])
		}
		if reads := strings.HasPrefix(l, "get"); !reads && on[i].Calls <= never[i].Calls || on[i].Calls > never[i].Calls+3 {
			t.Errorf("%s: %+v, with events on and without subscribers %+v", l, never[i], on[i])
		}
	}
}

// Who may not hear a channel hears no events on it, and only who administers the database turns them on.
func TestKeyspaceEventsObeyRules(t *testing.T) {
	d := newTestEngine(t)
	_, app := addUser(t, d, "app", "~app:*", "&app:*", "+@all")
	_, spy := addUser(t, d, "spy", "~*", "&__keyspace@0__:app:*", "+@all", "-@admin")
	for _, tt := range []struct {
		a        redis.Access
		channels []string
		patterns []string
		refused  bool
	}{
		{app, []string{"__keyevent@0__:set"}, nil, true},
		{app, nil, []string{"__key*__:*"}, true},
		{spy, []string{"__keyspace@0__:app:1"}, nil, false},
		{spy, nil, []string{"__keyspace@0__:app:*"}, false},
		{spy, []string{"__keyspace@0__:other"}, nil, true},
		{spy, nil, []string{"__keyspace@0__:*"}, true},
		{redis.Access{ReadOnly: true}, []string{"__keyspace@0__:k"}, nil, true},
	} {
		s, err := d.e.Subscribe(t.Context(), d.database(), tt.a, tt.channels, tt.patterns)
		if err == nil {
			s.Close()
		}
		if (err != nil) != tt.refused {
			t.Errorf("%q %q: %v", tt.channels, tt.patterns, err)
		}
	}
	for _, a := range []redis.Access{spy, {ReadOnly: true}} {
		if got := d.doAs(a, "config set notify-keyspace-events KEA"); !strings.HasPrefix(got, "(error) NOPERM") {
			t.Error(got)
		}
	}
}
