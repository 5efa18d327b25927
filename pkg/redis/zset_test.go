package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const wrongTypeReply = "(error) WRONGTYPE Operation against a key holding the wrong kind of value"

func TestZAdd(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.check([2]string{"zadd z 1 a 2 b 3 a", "(integer) 2"})
		spread("z")
		d.check(
			[2]string{"zadd z 5 a 2 b 1 c", "(integer) 1"},
			[2]string{"zadd z ch 6 a 2 b 1 d", "(integer) 2"},
			[2]string{"zadd z NX 9 a 4 e", "(integer) 1"},
			[2]string{"zadd z XX CH 7 a 4 f", "(integer) 1"},
			[2]string{"zadd z gt ch 6 a 8 b 1 g", "(integer) 2"},
			[2]string{"zadd z lt ch 6 a 9 b 2 h", "(integer) 2"},
			[2]string{"zadd z xx gt ch 7 a 1 i", "(integer) 1"},
			[2]string{"zrange z 0 -1 withscores", `["c" 1 "d" 1 "g" 1 "h" 2 "e" 4 "a" 7 "b" 8]`},
			[2]string{"zadd z incr 3 a", "10"},
			[2]string{"zadd z nx incr 3 a", "(nil)"},
			[2]string{"zadd z xx incr 3 new", "(nil)"},
			[2]string{"zadd z gt incr -3 a", "(nil)"},
			[2]string{"zadd z lt incr -3 a", "7"},
			[2]string{"zadd z incr 2 new", "2"},
			[2]string{"zincrby z -2.5 a", "4.5"},
			[2]string{"zincrby z 1 fresh", "1"},
			[2]string{"zcard z", "(integer) 9"},
			[2]string{"zadd none xx 1 a", "(integer) 0"},
			[2]string{"exists none", "(integer) 0"},
			[2]string{"zadd none xx incr 1 a", "(nil)"},
		)
	})
}

func TestZSetScores(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("zadd", "z", "-inf", "low", "+inf", "high", "0", "zero", "-1.7976931348623157e308", "min",
			"4.9406564584124654e-324", "tiny", "0.1", "tenth", "9007199254740993", "big", "0x10", "hex", "1e3", "exp")
		spread("z")
		d.check(
			[2]string{"zrange z 0 -1 withscores", `["low" -inf "min" -1.7976931348623157e+308 "zero" 0 "tiny" 5e-324 "tenth" 0.1 "hex" 16 "exp" 1000 "big" 9007199254740992 "high" inf]`},
			[2]string{"zscore z tenth", "0.1"},
			[2]string{"zscore z nosuch", "(nil)"},
			[2]string{"zmscore z low nosuch tiny", "[-inf (nil) 5e-324]"},
			[2]string{"zincrby z -inf high", "(error) ERR resulting score is not a number (NaN)"},
			[2]string{"zadd z incr inf low", "(error) ERR resulting score is not a number (NaN)"},
			[2]string{"zadd z nx incr inf low", "(nil)"},
			[2]string{"zincrby z 0.2 tenth", "0.30000000000000004"},
			[2]string{"zscore z high", "inf"},
			[2]string{"zadd z -0 zero", "(integer) 0"},
			[2]string{"zadd z -0 minus 0 plus", "(integer) 2"},
			[2]string{"zrangebyscore z 0 0", `["minus" "plus" "zero"]`},
			[2]string{"zcount z 0 0", "(integer) 3"},
			[2]string{"zrank z plus", "(integer) 3"},
			[2]string{"zscore z minus", "0"},
			[2]string{"zincrby z 0 minus", "0"},
			[2]string{"zincrby z -0 another", "-0"},
			[2]string{"zadd z xx gt ch -0 another", "(integer) 0"},
			[2]string{"zrange z (-0.05 0.05 byscore withscores", `["another" 0 "minus" 0 "plus" 0 "zero" 0 "tiny" 5e-324]`},
			[2]string{"zrem z minus plus zero another", "(integer) 4"},
		)
	})
}

