package redis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

func monitor(t *testing.T, d *testDB) *redis.Subscription {
	t.Helper()
	s, err := d.e.Monitor(t.Context(), d.database(), redis.Access{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// line takes the next line of a monitor, without the time.
func line(t *testing.T, s *redis.Subscription) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	m, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	at, rest, _ := strings.Cut(m.Payload, " ")
	if at != "1767323045.000000" {
		t.Errorf("time %s", at)
	}
	return rest
}

func TestMonitor(t *testing.T) {
	d := newTestEngine(t)
	before := d.usage("GET", "k")
	s := monitor(t, d)
	d.do("SET", "k", "a\"\\\n\r\t\a\b\x00\xff~")
	d.cmd("nosuch k")           // is not run, hence not shown
	d.cmd("acl genpass")        // harmless
	d.cmd("acl setuser u on")   // administration, may hold secrets
	d.cmd("config get notify*") // the same
	if _, err := d.multi("incr n", "get k"); err != nil {
		t.Fatal(err)
	}
	var w resp.Writer
	d.e.Pipeline(t.Context(), d.database(), redis.Access{}, [][]string{{"GET", "a"}, {"GET", "b"}, {"DEL", "c"}}, &w)
	for _, want := range []string{
		`[0 0.0.0.0:0] "SET" "k" "a\"\\\n\r\t\a\b\x00\xff~"`, `[0 0.0.0.0:0] "acl" "genpass"`, `[0 0.0.0.0:0] "incr" "n"`, `[0 0.0.0.0:0] "get" "k"`,
		`[0 0.0.0.0:0] "GET" "a"`, `[0 0.0.0.0:0] "GET" "b"`, `[0 0.0.0.0:0] "DEL" "c"`,
	} {
		if got := line(t, s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	d.do("SET", "k", strings.Repeat("x", 100_000))
	if got := line(t, s); len(got) > 40_000 || !strings.HasSuffix(got, `x"...`) {
		t.Errorf("a long command: %d bytes, ends in %q", len(got), got[len(got)-10:])
	}
	for range 300 { // more than the log's item holds
		d.cmd("get k")
	}
	for range 300 {
		if got := line(t, s); got != `[0 0.0.0.0:0] "get" "k"` {
			t.Fatalf("got %s", got)
		}
	}

	// Without a monitor, nothing is paid for it a minute later.
	s.Close()
	d.clock.advance(2 * time.Minute)
	if after := d.usage("GET", "nokey"); after.Calls != before.Calls || after.WriteUnits != 0 {
		t.Errorf("%+v before, %+v after", before, after)
	}
}

// Commands of other engines are seen once they have read the record again, those of other databases never.
func TestMonitorOfOtherEngines(t *testing.T) {
	ds := sharing(t, memoryStore(t), 2)
	if _, err := ds[0].e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test2"}); err != nil {
		t.Fatal(err)
	}
	ds[1].database() // known before
	s := monitor(t, ds[0])
	ds[1].cmd("get early")
	other := *ds[0]
	other.id = "test2"
	other.cmd("get theirs")
	ds[0].cmd("get mine")
	if got := line(t, s); got != `[0 0.0.0.0:0] "get" "mine"` {
		t.Errorf("got %s", got)
	}
	fresh := redis.New(redis.Config{Store: ds[0].st, Now: ds[0].clock.now, RecordTTL: time.Hour})
	(&testDB{t: t, e: fresh, id: "test", st: ds[0].st}).cmd("get late")
	if got := line(t, s); got != `[0 0.0.0.0:0] "get" "late"` {
		t.Errorf("got %s", got)
	}
	if _, err := ds[0].e.Monitor(t.Context(), ds[0].database(), redis.Access{ReadOnly: true}); err == nil {
		t.Error("the read-only token may see what others do")
	}
}
