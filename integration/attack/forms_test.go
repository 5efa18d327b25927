package attack

import "strings"

// form is a command in its shortest form, as it is sent. {k} is a key of the type that the form begins with,
// {d} one that need not be there. In writes, what would change something.
type form struct {
	kind string // of the keys: "string", "list" ...
	args []string
}

func (f form) name() string { return strings.ToLower(f.args[0]) }

// keys are the places of keys among the arguments.
func (f form) keys() []int {
	var places []int
	for i, a := range f.args {
		if a == "{k}" || a == "{d}" {
			places = append(places, i)
		}
	}
	return places
}

// on is the form with keys of a prefix, but for the argument at a place, which gets another prefix.
func (f form) on(prefix string, place int, other string) []string {
	args := append([]string(nil), f.args...)
	for _, i := range f.keys() {
		p := prefix
		if i == place {
			p = other
		}
		args[i] = p + strings.NewReplacer("{k}", f.kind, "{d}", "destination").Replace(args[i])
	}
	return args
}

// parseForms reads a form a line: the kind of its keys, and the command.
func parseForms(text string) []form {
	var forms []form
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 {
			forms = append(forms, form{fields[0], fields[1:]})
		}
	}
	return forms
}

// seed makes a key of each kind under a prefix; each holds the word "hidden".
func seed(prefix string) [][]string {
	var cmds [][]string
	for line := range strings.Lines(`
SET {p}string hidden
SET {p}number 41
LSET {p}list 0 hidden
RPUSH {p}list hidden b c
HSET {p}hash f hidden n 1
SADD {p}set hidden b c
ZADD {p}zset 1 hidden 2 b 3 c
GEOADD {p}geo 13.36 38.11 hidden 15.08 37.50 b
PFADD {p}hll hidden b
JSON.SET {p}json $ {"a":"hidden","n":1,"l":[1],"t":true}
XADD {p}stream 1-1 f hidden
XGROUP CREATE {p}stream g 0
XREADGROUP GROUP g c COUNT 1 STREAMS {p}stream >
XADD {p}stream 2-1 f hidden
`) {
		if fields := strings.Fields(strings.ReplaceAll(line, "{p}", prefix)); len(fields) > 0 && fields[0] != "LSET" {
			cmds = append(cmds, fields)
		}
	}
	return cmds
}

