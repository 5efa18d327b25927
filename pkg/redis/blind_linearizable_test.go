package redis_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Families of commands that are blind writes, which leave what they do not name as it is.

// expiryOperation makes a random command on the string k and when it expires: never within
// the history, so that this is a value as any other.
func expiryOperation(rng *rand.Rand) []string {
	at := fmt.Sprint(4_000_000_000 + rng.IntN(100))
	from := []string{
		fmt.Sprint("set k ", rng.IntN(100)), fmt.Sprint("set k ", rng.IntN(100), " keepttl"), fmt.Sprint("set k ", rng.IntN(100), pad, " keepttl"), fmt.Sprint("set k ", rng.IntN(100), " exat ", at),
		"get k", "del k", "incrby k 1",
		"expireat k " + at, "expireat k " + at, "expireat k " + at + " nx", "expireat k 1", "persist k",
		"getex k exat " + at, "getex k persist", "expiretime k", "expiretime k", "expiretime k",
	}
	return []string{from[rng.IntN(len(from))]}
}

// memberOperation makes a random command on the set m or the sorted set o.
func memberOperation(rng *rand.Rand) []string {
	a, b := fmt.Sprint("e", rng.IntN(3)), fmt.Sprint("e", rng.IntN(3))
	n := fmt.Sprint(rng.IntN(100))
	from := []string{
		"sadd m " + a, "sadd m " + a + " " + b, "srem m " + a, "srem m " + a + " " + b, "smismember m e0 e1 e2", "smismember m e0 e1 e2", "scard m", "del m",
		"zadd o " + n + " " + a, "zadd o " + n + " " + a + " " + n + " " + b, "zrem o " + a, "zscore o " + a, "zscore o " + a, "zscore o " + b, "zcard o", "del o",
	}
	return []string{from[rng.IntN(len(from))]}
}

// mixedOperation makes a random transaction or script on keys of several types.
func mixedOperation(rng *rand.Rand) []string {
	n := fmt.Sprint(rng.IntN(100))
	from := [][]string{
		{"xadd x 1-* f " + n, "incrby a 1"},
		{"hset h f " + n, "rpush l " + n, "set a " + n},
		{"lpop l", "hset h g " + n},
		{"get a", "hget h f", "xlen x"},
		{wholeScript, "xadd x 1-* f " + n, "hincrby h n 1", "incrby a 1"},
		{wholeScript, "getdel a", "llen l"},
		{wholeScript, "hget h f", "hget h n", "llen l", "get a", "xrange x - +"},
		{failingScript, "del x", "rpush l " + n, "hset h f " + n},
		{"hset h f " + n},
		{"rpush l " + n},
		{"set a " + n},
		{"del h"},
	}
	return from[rng.IntN(len(from))]
}

// expiryOf is where a keyspace keeps when a key expires.
func expiryOf(key string) string { return key + " expiry" }

// runExpiry is run for commands on when a key expires; not ok if it is none.
func (ks keyspace) runExpiry(args []string) (reply string, ok bool) {
	key, rest := args[1], args[2:]
	exp := expiryOf(key)
	exists := len(ks[key]) > 0
	value := "(nil)"
	if exists {
		value = bulk(ks[key][0])
	}
	switch line := strings.Join(append([]string{args[0]}, rest...), " "); {
	case args[0] == "set" && len(rest) == 2: // keepttl
		ks[key] = rest[:1]
		return "OK", true
	case args[0] == "set" && len(rest) == 3:
		ks[key], ks[exp] = rest[:1], rest[2:]
		return "OK", true
	case line == "getex persist":
		delete(ks, exp)
		return value, true
	case args[0] == "getex":
		if exists {
			ks[exp] = rest[1:]
		}
		return value, true
	case args[0] == "persist":
		had := len(ks[exp])
		delete(ks, exp)
		return integer(had), true
	case args[0] == "expiretime":
		switch {
		case !exists:
			return integer(-2), true
		case len(ks[exp]) == 0:
			return integer(-1), true
		}
		return "(integer) " + ks[exp][0], true
	case args[0] == "expireat":
		if !exists || len(rest) == 2 && len(ks[exp]) > 0 {
			return integer(0), true
		}
		ks[exp] = rest[:1]
		if rest[0] == "1" {
			delete(ks, key)
			delete(ks, exp)
		}
		return integer(1), true
	}
	return "", false
}

// runMembers is run for commands that name several members; not ok if it is none.
func (ks keyspace) runMembers(args []string) (reply string, ok bool) {
	key, rest := args[1], args[2:]
	changed := 0
	switch args[0] {
	case "sadd":
		for _, m := range rest {
			if i, found := slices.BinarySearch(ks[key], m); !found {
				ks[key] = slices.Insert(ks[key], i, m)
				changed++
			}
		}
		return integer(changed), true
	case "srem":
		for _, m := range rest {
			if i, found := slices.BinarySearch(ks[key], m); found {
				ks[key] = slices.Delete(ks[key], i, i+1)
				changed++
			}
		}
		return integer(changed), true
	case "scard":
		return integer(len(ks[key])), true
	case "smismember":
		parts := make([]string, len(rest))
		for i, m := range rest {
			parts[i] = integer(0)
			if slices.Contains(ks[key], m) {
				parts[i] = integer(1)
			}
		}
		return fmt.Sprint(parts), true
	case "zadd":
		for i := 0; i < len(rest); i += 2 {
			if ks.run([]string{"hset", key, rest[i+1], rest[i]}) == integer(1) {
				changed++
			}
		}
		return integer(changed), true
	}
	return "", false
}
