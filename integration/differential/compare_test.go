package differential

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// subject is a Redis to send commands to.
type subject interface {
	do(args ...string) (reply, error)
	// pipeline runs commands one after the other.
	pipeline(cmds [][]string) ([]reply, error)
	// multi runs commands as a transaction; if one is refused beforehand, the
	// result is its error alone.
	multi(cmds [][]string) (reply, error)
	// reset starts anew with an empty database.
	reset() error
}

// pair is the real Redis and what is compared with it.
type pair struct {
	redis, ours subject
}

// both sends a command to both.
func (p pair) both(args ...string) (want, got reply, err error) {
	if want, err = p.redis.do(args...); err != nil {
		return
	}
	got, err = p.ours.do(args...)
	return
}

// comparer is a way to compare replies. The zero comparer wants them equal.
type comparer struct {
	// same compares two replies without looking at anything else; nil: equal.
	same func(want, got reply) bool
	// run, if set, carries the command out itself. It returns what is different, if anything.
	run func(p pair, args []string) (string, error)
}

func (c comparer) judge(args []string, want, got reply) string {
	same := c.same
	if same == nil {
		same = equal
	}
	if same(want, got) || allowed(args, want, got) != "" {
		return ""
	}
	return fmt.Sprintf("redis: %v\n      ours:  %v", want, got)
}

func (c comparer) check(p pair, args []string) (string, error) {
	if c.run != nil {
		return c.run(p, args)
	}
	want, got, err := p.both(args...)
	if err != nil {
		return "", err
	}
	return c.judge(args, want, got), nil
}

func equal(a, b reply) bool {
	return a.kind == b.kind && a.text == b.text && slices.EqualFunc(a.elems, b.elems, equal)
}

// numeric lets bulk strings differ that are the same number: Redis 7.0 prints
// doubles with 17 digits, later ones with as few as say the same.
var numeric = comparer{same: sameNumbers}

func sameNumbers(a, b reply) bool {
	if a.kind != b.kind || !slices.EqualFunc(a.elems, b.elems, sameNumbers) {
		return false
	}
	return a.text == b.text || a.kind == '$' && sameNumber(a.text, b.text)
}

func sameNumber(a, b string) bool {
	x, errx := strconv.ParseFloat(a, 64)
	y, erry := strconv.ParseFloat(b, 64)
	return errx == nil && erry == nil && x == y // -0 is 0: Redis keeps its sign only in large sorted sets
}

// distances lets numbers differ in their last digits as well, for what is computed
// with the sines and cosines of another mathematical library.
var distances = comparer{same: sameDistances}

func sameDistances(a, b reply) bool {
	if a.kind != b.kind || !slices.EqualFunc(a.elems, b.elems, sameDistances) {
		return false
	}
	x, errx := strconv.ParseFloat(a.text, 64)
	y, erry := strconv.ParseFloat(b.text, 64)
	return a.text == b.text || a.kind == '$' && errx == nil && erry == nil && math.Abs(x-y) <= 1e-14*math.Abs(x)
}

// anyOrder compares arrays as multisets.
var anyOrder = comparer{same: func(a, b reply) bool { return sameMultiset(a, b, 1) }}

// pairs compares arrays of alternating names and values as multisets of pairs.
var pairs = comparer{same: func(a, b reply) bool { return sameMultiset(a, b, 2) }}

func sameMultiset(a, b reply, width int) bool {
	if a.kind != '*' || b.kind != '*' {
		return equal(a, b)
	}
	return len(a.elems) == len(b.elems) && slices.Equal(groups(a, width), groups(b, width))
}

// groups are an array's members, taken in groups, in one order.
func groups(r reply, width int) []string {
	var out []string
	for g := range slices.Chunk(r.elems, width) {
		out = append(out, fmt.Sprintf("%q", reply{elems: g}.texts()))
	}
	slices.Sort(out)
	return out
}

// numericAnyOrder compares arrays of members or of arrays that start with a
// member, in any order, with numbers compared as numbers.
var numericAnyOrder = comparer{same: func(a, b reply) bool {
	if a.kind != '*' || b.kind != '*' {
		return sameNumbers(a, b)
	}
	byMember := func(r reply) reply {
		r.elems = slices.Clone(r.elems)
		slices.SortStableFunc(r.elems, func(x, y reply) int { return strings.Compare(x.head(), y.head()) })
		return r
	}
	return sameNumbers(byMember(a), byMember(b))
}}

func (r reply) head() string {
	if len(r.elems) > 0 {
		return r.elems[0].text
	}
	return r.text
}

