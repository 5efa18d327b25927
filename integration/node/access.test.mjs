import assert from "node:assert/strict";
import { test } from "node:test";
import { newKey, onEachStore } from "./stores.mjs";

onEachStore("access and errors", (server) => {
  test("the read-only token reads and does not write", async () => {
    const key = newKey();
    await server.connect().set(key, "v");
    const reader = server.connect({ token: server.readOnlyToken });
    assert.equal(await reader.get(key), "v");
    assert.deepEqual(await reader.mget(key, "none"), ["v", null]);
    await assert.rejects(reader.set(key, "w"), /NOPERM this user has no permissions to run the 'set' command/);
    await assert.rejects(reader.keys("*"), /NOPERM/);
    await assert.rejects(reader.flushall(), /NOPERM/);
    await assert.rejects(reader.multi().get(key).del(key).exec(), /NOPERM/);
    const mixed = await reader.pipeline().get(key).del(key).exec({ keepErrors: true });
    assert.equal(mixed[0].result, "v");
    assert.match(mixed[1].error, /NOPERM/);
    assert.equal(await reader.get(key), "v");
  });

  test("a wrong token is refused", async () => {
    for (const token of ["wrong", `${server.token}x`, server.token.slice(0, -2)]) {
      await assert.rejects(server.connect({ token }).get("k"), /WRONGPASS invalid or missing auth token/);
    }
    const response = await fetch(`${server.url}/get/k`);
    assert.equal(response.status, 401);
    assert.match((await response.json()).error, /^WRONGPASS/);
  });

  test("the token may be in the URL", async () => {
    const response = await fetch(`${server.url}/ping?_token=${server.token}`);
    assert.deepEqual(await response.json(), { result: "PONG" });
  });

  test("errors have Redis's words", async () => {
    const redis = server.connect();
    const key = newKey();
    await redis.set(key, "v");
    await assert.rejects(redis.lpush(key, 1), /WRONGTYPE Operation against a key holding the wrong kind of value/);
    await assert.rejects(redis.exec(["GET"]), /ERR wrong number of arguments for 'get' command/);
    await assert.rejects(redis.exec(["NONSENSE", "x"]), /ERR Command is not available: 'NONSENSE'/);
    await assert.rejects(redis.exec(["SET", key, "v", "EX", "0"]), /ERR invalid expire time in 'set' command/);
    await assert.rejects(redis.exec(["SUBSCRIBE", "x"]), /not allowed in REST/);
  });

  test("a request that is none is refused with JSON", async () => {
    for (const [path, body] of [["/", "{"], ["/", "{}"], ["/", "[]"], ["/pipeline", '["get","k"]'], ["/multi-exec", ""], ["/", '["get",null]']]) {
      const response = await fetch(server.url + path, { method: "POST", body, headers: { authorization: `Bearer ${server.token}` } });
      assert.equal(response.status, 400, `${path} ${body}`);
      assert.equal(typeof (await response.json()).error, "string", `${path} ${body}`);
    }
  });

  test("browsers may call", async () => {
    const response = await fetch(`${server.url}/pipeline`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization" },
    });
    assert.ok(response.ok);
    assert.ok(["*", "https://app.example"].includes(response.headers.get("access-control-allow-origin")));
    assert.match(response.headers.get("access-control-allow-methods"), /POST/);
  });
});
