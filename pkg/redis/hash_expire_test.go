package redis_test

import (
	"testing"
	"time"
)

func TestFieldExpiry(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("hset", "h", "a", "1", "b", "2", "c", "3", "d", "4", "keep", "x")
		spread("h")
		d.check(
			[2]string{"hexpire h 10 fields 3 a b none", "[(integer) 1 (integer) 1 (integer) -2]"},
			[2]string{"HPEXPIRE h 1500 FIELDS 1 c", "[(integer) 1]"},
			[2]string{"httl h FIELDS 4 a c keep none", "[(integer) 10 (integer) 2 (integer) -1 (integer) -2]"},
			[2]string{"hpttl h FIELDS 4 a c keep none", "[(integer) 10000 (integer) 1500 (integer) -1 (integer) -2]"},
			[2]string{"hpexpiretime h FIELDS 2 c keep", "[(integer) 1767323046500 (integer) -1]"},
			[2]string{"hexpiretime h FIELDS 2 c none", "[(integer) 1767323046 (integer) -2]"},
		)
		d.clock.advance(1499 * time.Millisecond)
		d.check([2]string{"hmget h a b c", `["1" "2" "3"]`})
		d.clock.advance(time.Millisecond)
		d.check(
			[2]string{"hmget h a b c", `["1" "2" (nil)]`},
			[2]string{"hexists h c", "(integer) 0"},
			[2]string{"httl h FIELDS 1 c", "[(integer) -2]"},
			[2]string{"hincrby h a 5", "(integer) 6"}, // keeps the expiry
			[2]string{"hset h b 7", "(integer) 0"},    // drops it
			[2]string{"hpttl h FIELDS 2 a b", "[(integer) 8500 (integer) -1]"},
			[2]string{"hpersist h FIELDS 3 a b none", "[(integer) 1 (integer) -1 (integer) -2]"},
			[2]string{"hpttl h FIELDS 1 a", "[(integer) -1]"},
			[2]string{"hincrbyfloat h c 1.5", `"1.5"`}, // an expired field begins anew
			[2]string{"httl h FIELDS 1 c", "[(integer) -1]"},
			[2]string{"hexpireat h 1767323045 FIELDS 2 d none", "[(integer) 2 (integer) -2]"},
			[2]string{"hpexpireat h 1767323100000 FIELDS 1 keep", "[(integer) 1]"},
			[2]string{"hexpire h 0 FIELDS 1 c", "[(integer) 2]"},
		)
		if got := d.sorted(2, "hgetall h"); got != `["a" "6" "b" "7" "keep" "x"]` {
			t.Errorf("hgetall: %s", got)
		}
		d.clock.advance(time.Hour)
		d.check(
			[2]string{"hdel h keep", "(integer) 0"},
			[2]string{"hset h keep y", "(integer) 1"},
			[2]string{"hexpire none 10 FIELDS 2 a b", "[(integer) -2 (integer) -2]"},
			[2]string{"httl none FIELDS 1 a", "[(integer) -2]"},
			[2]string{"hpersist none FIELDS 1 a", "[(integer) -2]"},
			[2]string{"exists none", "(integer) 0"},
		)
	})
}

func TestFieldExpiryConditions(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("hset", "h", "none", "1", "ten", "2")
		d.do("hexpire", "h", "10", "fields", "1", "ten")
		spread("h")
		d.check(
			[2]string{"hexpire h 10 XX FIELDS 1 none", "[(integer) 0]"},
			[2]string{"hexpire h 20 NX FIELDS 1 ten", "[(integer) 0]"},
			[2]string{"hexpire h 20 gt FIELDS 1 none", "[(integer) 0]"}, // no expiry is the longest
			[2]string{"hexpire h 10 GT FIELDS 1 ten", "[(integer) 0]"},
			[2]string{"hexpire h 10 LT FIELDS 1 ten", "[(integer) 0]"},
			[2]string{"hexpire h 0 GT FIELDS 1 ten", "[(integer) 0]"},
			[2]string{"hexpire h 11 GT FIELDS 1 ten", "[(integer) 1]"},
			[2]string{"hexpire h 9 lt FIELDS 2 ten none", "[(integer) 1 (integer) 1]"},
			[2]string{"hexpire h 30 xx fields 1 none", "[(integer) 1]"},
			[2]string{"httl h FIELDS 2 none ten", "[(integer) 30 (integer) 9]"},
			[2]string{"hpersist h FIELDS 1 none", "[(integer) 1]"},
			[2]string{"hexpire h 40 nx FIELDS 1 none", "[(integer) 1]"},
			[2]string{"hexpire h 0 LT FIELDS 2 none ten", "[(integer) 2 (integer) 2]"},
			[2]string{"exists h", "(integer) 0"},
		)
	})
}