func TestZSetErrors(t *testing.T) {
	d := newTestEngine(t)
	d.do("set", "s", "v")
	for _, line := range []string{
		"zadd s 1 a", "zadd s xx 1 a", "zincrby s 1 a", "zcard s", "zcount s 0 1", "zlexcount s - +", "zscore s a", "zmscore s a", "zrank s a",
		"zrevrank s a withscore", "zrem s a", "zrandmember s", "zrandmember s 2", "zscan s 0", "zrange s 0 1", "zrangestore d s 0 1", "zrevrange s 0 1",
		"zrangebyscore s 0 1", "zrevrangebyscore s 1 0", "zrangebylex s - +", "zrevrangebylex s + -", "zremrangebyrank s 0 1",
		"zremrangebyscore s 0 1", "zremrangebylex s - +", "zpopmin s", "zpopmax s 2", "zmpop 2 none s min", "bzpopmin none s 0", "bzmpop 0 1 s max",
		"zunion 1 s", "zinter 2 none s", "zdiff 1 s nonsense", "zunionstore d 1 s", "zintercard 1 s",
	} {
		d.check([2]string{line, wrongTypeReply})
	}
	d.do("zadd", "z", "1", "a")
	const (
		syntax   = "(error) ERR syntax error"
		notFloat = "(error) ERR value is not a valid float"
		notInt   = "(error) ERR value is not an integer or out of range"
		minMax   = "(error) ERR min or max is not a float"
		lexItem  = "(error) ERR min or max not valid string range item"
	)
	d.check(
		[2]string{"zadd z 1", "(error) ERR wrong number of arguments for 'zadd' command"},
		[2]string{"zadd z 1 a 2", syntax},
		[2]string{"zadd z nx ch", syntax},
		[2]string{"zadd s x a", notFloat},
		[2]string{"zadd z nan a", notFloat},
		[2]string{"zadd z 5 a x b", notFloat},
		[2]string{"zadd z nx xx 1 a", "(error) ERR XX and NX options at the same time are not compatible"},
		[2]string{"zadd z nx gt 1 a", "(error) ERR GT, LT, and/or NX options at the same time are not compatible"},
		[2]string{"zadd z gt lt 1 a", "(error) ERR GT, LT, and/or NX options at the same time are not compatible"},
		[2]string{"zadd z incr 1 a 2 b", "(error) ERR INCR option supports a single increment-element pair"},
		[2]string{"zincrby z x a", notFloat},
		[2]string{"zincrby z nx a", syntax},
		[2]string{"zcount z x 1", minMax},
		[2]string{"zcount z 0 (nan", minMax},
		[2]string{"zlexcount z a +", lexItem},
		[2]string{"zrank z a nonsense", syntax},
		[2]string{"zrank z a withscore x", "(error) ERR wrong number of arguments for 'zrank' command"},
		[2]string{"zrange z x 1", notInt},
		[2]string{"zrange z 0 1 nonsense", syntax},
		[2]string{"zrange z 0 1 rev rev", syntax},
		[2]string{"zrange z 0 1 byscore bylex", syntax},
		[2]string{"zrange z 0 1 limit 0", syntax},
		[2]string{"zrange z 0 1 byscore limit 0 x", notInt},
		[2]string{"zrange z a + bylex", lexItem},
		[2]string{"zrange z - + bylex withscores", "(error) ERR syntax error, WITHSCORES not supported in combination with BYLEX"},
		[2]string{"zrangestore d z 0 1 withscores", syntax},
		[2]string{"zrevrange z 0 1 limit 0 1", "(error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"},
		[2]string{"zrevrange z 0 1 rev", syntax},
		[2]string{"zrangebyscore z x 1", minMax},
		[2]string{"zrangebyscore z 0 1 rev", syntax},
		[2]string{"zrangebylex z - + withscores", "(error) ERR syntax error, WITHSCORES not supported in combination with BYLEX"},
		[2]string{"zremrangebyrank z 0 x", notInt},
		[2]string{"zremrangebyscore z 0 x", minMax},
		[2]string{"zremrangebylex z 0 x", lexItem},
		[2]string{"zpopmin z x", "(error) ERR value is out of range, must be positive"},
		[2]string{"zpopmin z -1", "(error) ERR value is out of range, must be positive"},
		[2]string{"zpopmin z 1 2", syntax},
		[2]string{"zmpop 0 z min", "(error) ERR numkeys should be greater than 0"},
		[2]string{"zmpop 1 z middle", syntax},
		[2]string{"zmpop 2 z min", syntax},
		[2]string{"zmpop 1 z min count 0", "(error) ERR count should be greater than 0"},
		[2]string{"zmpop 1 z min count 1 count 1", syntax},
		[2]string{"bzpopmin z x", "(error) ERR timeout is not a float or out of range"},
		[2]string{"bzpopmin z -1", "(error) ERR timeout is negative"},
		[2]string{"bzmpop x 1 z min", "(error) ERR timeout is not a float or out of range"},
		[2]string{"zrandmember z 1 nonsense", syntax},
		[2]string{"zscan z x", "(error) ERR invalid cursor"},
		[2]string{"zscan z 18446744073709551616", "(error) ERR invalid cursor"},
		[2]string{"zscan z 18446744073709551615", `["0" ["a" "1"]]`},
		[2]string{"zscan z +0", `["0" ["a" "1"]]`},
		[2]string{"zscan none 0 nonsense", `["0" []]`},
		[2]string{"zunion 0 z", "(error) ERR at least 1 input key is needed for 'zunion' command"},
		[2]string{"zinterstore d 0 z", "(error) ERR at least 1 input key is needed for 'zinterstore' command"},
		[2]string{"zunion x z", notInt},
		[2]string{"zunion 2 z", syntax},
		[2]string{"zunion 1 z weights x", "(error) ERR weight value is not a float"},
		[2]string{"zunion 2 z z weights 1", syntax},
		[2]string{"zunion 1 z aggregate avg", syntax},
		[2]string{"zdiff 1 z weights 1", syntax},
		[2]string{"zunionstore d 1 z withscores", syntax},
		[2]string{"zintercard 1 z limit x", "(error) ERR LIMIT can't be negative"},
		[2]string{"zintercard 1 z limit -1", "(error) ERR LIMIT can't be negative"},
		[2]string{"zintercard 1 z withscores", syntax},
		[2]string{"zrange z 0 -1 withscores", `["a" 1]`},
		[2]string{"exists d", "(integer) 0"},
	)
}

