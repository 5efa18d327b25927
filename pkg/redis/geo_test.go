package redis_test

import (
	"strconv"
	"testing"
)

// Sicily, as in Redis's documentation.
func sicily(d *testDB) {
	d.t.Helper()
	d.check(
		[2]string{"geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", "(integer) 2"},
		[2]string{"geoadd g 12.758489 38.788135 edge1 17.241510 38.788135 edge2", "(integer) 2"},
	)
}

func TestGeo(t *testing.T) {
	bothEncodings(t, func(t *testing.T, d *testDB, spread func(...string)) {
		sicily(d)
		spread("g")
		d.check(
			[2]string{"zscore g Palermo", "3479099956230698"},
			[2]string{"geodist g Palermo Catania", `"166274.1516"`},
			[2]string{"geodist g Palermo Catania km", `"166.2742"`},
			[2]string{"geodist g Palermo Catania MI", `"103.3182"`},
			[2]string{"geodist g Palermo none", "(nil)"},
			[2]string{"geohash g Palermo none Catania", `["sqc8b49rny0" (nil) "sqdtr74hyu0"]`},
			[2]string{"geopos g Palermo none", `[[13.36138933897018433 38.11555639549629859] (nil)]`},
			[2]string{"geosearch g fromlonlat 15 37 byradius 200 km asc", `["Catania" "Palermo"]`},
			[2]string{"geosearch g FROMLONLAT 15 37 BYBOX 400 400 KM ASC WITHCOORD WITHDIST", `[["Catania" "56.4413" [15.08726745843887329 37.50266842333162032]] ["Palermo" "190.4424" [13.36138933897018433 38.11555639549629859]] ["edge2" "279.7403" [17.24151045083999634 38.78813451624225195]] ["edge1" "279.7405" [12.7584877610206604 38.78813451624225195]]]`},
			[2]string{"geosearch g frommember Catania byradius 170 km desc withdist withhash", `[["Palermo" "166.2742" (integer) 3479099956230698] ["Catania" "0.0000" (integer) 3479447370796909]]`},
			[2]string{"geosearch g fromlonlat 15 37 byradius 300 km count 1", `["Catania"]`},
			[2]string{"geosearch g fromlonlat 15 37 byradius 300 km count 1 desc", `["edge1"]`},
			[2]string{"geosearch g fromlonlat 0 0 byradius 1 m", "[]"},
			[2]string{"georadius g 15 37 200 km withdist asc", `[["Catania" "56.4413"] ["Palermo" "190.4424"]]`},
			[2]string{"georadius_ro g 15 37 100 km", `["Catania"]`},
			[2]string{"georadiusbymember g Palermo 100 km", `["Palermo" "edge1"]`},
			[2]string{"georadiusbymember_ro g Palermo 100 km count 1", `["Palermo"]`},
			[2]string{"geosearchstore d g fromlonlat 15 37 byradius 200 km", "(integer) 2"},
			[2]string{"zrange d 0 -1 withscores", `["Palermo" 3479099956230698 "Catania" 3479447370796909]`},
			[2]string{"geosearchstore d g fromlonlat 15 37 bybox 400 400 km count 2 STOREDIST", "(integer) 2"},
			[2]string{"zrange d 0 -1", `["Catania" "Palermo"]`},
			[2]string{"zrangebyscore d 56.441 56.442", `["Catania"]`},
			[2]string{"georadius g 15 37 200 km store d", "(integer) 2"},
			[2]string{"georadiusbymember g Catania 1 km storedist d", "(integer) 1"},
			[2]string{"zrange d 0 -1 withscores", `["Catania" 0]`},
			[2]string{"geosearchstore g g fromlonlat 0 0 byradius 1 m", "(integer) 0"},
			[2]string{"exists g", "(integer) 0"},
		)
	})
}

func TestGeoSearchWithAnyStopsAtTheCount(t *testing.T) {
	d := newTestEngine(t)
	sicily(d)
	if got := len(d.cmd("geosearch g fromlonlat 15 37 byradius 300 km count 1 any")); got == len("[]") {
		t.Error("nothing found")
	}
	d.check([2]string{"geosearchstore d g fromlonlat 15 37 byradius 300 km count 3 any", "(integer) 3"})
}

func TestGeoAddOptions(t *testing.T) {
	newTestEngine(t).check(
		[2]string{"geoadd g 1 1 a 2 2 b", "(integer) 2"},
		[2]string{"geoadd g nx ch 3 3 a 4 4 c", "(integer) 1"},
		[2]string{"geoadd g XX 3 3 a 5 5 d", "(integer) 0"},
		[2]string{"geoadd g CH 3 3 a 2 2.5 b 4 4 c", "(integer) 1"},
		[2]string{"zcard g", "(integer) 3"},
		[2]string{"geodist g a c km", `"157.1502"`},
	)
}

