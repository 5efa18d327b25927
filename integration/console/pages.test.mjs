// Every page of resources and of the account, in light, dark and on a phone.
import { startConsole, testPages } from "./browser.mjs";

const it = startConsole(async (server) => {
  // Something to be seen in the usage.
  for (let i = 0; i < 40; i++) {
    const response = await fetch(`${server.url}/pipeline`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token}` },
      body: JSON.stringify([["SET", `key:${i}`, "x".repeat(100 * i)], ["GET", `key:${i}`], ["INCR", "counter"]]),
    });
    if (!response.ok) {
      throw new Error(`the server answered ${response.status}`);
    }
  }
});

const showAllPanels = (page) => page.locator(".chart-data").first().evaluate((details) => (details.open = true)).catch(() => {});

testPages(it, {
  "sign-in": { path: "/console/sign-in", visitor: true },
  overview: { path: "/console/" },
  new: { path: "/console/new" },
  redis: { path: "/console/r/default" },
  kafka: { path: "/console/r/default-kafka" },
  qstash: { path: "/console/r/default-qstash" },
  credentials: { path: "/console/r/default/credentials" },
  "credential-new-redis": {
    path: "/console/r/default/credentials/new",
    ready: async (page) => {
      await page.getByLabel("Access").selectOption("custom");
      await page.getByLabel("Expires").selectOption("at");
    },
  },
  "credential-new-kafka": { path: "/console/r/default-kafka/credentials/new" },
  "credential-new-qstash": { path: "/console/r/default-qstash/credentials/new" },
  "usage-24h": { path: "/console/r/default/usage", ready: showAllPanels },
  "usage-90d": { path: "/console/r/default/usage?period=90d" },
  "usage-empty": { path: "/console/r/default-qstash/usage" },
  settings: { path: "/console/r/default/settings" },
  "settings-delete": {
    path: "/console/r/default/settings",
    ready: (page) => page.getByRole("button", { name: "Delete…" }).click(),
  },
  account: { path: "/console/account" },
  "signing-keys": { path: "/console/signing-keys" },
  "not-found": { path: "/console/nothing", status: 404 },
});
