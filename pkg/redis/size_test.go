package redis_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/ledger"
)

func TestSizeCountsKeysAndWhatTheyAreSpreadOver(t *testing.T) {
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	st := ledger.New(inner)
	e := redis.New(redis.Config{Store: st})
	for _, id := range []string{"db1", "db2"} {
		db, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		var w resp.Writer
		do := func(args ...string) {
			t.Helper()
			w.Reset()
			if err := e.Do(t.Context(), db, redis.Access{}, args, &w); err != nil || resp.IsError(w.Buf) {
				t.Fatalf("%q: %s, %v", args, w.Buf, err)
			}
		}
		do("SET", "string", noise(2000))
		do("SET", "large", noise(1_000_000))
		do("SET", "compressed", strings.Repeat("x", 100_000)) // of which the size is what is stored
		for i := range 200 {
			do("HSET", "hash", fmt.Sprintf("field%d", i), strings.Repeat("x", 100))
		}
	}
	size, err := e.Size(t.Context(), "db1")
	if err != nil {
		t.Fatal(err)
	}
	items := int64(0)
	for _, key := range st.Keys() {
		if strings.HasPrefix(key.Partition, "kdb1\x00") || strings.HasPrefix(key.Partition, "edb1\x00") {
			items++
		}
	}
	content := int64(2000 + 1_000_000 + 200*100)
	if size.Items != items || size.Bytes < content || size.Bytes > content+200*items+10_000 || size.At.IsZero() {
		t.Errorf("%+v, want %d items of %d bytes and more", size, items, content)
	}
	if _, err := e.Size(t.Context(), "none"); err == nil {
		t.Error("no database has a size")
	}
}
