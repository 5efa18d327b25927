import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { Redis } from "@upstash/redis";
import { root, startLocal } from "../lib/local.mjs";

const run = promisify(execFile);
const cliFolder = path.dirname(createRequire(import.meta.url).resolve("@upstash/cli/package.json"));
const redirect = pathToFileURL(path.join(root, "integration/lib/redirect.mjs")).href;

describe("Developer API with Upstash's command line", () => {
  let server;
  before(async () => {
    server = await startLocal("-ephemeral");
  });
  after(() => server?.stop());

  /** Runs the command line and returns the JSON that it prints. */
  async function upstash(...args) {
    const { stdout } = await run(process.execPath, ["--import", redirect, path.join(cliFolder, "dist/cli.js"), ...args], {
      env: { ...process.env, SKYSTASH_API_URL: server.url, UPSTASH_EMAIL: server.email, UPSTASH_API_KEY: server.apiKey },
    });
    return JSON.parse(stdout);
  }

  test("a database is created, used, changed and deleted", async () => {
    const db = await upstash("redis", "create", "--name", "cli", "--region", "us-east-1");
    assert.equal(db.database_name, "cli");
    const url = `http://${db.endpoint}`;
    const redis = new Redis({ url, token: db.rest_token });
    assert.equal(await redis.set("k", "v"), "OK");
    assert.equal(await new Redis({ url, token: db.read_only_rest_token }).get("k"), "v");
    assert.deepEqual(await upstash("redis", "exec", "--db-url", url, "--db-token", db.rest_token, "GET", "k"), { result: "v" });

    const id = db.database_id;
    assert.ok((await upstash("redis", "list")).some((d) => d.database_id === id));
    assert.equal((await upstash("redis", "rename", "--db-id", id, "--name", "renamed")).database_name, "renamed");
    await upstash("redis", "enable-eviction", "--db-id", id);
    await upstash("redis", "update-budget", "--db-id", id, "--budget", "25");
    const got = await upstash("redis", "get", "--db-id", id, "--hide-credentials");
    assert.deepEqual([got.eviction, got.budget, got.rest_token], [true, 25, undefined]);
    assert.ok(Array.isArray((await upstash("redis", "stats", "--db-id", id)).throughput));

    const reset = await upstash("redis", "reset-password", "--db-id", id);
    assert.notEqual(reset.rest_token, db.rest_token);
    assert.equal(await new Redis({ url, token: reset.rest_token }).get("k"), "v");
    await assert.rejects(redis.get("k"), /WRONGPASS|Unauthorized/i);

    assert.deepEqual(await upstash("redis", "delete", "--db-id", id), { deleted: true, database_id: id });
    await assert.rejects(upstash("redis", "get", "--db-id", id), /database not found/);
  });

  test("QStash's token is shown and rotated", async () => {
    const [before] = await upstash("qstash", "list");
    assert.equal((await upstash("qstash", "get", "--qstash-id", before.id)).token, before.token);
    const rotated = await upstash("qstash", "rotate-token", "--qstash-id", before.id);
    assert.notEqual(rotated.token, before.token);
    const ask = (token) => fetch(`${server.url}/v2/queues`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await ask(rotated.token)).status, 200);
    assert.equal((await ask(before.token)).status, 401);
    assert.deepEqual(await upstash("qstash", "ipv4"), []);
    assert.ok(Array.isArray((await upstash("qstash", "stats", "--qstash-id", before.id, "--period", "7d")).daily_requests));
  });

  test("what cannot be done is said", async () => {
    await assert.rejects(upstash("redis", "create", "--name", "x", "--region", "eu-west-1"), /this deployment is in us-east-1/);
    await assert.rejects(upstash("redis", "list", "--email", server.email, "--api-key", "wrong"), /unauthorized/);
  });
});
