package redis_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
)

// streamOperation makes a random command on the stream x, whose ids are 1-0, 1-1 ...
func streamOperation(rng *rand.Rand) []string {
	id := fmt.Sprint("1-", rng.IntN(30))
	from := []string{
		"xadd x 1-* f " + fmt.Sprint(rng.IntN(100)) + pad[rng.IntN(len(pad)):], "xadd x 1-* f v", "xadd x maxlen 4 1-* f " + pad,
		"xlen x", "xrange x - +", "xrange x " + id + " " + id, "xtrim x maxlen 3", "xdel x " + id,
		"xgroup create x g 0 mkstream", "xreadgroup group g c count 1 streams x >", "xreadgroup group g c count 2 streams x >", "xack x g " + id,
	}
	return []string{from[rng.IntN(len(from))]}
}

// runStream is run for streams. Under the name of the stream, there are numbers and values of entries
// in turn; beside it, the last number, that delivered to the group g, and those that are pending.
func (ks keyspace) runStream(args []string) string {
	const key, last, group, pending = "x", "x last", "x group", "x pending"
	number := func(key string) int {
		if len(ks[key]) == 0 {
			return -1
		}
		n, _ := strconv.Atoi(ks[key][0])
		return n
	}
	entries := func(from, to, count int) (string, []string) {
		var parts, ids []string
		for i := 0; i < len(ks[key]) && len(parts) < count; i += 2 {
			if n, _ := strconv.Atoi(ks[key][i]); n >= from && n <= to {
				parts = append(parts, fmt.Sprintf("[%q [%q %q]]", "1-"+ks[key][i], "f", ks[key][i+1]))
				ids = append(ids, ks[key][i])
			}
		}
		return bracket(parts), ids
	}
	trim := func(length int) int {
		surplus := max(len(ks[key])/2-length, 0)
		ks[key] = ks[key][2*surplus:]
		return surplus
	}
	seq := func(arg string) string { return arg[len("1-"):] }
	switch args[0] {
	case "xadd":
		n := strconv.Itoa(number(last) + 1)
		ks[last] = []string{n}
		ks[key] = append(ks[key], n, args[len(args)-1])
		if args[2] == "maxlen" {
			trim(4)
		}
		return bulk("1-" + n)
	case "xlen":
		return integer(len(ks[key]) / 2)
	case "xrange":
		from, to := 0, 1<<30
		if args[2] != "-" {
			from, _ = strconv.Atoi(seq(args[2]))
			to = from
		}
		reply, _ := entries(from, to, 1<<30)
		return reply
	case "xtrim":
		return integer(trim(3))
	case "xdel":
		for i := 0; i < len(ks[key]); i += 2 {
			if ks[key][i] == seq(args[2]) {
				ks[key] = slices.Delete(ks[key], i, i+2)
				return integer(1)
			}
		}
		return integer(0)
	case "xgroup":
		if len(ks[group]) > 0 {
			return "(error) BUSYGROUP Consumer Group name already exists"
		}
		ks[group] = []string{"-1"}
		return "OK"
	case "xreadgroup":
		if len(ks[group]) == 0 {
			return "(error) NOGROUP No such key 'x' or consumer group 'g' in XREADGROUP with GROUP option"
		}
		count, _ := strconv.Atoi(args[5])
		reply, ids := entries(number(group)+1, 1<<30, count)
		if len(ids) == 0 {
			return "(nil)"
		}
		ks[group] = []string{ids[len(ids)-1]}
		ks[pending] = append(ks[pending], ids...)
		return `[["x" ` + reply + "]]"
	case "xack":
		if i := slices.Index(ks[pending], seq(args[3])); i >= 0 {
			ks[pending] = slices.Delete(ks[pending], i, i+1)
			return integer(1)
		}
		return integer(0)
	}
	panic("the model does not know " + args[0])
}
