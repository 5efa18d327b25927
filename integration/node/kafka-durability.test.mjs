import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { Kafka } from "@upstash/kafka";
import { startLocal } from "../lib/local.mjs";

const folder = mkdtempSync(path.join(os.tmpdir(), "skystash-"));
after(() => rmSync(folder, { recursive: true, force: true }));

for (const [signal, syncEvery] of [["SIGTERM", "100ms"], ["SIGKILL", "0"], ["SIGKILL", "1h"]]) {
  test(`every message acknowledged is there after ${signal}, synced every ${syncEvery}, under its offset`, async () => {
    const data = path.join(folder, signal + syncEvery);
    let server = await startLocal("-data", data, "-sync-every", syncEvery, "-topics", "red:2");
    const { username, password, url } = server.kafka;
    const headers = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };

    // Producers that run while the signal comes; past the client, which would wait and try again.
    const acknowledged = new Map();
    let stopped = false;
    const producers = [0, 1, 2, 3].map(async (id) => {
      for (let n = 0; !stopped; n++) {
        const value = `${id}/${n}`;
        const response = await fetch(`${url}/produce`, {
          method: "POST",
          headers,
          body: JSON.stringify({ topic: "red", partition: id % 2, value }),
        }).catch(() => undefined);
        const body = await response?.json().catch(() => undefined);
        if (response?.ok && body) {
          acknowledged.set(`${body[0].partition}/${body[0].offset}`, value);
        }
      }
    });
    while (acknowledged.size < 200) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await server.stop(signal);
    stopped = true;
    await Promise.all(producers);

    server = await startLocal("-data", data);
    try {
      assert.equal(server.kafka.username, username);
      assert.equal(server.kafka.password, password);
      const consumer = new Kafka(server.kafka).consumer();
      for (const partition of [0, 1]) {
        const want = [...acknowledged].filter(([place]) => place.startsWith(`${partition}/`));
        const last = Math.max(...want.map(([place]) => Number(place.split("/")[1])));
        const got = new Map();
        // A producer that died between reserving an offset and using it holds up the partition for
        // about 25 seconds.
        for (let offset = 0, empty = 0; offset <= last; ) {
          const messages = await consumer.fetch({ topic: "red", partition, offset, timeout: 10_000 });
          empty = messages.length > 0 ? 0 : empty + 1;
          assert.ok(empty < 5, `partition ${partition} ends at ${offset}, ${last} was acknowledged`);
          messages.forEach((message) => got.set(`${partition}/${message.offset}`, message.value));
          offset = messages.length > 0 ? messages.at(-1).offset + 1 : offset;
        }
        for (const [place, value] of want) {
          assert.equal(got.get(place), value, place);
        }
      }
    } finally {
      await server.stop();
    }
  });
}
