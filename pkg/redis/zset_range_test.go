package redis_test

import (
	"strings"
	"testing"
)

func TestZRange(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("zadd", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e")
		d.do("zadd", "lex", "0", "a", "0", "b", "0", "c", "0", "d", "0", "e")
		spread("z", "lex")
		d.check(
			[2]string{"zrange z 0 1", `["a" "b"]`},
			[2]string{"zrange z -2 -1 withscores", `["d" 4 "e" 5]`},
			[2]string{"zrange z 0 1 rev", `["e" "d"]`},
			[2]string{"zrange z 3 100 REV", `["b" "a"]`},
			[2]string{"zrange z 5 9", "[]"},
			[2]string{"zrange z 3 2", "[]"},
			[2]string{"zrange z -100 1", `["a" "b"]`},
			[2]string{"zrange z 0 -100", "[]"},
			[2]string{"zrange z 1 3 limit 1 1", `["c"]`}, // Redis refuses this
			[2]string{"zrange z 0 -1 limit 3 -2", `["d" "e"]`},
			[2]string{"zrange z 1 2 limit 1 -1", `["b" "c"]`}, // Redis ignores this one
			[2]string{"zrange z 0 -1 rev limit 1 2 withscores", `["d" 4 "c" 3]`},
			[2]string{"zrange z 0 -1 limit 0 0", "[]"},
			[2]string{"zrange z 0 -1 limit 9 1", "[]"},
			[2]string{"zrange z (1 3 byscore", `["b" "c"]`},
			[2]string{"zrange z 3 (1 byscore rev withscores", `["c" 3 "b" 2]`},
			[2]string{"zrange z -inf inf byscore limit 1 2", `["b" "c"]`},
			[2]string{"zrange z +inf -inf byscore rev limit 1 2", `["d" "c"]`},
			[2]string{"zrange z -inf inf byscore limit -1 2", "[]"},
			[2]string{"zrange z -inf inf byscore limit 3 -5", `["d" "e"]`},
			[2]string{"zrange lex [b (d bylex", `["b" "c"]`},
			[2]string{"zrange lex + [b bylex rev limit 1 2", `["d" "c"]`},
			[2]string{"zrange lex [d [b bylex", "[]"},
			[2]string{"zrevrange z 1 2 withscores", `["d" 4 "c" 3]`},
			[2]string{"zrangebyscore z 2 (4 withscores", `["b" 2 "c" 3]`},
			[2]string{"zrangebyscore z -inf inf limit 4 10", `["e"]`},
			[2]string{"zrevrangebyscore z 3 -inf", `["c" "b" "a"]`},
			[2]string{"zrevrangebyscore z (3 -inf limit 0 1", `["b"]`},
			[2]string{"zrangebylex lex - (c", `["a" "b"]`},
			[2]string{"zrangebylex lex (a + limit 1 2", `["c" "d"]`},
			[2]string{"zrevrangebylex lex + (c", `["e" "d"]`},
			[2]string{"zrangestore dst z 1 2", "(integer) 2"},
			[2]string{"zrange dst 0 -1 withscores", `["b" 2 "c" 3]`},
			[2]string{"zrangestore dst z 4 (1 byscore rev limit 1 2", "(integer) 2"},
			[2]string{"zrange dst 0 -1 withscores", `["b" 2 "c" 3]`},
			[2]string{"zrangestore dst lex [c + bylex", "(integer) 3"},
			[2]string{"zrange dst 0 -1 withscores", `["c" 0 "d" 0 "e" 0]`},
			[2]string{"zrangestore z z 0 0", "(integer) 1"},
			[2]string{"zrange z 0 -1", `["a"]`},
			[2]string{"zrangestore dst z 5 9", "(integer) 0"},
			[2]string{"exists dst", "(integer) 0"},
		)
	})
}

func TestZRangeOfLongMembers(t *testing.T) {
	d := newTestEngine(t)
	long := strings.Repeat("n", 950)
	d.do("zadd", "z", "0", long+"a", "0", long+"b", "0", long+"c", "0", "m", "0", "o")
	if got := d.do("zlexcount", "z", "["+long, "+"); got != "(integer) 4" {
		t.Errorf("from a long bound: %s", got)
	}
	if got := d.do("zlexcount", "z", "-", "["+long+"b"); got != "(integer) 3" {
		t.Errorf("to a long bound: %s", got)
	}
	if got := d.do("zrem", "z", long+"b"); got != "(integer) 1" {
		t.Errorf("zrem: %s", got)
	}
	if got := d.do("zpopmin", "z", "4"); strings.Count(got, "nnn") == 0 || d.do("zcard", "z") != "(integer) 0" {
		t.Errorf("zpopmin: %.100s", got)
	}
}

func TestZRemRange(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		fill := func() {
			d.do("del", "z", "lex")
			d.do("zadd", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e")
			d.do("zadd", "lex", "0", "a", "0", "b", "0", "c", "0", "d", "0", "e")
			spread("z", "lex")
		}
		for _, tc := range [][3]string{
			{"zremrangebyrank z 1 2", "(integer) 2", `["a" "d" "e"]`},
			{"zremrangebyrank z -2 -1", "(integer) 2", `["a" "b" "c"]`},
			{"zremrangebyrank z 0 -1", "(integer) 5", "[]"},
			{"zremrangebyrank z 9 10", "(integer) 0", `["a" "b" "c" "d" "e"]`},
			{"zremrangebyscore z (1 3", "(integer) 2", `["a" "d" "e"]`},
			{"zremrangebyscore z -inf inf", "(integer) 5", "[]"},
			{"zremrangebyscore z 1 5", "(integer) 5", "[]"},
			{"zremrangebyscore z 7 9", "(integer) 0", `["a" "b" "c" "d" "e"]`},
			{"zremrangebylex lex [b (d", "(integer) 2", `["a" "d" "e"]`},
			{"zremrangebylex lex - +", "(integer) 5", "[]"},
			{"zremrangebylex lex + -", "(integer) 0", `["a" "b" "c" "d" "e"]`},
		} {
			fill()
			key := strings.Fields(tc[0])[1]
			d.check([2]string{tc[0], tc[1]}, [2]string{"zrange " + key + " 0 -1", tc[2]})
		}
	})
}

