import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka } from "@upstash/kafka";
import { startDynamoDB } from "../lib/dynamodb.mjs";
import { startLocal } from "../lib/local.mjs";

let names = 0;
const newName = (what) => `${what}-${process.pid}-${++names}`;

for (const store of ["embedded", "dynamo"]) {
  describe(`Kafka with the official client (${store})`, () => {
    let server;
    let dynamo;
    let kafka;
    before(async () => {
      const flags = ["-ephemeral", "-topics", "cities:12,events:3,single,old,large"];
      if (store === "dynamo") {
        dynamo = await startDynamoDB();
        flags.push("-store", "dynamo", "-endpoint", dynamo.endpoint, "-table", newName("redis"), "-kafka-table", newName("kafka"));
      }
      server = await startLocal(...flags);
      kafka = new Kafka(server.kafka);
    });
    after(async () => {
      await server?.stop();
      await dynamo?.stop();
    });

    /** Sends a request past the client, which would repeat it five times if it fails. */
    async function send(path, body, { headers = {}, method = "POST", password = server.kafka.password } = {}) {
      const authorization = `Basic ${Buffer.from(`${server.kafka.username}:${password}`).toString("base64")}`;
      const response = await fetch(server.kafka.url + path, {
        method,
        headers: { authorization, ...headers },
        body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
      });
      return { status: response.status, body: await response.json() };
    }

    /** Calls consume until there are n messages. */
    async function collect(n, consume) {
      const all = [];
      while (all.length < n) {
        all.push(...(await consume()));
      }
      return all;
    }

    test("values, keys and headers of any characters come back, in order", async () => {
      const values = ["plain", "", "\0\x01\x7f", 'quotes " and \\', "ünï 日本 🎉 \u2028", JSON.stringify({ a: [1, null] })];
      const sent = await kafka.producer().produceMany(
        values.map((value, i) => ({ topic: "single", value, key: `k${i}🎉`, headers: [{ key: "h", value }, { key: "h", value: "again" }] })),
      );
      assert.deepEqual(sent.map((m) => m.offset - sent[0].offset), values.map((_, i) => i));
      const { topic, partition } = sent[0];
      let next = sent[0].offset;
      const got = await collect(values.length, async () => {
        const messages = await kafka.consumer().fetch({ topic, partition, offset: next });
        next = messages.at(-1)?.offset + 1 || next;
        return messages;
      });
      got.forEach((message, i) => {
        assert.equal(message.value, values[i]);
        assert.equal(message.key, `k${i}🎉`);
        assert.deepEqual(message.headers, [{ key: "h", value: values[i] }, { key: "h", value: "again" }]);
        assert.equal(message.timestamp, sent[i].timestamp);
      });
    });

    test("a message of almost 1 MB is there at once; a larger one is refused", async () => {
      const value = Array.from({ length: 104_000 }, (_, i) => String(i * 7919).padStart(10, "x").slice(-10)).join("");
      const { topic, partition, offset } = await kafka.producer().produce("large", value);
      const [message] = await kafka.consumer().fetch({ topic, partition, offset });
      assert.ok(message.value === value);
      const refused = await send("/produce/large", { value: "x".repeat(1 << 20) });
      assert.equal(refused.status, 413);
      assert.equal(refused.body.status, 413);
    });

    test("two instances share 12 partitions, and one takes over from the other", async () => {
      const group = newName("group");
      const consume = (instanceId) => () =>
        kafka.consumer().consume({ consumerGroupId: group, instanceId, topics: ["cities"], autoOffsetReset: "earliest", autoCommit: false, timeout: 100 });
      const produce = (round) =>
        kafka.producer().produceMany(Array.from({ length: 12 }, (_, partition) => ({ topic: "cities", partition, value: `${round}/${partition}` })));
      await consume("a")();
      await consume("b")();
      const { instances } = (await kafka.admin().consumers()).find((g) => g.name === group);
      assert.deepEqual(instances, [
        { name: "a", topics: [{ topic: "cities", partitions: [0, 1, 2, 3, 4, 5] }] },
        { name: "b", topics: [{ topic: "cities", partitions: [6, 7, 8, 9, 10, 11] }] },
      ]);
      await produce(1);
      const ofA = await collect(6, consume("a"));
      const ofB = await collect(6, consume("b"));
      assert.ok(ofA.every((m) => m.partition < 6) && ofB.every((m) => m.partition >= 6));
      // a has moved on without committing; b commits half of what it has.
      assert.deepEqual(await consume("a")(), []);
      await kafka.consumer().commit({
        consumerGroupId: group,
        instanceId: "b",
        offset: ofB.filter((m) => m.partition < 9).map(({ topic, partition, offset }) => ({ topic, partition, offset: offset + 1 })),
      });
      await kafka.admin().removeConsumerInstance(group, "b");
      const again = await collect(3, consume("a"));
      assert.deepEqual(again.map((m) => m.partition).sort((x, y) => x - y), [9, 10, 11]);
      const topicPartitions = [6, 9].map((partition) => ({ topic: "cities", partition }));
      const committed = await kafka.consumer().committed({ consumerGroupId: group, instanceId: "a", topicPartitions });
      assert.deepEqual(committed.map((c) => c.offset), [1, -1]);
    });

    test("an instance that has expired gets again what it has not committed", async () => {
      const group = newName("group");
      const headers = { "Kafka-Auto-Offset-Reset": "earliest", "Kafka-Enable-Auto-Commit": "false", "Kafka-Session-Timeout-Ms": "1000" };
      await kafka.producer().produce("events", "once", { partition: 1 });
      const consume = async () => (await send(`/consume/${group}/i`, { topic: "events", timeout: 100 }, { headers })).body;
      const [first] = await collect(1, consume);
      await sleep(1001);
      const [again] = await collect(1, consume);
      assert.deepEqual(again, first);
      const short = await send(`/consume/${group}/i`, { topic: "events" }, { headers: { ...headers, "Kafka-Session-Timeout-Ms": "1" } });
      assert.equal(short.status, 400, JSON.stringify(short.body));
    });

    test("latest is pinned by the first call", async () => {
      const group = newName("group");
      const consume = () => kafka.consumer().consume({ consumerGroupId: group, instanceId: "i", topics: ["single"], timeout: 0 });
      await kafka.producer().produce("single", "before");
      assert.deepEqual(await consume(), []);
      await kafka.producer().produce("single", "after");
      const [message] = await collect(1, consume);
      assert.equal(message.value, "after");
    });

    test("offsets by time", async () => {
      for (const timestamp of [1000, 3000, 2000]) {
        await kafka.producer().produce("old", "x", { timestamp });
      }
      for (const [timestamp, offset] of [["earliest", 0], ["latest", 3], [1000, 0], [1001, 1], [2500, 1], [3001, 3]]) {
        const got = await kafka.admin().topicPartitionOffsets({ timestamp, topicPartition: { topic: "old", partition: 0 } });
        assert.deepEqual(got, [{ topic: "old", partition: 0, offset }], `at ${timestamp}`);
      }
    });

    test("what is refused reaches the caller when the client has given up, and nothing of it is written", async () => {
      const before = await kafka.producer().produce("single", "before");
      const wrong = new Kafka({ ...server.kafka, password: "wrong" });
      await Promise.all([
        assert.rejects(
          kafka.producer().produceMany([
            { topic: "single", value: "good" },
            { topic: "nowhere", value: "bad" },
          ]),
          { status: 404, error: /^messages\[1\]: / },
        ),
        assert.rejects(wrong.producer().produce("single", "wrong"), { status: 401 }),
      ]);
      const after = await kafka.producer().produce("single", "after");
      assert.equal(after.offset, before.offset + 1);
    });

    test("requests as curl sends them", async () => {
      const form = { headers: { "content-type": "application/x-www-form-urlencoded" } };
      const sent = await send("/produce/single", '[{"value":"one"},]', form);
      assert.equal(sent.status, 200);
      assert.equal(sent.body.length, 1);
      const one = await send("/produce/single/in%20the%20path?key=k", undefined, { method: "GET" });
      assert.deepEqual(Object.keys(one.body), ["topic", "partition", "offset", "timestamp"]);
      const hook = await send(`/webhook?topic=single&user=${server.kafka.username}&pass=${server.kafka.password}`, "not JSON", {
        headers: { "x-hub-signature-256": "sha256=00" },
      });
      const [message] = await kafka.consumer().fetch({ topic: "single", partition: 0, offset: hook.body.offset });
      assert.equal(message.value, "not JSON");
      assert.deepEqual(message.headers, [{ key: "x-hub-signature-256", value: "sha256=00" }]);
    });

    test("errors say what is wrong", async () => {
      const cases = [
        [await send("/topics", undefined, { method: "GET", password: "wrong" }), 401],
        [await send("/produce", { topic: "nowhere", value: "x" }), 404],
        [await send("/produce", [{ topic: "single", value: "x" }, { topic: "single", partition: 1, value: "x" }]), 400],
        [await send("/produce", "{"), 400],
        [await send("/commit/nobody/nothing", ""), 404],
        [await send("/topics", ""), 405],
      ];
      for (const [{ status, body }, want] of cases) {
        assert.equal(status, want);
        assert.equal(body.status, want);
        assert.ok(body.error);
      }
      assert.match(cases[2][0].body.error, /^messages\[1\]: /);
    });
  });
}
