// The Redis data browser and the command line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkKeyboard, checkPage, finish, shoot, startConsole, testPages } from "./browser.mjs";

const commands = (server) => async (...list) => {
  const response = await fetch(`${server.url}/pipeline`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.token}` },
    body: JSON.stringify(list),
  });
  const replies = await response.json();
  assert.deepEqual(replies.filter((r) => r.error), []);
  return replies.map((r) => r.result);
};

const customer = { id: 4711, name: "Ada Lovelace", email: "ada@example.com", tags: ["early", "beta"], address: { city: "London", zip: "NW1" } };

const it = startConsole(async (server) => {
  const run = commands(server);
  const list = [
    ["SET", "session:9f2c41", JSON.stringify({ user: 4711, csrf: "b3f1", seen: "2026-11-24T11:58:02Z" }), "EX", "3600"],
    ["SET", "config:maintenance", "off"],
    ["SET", "page:home:html", "<!doctype html>\n<title>Home</title>\n".repeat(40), "EX", "300"],
    ["JSON.SET", "customer:4711", "$", JSON.stringify(customer)],
    ["HSET", "cart:4711", "sku:1001", "2", "sku:2040", "1", "coupon", "WINTER24", "note", JSON.stringify({ gift: true, wrap: "blue" })],
    ["RPUSH", "queue:emails", ...Array.from({ length: 12 }, (_, i) => JSON.stringify({ to: `user${i}@example.com`, template: "welcome" }))],
    ["SADD", "tags:post:42", "redis", "serverless", "aws", "go", "dynamodb"],
    ["ZADD", "leaderboard:weekly", ...Array.from({ length: 30 }, (_, i) => [String(9800 - 137 * i), `player-${i + 1}`]).flat()],
    ["XADD", "events:orders", "*", "type", "created", "order", "A-1001", "total", "59.90"],
    ["XADD", "events:orders", "*", "type", "paid", "order", "A-1001", "provider", "stripe"],
    ["SET", "big:report", "0123456789".repeat(60_000)],
  ];
  for (let i = 0; i < 60; i++) {
    list.push(["SET", `user:${1000 + i}:name`, `User ${i}`]);
  }
  await run(...list);
  // Bytes that are no text.
  await fetch(`${server.url}/set/avatar:4711`, { method: "POST", headers: { authorization: `Bearer ${server.token}` }, body: new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 255, 254]) });
});

const browser = "/console/r/default/browser";
const key = (name) => `${browser}?key=${encodeURIComponent(name)}`;

testPages(it, {
  "redis-browser": { path: browser },
  "redis-browser-string": { path: key("session:9f2c41") },
  "redis-browser-json": { path: key("customer:4711") },
  "redis-browser-hash": { path: key("cart:4711") },
  "redis-browser-list": { path: key("queue:emails") },
  "redis-browser-set": { path: key("tags:post:42") },
  "redis-browser-zset": { path: key("leaderboard:weekly") },
  "redis-browser-stream": { path: key("events:orders") },
  "redis-browser-binary": { path: key("avatar:4711") },
  "redis-browser-large": { path: key("big:report") },
  "redis-browser-nothing": { path: `${browser}?match=nothing-like-this` },
  "redis-browser-gone": { path: key("gone") },
  "redis-browser-element": {
    path: key("cart:4711"),
    ready: async (page) => {
      await page.getByRole("link", { name: "Edit note" }).click();
      await page.getByRole("dialog").getByLabel("Value", { exact: true }).waitFor();
    },
  },
  "redis-browser-expiry": {
    path: key("session:9f2c41"),
    ready: (page) => page.getByRole("button", { name: "Expiry" }).click(),
  },
  "redis-new-key": { path: `${browser}/new?type=zset` },
  "redis-element": { path: `${browser}/element?key=cart%3A4711&element=note` },
  "redis-cli-start": { path: "/console/r/default/cli" },
  "redis-cli": {
    path: "/console/r/default/cli",
    ready: async (page) => {
      const line = page.getByRole("combobox", { name: "Command" });
      for (const [text, reply] of [["HGETALL cart:4711", "WINTER24"], ["INCR config:maintenance", "not an integer"], ["FLUSHALL", "deletes all keys"]]) {
        await line.fill(text);
        await line.press("Enter");
        await page.getByText(reply).first().waitFor();
      }
      await line.pressSequentially("zr");
      await page.getByRole("option").first().waitFor();
    },
  },
});

test("keys are searched, chosen, edited and deleted", async () => {
  const page = await it.open();
  await page.goto(browser);
  await page.getByRole("link", { name: "Count keys" }).click();
  await page.getByText(/^\d+ keys$/).waitFor();
  const list = page.getByRole("region", { name: "Keys" });
  await list.getByRole("searchbox").fill("user:10");
  await page.waitForURL(/match=user%3A10/);
  await list.getByRole("link", { name: "user:1000:name" }).waitFor();
  assert.equal(await list.getByRole("link", { name: "avatar:4711" }).count(), 0);
  await list.getByRole("link", { name: "user:1000:name" }).click();
  await page.getByRole("textbox", { name: "Value", exact: true }).fill("Grace Hopper\nsecond line");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  assert.deepEqual(await commands(it.server)(["GET", "user:1000:name"]), ["Grace Hopper\nsecond line"]);

  // Somebody else is faster: what was written stays, and is not saved over it by mistake.
  await commands(it.server)(["SET", "user:1000:name", "theirs"]);
  await page.getByRole("textbox", { name: "Value", exact: true }).fill("mine");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("changed by somebody else").waitFor();
  await page.getByRole("link", { name: "Show what is there now" }).waitFor();
  await shoot(page, "redis-browser-conflict");
  assert.equal(await page.getByRole("textbox", { name: "Value", exact: true }).inputValue(), "mine");
  assert.deepEqual(await commands(it.server)(["GET", "user:1000:name"]), ["theirs"]);

  await page.goto(`${browser}?match=user:1001`);
  await list.getByRole("checkbox").first().check();
  await list.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete keys" }).click();
  await page.getByText("Deleted.").waitFor();
  assert.deepEqual(await commands(it.server)(["EXISTS", "user:1001:name"]), [0]);
  await finish(page, /status of 409/);
});

test("elements are added, edited and removed", async () => {
  const page = await it.open();
  await commands(it.server)(["HSET", "h", "a", "1", "b", "2"]);
  await page.goto(key("h"));
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Field").fill("c");
  await dialog.getByLabel("Value").fill("3");
  await dialog.getByRole("button", { name: "Add" }).click();
  await page.getByText("Added.").waitFor();
  await page.getByRole("link", { name: "Edit a" }).click();
  await dialog.getByLabel("Value", { exact: true }).fill("changed");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await page.getByRole("button", { name: "Remove b" }).click();
  await dialog.getByText("is removed from the key").waitFor();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await page.getByText("Removed.").waitFor();
  assert.deepEqual(await commands(it.server)(["HMGET", "h", "a", "b", "c"]), [["changed", null, "3"]]);
  await finish(page);
});

test("the command line completes, remembers and asks first", async () => {
  const page = await it.open();
  await page.goto("/console/r/default/cli");
  const line = page.getByRole("combobox", { name: "Command" });
  const log = page.getByRole("log");
  await log.getByRole("button", { name: "HELP ZADD" }).press("Enter");
  assert.equal(await line.inputValue(), "HELP ZADD");
  await line.press("Enter");
  await log.getByText(/^ZADD key/).waitFor();
  assert.equal(await log.getByRole("button").count(), 0, "what to begin with is gone once something was run");
  await page.getByRole("button", { name: "Clear" }).click();
  await log.getByRole("button", { name: "SCAN 0" }).waitFor();
  await line.pressSequentially("hge");
  await page.getByRole("option", { name: /^HGET / }).or(page.getByRole("option").first()).first().waitFor();
  await line.press("ArrowDown");
  await line.press("Tab");
  assert.match(await line.inputValue(), /^HGET\S* $/);
  await page.getByText(/HGET.* — /).waitFor();
  await line.fill("SET cli:greeting 'hello there'");
  await line.press("Enter");
  await log.getByText("OK").waitFor();
  await line.fill("GET cli:greeting");
  await line.press("Enter");
  await log.getByText('"hello there"').waitFor();
  await line.press("ArrowUp");
  await line.press("ArrowUp");
  assert.equal(await line.inputValue(), "SET cli:greeting 'hello there'");
  await line.press("ArrowDown");
  assert.equal(await line.inputValue(), "GET cli:greeting");
  await page.reload();
  await line.press("ArrowUp");
  assert.equal(await line.inputValue(), "GET cli:greeting");
  await line.fill("FLUSHDB");
  await line.press("Enter");
  await log.getByText("This deletes all keys of the database").waitFor();
  assert.deepEqual(await commands(it.server)(["GET", "cli:greeting"]), ["hello there"]);
  await checkPage(page);
  await checkKeyboard(page);
  await page.getByRole("button", { name: "Clear" }).click();
  assert.equal(await log.locator(".cli-exchange").count(), 0);
  await finish(page);
});

test("the data browser works without scripts", async () => {
  const page = await it.open("light", { javaScriptEnabled: false });
  await page.goto(`${browser}?match=customer`);
  await page.getByRole("link", { name: "customer:4711" }).click();
  await page.getByRole("textbox", { name: "Value", exact: true }).fill('{"name": "Ada"}');
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  assert.deepEqual(await commands(it.server)(["JSON.GET", "customer:4711"]), ['{"name":"Ada"}']);
  await page.context().close();
});

test("the keyboard goes through keys, to the search and to other places", async () => {
  const page = await it.open();
  await page.goto(browser);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("j");
  const second = page.locator(".key-link").nth(1);
  assert.ok(await second.evaluate((e) => e === document.activeElement));
  const name = await second.locator(".key-name").innerText();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name, exact: true }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("cart");
  await page.getByRole("link", { name: /cart:4711/ }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Go to" }).fill("leader");
  await page.getByRole("option", { name: /Keys with leader/ }).waitFor();
  await shoot(page, "palette-light");
  await checkPage(page);
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot(page, "palette-dark");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: /leaderboard:weekly/ }).waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("usage");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Usage and cost" }).waitFor();
  await finish(page);
});

test("prefixes lead down and up", async () => {
  const page = await it.open();
  await page.goto(browser);
  const prefixes = page.getByRole("navigation", { name: "Prefixes" });
  await prefixes.getByRole("link", { name: /^user:/ }).click();
  await page.getByRole("link", { name: /user:10\d\d:name/ }).first().waitFor();
  assert.equal(await page.getByRole("link", { name: /cart:4711/ }).count(), 0);
  await prefixes.getByRole("link", { name: /All keys above/ }).click();
  await page.getByRole("link", { name: /All keys above/ }).waitFor({ state: "detached" });
  await finish(page);
});
