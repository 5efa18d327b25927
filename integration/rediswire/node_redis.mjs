// node-redis: strings to streams, pipelines, transactions, messages and commands that wait.
//
// REDIS_URL names the server, NODE_REDIS the package if it is not redis. With TLS, NODE_EXTRA_CA_CERTS names the certificate to
// trust. RESP is the version of the protocol, 2 or 3. It fails by an exception, and prints what it has done.

import assert from "node:assert/strict";

const { createClient, RESP_TYPES, WatchError } = await import(process.env.NODE_REDIS || "redis");
const RESP = Number(process.env.RESP || 3);

async function connect() {
  const client = createClient({ url: process.env.REDIS_URL, RESP, unstableResp3: true });
  client.on("error", (error) => {
    throw error;
  });
  await client.connect();
  return client;
}

// plain turns what has no prototype into what deepEqual takes for an object.
const plain = (value) => JSON.parse(JSON.stringify(value));

// entries are what a stream had. Version 5 gives RESP3's reply as it is, and says so; RESP2's, and both in version 6, are objects.
function entries(reply) {
  if (Array.isArray(reply)) {
    return reply.flatMap(({ name, messages }) => [name, ...messages.flatMap((m) => [m.id, ...Object.entries(m.message).flat()])]);
  }
  return Object.entries(reply).flat(4);
}

async function commands(client) {
  assert.equal(await client.set("s", "1", { EX: 100 }), "OK");
  assert.equal(await client.incrBy("s", 41), 42);
  assert.equal(await client.incrByFloat("s", 0.5), "42.5");
  assert.deepEqual(await client.mGet(["s", "none"]), ["42.5", null]);
  assert.equal(await client.hSet("h", { f: "1", g: "2" }), 2);
  assert.deepEqual(plain(await client.hGetAll("h")), { f: "1", g: "2" });
  assert.deepEqual(plain(await client.hGetAll("none")), {});
  assert.equal((await client.hRandFieldCountWithValues("h", 2)).length, 2);
  assert.equal(await client.rPush("l", ["a", "b", "c"]), 3);
  assert.deepEqual(await client.lPopCount("l", 2), ["a", "b"]);
  assert.equal(await client.lPop("none"), null);
  assert.equal(await client.lPopCount("none", 2), null);
  assert.equal(await client.sAdd("set", ["x", "y"]), 2);
  assert.deepEqual([...(await client.sMembers("set"))].sort(), ["x", "y"]);
  assert.equal(await client.zAdd("z", [{ score: 1, value: "one" }, { score: 2.5, value: "two" }, { score: Infinity, value: "all" }]), 3);
  assert.equal(await client.zScore("z", "two"), 2.5);
  assert.deepEqual(plain(await client.zRangeWithScores("z", 0, 1)), [{ value: "one", score: 1 }, { value: "two", score: 2.5 }]);
  assert.equal(await client.zScore("z", "all"), Infinity);
  assert.deepEqual(plain(await client.zPopMin("z")), { value: "one", score: 1 });
  assert.deepEqual(plain(await client.zPopMinCount("z", 1)), [{ value: "two", score: 2.5 }]);
  assert.equal(await client.zPopMin("none"), null);
  assert.equal(await client.geoAdd("geo", { longitude: 13.361389, latitude: 38.115556, member: "Palermo" }), 1);
  const [position, nowhere] = await client.geoPos("geo", ["Palermo", "none"]);
  assert(Math.abs(position.longitude - 13.361389) < 1e-5);
  assert.equal(nowhere, null);
  assert.equal(await client.xAdd("x", "1-1", { f: "v" }), "1-1");
  assert.equal(await client.xGroupCreate("x", "g", "0"), "OK");
  assert.deepEqual(entries(await client.xReadGroup("g", "c", { key: "x", id: ">" })), ["x", "1-1", "f", "v"]);
  assert.equal(await client.xRead({ key: "x", id: "1-1" }), null);
  assert.equal((await client.xPending("x", "g")).pending, 1);
  assert.equal(await client.xAck("x", "g", "1-1"), 1);
  assert.deepEqual(await client.eval("return {KEYS[1], ARGV[1], 3}", { keys: ["k"], arguments: ["a"] }), ["k", "a", 3]);
  assert.equal((await client.configGet("maxmemory-policy"))["maxmemory-policy"], "noeviction");
  assert.match(await client.info(), /redis_version:\d/);
  assert.equal((await client.clientInfo()).user, "default");
  const found = new Set();
  for await (const keys of client.scanIterator({ COUNT: 5 })) {
    keys.forEach((key) => found.add(key));
  }
  assert.equal(found.size, await client.dbSize());
  await assert.rejects(client.lPush("h", "a"), /^Error: WRONGTYPE|WRONGTYPE/);
  const bytes = Buffer.from([0, 255, 13, 10]);
  await client.set("binary", bytes);
  assert.deepEqual(await client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get("binary"), bytes);
}

async function pipelines(client) {
  const n = 10_000;
  const replies = await Promise.all(Array.from({ length: n }, (_, i) => client.set(`pipe:${i % 500}`, `${i}`)));
  assert(replies.every((reply) => reply === "OK"));
  assert.equal(await client.get("pipe:499"), `${n - 1}`);
}

async function transactions(client, other) {
  assert.deepEqual(await client.multi().set("n", "1").incr("n").get("n").exec(), ["OK", 2, "2"]);
  await client.watch("n");
  await other.set("n", "10");
  await assert.rejects(client.multi().incr("n").exec(), WatchError);
  await client.watch("n");
  assert.deepEqual(await client.multi().incr("n").exec(), [11]);
}

async function messages(_, other) {
  const client = await connect(); // one of its own: with RESP2 it takes later replies for bytes
  const got = [];
  let done;
  const all = new Promise((resolve) => (done = resolve));
  const note = (message, channel) => got.push(`${channel} ${message}`) === 3 && done();
  await client.subscribe("news", note);
  await client.pSubscribe("n*", note);
  assert.equal(await other.publish("news", "one"), 2);
  assert.equal(await other.publish("nothing", "two"), 1);
  await all;
  assert.deepEqual(got.sort(), ["news one", "news one", "nothing two"]);
  await client.unsubscribe("news");
  await client.pUnsubscribe("n*");
  await client.close();
}

async function waiting(client, other) {
  const popped = client.blPop("wait:l", 0);
  await other.rPush("wait:l", "a");
  assert.deepEqual(plain(await popped), { key: "wait:l", element: "a" });
  const minimum = client.bzPopMin("wait:z", 30);
  await other.zAdd("wait:z", { score: 1.5, value: "m" });
  assert.deepEqual(plain(await minimum), { key: "wait:z", value: "m", score: 1.5 });
  await other.xAdd("wait:x", "1-1", { f: "0" });
  const read = client.xRead({ key: "wait:x", id: "1-1" }, { BLOCK: 30_000 });
  await other.xAdd("wait:x", "2-1", { f: "1" });
  assert.deepEqual(entries(await read), ["wait:x", "2-1", "f", "1"]);
  assert.equal(await client.blPop("wait:l", 0.05), null);
}

const client = await connect();
const other = await connect();
await client.flushDb();
for (const step of [commands, pipelines, transactions, messages, waiting]) {
  await step(client, other);
}
await client.close();
await other.close();
console.log("node-redis ok");
