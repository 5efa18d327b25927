package large

import (
	"fmt"
	"strings"
)

// collection is a kind of large collection.
type collection struct {
	name string
	// add is the command that makes one, element its arguments for one element.
	add     string
	element func(i int) []string
	// commands on single elements. {i} is the number of an element that was never asked
	// for before, {new} a new one.
	commands string
	// page are the arguments of a command that reads a page, given where the last one ended.
	page func(cursor string, read, count int) []string
	all  string // the command that reads everything
	size string // the command that says how many elements there are

	parts int // of an element, in a page's reply
	items int // of an element, in the store
}

func field(i int) string { return fmt.Sprintf("e%07d", i) }

// collections are those of the goal: single-element commands stay at a constant number of calls.
func collections() []collection {
	scan := func(command string) func(string, int, int) []string {
		return func(cursor string, _, count int) []string {
			return []string{command, "k", cursor, "COUNT", fmt.Sprint(count)}
		}
	}
	ranges := func(command string) func(string, int, int) []string {
		return func(_ string, read, count int) []string {
			return []string{command, "k", fmt.Sprint(read), fmt.Sprint(read + count - 1)}
		}
	}
	// By index, a page costs what lies before it. Scores are the numbers of the elements.
	byScore := func(_ string, read, count int) []string {
		return []string{"ZRANGE", "k", fmt.Sprint(read), "+inf", "BYSCORE", "LIMIT", "0", fmt.Sprint(count)}
	}
	return []collection{
		{
			name: "hash", add: "HSET", element: func(i int) []string { return []string{field(i), "value of " + field(i)} },
			commands: `
				HGET k {i}
				HGET k nosuch
				HEXISTS k {i}
				HSTRLEN k {i}
				HMGET k {i} {i}
				HLEN k
				HSET k {i} changed
				HSET k {new} value
				HSETNX k {new} value
				HINCRBY k n 1
				HDEL k {i}
				HEXPIRE k 600 FIELDS 1 {i}
				HTTL k FIELDS 1 {i}
				HPERSIST k FIELDS 1 {i}
				HGETDEL k FIELDS 1 {i}
				HGETEX k EX 600 FIELDS 1 {i}
				HSETEX k EX 600 FIELDS 1 {i} value
				HRANDFIELD k
				HSCAN k 0 COUNT 10
				TYPE k
				EXISTS k
				TTL k
				EXPIRE k 100000
				PERSIST k`,
			page: scan("HSCAN"), all: "HGETALL k", size: "HLEN k", parts: 2, items: 1,
		},
		{
			name: "set", add: "SADD", element: func(i int) []string { return []string{field(i)} },
			commands: `
				SISMEMBER k {i}
				SMISMEMBER k {i} nosuch
				SCARD k
				SADD k {i}
				SADD k {new}
				SREM k {i}
				SMOVE k other {i}
				SRANDMEMBER k
				SPOP k
				SSCAN k 0 COUNT 10`,
			page: scan("SSCAN"), all: "SMEMBERS k", size: "SCARD k", parts: 1, items: 1,
		},
		{
			name: "sorted set", add: "ZADD", element: func(i int) []string { return []string{fmt.Sprint(i), field(i)} },
			commands: `
				ZSCORE k {i}
				ZMSCORE k {i} {i}
				ZCARD k
				ZADD k 500.5 {i}
				ZADD k 500.5 {new}
				ZADD k GT 1e9 {i}
				ZINCRBY k 1 {i}
				ZREM k {i}
				ZPOPMIN k
				ZPOPMAX k
				ZRANGE k 0 9
				ZRANGE k 0 9 REV WITHSCORES
				ZRANGE k 700 709 BYSCORE
				ZRANGE k 700 +inf BYSCORE LIMIT 0 10
				ZCOUNT k 700 709
				ZREMRANGEBYSCORE k 800 800
				ZREMRANGEBYRANK k 0 0
				ZRANDMEMBER k
				ZSCAN k 0 COUNT 10`,
			page: byScore, all: "ZRANGE k 0 -1", size: "ZCARD k", parts: 1, items: 2,
		},
		{
			name: "list", add: "RPUSH", element: func(i int) []string { return []string{field(i)} },
			commands: `
				LLEN k
				LINDEX k 0
				LINDEX k {middle}
				LINDEX k -1
				LRANGE k 0 9
				LRANGE k {middle} {middle}
				LPUSH k x
				RPUSH k x
				RPUSHX k x
				LPOP k
				RPOP k
				LSET k {middle} x
				LMOVE k k LEFT RIGHT
				LMOVE k other RIGHT LEFT`,
			page: ranges("LRANGE"), all: "LRANGE k 0 -1", size: "LLEN k", parts: 1, items: 1,
		},
	}
}

// growing are commands whose cost depends on the size, for the record.
func growing(name string) []string {
	if name == "sorted set" {
		return []string{"ZRANK k {i}", "ZREVRANK k {i}", "ZCOUNT k -inf +inf", "ZRANGE k {middle} {middle}"}
	}
	if name == "list" {
		return []string{"LPOS k nosuch"}
	}
	return nil
}

func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
