// What people do in the console, done with mouse and keyboard.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Redis } from "@upstash/redis";
import { checkPage, finish, shoot, startConsole } from "./browser.mjs";

const it = startConsole();
const clipboard = { permissions: ["clipboard-read", "clipboard-write"] };

/** Asks again and again, for 15 seconds at most, until an answer is good, and returns that. */
async function eventually(ask, isGood) {
  for (const end = Date.now() + 300_000; ; ) {
    const answer = await ask();
    if (isGood(answer)) {
      return answer;
    }
    assert.ok(Date.now() < end, `still ${answer}`);
    await setTimeout(100);
  }
}

/** What a button has copied, once it matches: secrets are fetched first. */
const copied = (page, pattern) => eventually(() => page.evaluate(() => navigator.clipboard.readText()), (text) => pattern.test(text));

test("signing in with the API key, and out", async () => {
  const page = await it.open("light", { visitor: true });
  await page.goto("/console/r/default/usage");
  await page.getByLabel("E-mail address").fill(it.server.email);
  await page.getByLabel("API key").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("do not belong together").waitFor();
  await shoot(page, "sign-in-refused-light");
  await checkPage(page);
  await page.getByLabel("API key").fill(it.server.apiKey);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/console/r/default/usage");
  await page.getByLabel("Account and theme").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.goto("/console/");
  assert.match(page.url(), /sign-in$/);
  await finish(page, /status of 401/);
});

test("the link of the banner is good once", async () => {
  const page = await it.open("light", { visitor: true });
  await page.goto(it.server.signInUrl);
  await page.getByText("used already").waitFor();
  await finish(page, /status of 401/);
});