func TestFieldExpiryEndsTheHash(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"hset h a 1", "(integer) 1"},
		[2]string{"expire h 1000", "(integer) 1"},
		[2]string{"hexpire h 1 fields 1 a", "[(integer) 1]"},
	)
	d.clock.advance(time.Second)
	d.check(
		[2]string{"exists h", "(integer) 0"},
		[2]string{"type h", "none"},
		[2]string{"hlen h", "(integer) 0"},
		[2]string{"hgetall h", "[]"},
		[2]string{"hset h b 2", "(integer) 1"},
		[2]string{"ttl h", "(integer) -1"},
		[2]string{"hgetall h", `["b" "2"]`},
	)
}

func TestFieldExpiryErrors(t *testing.T) {
	d := newTestEngine(t)
	d.do("hset", "h", "f", "v")
	const (
		missing  = "(error) ERR Mandatory argument FIELDS is missing or not at the right position"
		mismatch = "(error) ERR The `numfields` parameter must match the number of arguments"
		positive = "(error) ERR Number of fields must be a positive integer"
		twoTimes = "(error) ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
	)
	d.check(
		[2]string{"hexpire h x fields 1 f", "(error) ERR value is not an integer or out of range"},
		[2]string{"hexpire h -1 fields 1 f", "(error) ERR invalid expire time, must be >= 0"},
		[2]string{"hexpire h 4611686018427388 fields 1 f", "(error) ERR invalid expire time in 'hexpire' command"},
		[2]string{"hpexpireat h 4611686018427387904 fields 1 f", "(error) ERR invalid expire time in 'hpexpireat' command"},
		[2]string{"hpexpire h 4611686018427387903 fields 1 f", "(error) ERR invalid expire time in 'hpexpire' command"},
		[2]string{"hpexpireat h 4611686018427387903 fields 1 f", "[(integer) 1]"},
		[2]string{"hpersist h fields 1 f", "[(integer) 1]"},
		[2]string{"hexpireat none 1795551977739 fields 1 f", "[(integer) -2]"},
		[2]string{"hexpire h 1 zz fields 1 f", missing},
		[2]string{"hexpire h 1 nx 1 f f", missing},
		[2]string{"hexpire h 1 fields 0 f", "(error) ERR Parameter `numFields` should be greater than 0"},
		[2]string{"hexpire h 1 fields 2 f", mismatch},
		[2]string{"hexpire h 1 fields 1 f g", mismatch},
		[2]string{"hexpire h 1 nx xx fields 1 f", missing},
		[2]string{"httl h 1 1 f", missing},
		[2]string{"httl h fields x f", positive},
		[2]string{"httl h fields 3 f", mismatch},
		[2]string{"hpersist h fields 0 f", positive},
		[2]string{"hgetdel h fields -1 f", positive},
		[2]string{"hgetdel h f fields 1", missing},
		[2]string{"hgetex h ex x fields 1 f", "(error) ERR value is not an integer or out of range"},
		[2]string{"hgetex h ex 5 fields", mismatch},
		[2]string{"hgetex h persist fields 1", mismatch},
		[2]string{"hgetex h nonsense fields 1 f", missing},
		[2]string{"hsetex h ex 1 px 1 fields 1 f v", twoTimes},
		[2]string{"hsetex h keepttl px 1 fields 1 f v", twoTimes},
		[2]string{"hsetex h fnx fxx fields 1 f v", "(error) ERR Only one of FXX or FNX arguments can be specified"},
		[2]string{"hsetex h nonsense fields 1 f v", "(error) ERR unknown argument: nonsense"},
		[2]string{"hsetex h fields 2 f v", "(error) ERR wrong number of arguments for 'hsetex' command"},
		[2]string{"hsetex h fields 1 f v g", "(error) ERR wrong number of arguments for 'hsetex' command"},
		[2]string{"hsetex h fields 0 f v", "(error) ERR invalid number of fields"},
		[2]string{"hsetex h ex -1 fields 1 f v", "(error) ERR invalid expire time, must be >= 0"},
		[2]string{"hgetall h", `["f" "v"]`},
		[2]string{"httl h fields 1 f", "[(integer) -1]"},
	)
}

