// Packages that are built on the client, used as their users do.
import assert from "node:assert/strict";
import { test } from "node:test";
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
