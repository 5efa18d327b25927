package calls

import (
	"fmt"
	"strings"
)

// Sizes of the large collections. Calls that do not depend on the size are the
// same for both.
const (
	largeSize   = 10_000
	smallerSize = 1_000
)

// largeRow is a command on large collections that are named after their types:
// hash, list, set, zset. All rows run on the same four, in order.
type largeRow struct {
	cmd    string
	single bool // about single elements: its calls do not depend on the size
	random bool
}

func largeRows() []largeRow {
	var rows []largeRow
	add := func(r largeRow, lines string) {
		for line := range strings.Lines(lines) {
			if r.cmd = strings.TrimSpace(line); r.cmd != "" {
				rows = append(rows, r)
			}
		}
	}
	add(largeRow{single: true}, `
		TYPE hash
		TTL hash
		EXISTS hash
		OBJECT ENCODING hash
		HLEN hash
		HGET hash f00500
		HGET hash nosuch
		HEXISTS hash f00500
		HSTRLEN hash f00500
		HMGET hash f00500 f00501
		HSET hash f00500 changed
		HSET hash new1 value
		HSET hash new2 value new3 value
		HSETNX hash new4 value
		HINCRBY hash number 1
		HDEL hash f00001
		HEXPIRE hash 600 FIELDS 1 f00002
		HTTL hash FIELDS 1 f00002
		HPERSIST hash FIELDS 1 f00002
		HGETDEL hash FIELDS 1 f00003
		HGETEX hash EX 600 FIELDS 1 f00004
		HSETEX hash EX 600 FIELDS 1 f00005 value
		HSCAN hash 0 COUNT 10
		LLEN list
		LINDEX list 500
		LINDEX list -1
		LRANGE list 0 9
		LPUSH list x
		RPUSH list x
		RPUSHX list x
		LPOP list
		RPOP list
		LSET list 500 x
		LMOVE list list LEFT RIGHT
		SCARD set
		SISMEMBER set m00500
		SMISMEMBER set m00500 nosuch
		SADD set new1
		SADD set m00500
		SREM set m00001
		SMOVE set other m00002
		SSCAN set 0 COUNT 10
		ZCARD zset
		ZSCORE zset m00500
		ZMSCORE zset m00500 m00501
		ZADD zset 500.5 new1
		ZADD zset 501.5 m00500
		ZADD zset GT 502.5 m00500
		ZINCRBY zset 1 m00500
		ZREM zset m00001
		ZPOPMIN zset
		ZPOPMAX zset
		ZRANGE zset 0 9
		ZRANGE zset 0 9 REV WITHSCORES
		ZRANGE zset 500 509 BYSCORE
		ZRANGE zset 500 +inf BYSCORE LIMIT 0 10
		ZCOUNT zset 500 509
		ZSCAN zset 0 COUNT 10`)
	add(largeRow{single: true, random: true}, `
		HRANDFIELD hash
		SRANDMEMBER set
		SPOP set
		ZRANDMEMBER zset`)
	add(largeRow{}, `
		ZRANK zset m00100
		ZRANK zset m00900
		LPOS list e00700
		LPOS list nosuch
		LREM list 1 e00050
		LTRIM list 0 -10
		SPOP set 10
		ZREMRANGEBYRANK zset 0 9
		ZREMRANGEBYSCORE zset 600 609
		EXPIRE hash 6000
		PERSIST hash
		HGETALL hash
		LRANGE list 0 -1
		SMEMBERS set
		ZRANGE zset 0 -1
		RENAME hash hash2
		SET set value
		DEL zset`)
	return rows
}

// collections are the commands that make the large collections.
func collections(size int) [][]string {
	hash, list, set, zset := []string{"HSET", "hash"}, []string{"RPUSH", "list"}, []string{"SADD", "set"}, []string{"ZADD", "zset"}
	for i := range size {
		hash = append(hash, fmt.Sprintf("f%05d", i), fmt.Sprintf("value %05d of some forty bytes, no more....", i))
		list = append(list, fmt.Sprintf("e%05d", i))
		set = append(set, fmt.Sprintf("m%05d", i))
		zset = append(zset, fmt.Sprint(i), fmt.Sprintf("m%05d", i))
	}
	return [][]string{hash, list, set, zset}
}

// busyWrites is how many times a busy key is written before the write that is measured,
// all of them at one moment.
const busyWrites = 100

// busyRow is a command that keeps its key's size. The last write costs as much as the first.
type busyRow struct{ before, prepare, cmd string }

func busyRows() []busyRow {
	hash := "HSET k " + strings.Join(repeat(200, "field%[1]d value-of-twenty-bytes-%[1]d"), " ")
	return []busyRow{
		{"an integer", "SET k 1000", "INCR k"},
		{"5 fields", aHash.prepare[0], "HSET k f1 uno"},
		{"5 fields", aHash.prepare[0], "HINCRBY k n 1"},
		{"5 members", aZSet.prepare[0], "ZINCRBY k 1 a"},
		{"5 elements", aList.prepare[0], "LMOVE k k LEFT RIGHT"},
		{"200 fields, a large hash", hash, "HSET k field7 x"},
		{"200 fields, a large hash", hash, "HINCRBY k n 1"},
	}
}

// largeValues are commands on a string of a MiB, which is stored in chunks, and on values that are compressed, beside one
// that does not compress.
func largeValues() []block {
	return []block{
		noKey.with("SET k <10KB>", "SET k <10KB-JSON>", "JSON.SET k $ <10KB-JSON>", "HSET k f <10KB-JSON>", "RPUSH k <10KB-JSON>", "XADD k 1-1 f <10KB-JSON>", "MSET k <10KB-JSON> k2 <10KB-JSON>"),
		block{before: "10 KB", prepare: []string{"SET k <10KB>"}}.with("GET k", "SET k <10KB>", "APPEND k more"),
		block{before: "JSON text, 10 KB", prepare: []string{"SET k <10KB-JSON>"}}.with("GET k", "STRLEN k", "GETRANGE k 0 99", "GETEX k EX 60", "GETDEL k", "SET k <10KB-JSON>", "APPEND k more", "SETRANGE k 2 other", "EXPIRE k 60"),
		block{before: "a document of 10 KB", prepare: []string{"JSON.SET k $ <10KB-JSON>"}}.with("JSON.GET k $.items[0]", "JSON.SET k $ <10KB-JSON>", "JSON.SET k $.items[0].id 5", "JSON.NUMINCRBY k $.items[0].id 1"),
		block{before: "a field of 10 KB, 5 others", prepare: []string{aHash.prepare[0], "HSET k f <10KB-JSON>"}}.with("HGET k f", "HSTRLEN k f", "HSET k f <10KB-JSON>", "HGETALL k"),
		block{before: "3 entries of 10 KB", prepare: repeat(4, "XADD k 1-%d f <10KB-JSON>")[1:]}.with("XADD k 2-1 f <10KB-JSON>", "XRANGE k - + COUNT 1"),
		noKey.with("SET k <1MiB>"),
		block{before: "1 MiB", prepare: []string{"SET k <1MiB>"}}.with("GET k", "STRLEN k", "GETRANGE k 0 99", "SET k <1MiB>", "SET k small", "APPEND k more", "DEL k"),
	}
}
