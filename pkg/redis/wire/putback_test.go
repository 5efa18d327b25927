package wire

import (
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// A pop that is undone leaves everything as it was.
func TestPopsAreUndone(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	e := redis.New(redis.Config{Store: st})
	t.Cleanup(e.Close)
	db, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db"})
	if err != nil {
		t.Fatal(err)
	}
	do := func(args ...string) []byte {
		t.Helper()
		var w resp.Writer
		if err := e.Do(t.Context(), db, redis.Access{}, args, &w); err != nil {
			t.Fatal(err)
		}
		return w.Buf
	}
	do("RPUSH", "left", "a", "b", "c", "d")
	do("ZADD", "z", "1", "a", "2.5", "b", "inf", "c")
	state := func() string {
		return string(do("LRANGE", "left", "0", "-1")) + string(do("ZRANGE", "z", "0", "-1", "WITHSCORES"))
	}
	before := state()
	for _, line := range []string{
		"BLPOP none left 0", "BRPOP left 0", "BLMPOP 0 2 none left LEFT COUNT 3", "BLMPOP 0 1 left RIGHT COUNT 3",
		"BZPOPMIN z 0", "BZPOPMAX z 0", "BZMPOP 0 1 z MAX COUNT 2", "BZMPOP 0 1 z MIN",
	} {
		args := strings.Fields(line)
		reply := do(args...)
		if state() == before {
			t.Fatalf("%s has popped nothing: %q", line, reply)
		}
		push := pushBack(args, reply)
		do(push...)
		if got := state(); got != before {
			t.Errorf("%s, undone by %q: %q, want %q", line, push, got, before)
		}
	}
	for _, line := range []string{"BLPOP none 0.001", "BLMOVE left other LEFT LEFT 0", "BLPOP z 0", "XREAD BLOCK 1 STREAMS s 0"} {
		args := strings.Fields(line)
		if push := pushBack(args, slices.Clone(do(args...))); push != nil {
			t.Errorf("%s is undone by %q", line, push)
		}
	}
}
