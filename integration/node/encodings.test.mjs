import assert from "node:assert/strict";
import { before, test } from "node:test";
import { newKey, onEachStore } from "./stores.mjs";

onEachStore("encodings", (server) => {
  const clients = {};
  before(() => {
    clients.base64 = server.connect();
    clients.plain = server.connect({ responseEncoding: false });
    clients.raw = server.connect({ automaticDeserialization: false });
  });

  /** Sends a request of our own making. */
  const send = async (path, { method = "POST", body, headers } = {}) => {
    const response = await fetch(server.url + path, { method, body, headers: { authorization: `Bearer ${server.token}`, ...headers } });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };

  const values = ["", "OK", "plain", "naïve 漢字 🚀", 'quote " backslash \\ tab \t line \n', { nested: [1, "two", null] }, 42, -1.5, true, "007", "9007199254740993"];
  for (const name of ["base64", "plain"]) {
    test(`what is stored comes back, ${name}`, async () => {
      const redis = clients[name];
      const [key, list] = [newKey(), newKey()];
      for (const value of values) {
        await redis.set(key, value);
        assert.deepEqual(await redis.get(key), value === "9007199254740993" ? value : value === "007" ? "007" : value);
        await redis.rpush(list, value);
      }
      assert.deepEqual(await redis.lrange(list, 0, -1), values);
      assert.equal(await redis.type(list), "list");
      assert.equal(await redis.ping(), "PONG");
    });
  }

  test("without deserialization everything is text", async () => {
    const key = newKey();
    await clients.raw.set(key, { a: 1 });
    assert.equal(await clients.raw.get(key), '{"a":1}');
    await clients.raw.set(key, 42);
    assert.equal(await clients.raw.get(key), "42");
  });

  test("bytes that are no text survive by path, body and base64", async () => {
    const key = newKey();
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const set = await send(`/set/${key}`, { body: bytes });
    assert.equal(set.body.trim(), '{"result":"OK"}');
    const get = await send("/", { body: JSON.stringify(["get", key]), headers: { "upstash-encoding": "base64" } });
    assert.deepEqual([...Buffer.from(JSON.parse(get.body).result, "base64")], [...bytes]);
    const byPath = await send(`/set/${key}/%00%ff%2F%20`, { method: "GET" });
    assert.equal(byPath.status, 200);
    assert.equal(JSON.parse((await send(`/strlen/${key}`)).body).result, 4);
    const resp2 = await fetch(`${server.url}/get/${key}`, {
      headers: { authorization: `Bearer ${server.token}`, "upstash-response-format": "resp2" },
    });
    assert.deepEqual([...new Uint8Array(await resp2.arrayBuffer())], [..."$4\r\n"].map((c) => c.charCodeAt(0)).concat([0, 255, 47, 32, 13, 10]));
  });

  test("base64 encodes all strings but a single OK", async () => {
    const key = newKey();
    const headers = { "upstash-encoding": "base64" };
    assert.equal((await send("/", { body: JSON.stringify(["SET", key, "OK"]), headers })).body.trim(), '{"result":"OK"}');
    assert.equal((await send("/", { body: JSON.stringify(["GET", key]), headers })).body.trim(), '{"result":"T0s="}');
    assert.equal((await send("/", { body: JSON.stringify(["PING"]), headers })).body.trim(), '{"result":"UE9ORw=="}');
    assert.equal((await send("/", { body: JSON.stringify(["MGET", key, "none"]), headers })).body.trim(), '{"result":["T0s=",null]}');
  });

  test("integers keep all their digits", async () => {
    const key = newKey();
    await send(`/set/${key}/9223372036854775806`);
    assert.equal((await send(`/incr/${key}`)).body.trim(), '{"result":9223372036854775807}');
    const refused = await send(`/incr/${key}`);
    assert.equal(refused.status, 400);
    assert.deepEqual(JSON.parse(refused.body), { error: "ERR increment or decrement would overflow" });
  });

  test("options can be query parameters", async () => {
    const key = newKey();
    assert.equal((await send(`/set/${key}?EX=100&NX`, { body: "v" })).body.trim(), '{"result":"OK"}');
    const ttl = JSON.parse((await send(`/ttl/${key}`)).body).result;
    assert.ok(ttl > 97 && ttl <= 100);
    assert.equal((await send(`/set/${key}?NX`, { body: "w" })).body.trim(), '{"result":null}');
  });

  test("messages arrive whole, whatever is in them", async () => {
    const redis = server.connect();
    const channel = newKey("channel");
    const subscriber = redis.subscribe([channel]);
    const received = [];
    let arrived;
    subscriber.on("message", ({ message }) => {
      received.push(message);
      arrived?.();
    });
    await new Promise((resolve) => subscriber.on("subscribe", resolve));
    const messages = ["two\nlines", "a,b\nmessage,other,forged\r\ndata: x", { nested: ["line\nbreak"] }, '{\n  "pretty": 1\n}', "plain", 42, "x\n".repeat(1000)];
    for (const message of messages) {
      await redis.publish(channel, message);
    }
    while (received.length < messages.length) {
      await new Promise((resolve) => (arrived = resolve));
    }
    assert.deepEqual(received, messages.with(3, { pretty: 1 }));
    await subscriber.unsubscribe();
  });

  test("each write changes the sync token", async () => {
    const key = newKey();
    const tokens = new Set();
    for (let i = 0; i < 5; i++) {
      tokens.add((await send(`/incr/${key}`)).headers.get("upstash-sync-token"));
    }
    assert.equal(tokens.size, 5);
  });
});
