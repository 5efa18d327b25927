// Pages that move by themselves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "@upstash/redis";
import { finish, shoot, startConsole, testPages } from "./browser.mjs";

const send = async (server) => {
  const redis = new Redis({ url: server.url, token: server.token });
  await redis.set("text", "x");
  await Promise.allSettled([1, 2, 3, 4, 5].map(() => redis.lpush("text", "y")));
  for (let i = 0; i < 20; i++) {
    await Promise.all([redis.get("text"), redis.get("none"), redis.set(`key:${i}`, i), redis.hset("hash", { [i]: i }), redis.zadd("scores", { score: i, member: i })]);
  }
};
const it = startConsole(async (server) => send(server));

testPages(it, {
  live: { path: "/console/r/default/live", ready: (page) => page.locator(".chart canvas").first().waitFor() },
  "live-hour": { path: "/console/r/default/live?period=1h" },
  "live-day": { path: "/console/r/default/live?period=24h" },
  "live-kafka": { path: "/console/r/default-kafka/live" },
  "live-qstash": { path: "/console/r/default-qstash/live" },
});

test("what is sent shows without a reload, and nothing is asked for while the page is hidden", async () => {
  const page = await it.open();
  await page.goto("/console/r/default/live");
  const calls = (name) => page.getByRole("region", { name: "Commands of the last hour" }).getByRole("row", { name: new RegExp(`^${name} `) }).locator("td").first().innerText();
  assert.equal(await calls("lpush"), "5");
  const errors = page.getByRole("region", { name: "Errors of the last hour" });
  assert.match(await errors.innerText(), /lpush\s+WRONGTYPE Operation against a key holding the wrong kind of value\s+5/);
  const redis = new Redis({ url: it.server.url, token: it.server.token, enableAutoPipelining: false });
  for (let i = 0; i < 7; i++) {
    await redis.strlen("text");
  }
  await page.getByRole("row", { name: /^strlen 7 / }).waitFor();
  const events = () => page.locator("main").evaluate((main) => Number(main.dataset.liveEvents ?? 0));
  const asked = [];
  page.on("request", (request) => request.resourceType() === "eventsource" && asked.push(request.url()));
  await page.waitForEvent("request", (request) => request.resourceType() === "eventsource");
  // Hidden, as for a page behind another tab.
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  const before = await events();
  asked.length = 0;
  await page.clock.install();
  await page.clock.runFor(30_000);
  assert.deepEqual(asked, []);
  assert.equal(await events(), before);
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForFunction((n) => Number(document.querySelector("main").dataset.liveEvents) > n, before);
  await page.getByRole("button", { name: "Live", exact: true }).click();
  await page.getByRole("button", { name: "Paused" }).waitFor();
  await shoot(page, "live-paused-light");
  await finish(page);
});