func TestZPops(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("zadd", "z", "1", "a", "1", "b", "3", "c", "4", "d", "4", "e", "6", "f", "7", "g", "8", "h")
		spread("z")
		d.check(
			[2]string{"zpopmin z", `["a" 1]`},
			[2]string{"zpopmax z", `["h" 8]`},
			[2]string{"zpopmin z 0", "[]"},
			[2]string{"zpopmin z 2", `["b" 1 "c" 3]`},
			[2]string{"zmpop 2 none z MAX", `["z" [["g" 7]]]`},
			[2]string{"bzpopmax none z 0", `["z" "f" 6]`},
			[2]string{"bzmpop 0.5 1 z min count 1", `["z" [["d" 4]]]`},
			[2]string{"zadd z 5 x 6 y", "(integer) 2"},
			[2]string{"bzpopmin z 1", `["z" "e" 4]`},
			[2]string{"zmpop 1 z min count 10", `["z" [["x" 5] ["y" 6]]]`},
			[2]string{"exists z", "(integer) 0"},
			[2]string{"zpopmax z 3", "[]"},
		)
	})
}

func TestZCombinations(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("zadd", "a", "1", "x", "2", "y", "3", "z")
		d.do("zadd", "b", "10", "y", "20", "z", "30", "w")
		d.do("sadd", "s", "z", "q")
		d.do("zadd", "i", "inf", "x", "-inf", "y", "0", "z")
		spread("a", "b", "s", "i")
		d.check(
			[2]string{"zunion 2 a b withscores", `["x" 1 "y" 12 "z" 23 "w" 30]`},
			[2]string{"zunion 2 a b", `["x" "y" "z" "w"]`},
			[2]string{"zunion 2 a b weights 2 -1 withscores", `["w" -30 "z" -14 "y" -6 "x" 2]`},
			[2]string{"zunion 2 a b aggregate min withscores", `["x" 1 "y" 2 "z" 3 "w" 30]`},
			[2]string{"zunion 2 a b AGGREGATE MAX WITHSCORES", `["x" 1 "y" 10 "z" 20 "w" 30]`},
			[2]string{"zunion 2 a s withscores", `["q" 1 "x" 1 "y" 2 "z" 4]`},
			[2]string{"zunion 2 a a withscores", `["x" 2 "y" 4 "z" 6]`},
			[2]string{"zunion 2 a i withscores", `["y" -inf "z" 3 "x" inf]`},
			[2]string{"zunion 2 i i weights 1 -1 withscores", `["x" 0 "y" 0 "z" 0]`},
			[2]string{"zunion 1 i weights inf withscores", `["y" -inf "z" 0 "x" inf]`},
			[2]string{"zinter 2 a b withscores", `["y" 12 "z" 23]`},
			[2]string{"zinter 3 a b s weights 1 2 3 withscores", `["z" 46]`},
			[2]string{"zinter 2 a b aggregate max", `["y" "z"]`},
			[2]string{"zinter 2 a none", "[]"},
			[2]string{"zinter 2 a a withscores", `["x" 2 "y" 4 "z" 6]`},
			[2]string{"zdiff 2 a b withscores", `["x" 1]`},
			[2]string{"zdiff 3 a none s", `["x" "y"]`},
			[2]string{"zdiff 2 a a", "[]"},
			[2]string{"zdiff 1 s withscores", `["q" 1 "z" 1]`},
			[2]string{"zintercard 2 a b", "(integer) 2"},
			[2]string{"zintercard 2 a b limit 1", "(integer) 1"},
			[2]string{"zintercard 2 a b limit 0", "(integer) 2"},
			[2]string{"zintercard 2 a none", "(integer) 0"},
			[2]string{"zunionstore d 2 a b weights 1 0.5", "(integer) 4"},
			[2]string{"zrange d 0 -1 withscores", `["x" 1 "y" 7 "z" 13 "w" 15]`},
			[2]string{"zinterstore a 2 a b aggregate min", "(integer) 2"}, // the destination is a source
			[2]string{"zrange a 0 -1 withscores", `["y" 2 "z" 3]`},
			[2]string{"zdiffstore b 2 b a", "(integer) 1"},
			[2]string{"zrange b 0 -1 withscores", `["w" 30]`},
			[2]string{"zinterstore s 2 a b", "(integer) 0"},
			[2]string{"exists s", "(integer) 0"},
		)
	})
}

// Members of a small set are looked up in a large one rather than all of it read.
func TestIntersectionWithALargeSetReadsLittle(t *testing.T) {
	d := newTestEngine(t)
	large := []string{"zadd", "large"}
	for i := range 3000 {
		large = append(large, "1", strings.Repeat("m", 1+i%50)+string(rune('a'+i%26))+strings.Repeat("n", i/50))
	}
	d.do(large...)
	d.do("zadd", "small", "1", "ma", "2", "none")
	want := d.do("zinter", "2", "small", "large")
	if want != `["ma"]` {
		t.Fatalf("zinter: %s", want)
	}
	if u := d.usage("zinter", "2", "small", "large"); u.ReadUnits > 10 {
		t.Errorf("%v", u)
	}
}
