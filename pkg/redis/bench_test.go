package redis_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// BenchmarkDo measures commands on small keys, on a store in memory.
func BenchmarkDo(b *testing.B) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	ctx := context.Background()
	e := redis.New(redis.Config{Store: st})
	if _, err := e.CreateDatabase(ctx, redis.DatabaseOptions{ID: "bench"}); err != nil {
		b.Fatal(err)
	}
	run := func(b *testing.B, args ...string) {
		db, err := e.Database(ctx, "bench")
		if err != nil {
			b.Fatal(err)
		}
		var w resp.Writer
		if err := e.Do(ctx, db, redis.Access{}, args, &w); err != nil {
			b.Fatal(err)
		}
	}
	hash := []string{"hset", "h"}
	for i := range 20 {
		hash = append(hash, fmt.Sprintf("field%02d", i), fmt.Sprintf("value of about forty bytes, number %08d", i))
	}
	run(b, hash...)
	run(b, "set", "k", "value")
	run(b, "json.set", "j", "$", `{"name":"Wireless earbuds","price":64.99,"stock":17,"colors":["black","white"],"connection":{"wireless":true,"type":"Bluetooth"}}`)
	for _, cmd := range [][]string{
		{"get", "k"}, {"set", "k", "value"}, {"incr", "n"}, {"hget", "h", "field07"}, {"hset", "h", "field07", "x"}, {"hgetall", "h"}, {"zadd", "z", "1", "m"},
		{"json.get", "j", "$.connection.type"}, {"json.numincrby", "j", "$.stock", "1"},
	} {
		b.Run(cmd[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(b, cmd...)
			}
		})
	}
}
