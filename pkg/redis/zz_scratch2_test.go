package redis_test

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestScratchCalls(t *testing.T) {
	if os.Getenv("SCRATCH") == "" {
		return
	}
	d := newTestEngine(t)
	n := 200000
	start := time.Now()
	for i := 0; i < n; {
		args := []string{"zadd", "z"}
		for range 20000 {
			args = append(args, fmt.Sprint(i*7919%n), fmt.Sprintf("member-%d", i))
			i++
		}
		u := d.usage(args...)
		fmt.Println(i, u, time.Since(start))
	}
	for _, l := range [][]string{{"zcard", "z"}, {"zadd", "z", "5", "member-5"}, {"zadd", "z", "5", "new"}, {"zadd", "z", "xx", "gt", "6", "new"}, {"zscore", "z", "new"}, {"zincrby", "z", "1", "new"},
		{"zrem", "z", "new"}, {"zrem", "z", "nope"}, {"zrange", "z", "0", "9"}, {"zrange", "z", "-10", "-1"}, {"zrevrange", "z", "0", "9", "withscores"}, {"zpopmin", "z"}, {"zpopmax", "z", "10"},
		{"zrangebyscore", "z", "1000", "1010"}, {"zrange", "z", "1000", "inf", "byscore", "limit", "0", "10"}, {"zcount", "z", "100", "200"}, {"zrank", "z", "member-77"}, {"zremrangebyrank", "z", "0", "5"},
		{"zremrangebyscore", "z", "1000", "1010"}, {"zmscore", "z", "a", "member-1", "member-2"}, {"zrandmember", "z"}, {"zrandmember", "z", "10"}, {"zrandmember", "z", "-10"}, {"zrandmember", "z", "1000"}, {"zscan", "z", "0"},
		{"zrange", "z", "100000", "100010"}, {"zlexcount", "z", "-", "+"}, {"zcount", "z", "-inf", "+inf"},
	} {
		start := time.Now()
		u := d.usage(l...)
		fmt.Println(l, u, time.Since(start))
	}
}