// reading are commands that change nothing.
var reading = parseForms(`
string GET {k}
string STRLEN {k}
string GETRANGE {k} 0 -1
string SUBSTR {k} 0 -1
string MGET {k} {k}
string DIGEST {k}
string LCS {k} {k}
string EXISTS {k} {k}
string TOUCH {k} {k}
string TYPE {k}
string TTL {k}
string PTTL {k}
string EXPIRETIME {k}
string PEXPIRETIME {k}
string DUMP {k}
string OBJECT ENCODING {k}
string OBJECT FREQ {k}
string OBJECT IDLETIME {k}
string OBJECT REFCOUNT {k}
string MEMORY USAGE {k}
string GETBIT {k} 1
string BITCOUNT {k}
string BITPOS {k} 1
string BITFIELD_RO {k} GET u8 0
list LRANGE {k} 0 -1
list LLEN {k}
list LINDEX {k} 0
list LPOS {k} hidden
list SORT_RO {k} ALPHA
hash HGET {k} f
hash HMGET {k} f n
hash HGETALL {k}
hash HKEYS {k}
hash HVALS {k}
hash HLEN {k}
hash HEXISTS {k} f
hash HSTRLEN {k} f
hash HRANDFIELD {k} 2 WITHVALUES
hash HSCAN {k} 0
hash HTTL {k} FIELDS 1 f
hash HPTTL {k} FIELDS 1 f
hash HEXPIRETIME {k} FIELDS 1 f
hash HPEXPIRETIME {k} FIELDS 1 f
set SMEMBERS {k}
set SCARD {k}
set SISMEMBER {k} hidden
set SMISMEMBER {k} hidden b
set SRANDMEMBER {k} 2
set SINTER {k} {k}
set SINTERCARD 2 {k} {k}
set SUNION {k} {k}
set SDIFF {k} {k}
set SSCAN {k} 0
zset ZRANGE {k} 0 -1
zset ZREVRANGE {k} 0 -1
zset ZRANGEBYSCORE {k} -inf +inf
zset ZREVRANGEBYSCORE {k} +inf -inf
zset ZRANGEBYLEX {k} - +
zset ZREVRANGEBYLEX {k} + -
zset ZCARD {k}
zset ZCOUNT {k} -inf +inf
zset ZLEXCOUNT {k} - +
zset ZSCORE {k} hidden
zset ZMSCORE {k} hidden b
zset ZRANK {k} hidden
zset ZREVRANK {k} hidden
zset ZRANDMEMBER {k} 2
zset ZSCAN {k} 0
zset ZUNION 2 {k} {k}
zset ZINTER 2 {k} {k}
zset ZDIFF 2 {k} {k}
zset ZINTERCARD 2 {k} {k}
geo GEODIST {k} hidden b
geo GEOHASH {k} hidden
geo GEOPOS {k} hidden
geo GEOSEARCH {k} FROMMEMBER hidden BYRADIUS 1000 km
geo GEORADIUS_RO {k} 15 37 1000 km
geo GEORADIUSBYMEMBER_RO {k} hidden 1000 km
hll PFCOUNT {k} {k}
json JSON.GET {k} $
json JSON.MGET {k} {k} $
json JSON.TYPE {k} $
json JSON.RESP {k} $
json JSON.DEBUG MEMORY {k}
json JSON.OBJKEYS {k} $
json JSON.OBJLEN {k} $
json JSON.ARRINDEX {k} $.l 1
json JSON.ARRLEN {k} $.l
json JSON.STRLEN {k} $.a
stream XLEN {k}
stream XRANGE {k} - +
stream XREVRANGE {k} + -
stream XREAD STREAMS {k} {k} 0 0
stream XPENDING {k} g
stream XINFO STREAM {k}
stream XINFO GROUPS {k}
stream XINFO CONSUMERS {k} g
`)