func TestHGetDelAndHGetEx(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.do("hset", "h", "a", "1", "b", "2", "c", "3")
		spread("h")
		d.check(
			[2]string{"hgetex h fields 2 a none", `["1" (nil)]`},
			[2]string{"hgetex h ex 10 fields 2 a none", `["1" (nil)]`},
			[2]string{"hgetex h px 500 fields 1 b", `["2"]`},
			[2]string{"hpttl h fields 3 a b c", "[(integer) 10000 (integer) 500 (integer) -1]"},
			[2]string{"hgetex h PERSIST fields 2 a c", `["1" "3"]`},
			[2]string{"hgetex h exat 1767323055 fields 1 c", `["3"]`},
			[2]string{"hpttl h fields 3 a b c", "[(integer) -1 (integer) 500 (integer) 10000]"},
			[2]string{"hgetex h pxat 1 fields 1 c", `["3"]`}, // returned and deleted
			[2]string{"hexists h c", "(integer) 0"},
			[2]string{"hgetdel h fields 3 a a none", `["1" (nil) (nil)]`},
		)
		d.clock.advance(500 * time.Millisecond)
		d.check(
			[2]string{"hgetdel h fields 1 b", "[(nil)]"},
			[2]string{"hgetdel none fields 2 a b", "[(nil) (nil)]"},
			[2]string{"hgetex none ex 5 fields 1 a", "[(nil)]"},
			[2]string{"hset h z 1", "(integer) 1"},
			[2]string{"hgetdel h fields 1 z", `["1"]`},
			[2]string{"hgetall h", "[]"},
		)
	})
	d := newTestEngine(t)
	d.check(
		[2]string{"hset h a 1 b 2", "(integer) 2"},
		[2]string{"hgetdel h fields 2 a b", `["1" "2"]`},
		[2]string{"exists h", "(integer) 0"},
	)
}

func TestHSetEx(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		d.check([2]string{"hsetex h ex 10 fields 2 a 1 b 2", "(integer) 1"})
		spread("h")
		d.check(
			[2]string{"hpttl h fields 2 a b", "[(integer) 10000 (integer) 10000]"},
			[2]string{"hsetex h fields 1 a 3", "(integer) 1"},
			[2]string{"hsetex h keepttl fields 2 b 4 c 5", "(integer) 1"},
			[2]string{"hpttl h fields 3 a b c", "[(integer) -1 (integer) 10000 (integer) -1]"},
			[2]string{"hsetex h fnx fields 2 new 1 a 1", "(integer) 0"},
			[2]string{"hsetex h fxx fields 2 new 1 a 1", "(integer) 0"},
			[2]string{"hexists h new", "(integer) 0"},
			[2]string{"hsetex h FXX PX 700 fields 2 a 6 b 7", "(integer) 1"},
			[2]string{"hsetex h px 800 FNX fields 1 new 8", "(integer) 1"},
			[2]string{"hpttl h fields 3 a b new", "[(integer) 700 (integer) 700 (integer) 800]"},
			[2]string{"hmget h a b c new", `["6" "7" "5" "8"]`},
			[2]string{"hsetex none fxx fields 1 a 1", "(integer) 0"},
			[2]string{"exists none", "(integer) 0"},
		)
		d.clock.advance(700 * time.Millisecond)
		d.check(
			[2]string{"hsetex h fxx fields 1 a 1", "(integer) 0"},
			[2]string{"hsetex h fnx exat 1767323100 fields 1 a 9", "(integer) 1"},
			[2]string{"hget h a", `"9"`},
			[2]string{"hsetex h pxat 1 fields 1 a 1", "(integer) 1"}, // has expired already
			[2]string{"hmget h a c", `[(nil) "5"]`},
		)
	})
}