func TestZSetReadsOfNoKey(t *testing.T) {
	newTestEngine(t).check(
		[2]string{"zcard z", "(integer) 0"},
		[2]string{"zcount z -inf inf", "(integer) 0"},
		[2]string{"zlexcount z - +", "(integer) 0"},
		[2]string{"zscore z a", "(nil)"},
		[2]string{"zmscore z a b", "[(nil) (nil)]"},
		[2]string{"zrank z a", "(nil)"},
		[2]string{"zrank z a withscore", "(nil)"},
		[2]string{"zrange z 0 -1", "[]"},
		[2]string{"zrangebylex z - +", "[]"},
		[2]string{"zrem z a", "(integer) 0"},
		[2]string{"zremrangebyrank z 0 -1", "(integer) 0"},
		[2]string{"zpopmin z", "[]"},
		[2]string{"zmpop 1 z min", "(nil)"},
		[2]string{"bzpopmin z 0", "(nil)"},
		[2]string{"bzmpop 0 1 z min", "(nil)"},
		[2]string{"zrandmember z", "(nil)"},
		[2]string{"zrandmember z 2", "[]"},
		[2]string{"zrandmember z -2 withscores", "[]"},
		[2]string{"zscan z 0", `["0" []]`},
		[2]string{"zunion 2 z y", "[]"},
		[2]string{"zinterstore d 1 z", "(integer) 0"},
		[2]string{"zrangestore d z 0 -1", "(integer) 0"},
		[2]string{"exists z d", "(integer) 0"},
	)
}

func TestZSetCounts(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("zadd", "z", "1", "a", "2", "b", "2", "c", "3", "d")
		d.do("zadd", "lex", "0", "a", "0", "b", "0", "c", "0", "d", "0", "d\x00")
		spread("z", "lex")
		d.check(
			[2]string{"zcount z -inf +inf", "(integer) 4"},
			[2]string{"zcount z 2 2", "(integer) 2"},
			[2]string{"zcount z (1 (3", "(integer) 2"},
			[2]string{"zcount z (2 (2", "(integer) 0"},
			[2]string{"zcount z 3 1", "(integer) 0"},
			[2]string{"zlexcount lex - +", "(integer) 5"},
			[2]string{"zlexcount lex [b [d", "(integer) 3"},
			[2]string{"zlexcount lex (b (d", "(integer) 1"},
			[2]string{"zlexcount lex + -", "(integer) 0"},
			[2]string{"zlexcount lex (d +", "(integer) 1"},
			[2]string{"zlexcount lex [bb [bz", "(integer) 0"},
			[2]string{"zrank z a", "(integer) 0"},
			[2]string{"zrank z c", "(integer) 2"},
			[2]string{"zrevrank z a", "(integer) 3"},
			[2]string{"zrank z c WITHSCORE", "[(integer) 2 2]"},
			[2]string{"zrevrank z c withscore", "[(integer) 1 2]"},
			[2]string{"zrank z none", "(nil)"},
		)
		if got := d.do("zlexcount", "lex", "(d", "(d\x00"); got != "(integer) 0" {
			t.Errorf("between neighbours: %s", got)
		}
	})
}

func TestZRem(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("zadd", "z", "1", "a", "2", "b", "3", "c")
		spread("z")
		d.check(
			[2]string{"zrem z a none a", "(integer) 1"},
			[2]string{"zrange z 0 -1", `["b" "c"]`},
			[2]string{"zrem z b c", "(integer) 2"},
			[2]string{"exists z", "(integer) 0"},
			[2]string{"zadd z 9 x", "(integer) 1"},
			[2]string{"zrange z 0 -1 withscores", `["x" 9]`},
		)
	})
}