// writing are commands that change something, as options of reading ones do.
var writing = parseForms(`
string SET {k} evil
string SET {k} evil GET
string SETEX {k} 100 evil
string PSETEX {k} 100000 evil
string SETNX {d} evil
string GETSET {k} evil
string GETDEL {k}
string GETEX {k} EX 100
string APPEND {k} evil
string SETRANGE {k} 0 evil
string MSET {k} evil {d} evil
string MSETNX {d} evil
string DELEX {k}
number INCR {k}
number DECR {k}
number INCRBY {k} 2
number DECRBY {k} 2
number INCRBYFLOAT {k} 2
string DEL {k} {k}
string UNLINK {k} {k}
string RENAME {k} {d}
string RENAMENX {k} {d}
string COPY {k} {d}
string EXPIRE {k} 100
string PEXPIRE {k} 100000
string EXPIREAT {k} 4000000000
string PEXPIREAT {k} 4000000000000
string PERSIST {k}
string RESTORE {d} 0 AAAA
string SETBIT {k} 1 1
string BITOP NOT {d} {k}
string BITOP XOR {d} {k} {k}
string BITFIELD {k} SET u8 0 1
string BITFIELD {k} INCRBY u8 0 1
list LPUSH {k} evil
list RPUSH {k} evil
list LPUSHX {k} evil
list RPUSHX {k} evil
list LPOP {k}
list RPOP {k}
list LSET {k} 0 evil
list LINSERT {k} BEFORE hidden evil
list LREM {k} 0 hidden
list LTRIM {k} 1 1
list LMOVE {k} {d} LEFT RIGHT
list RPOPLPUSH {k} {d}
list LMPOP 2 {k} {k} LEFT
list BLPOP {k} {k} 0.01
list BRPOP {k} {k} 0.01
list BLMOVE {k} {d} LEFT RIGHT 0.01
list BRPOPLPUSH {k} {d} 0.01
list BLMPOP 0.01 2 {k} {k} LEFT
list SORT {k} ALPHA STORE {d}
hash HSET {k} f evil
hash HMSET {k} f evil
hash HSETNX {k} g evil
hash HDEL {k} f
hash HINCRBY {k} n 1
hash HINCRBYFLOAT {k} n 1
hash HEXPIRE {k} 100 FIELDS 1 f
hash HPEXPIRE {k} 100000 FIELDS 1 f
hash HEXPIREAT {k} 4000000000 FIELDS 1 f
hash HPEXPIREAT {k} 4000000000000 FIELDS 1 f
hash HPERSIST {k} FIELDS 1 f
hash HGETDEL {k} FIELDS 1 f
hash HGETEX {k} EX 100 FIELDS 1 f
hash HSETEX {k} EX 100 FIELDS 1 f evil
set SADD {k} evil
set SREM {k} hidden
set SPOP {k}
set SMOVE {k} {d} hidden
set SINTERSTORE {d} {k} {k}
set SUNIONSTORE {d} {k} {k}
set SDIFFSTORE {d} {k} {k}
zset ZADD {k} 9 evil
zset ZINCRBY {k} 1 hidden
zset ZREM {k} hidden
zset ZPOPMIN {k}
zset ZPOPMAX {k}
zset ZMPOP 2 {k} {k} MIN
zset BZPOPMIN {k} {k} 0.01
zset BZPOPMAX {k} {k} 0.01
zset BZMPOP 0.01 2 {k} {k} MIN
zset ZRANGESTORE {d} {k} 0 -1
zset ZREMRANGEBYRANK {k} 0 0
zset ZREMRANGEBYSCORE {k} 0 9
zset ZREMRANGEBYLEX {k} - +
zset ZUNIONSTORE {d} 2 {k} {k}
zset ZINTERSTORE {d} 2 {k} {k}
zset ZDIFFSTORE {d} 2 {k} {k}
geo GEOADD {k} 1 1 evil
geo GEOSEARCHSTORE {d} {k} FROMMEMBER hidden BYRADIUS 1000 km
geo GEORADIUS {k} 15 37 1000 km STORE {d}
geo GEORADIUS {k} 15 37 1000 km STOREDIST {d}
geo GEORADIUSBYMEMBER {k} hidden 1000 km STORE {d}
hll PFADD {k} evil
hll PFMERGE {d} {k} {k}
json JSON.SET {k} $.a "evil"
json JSON.MSET {k} $.a "evil" {d} $ 1
json JSON.MERGE {k} $ {"a":"evil"}
json JSON.DEL {k} $.a
json JSON.FORGET {k} $.a
json JSON.CLEAR {k} $
json JSON.NUMINCRBY {k} $.n 1
json JSON.NUMMULTBY {k} $.n 2
json JSON.NUMPOWBY {k} $.n 2
json JSON.STRAPPEND {k} $.a "evil"
json JSON.TOGGLE {k} $.t
json JSON.ARRAPPEND {k} $.l 2
json JSON.ARRINSERT {k} $.l 0 2
json JSON.ARRPOP {k} $.l
json JSON.ARRTRIM {k} $.l 1 1
stream XADD {k} * f evil
stream XADD {k} MAXLEN 1 * f evil
stream XSETID {k} 9-9
stream XDEL {k} 1-1
stream XDELEX {k} IDS 1 1-1
stream XTRIM {k} MAXLEN 0
stream XACK {k} g 1-1
stream XACKDEL {k} g IDS 1 1-1
stream XREADGROUP GROUP g c STREAMS {k} >
stream XCLAIM {k} g d 0 1-1
stream XAUTOCLAIM {k} g d 0 0
stream XGROUP CREATE {k} h 0
stream XGROUP CREATE {d} h 0 MKSTREAM
stream XGROUP CREATECONSUMER {k} g e
stream XGROUP DELCONSUMER {k} g c
stream XGROUP DESTROY {k} g
stream XGROUP SETID {k} g 0
`)
