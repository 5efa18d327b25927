// Packages that are built on the client, used as their users do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Analytics } from "@upstash/core-analytics";
import { Queue } from "@upstash/queue";
import { handle, Realtime } from "@upstash/realtime";
import * as z from "zod/v4";
import { newKey, onEachStore } from "./stores.mjs";

onEachStore("packages", (server) => {
  test("a queue gives each message to one receiver, in order", async () => {
    const redis = server.connect();
    const queueName = newKey("queue");
    const producer = new Queue({ redis, queueName });
    const consumer = new Queue({ redis, queueName, concurrencyLimit: 5 });
    for (let i = 0; i < 5; i++) {
      assert.ok(await producer.sendMessage({ i }));
    }
    const received = [];
    for (let i = 0; i < 5; i++) {
      received.push((await consumer.receiveMessage()).body.i);
    }
    assert.deepEqual(received, [0, 1, 2, 3, 4]);
    assert.equal(await consumer.receiveMessage(), null);
  });

  test("a queue gives a message again that was not verified", async () => {
    const redis = server.connect();
    const queue = new Queue({ redis, queueName: newKey("queue"), autoVerify: false, concurrencyLimit: 5, visibilityTimeout: 1 });
    await queue.sendMessage("hello");
    const first = await queue.receiveMessage();
    let second;
    while (!(second = await queue.receiveMessage())); // until its visibility timeout has passed
    assert.deepEqual([first.body, second.body, second.streamId], ["hello", "hello", first.streamId]);
    assert.equal(await queue.verifyMessage(second.streamId), "VERIFIED");
    assert.equal(await queue.receiveMessage(), null);
  });

  test("analytics count over 256 buckets", async () => {
    const analytics = new Analytics({ redis: server.connect(), window: "1h", prefix: newKey("analytics") });
    const hour = 3_600_000;
    const now = 1_700_000_000_000;
    const event = (identifier, success, hoursAgo) => ({ time: now - hoursAgo * hour, identifier, success });
    await analytics.ingest("limits", event("ann", true, 0), event("ann", true, 1), event("ann", false, 2), event("bob", false, 255), event("bob", false, 300));
    await analytics.ingest("limits", event("ann", true, 1), event("cid", "denied", 3));
    const counts = await analytics.getAllowedBlocked("limits", 256, now);
    assert.deepEqual([counts.ann, counts.bob], [{ success: 3, blocked: 1 }, { success: 0, blocked: 1 }]);
    const most = await analytics.getMostAllowedBlocked("limits", 256, 10, now);
    assert.deepEqual(most, {
      allowed: [{ identifier: "ann", count: 3 }],
      ratelimited: [{ identifier: "bob", count: 1 }, { identifier: "ann", count: 1 }], // of equal counts, the greater member first
      denied: [{ identifier: "cid", count: 1 }],
    });
    const buckets = await analytics.aggregateBucketsWithPipeline("limits", "identifier", 4, now, 3);
    assert.deepEqual(
      buckets.map((b) => [now - b.time < 5 * hour, b.identifier ?? {}]),
      [[true, { ann: 1 }], [true, { ann: 2 }], [true, { ann: 1 }], [true, { cid: 1 }]],
    );
  });

  test("realtime emits, keeps a history and subscribes", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] }); // a subscription's pings go on after its end
    const schema = { chat: { message: z.object({ text: z.string() }) } };
    const realtime = new Realtime({ schema, redis: server.connect(), history: { maxLength: 3, expireAfterSecs: 60 } });
    const channel = realtime.channel(newKey("room"));
    for (const text of ["one", "two", "three", "four"]) {
      await channel.emit("chat.message", { text });
    }
    await assert.rejects(async () => await channel.emit("chat.message", { text: 5 }));
    const texts = (events) => events.map((e) => e.data.text);
    assert.deepEqual(texts(await channel.history()), ["two", "three", "four"]);

    const seen = [];
    let live;
    const arrived = new Promise((resolve) => (live = resolve));
    const unsubscribe = await channel.subscribe({
      events: ["chat.message"],
      history: true,
      onData: (event) => seen.push(event) === 4 && live(),
    });
    await channel.emit("chat.message", { text: "five" });
    await arrived;
    await unsubscribe();
    channel.unsubscribe();
    assert.deepEqual(texts(seen), ["two", "three", "four", "five"]);
  });

  test("realtime serves browsers over server-sent events", async () => {
    const realtime = new Realtime({ redis: server.connect() });
    const name = newKey("room");
    const abort = new AbortController();
    const response = await handle({ realtime })(new Request(`http://localhost/?channel=${encodeURIComponent(name)}`, { signal: abort.signal }));
    const events = readEvents(response.body);
    assert.deepEqual((await events.next()).value, { type: "connected", channel: name });
    await realtime.channel(name).emit("news", { n: 1 });
    const { value } = await events.next();
    assert.deepEqual([value.channel, value.event, value.data], [name, "news", { n: 1 }]);
    abort.abort();
  });
});

async function* readEvents(body) {
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      yield JSON.parse(text.slice("data: ".length, end));
    }
  }
}
