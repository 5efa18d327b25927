import assert from "node:assert/strict";
import { before, test } from "node:test";
import { near, newKey, onEachStore } from "./stores.mjs";

const sorted = (list) => [...list].sort();
const futureSeconds = () => Math.floor(Date.now() / 1000) + 1000;

onEachStore("data types", (server) => {
  let redis;
  before(() => {
    redis = server.connect();
  });

  test("strings: set with conditions, get, and what is read back on the way", async () => {
    const key = newKey();
    assert.equal(await redis.set(key, "one"), "OK");
    assert.equal(await redis.get(key), "one");
    assert.equal(await redis.set(key, "two", { nx: true }), null);
    assert.equal(await redis.set(newKey(), "two", { xx: true }), null);
    assert.equal(await redis.set(key, "three", { xx: true, get: true }), "one");
    assert.equal(await redis.getset(key, "four"), "three");
    assert.equal(await redis.setnx(key, "five"), 0);
    assert.equal(await redis.getdel(key), "four");
    assert.equal(await redis.get(key), null);
    assert.equal(await redis.setnx(key, "five"), 1);
  });

  test("strings: parts and lengths", async () => {
    const key = newKey();
    assert.equal(await redis.append(key, "hello"), 5);
    assert.equal(await redis.append(key, " world"), 11);
    assert.equal(await redis.strlen(key), 11);
    assert.equal(await redis.getrange(key, 0, 4), "hello");
    assert.equal(await redis.getrange(key, -5, -1), "world");
    assert.equal(await redis.setrange(key, 6, "there"), 11);
    assert.equal(await redis.get(key), "hello there");
  });

  test("strings: counters", async () => {
    const key = newKey();
    assert.equal(await redis.incr(key), 1);
    assert.equal(await redis.incrby(key, 41), 42);
    assert.equal(await redis.decr(key), 41);
    assert.equal(await redis.decrby(key, 40), 1);
    assert.equal(await redis.incrbyfloat(key, 0.5), 1.5);
    await redis.set(key, "text");
    await assert.rejects(redis.incr(key), /value is not an integer or out of range/);
  });

  test("strings: several keys at once", async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    assert.equal(await redis.mset({ [a]: "1st", [b]: "2nd" }), "OK");
    assert.deepEqual(await redis.mget(a, c, b), ["1st", null, "2nd"]);
    assert.equal(await redis.msetnx({ [a]: "x", [c]: "y" }), 0);
    assert.deepEqual(await redis.mget(a, c), ["1st", null]);
    assert.equal(await redis.exists(a, b, c, a), 3);
    assert.equal(await redis.del(a, b, c), 2);
  });

  test("strings: values far beyond one item", async () => {
    const key = newKey();
    const value = "0123456789".repeat(150_000);
    assert.equal(await redis.set(key, value), "OK");
    assert.equal(await redis.strlen(key), value.length);
    assert.equal(await redis.getrange(key, 1_234_560, 1_234_569), "0123456789");
    assert.equal(await server.connect({ automaticDeserialization: false }).get(key), value);
  });

  test("expiry: set, ask, take away", async () => {
    const key = newKey();
    await redis.set(key, "v", { ex: 100 });
    near(await redis.ttl(key), 100, 2);
    near(await redis.pttl(key), 100_000, 2000);
    assert.equal(await redis.persist(key), 1);
    assert.equal(await redis.ttl(key), -1);
    assert.equal(await redis.expire(key, 50), 1);
    assert.equal(await redis.expire(key, 10, "GT"), 0);
    assert.equal(await redis.pexpire(key, 200_000, "XX"), 1);
    near(await redis.pttl(key), 200_000, 2000);
    assert.equal(await redis.expireat(key, futureSeconds()), 1);
    near(await redis.ttl(key), 1000, 3);
    assert.equal(await redis.getex(key, { persist: true }), "v");
    assert.equal(await redis.ttl(key), -1);
    assert.equal(await redis.ttl(newKey()), -2);
    assert.equal(await redis.setex(key, 30, "w"), "OK");
    near(await redis.ttl(key), 30, 2);
    assert.equal(await redis.expire(key, -1), 1);
    assert.equal(await redis.exists(key), 0);
  });

  test("expiry: a key is gone when its time has come", async () => {
    const key = newKey();
    await redis.psetex(key, 1, "v");
    const end = Date.now() + 5;
    while (Date.now() < end) {
      await redis.ping();
    }
    assert.equal(await redis.get(key), null);
    assert.equal(await redis.set(key, "again", { nx: true }), "OK");
    assert.equal(await redis.ttl(key), -1);
  });

  test("bitmaps", async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    assert.equal(await redis.setbit(a, 7, 1), 0);
    assert.equal(await redis.setbit(a, 100, 1), 0);
    assert.equal(await redis.getbit(a, 7), 1);
    assert.equal(await redis.bitcount(a), 2);
    assert.equal(await redis.bitcount(a, 0, 0), 1);
    assert.equal(await redis.bitpos(a, 1), 7);
    await redis.setbit(b, 7, 1);
    assert.equal(await redis.bitop("and", c, a, b), 13);
    assert.equal(await redis.bitcount(c), 1);
    const single = server.connect({ enableAutoPipelining: false }); // the client's builder has no auto-pipelining
    assert.deepEqual(await single.bitfield(newKey()).set("u8", "#0", 255).incrby("u8", "#0", 2).get("u8", "#0").exec(), [0, 1, 1]);
    assert.deepEqual(await single.bitfield(newKey()).set("u8", 0, 250).overflow("SAT").incrby("u8", 0, 10).exec(), [0, 255]);
  });

  test("hashes", async () => {
    const key = newKey();
    assert.equal(await redis.hset(key, { name: "Ada", born: 1815, langs: ["en", "fr"] }), 3);
    assert.equal(await redis.hset(key, { born: 1816 }), 0);
    assert.equal(await redis.hget(key, "name"), "Ada");
    assert.deepEqual(await redis.hgetall(key), { name: "Ada", born: 1816, langs: ["en", "fr"] });
    assert.deepEqual(await redis.hmget(key, "born", "none"), { born: 1816, none: null });
    assert.deepEqual(sorted(await redis.hkeys(key)), ["born", "langs", "name"]);
    assert.equal((await redis.hvals(key)).length, 3);
    assert.equal(await redis.hlen(key), 3);
    assert.equal(await redis.hexists(key, "born"), 1);
    assert.equal(await redis.hstrlen(key, "name"), 3);
    assert.equal(await redis.hsetnx(key, "name", "Bob"), 0);
    assert.equal(await redis.hincrby(key, "born", 4), 1820);
    assert.equal(await redis.hincrbyfloat(key, "born", 0.5), 1820.5);
    assert.equal(await redis.hmset(key, { a: 1, b: 2 }), "OK");
    assert.ok(["name", "born", "langs", "a", "b"].includes(await redis.hrandfield(key)));
    assert.equal(Object.keys(await redis.hrandfield(key, 3, true)).length, 3);
    assert.equal(await redis.hdel(key, "a", "b", "none"), 2);
    assert.equal(await redis.hgetall(newKey()), null);
    assert.equal(await redis.hdel(key, "name", "born", "langs"), 3);
    assert.equal(await redis.exists(key), 0);
  });

  test("hashes: fields with an expiry of their own", async () => {
    const key = newKey();
    await redis.hset(key, { a: 1, b: 2, c: 3 });
    assert.deepEqual(await redis.hexpire(key, ["a", "none"], 100), [1, -2]);
    const [ttl, none] = await redis.httl(key, ["a", "b"]);
    near(ttl, 100, 2);
    assert.equal(none, -1);
    assert.deepEqual(await redis.hpersist(key, ["a", "b"]), [1, -1]);
    assert.deepEqual(await redis.hpexpireat(key, "b", Date.now() - 1000), [2]);
    assert.deepEqual(await redis.hgetall(key), { a: 1, c: 3 });
  });

  test("lists", async () => {
    const [key, other] = [newKey(), newKey()];
    assert.equal(await redis.rpush(key, "b", "c", "d"), 3);
    assert.equal(await redis.lpush(key, "a"), 4);
    assert.deepEqual(await redis.lrange(key, 0, -1), ["a", "b", "c", "d"]);
    assert.equal(await redis.llen(key), 4);
    assert.equal(await redis.lindex(key, -1), "d");
    assert.equal(await redis.lset(key, 1, "B"), "OK");
    assert.equal(await redis.linsert(key, "before", "c", "x"), 5);
    assert.equal(await redis.lrem(key, 0, "x"), 1);
    assert.equal(await redis.lpos(key, "c"), 2);
    assert.equal(await redis.lmove(key, other, "left", "right"), "a");
    assert.deepEqual(await redis.lrange(other, 0, -1), ["a"]);
    assert.equal(await redis.lpop(key), "B");
    assert.deepEqual(await redis.rpop(key, 5), ["d", "c"]);
    assert.equal(await redis.exists(key), 0);
    assert.equal(await redis.lpushx(key, "a"), 0);
    assert.equal(await redis.rpushx(other, "b"), 2);
    assert.equal(await redis.ltrim(other, 1, 1), "OK");
    assert.deepEqual(await redis.lmpop(2, [key, other], "LEFT"), [other, ["b"]]);
    assert.deepEqual(await redis.lrange(newKey(), 0, -1), []);
  });

  test("sets", async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    assert.equal(await redis.sadd(a, "x", "y", "z", "x"), 3);
    assert.equal(await redis.sadd(b, "y", "z", "w"), 3);
    assert.equal(await redis.scard(a), 3);
    assert.equal(await redis.sismember(a, "x"), 1);
    assert.deepEqual(await redis.smismember(a, ["x", "w"]), [1, 0]);
    assert.deepEqual(sorted(await redis.smembers(a)), ["x", "y", "z"]);
    assert.deepEqual(sorted(await redis.sinter(a, b)), ["y", "z"]);
    assert.deepEqual(sorted(await redis.sunion(a, b)), ["w", "x", "y", "z"]);
    assert.deepEqual(await redis.sdiff(a, b), ["x"]);
    assert.equal(await redis.sintercard([a, b]), 2);
    assert.equal(await redis.sinterstore(c, a, b), 2);
    assert.equal(await redis.sunionstore(c, a, b), 4);
    assert.equal(await redis.sdiffstore(c, a, b), 1);
    assert.equal(await redis.smove(a, b, "x"), 1);
    assert.equal(await redis.srem(a, "y", "none"), 1);
    assert.equal(await redis.srandmember(a), "z");
    assert.equal(await redis.spop(a), "z");
    assert.equal(await redis.spop(a), null);
    assert.equal((await redis.spop(b, 10)).length, 4);
  });

  test("sorted sets", async () => {
    const [key, other, target] = [newKey(), newKey(), newKey()];
    assert.equal(await redis.zadd(key, { score: 1, member: "one" }, { score: 2, member: "two" }, { score: 3.5, member: "more" }), 3);
    assert.equal(await redis.zadd(key, { nx: true }, { score: 9, member: "one" }), 0);
    assert.equal(await redis.zadd(key, { gt: true, ch: true }, { score: 5, member: "two" }), 1);
    assert.equal(await redis.zscore(key, "two"), 5);
    assert.equal(await redis.zincrby(key, -3, "two"), 2);
    assert.deepEqual(await redis.zrange(key, 0, -1), ["one", "two", "more"]);
    assert.deepEqual(await redis.zrange(key, 0, -1, { rev: true, withScores: true }), ["more", 3.5, "two", 2, "one", 1]);
    assert.deepEqual(await redis.zrange(key, "(1", "+inf", { byScore: true, offset: 0, count: 1 }), ["two"]);
    assert.equal(await redis.zcard(key), 3);
    assert.equal(await redis.zcount(key, "-inf", 2), 2);
    assert.equal(await redis.zrank(key, "more"), 2);
    assert.equal(await redis.zrevrank(key, "more"), 0);
    assert.equal(await redis.zrank(key, "none"), null);
    assert.deepEqual(await redis.zmscore(key, ["one", "none"]), [1, null]);
    await redis.zadd(other, { score: 10, member: "one" }, { score: 20, member: "four" });
    assert.deepEqual(await redis.zunion(2, [key, other], { withScores: true }), ["two", 2, "more", 3.5, "one", 11, "four", 20]);
    assert.equal(await redis.zinterstore(target, 2, [key, other], { weights: [2, 1] }), 1);
    assert.equal(await redis.zscore(target, "one"), 12);
    assert.equal(await redis.zunionstore(target, 2, [key, other]), 4);
    assert.equal(await redis.zdiffstore(target, 2, key, other), 2);
    assert.deepEqual(await redis.zpopmin(key), ["one", 1]);
    assert.deepEqual(await redis.zpopmax(key, 5), ["more", 3.5, "two", 2]);
    assert.equal(await redis.exists(key), 0);
    assert.equal(await redis.zrem(other, "four", "none"), 1);
  });

  test("sorted sets: by name and by range", async () => {
    const key = newKey();
    await redis.zadd(key, ...["a", "b", "c", "d", "e"].map((member) => ({ score: 0, member })));
    assert.deepEqual(await redis.zrange(key, "[b", "(d", { byLex: true }), ["b", "c"]);
    assert.equal(await redis.zlexcount(key, "-", "+"), 5);
    assert.equal(await redis.zremrangebylex(key, "[a", "[b"), 2);
    assert.equal(await redis.zremrangebyrank(key, 0, 0), 1);
    assert.equal(await redis.zremrangebyscore(key, 0, 0), 2);
  });

  test("positions on the earth", async () => {
    const key = newKey();
    await redis.geoadd(key, { longitude: 13.361389, latitude: 38.115556, member: "Palermo" }, { longitude: 15.087269, latitude: 37.502669, member: "Catania" });
    near(await redis.geodist(key, "Palermo", "Catania", "KM"), 166.2742, 0.0001);
    assert.deepEqual(await redis.geohash(key, "Palermo", "Catania"), ["sqc8b49rny0", "sqdtr74hyu0"]);
    const [position] = await redis.geopos(key, "Palermo");
    near(position.lng, 13.361389, 0.00001);
    const hits = await redis.geosearch(key, { type: "FROMLONLAT", coordinate: { lon: 15, lat: 37 } }, { type: "BYRADIUS", radius: 200, radiusType: "KM" }, "ASC");
    assert.deepEqual(hits.map((hit) => hit.member), ["Catania", "Palermo"]);
  });

  test("counting distinct elements", async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    assert.equal(await redis.pfadd(a, "x", "y", "z"), 1);
    assert.equal(await redis.pfadd(a, "x"), 0);
    await redis.pfadd(b, "z", "w");
    assert.equal(await redis.pfcount(a), 3);
    assert.equal(await redis.pfcount(a, b), 4);
    assert.equal(await redis.pfmerge(c, a, b), "OK");
    assert.equal(await redis.pfcount(c), 4);
  });

  test("keys: types, copies, new names", async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    await redis.rpush(a, 1, 2);
    assert.equal(await redis.type(a), "list");
    assert.equal(await redis.type(b), "none");
    assert.equal(await redis.copy(a, b), "COPIED");
    assert.equal(await redis.copy(a, b), "NOT_COPIED");
    assert.equal(await redis.rename(a, c), "OK");
    assert.equal(await redis.renamenx(b, c), 0);
    assert.equal(await redis.touch(a, b, c), 2);
    assert.deepEqual(await redis.lrange(c, 0, -1), [1, 2]);
    assert.equal(await redis.unlink(b, c), 2);
    await assert.rejects(redis.rename(a, b), /no such key/);
  });

  test("collections too large for one item", async () => {
    const [hash, list, set, zset] = [newKey(), newKey(), newKey(), newKey()];
    const range = Array.from({ length: 1000 }, (_, i) => i);
    await redis.hset(hash, Object.fromEntries(range.map((i) => [`field${i}`, i])));
    await redis.rpush(list, ...range);
    await redis.sadd(set, ...range);
    await redis.zadd(zset, ...range.map((i) => ({ score: i, member: `m${i}` })));
    assert.equal(await redis.hlen(hash), 1000);
    assert.equal(await redis.hget(hash, "field777"), 777);
    assert.equal(Object.keys(await redis.hgetall(hash)).length, 1000);
    assert.deepEqual(await redis.lrange(list, 0, -1), range);
    assert.equal(await redis.lindex(list, 500), 500);
    assert.equal((await redis.smembers(set)).length, 1000);
    assert.deepEqual(await redis.zrange(zset, 10, 12), ["m10", "m11", "m12"]);
    assert.equal(await redis.zrank(zset, "m999"), 999);
    assert.equal(await redis.del(hash, list, set, zset), 4);
    assert.equal(await redis.exists(hash, list, set, zset), 0);
  });

  test("JSON documents", async () => {
    const [key, other] = [newKey(), newKey()];
    const user = { name: "Zoë", tags: ["a", "b"], visits: 1, address: { city: "Ulm", zip: null } };
    assert.equal(await redis.json.set(key, "$", user), "OK");
    assert.equal(await redis.json.set(key, "$", {}, { nx: true }), null);
    assert.deepEqual(await redis.json.get(key), user);
    assert.deepEqual(await redis.json.get(key, "$.name", "$..city"), { "$.name": ["Zoë"], "$..city": ["Ulm"] });
    assert.deepEqual(await redis.json.numincrby(key, "$.visits", 41), [42]);
    assert.deepEqual(await redis.json.arrappend(key, "$.tags", '"c"'), [3]);
    assert.deepEqual(await redis.json.arrpop(key, "$.tags", 0), ["a"]);
    assert.equal(await redis.json.merge(key, "$.address", { zip: "89073", city: null }), "OK");
    assert.deepEqual(await redis.json.objkeys(key, "$.address"), [["zip"]]);
    assert.equal(await redis.json.mset({ key: other, path: "$", value: [1] }, { key, path: "$.visits", value: 7 }), "OK");
    assert.deepEqual(await redis.json.mget([key, other, newKey()], "$"), [
      [{ name: "Zoë", tags: ["b", "c"], visits: 7, address: { zip: "89073" } }],
      [[1]],
      null,
    ]);
    assert.equal(await redis.type(key), "ReJSON-RL");
    await assert.rejects(redis.get(key), /WRONGTYPE/);
    await assert.rejects(redis.json.set(key, "$.name", "no JSON"), /invalid character 'o' in literal null/);
    assert.deepEqual(await redis.multi().json.set(key, "$.n", 1).json.numincrby(key, "$.n", 1).json.get(key, "$.n").exec(), ["OK", [2], [2]]);
    assert.equal(await redis.json.del(key, "$.tags"), 1);
    assert.equal(await redis.json.del(key), 1);
    assert.equal(await redis.exists(key), 0);
  });

  test("JSON documents longer than an item", async () => {
    const key = newKey();
    const long = { list: Array.from({ length: 30_000 }, (_, i) => `element number ${i}`), n: 0 };
    assert.equal(await redis.json.set(key, "$", long), "OK");
    assert.deepEqual(await redis.json.numincrby(key, "$.n", 1), [1]);
    assert.deepEqual(await redis.json.arrlen(key, "$.list"), [30_000]);
    assert.deepEqual(await redis.json.get(key, "$.list[-1]"), ["element number 29999"]);
    assert.deepEqual(await redis.json.get(key), { ...long, n: 1 });
  });

  test("iterations visit everything and end", async () => {
    const prefix = newKey("scan");
    const [hash, set, zset] = [`${prefix}:hash`, `${prefix}:set`, `${prefix}:zset`];
    const range = Array.from({ length: 500 }, (_, i) => `e${i}`);
    await redis.hset(hash, Object.fromEntries(range.map((e) => [e, 1])));
    await redis.sadd(set, ...range);
    await redis.zadd(zset, ...range.map((member, score) => ({ score, member })));
    const iterate = async (next, pick) => {
      const seen = new Set();
      let cursor = "0";
      do {
        const [after, page] = await next(cursor);
        pick(page).forEach((e) => seen.add(e));
        cursor = after;
      } while (cursor !== "0");
      return seen.size;
    };
    const evens = (page) => page.filter((_, i) => i % 2 === 0);
    assert.equal(await iterate((c) => redis.hscan(hash, c, { count: 50 }), evens), 500);
    assert.equal(await iterate((c) => redis.sscan(set, c, { count: 50 }), (page) => page), 500);
    assert.equal(await iterate((c) => redis.zscan(zset, c, { count: 50 }), evens), 500);
    assert.equal(await iterate((c) => redis.sscan(set, c, { match: "e49*" }), (page) => page), 11);
    assert.equal(await iterate((c) => redis.scan(c, { match: `${prefix}:*`, count: 1 }), (page) => page), 3);
    assert.equal(await iterate((c) => redis.scan(c, { match: `${prefix}:*`, type: "zset" }), (page) => page), 1);
    assert.deepEqual(sorted(await redis.keys(`${prefix}:*`)), [hash, set, zset].sort());
  });
});

onEachStore("whole database", (server) => {
  test("size, a random key, and away with it all", async () => {
    const redis = server.connect();
    assert.equal(await redis.dbsize(), 0);
    await redis.mset({ a: 1, b: 2 });
    assert.equal(await redis.dbsize(), 2);
    assert.ok(["a", "b"].includes(await redis.randomkey()));
    assert.equal(await redis.flushdb(), "OK");
    assert.equal(await redis.dbsize(), 0);
    assert.equal(await redis.randomkey(), null);
    await redis.set("c", 3);
    assert.equal(await redis.flushall({ async: true }), "OK");
    assert.equal(await redis.exists("c"), 0);
    const [seconds] = await redis.time();
    near(seconds, Date.now() / 1000, 5);
    assert.equal(await redis.ping(), "PONG");
    assert.equal(await redis.echo("hello"), "hello");
  });
});