func TestGeoErrors(t *testing.T) {
	d := newTestEngine(t)
	sicily(d)
	d.do("set", "s", "v")
	for _, line := range []string{
		"geoadd s 1 1 a", "geodist s a b", "geohash s a", "geopos s a", "geosearch s x x x x x", "geosearchstore d s x x x x x x",
		"georadius s 1 1 1 m", "georadius_ro s 1 1 1 m", "georadiusbymember s a 1 m", "georadiusbymember_ro s a 1 m",
	} {
		d.check([2]string{line, wrongTypeReply})
	}
	const (
		syntax   = "(error) ERR syntax error"
		notFloat = "(error) ERR value is not a valid float"
		unit     = "(error) ERR unsupported unit provided. please use M, KM, FT, MI"
		noMember = "(error) ERR could not decode requested zset member"
	)
	d.check(
		[2]string{"geoadd g nx xx 1 1 a", syntax},
		[2]string{"geoadd g 1 1 a 2", syntax},
		[2]string{"geoadd g nx ch xx", syntax},
		[2]string{"geoadd g x 1 a", notFloat},
		[2]string{"geoadd g 181 1 a", "(error) ERR invalid longitude,latitude pair 181.000000,1.000000"},
		[2]string{"geoadd g 1 -inf a", "(error) ERR invalid longitude,latitude pair 1.000000,-inf"},
		[2]string{"geoadd g 1 1 a 1 86 b", "(error) ERR invalid longitude,latitude pair 1.000000,86.000000"},
		[2]string{"geodist g Palermo Catania parsec", unit},
		[2]string{"geodist g Palermo Catania km km", syntax},
		[2]string{"geosearch g fromlonlat 1 1 byradius x m", "(error) ERR need numeric radius"},
		[2]string{"geosearch g fromlonlat 1 1 byradius -1 m", "(error) ERR radius cannot be negative"},
		[2]string{"geosearch g fromlonlat 1 1 byradius 1 q", unit},
		[2]string{"geosearch g fromlonlat 1 1 bybox x 1 m", "(error) ERR need numeric width"},
		[2]string{"geosearch g fromlonlat 1 1 bybox 1 x m", "(error) ERR need numeric height"},
		[2]string{"geosearch g fromlonlat 1 1 bybox 1 -1 m", "(error) ERR height or width cannot be negative"},
		[2]string{"geosearch g frommember none byradius 1 m", noMember},
		[2]string{"geosearch g frommember Palermo fromlonlat 1 1 byradius 1 m", syntax},
		[2]string{"geosearch g fromlonlat 1 1 byradius 1 m bybox 1 1 m", syntax},
		[2]string{"geosearch g byradius 1 m asc desc", "(error) ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch"},
		[2]string{"GEOSEARCH g fromlonlat 1 1 asc desc", "(error) ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH"},
		[2]string{"geosearch g fromlonlat 1 1 byradius 1 m count 0", "(error) ERR COUNT must be > 0"},
		[2]string{"geosearch g fromlonlat 1 1 byradius 1 m count x", "(error) ERR value is not an integer or out of range"},
		[2]string{"geosearch g fromlonlat 1 1 byradius 1 m any", "(error) ERR the ANY argument requires COUNT argument"},
		[2]string{"geosearch g fromlonlat 1 1 byradius 1 m storedist", syntax},
		[2]string{"geosearchstore d g fromlonlat 1 1 byradius 1 m withdist", "(error) ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"},
		[2]string{"georadius g 1 1 1 m withhash store d", "(error) ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"},
		[2]string{"georadius_ro g 1 1 1 m store d", syntax},
		[2]string{"georadiusbymember_ro g Palermo 1 m storedist d", syntax},
		[2]string{"georadiusbymember g none 1 m", noMember},
		[2]string{"georadius g x 1 1 m", notFloat},
		[2]string{"exists d", "(integer) 0"},
		[2]string{"zcard g", "(integer) 4"},
	)
}

func TestGeoOfNoKey(t *testing.T) {
	newTestEngine(t).check(
		[2]string{"set d v", "OK"},
		[2]string{"geodist g a b", "(nil)"},
		[2]string{"geohash g a b", "[(nil) (nil)]"},
		[2]string{"geopos g a", "[(nil)]"},
		[2]string{"geosearch g frommember a byradius 1 m", "[]"},
		[2]string{"geosearch g fromlonlat 1 1 byradius 1 m", "[]"},
		[2]string{"georadiusbymember g a 1 m", "[]"},
		[2]string{"georadius g 1 1 1 m store none", "(integer) 0"},
		[2]string{"geosearchstore d g frommember a byradius 1 m", "(integer) 0"},
		[2]string{"exists d", "(integer) 0"},
	)
}

// A search reads the score ranges around its center, not the whole set.
func TestGeoSearchOfALargeSetReadsLittle(t *testing.T) {
	d := newTestEngine(t)
	args := []string{"geoadd", "g"}
	for i := range 4000 {
		args = append(args, strconv.Itoa(i%180-90), strconv.Itoa(i/180*3-33), "place "+strconv.Itoa(i))
	}
	d.do(args...)
	u := d.usage("geosearch", "g", "fromlonlat", "10", "0", "byradius", "200", "km")
	if u.Calls > 12 || u.ReadUnits > 14 {
		t.Errorf("%+v", u)
	}
}
