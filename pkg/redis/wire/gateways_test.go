package wire_test

import (
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// What is written through another engine over the same store wakes who waits here, breaks a watch, and reaches subscribers.
func TestOtherServersOverTheSameStore(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := newServerOver(t, st, time.Second, nil)
	other := redis.New(redis.Config{Store: st, RecordTTL: time.Second})
	t.Cleanup(other.Close)
	do := func(args ...string) {
		t.Helper()
		db, err := other.Database(t.Context(), "db")
		if err != nil {
			t.Fatal(err)
		}
		var w resp.Writer
		if err := other.Do(t.Context(), db, redis.Access{}, args, &w); err != nil || resp.IsError(w.Buf) {
			t.Fatalf("%q: %q, %v", args, w.Buf, err)
		}
	}
	c := s.login()
	c.send("BLPOP l 0")
	s.isBlocked(1)
	do("RPUSH", "l", "a")
	c.next("*2|$1|l|$1|a|")
	c.expect("WATCH k", "+OK|")
	do("SET", "k", "v")
	c.expect("MULTI", "+OK|")
	c.expect("SET k w", "+QUEUED|")
	c.expect("EXEC", "*-1|")
	c.expect("SUBSCRIBE a", "*3|$9|subscribe|$1|a|:1|")
	do("PUBLISH", "a", "hello")
	c.next("*3|$7|message|$1|a|$5|hello|")
}
