package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// benchRun makes an engine on a store in memory, and returns a function that runs commands on it.
func benchRun(b *testing.B) func(b *testing.B, args ...string) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	ctx := context.Background()
	e := redis.New(redis.Config{Store: st})
	if _, err := e.CreateDatabase(ctx, redis.DatabaseOptions{ID: "bench"}); err != nil {
		b.Fatal(err)
	}
	return func(b *testing.B, args ...string) {
		db, err := e.Database(ctx, "bench")
		if err != nil {
			b.Fatal(err)
		}
		var w resp.Writer
		if err := e.Do(ctx, db, redis.Access{}, args, &w); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompressed measures what compression takes beside all else: values of 1 to 300 KB that compress to a fifth, and
// values that do not compress.
func BenchmarkCompressed(b *testing.B) {
	run := benchRun(b)
	for _, kb := range []int{1, 10, 100, 300} {
		for name, value := range map[string]string{"json": document(kb << 10), "noise": noise(kb << 10)} {
			for _, cmd := range [][]string{{"set", "k", value}, {"get", "k"}, {"strlen", "k"}, {"append", "k", ""}, {"setbit", "k", "7", "1"}} {
				run(b, "set", "k", value)
				b.Run(fmt.Sprintf("%s/%dKB/%s", name, kb, cmd[0]), func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(int64(len(value)))
					for b.Loop() {
						run(b, cmd...)
					}
				})
			}
		}
	}
}

// BenchmarkDo measures commands on small keys, on a store in memory.
func BenchmarkDo(b *testing.B) {
	run := benchRun(b)
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

// BenchmarkAppends measures 100,000 appends within one script.
func BenchmarkAppends(b *testing.B) {
	run := benchRun(b)
	for name, source := range map[string]string{
		"concatenation": "local s = '' for i = 1, 100000 do s = s .. 'x' end return #s",
		"APPEND":        "for i = 1, 100000 do redis.call('append', KEYS[1], 'x') end return redis.call('del', KEYS[1])",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			at := processorTime(b)
			for b.Loop() {
				run(b, "eval", source, "1", "k")
			}
			b.ReportMetric(float64((processorTime(b)-at).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkDelivery measures the time from PUBLISH to the subscriber: on the same engine, and on another one
// that shares the store.
func BenchmarkDelivery(b *testing.B) {
	for _, engines := range []int{1, 2} {
		b.Run(fmt.Sprintf("engines=%d", engines), func(b *testing.B) {
			st, err := embedded.Open(embedded.Options{InMemory: true})
			if err != nil {
				b.Fatal(err)
			}
			defer st.Close()
			ttl := time.Duration(0)
			if engines > 1 {
				ttl = time.Hour
			}
			all := make([]*redis.Engine, engines)
			for i := range all {
				all[i] = redis.New(redis.Config{Store: st, RecordTTL: ttl})
			}
			db, err := all[0].CreateDatabase(b.Context(), redis.DatabaseOptions{ID: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			s, err := all[engines-1].Subscribe(b.Context(), db, redis.Access{}, []string{"c"}, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				var w resp.Writer
				if err := all[0].Do(b.Context(), db, redis.Access{}, []string{"PUBLISH", "c", "m"}, &w); err != nil {
					b.Fatal(err)
				}
				if _, err := s.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
