import assert from "node:assert/strict";
import { before, test } from "node:test";
import { newKey, onEachStore } from "./stores.mjs";

onEachStore("several commands in one request", (server) => {
  let redis;
  before(() => {
    redis = server.connect();
  });

  test("a pipeline answers in order", async () => {
    const key = newKey();
    const results = await redis.pipeline().set(key, 1).incr(key).get(key).lpush(newKey(), "a", "b").del(key).get(key).exec();
    assert.deepEqual(results, ["OK", 2, 2, 2, 1, null]);
  });

  test("a pipeline goes on after an error and says which command failed", async () => {
    const key = newKey();
    const failing = () => redis.pipeline().set(key, "text").incr(key).append(key, "!");
    await assert.rejects(failing().exec(), /Command 2 \[ incr \] failed: ERR value is not an integer/);
    assert.equal(await redis.get(key), "text!");
    const results = await failing().exec({ keepErrors: true });
    assert.equal(results[0].result, "OK");
    assert.match(results[1].error, /not an integer/);
    assert.equal(results[2].result, 5);
  });

  test("a pipeline of a thousand commands", async () => {
    const pipeline = redis.pipeline();
    for (let i = 0; i < 1000; i++) {
      pipeline.echo(`${i}!`);
    }
    assert.deepEqual(await pipeline.exec(), Array.from({ length: 1000 }, (_, i) => `${i}!`));
  });

  test("a transaction is carried out as one", async () => {
    const [a, b] = [newKey(), newKey()];
    assert.deepEqual(await redis.multi().set(a, 1).rpush(b, "x", "y").incr(a).lrange(b, 0, -1).exec(), ["OK", 2, 2, ["x", "y"]]);
  });

  test("an error inside a transaction leaves the other commands in force", async () => {
    const key = newKey();
    const results = await redis.multi().set(key, "text").lpush(key, 1).append(key, "!").exec({ keepErrors: true });
    assert.match(results[1].error, /WRONGTYPE/);
    assert.equal(await redis.get(key), "text!");
  });

  test("a transaction with a wrong command is refused as a whole", async () => {
    const key = newKey();
    const response = await fetch(`${server.url}/multi-exec`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token}` },
      body: JSON.stringify([["set", key, "1"], ["get"]]),
    });
    assert.equal(response.status, 400);
    assert.deepEqual(await response.json(), { error: "ERR wrong number of arguments for 'get' command" });
    assert.equal(await redis.exists(key), 0);
  });

  test("concurrent transactions on the same two keys never mix", async () => {
    const [a, b] = [newKey(), newKey()];
    const all = await Promise.all(Array.from({ length: 24 }, () => redis.multi().incr(a).incr(b).exec()));
    for (const [x, y] of all) {
      assert.equal(x, y);
    }
    assert.deepEqual(all.map(([x]) => x).sort((x, y) => x - y), Array.from({ length: 24 }, (_, i) => i + 1));
  });

  test("concurrent increments are all counted", async () => {
    const key = newKey();
    const single = server.connect({ enableAutoPipelining: false });
    await Promise.all(Array.from({ length: 64 }, () => single.incr(key)));
    assert.equal(await redis.get(key), 64);
  });

  test("commands of one tick travel together", async () => {
    const key = newKey();
    const auto = server.connect({ enableAutoPipelining: true });
    await auto.set(key, "v");
    const [get, exists, type] = await Promise.all([auto.get(key), auto.exists(key), auto.type(key)]);
    assert.deepEqual([get, exists, type], ["v", 1, "string"]);
    const [ok, failed] = await Promise.allSettled([auto.append(key, "w"), auto.incr(key)]);
    assert.equal(ok.value, 2);
    assert.match(failed.reason.message, /not an integer/);
  });
});
