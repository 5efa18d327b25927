// Known traffic, and what the pages say of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "@upstash/redis";
import { finish, shoot, startConsole } from "./browser.mjs";

const it = startConsole();

const eventually = async (read, good) => {
  for (const end = Date.now() + 60_000; ; ) {
    const value = await read();
    if (good(value) || Date.now() > end) {
      return value;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
};

/** What a page says of a key figure. */
const figure = async (page, path, label) => {
  await page.goto(path);
  const stat = page.locator(".stat", { has: page.locator("dt", { hasText: new RegExp(`^${label}`) }) });
  return (await stat.locator("dd").innerText()).split("\n")[0].trim();
};

test("what the official client sends is counted as it came out", async () => {
  const redis = new Redis({ url: it.server.url, token: it.server.token });
  await redis.set("text", "x");
  // As the client sends them: together, in a pipeline that is answered 200.
  const failed = await Promise.allSettled([1, 2, 3, 4, 5].map(() => redis.lpush("text", "y")));
  assert.ok(failed.every((one) => one.status === "rejected" && /WRONGTYPE/.test(one.reason.message)));
  await Promise.all([redis.get("text"), redis.get("text"), redis.get("text"), redis.get("none")]);
  const page = await it.open();
  assert.equal(await eventually(() => figure(page, "/console/r/default", "Errors today"), (v) => v === "5"), "5");
  assert.equal(await figure(page, "/console/r/default/usage", "Commands"), "10");
  assert.equal(await figure(page, "/console/r/default/usage", "Errors"), "5");
  assert.equal(await figure(page, "/console/r/default/usage", "Hit rate"), "75.0 %");
  assert.equal(await figure(page, "/console/", "Errors"), "5");
  // What it is, said on demand, in the page's own words.
  await page.getByRole("button", { name: "What this is: errors" }).first().click();
  await page.getByRole("note").filter({ hasText: "also within a pipeline" }).waitFor();
  await shoot(page, "figure-light");
  await finish(page);
});

test("storage is as large as it is", async () => {
  const page = await it.open();
  await page.goto("/console/r/default/usage");
  await page.getByRole("button", { name: "Measure storage" }).click();
  await page.getByText("measured now").or(page.getByText("measured just now")).waitFor();
  const before = await figure(page, "/console/r/default/usage", "Stored");
  const redis = new Redis({ url: it.server.url, token: it.server.token });
  await redis.set("large", Array.from({ length: 100_000 }, () => Math.random().toString(36)[3] ?? "0").join(""));
  await page.getByRole("button", { name: "Measure storage" }).click();
  await page.getByText("Storage was measured.").waitFor();
  const after = await figure(page, "/console/r/default/usage", "Stored");
  assert.match(before, / B$/);
  assert.match(after, / KB$/);
  await redis.del("large");
  await page.getByRole("button", { name: "Measure storage" }).click();
  await page.getByText("Storage was measured.").waitFor();
  assert.equal(await figure(page, "/console/r/default/usage", "Stored"), before);
  await finish(page);
});

test("a key for metrics only reads them, and nothing else", async () => {
  const page = await it.open();
  await page.goto("/console/account");
  await page.getByLabel("Name of a new key").fill("prometheus");
  await page.getByLabel("For metrics only").check();
  await shoot(page, "api-key-metrics-light");
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByText("Shown once").waitFor();
  const key = await page.locator(".copy code").first().innerText();
  const get = (path) => fetch(it.server.url + path, { headers: { authorization: `Basic ${Buffer.from(`${it.server.email}:${key}`).toString("base64")}` } });
  const metrics = await (await get("/metrics")).text();
  assert.match(metrics, /^skystash_errors_total\{resource="default",name="local",product="redis",class="write"\} 5$/m);
  assert.equal((await get("/v2/redis/databases")).status, 401);
  await finish(page);
});
