import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { Redis } from "@upstash/redis";
import { startLocal } from "../lib/local.mjs";

const folder = mkdtempSync(path.join(os.tmpdir(), "skystash-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const connect = (server) => new Redis({ url: server.url, token: server.token });

for (const [signal, syncEvery] of [
  ["SIGTERM", "1h"],
  ["SIGINT", "100ms"],
  ["SIGKILL", "0"],
  ["SIGKILL", "1h"],
]) {
  test(`everything acknowledged is there after ${signal}, synced every ${syncEvery}, with the same tokens`, async () => {
    const data = path.join(folder, signal + syncEvery);
    let server = await startLocal("-data", data, "-sync-every", syncEvery);
    let redis = connect(server);
    const { token, readOnlyToken } = server;
    await redis.set("string", "value", { ex: 1000 });
    await redis.hset("hash", { a: 1, b: "two" });
    await redis.rpush("list", ...Array.from({ length: 2000 }, (_, i) => i));
    await redis.zadd("zset", { score: 1.5, member: "m" });
    await redis.multi().incr("a").incr("b").exec();

    // Writes that run while the signal comes: those answered must be kept.
    let answered = 0;
    let stopped = false;
    const writer = (async () => {
      while (!stopped) {
        answered = await redis.incr("counter");
      }
    })().catch(() => {});
    while (answered < 50) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const status = await server.stop(signal);
    stopped = true;
    assert.equal(status, signal === "SIGKILL" ? null : 0);

    server = await startLocal("-data", data);
    try {
      assert.equal(server.token, token);
      assert.equal(server.readOnlyToken, readOnlyToken);
      const before = answered;
      redis = connect(server);
      assert.equal(await redis.get("string"), "value");
      assert.ok((await redis.ttl("string")) > 900);
      assert.deepEqual(await redis.hgetall("hash"), { a: 1, b: "two" });
      assert.equal(await redis.llen("list"), 2000);
      assert.equal(await redis.lindex("list", 1999), 1999);
      assert.equal(await redis.zscore("zset", "m"), 1.5);
      assert.deepEqual(await redis.mget("a", "b"), [1, 1]);
      const counter = await redis.get("counter");
      assert.ok(counter === before || counter === before + 1, `counter is ${counter}, ${before} was answered`);
    } finally {
      await server.stop();
      await writer;
    }
  });
}

test("the environment file is private and complete", async () => {
  const data = path.join(folder, "env");
  const server = await startLocal("-data", data);
  try {
    const file = path.join(data, "local.env");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const text = readFileSync(file, "utf8");
    assert.match(text, new RegExp(`^UPSTASH_REDIS_REST_URL="${server.url}"$`, "m"));
    assert.match(text, new RegExp(`^UPSTASH_REDIS_REST_TOKEN="${server.token}"$`, "m"));
    assert.match(text, new RegExp(`^UPSTASH_REDIS_REST_READONLY_TOKEN="${server.readOnlyToken}"$`, "m"));
  } finally {
    await server.stop();
  }
});

test("a folder in use and bad flags end with one line and a status", async () => {
  const data = path.join(folder, "locked");
  const server = await startLocal("-data", data);
  try {
    await assert.rejects(startLocal("-data", data), /status 1/);
    await assert.rejects(startLocal("-data", data, "-addr", new URL(server.url).host), /status 1/);
    await assert.rejects(startLocal("-nonsense"), /status 2/);
  } finally {
    await server.stop();
  }
});