// within compares integers with a tolerance, for what the clock has a part in.
func within(n int64) comparer {
	return comparer{same: func(a, b reply) bool {
		if a.kind != ':' || b.kind != ':' || a.num() < 0 || b.num() < 0 {
			return equal(a, b)
		}
		return a.num()-b.num() <= n && b.num()-a.num() <= n
	}}
}

// sameLength compares only how many members arrays have.
var geoAny = comparer{same: func(a, b reply) bool {
	if a.kind != '*' || b.kind != '*' {
		return sameNumbers(a, b)
	}
	return len(a.elems) == len(b.elems)
}}

// randomOf is for commands that return random members: as many as Redis
// returns, each of them among those that another command lists, and distinct
// unless the count is negative. Width is 2 if that command lists pairs.
func randomOf(list string, width int, rest ...string) comparer {
	return comparer{run: func(p pair, args []string) (string, error) {
		want, got, err := p.both(args...)
		if err != nil {
			return "", err
		}
		if want.kind != got.kind || want.kind != '$' && want.kind != '*' {
			return comparer{}.judge(args, want, got), nil
		}
		all, err := p.ours.do(append([]string{list, args[1]}, rest...)...)
		if err != nil {
			return "", err
		}
		perGroup := 1
		if last := strings.ToUpper(args[len(args)-1]); width == 2 && strings.HasPrefix(last, "WITH") {
			perGroup = 2
		}
		known := map[string]bool{}
		for g := range slices.Chunk(all.elems, width) {
			known[fmt.Sprintf("%q", reply{elems: g[:perGroup]}.texts())] = true
		}
		drawn := got
		if got.kind == '$' {
			drawn = reply{kind: '*', elems: []reply{got}}
		} else if len(want.elems) != len(got.elems) {
			return fmt.Sprintf("redis: %d members\n      ours:  %d: %v", len(want.elems), len(got.elems), got), nil
		}
		seen := map[string]bool{}
		for _, g := range groups(drawn, perGroup) {
			if !known[g] {
				return fmt.Sprintf("ours: %s is no member", g), nil
			}
			if seen[g] && len(args) > 2 && !strings.HasPrefix(args[2], "-") {
				return fmt.Sprintf("ours: %s twice", g), nil
			}
			seen[g] = true
		}
		return "", nil
	}}
}

// scratch is a key that no template uses.
const scratch = "scratch key"

// spop compares what SPOP does by its properties, then takes the same members out of Redis.
var spop = comparer{run: func(p pair, args []string) (string, error) {
	var rehearsal reply
	if len(args) > 1 {
		rs, err := p.redis.pipeline([][]string{
			{"COPY", args[1], scratch, "REPLACE"},
			append([]string{args[0], scratch}, args[2:]...),
			{"DEL", scratch},
			{"SMEMBERS", args[1]},
		})
		if err != nil {
			return "", err
		}
		rehearsal = rs[1]
		if rehearsal.kind == '$' || rehearsal.kind == '*' && len(rehearsal.elems) > 0 {
			got, err := p.ours.do(args...)
			if err != nil {
				return "", err
			}
			popped := []string{got.text}
			if got.kind == '*' {
				popped = got.texts()
			}
			members := rs[3].texts()
			slices.Sort(popped)
			for i, m := range popped {
				if !slices.Contains(members, m) || i > 0 && popped[i-1] == m {
					return fmt.Sprintf("ours: %q is no member or came twice", m), nil
				}
			}
			if got.kind != rehearsal.kind || len(got.elems) != len(rehearsal.elems) {
				return fmt.Sprintf("redis: %v\n      ours:  %v", rehearsal, got), nil
			}
			_, err = p.redis.do(append([]string{"SREM", args[1]}, popped...)...)
			return "", err
		}
	}
	return comparer{}.check(p, args)
}}

// scan compares whole iterations. Width is 2 if they yield pairs.
func scan(width int) comparer {
	return comparer{run: func(p pair, args []string) (string, error) {
		want, got, err := p.both(args...)
		if err != nil {
			return "", err
		}
		at := 2
		if strings.EqualFold(args[0], "SCAN") {
			at = 1
		}
		if want.kind != '*' || got.kind != '*' {
			return comparer{}.judge(args, want, got), nil
		}
		if args[at] != "0" {
			return "", nil // the middle of no iteration
		}
		a, err := scanAll(p.redis, args, at, width)
		if err != nil {
			return "", err
		}
		b, err := scanAll(p.ours, args, at, width)
		if err != nil {
			return err.Error(), nil
		}
		if !slices.Equal(a, b) {
			return fmt.Sprintf("redis: iteration yields %d: %s\n      ours:  %d: %s",
				len(a), clip(strings.Join(a, " ")), len(b), clip(strings.Join(b, " "))), nil
		}
		return "", nil
	}}
}

