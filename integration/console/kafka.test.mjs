// Topics, the message browser and consumer groups.
import assert from "node:assert/strict";
import { test } from "node:test";
import { finish, startConsole, testPages } from "./browser.mjs";

const topics = "/console/r/default-kafka/topics";

const it = startConsole(
  async ({ kafka }) => {
    const authorization = `Basic ${Buffer.from(`${kafka.username}:${kafka.password}`).toString("base64")}`;
    const ask = async (path, body) => {
      const response = await fetch(`${kafka.url}/${path}`, { method: "POST", headers: { authorization }, body: JSON.stringify(body) });
      assert.equal(response.status, 200, await response.clone().text());
      return response.json();
    };
    const messages = Array.from({ length: 130 }, (_, i) => ({
      topic: "orders",
      partition: i % 3,
      key: i % 5 === 4 ? undefined : `customer-${i % 7}`,
      value: JSON.stringify({ order: `A-${1000 + i}`, total: ((i * 37) % 900) / 10, items: [{ sku: "sku:1001", count: 1 + (i % 3) }] }),
      headers: [{ key: "source", value: "web" }, { key: "trace", value: `4bf92f3577b34da6-${i}` }],
    }));
    await ask("produce", messages);
    await ask("produce", [{ topic: "payments", value: "paid" }]);
    const consumed = await ask("consume/billing/worker-1", { topics: ["orders"] }).catch(() => undefined);
    if (!consumed) {
      await fetch(`${kafka.url}/consume/billing/worker-1/orders`, { headers: { authorization, "Kafka-Auto-Offset-Reset": "earliest", "Kafka-Enable-Auto-Commit": "false" } });
    }
    await fetch(`${kafka.url}/commit/billing/worker-1`, {
      method: "POST",
      headers: { authorization },
      body: JSON.stringify([{ topic: "orders", partition: 0, offset: 12 }, { topic: "orders", partition: 1, offset: 40 }]),
    });
  },
  "-topics",
  "orders:3,payments,audit-log",
);

testPages(it, {
  "kafka-topics": { path: topics },
  "kafka-new-topic": { path: topics, ready: (page) => page.getByRole("button", { name: "New topic" }).click() },
  "kafka-messages": { path: `${topics}/orders` },
  "kafka-message-open": {
    path: `${topics}/orders?partition=1`,
    ready: (page) => page.locator(".record").first().evaluate((details) => (details.open = true)),
  },
  "kafka-messages-empty": { path: `${topics}/audit-log` },
  "kafka-produce": { path: `${topics}/orders`, ready: (page) => page.getByRole("button", { name: "Send a message" }).click() },
  "kafka-partitions": { path: `${topics}/orders?tab=partitions` },
  "kafka-settings": { path: `${topics}/orders?tab=settings` },
  "kafka-groups": { path: "/console/r/default-kafka/groups" },
  "kafka-group": { path: "/console/r/default-kafka/groups/billing" },
});

test("a topic is made, written to, read and deleted", async () => {
  const page = await it.open();
  await page.goto(topics);
  await page.getByRole("button", { name: "New topic" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("invoices");
  await dialog.getByLabel("Partitions").fill("2");
  await dialog.getByLabel("Keep messages for").fill("soon");
  await dialog.getByRole("button", { name: "Create topic" }).click();
  await dialog.getByText("Enter a time such as 12h or 7d").waitFor();
  await dialog.getByLabel("Keep messages for").fill("12h");
  await dialog.getByRole("button", { name: "Create topic" }).click();
  await page.getByText("Topic invoices is ready.").waitFor();

  await page.getByRole("button", { name: "Send a message" }).first().click();
  await dialog.getByLabel("Value", { exact: true }).fill('{"invoice": 1}');
  await dialog.getByLabel("Key", { exact: false }).first().fill("customer-1");
  await dialog.getByLabel("Headers").fill("source: console");
  await dialog.getByRole("button", { name: "Send" }).click();
  await page.getByText("Sent to partition").waitFor();
  const record = page.locator("details.record");
  await record.locator("summary").click();
  await record.getByText('"invoice": 1').last().waitFor();
  await record.getByText("console", { exact: true }).waitFor();

  await page.getByLabel("Show").selectOption("offset");
  await page.getByLabel("Offset").fill("7");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("No messages here").waitFor();

  await page.getByRole("link", { name: "Settings" }).first().click();
  await page.goto(`${topics}/invoices?tab=settings`);
  await page.getByRole("button", { name: "Delete topic…" }).click();
  await dialog.getByLabel("Type invoices to confirm").fill("invoices");
  await dialog.getByRole("button", { name: "Delete topic" }).click();
  await page.getByText("Topic invoices was deleted.").waitFor();
  await finish(page, /status of 422/);
});
