// kafkajs against a broker: administration, producing, and a group that goes on where it was.
//
// The connection comes from the environment: KAFKA_BROKERS, KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_TLS_CA for TLS.
// The mechanism and a name for topics are arguments. It fails by an exception, and prints what it has done.

const assert = require("node:assert");
const fs = require("node:fs");
const { Kafka, CompressionTypes, logLevel } = require("kafkajs");

const [mechanism, name] = process.argv.slice(2);
const messages = 300;

const credentials = { username: process.env.KAFKA_USERNAME, password: process.env.KAFKA_PASSWORD };
const sasl = {
  PLAIN: { mechanism: "plain", ...credentials },
  "SCRAM-SHA-256": { mechanism: "scram-sha-256", ...credentials },
  "SCRAM-SHA-512": { mechanism: "scram-sha-512", ...credentials },
  OAUTHBEARER: { mechanism: "oauthbearer", oauthBearerProvider: async () => ({ value: process.env.KAFKA_PASSWORD }) },
}[mechanism];

const kafka = new Kafka({
  clientId: "kafkajs",
  brokers: [process.env.KAFKA_BROKERS],
  ssl: process.env.KAFKA_TLS_CA ? { ca: [fs.readFileSync(process.env.KAFKA_TLS_CA)], servername: "localhost" } : undefined,
  sasl,
  logLevel: logLevel.NOTHING,
});

async function produce(topic, compression) {
  const producer = kafka.producer({ idempotent: compression === CompressionTypes.GZIP });
  await producer.connect();
  for (let i = 0; i < messages; i += 100) {
    await producer.send({
      topic,
      compression,
      messages: Array.from({ length: 100 }, (_, j) => ({
        key: `key-${(i + j) % 10}`, value: `${i + j}`, headers: { codec: `${compression}` },
      })),
    });
  }
  await producer.disconnect();
}

// consume reads n messages as a member of a group, and commits.
async function consume(topic, groupId, n, from) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const last = new Map();
  let got = 0;
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${got} messages of ${n} from ${topic}`)), 30_000);
    consumer.on(consumer.events.CRASH, (e) => reject(e.payload.error));
    consumer.run({
      eachMessage: async ({ message }) => {
        const key = message.key.toString();
        const value = Number(message.value);
        assert(!(last.get(key) >= value), `the order of ${key}`);
        last.set(key, value);
        assert(value >= from, `message ${value} comes again`);
        if (++got === n) {
          clearTimeout(timer);
          resolve();
        }
      },
    });
  });
  await consumer.stop();
  await consumer.disconnect();
  assert.strictEqual(got, n);
}

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  for (const [codec, compression] of [["none", CompressionTypes.None], ["gzip", CompressionTypes.GZIP]]) {
    const topic = `${name}-${codec}`;
    await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] });
    await produce(topic, compression);
    await consume(topic, `${topic}-group`, messages, 0);
    const offsets = await admin.fetchOffsets({ groupId: `${topic}-group`, topics: [topic] });
    assert.strictEqual(offsets[0].partitions.reduce((sum, p) => sum + Number(p.offset), 0), messages);
  }
  const ends = await admin.fetchTopicOffsets(`${name}-none`);
  assert.strictEqual(ends.reduce((sum, p) => sum + Number(p.offset), 0), messages);
  const { groups } = await admin.listGroups();
  assert(groups.some((g) => g.groupId === `${name}-gzip-group`));
  await admin.deleteGroups([`${name}-gzip-group`]);
  await admin.deleteTopics({ topics: [`${name}-none`] });
  await admin.disconnect();
  console.log("kafkajs", mechanism, "ok");
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
