// A real Chromium in front of the console of a local server, and what every page has to pass.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { root, startLocal } from "../lib/local.mjs";

export const screenshots = path.join(root, "build", "screenshots");

/** The looks that pages are opened in. The light one is made dark, too. */
export const looks = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 800 } },
  phone: { colorScheme: "light", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true },
};

/**
 * Starts a server with an empty folder and a browser for the tests of a file.
 *
 * @param {(server: object) => Promise<void>} prepare is called once the server runs, for what pages should show
 * @param {...string} flags of the server
 * @returns {{server: object, open: (look?: string, options?: object) => Promise<import("playwright-core").Page>}}
 *   open makes a page that has signed in, in a context of its own; what it logs as an error fails
 *   the test that calls finish(page)
 */
export function startConsole(prepare = async () => {}, ...flags) {
  const it = { server: undefined };
  let browser;
  let folder;
  let state;
  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    folder = mkdtempSync(path.join(tmpdir(), "skystash-console-"));
    it.server = await startLocal("-data", path.join(folder, "data"), ...flags);
    await prepare(it.server);
    browser = await chromium.launch({
      executablePath: process.env.SKYSTASH_CHROMIUM ?? "/usr/bin/chromium",
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [], // which Chromium refuses to have as root
    });
    const page = await it.open("light", { visitor: true });
    await page.goto(it.server.signInUrl);
    await page.waitForURL(`${it.server.url}/console/`);
    state = await page.context().storageState();
    await finish(page);
  });
  after(async () => {
    await browser?.close();
    assert.equal(await it.server?.stop(), 0);
    rmSync(folder, { recursive: true, force: true });
  });
  it.open = async (look = "light", { visitor = false, ...options } = {}) => {
    const context = await browser.newContext({
      ...looks[look], baseURL: it.server.url, storageState: visitor ? undefined : state, reducedMotion: "reduce", locale: "en-US", timezoneId: "UTC", ...options,
    });
    context.setDefaultTimeout(300_000);
    await context.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    });
    const page = await context.newPage();
    page.complaints = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && page.complaints.push(`${message.text()} (${message.location().url})`));
    page.on("pageerror", (error) => page.complaints.push(error.message));
    page.on("requestfailed", (request) => {
      const { errorText } = request.failure();
      if (errorText !== "net::ERR_ABORTED") { // the browser's own doing, when a test goes on before an icon has come
        page.complaints.push(`${request.url()}: ${errorText}`);
      }
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(it.server.url) && !request.url().startsWith("data:")) {
        page.complaints.push(`asks another host: ${request.url()}`);
      }
    });
    return page;
  };
  return it;
}

/** Closes a page after a look at what it has complained about; expected lists what may have been. */
export async function finish(page, ...expected) {
  const violations = await page.evaluate(() => window.violations ?? []);
  await page.context().close();
  const complaints = [...page.complaints, ...violations].filter((text) => !expected.some((pattern) => pattern.test(text)));
  assert.deepEqual(complaints, []);
}

/** Keeps a screenshot of the whole page, or of the window while a dialog is open. */
export async function shoot(page, name) {
  const fullPage = (await page.locator("dialog:modal").count()) === 0;
  await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage });
}

/** What colours decide. */
const ofColours = { type: "rule", values: ["color-contrast", "link-in-text-block"] };

/** Asserts that axe has nothing against the page, by the rules of runOnly. */
async function checkAxe(page, runOnly) {
  // Evaluated by the debugger, which the page's policy does not bind.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((only) => window.axe.run(document, { runOnly: only, resultTypes: ["violations"] }), runOnly);
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message ?? ""}`).join("; ")}`), []);
}

/** Asserts what holds for every page: names, labels, contrast and landmarks by axe, nothing wider than the window. */
export async function checkPage(page) {
  await checkAxe(page, ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
  const unlabelled = await page.evaluate(() =>
    [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
      .filter((input) => !input.labels?.length && !input.ariaLabel)
      .map((input) => input.outerHTML));
  assert.deepEqual(unlabelled, []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, "the page is wider than the window");
  assert.equal(await page.locator("h1").count(), 1, "a page has one title");
}

/** Asserts that the Tab key reaches everything that can be pressed, and that it shows where it is. */
export async function checkKeyboard(page) {
  const count = await page.evaluate(() => {
    const scope = document.querySelector("dialog:modal") ?? document;
    const wanted = [...scope.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(
      (e) => !e.disabled && e.tabIndex >= 0 && e.checkVisibility({ visibilityProperty: true }) && !e.matches("[type=radio]:not(:checked)"),
    );
    document.activeElement?.blur();
    window.ring = (e) => `${getComputedStyle(e).outlineStyle} ${getComputedStyle(e).boxShadow}`;
    wanted.forEach((e) => (e.dataset.wanted = window.ring(e.parentElement)));
    return wanted.length;
  });
  const left = () => page.locator("[data-wanted]").count();
  // Dates take several steps.
  for (let i = 0; i < count + 3 || (i < count + 30 && (await left()) > 0); i++) {
    await page.keyboard.press("Tab");
    const hidden = await page.evaluate(() => {
      const e = document.activeElement;
      const parent = e.dataset.wanted; // as it looks without the focus
      delete e.dataset.wanted;
      const shows =
        [e, e.closest("label")].some((x) => x && window.ring(x) !== "none none") ||
        (parent !== undefined && window.ring(e.parentElement) !== parent);
      return e === document.body || shows ? "" : e.outerHTML;
    });
    assert.equal(hidden, "", "the focus does not show");
  }
  const missed = await page.evaluate(() => [...document.querySelectorAll("[data-wanted]")].map((e) => e.outerHTML.slice(0, 200)));
  assert.deepEqual(missed, [], "the Tab key does not reach");
}

/**
 * Declares a test of each page in each look, and in the dark: it loads without complaints, passes checkPage, and is kept as
 * a screenshot; in one look the keyboard is tried as well.
 *
 * @param {ReturnType<typeof startConsole>} it
 * @param {Record<string, {path: string, visitor?: boolean, ready?: (page) => Promise<void>, status?: number}>} pages by
 *   the names of their screenshots; ready opens or waits for what the screenshot should show
 */
export function testPages(it, pages) {
  for (const [name, { path: address, visitor, ready, status = 200 }] of Object.entries(pages)) {
    for (const look of Object.keys(looks)) {
      test(`${name}, ${look}`, async (t) => {
        const page = await it.open(look, { visitor });
        const response = await page.goto(address);
        assert.equal(response.status(), status);
        const time = await page.evaluate(() => {
          const [entry] = performance.getEntriesByType("navigation");
          return entry.responseEnd - entry.requestStart;
        });
        t.diagnostic(`${name} answered within ${time.toFixed(1)} ms`);
        await ready?.(page);
        await shoot(page, `${name}-${look}`);
        await checkPage(page);
        if (look === "light") {
          // Only the colours change.
          await page.emulateMedia({ colorScheme: "dark" });
          await shoot(page, `${name}-dark`);
          await checkAxe(page, ofColours);
          await page.emulateMedia({ colorScheme: "light" });
          await checkKeyboard(page);
        }
        await finish(page, ...(status === 200 ? [] : [new RegExp(`status of ${status}`)]));
      });
    }
  }
}
