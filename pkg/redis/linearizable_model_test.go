package redis_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// pad makes values so large that a collection of three or more of them is
// spread, which happens again and again as it grows and empties.
var pad = strings.Repeat("p", 1500)

// keyspace is what a model of Redis keeps: the elements under each key. A string has one
// element; hashes and sorted sets alternate names and values, in order of the names.
type keyspace map[string][]string

// text is a keyspace in a form that can be compared.
func (ks keyspace) text() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(ks)) {
		if len(ks[key]) == 0 {
			continue
		}
		b.WriteString(key)
		for _, element := range ks[key] {
			short := shorten(element)
			fmt.Fprintf(&b, " %d %d %s", len(element), len(short), short)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (ks keyspace) clone() keyspace {
	out := keyspace{}
	for k, v := range ks {
		out[k] = slices.Clone(v)
	}
	return out
}

func integer[N int | int64](n N) string { return fmt.Sprintf("(integer) %d", n) }

func bulk(s string) string { return strconv.Quote(s) }

// run carries out one command, as Redis's documentation says.
func (ks keyspace) run(args []string) (reply string) {
	if args[0][0] == 'x' {
		return ks.runStream(args)
	}
	if reply, ok := ks.runExpiry(args); ok {
		return reply
	}
	if reply, ok := ks.runMembers(args); ok {
		return reply
	}
	name, key, rest := args[0], args[1], args[2:]
	v := ks[key]
	number := func() int64 {
		if len(v) == 0 {
			return 0
		}
		n, _ := strconv.ParseInt(v[0], 10, 64)
		return n
	}
	i := -1 // of rest[0] among names
	if len(rest) > 0 && strings.Contains("hset hget hdel hincrby zincrby zscore zrem", name) {
		field := rest[0]
		if name == "zincrby" {
			field = rest[1]
		}
		for j := 0; j < len(v); j += 2 {
			if v[j] == field {
				i = j
			}
		}
	}
	remove := func() {
		ks[key] = slices.Delete(v, i, i+2)
	}
	insert := func(field, value string) {
		at := 0
		for at < len(v) && v[at] < field {
			at += 2
		}
		ks[key] = slices.Insert(v, at, field, value)
	}
	switch name {
	case "get":
		if len(v) == 0 {
			return "(nil)"
		}
		return bulk(v[0])
	case "set":
		ks[key] = []string{rest[0]}
		delete(ks, expiryOf(key))
		return "OK"
	case "setnx":
		if len(v) > 0 {
			return integer(0)
		}
		ks[key] = []string{rest[0]}
		return integer(1)
	case "getdel":
		delete(ks, key)
		if len(v) == 0 {
			return "(nil)"
		}
		return bulk(v[0])
	case "incrby", "decrby":
		n, _ := strconv.ParseInt(rest[0], 10, 64)
		if name == "decrby" {
			n = -n
		}
		old := number()
		if len(v) > 0 && strconv.FormatInt(old, 10) != v[0] { // such as 09, which APPEND makes
			return "(error) ERR value is not an integer or out of range"
		}
		ks[key] = []string{strconv.FormatInt(old+n, 10)}
		return integer(old + n)
	case "append":
		if len(v) == 0 {
			v = []string{""}
		}
		ks[key] = []string{v[0] + rest[0]}
		return integer(len(ks[key][0]))
	case "del":
		delete(ks, key)
		delete(ks, expiryOf(key))
		return integer(min(len(v), 1))
	case "rename":
		if len(v) == 0 {
			return "(error) ERR no such key"
		}
		delete(ks, key)
		ks[rest[0]] = v
		return "OK"
	case "hset":
		if i >= 0 {
			v[i+1] = rest[1]
			return integer(0)
		}
		insert(rest[0], rest[1])
		return integer(1)
	case "hget":
		if i < 0 {
			return "(nil)"
		}
		return bulk(v[i+1])
	case "zscore":
		if i < 0 {
			return "(nil)"
		}
		return v[i+1]
	case "hdel", "zrem":
		if i < 0 {
			return integer(0)
		}
		remove()
		return integer(1)
	case "hlen", "zcard":
		return integer(len(v) / 2)
	case "hincrby", "zincrby":
		field, by := rest[0], rest[1]
		if name == "zincrby" {
			field, by = by, field
		}
		n, _ := strconv.Atoi(by)
		if i >= 0 {
			old, _ := strconv.Atoi(v[i+1])
			n += old
			v[i+1] = strconv.Itoa(n)
		} else {
			insert(field, strconv.Itoa(n))
		}
		if name == "zincrby" {
			return strconv.Itoa(n)
		}
		return integer(n)
	case "zpopmin":
		if len(v) == 0 {
			return "[]"
		}
		i = 0
		for j := 0; j < len(v); j += 2 {
			a, _ := strconv.Atoi(v[j+1])
			b, _ := strconv.Atoi(v[i+1])
			if a < b {
				i = j
			}
		}
		reply = fmt.Sprintf("[%s %s]", bulk(v[i]), v[i+1])
		remove()
		return reply
	case "lpush":
		ks[key] = slices.Insert(v, 0, rest[0])
		return integer(len(v) + 1)
	case "rpush":
		ks[key] = append(v, rest[0])
		return integer(len(v) + 1)
	case "lpop", "rpop":
		if len(v) == 0 {
			return "(nil)"
		}
		at := 0
		if name == "rpop" {
			at = len(v) - 1
		}
		reply = bulk(v[at])
		ks[key] = slices.Delete(v, at, at+1)
		return reply
	case "llen":
		return integer(len(v))
	case "lrange":
		parts := make([]string, len(v))
		for j, e := range v {
			parts[j] = bulk(e)
		}
		return fmt.Sprint(parts)
	}
	panic("the model does not know " + name)
}

// family makes random operations, each a command or a transaction of several.
type family struct {
	name string
	op   func(rng *rand.Rand) []string
}

func families() []family {
	pick := func(rng *rand.Rand, from ...string) []string { return []string{from[rng.IntN(len(from))]} }
	return []family{
		{"stream", streamOperation},
		{"expiry", expiryOperation},
		{"members", memberOperation},
		{"mixed", mixedOperation},
		{"string", func(rng *rand.Rand) []string {
			n := rng.IntN(100)
			return pick(rng, "get k", "get k", fmt.Sprint("set k ", n), fmt.Sprint("setnx k ", n), fmt.Sprint("set k ", n, pad), "getdel k", "incrby k 1", "incrby k 1", fmt.Sprint("append k ", n%10), "del k")
		}},
		{"hash", func(rng *rand.Rand) []string {
			f := fmt.Sprint("f", rng.IntN(4))
			return pick(rng, "hget h "+f, "hlen h", fmt.Sprint("hset h ", f, " ", rng.IntN(100), pad), fmt.Sprint("hset h ", f, " ", rng.IntN(100), pad), "hdel h "+f, "hincrby h n 1", "hget h n", "del h")
		}},
		{"list", func(rng *rand.Rand) []string {
			e := fmt.Sprint(rng.IntN(100), pad)
			return pick(rng, "lpush l "+e, "rpush l "+e, "rpush l "+e, "lpop l", "rpop l", "llen l", "lrange l 0 -1")
		}},
		{"sorted set", func(rng *rand.Rand) []string {
			m := fmt.Sprint("m", rng.IntN(4), pad)
			return pick(rng, "zincrby z 1 "+m, "zincrby z 1 "+m, "zscore z "+m, "zcard z", "zpopmin z", "zrem z "+m)
		}},
		{"transactions", func(rng *rand.Rand) []string {
			switch rng.IntN(7) {
			case 0, 1:
				return []string{"decrby a 1", "incrby b 1"}
			case 2:
				return []string{"get a", "get b"}
			case 3:
				return []string{"rename a b"}
			case 4:
				return []string{"getdel b"}
			case 5:
				return []string{"incrby a 5"}
			}
			return []string{"get b", "set a 1"}
		}},
		{"scripts", func(rng *rand.Rand) []string {
			switch rng.IntN(7) {
			case 0, 1:
				return []string{wholeScript, "decrby a 1", "incrby b 1"}
			case 2:
				return []string{wholeScript, "get a", "get b"}
			case 3:
				return []string{failingScript, "incrby a 7", "set b 9"}
			case 4:
				return []string{wholeScript, "getdel b", "get a"}
			case 5:
				return []string{"incrby a 5"}
			}
			return []string{wholeScript, "get b", "set a 1", "incrby a 1"}
		}},
	}
}
