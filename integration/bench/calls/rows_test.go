package calls

// group is a section of the table: commands on small values, as they are sent.
type group struct {
	title  string
	blocks []block
}

// block are commands that all find the database in the same state. Each has a
// database of its own, unless all of them only read.
type block struct {
	before  string   // how the table describes it
	prepare []string // makes it; time passes afterwards, see tracesGone
	refusal string   // commands that are refused say this
	random  bool     // commands that start at a random place
	reads   bool     // commands that only read
	cmds    []string // "<dump>" stands for what DUMP replies for the key
}

// groups are all commands that touch data. The key is k; what there is beside it has longer names.
func groups() []group {
	return []group{
		stringRows(), genericRows(), bitmapRows(), hashRows(), listRows(), setRows(), zsetRows(), geoRows(), hllRows(), jsonRows(), multiKeyRows(), keyspaceRows(),
		streamRows(),
		scriptRows(),
	}
}

// States that several groups begin with.
var (
	noKey     = block{before: "no key"}
	aString   = block{before: "a string", prepare: []string{"SET k value"}}
	aVolatile = block{before: "a string that expires", prepare: []string{"SET k value EX 600"}}
	anInteger = block{before: "an integer", prepare: []string{"SET k 41"}}
	aList     = block{before: "5 elements", prepare: []string{"RPUSH k a b c d e"}}
	aHash     = block{before: "5 fields", prepare: []string{"HSET k f1 one f2 two f3 three f4 four n 5"}}
	aSet      = block{before: "5 members", prepare: []string{"SADD k a b c d e"}}
	aZSet     = block{before: "5 members", prepare: []string{"ZADD k 1 a 2 b 3 c 4 d 5 e"}}
)

// with is the block with its commands.
func (b block) with(cmds ...string) block {
	b.cmds = cmds
	return b
}

func stringRows() group {
	return group{"Strings", []block{
		noKey.with("GET k", "SET k value", "SET k value EX 60", "SET k value NX", "INCR k", "APPEND k more", "SETRANGE k 2 xyz", "INCRBYFLOAT k 1.5", "SETNX k value"),
		aString.with(
			"GET k", "SET k other", "SET k other EX 60", "SET k other PXAT 1999999999999", "SET k other KEEPTTL", "SET k other NX", "SET k other XX", "SET k other GET", "SET k other XX GET EX 60",
			"SETEX k 60 other", "PSETEX k 60000 other", "SETNX k other", "GETSET k other", "GETDEL k", "GETEX k", "GETEX k EX 60", "GETEX k PERSIST",
			"STRLEN k", "GETRANGE k 1 3", "SUBSTR k 1 3", "SETRANGE k 2 xyz", "APPEND k more", "DIGEST k", "DELEX k", "DELEX k IFEQ value", "DELEX k IFNE value"),
		anInteger.with("INCR k", "DECR k", "INCRBY k 10", "DECRBY k 10", "INCRBYFLOAT k 1.5"),
		aVolatile.with("GET k", "SET k other", "SET k other KEEPTTL", "GETEX k PERSIST"),
		block{before: "one that has expired", prepare: []string{"SET k 41 EX 1"}}.with("GET k", "SET k other", "SET k other NX", "INCR k", "GETDEL k"),
	}}
}

