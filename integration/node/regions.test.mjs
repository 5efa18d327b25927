// Read-your-writes of the official client, in a primary region and in a read region whose replica lags behind.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "@upstash/redis";
import { startLocal } from "../lib/local.mjs";
import { newKey } from "./stores.mjs";

describe("read regions", () => {
  const lag = 300;
  let server;
  before(async () => {
    server = await startLocal("-ephemeral", "-replica", "127.0.0.1:0", "-replica-lag", `${lag}ms`);
    await near().ping(); // the region learns the database's record
  });
  after(() => server?.stop());
  const home = (options) => new Redis({ url: server.url, token: server.token, ...options });
  const near = (options) => new Redis({ url: server.replicaUrl, token: server.token, ...options });

  /** Reads until the value is the wanted one; all before it must be among the allowed ones. */
  async function arrives(redis, key, wanted, allowed) {
    for (const end = Date.now() + 300_000; ; ) {
      const got = await redis.get(key);
      if (got === wanted) {
        return;
      }
      assert.ok(allowed.includes(got) && Date.now() < end, `${got} before ${wanted}`);
    }
  }

  for (const enableAutoPipelining of [true, false]) {
    test(`a client sees what it wrote, auto-pipelining ${enableAutoPipelining}`, async () => {
      const redis = near({ enableAutoPipelining });
      const [key, hash] = [newKey(), newKey()];
      for (let i = 1; i <= 30; i++) {
        await redis.set(key, i);
        assert.equal(await redis.get(key), i);
        await redis.hset(hash, { i });
        assert.equal(await redis.hget(hash, "i"), i);
        const p = redis.pipeline();
        p.get(key);
        p.hgetall(hash);
        assert.deepEqual(await p.exec(), [i, { i }]);
        if (i % 5 === 0) {
          await redis.del(key);
          assert.equal(await redis.get(key), null);
        }
        if (i % 10 === 0) {
          await sleep(lag); // some of it has arrived
        }
      }
    });
  }

  test("concurrent writes are seen by the read after them", async () => {
    const redis = near({ enableAutoPipelining: false });
    const keys = Array.from({ length: 20 }, () => newKey());
    for (let i = 1; i <= 3; i++) {
      await Promise.all(keys.map((key) => redis.set(key, i)));
      assert.deepEqual(await Promise.all(keys.map((key) => redis.get(key))), keys.map(() => i));
      assert.deepEqual(await redis.mget(...keys), keys.map(() => i));
    }
  });

  test("two clients of a read region never go back", async () => {
    const [writer, reader] = [near(), near()];
    const key = newKey();
    let last = 0;
    for (let i = 1; i <= 40; i++) {
      const [n, seen] = await Promise.all([writer.incr(key), reader.get(key)]);
      assert.equal(n, i);
      assert.ok(seen === null || seen >= last, `${seen} after ${last}`);
      last = await reader.get(key);
      assert.ok(last >= i, `${last} after the answer ${i}`);
    }
  });

  test("a client without read-your-writes sees the past, and later what was written", async () => {
    const redis = near({ readYourWrites: false });
    const key = newKey();
    await home().set(key, "new");
    assert.equal(redis.readYourWritesSyncToken, "");
    await arrives(redis, key, "new", [null]);
  });

  test("a sync token of the primary region makes its writes seen", async () => {
    const [first, second] = [home(), near()];
    const key = newKey();
    await first.set(key, "v");
    second.readYourWritesSyncToken = first.readYourWritesSyncToken;
    await second.ping(); // the client sends a token from its second request on
    assert.equal(await second.get(key), "v");
  });

  test("a client's token of its own making does no harm", async () => {
    const redis = near();
    redis.readYourWritesSyncToken = "my-new-sync-token";
    const key = newKey();
    await redis.set(key, "v");
    assert.equal(await redis.get(key), "v");
    assert.notEqual(redis.readYourWritesSyncToken, "my-new-sync-token");
  });

  test("scripts, transactions and large collections are current", async () => {
    const redis = near();
    const [key, list] = [newKey(), newKey()];
    await home().set(key, 1);
    assert.equal(await redis.eval("return redis.call('INCR', KEYS[1])", [key], []), 2);
    assert.deepEqual(await redis.multi().get(key).incr(key).exec(), [2, 3]);
    assert.equal(await redis.get(key), 3);
    const elements = Array.from({ length: 50 }, (_, i) => `${i}`.padEnd(200, "x"));
    await home().rpush(list, ...elements);
    await sleep(lag / 2);
    for (const end = Date.now() + 4 * lag; Date.now() < end; ) {
      const got = await redis.lrange(list, 0, -1);
      assert.ok(got.length === 0 || got.length === 50, `${got.length} elements`);
    }
    assert.deepEqual(await redis.lrange(list, 0, -1), elements);
  });

  test("an emptied database is empty", async () => {
    const redis = near();
    const key = newKey();
    await redis.set(key, "v");
    assert.equal(await redis.flushdb(), "OK");
    assert.equal(await redis.get(key), null);
    assert.equal(await near().get(key), null);
  });
});
