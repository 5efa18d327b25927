package redis_test

import (
	"fmt"
	"strconv"
	"strings"
)

// form is a request: a command, or several as one transaction. What is prepared before is not measured.
type form struct {
	name    string
	prepare [][]string
	cmds    [][]string
}

// one is a command: a line, and further arguments.
func one(line string, more ...[]string) form {
	args := strings.Fields(line)
	name := line
	for _, m := range more {
		name += fmt.Sprintf(" [%d]", len(m))
		args = append(args, m...)
	}
	return form{name: name, cmds: [][]string{args}}
}

// on gives a command that changes a key a copy of another one.
func on(key, copy string, f form) form {
	f.prepare = [][]string{{"del", key}, {"copy", copy, key}}
	return f
}

// lua is a script.
func lua(name, source string, args ...string) form {
	return form{name: "lua " + name, cmds: [][]string{append([]string{"eval", source, "0"}, args...)}}
}

// forms are the requests that the search tries; with brief, each with a few arguments, to see which commands they
// are.
func forms(brief bool) []form {
	n, each, repeat := strconv.Itoa, each, repeat
	if brief {
		each = func(_ int, arg func(i int) []string) []string { return arg(0) }
		repeat = func(_ int, args func(i int) []string) [][]string { return [][]string{args(0)} }
	}
	named := func(n int) []string { return each(n, func(i int) []string { return []string{word(i)} }) }
	times := func(n int, args ...string) []string { return each(n, func(int) []string { return args }) }
	return []form{
		{name: "50,000 GET", cmds: repeat(50_000, func(int) []string { return []string{"get", "n"} })},
		{name: "50,000 INCR of one key", cmds: repeat(50_000, func(int) []string { return []string{"incr", "nn"} })},
		{name: "20,000 HSET of one key", cmds: repeat(20_000, func(i int) []string { return []string{"hset", "hmany", word(i), "v"} })},
		{name: "20,000 LPUSH of one key", cmds: repeat(20_000, func(i int) []string { return []string{"lpush", "lmany", "v"} })},
		{name: "20,000 EVAL", cmds: repeat(20_000, func(i int) []string { return []string{"eval", "return " + word(i), "0"} })},
		{name: "1,000 LRANGE of 50,000", cmds: repeat(1000, func(i int) []string { return []string{"lrange", "l", "0", "-1"} })},
		one("lrange l 0 -1"), one("lrange lbig 0 -1"), one("lpos l nosuch"), one("lpos lsame a count 0"), one("lpos lsame a rank -1 count 0 maxlen 0"),
		one("smembers u"), one("hgetall h"), one("hvals hbig"), one("hscan h 0 count 1000000"), one("hscan h 0 match *a*a*a*a*a*b count 1000000"),
		one("zrange z 0 -1 withscores"), one("zrange z 0 1000000"), one("zrangebyscore z -inf +inf"), one("zrangebylex zsame - +"), one("zrange zsame - + bylex rev limit 49000 10"),
		one("zcount z -inf inf"), one("zlexcount zsame [a [zzz"), one("zrank z", []string{word(many - 1)}),
		one("sunion", times(100_000, "uin")), one("sunion", times(100_000, "u")), one("sinter", times(100_000, "u")), one("sdiff u", times(100_000, "uin")), one("sdiff u", times(100_000, "nosuch")),
		one("sinter u", named(100_000)), one("sintercard 100000", times(100_000, "u")),
		one("zunion 100000", times(100_000, "zin")), one("zunion 100000", times(100_000, "z")), one("zinter 100000", times(100_000, "z")), one("zinter 100000", times(100_000, "zin")), one("zintercard 100000", times(100_000, "z")), one("zdiff 100000 z", times(99_999, "zin")),
		one("zunion 100000", times(100_000, "zin"), []string{"weights"}, times(30000, "1")),
		one("zunionstore dst 2 z zsame"), one("zunionstore dst 100000", times(100_000, "zin")), one("zdiffstore dst 2 z nosuch"), one("sunionstore dst u uint"), one("zrangestore dst z 0 -1"),
		one("zunion 2 z u withscores"),
		one("geosearch g fromlonlat 0 0 byradius 40000 km asc withdist withhash withcoord"), one("geosearch g fromlonlat 0 0 bybox 40000 40000 km desc count 49999"), one("geosearchstore dst g fromlonlat 0 0 byradius 40000 km asc storedist"), one("geosearch g fromlonlat 0 0 byradius 40000 km", times(40000, "fromlonlat", "0", "0")),
		one("georadius_ro g 0 0 40000 km count 1 any"), one("geopos g", named(100_000)), one("geohash g", named(100_000)),
		one("geosearch g byradius 400 km", each(60000, func(i int) []string { return []string{"frommember", word(i % many)} })),
		one("sort l alpha desc"), one("sort lnum desc"), one("sort_ro l alpha"), one("sort l by nosuch get # get key:*"), one("sort l by nosuch get # get key:*->f"), one("sort lnum", times(20_000, "get", "#")), one("sort lnum by nosuch", times(20_000, "get", "nosuch")), one("sort lnum by nosuch limit 0 50", times(20_000, "get", "key:*")), one("sort lnum by z*"), one("sort lin by nosuch", times(25_000, "get", "*")), one("sort lnum by nosuch get # store dst"), one("sort lin by nosuch", times(60_000, "get", "s1m"), []string{"get", "s1m*"}),
		{name: "sort by pattern of 900 KB", cmds: [][]string{{"sort", "l", "by", x(900_000) + "*"}}},
		{name: "sort get pattern of 900 KB", cmds: [][]string{{"sort", "l", "by", "nosuch", "get", x(900_000) + "*"}}},
		{name: "sort by pattern -> of 900 KB", cmds: [][]string{{"sort", "l", "by", "*->" + x(900_000)}}},
		one("sort lbig alpha"), one("sort z by nosuch desc"), one("sort u alpha"),
		one("xrange x - +"), one("xrevrange x + -"), one("xread count 100000 streams x 0"), one("xread streams", times(60_000, "x"), times(60_000, "0")), one("xpending x g - + 100000"), one("xpending x g"), one("xautoclaim x g d 0 0 count 100000"), one("xautoclaim x g d 0 0 count 100000 justid"), one("xinfo stream x full count 0"), one("xinfo stream x full count 100000"), one("xinfo groups x"), one("xinfo consumers x g"),
		one("xreadgroup group g c count 100000 streams x 0"), one("xreadgroup group g c streams", times(60_000, "x"), times(60_000, "0")),
		one("xack x g", each(90_000, func(i int) []string { return []string{n(i) + "-1"} })), one("xdel x", each(90_000, func(i int) []string { return []string{n(i) + "-1"} })), one("xclaim x g c 0", each(90_000, func(i int) []string { return []string{n(i) + "-1"} })),
		on("tx", "x", one("xtrim tx maxlen 0")), on("tx", "x", one("xtrim tx maxlen 100")), on("tx", "x", one("xadd tx maxlen 1 * f v")), one("xdelex x ids 90000", each(90_000, func(i int) []string { return []string{n(i) + "-1"} })),
		one("xadd dst 1-1", times(60_000, "f", "v")), one("xgroup create x g2 0"), one("xgroup destroy x g2"),
		one("xread block 1 streams", each(60_000, func(i int) []string { return []string{word(i)} }), times(60_000, "0")),
		one("mget", times(131_000, "n")), one("mget", named(131_000)), one("mget", times(131_000, "s1m")), one("mget", times(90, "s90k")), one("exists", times(131_000, "n")), one("exists", named(131_000)), one("del", named(131_000)), one("unlink", times(131_000, "nosuch")), one("touch", named(131_000)),
		one("mset", each(65_000, func(i int) []string { return []string{word(i), "v"} })), one("msetnx", each(65_000, func(i int) []string { return []string{word(i), "v"} })), one("mset", times(65_000, "nn", "v")),
		one("del", each(names, func(i int) []string { return []string{"nokey:" + word(i)} })),
		one("pfcount", each(100_000, func(i int) []string { return []string{"hll" + n(i%40)} })), one("pfmerge dst", each(100_000, func(i int) []string { return []string{"hll" + n(i%40)} })), one("pfadd dst", named(131_000)), one("pfcount", times(100_000, "hll1")),
		one("bitop and dst", times(100_000, "s90k")), one("bitop not dst s100m"), one("bitcount s100m"), one("bitcount s100m 1 -2 bit"), one("bitpos s100m 1"), one("bitpos s100m 1 0 -1 bit"), one("setbit s100m 5 0"), one("setbit dst 4294967295 1"), one("getrange s100m 0 -1"), one("append s1m", []string{x(900_000)}), one("append s100m x"), one("setrange s100m 0 y"), one("setrange dst 536870000 x"), one("setrange dst 100000000 x"), one("get s100m"), one("strlen s100m"), one("digest s100m"), one("copy s100m dst replace"), one("getset s100m x"), one("rename s100m s100n"), one("rename s100n s100m"), one("getex s1m"), one("set s100m x ifeq y"),
		one("bitfield nn", times(30_000, "incrby", "u8", "0", "1")), one("bitfield nn", times(30_000, "get", "i64", "#100000")), one("bitfield nn set u8 4294967000 1"), one("bitfield s100m", times(30_000, "get", "i64", "#100000")), one("bitfield s90k", times(30_000, "set", "u8", "#100", "1")),
		{name: "lcs of 300 KB", cmds: [][]string{{"lcs", "lc1", "lc2", "idx", "minmatchlen", "0", "withmatchlen"}}, prepare: [][]string{{"set", "lc1", strings.Repeat("ab", 7_500)}, {"set", "lc2", strings.Repeat("ba", 7_500)}}},
		one("lcs s90k s90k"), one("lcs s100m n"), one("lcs s100m s1k"), one("lcs s1m s1k len"),
		one("keys *"), one("keys key:*"), {name: "keys with a glob of stars", cmds: [][]string{{"keys", strings.Repeat("*y", 100_000)}}}, {name: "keys with a glob of classes", cmds: [][]string{{"keys", strings.Repeat("*[a-z]", 100) + "!"}}}, {name: "keys with a long class", cmds: [][]string{{"keys", "*[" + strings.Repeat("A-B", 300_000) + "]"}}}, {name: "keys with many questions", cmds: [][]string{{"keys", "*" + strings.Repeat("?*", 400_000)}}},
		one("scan 0 count 1000000"), {name: "scan with a glob of stars", cmds: [][]string{{"scan", "0", "count", "1000000", "match", strings.Repeat("*y", 100_000)}}}, {name: "hscan with a glob over long values", cmds: [][]string{{"hscan", "h", "0", "count", "1000000", "match", strings.Repeat("*[^a-b]", 100_000)}}}, {name: "sscan long member glob", prepare: [][]string{{"sadd", "slong", x(300_000), x(299_999)}}, cmds: [][]string{{"sscan", "slong", "0", "match", strings.Repeat("*x", 1000) + "y"}}}, one("scan 0 type hash count 100000"), one("dbsize"), one("randomkey"),
		{name: "sscan glob x*x*…y over long members", prepare: [][]string{{"sadd", "slong", x(300_000), x(299_999)}}, cmds: [][]string{{"sscan", "slong", "0", "match", "*" + x(100_000) + "y*"}}},
		one("json.get jarr $..*"), one("json.get jarr $.*"), one("json.get jobj $..a"), one("json.get jobj $..*"), one("json.get jdeep $..*..*..*..*..*"), one("json.get jgrid $..*..*..*"), one("json.get jobj", each(60_000, func(i int) []string { return []string{"$." + word(i)} })), one("json.get jarr", times(10_000, "$..*")), one("json.get jobj", each(10_000, func(i int) []string { return []string{"$..x" + word(i)} })), one("json.mget", times(100_000, "jarr"), []string{"$[0]"}), one("json.mget", times(10_000, "jarr"), []string{"$..x"}), one("json.mget", times(10_000, "jobj"), []string{"$"}), one("json.type jarr $..*"), one("json.resp jarr $"), one("json.resp jdeep $..*"), one("json.debug memory jarr $..*"), one("json.debug memory jdeep $..*"), one("json.debug memory jgrid $..*"),
		one("json.get jarr indent xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx newline yyyyyyyyyyyyyyyyyyy $"), {name: "json.get with a long indent", cmds: [][]string{{"json.get", "jdeep", "indent", x(900_000), "$"}}}, {name: "json.get with a long indent of an array", cmds: [][]string{{"json.get", "jarr", "indent", x(900_000), "$"}}},
		one("json.objkeys jobj $"), one("json.objkeys jobj $..*"), one("json.arrindex jarr $ 2"), one("json.arrindex jgrid $..* 2"), {name: "json.arrindex of a large value", cmds: [][]string{{"json.arrindex", "jgrid", "$..*", "[" + strings.Repeat("0,", 300) + "1]"}}}, one("json.strlen jstr $.*"), one("json.arrlen jgrid $.*"),
		one("json.numincrby jarr $.* 1"), one("json.nummultby jgrid $..* 2"), one("json.numpowby jin $.* 1000"), one("json.toggle jin $.*"), {name: "json.strappend of 90 KB", cmds: [][]string{{"json.strappend", "jstr", "$.*", `"` + x(90_000) + `"`}}}, {name: "json.strappend of 900 KB", cmds: [][]string{{"json.strappend", "jstr", "$.*", `"` + x(900_000) + `"`}}}, {name: "json.set of 900 KB at many places", cmds: [][]string{{"json.set", "jgrid", "$..*", `"` + x(900_000) + `"`}}}, {name: "json.set of an array at many places", cmds: [][]string{{"json.set", "jarr", "$.*", "[" + strings.Repeat("0,", 300) + "0]"}}}, {name: "json.merge of an array at many places", cmds: [][]string{{"json.merge", "jarr", "$.*", `{"a":[` + strings.Repeat("0,", 300) + "0]}"}}}, {name: "json.arrappend", cmds: [][]string{{"json.arrappend", "jgrid", "$.*", "[" + strings.Repeat("0,", 300_000) + "0]"}}}, one("json.arrappend jgrid $.*", times(100_000, "0")), one("json.arrinsert jgrid $.* 0", times(100_000, "0")), one("json.arrpop jgrid $.* 0"), one("json.arrtrim jgrid $.* 1 1"), one("json.del jgrid $..*"), one("json.del jgrid $.*[0]"), one("json.clear jgrid $..*"),
		{name: "json.set deep", cmds: [][]string{{"json.set", "dst", "$", strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000)}}}, {name: "json.set wide", cmds: [][]string{{"json.set", "dst", "$", "[" + strings.Repeat("[],", 300_000) + "0]"}}}, {name: "json.set many names", cmds: [][]string{{"json.set", "dst", "$", "{" + strings.Repeat(`"":0,`, 180_000) + `"":0}`}}}, {name: "json.set wide objects", cmds: [][]string{{"json.set", "dst", "$", "[" + strings.Repeat("{},", 300_000) + "0]"}}},
		{name: "json.get filter regex", cmds: [][]string{{"json.get", "jlong", `$[?(@ =~ "(x+x+)+y")]`}}}, {name: "json.get filter regex repeat", cmds: [][]string{{"json.get", "jlong", `$[?(@ =~ "((x{1,100}){1,10})y")]`}}}, {name: "json.get filter many ors", cmds: [][]string{{"json.get", "jarr", "$[?(" + strings.Repeat("@.a==1||", 10_000) + "@==2)]"}}}, {name: "json.get filter parens", cmds: [][]string{{"json.get", "jarr", "$[?(" + strings.Repeat("(", 100_000) + "@==2" + strings.Repeat(")", 100_000) + ")]"}}}, {name: "json.get filter root", cmds: [][]string{{"json.get", "jarr", "$[?(@==$..x)]"}}}, {name: "json.get filter nested", cmds: [][]string{{"json.get", "jgrid", "$..[?(@..[?(@>0)])]"}}}, {name: "json.get union of indices", cmds: [][]string{{"json.get", "jin", "$[" + strings.Repeat("0,", 200_000) + "0]"}}}, {name: "json.get union twice", cmds: [][]string{{"json.get", "jgrid", "$[" + strings.Repeat("0,", 100_000) + "0][" + strings.Repeat("0,", 100_000) + "0]"}}}, {name: "json.get compares large values", cmds: [][]string{{"json.get", "jgrid", "$[?(@==$[0])]"}}}, {name: "json.get path of wildcards", cmds: [][]string{{"json.get", "jgrid", "$" + strings.Repeat("[*]", 200_000)}}}, {name: "json.get path of descents", cmds: [][]string{{"json.get", "jdeep", "$" + strings.Repeat("..*", 200_000)}}}, {name: "json.get in-filter", cmds: [][]string{{"json.get", "jarr", "$[?(@.a!=2 && @..b || !(@.c==3) && @ =~ \"a*\")]"}}},
		{name: "json.mset many", cmds: [][]string{append([]string{"json.mset"}, each(40_000, func(i int) []string { return []string{word(i), "$", "1"} })...)}}, {name: "json.mset same", cmds: [][]string{append([]string{"json.mset"}, times(40_000, "jarr", "$[0]", "1")...)}}, {name: "json.mset one document", cmds: [][]string{append([]string{"json.mset"}, times(40_000, "dj", "$", "1")...)}},
		one("hset dst", each(60_000, func(i int) []string { return []string{word(i), "v"} })), one("hset dst", times(60_000, "f", "v")), one("hmget h", named(131_000)), one("hmget h", times(131_000, "a")), one("hmget hbig", times(100_000, "1")), one("hmget hin", times(131_000, "1")), one("hdel h", each(100_000, func(i int) []string { return []string{"nosuch" + word(i)} })), on("th", "h", one("hdel th", named(many))), one("hrandfield h -1000000 withvalues"), one("hrandfield h 1000000 withvalues"), one("hrandfield hbig -1000000"), one("hrandfield hin -1000000"), one("hexpire h 100 fields 50000", named(many)), one("hexpire h 100 fields 100000", times(100_000, "1")), one("httl h fields 131000", named(131_000)), one("hpersist h fields 50000", named(many)), one("hgetdel h fields 100", each(100, func(i int) []string { return []string{"nosuch" + word(i)} })), one("hgetex h persist fields 50000", named(many)), one("hsetex h ex 100 fields 50000", each(many, func(i int) []string { return []string{word(i), "w"} })),
		one("srandmember u -1000000"), one("srandmember u 40000"), one("srandmember uin -100000"), one("smismember u", named(131_000)), one("sismember u a"), one("sadd dst", named(131_000)), one("srem u", each(131_000, func(i int) []string { return []string{"_" + word(i)} })), on("tu", "u", one("spop tu 49000")), on("tu", "u", one("spop tu 10")), one("smove u dst 1"),
		one("zadd dst", each(60_000, func(i int) []string { return []string{n(i), word(i)} })), one("zadd dst", times(60_000, "1", "m")), one("zadd z xx", each(60_000, func(i int) []string { return []string{n(i + 1), word(i)} })), one("zmscore z", named(131_000)), one("zrandmember z -100000 withscores"), one("zrandmember z 40000"), one("zrem z", each(131_000, func(i int) []string { return []string{"_" + word(i)} })), on("tz", "z", one("zpopmin tz 50000")), on("tz", "z", one("zremrangebyrank tz 0 49000")), on("tz", "z", one("zremrangebyscore tz 10 inf")), one("zmpop 100000", each(100_000, func(i int) []string { return []string{"_" + word(i)} }), []string{"min"}), one("zscan z 0 count 100000"),
		one("rpush dst", named(131_000)), one("lpush lin", times(131_000, "a")), on("tl", "l", one("linsert tl before zz v")), on("tl", "lsame", one("lrem tl 0 a")), on("tl", "lsame", one("lrem tl -25000 a")), on("tl", "l", one("ltrim tl 100 40000")), on("tl", "l", one("lpop tl 50000")), on("tl", "l", one("lset tl 25000 v")), one("lindex l 25000"), one("lmpop 100000", each(100_000, func(i int) []string { return []string{"_" + word(i)} }), []string{"left"}), one("lmove l l left right"), one("blpop", each(100_000, func(i int) []string { return []string{"_" + word(i)} }), []string{"0.001"}), one("linsert lbig before nosuch v"),
		one("copy h dst replace"), one("copy x dst replace"), one("copy lbig dst replace"), one("rename h h2"), one("rename h2 h"), one("dump h"), one("dump x"), one("dump s100m"), one("dump jarr"), one("dump z"), one("dump hbig"), one("object encoding h"), one("memory usage h"), one("memory usage x samples 0"), one("memory usage l samples 1000000"),
		one("command"), one("command docs"), one("command docs", times(100_000, "get")), one("command info", times(100_000, "get")), one("command getkeys mset", times(60_000, "a", "b")), one("command getkeysandflags mset", times(60_000, "a", "b")), one("acl cat"), one("acl genpass 4096"), one("info"), one("info", times(100_000, "all")), one("command list filterby pattern", []string{strings.Repeat("*a", 100_000)}), one("acl setuser u", times(50_000, "+get")), one("acl setuser u2", each(50_000, func(i int) []string { return []string{"~" + word(i)} })), one("acl dryrun default get k"),
		one("publish c", []string{x(900_000)}), one("pubsub channels *"), one("pubsub numsub", named(100_000)), one("echo", []string{x(900_000)}), one("ping", []string{x(900_000)}), one("client list"), one("script exists", times(100_000, "abc")), one("time"), one("config get", times(100_000, "*")), one("config get", []string{strings.Repeat("*a", 100_000)}),
		lua("empty loop", "while true do end"), lua("concat", "local s = '' for i = 1, 100000 do s = s .. 'x' end return #s"), lua("concat endless", "local s = '' while true do s = s .. 'x' end"), lua("double", "local s = 'x' while true do s = s .. s end"), lua("concat kept", "local t = {} local s = '' for i = 1, 1e9 do s = s .. 'x' t[i] = s end"), lua("concat in front", "local s = '' while true do s = 'x' .. s end"), lua("rep", "while true do local s = string.rep('x', 10000000) end"), lua("rep kept", "local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 1000000) end"), lua("rep many", "while true do string.rep('', 1e9) end"), lua("rep negative", "return #string.rep('abc', 1e9)"), lua("table of numbers", "local t = {} for i = 1, 1e9 do t[i] = i end"), lua("table of tables", "local t = {} for i = 1, 1e9 do t[i] = {} end"), lua("table of keys", "local t = {} for i = 1, 1e9 do t['k' .. i] = i end"), lua("tables of a field", "local t = {} for i = 1, 1e9 do t[i] = {a = i} end"), lua("tables of a field dropped", "while true do local t = {} t.a = 1 end"), lua("append", "for i = 1, 1e9 do redis.call('append', 'dst', 'x') end"), lua("sparse", "local t = {} for i = 1, 1e9 do t[i * 1000003] = i end"), lua("table.concat", "local t = {} for i = 1, 1000 do t[i] = string.rep('x', 1000) end while true do table.concat(t) end"), lua("table.concat many", "local t = {} for i = 1, 100000 do t[i] = 'x' end while true do table.concat(t, 'yyyyyyyyy') end"), lua("table.insert front", "local t = {} for i = 1, 1e9 do table.insert(t, 1, i) end"), lua("table.remove front", "local t = {} for i = 1, 100000 do t[i] = i end while true do table.remove(t, 1) t[#t+1] = 1 end"), lua("table.sort", "local t = {} for i = 1, 200000 do t[i] = (i * 7919) % 200003 end while true do table.sort(t) end"), lua("table.sort bad", "local t = {} for i = 1, 100000 do t[i] = i end while true do table.sort(t, function() return true end) end"), lua("length", "local t = {} for i = 1, 100000 do t[i] = i end while true do local n = #t end"), lua("next", "local t = {} for i = 1, 100000 do t['a' .. i] = i end while true do for k in pairs(t) do end end"), lua("next deleting", "local t = {} for i = 1, 100000 do t['a' .. i] = i end while true do local k = next(t) if not k then break end t[k] = nil end"), lua("unpack", "local t = {} for i = 1, 7000 do t[i] = i end while true do local a = {unpack(t)} end"),
		lua("find", "local s = string.rep('a', 100000) while true do s:find('b', 1, true) end"), lua("find pattern", "local s = string.rep('a', 100000) while true do s:find('.-b') end"), lua("match backtracking", "return string.rep('a', 1000):match(('a*'):rep(1000) .. 'b')"), lua("match .-", "return string.rep('a', 100000):match('.-.-.-.-.-.-.-b')"), lua("match balance", "return string.rep('(', 100000):match('%b()')"), lua("match frontier", "return string.rep('a', 100000):find('%f[b]')"), lua("match back reference", "return string.rep('a', 10000):match('(.-)%1b')"), lua("match class", "return string.rep('a', 10000):match('[' .. string.rep('b-c', 10000) .. ']*x')"), lua("gsub", "local s = string.rep('a', 100000) while true do s:gsub('a', 'bbbbbbbbbb') end"), lua("gsub empty", "local s = string.rep('a', 100000) while true do s:gsub('', 'bbbbbbbbbb') end"), lua("gsub growth", "local s = 'a' while true do s = s:gsub('a', 'aa') end"), lua("gsub function", "local s = string.rep('a', 100000) while true do s:gsub('.', function(c) return c end) end"), lua("gmatch", "local s = string.rep('a', 100000) while true do for w in s:gmatch('a') do end end"), lua("gsub %0", "local s = string.rep('a', 100000) while true do s:gsub('.*', '%0%0%0%0%0') end"), lua("byte", "local s = string.rep('a', 100000) while true do s:byte(1, 7000) end"), lua("char", "while true do string.char(1, 2, 3) end"), lua("reverse", "local s = string.rep('a', 10000000) while true do s:reverse() end"), lua("upper", "local s = string.rep('a', 10000000) while true do s:upper() end"), lua("sub", "local s = string.rep('a', 10000000) while true do s:sub(2) end"), lua("compare", "local s, u = string.rep('a', 10000000), string.rep('a', 10000000) while true do local b = s == u end"), lua("less", "local s, u = string.rep('a', 10000000) .. 'a', string.rep('a', 10000000) .. 'b' while true do local b = s < u end"), lua("index by long", "local s, t = string.rep('a', 10000000), {} while true do t[s] = 1 end"), lua("tonumber long", "local s = string.rep('1', 10000000) while true do tonumber(s) end"), lua("tostring", "while true do tostring(1.5) end"), lua("arithmetic of long", "local s = string.rep(' ', 10000000) .. '1' while true do local n = s + 1 end"), lua("format", "while true do string.format('%99.99f', 1e300) end"), lua("format s", "local s = string.rep('a', 1000000) while true do string.format('%s%s%s%s', s, s, s, s) end"), lua("format q", "local s = string.rep('\"', 1000000) while true do string.format('%q', s) end"), lua("format long", "local f = string.rep('%d', 100) while true do pcall(string.format, f) end"),
		lua("cjson encode", "local t = {} for i = 1, 100000 do t[i] = i end while true do cjson.encode(t) end"), lua("cjson encode deep", "local t = {} for i = 1, 900 do t = {t} end while true do cjson.encode(t) end"), lua("cjson encode fan", "local t = {} for i = 1, 25 do t = {t, t} end return #cjson.encode(t)"), lua("cjson decode", "local s = '[' .. string.rep('[],', 100000) .. '0]' while true do cjson.decode(s) end"), lua("cjson decode kept", "local s, k = '[' .. string.rep('[],', 100000) .. '0]', {} for i = 1, 1e9 do k[i] = cjson.decode(s) end"), lua("cjson decode deep", "local s = string.rep('[', 900) .. string.rep(']', 900) while true do cjson.decode(s) end"), lua("cjson decode string", "local s = '\"' .. string.rep('\\\\u0041', 100000) .. '\"' while true do cjson.decode(s) end"), lua("cjson decode numbers", "local s = '[' .. string.rep('1e5,', 100000) .. '0]' while true do cjson.decode(s) end"), lua("cjson encode strings", "local s = {} for i = 1, 100 do s[i] = string.rep('\"', 10000) end while true do cjson.encode(s) end"), lua("cjson sparse", "while true do pcall(cjson.encode, {[1000000] = 1}) end"), lua("cjson sparse ok", "cjson.encode_sparse_array(true, 0, 0) return #cjson.encode({[1000000000] = 1})"), lua("cmsgpack pack", "local t = {} for i = 1, 100000 do t[i] = i end while true do cmsgpack.pack(t) end"), lua("cmsgpack fan", "local t = {} for i = 1, 14 do t = {t, t, t, t} end return #cmsgpack.pack(t)"), lua("cmsgpack unpack", "local s = cmsgpack.pack({}) s = string.rep(s, 100000) while true do pcall(cmsgpack.unpack, s) end"), lua("cmsgpack claims", "while true do pcall(cmsgpack.unpack, '\\221\\127\\255\\255\\255') end"), lua("cmsgpack claims map", "while true do pcall(cmsgpack.unpack, '\\223\\127\\255\\255\\255') end"), lua("struct pack", "while true do struct.pack('>I2hs', 1, 2, 'x') end"), lua("struct pack long", "return #struct.pack(string.rep('x', 1000000) .. 'c0', string.rep('x', 1000000))"), lua("struct padding", "while true do struct.pack('c100000', string.rep('x', 100000)) end"), lua("struct unpack", "local s = string.rep('x', 1000) local f = string.rep('b', 1000) while true do struct.unpack(f, s) end"), lua("sha1hex", "local s = string.rep('x', 10000000) while true do redis.sha1hex(s) end"), lua("bit", "while true do bit.tohex(1, 8) end"), lua("log", "local s = string.rep('x', 1000000) while true do redis.log(redis.LOG_DEBUG, s) end"), lua("coroutines", "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) coroutine.resume(t[i]) end"), lua("coroutines dropped", "while true do coroutine.wrap(function() end)() end"), lua("recursion", "local function f() return 1 + f() end while true do pcall(f) end"), lua("pcall nested", "local function f(n) return pcall(f) end f()"), lua("closures", "while true do local f = function() return f end end"), lua("loadstring", "while true do loadstring('return 1') end"), lua("loadstring long", "local s = 'return ' .. string.rep('1+', 10000) .. '1' while true do loadstring(s) end"), lua("loadstring deep", "local s = 'return ' .. string.rep('(', 190) .. '1' .. string.rep(')', 190) while true do loadstring(s) end"), lua("error", "while true do pcall(error, {}) end"), lua("error long", "local s = string.rep('x', 1000000) while true do pcall(error, s) end"), lua("setmetatable", "while true do setmetatable({}, {__index = function() end}) end"), lua("index chain", "local t = {} for i = 1, 90 do t = setmetatable({}, {__index = t}) end while true do local x = t.a end"), lua("newindex chain", "local t = {} for i = 1, 90 do t = setmetatable({}, {__newindex = t}) end while true do t.a = nil end"), lua("index chain long key", "local k, t = string.rep('k', 1000000), {} for i = 1, 90 do t = setmetatable({}, {__index = t}) end while true do local x = t[k] end"), lua("gsub chain", "local s, t = string.rep('x', 100000), {} for i = 1, 90 do t = setmetatable({}, {__index = t}) end while true do string.gsub(s, '.', t) end"), lua("coroutine recursion", "local function f() return 1 + f() end while true do coroutine.resume(coroutine.create(f)) end"), lua("vararg", "local function f(...) return select('#', ...) end local t = {} for i = 1, 7000 do t[i] = 1 end while true do f(unpack(t)) end"), lua("reply deep", "local t = {} for i = 1, 900 do t = {t} end return t"), lua("reply fan", "local t = {} for i = 1, 24 do t = {t, t} end return t"), lua("reply wide", "local t = {} for i = 1, 1000000 do t[i] = 1 end return t"), lua("random", "while true do math.random() end"), lua("setresp", "while true do redis.setresp(3) end"), lua("breakpoint", "while true do redis.status_reply('x') end"),
		lua("source of a megabyte", strings.Repeat("local x = 1 ", 80_000)), lua("source of tables", "return {"+strings.Repeat("{},", 300_000)+"}"), lua("source of parens", "return "+strings.Repeat("(", 400_000)+"1"+strings.Repeat(")", 400_000)), lua("source of do", strings.Repeat("do ", 100_000)+strings.Repeat("end ", 100_000)), lua("source of functions", strings.Repeat("local function f() end ", 40_000)), lua("source of concats", "return 'x'"+strings.Repeat("..'x'", 150_000)), lua("source of unary", "return "+strings.Repeat("-", 1)+strings.Repeat("not ", 200_000)+"1"), lua("source of constants", "local t = {"+strings.Join(each(100_000, func(i int) []string { return []string{"'" + word(i) + "'"} }), ",")+"}"), lua("source a=b", strings.Repeat("a=b ", 200_000)), lua("source of elseif", "if a then"+strings.Repeat(" elseif a then", 60_000)+" end"), lua("source of calls", "f"+strings.Repeat("()", 400_000)), lua("source of ands", "return 1"+strings.Repeat(" and 1", 150_000)), lua("source of powers", "return 2"+strings.Repeat("^2", 300_000)), lua("source of a long string", "return [["+x(900_000)+"]]"), lua("source of comments", strings.Repeat("--\n", 300_000)), lua("source of newlines", strings.Repeat("\n", 900_000)), lua("source of garbage", strings.Repeat("~", 900_000)), lua("source of numbers", "return "+strings.Repeat("1", 900_000)), lua("source goto", strings.Repeat("goto a ", 100_000)), lua("source of locals", "local a"+strings.Repeat(",a", 300_000)), lua("source of strings", "return {"+strings.Repeat("'\\065',", 100_000)+"}"),
	}
}

