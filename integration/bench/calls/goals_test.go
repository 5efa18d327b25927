package calls

import (
	"slices"
	"strings"
)

// oneCall are the commands that make a single call on small values, the blind
// writes among them even where they change a part of a value.
var oneCall = strings.Fields(`
	get set setex getdel getex incr incrby ttl expire persist type exists del
	hget hmget hgetall hlen hset hdel lrange llen lpush rpush lpop
	smembers sismember scard sadd srem zrange zscore zrank zcard zadd
	mget mset`)

// otherCalls is the goal of all other commands of one key on small values.
const otherCalls = 2

// exception is a row that misses its goal, and why that is so.
type exception struct {
	calls int
	why   string
}

// exceptions are by "key before: command". One that is not needed fails the test.
var exceptions = map[string]exception{
	"one that has expired: INCR k":        {2, becauseExpired},
	"one that has expired: HSET k f1 uno": {2, becauseExpired},
	"one that has expired: RPUSH k x":     {2, becauseExpired},

	"1 field: HDEL k f1":   {2, becauseEmpty},
	"1 member: SREM k a":   {2, becauseEmpty},
	"1 element: LPOP k":    {2, becauseEmpty},
	"5 elements: LPOP k 2": {2, "a blind update can return one element, not a number that depends on the list"},

	"no key, no script: EVAL " + setScript + " 1 k other": {4, becauseScript},

	"a list, and a string for each element: SORT k BY w_* GET w_*":    {3, becauseSort},
	"a list, and a string for each element: SORT_RO k BY w_* GET w_*": {3, becauseSort},
}

const (
	becauseExpired = "the blind write must not join what has expired; its refusal is the read, the second call replaces the item"
	becauseEmpty   = "the blind write finds out that it took the last element; the second call deletes the item"
	becauseScript  = "the first EVAL of a script looks for it in the store and writes it"
	becauseSort    = "it reads more keys than its arguments name: the list, the strings, and both again as of one moment"
)

// goal is the most calls that a command of small values may make; 0: it has none.
func goal(name string, args []string, keys int) int {
	flagged := name == "zadd" && !strings.ContainsAny(args[2][:1], "0123456789")
	switch {
	case slices.Contains(oneCall, name) && !flagged && (keys == 1 || name[0] == 'm'):
		return 1
	case keys == 1:
		return otherCalls
	}
	return 0
}

// leastUnits is what a request costs at least, for items of the smallest size.
func leastUnits(r request) (reads, writes float64) {
	n := float64(max(1, r.items))
	switch r.op {
	case "GetItem", "Query", "BatchGetItem":
		return n, 0
	case "TransactGetItems":
		return 2 * n, 0
	case "TransactWriteItems":
		return 0, 2 * n
	}
	return 0, n
}