func genericRows() group {
	return group{"Keys", []block{
		aString.with(
			"DEL k", "UNLINK k", "EXISTS k", "TOUCH k", "TYPE k", "TTL k", "PTTL k", "EXPIRETIME k", "PEXPIRETIME k", "EXPIRE k 60", "PEXPIRE k 60000", "EXPIREAT k 1999999999",
			"PEXPIREAT k 1999999999999", "EXPIRE k 60 NX", "EXPIRE k 60 LT", "PERSIST k", "DUMP k", "OBJECT ENCODING k", "OBJECT REFCOUNT k", "OBJECT IDLETIME k", "MEMORY USAGE k"),
		aVolatile.with("TTL k", "EXPIRE k 60", "EXPIRE k 60 NX", "EXPIRE k 60 XX", "EXPIRE k 60 GT", "EXPIRE k 60 LT", "EXPIRE k 0", "PERSIST k"),
		noKey.with("DEL k", "EXISTS k", "TYPE k", "TTL k", "EXPIRE k 60", "PERSIST k"),
		aHash.with("DEL k", "EXPIRE k 60", "TYPE k"),
		block{before: "an integer", prepare: []string{"SET k 41"}}.with("RESTORE k 0 <dump> REPLACE"),
		aList.with("SORT k ALPHA", "SORT_RO k ALPHA"),
		block{before: "a string", prepare: []string{"SET k value"}, refusal: "ERR"}.with("MOVE k 1", "OBJECT FREQ k"),
	}}
}

func bitmapRows() group {
	return group{"Bitmaps", []block{
		noKey.with("SETBIT k 7 1"),
		aString.with("SETBIT k 7 1", "GETBIT k 7", "BITCOUNT k", "BITPOS k 1", "BITFIELD k GET u8 0", "BITFIELD k INCRBY u8 0 1", "BITFIELD_RO k GET u8 0"),
	}}
}

func hashRows() group {
	return group{"Hashes", []block{
		noKey.with("HSET k f1 one", "HSET k f1 one f2 two f3 three", "HGET k f1", "HSETNX k f1 one", "HINCRBY k n 1", "HSETEX k EX 60 FIELDS 1 f1 one"),
		aHash.with(
			"HSET k f1 uno", "HSET k f9 nine", "HSET k f1 uno f9 nine", "HMSET k f1 uno", "HSETNX k f1 uno", "HSETNX k f9 nine", "HGET k f1", "HMGET k f1 f2", "HGETALL k", "HKEYS k", "HVALS k",
			"HLEN k", "HEXISTS k f1", "HSTRLEN k f1", "HDEL k f1", "HDEL k f1 f2", "HDEL k nosuch", "HINCRBY k n 1", "HINCRBYFLOAT k n 1.5", "HRANDFIELD k", "HRANDFIELD k 2 WITHVALUES", "HSCAN k 0",
			"HEXPIRE k 60 FIELDS 1 f1", "HPEXPIRE k 60000 FIELDS 1 f1", "HEXPIREAT k 1999999999 FIELDS 1 f1", "HPEXPIREAT k 1999999999999 FIELDS 1 f1",
			"HGETDEL k FIELDS 1 f1", "HGETEX k FIELDS 1 f1", "HGETEX k EX 60 FIELDS 1 f1", "HSETEX k FIELDS 1 f1 uno", "HSETEX k EX 60 FIELDS 1 f1 uno"),
		block{before: "5 fields, one expires", prepare: append([]string{aHash.prepare[0]}, "HEXPIRE k 600 FIELDS 1 f1")}.with(
			"HGET k f1", "HSET k f1 uno", "HSET k f2 dos", "HDEL k f1", "HTTL k FIELDS 1 f1", "HPTTL k FIELDS 1 f1", "HEXPIRETIME k FIELDS 1 f1", "HPEXPIRETIME k FIELDS 1 f1", "HPERSIST k FIELDS 1 f1"),
		block{before: "1 field", prepare: []string{"HSET k f1 one"}}.with("HDEL k f1"),
		block{before: "one that has expired", prepare: []string{"HSET k f1 one", "EXPIRE k 1"}}.with("HSET k f1 uno", "HGET k f1"),
	}}
}