// loops are commands of single elements, each 20,000 times in one script.
func loops() []form {
	var all []form
	for line := range strings.Lines(`
get n
set loop v
incr loopn
decr loopn
incrby loopn 2
decrby loopn 2
incrbyfloat loopn 2
setnx n v
setex loop 100 v
psetex loop 100000 v
getdel nosuch
delex nosuch
substr s1m 0 10
append loop v
setrange loop 10 v
type h
ttl h
pttl h
expiretime h
pexpiretime h
expire loop 100
pexpire loop 100000
expireat loop 4000000000
pexpireat loop 4000000000000
persist loop
move loop 1
renamenx n n
getbit s1m 7
setbit loop 7 1
bitcount s1k
bitfield_ro s1m get u8 0
restore loop 0 bad
lindex l 25000
llen l
lset lin 1 a
lrange lin 0 -1
rpushx nosuch v
lpushx nosuch v
rpush loopl v
lpush loopl v
rpop loopl
linsert lin before nosuch v
lrem lin 1 nosuch
rpoplpush lin loopl
brpop nosuch 0.001
blmove nosuch loopl left right 0.001
brpoplpush nosuch loopl 0.001
blmpop 0.001 1 nosuch left
hget h 1
hset loop2 f v
hmset loop2 f v
hsetnx hin 1 v
hexists h 1
hlen h
hkeys hin
hgetall hin
hstrlen h 1
hincrby loop3 f 1
hincrbyfloat loop3 f 1
hpexpire hin 100000 fields 1 1
hexpireat hin 4000000000 fields 1 1
hpexpireat hin 4000000000000 fields 1 1
hpttl hin fields 1 1
hexpiretime hin fields 1 1
hpexpiretime hin fields 1 1
hrandfield h
sismember u 1
smembers uin
srandmember u
scard u
zscore z 1
zcard z
zincrby loopz 1 m
zrange zin 0 -1
zrangebyscore z 10 20
zrevrange z 0 5
zrevrangebyscore z 20 10
zrevrangebylex zsame [b [a limit 0 1
zrevrank z 1
zrank z 1
zpopmax loopz
bzpopmin nosuch 0.001
bzpopmax nosuch 0.001
bzmpop 0.001 1 nosuch min
zinterstore loopz2 2 zin zin
zremrangebylex nosuch - +
geodist g 0 1
geoadd loopg 1 1 m
georadius g 0 0 1 km
georadiusbymember g 0 1 km
georadiusbymember_ro g 0 1 km
geosearch g frommember 0 byradius 1 km
pfadd loopp v
pfcount hll1
json.get jin $[0]
json.forget jin $.nosuch
json.objlen jobj $
json.set loopj $ 1
xlen x
xadd loopx * f v
xrange x - + count 1
xrevrange x + - count 1
xsetid loopx 9999999999999-0
xack x g 1-1
xackdel x g ids 1 1-1
sinterstore loopu uin uin
sdiffstore loopu uin nosuch
exists h
object freq h
`) {
		if args := strings.Fields(line); len(args) > 0 {
			source := "for i = 1, 20000 do redis.pcall(unpack(ARGV)) end"
			all = append(all, form{name: "20,000 times " + strings.TrimSpace(line), cmds: [][]string{append([]string{"eval", source, "0"}, args...)}})
		}
	}
	return all
}