test("creating a database, connecting with what is copied, and deleting it", async () => {
  const page = await it.open("light", clipboard);
  await page.goto("/console/");
  await page.getByRole("link", { name: "New resource" }).last().click();
  await page.getByLabel("Name").fill("from the browser");
  await page.getByRole("button", { name: "Create" }).click();
  await page.locator("#toasts").getByText("from the browser is ready.").waitFor();
  await shoot(page, "created-light");
  assert.equal(await page.getByText("eyJ").count(), 0, "a token is in the page");

  await page.getByRole("button", { name: "Copy URL" }).click();
  const url = await copied(page, /^http/);
  await page.getByRole("button", { name: "Copy Token" }).click();
  const redis = new Redis({ url, token: await copied(page, /^eyJ/) });
  assert.equal(await redis.set("greeting", "hello"), "OK");

  await page.getByRole("button", { name: "Show secrets" }).click();
  await page.getByText("eyJ").first().waitFor();
  await page.getByRole("tab", { name: "JavaScript" }).click();
  await shoot(page, "connection-shown-light");
  await page.getByRole("button", { name: "Copy JavaScript" }).click();
  await copied(page, /new Redis[^]*token: "eyJ/);
  await page.getByRole("button", { name: "Hide secrets" }).click();
  await page.getByRole("button", { name: "Show secrets" }).waitFor();
  assert.equal(await page.getByText("eyJ").count(), 0, "a token is still in the page");

  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Delete…" }).click();
  const remove = page.getByRole("button", { name: "Delete for good" });
  assert.ok(await remove.isDisabled());
  await page.getByLabel("Type from the browser to confirm").fill("from the browser");
  await remove.click();
  await page.locator("#toasts").getByText("is deleted").waitFor();
  await assert.rejects(redis.get("greeting"), /WRONGPASS|NOPERM|unauthorized|invalid/i);
  await finish(page);
});

test("a credential that may read some keys, until it is revoked", async () => {
  const page = await it.open("light", clipboard);
  await page.goto("/console/r/default/credentials");
  await page.getByRole("link", { name: "New credential" }).click();
  await page.getByLabel("Name").fill("reader");
  await page.getByLabel("Access").selectOption("custom");
  await page.getByLabel("Commands that read").check();
  await page.getByLabel("Keys").fill("public:*");
  await page.getByLabel("Expires").selectOption("720h");
  await page.getByRole("button", { name: "Create credential" }).click();
  const row = page.getByRole("row", { name: /reader/ });
  await row.getByRole("button", { name: "Show" }).click();
  const dialog = page.getByRole("dialog", { name: "Token" });
  await dialog.getByText("eyJ").first().waitFor();
  await shoot(page, "token-light");
  await checkPage(page);
  const token = await dialog.locator("#token-text").textContent();
  await page.keyboard.press("Escape");
  const redis = new Redis({ url: it.server.url, token });
  assert.equal(await redis.get("public:x"), null);
  await assert.rejects(redis.get("private:x"), /NOPERM/);
  await assert.rejects(redis.set("public:x", 1), /NOPERM/);

  await row.getByRole("button", { name: "Revoke reader" }).click();
  await shoot(page, "revoke-light");
  await page.getByRole("button", { name: "Revoke", exact: true }).click();
  await page.locator("#toasts").getByText("opens nothing any more").waitFor();
  await assert.rejects(redis.get("public:x"), /WRONGPASS|unauthorized|invalid/i);
  await finish(page);
});

test("a credential for browsers has to say what it shows, and until when", async () => {
  const page = await it.open("phone");
  await page.goto("/console/r/default/credentials/new");
  await page.getByLabel("Name").fill("page");
  await page.getByLabel("Access").selectOption("browser");
  await page.getByText("It lists no keys").waitFor();
  assert.equal(await page.getByLabel("Commands that read").isVisible(), false);
  await page.getByLabel("Keys").fill("*");
  await page.getByRole("button", { name: "Create credential" }).click();
  await page.getByText("name them more closely").waitFor();
  await page.getByText("choose when it expires").waitFor();
  await shoot(page, "credential-browser-phone");
  await checkPage(page);
  await page.getByLabel("Keys").fill("public:*");
  await page.getByLabel("Channels").fill("news");
  await page.getByLabel("Expires").selectOption("24h");
  await page.getByRole("button", { name: "Create credential" }).click();
  await page.getByRole("row", { name: /page.*Read only/ }).waitFor();
  await finish(page, /status of 422/);
});

test("what is wrong with a form is said at its field", async () => {
  const page = await it.open();
  await page.goto("/console/r/default/settings");
  await page.getByLabel("Requests per day").fill("many");
  await page.getByRole("button", { name: "Save limits" }).click();
  const field = page.getByLabel("Requests per day");
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  assert.match(await page.locator(`#${(await field.getAttribute("aria-describedby")).split(" ")[0]}`).textContent(), /Enter a whole number/);
  await shoot(page, "settings-refused-light");
  await checkPage(page);
  await finish(page, /status of 422/);
});

test("a limit is reached, shown, and lifted", async () => {
  const page = await it.open();
  await page.goto("/console/new");
  await page.getByLabel("Name").fill("limited");
  await page.getByLabel("Requests per day").fill("3");
  await page.getByRole("button", { name: "Create" }).click();
  const home = page.url();
  const token = await page.evaluate(
    async (path) => (await fetch(path, { method: "POST", headers: { "X-CSRF-Token": window.skystash.csrf(), Accept: "text/plain" } })).text(),
    `${home}/credentials/default/token`,
  );
  const redis = new Redis({ url: it.server.url, token, retry: false, enableAutoPipelining: false });
  for (let i = 0; i < 3; i++) {
    await redis.incr("counter");
  }
  // Usage is counted once a second.
  await eventually(() => page.reload().then(() => page.getByText("Limit reached").count()), (n) => n > 0);
  await assert.rejects(redis.incr("counter"), /limit/i);
  await page.goto("/console/");
  await page.getByRole("row", { name: /limited/ }).getByText("Limit reached").waitFor();
  await shoot(page, "limit-reached-light");
  await checkPage(page);
  await page.goto(`${home}/usage`);
  await page.getByText("of 3 (100 %)").waitFor();
  await shoot(page, "limit-reached-usage-light");
  await checkPage(page);
  await page.getByRole("link", { name: "Change the limits" }).click();
  await page.getByLabel("Requests per day").fill("");
  await page.getByRole("button", { name: "Save limits" }).click();
  await page.locator("#toasts").getByText("The limits are saved").waitFor();
  await finish(page);
});

test("an API key is shown once", async () => {
  const page = await it.open("light", clipboard);
  await page.goto("/console/account");
  await page.getByLabel("Name of a new key").fill("terraform");
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByText("Shown once").waitFor();
  await page.getByRole("button", { name: "Copy API key" }).click();
  await shoot(page, "api-key-light");
  await checkPage(page);
  const other = await it.open("light", { visitor: true });
  await other.goto("/console/sign-in");
  await other.getByLabel("E-mail address").fill(it.server.email);
  await other.getByLabel("API key").fill(await copied(page, /^[\w-]{30,}$/));
  await other.keyboard.press("Enter");
  await other.getByRole("heading", { name: "Overview" }).waitFor();
  await finish(other);
  await finish(page);
});

test("the theme is kept, and charts follow it", async () => {
  const page = await it.open();
  await page.goto("/console/r/default/usage");
  await page.getByLabel("Account and theme").click();
  await page.getByRole("button", { name: "Dark theme" }).click();
  await page.reload();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.getByLabel("Account and theme").click();
  await page.getByRole("button", { name: "System theme" }).click();
  await page.reload();
  assert.equal(await page.locator("html").getAttribute("data-theme"), null);
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), dark);
  await finish(page);
});

test("keys work: tabs by arrows, menus and dialogs by Escape, the skip link first", async () => {
  const page = await it.open();
  await page.goto("/console/r/default");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.getByRole("tab", { name: ".env" }).focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.getByRole("tab", { name: "JavaScript" }).getAttribute("aria-selected"), "true");
  assert.ok(await page.getByText("npm install @upstash/redis").isVisible());
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.getByRole("tab", { name: "redis-cli" }).getAttribute("aria-selected"), "true");
  const menu = page.getByLabel("Switch resource");
  await menu.focus();
  await page.keyboard.press("Enter");
  const switcher = page.getByRole("navigation", { name: "Resources" });
  await switcher.waitFor();
  await shoot(page, "switcher-light");
  await page.keyboard.press("Escape");
  await switcher.waitFor({ state: "hidden" });
  await finish(page);
});

test("the session's cookie is out of reach for scripts", async () => {
  const page = await it.open();
  await page.goto("/console/");
  assert.equal(await page.evaluate(() => document.cookie), "");
  const cookies = await page.context().cookies();
  const session = cookies.find((c) => c.name === "skystash_session");
  assert.deepEqual([session.httpOnly, session.sameSite], [true, "Strict"]);
  await finish(page);
});