func listRows() group {
	return group{"Lists", []block{
		noKey.with("LPUSH k x", "RPUSH k x", "LPUSHX k x", "LPOP k", "LLEN k", "BLPOP k 0.01"),
		aList.with(
			"LPUSH k x", "LPUSH k x y z", "RPUSH k x", "LPUSHX k x", "RPUSHX k x", "LPOP k", "LPOP k 2", "RPOP k", "RPOP k 2", "LLEN k", "LINDEX k 2", "LINDEX k -1", "LRANGE k 0 -1", "LRANGE k 1 2",
			"LSET k 2 x", "LINSERT k BEFORE c x", "LREM k 0 c", "LTRIM k 1 3", "LPOS k c", "LMOVE k k LEFT RIGHT", "LMPOP 1 k LEFT", "BLPOP k 0", "BRPOP k 0", "BLMPOP 0 1 k LEFT"),
		block{before: "1 element", prepare: []string{"RPUSH k a"}}.with("LPOP k", "RPOP k"),
		block{before: "one that has expired", prepare: []string{"RPUSH k a", "EXPIRE k 1"}}.with("RPUSH k x", "LPOP k"),
	}}
}

func setRows() group {
	return group{"Sets", []block{
		noKey.with("SADD k a", "SMEMBERS k"),
		aSet.with(
			"SADD k x", "SADD k a", "SADD k x y z", "SREM k a", "SREM k nosuch", "SCARD k", "SISMEMBER k a", "SMISMEMBER k a x", "SMEMBERS k", "SPOP k", "SPOP k 2", "SRANDMEMBER k", "SRANDMEMBER k 2", "SSCAN k 0"),
		block{before: "1 member", prepare: []string{"SADD k a"}}.with("SREM k a", "SPOP k"),
	}}
}

func zsetRows() group {
	return group{"Sorted sets", []block{
		noKey.with("ZADD k 1 a", "ZRANGE k 0 -1", "ZINCRBY k 1 a"),
		aZSet.with(
			"ZADD k 6 x", "ZADD k 9 a", "ZADD k 6 x 7 y", "ZADD k NX 6 x", "ZADD k XX 9 a", "ZADD k GT 9 a", "ZADD k CH 9 a", "ZADD k INCR 1 a", "ZINCRBY k 1 a", "ZREM k a", "ZCARD k", "ZCOUNT k 2 4", "ZLEXCOUNT k - +",
			"ZSCORE k a", "ZMSCORE k a b", "ZRANK k c", "ZRANK k c WITHSCORE", "ZREVRANK k c", "ZRANGE k 0 -1", "ZRANGE k 2 4 BYSCORE", "ZRANGE k - + BYLEX", "ZRANGE k 0 -1 REV WITHSCORES", "ZREVRANGE k 0 -1",
			"ZRANGEBYSCORE k 2 4", "ZREVRANGEBYSCORE k 4 2", "ZRANGEBYLEX k - +", "ZREVRANGEBYLEX k + -", "ZPOPMIN k", "ZPOPMAX k", "ZMPOP 1 k MIN", "BZPOPMIN k 0", "BZPOPMAX k 0", "BZMPOP 0 1 k MIN",
			"ZREMRANGEBYRANK k 0 1", "ZREMRANGEBYSCORE k 2 4", "ZREMRANGEBYLEX k - [b", "ZRANDMEMBER k", "ZRANDMEMBER k 2", "ZSCAN k 0"),
		block{before: "1 member", prepare: []string{"ZADD k 1 a"}}.with("ZREM k a", "ZPOPMIN k"),
	}}
}

func geoRows() group {
	places := block{before: "2 places", prepare: []string{"GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"}}
	return group{"Geospatial indexes", []block{
		noKey.with("GEOADD k 13.361389 38.115556 Palermo"),
		places.with(
			"GEOADD k 12.5 37.9 Trapani", "GEODIST k Palermo Catania", "GEOHASH k Palermo", "GEOPOS k Palermo", "GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km", "GEORADIUS k 15 37 200 km", "GEORADIUS_RO k 15 37 200 km",
			"GEORADIUSBYMEMBER k Palermo 200 km", "GEORADIUSBYMEMBER_RO k Palermo 200 km", "GEOSEARCHSTORE near k FROMLONLAT 15 37 BYRADIUS 200 km", "GEORADIUS k 15 37 200 km STORE near"),
	}}
}