func scanAll(s subject, args []string, at, width int) ([]string, error) {
	seen := map[string]bool{}
	args = slices.Clone(args)
	for range 100_000 {
		r, err := s.do(args...)
		if err != nil {
			return nil, err
		}
		if r.kind != '*' || len(r.elems) != 2 || r.elems[0].kind != '$' {
			return nil, fmt.Errorf("%q answers %v in the middle of an iteration", args, r)
		}
		for g := range slices.Chunk(r.elems[1].elems, width) {
			// Scores may be printed in different ways.
			texts := reply{elems: g}.texts()
			if f, err := strconv.ParseFloat(texts[len(texts)-1], 64); err == nil && strings.EqualFold(args[0], "ZSCAN") {
				texts[len(texts)-1] = strconv.FormatFloat(f+0, 'g', -1, 64) // no -0, see sameNumber
			}
			seen[fmt.Sprintf("%q", texts)] = true
		}
		args[at] = r.elems[0].text
		if args[at] == "0" {
			out := make([]string, 0, len(seen))
			for s := range seen {
				out = append(out, s)
			}
			slices.Sort(out)
			return out, nil
		}
	}
	return nil, fmt.Errorf("iteration %q does not end", args)
}

// randomKey wants a key that exists.
var randomKey = comparer{run: func(p pair, args []string) (string, error) {
	want, got, err := p.both(args...)
	if err != nil || want.kind != '$' || got.kind != '$' {
		return comparer{}.judge(args, want, got), err
	}
	n, err := p.redis.do("EXISTS", got.text)
	if err != nil || n.num() == 1 {
		return "", err
	}
	return fmt.Sprintf("ours: %v is no key", got), nil
}}

// dumpRestore exchanges the value: each side restores what the other dumped.
var dumpRestore = comparer{run: func(p pair, args []string) (string, error) {
	want, got, err := p.both(args...)
	if err != nil || want.kind != '$' || got.kind != '$' {
		return comparer{}.judge(args, want, got), err
	}
	theirs, err := p.redis.do("RESTORE", scratch, "0", got.text)
	if err != nil {
		return "", err
	}
	ours, err := p.ours.do("RESTORE", scratch, "0", want.text)
	if err != nil {
		return "", err
	}
	if ours.text == "OK" && isLaterStream(theirs, got) {
		_, _, err = p.both("DEL", scratch)
		return "", err
	}
	if theirs.text != "OK" || ours.text != "OK" {
		return fmt.Sprintf("redis restores our dump: %v\n      we restore Redis's: %v", theirs, ours), nil
	}
	diff, err := keyDiff(p, scratch)
	if err != nil {
		return "", err
	}
	_, _, err = p.both("DEL", scratch)
	return diff, err
}}

// keyDiff compares the value and the expiry of a key.
func keyDiff(p pair, key string) (string, error) {
	for _, c := range []struct {
		args []string
		cmp  comparer
	}{
		{[]string{"TYPE", key}, comparer{}},
		{[]string{"PTTL", key}, within(3000)},
	} {
		if d, err := c.cmp.check(p, c.args); d != "" || err != nil {
			return describe(c.args, d), err
		}
	}
	typ, err := p.redis.do("TYPE", key)
	if err != nil {
		return "", err
	}
	var read []string
	var cmp comparer
	switch typ.text {
	case "string":
		read = []string{"GET", key}
	case "list":
		read = []string{"LRANGE", key, "0", "-1"}
	case "hash":
		read, cmp = []string{"HGETALL", key}, pairs
	case "set":
		read, cmp = []string{"SMEMBERS", key}, anyOrder
	case "zset":
		read, cmp = []string{"ZRANGE", key, "0", "-1", "WITHSCORES"}, numeric
		if strings.HasPrefix(key, "geo") {
			cmp = distances
		}
	case "stream":
		read, cmp = []string{"XINFO", "STREAM", key, "FULL", "COUNT", "0"}, untimed
	default:
		return "", nil
	}
	d, err := cmp.check(p, read)
	return describe(read, d), err
}

// stateDiff compares all keys.
func stateDiff(p pair) (string, error) {
	list := []string{"KEYS", "*"}
	if d, err := anyOrder.check(p, list); d != "" || err != nil {
		return describe(list, d), err
	}
	keys, err := p.redis.do(list...)
	if err != nil {
		return "", err
	}
	for _, key := range keys.texts() {
		if d, err := keyDiff(p, key); d != "" || err != nil {
			return d, err
		}
	}
	return "", nil
}

func describe(args []string, diff string) string {
	if diff == "" {
		return ""
	}
	return fmt.Sprintf("state: %s\n      %s", quoteArgs(args), diff)
}

func quoteArgs(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strconv.Quote(clip(a))
	}
	return strings.Join(out, " ")
}
