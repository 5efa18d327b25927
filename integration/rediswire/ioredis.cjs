// ioredis: strings to streams, pipelines, transactions, messages and commands that wait.
//
// REDIS_URL names the server, IOREDIS the package if it is not ioredis. With TLS, NODE_EXTRA_CA_CERTS names the certificate to
// trust. It fails by an exception, and prints what it has done.

const assert = require("node:assert");
const Redis = require(process.env.IOREDIS || "ioredis");

const url = process.env.REDIS_URL;

// tutorial is what every guide begins with.
async function tutorial() {
  const redis = new Redis(url);
  assert.equal(await redis.set("foo", "bar"), "OK");
  assert.equal(await redis.get("foo"), "bar");
  await redis.quit();
}

// operations are commands of all types, each with the reply that ioredis gives.
const operations = [
  ["set", ["op:s", "1", "EX", 100], "OK"],
  ["incrby", ["op:s", 41], 42],
  ["append", ["op:s", "é"], 4],
  ["getrange", ["op:s", 0, 1], "42"],
  ["mset", [{ "op:a": "1", "op:b": "2" }], "OK"],
  ["mget", ["op:a", "op:none", "op:b"], ["1", null, "2"]],
  ["setbit", ["op:bits", 7, 1], 0],
  ["bitcount", ["op:bits"], 1],
  ["pfadd", ["op:hll", "a", "b", "a"], 1],
  ["pfcount", ["op:hll"], 2],
  ["hset", ["op:h", { f: "1", g: "2" }], 2],
  ["hincrbyfloat", ["op:h", "f", 0.5], "1.5"],
  ["hgetall", ["op:h"], { f: "1.5", g: "2" }],
  ["hgetall", ["op:none"], {}],
  ["rpush", ["op:l", "a", "b", "c", "d"], 4],
  ["lrange", ["op:l", 0, -1], ["a", "b", "c", "d"]],
  ["lmove", ["op:l", "op:l", "LEFT", "RIGHT"], "a"],
  ["lpop", ["op:l", 2], ["b", "c"]],
  ["lpop", ["op:none"], null],
  ["lpop", ["op:none", 2], null],
  ["sadd", ["op:set", "x", "y"], 2],
  ["smembers", ["op:set"], ["x", "y"]],
  ["sismember", ["op:set", "z"], 0],
  ["zadd", ["op:z", 1, "one", 2.5, "two"], 2],
  ["zscore", ["op:z", "two"], "2.5"],
  ["zrange", ["op:z", 0, -1, "WITHSCORES"], ["one", "1", "two", "2.5"]],
  ["zpopmin", ["op:z"], ["one", "1"]],
  ["zrank", ["op:z", "none"], null],
  ["geoadd", ["op:geo", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"], 2],
  ["geodist", ["op:geo", "Palermo", "Catania", "km"], "166.2742"],
  ["xadd", ["op:x", "1-1", "f", "v"], "1-1"],
  ["xgroup", ["CREATE", "op:x", "g", "0"], "OK"],
  ["xreadgroup", ["GROUP", "g", "c", "COUNT", 5, "STREAMS", "op:x", ">"], [["op:x", [["1-1", ["f", "v"]]]]]],
  ["xpending", ["op:x", "g"], [1, "1-1", "1-1", [["c", "1"]]]],
  ["xack", ["op:x", "g", "1-1"], 1],
  ["xread", ["STREAMS", "op:x", "$"], null],
  ["eval", ["return {KEYS[1], redis.call('GET', KEYS[1]), 3.9, true, false}", 1, "op:a"], ["op:a", "1", 3, 1, null]],
  ["expire", ["op:a", 100], 1],
  ["ttl", ["op:a"], (seconds) => seconds > 0 && seconds <= 100],
  ["type", ["op:x"], "stream"],
  ["exists", ["op:a", "op:b", "op:none"], 2],
  ["rename", ["op:b", "op:renamed"], "OK"],
  ["unlink", ["op:renamed", "op:none"], 1],
  ["echo", ["🎉"], "🎉"],
  ["select", [0], "OK"],
  ["client", ["SETNAME", "worker"], "OK"],
  ["client", ["GETNAME"], "worker"],
];

async function commands(redis) {
  for (const [name, args, want] of operations) {
    const got = await redis[name](...args);
    if (typeof want === "function") {
      assert(want(got), `${name} ${args}: ${got}`);
      continue;
    }
    assert.deepEqual(Array.isArray(want) && name === "smembers" ? got.sort() : got, want, `${name} ${args}`);
  }
  const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await redis.set("op:binary", value);
  assert((await redis.getBuffer("op:binary")).equals(value));
  const big = "x".repeat(1 << 20);
  await redis.set("op:big", big);
  assert.equal(await redis.get("op:big"), big);
  await assert.rejects(redis.incr("op:binary"), /ERR value is not an integer or out of range/);
  await assert.rejects(redis.lpush("op:h", "a"), /^ReplyError: WRONGTYPE/);
  await assert.rejects(redis.call("NOSUCH", "a"), /ERR unknown command 'NOSUCH', with args beginning with: 'a'/);
  redis.defineCommand("twice", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)" });
  assert.equal(await redis.twice("op:twice", 4), 8);
  assert.equal(await redis.twice("op:twice", 4), 16);
  const found = new Set();
  for await (const keys of redis.scanStream({ match: "op:*", count: 7 })) {
    keys.forEach((key) => found.add(key));
  }
  assert.equal(found.size, await redis.dbsize() - await redis.exists("foo"));
}

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  const n = 10_000;
  for (let i = 0; i < n; i++) {
    pipeline.set(`pipe:${i % 500}`, i);
  }
  assert((await pipeline.exec()).every(([error, reply]) => error === null && reply === "OK"));
  const [[, last], [error], [, first]] = await redis.pipeline().get("pipe:499").incr("op:binary").get("pipe:0").exec();
  assert.equal(last, `${n - 1}`);
  assert.equal(first, `${n - 500}`);
  assert.match(error.message, /not an integer/);
}

async function transactions(redis) {
  await redis.del("multi:n");
  assert.deepEqual(await redis.multi().incr("multi:n").lpush("multi:n", "x").incr("multi:n").exec().then((r) => r.map(([, v]) => v)), [
    1, undefined, 2,
  ]);
  await redis.watch("multi:n");
  const other = redis.duplicate();
  await other.set("multi:n", 10);
  assert.equal(await redis.multi().incr("multi:n").exec(), null);
  await redis.watch("multi:n");
  assert.deepEqual(await redis.multi().incr("multi:n").exec(), [[null, 11]]);
  await assert.rejects(redis.multi().set("multi:n").exec(), /EXECABORT/);
  assert.equal(await redis.get("multi:n"), "11");
  await other.quit();
}

async function messages(redis) {
  const subscriber = redis.duplicate();
  const got = [];
  const all = new Promise((resolve) => {
    const note = (...message) => got.push(message.join(" ")) === 3 && resolve();
    subscriber.on("message", note);
    subscriber.on("pmessage", note);
  });
  assert.equal(await subscriber.subscribe("news", "sports"), 2);
  assert.equal(await subscriber.psubscribe("n*"), 3);
  assert.equal(await redis.publish("news", "one"), 2);
  assert.equal(await redis.publish("sports", "two"), 1);
  await all;
  assert.deepEqual(got.sort(), ["n* news one", "news one", "sports two"]);
  assert.equal(await subscriber.unsubscribe("news", "sports"), 1);
  assert.equal(await subscriber.punsubscribe("n*"), 0);
  assert.equal(await subscriber.get("foo"), "bar");
  subscriber.disconnect();
}

async function waiting(redis) {
  const waiter = redis.duplicate();
  await redis.del("wait:l", "wait:z", "wait:x");
  const popped = waiter.blpop("wait:none", "wait:l", 0);
  await redis.rpush("wait:l", "a");
  assert.deepEqual(await popped, ["wait:l", "a"]);
  const minimum = waiter.bzpopmin("wait:z", 30);
  await redis.eval("return redis.call('ZADD', KEYS[1], ARGV[1], 'm')", 1, "wait:z", 1.5);
  assert.deepEqual(await minimum, ["wait:z", "m", "1.5"]);
  const read = waiter.xread("BLOCK", 30_000, "STREAMS", "wait:x", "$");
  await redis.client("LIST"); // by then the other one waits, most likely; if not, "$" is what follows
  const timer = setInterval(() => redis.xadd("wait:x", "*", "f", "v"), 50);
  const [[stream, [[, fields]]]] = await read;
  clearInterval(timer);
  assert.deepEqual([stream, fields], ["wait:x", ["f", "v"]]);
  assert.equal(await waiter.brpop("wait:none", 0.05), null);
  await waiter.quit();
}

async function main() {
  await tutorial();
  const redis = new Redis(url);
  await redis.flushdb();
  await redis.set("foo", "bar");
  for (const step of [commands, pipelines, transactions, messages, waiting]) {
    await step(redis);
  }
  await redis.quit();
  console.log("ioredis ok");
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