func hllRows() group {
	hll := block{before: "3 elements", prepare: []string{"PFADD k a b c"}}
	return group{"HyperLogLogs", []block{
		noKey.with("PFADD k a"),
		hll.with("PFADD k x", "PFADD k a", "PFCOUNT k", "PFMERGE k"),
	}}
}

func multiKeyRows() group {
	lists := block{before: "2 lists", prepare: []string{"RPUSH k a b c", "RPUSH k2 d e"}}
	sets := block{before: "2 sets", prepare: []string{"SADD k a b c", "SADD k2 b c d"}}
	zsets := block{before: "2 sorted sets", prepare: []string{"ZADD k 1 a 2 b 3 c", "ZADD k2 2 b 3 c 4 d"}}
	strings := block{before: "2 strings", prepare: []string{"MSET k value k2 other"}}
	ten := block{before: "10 strings", prepare: []string{"MSET " + pairs(10)}}
	return group{"Several keys", []block{
		noKey.with("MSET "+pairs(10), "MSETNX "+pairs(10), "MGET "+names(10)),
		ten.with("MGET "+names(10), "MSET "+pairs(10), "MSETNX "+pairs(10), "DEL "+names(10), "UNLINK "+names(10), "EXISTS "+names(10), "TOUCH "+names(10)),
		strings.with("RENAME k k2", "RENAME k new", "RENAMENX k new", "COPY k new", "COPY k k2 REPLACE", "LCS k k2", "BITOP AND new k k2"),
		lists.with("LMOVE k k2 LEFT RIGHT", "RPOPLPUSH k k2", "BLMOVE k k2 LEFT RIGHT 0", "BRPOPLPUSH k k2 0", "LMPOP 2 k k2 LEFT", "BLPOP k k2 0", "RENAME k k2"),
		sets.with("SMOVE k k2 a", "SINTER k k2", "SINTERCARD 2 k k2", "SUNION k k2", "SDIFF k k2", "SINTERSTORE new k k2", "SUNIONSTORE new k k2", "SDIFFSTORE new k k2"),
		zsets.with("ZUNION 2 k k2", "ZINTER 2 k k2", "ZDIFF 2 k k2", "ZINTERCARD 2 k k2", "ZUNIONSTORE new 2 k k2", "ZINTERSTORE new 2 k k2", "ZDIFFSTORE new 2 k k2", "ZRANGESTORE new k 0 1", "ZMPOP 2 k k2 MIN", "BZPOPMIN k k2 0"),
		block{before: "2 HyperLogLogs", prepare: []string{"PFADD k a b", "PFADD k2 b c"}}.with("PFCOUNT k k2", "PFMERGE new k k2"),
		block{before: "a list, and a string for each element", prepare: []string{"RPUSH k a b c", "MSET w_a 3 w_b 2 w_c 1"}}.with("SORT k BY w_* GET w_*", "SORT_RO k BY w_* GET w_*", "SORT k ALPHA STORE new"),
	}}
}

// wholeDatabase is the title of the commands that are about all keys.
const wholeDatabase = "The whole database"

func keyspaceRows() group {
	thousand := block{before: "1,000 strings", reads: true}
	for i := 0; i < 1000; i += 100 {
		thousand.prepare = append(thousand.prepare, "MSET "+pairsFrom(i, 100))
	}
	random := thousand.with("RANDOMKEY")
	random.random = true
	return group{wholeDatabase, []block{
		thousand.with("KEYS *", "KEYS key0007", "SCAN 0", "SCAN 0 COUNT 1000", "DBSIZE"),
		random,
		block{before: "10 strings", prepare: []string{"MSET " + pairs(10)}}.with("FLUSHDB", "FLUSHALL"),
		block{before: "no key", refusal: "ERR"}.with("SWAPDB 0 1"),
	}}
}