func TestZRandMember(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("zadd", "z", "1", "a", "2", "b", "3", "c")
		spread("z")
		if got := d.cmd("zrandmember z"); !strings.Contains(`"a""b""c"`, got) {
			t.Errorf("zrandmember: %s", got)
		}
		if got := d.sorted(2, "zrandmember z 10 withscores"); got != `["a" 1 "b" 2 "c" 3]` {
			t.Errorf("zrandmember 10: %s", got)
		}
		if got := strings.Fields(d.cmd("zrandmember z -7 withscores")); len(got) != 14 {
			t.Errorf("zrandmember -7: %s", got)
		}
		d.check([2]string{"zrandmember z 0", "[]"})
	})
}

func TestRandomMembersOfALargeSetAreDistinct(t *testing.T) {
	d := newTestEngine(t)
	args := []string{"zadd", "z"}
	for i := range 3000 {
		args = append(args, strconv.Itoa(i), "member-"+strconv.Itoa(i))
	}
	d.do(args...)
	for _, n := range []int{1, 5, 31, 32, 33, 500, 900, 2900, 3000} {
		u := d.usage("zrandmember", "z", strconv.Itoa(n))
		if u.Calls > 2*32+3 {
			t.Errorf("%d members took %d calls", n, u.Calls)
		}
		seen := map[string]bool{}
		for _, m := range strings.Fields(strings.Trim(d.do("zrandmember", "z", strconv.Itoa(n)), "[]")) {
			seen[m] = true
		}
		if len(seen) != n {
			t.Errorf("asked for %d members, got %d", n, len(seen))
		}
		if got := len(strings.Fields(d.do("zrandmember", "z", strconv.Itoa(-n)))); got != n {
			t.Errorf("asked for %d members with repetitions, got %d", n, got)
		}
	}
}

func TestZScan(t *testing.T) {
	d := newTestEngine(t)
	d.do("zadd", "z", "1.5", "a1", "2", "b")
	d.check([2]string{"zscan z 0 match a* count 5", `["0" ["a1" "1.5"]]`})
	args := []string{"zadd", "big"}
	for i := range 400 {
		args = append(args, strconv.Itoa(i), "member-"+strconv.Itoa(i))
	}
	d.do(args...)
	seen := map[string]string{}
	for cursor, first := "0", true; first || cursor != "0"; first = false {
		words := strings.Fields(strings.NewReplacer("[", " ", "]", " ").Replace(d.do("zscan", "big", cursor, "count", "50")))
		cursor = strings.Trim(words[0], `"`)
		for i := 1; i < len(words); i += 2 {
			seen[words[i]] = words[i+1]
		}
	}
	if len(seen) != 400 || seen[`"member-17"`] != `"17"` {
		t.Errorf("%d members, member-17 has %s", len(seen), seen[`"member-17"`])
	}
}

func TestZSetWritesTakeOneCall(t *testing.T) {
	d := newTestEngine(t)
	d.costs(1, "zadd z 1 a", "zadd z 2 a 3 b 4 c", "zrem z a", "zrem z a", "zrem none a", "zscore z b", "zrange z 0 -1", "zrank z c", "zcard z")
	d.costs(2, "zadd z nx 5 d", "zincrby z 1 b", "zpopmin z")
	d.check([2]string{"zrange z 0 -1 withscores", `["c" 4 "d" 5]`})
}

// A command on a few members of a large sorted set reads and writes only those.
func TestLargeZSetsTakeFewCalls(t *testing.T) {
	d := newTestEngine(t)
	for i := range 10 {
		args := []string{"zadd", "z"}
		for j := range 2000 {
			n := i*2000 + j
			args = append(args, strconv.Itoa(n), fmt.Sprintf("member-%05d", n))
		}
		d.do(args...)
	}
	d.costs(1, "zcard z", "zcount z -inf +inf", "zlexcount z - +")
	d.costs(2, "zscore z member-00007", "zrem z none")
	d.costs(3, "zadd z 4.5 member-00005", "zadd z 1.5 new", "zincrby z 1 new", "zrem z new", "zmscore z member-00001 member-00002",
		"zrange z 0 9", "zrange z -10 -1", "zrevrange z 0 9 withscores", "zrangebyscore z 500 510", "zrange z 1000 inf byscore limit 3 5",
		"zpopmin z", "zpopmax z 10", "zremrangebyscore z 500 510", "zremrangebyrank z 0 4", "zrandmember z", "zcount z 10 20")
	d.check(
		[2]string{"zcard z", "(integer) 19973"},
		[2]string{"zrange z 0 1", `["member-00006" "member-00007"]`},
	)
}
